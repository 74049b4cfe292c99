"""Who may ask from where: the host asked for, the machine that asks, and the page that asks."""

import pytest

from tests.support.client import CHAT, Client
from tests.support.fixtures import Serve
from tests.support.http import pairs
from tests.support.problems import refused, refused_in_openai_s_shape
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.wire_client import Reply

SHARED_SETTINGS = {"CORS_ORIGINS": "http://localhost:5173,http://127.0.0.1:5173,https://Chat.Example.org"}
PROBES = ("/health", "/ready")
OTHERS = ("/", "/docs", "/openapi.json", "/api/models", f"{CHAT}?message=hello", "/docs/assets/swagger-ui.css")
NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def get(client: Client, path: str, host: str | None = "", **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request(
        "GET", path, headers=fields if host in ("", None) else {"Host": host} | fields, host=host
    )


# ── Hosts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:1", "localhost.", "localhost.:8000", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:80"],
)
async def test_loopback_names_are_answered_in_any_case_and_with_any_port(shared_client: Client, host: str) -> None:
    for path in (*PROBES, *OTHERS):
        assert (await get(shared_client, path, host)).status == 200, path


@pytest.mark.parametrize(
    "host",
    [
        "attacker.test",
        "attacker.test:8000",
        "localhost.attacker.test",
        "localhost@attacker.test",
        "attacker.test#localhost",
        "localhost, attacker.test",
        "127.0.0.1.nip.io",
        "evil-localhost",
        "localhost:8000:8000",
        "localhost..",
        "2130706433.attacker",
        "::1.attacker.test",
        "*",
    ],
)
async def test_a_host_that_is_not_listed_is_refused_everywhere(
    shared_client: Client, shared_upstream: Upstream, host: str
) -> None:
    for path in (*PROBES, *OTHERS, "/nothing"):
        body = refused(await get(shared_client, path, host), 421)
        assert body["code"] == "wrong_host"
        assert "ALLOWED_HOSTS" in body["detail"]
    posted = await shared_client.request("POST", CHAT, json={"message": "hi"}, headers={"Host": host})
    refused(posted, 421)
    assert shared_upstream.calls == 0


@pytest.mark.parametrize("host", [None, "10.1.2.3", "192.168.0.1:8000", "[fe80::1]:8000", "[2001:db8::1]"])
async def test_an_address_or_no_host_at_all_is_answered_for_probes_only(
    shared_client: Client, shared_upstream: Upstream, host: str | None
) -> None:
    for path in PROBES:
        assert (await get(shared_client, path, host)).status == 200
    for path in (*OTHERS, "/health/", "/healthy", "/ready/../api/models"):
        refused(await get(shared_client, path, host), 421)
    assert shared_upstream.calls == 0


async def test_two_hosts_are_refused_even_if_both_are_listed(shared_client: Client, shared_upstream: Upstream) -> None:
    for second in ("localhost", "attacker.test"):
        for path in (*PROBES, *OTHERS):
            reply = await shared_client.request("GET", path, headers=[("Host", "localhost"), ("Host", second)])
            assert reply.status in (400, 421)
    assert shared_upstream.calls == 0


async def test_a_forwarded_host_changes_nothing(shared_client: Client) -> None:
    refused(await get(shared_client, "/", "attacker.test", X_Forwarded_Host="localhost"), 421)
    assert (await get(shared_client, "/", X_Forwarded_Host="attacker.test")).status == 200


async def test_a_listed_host_is_answered_once_other_machines_may_come(serve: Serve) -> None:
    server = await serve(ALLOWED_HOSTS="localhost,Chat.Example.org,[fd00::1]", ALLOW_INSECURE="1")
    client = Client(server.port)
    for host in ("chat.example.org", "CHAT.example.ORG:443", "chat.example.org.", "[fd00::1]:8000", "localhost"):
        assert (await get(client, "/", host, X_Forwarded_For="203.0.113.9")).status == 200
    for host in ("example.org", "127.0.0.1", "www.chat.example.org"):
        refused(await get(client, "/", host), 421)
    client.close()


# ── Other machines ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_document_s_production_command_starts_and_tells_other_machines_what_to_set(
    serve: Serve, upstream: Upstream
) -> None:
    """The peer is another machine as soon as the server says so: uvicorn trusts X-Forwarded-For from 127.0.0.1."""
    server = await serve(plain=True, HOST="0.0.0.0")  # its own machine gets 200 from /ready
    client = Client(server.port)
    own = f"localhost:{server.port}"
    for peer in ("203.0.113.9", "10.0.0.7", "2001:db8::1", "::ffff:203.0.113.9", "not-an-address"):
        for host in (own, "192.168.0.5:8000", "chat.example.org", None):
            for path in ("/", "/docs", f"{CHAT}?message=hello"):
                body = refused(await get(client, path, host, X_Forwarded_For=peer), 421)
                assert "ALLOWED_HOSTS" in body["detail"], (peer, host)
                assert "ALLOW_INSECURE=1" in body["detail"], (peer, host)
    for peer in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert (await get(client, "/", own, X_Forwarded_For=peer)).status == 200
    assert (await client.ask("From here")).done
    client.close()
    assert upstream.calls == 1


async def test_allow_insecure_lets_other_machines_in_by_a_listed_name(serve: Serve) -> None:
    server = await serve(plain=True, ALLOW_INSECURE="1")
    client = Client(server.port)
    assert (await get(client, "/", "localhost", X_Forwarded_For="203.0.113.9")).status == 200
    refused(await get(client, "/", "chat.example.org", X_Forwarded_For="203.0.113.9"), 421)
    client.close()


# ── Origins ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "null",
        "",
        "http://localhost:5173.evil.test",
        "http://evil-localhost:5173",
        "http://localhost:51730",
        "https://localhost:5173",
        "http://localhost:5173/",
        "http://user@localhost:5173",
        "localhost:5173",
        "file://",
        "http://localhost",
        "http://chat.example.org",
        "https://chat.example.org.evil.test",
        "https://chat.example.org:8443",
        "*",
    ],
)
async def test_a_page_of_another_origin_is_refused_for_every_method_and_address(
    shared_client: Client, shared_upstream: Upstream, origin: str
) -> None:
    asked = [("GET", path) for path in (*OTHERS, *PROBES)] + [("POST", CHAT), ("OPTIONS", CHAT), ("DELETE", "/nothing")]
    for method, path in asked:
        preflight = {"Access-Control-Request-Method": "POST"} if method == "OPTIONS" else {}
        more = {"json": {"message": "hi"}} if method == "POST" else {}
        reply = await shared_client.request(method, path, headers={"Origin": origin} | preflight, **more)
        assert refused(reply, 403)["code"] == "forbidden_origin"
        assert "access-control-allow-origin" not in reply.headers
    assert shared_upstream.calls == 0


async def test_a_navigation_with_a_foreign_origin_is_refused(shared_client: Client) -> None:
    refused(await shared_client.request("GET", "/docs", headers={"Origin": "https://evil.test"} | NAVIGATION), 403)


async def test_two_origins_are_refused(shared_client: Client) -> None:
    for second in ("http://localhost:5173", "https://evil.test"):
        headers = [("Origin", "http://localhost:5173"), ("Origin", second)]
        refused(await shared_client.request("GET", "/api/models", headers=headers), 403)


async def test_listed_origins_pass_in_any_case_of_the_setting(shared_client: Client) -> None:
    for origin in ("http://localhost:5173", "http://127.0.0.1:5173", "https://chat.example.org"):
        reply = await get(shared_client, "/api/models", Origin=origin, Sec_Fetch_Site="cross-site")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", "http://localhost:8000", 200),
        ("localhost:8000", "https://LOCALHOST:8000", 200),  # behind a proxy that ends TLS
        ("localhost", "http://localhost", 200),
        ("localhost", "https://localhost", 200),
        ("localhost:80", "http://localhost", 200),
        ("localhost:443", "https://localhost", 200),
        ("localhost", "http://localhost:80", 200),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("localhost:8000", "http://localhost:8001", 403),
        ("localhost:8000", "http://127.0.0.1:8000", 403),
        ("localhost:8000", "http://localhost", 403),
        ("localhost", "http://localhost:8000", 403),
        ("localhost:8080", "http://localhost", 403),
        ("localhost:8000", "http://localhost:8000.evil.test", 403),
        ("localhost:8000", "localhost:8000", 403),
        ("localhost:8000", "null", 403),
    ],
)
async def test_a_page_of_our_own_passes_by_host_and_port(
    shared_client: Client, host: str, origin: str, status: int
) -> None:
    reply = await get(shared_client, "/api/models", host, Origin=origin, Sec_Fetch_Site="same-origin")
    assert reply.status == status


# ── Sec-Fetch and prefetch ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything", ""])
async def test_without_an_origin_only_our_own_pages_and_the_address_bar_pass(
    shared_client: Client, shared_upstream: Upstream, site: str
) -> None:
    for path in OTHERS:
        refused(await get(shared_client, path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors"), 403)
    assert shared_upstream.calls == 0
    for good in ("same-origin", "none"):
        assert (await get(shared_client, "/api/models", Sec_Fetch_Site=good)).status == 200


async def test_a_link_from_elsewhere_opens_pages_and_nothing_under_api(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    for path in ("/", "/docs", "/redoc"):
        assert (await shared_client.request("GET", path, headers=NAVIGATION)).status == 200
        for other in ({"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "image"}):
            refused(await shared_client.request("GET", path, headers=NAVIGATION | other), 403)
        refused(await shared_client.request("POST", path, headers=NAVIGATION), 403)
    for path in ("/api/models", f"{CHAT}?message=hi", "/api/runs/" + "0" * 26):
        refused(await shared_client.request("GET", path, headers=NAVIGATION), 403)
    refused_in_openai_s_shape(await shared_client.request("GET", "/v1/models", headers=NAVIGATION), 403)
    assert (await shared_client.request("HEAD", CHAT, headers=NAVIGATION)).status == 403
    assert shared_upstream.calls == 0


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"])
async def test_a_guess_of_the_browser_buys_nothing(
    shared_client: Client, shared_upstream: Upstream, purpose: str
) -> None:
    for site in ("none", "same-origin"):
        for path in (f"{CHAT}?message=hi", "/api/models"):
            refused(await get(shared_client, path, Sec_Purpose=purpose, Sec_Fetch_Site=site), 403)
        there = await get(shared_client, "/v1/models", Sec_Purpose=purpose, Sec_Fetch_Site=site)
        refused_in_openai_s_shape(there, 403)
        assert (await get(shared_client, "/docs", Sec_Purpose=purpose, Sec_Fetch_Site=site)).status == 200
    assert shared_upstream.calls == 0


async def test_no_cookie_and_no_authorization_decides_anything(shared_client: Client) -> None:
    answer = await shared_client.ask("Whose is this?", headers={"Cookie": "session=a", "Authorization": "Bearer a"})
    for headers in ({}, {"Cookie": "session=b"}, {"Authorization": "Basic Og=="}):
        reply = await shared_client.request("GET", f"/api/runs/{answer.run_id}", headers=pairs(headers))
        assert (reply.status, reply.json["id"]) == (200, answer.run_id)


# ── Headers of every response ────────────────────────────────────────────────────────────────────────────────────────


async def test_every_response_carries_the_security_headers(shared_client: Client, shared_server: Server) -> None:
    asked = [
        await get(shared_client, path)
        for path in (*OTHERS, *PROBES, "/redoc", "/nothing", f"{CHAT}", f"{CHAT}?{'x' * 17_000}", "/docs/assets/none")
    ]
    asked += [
        await get(shared_client, "/", "attacker.test"),
        await get(shared_client, "/", Origin="https://evil.test"),
        await shared_client.request("POST", CHAT, body=b"x"),
        await shared_client.request("PUT", "/health"),
        await shared_client.request("HEAD", CHAT),
        await shared_client.request("POST", CHAT, json={"message": "hi", "x": 1}),
    ]
    assert {reply.status for reply in asked} >= {200, 403, 404, 405, 414, 415, 421, 422}
    for reply in asked:
        assert reply.headers.all("x-content-type-options") == ["nosniff"]
        assert reply.headers.all("referrer-policy") == ["same-origin"]
        if "text/html" in reply.headers["content-type"]:
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "'unsafe-eval'" not in policy
            assert "script-src 'self';" in policy
    assert shared_server.running


async def test_what_is_someone_s_is_not_cached(shared_client: Client) -> None:
    answer = await shared_client.ask("Do not keep this")
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    for path in (f"/api/runs/{answer.run_id}", "/api/runs/" + "0" * 26, "/health", "/ready"):
        assert (await get(shared_client, path)).headers["cache-control"] == "no-store", path
    gone = await shared_client.follow(answer.run_id, f"{answer.run_id}-end-2")
    assert (gone.status, gone.headers["cache-control"]) == (204, "no-store")
