"""A reverse proxy that is set up wrongly: it gathers, compresses, keeps the name to itself, or answers itself."""

import asyncio
import contextlib
import gzip
from dataclasses import dataclass

from tests.support import sockets
from tests.support.client import Client
from tests.support.http import CRLF

_PASSED_ON = ("content-type", "cache-control", "x-accel-buffering")


@dataclass(frozen=True)
class Habits:
    """What it does to a response, and to the name that it was asked for."""

    gathers: bool = False  # it waits for the whole before it gives anything
    compresses: bool = False
    host: str | None = None  # what it calls the service, if not what it was called itself
    status: int | None = None  # what it says instead of asking
    frames: int | None = None  # how many it lets through


class Front:
    """Listens on loopback, before the service at `target`."""

    def __init__(self, target: int, habits: Habits) -> None:
        self._target = target
        self._habits = habits
        self.port = 0

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://{sockets.LOOPBACK}:{self.port}"

    async def __aenter__(self) -> "Front":
        self._server = await asyncio.start_server(self._serve, sockets.LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            head = (await reader.readuntil(CRLF * 2)).decode("latin-1").split("\r\n")
            path = head[0].split(" ")[1]
            asked = next(line.partition(": ")[2] for line in head if line.lower().startswith("host: "))
            if self._habits.status is not None:
                writer.write(f"HTTP/1.1 {self._habits.status} Front\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                await self._pass_on(path, self._habits.host or asked, writer)
            await writer.drain()

    async def _pass_on(self, path: str, host: str, writer: asyncio.StreamWriter) -> None:
        habits = self._habits
        async with await Client(self._target).open_stream("GET", path, headers={"Host": host}) as stream:
            lines = [f"HTTP/1.1 {stream.status} Front", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in stream.headers.pairs if name.lower() in _PASSED_ON]
            if habits.compresses:
                lines.append("Content-Encoding: gzip")
            start = "\r\n".join([*lines, "", ""]).encode()
            if habits.gathers or habits.compresses:
                body = (await stream.read()).body
                writer.write(start + (gzip.compress(body) if habits.compresses else body))
                return
            writer.write(start)
            passed = 0
            async for piece in stream.pieces():
                writer.write(piece)
                await writer.drain()
                passed += 1
                if passed == habits.frames:
                    return
