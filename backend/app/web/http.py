"""The server's HTTP protocol: two bounds of ours on a request's head, and a short way for the pieces of a body."""

import asyncio
from collections.abc import Callable

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.web.connections import Outbox

MAX_HEAD_BYTES = 64 * 2**10  # four times the longest query, and room for headers
HEAD_SECONDS = 15.0  # for all of a request's head, the first's from the connection on; who connects ahead comes again


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol. A client that passes a bound is cut off: it has not asked for anything yet."""

    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None
    _bells: tuple[Callable[[], None], ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client connects."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._stop_timer()
        super().connection_lost(exc)
        for bell in self._bells:
            bell()

    def listen(self, bell: Callable[[], None]) -> None:
        """Have `bell` called once the client has gone."""
        self._bells = (*self._bells, bell)

    def unlisten(self, bell: Callable[[], None]) -> None:
        """No longer."""
        self._bells = tuple(other for other in self._bells if other != bell)

    def data_received(self, data: bytes) -> None:
        """More of what it says."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.abort()
            elif self._head_timer is None:  # only where it did not come whole, which is seldom
                self._start_timer()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def _start_timer(self) -> None:
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _cycle_of(send: Send) -> RequestResponseCycle | None:
    """uvicorn's record of a request, where `send` is its own."""
    cycle = getattr(send, "__self__", None)
    return cycle if type(cycle) is RequestResponseCycle else None


def is_whole(send: Send) -> bool:
    """Whether all of a request's body is here, so that `receive` does not wait for it. `send` is the server's own."""
    cycle = _cycle_of(send)
    return cycle is not None and not cycle.more_body


def protocol_of(send: Send) -> BoundedHttp | None:
    """What tells that the client has gone, so that no task has to wait for it: a request's `send` knows the way to it.

    None: only `receive` tells, since it is another server, or since some of the request's body is still to come.
    """
    cycle = _cycle_of(send)
    if cycle is None or cycle.more_body:
        return None
    protocol = cycle.transport.get_protocol()
    if not isinstance(protocol, BoundedHttp):
        return None
    cycle.flow.resume_reading()  # as `receive` does: a large body has stopped it, and then nobody sees a client go
    return protocol


def direct(send: Send, outbox: Outbox) -> Callable[[bytes, bool], bool] | None:
    """What writes a piece of a chunked body, neither the first message nor the last, where `send` is uvicorn's own.

    It does what `send` would, without the dictionary, the coroutine and the exception that ends it: they were a fifth
    of all that a token cost in Python. The piece goes by way of `outbox`, or at once if told that there is `more`.
    False: nothing was written, and `send` is to be asked, since the socket is full or closed, or the body is not in
    chunks. None: it is another server.
    """
    cycle = _cycle_of(send)
    if cycle is None:
        return None
    flow, transport = cycle.flow, cycle.transport

    def write_chunk(data: bytes, more: bool) -> bool:
        if flow.write_paused or cycle.disconnected or not cycle.chunked_encoding:
            return False
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        if more:  # else a whole log might wait there, and the socket be full without anybody knowing
            outbox.work_off()
            transport.write(chunk)
        else:
            outbox.add((transport, chunk))
        return True

    return write_chunk
