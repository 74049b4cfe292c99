"""Clients that stall or flood: each is refused or cut off, and nobody else notices."""

import signal
import socket
from collections.abc import Sequence

import pytest

from tests.support import sockets
from tests.support.client import CHAT, JSON, Client
from tests.support.fixtures import Serve
from tests.support.http import request_bytes
from tests.support.problems import refused
from tests.support.server import Server
from tests.support.upstream import Upstream

BODY = b'{"message": "Hello?"}'


def question(port: int, body: bytes = BODY) -> bytes:
    """A whole request, or the start of one whose body is `body`."""
    head = {
        "Host": f"127.0.0.1:{port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(BODY)),
    }
    return request_bytes("POST", CHAT, head, body)


async def shout(sock: socket.socket, parts: Sequence[bytes]) -> None:
    """Write all of `parts`, as long as somebody takes them."""
    for part in parts:
        await sockets.write(sock, part)


async def test_a_flood_of_wrong_items_is_refused_at_once(shared_client: Client, shared_upstream: Upstream) -> None:
    for item in (b"{}", b"[]", b"1"):
        body = b'{"message": "a", "history": [' + b",".join([item] * 1_000_000) + b"]}"
        refused(await shared_client.request("POST", CHAT, body=body[: 4 * 2**20], headers=[JSON]), 400, 422)
    many = b'{"message": "a", ' + b", ".join(b'"k%d": 1' % number for number in range(200_000)) + b"}"
    refused(await shared_client.request("POST", CHAT, body=many, headers=[JSON]), 400, 422)
    assert shared_upstream.calls == 0


@pytest.mark.parametrize("where", ["line", "headers"])
async def test_a_head_without_end_is_cut_off(shared_server: Server, shared_client: Client, where: str) -> None:
    start = b"GET /health?" if where == "line" else b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    more = b"x" * 60_000 if where == "line" else b"X-More: x\r\n" * 6_000
    sock = await sockets.connected(shared_server.port)
    with pytest.raises(OSError, match=r"reset|pipe"):
        await shout(sock, [start, *[more] * 200])
    sock.close()
    assert (await shared_client.request("GET", "/health")).status == 200


@pytest.mark.parametrize("plain", [False, True], ids=["cli", "plain uvicorn"])
async def test_a_half_sent_body_does_not_hold_the_service_when_it_is_told_to_stop(
    serve: Serve, upstream: Upstream, plain: bool
) -> None:
    server = await serve(plain=plain, DRAIN_SECONDS=0.5)
    client = Client(server.port)
    stream = await client.wire(question(server.port, BODY[:5]))
    await sockets.taken(stream._sock)
    server.send_signal(signal.SIGTERM)
    assert await server.wait(timeout=10) in (0, -signal.SIGTERM)
    assert upstream.calls == 0
    client.close()
