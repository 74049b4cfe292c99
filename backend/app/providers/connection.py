"""One connection to an endpoint, poured out as it comes: between the socket and who takes its bytes is no task.

The parser is llhttp's (`httptools`).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol, cast

import httptools

from app.batch import Batch

KEEPALIVE_SECONDS = 4  # below the 5 s after which common servers close an idle connection: a stale one fails a run
LINGER_SECONDS = 1  # for the last bytes of a response that is over; a new connection costs more than the wait
# Of a body, for who has enough for now; then the socket is left alone. Not sooner: what is left in it when an endpoint
# closes may be lost, and it is paid for.
MAX_HELD_BYTES = 256 * 2**10
MAX_READ_BYTES = 32 * 2**10  # that wait for the loop's next turn; tokens come in hundreds
MAX_HEAD_BYTES = 64 * 2**10  # of a response's status line and headers, as our own server takes of a request

Take = Callable[[bytes], Awaitable[None] | None]
"""Is given bytes of a body, in the loop, as they arrive. What it returns is waited for before there are more."""


class Broken(Exception):
    """The connection is gone before all was said."""


class NotHttp(Broken):
    """What came over it is not HTTP/1.1."""


class Origin(NamedTuple):
    """Where a connection goes."""

    secure: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As the `Host` header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


class Owner(Protocol):
    """Who has connections, and is told what becomes of them."""

    inbox: Batch[tuple["Connection", bytes]]
    """Where it puts what the socket gave, to `take` it."""

    def opened(self, connection: "Connection") -> None:
        """It can be closed from now on."""
        ...

    def freed(self, connection: "Connection") -> None:
        """It may be used again."""
        ...

    def closed(self, connection: "Connection") -> None:
        """It is gone."""
        ...


class Response:
    """A response whose head has come. Its body is poured out, once; then it is let go of, or closed."""

    def __init__(self, connection: "Connection") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}  # by their names in lower case; of one that comes twice, the last
        self._connection = connection
        self._held: list[bytes] = []  # nobody takes it yet
        self._held_bytes = 0
        self._take: Take | None = None
        self._waiting: Awaitable[None] | None = None  # for who takes, who has enough for now
        self._news: asyncio.Future[None] | None = None
        self._complete = False
        self._stopped = False
        self._error: BaseException | None = None

    async def pour(self, take: Take) -> None:
        """Give the body to `take` as it arrives, until its end or `stop`. What `take` raises is raised here.

        Raises:
            Broken: it did not come to its end. What had come before was given to `take`.
        """
        self._take = take
        try:
            self._give()
            while self._waiting is not None or not self._is_over():
                if self._waiting is not None:
                    await self._waiting
                    self._waiting = None
                    self._give()
                    continue
                self._news = asyncio.get_running_loop().create_future()
                await self._news
        finally:
            self._take = self._news = None  # who takes holds us, too
            if asyncio.iscoroutine(self._waiting):
                self._waiting.close()  # the one who was to wait for it was cancelled first
        if self._error is not None and not (self._stopped and isinstance(self._error, Broken)):
            raise self._error

    def stop(self) -> None:
        """No more of it is wanted."""
        self._stopped = True
        self._held.clear()
        self._held_bytes = 0
        self._wake()

    def let_go(self) -> None:
        """It is over, though the end of its body may not be here yet: then its connection is free a moment later."""
        self.stop()
        self._connection.let_go(complete=self._complete)

    def close(self) -> None:
        """Close the socket now: under TLS a polite close would wait for the other side, which is being paid."""
        self.stop()
        self._connection.abort()

    # ── What the connection tells ───────────────────────────────────────────────────────────────────────────────────

    def received(self, data: bytes) -> None:
        """More of the body."""
        if self._stopped or self._complete or self._error is not None:
            return
        if self._take is not None and self._waiting is None and not self._held:
            self._offer(self._take, data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MAX_HELD_BYTES:
            self._connection.pause()

    def ended(self, error: BaseException | None) -> None:
        """Nothing more comes, since it is complete or since there was an `error`."""
        if not self._complete and self._error is None:
            self._complete, self._error = error is None, error
            self._wake()

    def _is_over(self) -> bool:
        ended = self._complete or self._error is not None
        return self._stopped or (ended and not self._held)

    def _give(self) -> None:
        """What was held, to who takes now."""
        if self._take is not None and self._held:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
            self._offer(self._take, data)
        if self._waiting is None:
            self._connection.resume()  # it may have been left alone since nobody took anything yet

    def _offer(self, take: Take, data: bytes) -> None:
        try:
            self._waiting = take(data)
        except BaseException as error:  # noqa: BLE001 - it belongs to who pours, not to the loop
            self._complete, self._error, self._take = False, error, None
            self._wake()
            return
        if self._waiting is not None:
            self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Connection(asyncio.Protocol):
    """A socket to an endpoint: one request after the other."""

    def __init__(self, origin: Origin, owner: Owner) -> None:
        self.origin = origin
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._asked: asyncio.Future[Response] | None = None
        self._response = Response(self)
        self._answered = False  # the head of what was asked is here
        self._left = False  # nobody reads the response any more
        self._stays = False  # as both sides have said
        self._aborted = False  # by us
        self._head_bytes = 0
        self._body: list[bytes] = []  # of what the socket gave last
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, request: bytes) -> "asyncio.Future[Response]":
        """Send a request; the future is done once the head of its response is here."""
        self._owner.inbox.work_off()  # what it gave unasked is no answer
        self._cancel_timer()
        self._parser = httptools.HttpResponseParser(self)
        self._response = Response(self)
        self._answered, self._left, self._head_bytes = False, False, 0
        self._asked = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self._asked.set_exception(Broken())
        else:
            self._transport.write(request)
        return self._asked

    @property
    def is_open(self) -> bool:
        """Whether it can be asked, as far as is known here."""
        return self._transport is not None and not self._transport.is_closing()

    def let_go(self, *, complete: bool) -> None:
        """What is asked next may be asked here, as soon as the last response is `complete`."""
        self._left = True
        self.resume()
        if complete:
            self._set_free()
        else:
            self._set_timer(LINGER_SECONDS)

    def abort(self) -> None:
        """Close the socket without waiting for anybody."""
        self._cancel_timer()
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Leave what comes in the socket for now."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and self.is_open and not self._transport.is_reading():
            self._transport.resume_reading()

    def rest(self) -> None:
        """It is open, and nobody asks for now: somebody may."""
        if self.is_open:
            self._set_timer(KEEPALIVE_SECONDS)
            self._owner.freed(self)

    def _set_free(self) -> None:
        self._parser = self._asked = None
        if self._stays and self.is_open:
            self.rest()
        else:
            self.abort()

    def _set_timer(self, seconds: float) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, error: Broken, cause: Exception | None = None) -> None:
        error.__cause__ = cause
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)
        self._response.ended(error)

    # ── The socket (asyncio.Protocol) ───────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a socket."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """It gave something."""
        self._owner.inbox.add((self, data))
        if len(data) > MAX_READ_BYTES:  # there may be much more: whoever has enough must be able to say so now
            self._owner.inbox.work_off()

    def take(self, data: bytes) -> None:
        """What it gave, in its order."""
        if self._parser is None:  # nothing was asked
            self.abort()
            return
        self._head_bytes += len(data)  # and of what frames a body, or follows it
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._pass_on()
            self._fail(NotHttp(), error)
            self.abort()
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._fail(NotHttp())
            self.abort()
            return
        self._pass_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed. That ends a body which has neither a length nor chunks (RFC 9112, 6.3)."""
        self._owner.inbox.work_off()  # what it gave last
        self._cancel_timer()
        self._owner.closed(self)
        ends = self._answered and exc is None and not self._aborted and not _is_framed(self._response.headers)
        if ends:
            self._response.ended(None)
        else:
            self._fail(Broken(), exc)
        self._parser = self._asked = None  # the parser holds us, too

    def _pass_on(self) -> None:
        body = self._body
        if body:
            data = body[0] if len(body) == 1 else b"".join(body)
            body.clear()
            self._response.received(data)

    # ── The parser (httptools) ──────────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """A response begins."""
        if self._answered:  # a second one that nobody has asked for
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one after the body is of no interest."""
        if not self._answered:
            self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is here."""
        if self._parser is None or self._answered:
            return
        status = self._parser.get_status_code()
        if status < 200:  # RFC 9110, 15.2: the real one is still to come
            self._response.headers.clear()
            return
        self._response.status = status
        self._answered = True
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(self._response)

    def on_body(self, body: bytes) -> None:
        """Some of the body, without what frames it."""
        self._body.append(body)
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        """The response is whole."""
        if self._answered and self._parser is not None:
            self._stays = self._parser.should_keep_alive()
            self._pass_on()
            self._response.ended(None)
            if self._left:
                self._set_free()


def _is_framed(headers: Mapping[str, str]) -> bool:
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
