"""HTTP/1.1 to all endpoints: connections that are kept, and who is reached by them.

What is hard in it is done by others: `aiohappyeyeballs` finds the address that answers, `ssl` checks who it is.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache, partial
from ipaddress import IPv4Address
from typing import Any, Literal
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
        self._opening: dict[Origin, dict[asyncio.Task[Connection], None]] = {}  # ahead of who will ask; first in first
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
        origin, _ = _place(url)
        head = _head(method, url, tuple(headers.items()))
        request = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body) if body is not None else head + b"\r\n"
        connection = self._reuse(origin) or await self._fresh(origin, connect_timeout)
        try:
            return await connection.ask(request)
        except BaseException:
            connection.abort()
            raise

    def expect(self, url: str, coming: int, *, connect_timeout: float) -> None:
        """So many are about to `ask` there: open one more connection, unless there are enough for all of them.

        It costs the endpoint nothing and us no wait. One that is not reached so is no error: who asks tries again.
        """
        origin, _ = _place(url)
        opening = self._opening.setdefault(origin, {})
        if len(self._free.get(origin, ())) + len(opening) < coming:
            task = asyncio.create_task(self._connect(origin, connect_timeout), name="connect")
            opening[task] = None
            task.add_done_callback(partial(self._came_ahead, opening))

    def close(self) -> None:
        """Close every connection, whatever it is doing."""
        for opening in self._opening.values():
            for task in tuple(opening):
                del opening[task]
                task.cancel()
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

    async def _fresh(self, origin: Origin, connect_timeout: float) -> Connection:
        opening = self._opening.get(origin)
        if not opening:
            return await self._connect(origin, connect_timeout)
        task = next(iter(opening))
        del opening[task]
        try:
            return await task
        except asyncio.CancelledError:
            task.add_done_callback(_rest)  # it may have been opened in this very moment
            raise

    def _came_ahead(self, opening: "dict[asyncio.Task[Connection], None]", task: "asyncio.Task[Connection]") -> None:
        """It was opened, or was not, before anybody asked."""
        if task in opening:
            del opening[task]
            _rest(task)

    async def _connect(self, origin: Origin, connect_timeout: float) -> Connection:
        connection = Connection(origin, self)
        try:
            async with asyncio.timeout(connect_timeout):
                await self._reach(connection, origin.host if origin.secure else None)
        except BaseException as error:
            connection.abort()
            self.closed(connection)  # uvloop does not tell it that it was closed before anybody had it
            if isinstance(error, (OSError, TimeoutError)):  # TLS that is refused is an OSError, too
                raise NoConnection from error
            raise
        return connection

    async def _reach(self, connection: Connection, name: str | None) -> None:
        """Open it; under TLS the other side must be `name`."""
        loop, origin = asyncio.get_running_loop(), connection.origin
        context = await self._context() if origin.secure else None
        host, port = origin.host, origin.port
        if not _is_ipv4(host):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            if len(found) > 1 or found[0][0] != socket.AF_INET:  # else no race, which costs as much as two more
                await self._race(connection, found, context, name)
                return
            host = str(found[0][4][0])
        await loop.create_connection(lambda: connection, host, port, ssl=context, server_hostname=name)

    async def _race(self, connection: Connection, found: Any, context: ssl.SSLContext | None, name: str | None) -> None:
        loop = asyncio.get_running_loop()
        sock = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType] - loosely typed
            found, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, interleave=1
        )
        await loop.create_connection(lambda: connection, sock=sock, ssl=context, server_hostname=name)

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


def _rest(task: "asyncio.Task[Connection]") -> None:
    """Nobody asks over what `task` has opened, for now."""
    if not task.cancelled() and task.exception() is None:
        task.result().rest()


@lru_cache(64)
def _is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


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


@lru_cache(64)  # and in the same words
def _head(method: str, url: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    origin, target = _place(url)
    named = (("Host", origin.authority), *headers)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named)]
    if not all(line.isprintable() for line in lines):
        raise ValueError("a header holds what no header may")
    return "\r\n".join([*lines, ""]).encode("latin-1")
