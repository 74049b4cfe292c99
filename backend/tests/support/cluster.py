"""Replicas of the service on one PostgreSQL, and a load balancer that knows nothing of streams in front of them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from tests.support import postgres, sockets
from tests.support.fixtures import Serve
from tests.support.server import Server

LEASE_SECONDS = 1.5  # short, so that tests are; long enough for two busy cores


class Balancer:
    """Each connection goes to the next replica in turn that takes it: no stickiness, no retry, no look inside."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self.port = 0
        self._turn = count()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Balancer":
        self._server = await asyncio.start_server(self._accept, sockets.LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            for _ in range(len(self.ports)):
                port = self.ports[next(self._turn) % len(self.ports)]
                with contextlib.suppress(OSError):
                    async with asyncio.timeout(1):
                        back_reader, back_writer = await asyncio.open_connection(sockets.LOOPBACK, port)
                    await _join((reader, writer), (back_reader, back_writer))
                    return
        except (TimeoutError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class Gate:
    """A TCP proxy between a replica and its database, which can be shut: what is open is cut, what comes is refused."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = 0
        self._open = True
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Gate":
        self._server = await asyncio.start_server(self._accept, sockets.LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def shut(self) -> None:
        """Nothing gets through any more."""
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def reopen(self) -> None:
        """Everything gets through again."""
        self._open = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._open:
            writer.transport.abort()
            return
        back = await asyncio.open_connection(sockets.LOOPBACK, self._target)
        self._writers |= {writer, back[1]}
        try:
            await _join((reader, writer), back)
        except asyncio.CancelledError:
            pass
        finally:
            self._writers -= {writer, back[1]}


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(one: Pipe, other: Pipe) -> None:
    """Pass bytes both ways until either side has ended."""
    ways = [asyncio.create_task(_pass(one[0], other[1])), asyncio.create_task(_pass(other[0], one[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for writer in (one[1], other[1]):
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


class Cluster:
    """Replicas, by number, and the way to all of them."""

    def __init__(self, replicas: Sequence[Server], balancer: Balancer, url: str) -> None:
        self.replicas = replicas
        self.balancer = balancer
        self.url = url  # of the database
        self._leases: int | None = None  # once it is over

    @property
    def leases(self) -> int:
        """Replicas that the database knows of."""
        return self._leases if self._leases is not None else len(postgres.rows(self.url, "SELECT id FROM replicas"))

    def close(self) -> None:
        """All have ended."""
        self._leases = self.leases

    def __getitem__(self, number: int) -> Server:
        return self.replicas[number]


@asynccontextmanager
async def cluster(serve: Serve, *, size: int = 3, server: str | None = None, **env: str) -> AsyncGenerator[Cluster]:
    """So many replicas on a fresh database of the run's server, or of another one."""
    made = postgres.database(server)
    url = await asyncio.to_thread(made.__enter__)
    try:
        own: dict[str, Any] = {"DATABASE_URL": url, "LEASE_SECONDS": str(LEASE_SECONDS), **env}
        replicas = [serve.make(**own) for _ in range(size)]
        await asyncio.gather(*(replica.start() for replica in replicas))
        async with Balancer([replica.port for replica in replicas]) as balancer:
            made_cluster = Cluster(replicas, balancer, url)
            yield made_cluster
        await asyncio.gather(*(replica.close() for replica in replicas))
        made_cluster.close()
    finally:
        await asyncio.to_thread(made.__exit__, None, None, None)
