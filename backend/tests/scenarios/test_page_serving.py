"""The web page, as a browser gets it: its index for places, its files for names; and JSON for programs."""

import pytest
from playwright.async_api import Page, expect

from tests.support.built_page import BROWSER, FILES, GREETING, SCRIPT, build, get, is_index, vary
from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.problems import refused
from tests.support.server import Server

FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ROOT_FILES = ("index.html", "sw.js", "manifest.webmanifest", "icon-192.png", "favicon.svg")
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "assets/index-1a.js": "text/javascript; charset=utf-8",
    "assets/index-4f.css": "text/css; charset=utf-8",
    "assets/letters-9c.woff2": "font/woff2",
    "sw.js": "text/javascript; charset=utf-8",
    "manifest.webmanifest": "application/manifest+json",
    "icon-192.png": "image/png",
    "favicon.svg": "image/svg+xml",
}
DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.fixture(scope="module")
async def module_server(module_serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """One service with a small page."""
    return await module_serve(PAGE_PATH=build(tmp_path_factory.mktemp("built") / "page"))


# ── The page or JSON ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "accept",
    [
        BROWSER,
        "text/html",
        "TEXT/HTML",
        "text/html;q=0.9, application/json;q=0.8",
        "text/html;level=1;q=0.5, */*;q=0.4",
        "text/*",
        "text/html;q=0.001",
        "application/json;q=0, */*",
    ],
)
async def test_who_prefers_html_gets_the_page(shared_client: Client, accept: str) -> None:
    reply = await get(shared_client, "/", accept)
    assert is_index(reply)
    assert {"accept", "accept-encoding"} <= vary(reply.headers)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/json",
        "application/json, text/plain, */*",
        "text/html, application/json",
        "application/json, text/html;q=0.5",
        "text/html;q=0",
        "text/html;q=0.5, */*",
        "*/*;q=0.1, text/event-stream",
        "nonsense;;q=,,",
    ],
)
async def test_everyone_else_gets_json(shared_client: Client, accept: str | None) -> None:
    reply = await get(shared_client, "/", accept)
    assert (reply.status, reply.json) == (200, GREETING)
    assert "accept" in vary(reply.headers)
    assert "content-security-policy" not in reply.headers


@pytest.mark.parametrize(
    "path",
    ["/c/01kandgz1m5d9ryt3ek2yqv8p4", "/settings", "/settings/keys", "/sign-in", "/search?q=a.b", "/apis", "/c/"],
)
async def test_every_place_of_the_page_is_its_index_for_a_browser_and_nothing_for_a_program(
    shared_client: Client, path: str
) -> None:
    assert is_index(await get(shared_client, path))
    assert is_index(await shared_client.request("GET", path, headers=FROM_ELSEWHERE | {"Accept": BROWSER}))
    for accept in ("*/*", "application/json"):
        reply = await get(shared_client, path, accept)
        assert refused(reply, 404)["code"] == "not_found"
        assert "accept" in vary(reply.headers)
    refused(await get(shared_client, path, method="POST"), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/nothing",
        "/v1/nothing",
        "/auth/nothing",
        "/docs/nothing",
        "/redoc/nothing",
        "/health/nothing",
        "/ready/nothing",
        "/assets",
        "/assets/",
        "/assets/nothing",
        "/assets/index-0.js",
        "/favicon.ico",
        "/c/picture.png",
    ],
)
async def test_what_is_missing_elsewhere_is_never_the_index(shared_client: Client, path: str) -> None:
    reply = await get(shared_client, path)
    assert reply.status == 404
    assert b"<title>" not in reply.body


async def test_the_service_s_own_addresses_stay_its_own(shared_client: Client) -> None:
    for path, kind in {"/health": "application/json", "/ready": "application/json", "/docs": "text/html"}.items():
        reply = await get(shared_client, path)
        assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, kind)
        assert b"fake" not in reply.body


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TYPES)
async def test_a_file_of_the_page_is_itself_whoever_asks(shared_client: Client, name: str) -> None:
    for accept in (BROWSER, "*/*", "application/json", None):
        reply = await get(shared_client, f"/{name}", accept)
        assert (reply.status, reply.body) == (200, FILES[name])
        assert reply.headers["content-type"] == TYPES[name]
        assert reply.headers["content-length"] == str(len(FILES[name]))
        assert "content-encoding" not in reply.headers
        assert reply.headers["x-content-type-options"] == "nosniff"


async def test_names_made_from_content_are_kept_for_a_year_and_all_others_asked_for_again(
    shared_client: Client,
) -> None:
    for name in TYPES:
        cached = (await get(shared_client, f"/{name}")).headers["cache-control"]
        assert cached == ("no-cache" if name in ROOT_FILES else "public, max-age=31536000, immutable")
    for path in ("/", "/settings"):
        assert (await get(shared_client, path)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/settings", "/sw.js", "/manifest.webmanifest", "/assets/index-1a.js"])
async def test_what_a_browser_has_already_is_not_sent_again(shared_client: Client, path: str) -> None:
    first = await get(shared_client, path)
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await get(shared_client, path, If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert again.headers[name] == first.headers[name]
    assert (await get(shared_client, path, If_None_Match='"other"')).status == 200
    assert (await get(shared_client, path, If_Modified_Since=first.headers["last-modified"])).status == 304


@pytest.mark.parametrize("path", ["/", "/settings", "/sw.js", "/assets/index-1a.js"])
async def test_a_head_is_the_same_without_the_body(shared_client: Client, path: str) -> None:
    whole = await get(shared_client, path)
    head = await get(shared_client, path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    unlike = {"x-request-id", "date"}
    assert [pair for pair in head.headers.pairs if pair[0].lower() not in unlike] == [
        pair for pair in whole.headers.pairs if pair[0].lower() not in unlike
    ]


async def test_a_part_of_a_file_can_be_asked_for(shared_client: Client) -> None:
    reply = await get(shared_client, "/assets/index-1a.js", Range="bytes=0-7")
    assert (reply.status, reply.body) == (206, SCRIPT[:8].encode())


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br", "br"),
        ("BR;q=1.0", "br"),
        ("gzip", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("*;q=0", None),
        ("zstd", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_a_file_comes_in_the_best_encoding_that_it_was_built_in(
    shared_client: Client, accepted: str, encoding: str | None
) -> None:
    reply = await get(shared_client, "/assets/index-1a.js", Accept_Encoding=accepted)
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert (reply.status, reply.body) == (200, FILES["assets/index-1a.js" + suffix])
    assert reply.headers.get("content-encoding") == encoding
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert "accept-encoding" in vary(reply.headers)


async def test_each_encoding_has_a_tag_of_its_own(shared_client: Client) -> None:
    tags = [
        (await get(shared_client, "/assets/index-1a.js", Accept_Encoding=name)).headers["etag"]
        for name in ("br", "gzip", "identity")
    ]
    assert len(set(tags)) == 3


async def test_a_file_that_was_built_in_no_encoding_comes_as_it_is(shared_client: Client) -> None:
    reply = await get(shared_client, "/", Accept_Encoding="br, gzip")
    assert is_index(reply)
    assert "content-encoding" not in reply.headers


async def test_answers_of_the_api_and_streams_are_never_compressed(shared_client: Client) -> None:
    for method, path, body in (("GET", "/api/models", None), ("POST", "/api/chat/stream", {"message": "hi"})):
        reply = await shared_client.request(method, path, json=body, headers={"Accept-Encoding": "br, gzip"})
        assert reply.status == 200
        assert "content-encoding" not in reply.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/assets/..%5c..%5csecret.txt",
        "//etc/passwd.txt",
        "/%2fetc%2fpasswd.txt",
        "/assets/way-out.txt",
        "/.stamp",
        "/%00.js",
        "/a%00/index.html",
        "/assets/" + "x" * 5000 + ".js",
        "/assets/index-1a.js/x.js",
        "/%ff.js",
    ],
    ids=lambda path: path[:40],
)
async def test_nothing_outside_of_the_page_can_be_asked_for(shared_client: Client, path: str) -> None:
    for accept in (BROWSER, "*/*"):
        reply = await get(shared_client, path, accept)
        assert reply.status == 404
        assert b"secret" not in reply.body


# ── What the page may do ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/settings", "/index.html", "/sw.js"])
async def test_the_page_may_load_its_own_files_and_run_nothing_inline(shared_client: Client, path: str) -> None:
    headers = (await get(shared_client, path)).headers
    directives = [each.strip().partition(" ") for each in headers["content-security-policy"].split(";")]
    assert {name: value for name, _, value in directives} == DIRECTIVES
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


async def test_a_browser_shows_the_page_at_any_of_its_places(browser_page: Page, shared_server: Server) -> None:
    complaints: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text))
    browser_page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in ("/", "/c/01kandgz1m5d9ryt3ek2yqv8p4"):
        await browser_page.goto(f"{shared_server.url}{path}")
        await expect(browser_page).to_have_title("it runs")
    assert complaints == []
