"""Bytes of a reading to an open response: heartbeat, slow readers, and nothing per token but a copy."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from functools import partial
from typing import Any, Literal, Protocol

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.web.admission import leave
from app.web.connections import Connections, abort
from app.web.http import direct, protocol_of
from app.web.middleware import SEND, TRANSPORT
from app.web.notes import note

MEDIA_TYPE = "text/event-stream"
_HEADERS = (
    (b"content-type", f"{MEDIA_TYPE}; charset=utf-8".encode()),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


Watch = Callable[[Callable[[], None]], Callable[[], None]]
"""Is given what cuts a reader off, for when it may no longer read; returns what ends the watch."""


class Readable(Protocol):
    """What a stream is made of: take bytes until it is finished; between two takes that gave nothing, wait."""

    finished: bool
    behind: bool  # the last take left something: so that nobody has to ask again after each token
    headers: tuple[tuple[str, str], ...]
    heartbeat: bytes

    def listen(self, bell: Callable[[], None]) -> None:
        """Have `bell` called whenever there may be more to take."""
        ...

    def unlisten(self, bell: Callable[[], None]) -> None:
        """No longer."""
        ...

    def take(self) -> bytes:
        """What is there to be written now."""
        ...

    def delivered(self) -> None:
        """The end was written to a socket that was open."""
        ...


class Pace(msgspec.Struct, frozen=True):
    """How long a stream may be silent, and how long its socket may take nothing, in seconds."""

    keepalive: float
    send_timeout: float


class About(msgspec.Struct, frozen=True):
    """What is streamed, and what goes into the request's log line."""

    kind: Literal["answer", "changes", "trial"] = "answer"
    notes: Mapping[str, str] = {}


ANSWER = About()


class EventStream(Response):
    """Writes a reading until it is finished or its reader has gone.

    A reader that takes nothing is cut off, and may come back.
    """

    def __init__(
        self,
        reading: Readable,
        connections: Connections,
        pace: Pace,
        *,
        about: About = ANSWER,
        replayed: bool = False,
        watch: Watch | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        """`watch` is called with what cuts the reader off; `left` when the reader has gone before the end."""
        self.status_code = 200
        self.background = None
        self.raw_headers = [  # at once: it took longer to make them one by one and to delete a length than all the rest
            *_HEADERS,
            *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reading.headers),
        ]
        if replayed:
            self.raw_headers.append((b"idempotent-replayed", b"true"))
        self._reading = reading
        self._connections = connections
        self._keepalive = pace.keepalive
        self._send_timeout = pace.send_timeout
        self._watch = watch
        self._on_left = left
        self._kind = about.kind
        self._notes = about.notes
        self._over: asyncio.Future[None] | None = None  # what the response's task waits for
        self._stuck: Coroutine[Any, Any, None] | None = None  # a write whose socket takes no more for now
        self._blocker: Any = None  # what that write waits for
        self._open = False  # the head was sent, and nothing is stuck: whoever has news may write
        self._ended = False  # the last bytes were given to the server
        self._taken = False  # which had a socket for what it was given last
        self._beat = False
        self._gone = False
        self._failure: BaseException | None = None
        self._wrote_at = 0.0
        self._sending_since: float | None = None
        self._left_to_take = 0  # bytes that the socket had yet to take when the timer last looked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream (ASGI)."""
        leave(scope)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = scope.get(TRANSPORT)
        # The server's own, if we know it: what lies between has nothing to do with frames, and would cost each of them.
        self._send: Send = scope.get(SEND, send)
        self._direct = direct(self._send, self._connections.outbox)
        self._wrote_at = self._loop.time()
        protocol, leaving = protocol_of(self._send), None
        if protocol is not None:
            protocol.listen(self._leave)
        else:
            leaving = asyncio.create_task(self._until_gone(receive), name="reader-leaving")
        self._timer = self._loop.call_later(min(self._keepalive, self._send_timeout), self._tick)
        unwatch = self._watch(self._cut) if self._watch is not None else None
        self._reading.listen(self._ring)  # listen first, look second
        self._connections.streams[self._kind] += 1
        note(scope, **self._notes)
        try:
            await self._connections.heads.take()
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._write_all()
        finally:
            self._open = False
            if self._stuck is not None:
                self._stuck.close()
            self._connections.streams[self._kind] -= 1
            self._reading.unlisten(self._ring)
            if unwatch is not None:
                unwatch()
            self._timer.cancel()
            if protocol is not None:
                protocol.unlisten(self._leave)
            if leaving is not None:
                leaving.cancel()
            if self._on_left is not None and not self._reading.finished:
                self._on_left()

    async def _write_all(self) -> None:
        """The response's task sleeps while whoever has news writes them, and sees to what they cannot wait for."""
        self._open = True
        self._ring()
        while not self._is_over():
            if self._stuck is None:
                self._over = self._loop.create_future()
                await self._over
                self._over = None
                continue
            stuck, self._stuck = self._stuck, None
            await _Rest(stuck, self._blocker)
            self._wrote_at, self._sending_since = self._loop.time(), None
            self._open, self._taken = not self._ended, not self._left()
            self._ring()
        if self._failure is not None:
            raise self._failure
        if self._ended and self._taken:
            self._reading.delivered()
            if self._transport is not None:
                self._connections.flush(self._transport, self._send_timeout)

    def _ring(self) -> None:
        """Write what there is, in whoever's turn of the loop this is, until there is no more or the socket is full.

        There is news, or the reader has gone. Others wait for their turn to hear it, so nothing is raised here.
        """
        reading = self._reading
        try:
            while self._open and not self._left():
                data = reading.take()
                if data and not reading.finished and self._direct is not None and self._direct(data, reading.behind):
                    self._wrote_at = self._loop.time()
                    if not reading.behind:
                        return
                elif data or reading.finished or self._beat:
                    self._write(data or (reading.heartbeat if self._beat else b""), last=reading.finished)
                else:
                    return
        except Exception as error:  # noqa: BLE001 - it belongs to the response's task, which raises it
            self._failure, self._open = error, False
        self._wake()

    def _write(self, data: bytes, *, last: bool) -> None:
        """As a message of ASGI, whatever server there is; what has to wait is left to the response's task."""
        self._beat = False
        self._connections.outbox.work_off()  # what was written before it
        sending: Coroutine[Any, Any, None] = self._send(  # pyright: ignore[reportAssignmentType] - ASGI's are
            {"type": "http.response.body", "body": data, "more_body": not last}
        )
        self._wrote_at = self._loop.time()
        self._ended = last
        try:
            self._blocker = sending.send(None)
        except StopIteration:
            self._open, self._taken = not last, True  # told now: the server counts an end as a reader's leaving
        else:
            self._stuck, self._open, self._sending_since = sending, False, self._wrote_at

    def _is_over(self) -> bool:
        return (self._ended and self._stuck is None) or self._failure is not None or self._left()

    def _left(self) -> bool:
        """Whether the reader has gone: the server swallows what is written to a closed socket."""
        return self._gone or (self._transport is not None and self._transport.is_closing())

    def _wake(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        self._wake()

    def _tick(self) -> None:
        """One timer a reader for both deadlines; writing does not touch it: it looks when it rings."""
        now = self._loop.time()
        if self._sending_since is not None:
            left = self._transport.get_write_buffer_size() if self._transport is not None else 0
            if left < self._left_to_take:  # slow, but it takes something
                self._sending_since = now
            self._left_to_take = left
            if now - self._sending_since >= self._send_timeout:
                self._connections.slow += 1
                self._cut()
                return
            at = self._sending_since + self._send_timeout
        else:
            if now - self._wrote_at >= self._keepalive:
                self._beat = True
                self._wrote_at = now
                self._ring()
            at = min(self._wrote_at + self._keepalive, now + self._send_timeout)
        self._timer = self._loop.call_at(at, self._tick)

    def _cut(self) -> None:
        # Closing politely would wait for the very reader that takes nothing.
        if self._transport is not None:
            abort(self._transport)
        self._leave()


class _Rest:
    """The rest of a coroutine that was begun outside of a task and now waits for `blocker`."""

    def __init__(self, begun: Coroutine[Any, Any, None], blocker: Any) -> None:
        self._begun = begun
        self._blocker = blocker

    def __await__(self) -> Generator[Any, Any, None]:
        blocker = self._blocker
        while True:
            try:
                given = yield blocker
            except BaseException as error:  # noqa: BLE001 - such as that the task is cancelled: its own to handle
                step = partial(self._begun.throw, error)
            else:
                step = partial(self._begun.send, given)
            try:
                blocker = step()
            except StopIteration:
                return
