"""The clients' sockets: who is connected with a request, and how to cut them off."""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress

from app.batch import Batch
from app.web.turns import Turns

Outbox = Batch[tuple[asyncio.WriteTransport, bytes]]
"""Pieces of bodies, and the sockets that they go to."""

HEADS_AT_ONCE = 8  # responses that are begun in a turn of the loop: one takes some 0.1 ms
LOOK_SECONDS = 0.5  # between two looks at what a reader has yet to take after the end


def abort(transport: asyncio.WriteTransport) -> None:
    """Close the socket with a reset: else the kernel would go on keeping what the client does not take."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with suppress(OSError):  # it may be closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _write(piece: tuple[asyncio.WriteTransport, bytes]) -> None:
    transport, data = piece
    if not transport.is_closing():
        transport.write(data)


class Connections:
    """Every connection that is in a request, or whose last response is not wholly taken."""

    def __init__(self) -> None:
        self.streams: Counter[str] = Counter()  # open event streams, by what they carry
        self.slow = 0  # readers that were cut off since they took nothing
        self.outbox: Outbox = Batch(_write)
        self.heads = Turns(HEADS_AT_ONCE)  # of streams; the text of others comes first
        self._open: Counter[asyncio.WriteTransport] = Counter()
        self._flushing: dict[asyncio.WriteTransport, asyncio.TimerHandle] = {}

    def enter(self, transport: asyncio.WriteTransport) -> None:
        """A request begins on `transport`: whatever was written before has been taken."""
        self._open[transport] += 1
        self._forget(transport)

    def leave(self, transport: asyncio.WriteTransport) -> None:
        """The request is over."""
        self._open[transport] -= 1
        if self._open[transport] <= 0:
            del self._open[transport]

    def flush(self, transport: asyncio.WriteTransport, timeout: float) -> None:
        """Watch that the last bytes are taken, too: cut the client off if it takes nothing for `timeout` seconds."""
        self._look(transport, timeout, transport.get_write_buffer_size(), asyncio.get_running_loop().time())

    def _look(self, transport: asyncio.WriteTransport, timeout: float, left: int, since: float) -> None:
        """`since`: when it last took something; then `left` bytes were left."""
        loop = asyncio.get_running_loop()
        left_now = transport.get_write_buffer_size()
        if left_now == 0:
            self._forget(transport)
            return
        if left_now < left:
            since = loop.time()
        elif loop.time() - since >= timeout:
            self._forget(transport)
            self.slow += 1
            abort(transport)
            return
        self._flushing[transport] = loop.call_later(
            LOOK_SECONDS, self._look, transport, timeout, min(left, left_now), since
        )

    def cut(self) -> None:
        """Cut everyone off. A polite close would wait for those who take nothing, or never say all they have to."""
        for transport in {*self._open, *self._flushing}:
            abort(transport)

    def _forget(self, transport: asyncio.WriteTransport) -> None:
        if timer := self._flushing.pop(transport, None):
            timer.cancel()
