"""Bad queries, ids, paths and requests that two parsers could read in two ways."""

import pytest

from tests.support.client import CHAT, Client
from tests.support.http import pairs, request_bytes
from tests.support.problems import refused
from tests.support.upstream import Upstream

ITEM = "%7B%22role%22%3A%22user%22%2C%22content%22%3A%22a%22%7D"  # {"role":"user","content":"a"}
ASK = b'{"message":"hello"}'


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "query",
    [
        "",
        "history=[]",
        "message=",
        "message=%20%0A",
        "message=" + "x" * 8000 + "&history=no",
        "message=hi&history=",
        "message=hi&history=no",
        "message=hi&history={}",
        "message=hi&history=7",
        "message=hi&history=%22[]%22",
        "message=hi&history=[",
        "message=hi&history=[NaN]",
        "message=hi&history=[7]",
        f"message=hi&history=[{ITEM.replace('user', 'system')}]",
        "message=hi&history=" + "[" * 8000,
        "message=hi&history=" + "[" * 17 + "]" * 17,
        "message=%ff",
        "message=%ed%a0%80",
        "message=%c3%28",
        "message=hi&other=%ff",
        "message=hi&history=%ff",
    ],
    ids=lambda query: f"{query[:30]}-{len(query)}",
)
async def test_a_query_that_cannot_be_asked_is_refused_and_is_no_stream(
    shared_client: Client, shared_upstream: Upstream, query: str
) -> None:
    refused(await shared_client.request("GET", f"{CHAT}?{query}"), 400, 422)
    assert shared_upstream.calls == 0


@pytest.mark.parametrize(
    "query", ["message=a&message=b", f"message=a&history=[]&history=[{ITEM}]", "message=a&key=b&key=c"]
)
async def test_a_query_that_says_two_things_is_refused_and_not_guessed(
    shared_client: Client, shared_upstream: Upstream, query: str
) -> None:
    refused(await shared_client.request("GET", f"{CHAT}?{query}"), 400, 422)
    assert shared_upstream.calls == 0


async def test_unknown_parameters_of_a_query_are_ignored(shared_client: Client, shared_upstream: Upstream) -> None:
    reply = await shared_client.request("GET", f"{CHAT}?message=hi&utm_source=a&_=1&_=2&base_url=http://evil.test")
    assert (reply.status, shared_upstream.calls) == (200, 1)
    assert shared_upstream.requests[0].json["messages"] == [{"role": "user", "content": "hi"}]


async def test_a_query_over_16_kib_is_too_long_and_the_sentence_says_to_post(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    most = 16 * 1024
    longest = "message=hi&x=" + "y" * (most - len("message=hi&x="))
    assert (await shared_client.request("GET", f"{CHAT}?{longest}")).status == 200
    for path in (CHAT, "/", "/api/models"):
        body = refused(await shared_client.request("GET", f"{path}?{longest}y"), 414)
        assert body["code"] == "query_too_long"
        assert "POST" in body["detail"]
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("format", ["xml", "", "CHAT", "chat,ui"])
async def test_an_unknown_format_is_refused(shared_client: Client, shared_upstream: Upstream, format: str) -> None:
    reply = await shared_client.request("POST", CHAT, query={"format": format}, json={"message": "hi"})
    refused(reply, 422)
    assert shared_upstream.calls == 0


# ── Ids, paths, methods ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "run_id",
    [
        "x",
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "0" * 26,
        "A" * 26,
        "a" * 5000,
        "1%20OR%201=1",
        "1-0-0",
    ],
    ids=lambda run_id: run_id[:30],
)
async def test_an_id_that_is_none_is_the_same_as_one_that_is_not_there(shared_client: Client, run_id: str) -> None:
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        reply = await shared_client.request(method, f"/api/runs/{run_id}{path}")
        refused(reply, 404, 422)


async def test_an_id_in_another_case_is_another_id(shared_client: Client) -> None:
    answer = await shared_client.ask("Who am I?")
    assert (await shared_client.run(answer.run_id)).status == 200
    unknown = refused(await shared_client.run("0" * 26), 404)
    assert refused(await shared_client.run(answer.run_id.upper()), 404) == unknown
    assert refused(await shared_client.run(answer.run_id[:-1]), 404) == unknown


@pytest.mark.parametrize(
    "path",
    [
        "/../.env",
        "/docs/assets/../../.env",
        "/docs/assets/%2e%2e/%2e%2e/%2e%2e/.env",
        "/docs/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/assets//etc/passwd",
        "/docs/assets/%2fetc%2fpasswd",
        "/docs/assets/..%5c..%5c.env",
        "/docs/assets/%00",
        "/docs/assets/swagger-ui.css%00.png",
        "/docs/assets/" + "a" * 300,
        "/docs/assets/",
        "/docs/assets",
        "/data/chat.db",
        "/api/chat/stream/",
        "/API/chat/stream",
        "//api/chat/stream",
        "/.env",
    ],
    ids=lambda path: f"{path[:40]}-{len(path)}",
)
async def test_nothing_is_at_any_other_address(shared_client: Client, shared_upstream: Upstream, path: str) -> None:
    assert refused(await shared_client.request("GET", path), 404)["code"] == "not_found"
    assert shared_upstream.calls == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
async def test_a_method_that_an_address_does_not_take_is_refused(
    shared_client: Client, shared_upstream: Upstream, method: str
) -> None:
    for path in (CHAT, "/health", "/docs", "/docs/assets/swagger-ui.css"):
        reply = await shared_client.request(method, path)
        if reply.headers["content-type"].startswith("text/plain"):  # the parser knows no such method
            assert reply.status == 400
        else:
            assert refused(reply, 405)["code"] == "method_not_allowed"
            assert reply.headers["allow"]
    assert shared_upstream.calls == 0


async def test_a_refused_method_is_told_all_that_the_address_takes(shared_client: Client) -> None:
    for path, methods in ((CHAT, {"GET", "HEAD", "POST"}), ("/health", {"GET", "HEAD"}), ("/docs", {"GET"})):
        reply = await shared_client.request("PUT", path)
        refused(reply, 405)
        assert {method.strip() for method in reply.headers["allow"].split(",")} == methods


# ── Headers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_of_a_request_comes_back_in_a_response_s_headers(shared_client: Client) -> None:
    sent = {
        "X-Request-ID": "canary%0d%0aSet-Cookie: canary=1",
        "X-Correlation-Id": "canary" + "y" * 10_000,
        "Traceparent": "canary",
        "User-Agent": "canary",
        "Authorization": "Bearer canary",
        "Cookie": "session=canary",
        "X-Forwarded-Host": "canary.test",
    }
    for path in ("/health", "/api/models", "/nothing/canary", f"{CHAT}?message=canary"):
        reply = await shared_client.request("GET", path, headers=sent)
        assert not [pair for pair in reply.headers.pairs if "canary" in "".join(pair).lower()]
        assert "set-cookie" not in reply.headers


async def test_an_upgrade_to_a_websocket_is_not_followed(shared_client: Client) -> None:
    headers = pairs(
        {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    )
    assert (await shared_client.request("GET", "/health", headers=headers)).status in (200, 400, 403, 426)


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "19"), ("Transfer-Encoding", "chunked")],
        [("Content-Length", "19"), ("Content-Length", "19")],
        [("Content-Length", "19"), ("Content-Length", "0")],
        [("Content-Length", "+19")],
        [("Content-Length", "0x13")],
        [("Content-Length", "-1")],
        [("Content-Length", "19, 19")],
        [("Transfer-Encoding", "chunked, identity")],
        [("Transfer-Encoding", "xchunked"), ("Content-Length", "19")],
        [("Transfer-Encoding ", "chunked")],
        [("Content-Length ", "19")],
        [(" Content-Length", "19")],
    ],
    ids=repr,
)
async def test_a_request_whose_end_two_parsers_could_see_differently_is_refused_and_the_connection_closed(
    shared_client: Client, shared_upstream: Upstream, headers: list[tuple[str, str]]
) -> None:
    fields = [("Host", f"127.0.0.1:{shared_client.port}"), ("Content-Type", "application/json"), *headers]
    smuggled = request_bytes("GET", f"{CHAT}?message=smuggled", fields[:1])
    stream = await shared_client.wire(request_bytes("POST", CHAT, fields, ASK) + smuggled)
    reply = await (await stream.opened()).read()
    assert (reply.status, stream.over) == (400, "complete")
    assert bytes(stream.wire).count(b"HTTP/1.1 ") == 1
    assert shared_upstream.calls == 0


async def test_line_ends_without_cr_and_bare_cr_are_refused(shared_client: Client, shared_upstream: Upstream) -> None:
    proper = request_bytes("GET", f"{CHAT}?message=hi", [("Host", f"127.0.0.1:{shared_client.port}")])
    for request in (proper.replace(b"\r\n", b"\n"), proper.replace(b"Host:", b"X: a\rHost: evil\r\nHost:")):
        reply = await (await (await shared_client.wire(request)).opened()).read()
        assert reply.status == 400
    assert shared_upstream.calls == 0
