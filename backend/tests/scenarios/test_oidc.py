"""Sign-in by a real OpenID provider: away, back, and in."""

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from app.web.problem_page import KOREAN
from tests.support.fixtures import Serve
from tests.support.issuers import (
    CALLBACK,
    SECRET,
    START,
    RealIssuer,
    Traveller,
    code_of,
    real_issuer,
    settings_for,
)
from tests.support.people import administrator
from tests.support.server import BACKEND, Server
from tests.support.talk import CONVERSATIONS, Talk
from tests.support.upstream import Upstream
from tests.support.watched import accessibility_problems

pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0)
ME = "/api/auth/me"


@pytest.fixture(scope="module")
async def issuer() -> AsyncGenerator[RealIssuer]:
    """A real provider for all tests here."""
    async with real_issuer() as issuer:
        yield issuer


@pytest.fixture
async def server(serve: Serve, issuer: RealIssuer) -> Server:
    """A service that signs in there."""
    return await serve(**settings_for(issuer.url, OIDC_NAME="Home"))


async def signed_in(server: Server, issuer: RealIssuer, subject: str, **query: str) -> Traveller:
    """Somebody who came in by the provider."""
    traveller = Traveller(server.port)
    back = await traveller.come_back(await issuer.sign_in(await traveller.start(**query), subject))
    assert (back.status, back.headers.get("Location")) == (303, "/docs"), back.text
    traveller.id = (await traveller.request("GET", ME)).json["id"]
    return traveller


async def test_the_first_one_to_sign_in_is_the_administrator_and_has_what_was_there(
    serve: Serve, issuer: RealIssuer, upstream: Upstream
) -> None:
    server = await serve(ACCOUNTS=0)
    await Talk.begin(Traveller(server.port), title="From before")
    await server.restart(ACCOUNTS="1", **settings_for(issuer.url))
    await issuer.knows("ann-1", preferred_username="ann", email="ann@example.org")
    ann = await signed_in(server, issuer, "ann-1")
    me = (await ann.request("GET", ME)).json
    assert (me["name"], me["role"]) == ("ann", "admin")
    listed = (await ann.request("GET", CONVERSATIONS)).json["items"]
    assert [item["title"] for item in listed] == ["From before"]
    again = await signed_in(server, issuer, "ann-1")
    assert (await again.request("GET", ME)).json == me
    deeds = (await ann.request("GET", "/api/admin/audit")).json["items"]
    assert [deed["kind"] for deed in reversed(deeds)] == ["signed_up", "signed_in"]
    await server.close()
    for secret in (SECRET, "ann@example.org", "state=", "code="):
        assert secret not in server.log


async def test_the_way_in_names_the_provider_and_the_way_there_proves_who_asks(
    server: Server, issuer: RealIssuer
) -> None:
    traveller = Traveller(server.port)
    assert (await traveller.request("GET", "/api/auth")).json["oidc"] == "Home"
    reply = await traveller.go(START)
    asked = {name: value for name, (value,) in parse_qs(urlsplit(reply.headers["Location"]).query).items()}
    assert asked["redirect_uri"] == f"{server.url}{CALLBACK}"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    (cookie,) = reply.headers.all("Set-Cookie")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=600"} <= parts
    assert reply.headers["Cache-Control"] == "no-store"


async def test_whoever_is_not_invited_stays_out_and_an_invitation_goes_along(
    server: Server, issuer: RealIssuer
) -> None:
    ann = await administrator(server.port)
    stranger = Traveller(server.port)
    back = await stranger.come_back(await issuer.sign_in(await stranger.start(), "bob-1"))
    assert (back.status, code_of(back)) == (403, "invitation_needed")
    assert (await stranger.request("GET", ME)).status == 401
    made = (await ann.request("POST", "/api/admin/invitations", json={"role": "admin"})).json["invitation"]
    await issuer.knows("bob-1", preferred_username="ANN", name="Bob B. <b>")
    bob = await signed_in(server, issuer, "bob-1", invitation=made)
    me = (await bob.request("GET", ME)).json
    assert (me["name"], me["role"]) == ("Bob-B.-b", "admin"), "ann's name is taken, in any spelling"
    used = Traveller(server.port)
    back = await used.come_back(await issuer.sign_in(await used.start(invitation=made), "carl-1"))
    assert code_of(back) == "invitation_needed"


async def test_two_who_come_at_once_are_two_and_one_who_comes_twice_is_one(serve: Serve, issuer: RealIssuer) -> None:
    server = await serve(SIGN_UP="open", **settings_for(issuer.url))
    for number in (1, 2):
        await issuer.knows(f"twin-{number}", preferred_username="twin")
    subjects = ["twin-1", "twin-2", "twin-1", "twin-2"]
    people = await asyncio.gather(*(signed_in(server, issuer, subject) for subject in subjects))
    bodies = [(await person.request("GET", ME)).json for person in people]
    assert bodies[0] == bodies[2]
    assert bodies[1] == bodies[3]
    assert sorted(body["name"] for body in bodies[:2]) == ["twin", "twin-2"]
    assert sorted(body["role"] for body in bodies[:2]) == ["admin", "user"]


async def test_who_is_suspended_is_refused(server: Server, issuer: RealIssuer) -> None:
    ann = await administrator(server.port)
    made = (await ann.request("POST", "/api/admin/invitations", json={})).json["invitation"]
    bob = await signed_in(server, issuer, "bob-2", invitation=made)
    await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"suspended": True})
    assert (await bob.request("GET", ME)).status == 401
    again = Traveller(server.port)
    back = await again.come_back(await issuer.sign_in(await again.start(), "bob-2"))
    assert (back.status, code_of(back)) == (403, "suspended")
    assert (await again.request("GET", ME)).status == 401


async def test_a_way_back_is_good_once_and_for_who_went(server: Server, issuer: RealIssuer) -> None:
    traveller, other = Traveller(server.port), Traveller(server.port)
    address = await issuer.sign_in(await traveller.start(), "ann-2")
    await other.start()
    carried = dict(traveller.jar)
    stolen = await other.come_back(address)
    assert (stolen.status, code_of(stolen)) == (400, "sign_in_expired"), "another browser's state"
    assert code_of(await Traveller(server.port).come_back(address)) == "sign_in_expired", "no cookie"
    wrong = address.replace("state=", "state=x")
    assert code_of(await traveller.come_back(wrong)) == "sign_in_expired"
    assert (await traveller.come_back(address)).status == 303
    traveller.jar = carried
    assert code_of(await traveller.come_back(address)) == "sign_in_expired", "it is over"
    await traveller.start()
    code = parse_qs(urlsplit(address).query)["code"][0]
    state = parse_qs(urlsplit(await traveller.start()).query)["state"][0]
    replayed = await traveller.come_back(f"{CALLBACK}?code={code}&state={state}")
    assert code_of(replayed) == "sign_in_expired", "the code was used"


async def test_who_says_no_there_is_told_so_in_our_words(server: Server, issuer: RealIssuer) -> None:
    traveller = Traveller(server.port)
    address = await traveller.start()
    state = parse_qs(urlsplit(address).query)["state"][0]
    back = await traveller.come_back(f"{await issuer.deny(address)}&state={state}")  # this provider forgets it
    assert (back.status, code_of(back)) == (403, "sign_in_declined")
    state = parse_qs(urlsplit(await traveller.start()).query)["state"][0]
    said = await traveller.come_back(f"{CALLBACK}?state={state}&error=%3Cscript%3E&error_description=canary")
    assert "canary" not in said.text
    assert "script" not in said.text
    assert "default-src 'none'" in said.headers["Content-Security-Policy"]


async def test_a_failure_is_told_in_the_browsers_language_as_the_page_would(server: Server, browser: Browser) -> None:
    words = (BACKEND.parent / "frontend/src/lib/locales/ko/errors.ts").read_text(encoding="utf-8")
    assert [said for code, said in KOREAN.items() if code != "invalid" and f'  {code}: "{said}",' not in words] == []
    address = f"{server.url}{CALLBACK}?state=gone"
    for locale, dark, sentence, back in (
        ("ko-KR", False, KOREAN["sign_in_expired"], "돌아가기"),
        ("en-US", True, "This sign-in took too long", "Back"),
        ("fr-FR", False, "This sign-in took too long", "Back"),
    ):
        page = await browser.new_page(locale=locale, color_scheme="dark" if dark else "light")
        problems: list[str] = []
        page.on("console", lambda message, kept=problems: kept.append(message.text))
        reply = await page.goto(address)
        assert reply is not None
        assert reply.status == 400
        await expect(page.get_by_role("main").get_by_text(sentence)).to_be_visible()
        await expect(page.get_by_role("link", name=back)).to_have_attribute("href", "/")
        assert await page.evaluate("getComputedStyle(document.body).display") == "grid", "its policy lets its style in"
        assert await accessibility_problems(page) == []
        assert [text for text in problems if "400" not in text] == []
        await page.close()


@pytest.mark.parametrize(
    "next",
    [
        "//evil.test",
        "https://evil.test/",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        "javascript:alert(1)",
        "evil.test",
        "",
        "/ok\\..\\evil",
        "/api/keys",
        "/" + "x" * 1000,
    ],
)
async def test_nobody_is_sent_anywhere_else(server: Server, next: str) -> None:
    reply = await Traveller(server.port).go(START, query={"next": next})
    assert (reply.status, code_of(reply)) == (422, "invalid")
    assert "Set-Cookie" not in reply.headers


async def test_no_other_site_sends_anybody_on_the_way(server: Server) -> None:
    for site in ("cross-site", "same-site"):
        headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
        assert (await Traveller(server.port).go(START, headers=headers)).status == 403


async def test_without_a_provider_there_is_no_way(serve: Serve) -> None:
    server = await serve()
    for path in (START, CALLBACK):
        reply = await Traveller(server.port).go(path)
        assert (reply.status, code_of(reply)) == (404, "not_found")


async def test_a_browser_signs_in_and_is_who_it_is(server: Server, issuer: RealIssuer, browser_page: Page) -> None:
    await issuer.knows("ann-3", preferred_username="ann")
    await browser_page.goto(f"{server.url}{START}?next=/docs%23somewhere")
    await browser_page.fill("input[name=sub]", "ann-3")
    await browser_page.click("button:text-is('Authorize')")
    await browser_page.wait_for_url(f"{server.url}/docs#somewhere")
    me = await browser_page.evaluate("(path) => fetch(path).then((response) => response.json())", ME)
    assert (me["name"], me["role"]) == ("ann", "admin")
    assert await browser_page.evaluate("() => document.cookie") == ""
