"""A fake upstream: a real TCP server on loopback that follows a script for each request and remembers what it saw."""

import asyncio
import socket
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

from tests.support import sockets
from tests.support.script import Step, say
from tests.support.upstream_connection import Connection, Seen, Turnstile
from tests.support.waiting import until


class Upstream:
    """`script(*steps)` is for the next request, `otherwise(...)` for those without one; each is used by one request."""

    def __init__(self) -> None:
        self.port = 0
        self.errors: list[BaseException] = []  # of scripts that could not be followed; the test's end raises the first
        self._listener: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._blank()

    def _blank(self) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self._scripts: deque[Sequence[Step]] = deque()
        self._default: Callable[[Seen], Sequence[Step]] = lambda _: say("Hello", " there")
        self._gates: defaultdict[str, Turnstile] = defaultdict(Turnstile)

    @property
    def url(self) -> str:
        """What `OPENAI_BASE_URL` is set to."""
        return f"http://{sockets.LOOPBACK}:{self.port}/v1"

    @property
    def calls(self) -> int:
        """How often an answer was asked for: what would be billed."""
        return len(self.requests)

    def script(self, *steps: Step) -> None:
        """Queue the script of one request."""
        self._scripts.append(steps)

    def otherwise(self, *steps: Step, answer: Callable[[Seen], Sequence[Step]] | None = None) -> None:
        """The script of every request that finds the queue empty; `answer` makes one from the request."""
        self._default = answer or (lambda _: steps)

    def open(self, gate: str, times: int | None = None) -> None:
        """Let `times` requests through the gate; None: it stays open."""
        self._gates[gate].open(times)

    async def at_gate(self, gate: str, arrivals: int = 1) -> None:
        """Wait until requests have arrived at the gate that often, in all."""
        await until(lambda: self._gates[gate].arrived >= arrivals, f"arrival number {arrivals} at gate {gate!r}")

    async def request(self, number: int = 1) -> Seen:
        """Wait for request `number`, counted from 1."""
        await until(lambda: self.calls >= number, f"request number {number} reaches the upstream")
        return self.requests[number - 1]

    def forget(self) -> None:
        """Hang up on everyone, and forget scripts, gates and requests: as if new, on the same port."""
        self.hang_up()
        self._blank()

    def hang_up(self) -> None:
        """Break off every connection."""
        for task in self._tasks:
            task.cancel()

    async def hung_up(self) -> None:
        """Break off every connection, and return once their sockets are closed."""
        tasks = list(self._tasks)
        self.hang_up()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self) -> None:
        """Listen: on a new port the first time, on the same one after `stop()`."""
        sock = sockets.listening(self.port)
        self.port = sock.getsockname()[1]
        self._listener = asyncio.create_task(self._listen(sock), name="upstream")
        self._listener.add_done_callback(lambda _: sock.close())

    async def stop(self) -> None:
        """Listen no more (connections are refused) and hang up on everyone."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
        self.hang_up()
        await asyncio.gather(*(task for task in (listener, *self._tasks) if task), return_exceptions=True)

    async def __aenter__(self) -> "Upstream":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self.errors:
            raise self.errors[0]

    async def _listen(self, sock: socket.socket) -> None:
        while True:
            peer = await sockets.accepted(sock)
            self.connections += 1
            task = asyncio.create_task(self._serve(peer), name=f"upstream-{self.connections}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)
            task.add_done_callback(lambda _, peer=peer: peer.close())  # if it was cancelled before it began

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)

    async def _serve(self, peer: socket.socket) -> None:
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(peer, self._gates)
        try:
            while (seen := await connection.next_request()) is not None:
                self.requests.append(seen)
                steps = self._scripts.popleft() if self._scripts else self._default(seen)
                if not await connection.follow(seen, steps):
                    return
        finally:
            await connection.close()
