"""An OpenID provider that lies, fails or dawdles: nobody comes in, nothing else waits, nothing of it is told."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.fixtures import Serve
from tests.support.issuers import CLIENT_ID, START, FakeIssuer, Traveller, code_of, settings_for, unsigned
from tests.support.server import Server
from tests.support.upstream import Upstream

pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0, SIGN_UP="open")
ME = "/api/auth/me"
ABOUT = "/.well-known/openid-configuration"
CANARY = "canary of the provider"


@pytest.fixture
async def issuer() -> AsyncGenerator[FakeIssuer]:
    """A provider that can be made to do anything."""
    async with FakeIssuer() as issuer:
        yield issuer


@pytest.fixture
async def server(serve: Serve, issuer: FakeIssuer) -> Server:
    """A service that signs in there."""
    return await serve(**settings_for(issuer.url))


async def outcome(server: Server, issuer: FakeIssuer, **more: str) -> tuple[int, str]:
    """How a sign-in ends: the status, and the code on the page."""
    traveller = Traveller(server.port)
    back = await traveller.come_back(issuer.back(await traveller.start(), **more))
    assert CANARY not in back.text
    inside = (await traveller.request("GET", ME)).status
    assert (inside == 200) == (back.status == 303)
    return back.status, code_of(back)


def signed_by_another(token: str) -> str:
    """The same claims, with the name of the provider's key and the signature of another."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims_of(token), RSAKey.generate_key(2048))


def signed_by_the_public_key(token: str) -> str:
    """The same claims, signed by HMAC with what everybody knows."""
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims_of(token), OctKey.import_key(CLIENT_ID * 20))


def altered(token: str) -> str:
    """Somebody else's subject under the same signature."""
    header, _, signature = token.split(".")
    claims = json.dumps({**claims_of(token), "sub": "somebody else"}).encode()
    return f"{header}.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.{signature}"


def claims_of(token: str) -> dict[str, Any]:
    """What it says."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def test_a_sound_answer_is_taken_so_that_the_others_are_refused_for_their_fault(
    server: Server, issuer: FakeIssuer
) -> None:
    assert await outcome(server, issuer) == (303, "")
    (form,) = issuer.forms
    assert (form["grant_type"], len(form["code_verifier"])) == ("authorization_code", 43)


UNPROVED: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another"},
    {"aud": ["another"]},
    {"aud": [CLIENT_ID, "another"]},
    {"aud": [CLIENT_ID, "another"], "azp": "another"},
    {"aud": None},
    {"iss": "https://evil.test"},
    {"iss": None},
    {"exp": 1_000_000_000},
    {"exp": None},
    {"exp": "never"},
    {"nbf": 9_000_000_000},
    {"iat": 9_000_000_000},
    {"sub": None},
    {"sub": ""},
    {"sub": 1},
    {"sub": "x" * 256},
    {"at_hash": "AAAA"},
]


async def test_a_token_that_does_not_prove_it_lets_nobody_in(server: Server, issuer: FakeIssuer) -> None:
    for claims in UNPROVED:
        issuer.claims = claims
        assert await outcome(server, issuer) == (502, "issuer_untrusted"), claims
    issuer.claims = {}
    assert await outcome(server, issuer) == (303, "")


async def test_a_signature_that_is_not_the_provider_s_lets_nobody_in(server: Server, issuer: FakeIssuer) -> None:
    faults: dict[str, Callable[[str], str]] = {
        "alg none": unsigned,
        "another's key": signed_by_another,
        "hmac": signed_by_the_public_key,
        "altered": altered,
        "no token": lambda _: CANARY,
        "another signature": lambda token: token + "x",
    }
    for fault, tampered in faults.items():
        issuer.tampered = tampered
        assert await outcome(server, issuer) == (502, "issuer_untrusted"), fault


async def test_another_issuer_in_the_way_back_is_refused(server: Server, issuer: FakeIssuer) -> None:
    assert await outcome(server, issuer, iss="https://evil.test") == (502, "issuer_untrusted")
    assert issuer.forms == [], "the code was shown to nobody"
    assert await outcome(server, issuer, iss=issuer.url) == (303, "")


async def test_a_new_key_is_found_and_unknown_ones_are_not_looked_for_each_time(
    server: Server, issuer: FakeIssuer
) -> None:
    assert await outcome(server, issuer) == (303, "")
    looked = issuer.asked.count("/jwks")
    issuer.header = {"kid": "two"}
    for _ in range(5):
        assert await outcome(server, issuer) == (502, "issuer_untrusted")
    assert issuer.asked.count("/jwks") <= looked + 1


async def test_without_names_in_the_token_the_provider_is_asked_and_one_who_has_none_gets_one(
    server: Server, issuer: FakeIssuer
) -> None:
    issuer.about = {"userinfo_endpoint": f"{issuer.url}/userinfo"}
    issuer.answers["/userinfo"] = lambda _: web.json_response({"sub": "ann-1", "email": "ann@example.org"})
    for subject, name in (("ann-1", "ann@example.org"), ("bob-1", "user")):
        issuer.claims = {"sub": subject}
        traveller = Traveller(server.port)
        assert (await traveller.come_back(issuer.back(await traveller.start()))).status == 303
        assert (await traveller.request("GET", ME)).json["name"] == name


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda _: web.Response(text=f"<html>{CANARY}</html>", content_type="text/html"), (502, "issuer_untrusted")),
        (lambda _: web.Response(text="[" * 100_000), (502, "issuer_untrusted")),
        (lambda _: web.Response(body=b"\xff\xfe{}"), (502, "issuer_untrusted")),
        (lambda _: web.json_response({"issuer": "https://evil.test"}), (502, "issuer_untrusted")),
        (lambda _: web.Response(text=" " * (2 * 2**20)), (502, "issuer_untrusted")),
        (lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), (502, "issuer_untrusted")),
        (lambda _: web.Response(status=500, text=CANARY), (503, "issuer_unavailable")),
    ],
    ids=["html", "nested", "no utf-8", "another issuer", "huge", "elsewhere", "broken"],
)
@pytest.mark.parametrize("path", [ABOUT, "/token"])
async def test_an_answer_that_is_none_is_refused_wherever_it_comes_from(
    server: Server, issuer: FakeIssuer, path: str, answer: Callable[[Any], Any], expected: tuple[int, str]
) -> None:
    if path == ABOUT:
        issuer.answers[ABOUT] = answer
        reply = await Traveller(server.port).go(START)
        assert (reply.status, code_of(reply)) == expected
    else:
        issuer.answers[path] = answer
        assert await outcome(server, issuer) == expected
    await server.close()
    assert CANARY not in server.log


@pytest.mark.parametrize("place", ["token_endpoint", "jwks_uri", "authorization_endpoint", "issuer"])
async def test_an_endpoint_that_can_be_overheard_is_not_asked(server: Server, issuer: FakeIssuer, place: str) -> None:
    issuer.about = {place: "http://login.example.org/x"}
    reply = await Traveller(server.port).go(START)
    assert (reply.status, code_of(reply)) == (502, "issuer_untrusted")


async def test_a_provider_that_is_down_holds_up_neither_start_nor_answers_and_is_asked_seldom(
    serve: Serve, issuer: FakeIssuer, upstream: Upstream
) -> None:
    asked_twice = asyncio.Event()

    async def dawdle(_: object) -> web.Response:
        await asked_twice.wait()
        return web.Response(status=503)

    issuer.answers[ABOUT] = dawdle
    server = await serve(**settings_for(issuer.url))
    waiting = [asyncio.create_task(Traveller(server.port).go(START)) for _ in range(8)]
    ann = Traveller(server.port)
    assert (await ann.sign("up", "ann")).status == 201
    assert (await ann.ask("Well?")).text == "Hello there"
    asked_twice.set()
    replies = await asyncio.gather(*waiting)
    assert {(reply.status, code_of(reply)) for reply in replies} == {(503, "issuer_unavailable")}
    assert int(replies[0].headers["Retry-After"]) > 0
    assert issuer.asked.count(ABOUT) == 1, "one asks for all, and nobody asks again at once"


async def test_a_provider_that_never_answers_is_given_up(server: Server, issuer: FakeIssuer) -> None:
    async def never(_: object) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    issuer.answers["/token"] = never
    began = time.monotonic()
    assert await outcome(server, issuer) == (503, "issuer_unavailable")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("supported", [None, ["client_secret_post"]])
async def test_the_client_s_secret_goes_to_the_provider_as_it_wants_it(
    server: Server, issuer: FakeIssuer, supported: list[str] | None
) -> None:
    issuer.about = {"token_endpoint_auth_methods_supported": supported} if supported else {}
    assert await outcome(server, issuer) == (303, "")
    assert ("client_secret" in issuer.forms[0]) == bool(supported)


async def test_a_public_client_has_none(serve: Serve, issuer: FakeIssuer) -> None:
    server = await serve(**settings_for(issuer.url, OIDC_CLIENT_SECRET=None))
    assert await outcome(server, issuer) == (303, "")
    assert issuer.forms[0]["client_id"] == CLIENT_ID
    assert "client_secret" not in issuer.forms[0]


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"OIDC_ISSUER": "https://login.example.org"}, "OIDC_CLIENT_ID"),
        ({"OIDC_ISSUER": "http://login.example.org", "OIDC_CLIENT_ID": "x"}, "https://"),
        ({"OIDC_ISSUER": "https://a:b@login.example.org", "OIDC_CLIENT_ID": "x"}, "password"),
        ({"OIDC_ISSUER": "https://login.example.org?x=1", "OIDC_CLIENT_ID": "x"}, "address"),
        ({"OIDC_ISSUER": "https://login.example.org", "OIDC_CLIENT_ID": "x", "ACCOUNTS": "0"}, "ACCOUNTS=1"),
        ({"OIDC_CLIENT_ID": "x"}, "OIDC_ISSUER"),
        ({"OIDC_CLIENT_SECRET": CANARY}, "OIDC_ISSUER"),
        ({"PUBLIC_URL": "https://chat.example.org"}, "ALLOWED_HOSTS"),
        ({"PUBLIC_URL": "chat.example.org"}, "address"),
    ],
)
async def test_settings_that_do_not_fit_are_refused_at_start(serve: Serve, env: dict[str, str], word: str) -> None:
    server = serve.make(**dict[str, Any](env))
    server.spawn()
    assert await server.wait() != 0
    (line,) = server.log.splitlines()
    assert word in line
    assert CANARY not in line


async def test_behind_a_proxy_the_setting_says_where_people_are(serve: Serve, issuer: FakeIssuer) -> None:
    server = await serve(
        **settings_for(
            issuer.url, PUBLIC_URL="https://chat.example.org/", ALLOWED_HOSTS="localhost,127.0.0.1,chat.example.org"
        )
    )
    traveller = Traveller(server.port)
    address = await traveller.start()
    assert "redirect_uri=https%3A%2F%2Fchat.example.org%2Fauth%2Foidc%2Fcallback" in address
    back = await traveller.come_back(issuer.back(address))
    cookies = [line for line in back.headers.all("Set-Cookie") if "Max-Age=0" not in line]
    assert len(cookies) == 1
    assert cookies[0].startswith("__Host-chat_session=")
    parts = {part.strip().lower() for part in cookies[0].split(";")[1:]}
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= parts
