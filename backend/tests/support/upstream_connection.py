"""One connection to the fake upstream: what was asked on it, and the writing of what the script says."""

import asyncio
import itertools
import json
import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support import sockets
from tests.support.http import CRLF, Fields, MessageParser
from tests.support.script import Cut, Fin, Framing, Gate, Hang, Raw, Reset, Send, Sleep, Status, Step
from tests.support.waiting import PATIENCE, happens

Left = Literal["open", "fin", "rst"]
"""How a script leaves its connection."""


_FRAMING_HEADERS: dict[Framing, dict[str, str]] = {
    "chunked": {"Transfer-Encoding": "chunked"},
    "close": {"Connection": "close"},
    "length": {},
}


@dataclass(eq=False)
class Seen:
    """One request, and what became of it. Times are monotonic seconds."""

    method: str
    path: str
    headers: Fields
    body: bytes
    at: float
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # the script is at its end, or was broken off
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # the peer closed the connection this came on
    closed_at: float | None = None
    whole: bool = False  # the script was followed to its end
    sent: int = 0  # body bytes handed to the kernel

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def authorization(self) -> str | None:
        """The header of that name."""
        return self.headers.get("authorization")

    @property
    def question(self) -> str:
        """The last message of the prompt."""
        return self.json["messages"][-1]["content"]

    async def is_closed(self, timeout: float = PATIENCE) -> float:
        """Wait until the peer has closed the connection; when it did."""
        await happens(self.closed, "the service closes its connection to the upstream", timeout)
        assert self.closed_at is not None
        return self.closed_at


class Turnstile:
    """A gate that lets through one request at a time, as often as it was told, or everyone once it is open."""

    def __init__(self) -> None:
        self.arrived = 0
        self._passes = 0
        self._open = False
        self._bell = asyncio.Event()

    def open(self, times: int | None) -> None:
        """Let `times` more through; None: everyone, for ever."""
        self._open = self._open or times is None
        self._passes += times or 0
        self._bell.set()

    async def through(self) -> None:
        """Wait for one's turn."""
        self.arrived += 1
        while not self._open and self._passes == 0:
            self._bell.clear()
            await self._bell.wait()
        self._passes = max(0, self._passes - 1)


class Connection:
    """One connection: reads requests, and at all times knows whether the peer is still there."""

    def __init__(self, sock: socket.socket, gates: defaultdict[str, Turnstile]) -> None:
        self._sock = sock
        self._gates = gates
        self._parser = MessageParser(request=True)
        self._news = asyncio.Event()
        self._gone = False
        self._seen: Seen | None = None
        self._reader = asyncio.create_task(self._read(), name="upstream-reader")
        self._following: asyncio.Task[Left] | None = None
        self._left: Left = "open"

    async def next_request(self) -> Seen | None:
        """The next request, or None when the peer is gone."""
        parser = self._parser
        while not parser.complete:
            if self._gone:
                return None
            self._news.clear()
            await self._news.wait()
        method, path, _ = parser.start_line.split(" ")
        self._seen = Seen(method, path, parser.fields, bytes(parser.body), time.monotonic())
        rest, self._parser = bytes(parser.rest), MessageParser(request=True)
        self._parser.feed(rest)
        self._tell_closed()
        return self._seen

    async def follow(self, seen: Seen, steps: Sequence[Step]) -> bool:
        """Play the script until its end or the peer's; whether the connection can carry another request."""
        response = _Response(self._sock, seen, self._gates)
        self._following = asyncio.create_task(response.play(steps), name="upstream-script")
        if self._gone:
            self._following.cancel()
        try:
            await asyncio.wait({self._following})
        finally:
            self._following.cancel()
            seen.answered.set()
        if self._following.cancelled():
            return False
        if isinstance(self._following.exception(), ConnectionError):
            self._gone = True
            self._tell_closed()
            return False
        self._left = self._following.result()
        seen.whole = True
        return self._left == "open"

    async def close(self) -> None:
        """Let go of the socket, in the way that the script wanted."""
        try:
            if self._left == "rst":
                await sockets.delivered(self._sock)
            self._reader.cancel()
            await asyncio.wait({self._reader, *([self._following] if self._following else [])})
        finally:
            if self._left == "rst":
                sockets.reset(self._sock)
            else:
                sockets.fin(self._sock)

    async def _read(self) -> None:
        while data := await sockets.read(self._sock):
            self._parser.feed(data)
            self._news.set()
        self._gone = True
        self._tell_closed()
        if self._following is not None:
            self._following.cancel()
        self._news.set()

    def _tell_closed(self) -> None:
        if self._gone and self._seen is not None and self._left == "open" and not self._seen.closed.is_set():
            self._seen.closed_at = time.monotonic()
            self._seen.closed.set()


class _Response:
    """One response being written."""

    def __init__(self, sock: socket.socket, seen: Seen, gates: defaultdict[str, Turnstile]) -> None:
        self._sock = sock
        self._seen = seen
        self._gates = gates
        self._framing = ""
        self._cut: Cut | None = None
        self._cut_from = 0

    async def play(self, steps: Sequence[Step]) -> Left:
        """Follow the script; how the connection is to be left."""
        for step in steps:
            match step:
                case Status():
                    await self._head(step)
                case Send(data):
                    await self._body(data)
                case Raw(data):
                    await sockets.write(self._sock, data)
                case Sleep(seconds):
                    await asyncio.sleep(seconds)
                case Gate(name):
                    await self._gates[name].through()
                case Cut():
                    self._cut, self._cut_from = step, self._seen.sent
                case Hang():
                    await asyncio.Event().wait()
                case Reset():
                    return "rst"
                case Fin():
                    return "fin"
        if self._framing == "chunked":
            await sockets.write(self._sock, b"0\r\n\r\n")
        return "open" if self._framing in ("chunked", "length") else "fin"

    async def _head(self, status: Status) -> None:
        self._framing = status.framing
        headers = {**status.headers, **_FRAMING_HEADERS[status.framing]}
        lines = [f"HTTP/1.1 {status.code} {status.reason}", *(f"{name}: {text}" for name, text in headers.items())]
        await sockets.write(self._sock, CRLF.join(line.encode("latin-1") for line in [*lines, "", ""]))

    async def _body(self, data: bytes) -> None:
        pieces = self._pieces(data)
        for piece in pieces:
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if self._framing == "chunked" else piece
            await sockets.write(self._sock, framed)
            self._seen.sent += len(piece)
            if self._cut is not None and self._cut.lockstep:
                await sockets.taken(self._sock)
            elif len(pieces) > 1:
                await asyncio.sleep(0)

    def _pieces(self, data: bytes) -> list[bytes]:
        if self._cut is None or not data:
            return [data] if data else []
        start = self._seen.sent - self._cut_from
        at = range(1, len(data)) if self._cut.at is None else sorted({place - start for place in self._cut.at})
        places = [0, *(place for place in at if 0 < place < len(data)), len(data)]
        return [data[one:two] for one, two in itertools.pairwise(places)]
