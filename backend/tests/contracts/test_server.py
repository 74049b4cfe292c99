"""The server's door: a crowd is not let in one by one, and who leaves is seen to leave."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import uvicorn
import uvloop
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import http
from app.web.http import BoundedHttp, protocol_of
from app.web.server import ACCEPTED_AT_ONCE, Server
from tests.support.waiting import until

CROWD = 64


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[tuple[Server, int]]:
    """The server with `app` behind it, and its port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", http=BoundedHttp, log_level="critical")
    server = Server(config)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started, "it serves")
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def turns_for_a_crowd() -> int:
    """How many turns of the loop pass until all of a crowd, which is at the door already, is inside."""
    turns = 0
    async with serving(PlainTextResponse("hello")) as (server, port):
        with contextlib.ExitStack() as crowd:
            for _ in range(CROWD):
                crowd.enter_context(socket.create_connection(("127.0.0.1", port)))  # the kernel's queue takes it
            while len(server.server_state.connections) < CROWD:
                turns += 1
                await asyncio.sleep(0)
    return turns


async def test_a_crowd_is_let_in_several_at_a_time() -> None:
    turns = await asyncio.to_thread(uvloop.run, turns_for_a_crowd())  # the loop that it is served by
    assert turns <= 2 * CROWD / ACCEPTED_AT_ONCE


def received(client: socket.socket) -> bytes:
    """What is there for it to take."""
    with contextlib.suppress(BlockingIOError):
        return client.recv(1000, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return b""


async def is_seen_to_leave(size: int) -> bool:
    """Whether a client is, once it has sent a body of so many bytes, which is read whole before it is looked after."""
    gone = asyncio.Event()

    async def look_after(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        protocol = protocol_of(send)
        assert protocol is not None
        protocol.listen(gone.set)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await gone.wait()

    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size
    async with serving(look_after) as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head)
            await until(lambda: received(client).endswith(b"100 Continue\r\n\r\n"), "the body is waited for")
            client.sendall(b"x" * size)  # holds up the loop: all of it is there when the server reads next
            await until(lambda: b"200 OK" in received(client), "the body is read")
        try:
            async with asyncio.timeout(2):
                await gone.wait()
        except TimeoutError:
            return False
        finally:
            gone.set()
    return True


# The last one is more than uvicorn holds before it stops to read, also of what comes last.
@pytest.mark.parametrize("size", [1000, 200_000, 300_000])
async def test_who_leaves_is_seen_to_leave_however_much_was_asked(size: int) -> None:
    assert await asyncio.to_thread(uvloop.run, is_seen_to_leave(size))


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_the_rest_of_a_head_is_not_waited_for_forever_on_a_connection_that_was_used_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)
    async with serving(PlainTextResponse("hello")) as (_, port):
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in connections:
            writer.write(REQUEST)
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        (idle, again), (stalled, writer) = connections
        writer.write(REQUEST[:20])
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(stalled.read(), 10) == b""
        assert not idle.at_eof(), "a connection that waits for its next request may"
        again.write(REQUEST)
        assert (await idle.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        for _, writer in connections:
            writer.close()
