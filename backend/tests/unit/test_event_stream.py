"""A reading as a response, under a server whose `send` waits: nothing twice, nothing out of order, whoever rings."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from itertools import pairwise
from typing import Any, cast

import pytest
from starlette.types import Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.batch import Batch
from app.web.connections import HEADS_AT_ONCE, Connections, Outbox
from app.web.http import direct
from app.web.sse import EventStream, Pace

Message = MutableMapping[str, Any]


class Frames:
    """A reading that is fed by the test."""

    def __init__(self) -> None:
        self.finished = False
        self.behind = False
        self.headers: tuple[tuple[str, str], ...] = ()
        self.heartbeat = b": beat\n\n"
        self.was_delivered = False
        self._frames: list[bytes] = []
        self._last = False
        self._bell: Callable[[], None] | None = None

    def say(self, *frames: bytes, last: bool = False) -> None:
        self._frames += frames
        self._last = last
        if self._bell is not None:
            self._bell()

    def listen(self, bell: Callable[[], None]) -> None:
        self._bell = bell

    def unlisten(self, bell: Callable[[], None]) -> None:
        self._bell = None

    def take(self) -> bytes:
        if b"broken" in self._frames:
            raise LookupError
        taken, self._frames = b"".join(self._frames), []
        self.finished = self.finished or self._last
        return taken

    def delivered(self) -> None:
        self.was_delivered = True

    @property
    def is_heard(self) -> bool:
        return self._bell is not None


class Slow:
    """A server that takes the next message when it is told to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.heads = 0
        self.ends = 0
        self.leaves = asyncio.Event()
        self.waiting = 0
        self._may = asyncio.Semaphore(0)

    async def send(self, message: Message) -> None:
        self.heads += message["type"] == "http.response.start"
        if message["type"] == "http.response.body":
            self.waiting += 1
            assert self.waiting == 1, "one message at a time"
            await self._may.acquire()
            self.waiting -= 1
            self.bodies.append(message["body"])
            self.ends += not message["more_body"]
            if not message["more_body"]:
                self.leaves.set()

    async def receive(self) -> Message:
        """As uvicorn says: the end of a response counts as the reader's leaving."""
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def take(self) -> None:
        """Take one, and let the others hear of it."""
        self._may.release()
        for _ in range(5):
            await asyncio.sleep(0)


def streaming(reading: Frames, server: Slow) -> "asyncio.Task[None]":
    response = EventStream(reading, Connections(), Pace(15, 30))
    return asyncio.create_task(response({"type": "http"}, server.receive, server.send), name="response")


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_while_the_server_waits_goes_next_as_one() -> None:
    reading, server = Frames(), Slow()
    response = streaming(reading, server)
    await turns()
    for frame in (b"1", b"2", b"3"):
        reading.say(frame)
        await turns()
    await server.take()
    await server.take()
    assert server.bodies == [b"1", b"23"]
    reading.say(b"4", last=True)
    await server.take()
    await asyncio.wait_for(response, 5)
    assert (server.bodies, server.ends, reading.was_delivered) == ([b"1", b"23", b"4"], 1, True)
    assert not reading.is_heard


async def test_an_end_that_comes_while_the_server_waits_is_sent_once() -> None:
    reading, server = Frames(), Slow()
    response = streaming(reading, server)
    reading.say(b"1")
    await turns()
    reading.say(last=True)
    reading.say(last=True)
    await server.take()
    await server.take()
    await asyncio.wait_for(response, 5)
    assert (server.bodies, server.ends, reading.was_delivered) == ([b"1", b""], 1, True)


async def test_a_reader_that_leaves_while_the_server_waits_is_not_written_to_any_more() -> None:
    reading, server = Frames(), Slow()
    response = streaming(reading, server)
    reading.say(b"1")
    await turns()
    server.leaves.set()
    await turns()
    reading.say(b"2")
    await server.take()
    await asyncio.wait_for(response, 5)
    assert (server.bodies, reading.was_delivered, reading.is_heard) == ([b"1"], False, False)


async def test_heads_go_out_so_many_in_a_turn_and_one_who_left_before_its_own_leaves_nothing() -> None:
    connections, servers, readings = Connections(), [Slow() for _ in range(20)], [Frames() for _ in range(20)]
    responses = [
        asyncio.create_task(EventStream(reading, connections, Pace(15, 30))({"type": "http"}, one.receive, one.send))
        for reading, one in zip(readings, servers, strict=True)
    ]
    heads: list[int] = []
    while sum(server.heads for server in servers) < len(servers) - 1:
        await asyncio.sleep(0)
        heads.append(sum(server.heads for server in servers))
        if len(heads) == 1:
            responses[-1].cancel()
    assert heads[0] == HEADS_AT_ONCE
    assert max(later - earlier for earlier, later in pairwise(heads)) == HEADS_AT_ONCE
    await asyncio.wait([responses[-1]], timeout=5)
    assert (connections.streams["answer"], servers[-1].heads, readings[-1].is_heard) == (19, 0, False)
    for reading in readings:
        reading.say(b"1", last=True)
    for server in servers[:-1]:
        await server.take()
    await asyncio.wait(responses, timeout=5)
    assert [server.bodies for server in servers] == [*([[b"1"]] * 19), []]


async def test_a_mistake_in_a_reading_ends_its_own_response_and_not_whoever_has_the_news() -> None:
    reading, server = Frames(), Slow()
    response = streaming(reading, server)
    await turns()
    reading.say(b"broken")
    with pytest.raises(LookupError):
        await asyncio.wait_for(response, 5)
    assert not reading.is_heard


async def test_a_response_that_is_cancelled_while_the_server_waits_leaves_nothing() -> None:
    reading, server = Frames(), Slow()
    response = streaming(reading, server)
    reading.say(b"1")
    await turns()
    response.cancel()
    with pytest.raises(asyncio.CancelledError):
        await response
    await server.take()
    assert (server.bodies, reading.is_heard) == ([], False)


# ── The short way ────────────────────────────────────────────────────────────────────────────────────────────────────


class Socket:
    """What was written to it."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def cycle(socket: Socket, method: str = "GET") -> RequestResponseCycle:
    """As uvicorn makes one for each request."""
    transport = cast(asyncio.Transport, socket)
    return RequestResponseCycle(
        scope={"type": "http", "method": method},  # pyright: ignore[reportArgumentType] - `send` looks at no more
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )


async def started(socket: Socket, method: str = "GET") -> RequestResponseCycle:
    """The same, and what its head wrote is forgotten."""
    request = cycle(socket, method)
    await request.send({"type": "http.response.start", "status": 200, "headers": []})
    socket.written = b""
    return request


def way(request: RequestResponseCycle, *, more: bool = False) -> Callable[[bytes], bool] | None:
    """The short one of this request."""
    outbox: Outbox = Batch(lambda piece: piece[0].write(piece[1]))
    write = direct(cast(Send, request.send), outbox)
    if write is None:
        return None

    def write_now(data: bytes) -> bool:
        written = write(data, more)
        outbox.work_off()
        return written

    return write_now


@pytest.mark.parametrize("more", [True, False])
async def test_the_short_way_writes_what_the_server_would_and_the_server_goes_on_from_there(more: bool) -> None:
    short, long = Socket(), Socket()
    with_short, with_long = await started(short), await started(long)
    write = way(with_short, more=more)
    assert write is not None
    for data in (b"data: 1\n\n", b"x" * 5000):
        assert write(data)
        await with_long.send({"type": "http.response.body", "body": data, "more_body": True})
    for request in (with_short, with_long):
        await request.send({"type": "http.response.body", "body": b"end", "more_body": False})
    assert short.written == long.written
    assert long.written.endswith(b"3\r\nend\r\n0\r\n\r\n")


async def test_the_short_way_is_closed_while_the_socket_is_full_once_it_is_gone_and_without_chunks() -> None:
    socket = Socket()
    request = await started(socket)
    write = way(request)
    assert write is not None
    request.flow.pause_writing()
    assert not write(b"full")
    request.flow.resume_writing()
    request.disconnected = True
    assert not write(b"gone")
    request.disconnected = False
    assert write(b"here")
    assert socket.written == b"4\r\nhere\r\n"
    of_head, of_unbegun = way(await started(Socket(), "HEAD")), way(cycle(Socket()))
    assert of_head is not None
    assert of_unbegun is not None
    assert not of_head(b"no body")
    assert not of_unbegun(b"no head yet")


async def test_another_server_has_no_short_way() -> None:
    assert direct(Slow().send, Batch(lambda _: None)) is None
