"""HTTP/1.1 to all endpoints: connections that are kept, and who is reached by them.

What is hard in it is done by others: `aiohappyeyeballs` finds the address that answers, `ssl` checks who it is.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, urlsplit

import aiohappyeyeballs

from app.batch import Batch
from app.providers.connection import Connection, Origin, Response

HAPPY_EYEBALLS_SECONDS = 0.25  # RFC 8305, 5: before the next address is tried beside the one that is silent


class NoConnection(Exception):
    """Nobody was reached: nothing was asked."""


class Client:
    """Connections to all endpoints. One that is free is used again for `KEEPALIVE_SECONDS`."""

    def __init__(self, *, keeps: bool = True) -> None:
        """Without `keeps` each request has a connection of its own."""
        self._keeps = keeps
        self._free: dict[Origin, list[Connection]] = {}
        self._all: set[Connection] = set()
        self.inbox: Batch[tuple[Connection, bytes]] = Batch(_take)
        self._tls: ssl.SSLContext | None = None  # made when it is needed

    async def ask(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        connect_timeout: float,
    ) -> Response:
        """A response, once its head has come. Redirects are not followed, and nothing is asked twice.

        Raises:
            NoConnection: it could not be reached within `connect_timeout` seconds.
            NotHttp: what came is no answer.
            Broken: it may have been asked, and there is no answer.
            ValueError: `url` or a header cannot be sent.
        """
        origin, target = _place(url)
        length = {"Content-Length": str(len(body))} if body is not None else {}
        head = _head(method, target, {"Host": origin.authority, **headers, **length})
        connection = self._reuse(origin) or await self._connect(origin, connect_timeout)
        try:
            return await connection.ask(head + (body or b""))
        except BaseException:
            connection.abort()
            raise

    def close(self) -> None:
        """Close every connection, whatever it is doing."""
        for connection in tuple(self._all):
            connection.abort()

    def _reuse(self, origin: Origin) -> Connection | None:
        self.inbox.work_off()  # a connection that gave something though nothing was asked is none to be used
        free = self._free.get(origin, [])
        while free:
            connection = free.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self, origin: Origin, connect_timeout: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(connect_timeout):
                context = await self._context() if origin.secure else None
                found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
                sock = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType] - loosely typed
                    found, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, interleave=1
                )
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, connection = await loop.create_connection(
                    lambda: Connection(origin, self),
                    sock=sock,
                    ssl=context,
                    server_hostname=origin.host if origin.secure else None,
                )
        except (OSError, TimeoutError) as error:  # TLS that is refused is an OSError, too
            raise NoConnection from error
        return connection

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)  # it reads every certificate of the machine
        return self._tls

    # ── What connections tell (`connection.Owner`) ──────────────────────────────────────────────────────────────────

    def opened(self, connection: Connection) -> None:
        """It can be closed from now on."""
        self._all.add(connection)

    def freed(self, connection: Connection) -> None:
        """It may be used again."""
        if self._keeps:
            self._free.setdefault(connection.origin, []).append(connection)
        else:
            connection.abort()

    def closed(self, connection: Connection) -> None:
        """It is gone."""
        self._all.discard(connection)
        free = self._free.get(connection.origin, [])
        if connection in free:
            free.remove(connection)
        if not free:
            self._free.pop(connection.origin, None)


def _take(given: tuple[Connection, bytes]) -> None:
    connection, data = given
    connection.take(data)


@lru_cache(64)  # there are few endpoints, and each is asked again and again
def _place(url: str) -> tuple[Origin, str]:
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode()
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    target = f"{path}?{quote(parts.query, safe='/?%:@!$&()*+,;=~')}" if parts.query else path
    return Origin(secure, host, parts.port or (443 if secure else 80)), target


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if not all(line.isprintable() for line in lines):
        raise ValueError("a header holds what no header may")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
