"""The cutting proxy: a bad network between a client and the service, one rule per connection."""

import asyncio
import contextlib
import re
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from tests.support import sockets
from tests.support.waiting import happens, until

End = Literal["rst", "fin", "hole"]
"""How a cut looks: a reset, a polite end, or nothing at all any more (both sides stay connected)."""

KEPT_BYTES = 1 << 20  # of each direction of a connection are remembered
_HEAD = re.compile(rb"(?:GET|POST|HEAD|OPTIONS|PUT|PATCH|DELETE) \S+ HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n")


@dataclass(frozen=True)
class Rule:
    """What happens to one connection. With neither limit it is passed through.

    Counts are bytes of the socket, heads and framing included. `response=n` forwards exactly n bytes of what the
    service sends, then cuts (0: when it sends the first); `request=m` the same of what the client sends (0: at once).
    `delay` (seconds) comes before each forwarded read of the response; `throttle` is in bytes a second.
    """

    response: int | None = None
    request: int | None = None
    end: End = "rst"
    delay: float = 0
    throttle: int | None = None


@dataclass(eq=False)
class Connection:
    """One connection, and what went over it."""

    rule: Rule
    request: bytearray = field(default_factory=bytearray)
    response: bytearray = field(default_factory=bytearray)
    request_bytes: int = 0
    response_bytes: int = 0
    cut: asyncio.Event = field(default_factory=asyncio.Event)  # by its rule, or by `cut_all`
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def heads(self) -> list[str]:
        """The heads of the requests on it, as text."""
        return [head.decode("latin-1") for head in _HEAD.findall(bytes(self.request))]


class Proxy:
    """Listens on loopback and forwards to `target`, which may be changed at any time."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.connections: list[Connection] = []
        self.otherwise = Rule()  # for connections without a rule of their own
        self._rules: deque[Rule] = deque()
        self._live: dict[Connection, asyncio.Task[None]] = {}
        self._ends: dict[Connection, End] = {}
        self._listener: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://{sockets.LOOPBACK}:{self.port}"

    @property
    def heads(self) -> list[str]:
        """The heads of all requests of all connections, in the order of the connections."""
        return [head for connection in self.connections for head in connection.heads]

    def next(self, *rules: Rule) -> None:
        """Rules of the next connections, one each."""
        self._rules.extend(rules)

    async def connection(self, number: int = 1) -> Connection:
        """Wait for connection `number`, counted from 1."""
        await until(lambda: len(self.connections) >= number, f"connection number {number} reaches the proxy")
        return self.connections[number - 1]

    async def cut_all(self, end: End = "rst") -> int:
        """Cut what is connected now; how many that were. Returns when both sides of each have been told."""
        live = list(self._live.items())
        for connection, task in live:
            self._ends[connection] = end
            task.cancel()
        for connection, _ in live:
            await happens(connection.cut if end == "hole" else connection.over, "the proxy cuts")
        return len(live)

    async def start(self) -> None:
        """Listen: on a new port the first time, on the same one after `stop()`."""
        sock = sockets.listening(self.port)
        self.port = sock.getsockname()[1]
        self._listener = asyncio.create_task(self._listen(sock), name="proxy")
        self._listener.add_done_callback(lambda _: sock.close())

    async def stop(self) -> None:
        """Listen no more (connections are refused) and cut all."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            await asyncio.wait({listener})
        await self.cut_all()
        if self._live:
            await asyncio.wait(self._live.values())

    async def __aenter__(self) -> "Proxy":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _listen(self, sock: socket.socket) -> None:
        while True:
            client = await sockets.accepted(sock)
            connection = Connection(self._rules.popleft() if self._rules else self.otherwise)
            self.connections.append(connection)
            task = asyncio.create_task(self._carry(connection, client), name="proxy-connection")
            self._live[connection] = task
            task.add_done_callback(lambda _, connection=connection: self._live.pop(connection))
            task.add_done_callback(lambda _, client=client: client.close())  # if it was cancelled before it began

    async def _carry(self, connection: Connection, client: socket.socket) -> None:
        end: End = "rst"
        server: socket.socket | None = None
        try:
            server = await sockets.connected(self.target)
            end = await _pump(connection, client, server)
        except asyncio.CancelledError:
            end = self._ends.get(connection, "rst")
            connection.cut.set()
        except ConnectionError:
            pass  # refused by the service, or gone while it was written to: both sides are told by a reset
        try:
            if end == "hole":
                connection.cut.set()
                await asyncio.Event().wait()
        finally:
            await _leave(client, "rst" if end == "hole" else end)
            if server is not None:
                await _leave(server, "rst" if end == "hole" else end)
            if _is_spent(connection):
                connection.cut.set()
            connection.over.set()


async def _pump(connection: Connection, client: socket.socket, server: socket.socket) -> End:
    """Carry bytes both ways until the rule cuts or a side ends; how to leave both sides."""
    up = asyncio.create_task(_forward_request(connection, client, server), name="proxy-up")
    down = asyncio.create_task(_forward_response(connection, server, client), name="proxy-down")
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        up.cancel()
        down.cancel()
        await asyncio.wait({up, down})
    for task in (up, down):
        if not task.cancelled() and isinstance(task.exception(), ConnectionError):
            return "rst"
    return connection.rule.end if _is_spent(connection) else "fin"


async def _forward_request(connection: Connection, client: socket.socket, server: socket.socket) -> None:
    limit = connection.rule.request
    while limit is None or connection.request_bytes < limit:
        data = await sockets.read(client, _most(limit, connection.request_bytes))
        if not data:
            return
        _remember(connection.request, data)
        await sockets.write(server, data)
        connection.request_bytes += len(data)


async def _forward_response(connection: Connection, server: socket.socket, client: socket.socket) -> None:
    rule = connection.rule
    if rule.throttle is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    if rule.response == 0:
        await sockets.read(server, 1)
    while rule.response is None or connection.response_bytes < rule.response:
        most = _most(rule.response, connection.response_bytes)
        data = await sockets.read(server, most if rule.throttle is None else max(1, min(most, rule.throttle // 10)))
        if not data:
            return
        pause = rule.delay + (len(data) / rule.throttle if rule.throttle else 0)
        if pause:
            await asyncio.sleep(pause)
        _remember(connection.response, data)
        await sockets.write(client, data)
        connection.response_bytes += len(data)


async def _leave(sock: socket.socket, end: End) -> None:
    if end == "fin":
        sockets.fin(sock)
        return
    with contextlib.suppress(asyncio.CancelledError):
        await sockets.delivered(sock, timeout=0.5)
    sockets.reset(sock)


def _is_spent(connection: Connection) -> bool:
    rule = connection.rule
    return connection.response_bytes == rule.response or connection.request_bytes == rule.request


def _most(limit: int | None, done: int) -> int:
    return 65536 if limit is None else min(65536, limit - done)


def _remember(kept: bytearray, data: bytes) -> None:
    kept += data[: KEPT_BYTES - len(kept)]
