"""HTTP/1.1 on a raw socket: any bytes out, exact bytes in, and the connection dropped whenever the test likes."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from tests.support import sockets
from tests.support.http import Fields, MessageParser
from tests.support.sse import Event, SseDecoder
from tests.support.waiting import PATIENCE

Over = Literal["", "complete", "truncated"]
"""How a response ended: not yet; as its framing promised; or because the connection went away."""


@dataclass(frozen=True)
class Reply:
    """A whole response."""

    status: int
    headers: Fields
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")


class Stream:
    """A response being read: as raw socket bytes (`wire`), body bytes (`body`) and SSE (`sse`, strict), all at once."""

    def __init__(self, sock: socket.socket, *, bodyless: bool = False, patience: float = PATIENCE) -> None:
        self.wire = bytearray()
        self.sse = SseDecoder()
        self.over: Over = ""
        self._sock = sock
        self._parser = MessageParser(bodyless=bodyless)
        self._patience = patience
        self._given = 0  # body bytes that `pieces` has handed out

    @property
    def status(self) -> int:
        """Of the response."""
        return self._parser.status

    @property
    def headers(self) -> Fields:
        """Of the response."""
        return self._parser.fields

    @property
    def body(self) -> bytes:
        """What has been read of the body."""
        return bytes(self._parser.body)

    @property
    def events(self) -> list[Event]:
        """The events read so far."""
        return self.sse.events

    @property
    def head_bytes(self) -> int:
        """How long the head is on the wire."""
        return len(self._parser.head)

    async def opened(self) -> "Stream":
        """Read until the head is whole.

        Raises:
            ConnectionResetError: the connection ended before.
        """
        while not self._parser.headed:
            if not await self._more(65536):
                raise ConnectionResetError(f"no response, only {bytes(self.wire)!r}")
        return self

    async def pieces(self, most: int = 65536) -> AsyncGenerator[bytes]:
        """Body bytes not given before, as they come, in reads of at most `most` socket bytes, to the response's end."""
        while True:
            if len(self._parser.body) > self._given:
                piece = bytes(self._parser.body[self._given :])
                self._given += len(piece)
                yield piece
            elif self.over or not await self._more(most):
                return

    async def read_until(
        self,
        *,
        body: int | None = None,
        wire: int | None = None,
        events: int | None = None,
        when: Callable[["Stream"], bool] | None = None,
    ) -> "Stream":
        """Read until there are so many body bytes, socket bytes (exactly: never one more), events, or until `when`.

        Raises:
            AssertionError: the response was over before.
        """

        def reached() -> bool:
            return (
                (body is not None and len(self._parser.body) >= body)
                or (wire is not None and len(self.wire) >= wire)
                or (events is not None and len(self.sse.events) >= events)
                or (when is not None and when(self))
            )

        while not reached():
            most = 65536 if wire is None else wire - len(self.wire)
            assert await self._more(most), f"the response was over: {self._tail()}"
        return self

    async def read(self) -> Reply:
        """Read to the end, however it comes."""
        async with aclosing(self.pieces()) as pieces:
            async for _ in pieces:
                pass
        return Reply(self.status, self.headers, self.body)

    async def drip(self, per_second: int, seconds: float) -> int:
        """Read slowly for a while; how many socket bytes that gave."""
        before, deadline = len(self.wire), asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline and await self._more(max(1, per_second // 10)):
            await asyncio.sleep(0.1)
        return len(self.wire) - before

    async def write(self, data: bytes) -> None:
        """Send more of the request."""
        await sockets.write(self._sock, data)

    def drop(self) -> None:
        """Go away with a RST."""
        sockets.reset(self._sock)

    def close(self) -> None:
        """Go away with a FIN."""
        sockets.fin(self._sock)

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def _more(self, most: int) -> bool:
        if self.over:
            return False
        try:
            async with asyncio.timeout(self._patience):
                data = await sockets.read(self._sock, most)
        except TimeoutError:
            raise AssertionError(f"nothing came for {self._patience} s after {self._tail()}") from None
        if data:
            self.wire += data
            self.sse.feed(self._parser.feed(data))
        else:
            self._parser.end()
        if self._parser.complete:
            self.over = "complete"
        elif not data:
            self.over = "truncated"
        return bool(data)

    def _tail(self) -> str:
        return repr(bytes(self.wire[-400:]))
