"""Where everything is kept: how writes become durable together, whatever engine keeps them (`engines/`).

One connection writes, in one thread. What arrives while a write is in flight is the next write, so under load accepts,
deltas and ends of all runs share one commit, and alone each goes at once: there is no timer.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from app.errors import StorageError
from app.telemetry import Timings, log, where

T = TypeVar("T")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints and indexes are called, in every table of every room."""

Outcome = tuple[Any, Exception | None]


class Write(ABC):
    """Something to be written. `durable`: its commit is fsynced, so that it survives a power cut, not only a kill."""

    durable = False
    owner_id: str | None = None  # whose rows it decides about: no two replicas do that for one owner at once
    joins = False  # written by who has no lease yet, to get one
    replica: str | None = None  # as whom this process writes it; the database fills this in

    def seal(self) -> None:  # noqa: B027 - most have nothing to seal
        """In the loop, as it is handed to the writer's thread: nothing may be added after this."""

    @abstractmethod
    def apply(self, connection: Connection) -> Any:
        """In the writer's thread, inside a transaction. Called again where that one could not be kept."""

    @abstractmethod
    def settle(self, result: Any, error: Exception | None) -> None:
        """In the loop, once it is committed (`error` is None) or certainly is not."""


class Call(Write):
    """A function as a write, and the future of what it returns."""

    def __init__(
        self,
        function: Callable[[Connection], Any],
        future: asyncio.Future[Any],
        *,
        durable: bool,
        owner_id: str | None = None,
    ) -> None:
        self._function = function
        self._future = future
        self.durable = durable
        self.owner_id = owner_id

    def apply(self, connection: Connection) -> Any:
        """See `Write.apply`."""
        return self._function(connection)

    def settle(self, result: Any, error: Exception | None) -> None:
        """See `Write.settle`."""
        if self._future.done():  # whoever asked has gone; the write stands all the same
            return
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)


class Database(ABC):
    """A database, its writer and its readers."""

    replica: str | None = None  # the name by which this process owns its runs; None: it is the only one

    def __init__(self, readers: int) -> None:
        self.trouble: StorageError | None = None  # why the last write failed; None once one succeeded
        self.commits = Timings()  # without a flush to the disk; over PostgreSQL there are none
        self.durable_commits = Timings()  # with an fsync
        self.failed_commits = 0
        self._waiting: list[Write] = []
        self._busy = False
        self._queue: SimpleQueue[list[Write] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="reader")
        self._idle = asyncio.Event()
        self._idle.set()

    # ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def name(self) -> str:
        """What people know it by; no secret is in it."""

    @abstractmethod
    def open(self) -> None:
        """Get hold of it, and look whether it is ours. Blocks; not for the loop's thread.

        Raises:
            StartRefused: it cannot be used, and the sentence says why.
        """

    @abstractmethod
    def alone(self, function: Callable[[Connection], T]) -> T:
        """Run `function` in one fsynced transaction of its own, before `start`: migrations and recovery. Blocks.

        No two processes are in here at once.

        Raises:
            StartRefused: it cannot be used, or what `function` raised.
        """

    def start(self) -> None:
        """Start the writer's thread. From here on the loop that calls this owns the writes."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Wait for what was submitted, then let go of it. Safe after a failed `open`, too."""
        await self._idle.wait()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self._pool.shutdown)
        await asyncio.to_thread(self.let_go)

    @abstractmethod
    def let_go(self) -> None:
        """Close what `open` opened, if it did. Blocks; for whoever has not called `start`, and for `close`."""

    # ── Use ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(
        self, function: Callable[[Connection], T], *, durable: bool, owner_id: str | None = None
    ) -> "asyncio.Future[T]":
        """Run `function` in the writer's thread as part of the next commit; the future is done once that is committed.

        With `owner_id` no other process decides about that owner's rows meanwhile: what `function` reads of them holds.

        The future raises what `function` raised (then only its own part is undone), or:
            StorageFull, StorageError: nothing of that commit is kept.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self.add(Call(function, future, durable=durable, owner_id=owner_id))
        return future

    async def add_and_wait(self, call: "Callable[[asyncio.Future[Any]], Call]") -> Any:
        """Put the write that `call` makes of a future into the next commit, and wait for what it returns."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self.add(call(future))
        return await future

    def add(self, write: Write) -> None:
        """Put `write` into the next commit."""
        write.replica = self.replica
        self._waiting.append(write)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._hand_over)  # what else arrives in this turn of the loop goes along

    def joined(self, replica: str) -> None:
        """From now on this process owns what it accepts, by that name."""
        self.replica = replica

    @property
    def waiting(self) -> int:
        """How much waits for the next commit."""
        return len(self._waiting)

    @abstractmethod
    async def probe(self) -> None:
        """Look whether writes are taken again.

        Raises:
            StorageFull, StorageError: they are not.
        """

    @abstractmethod
    async def empty_log(self) -> None:
        """Have nothing that was deleted be left in a write-ahead log of ours. Readers are not waited for.

        Raises:
            StorageError: it cannot be written.
        """

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run `function` on a read-only connection in a reader's thread. Each statement sees the newest commit.

        Raises:
            StorageError: it cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.look, function)

    @abstractmethod
    def look(self, function: Callable[[Connection], T]) -> T:
        """As `read`, in this thread: for whoever has no loop, and for `read`."""

    # ── The writer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting, []
        for write in batch:
            write.seal()
        self._queue.put(batch)

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            outcomes = self._commit(batch)
            self._loop.call_soon_threadsafe(self._settle, batch, outcomes)

    def _settle(self, batch: list[Write], outcomes: list[Outcome]) -> None:
        failed = next((error for _, error in outcomes if isinstance(error, StorageError)), None)
        self.trouble = failed
        for write, (result, error) in zip(batch, outcomes, strict=True):
            try:
                write.settle(result, error)
            except Exception as broken:  # noqa: BLE001 - one that breaks keeps no other from hearing, nor the next commit
                log.error("write.broke", error=type(broken).__name__, where=where(broken))
        if self._waiting:
            self._hand_over()
        else:
            self._busy = False
            self._idle.set()

    @abstractmethod
    def _commit(self, batch: list[Write]) -> list[Outcome]:
        """In the writer's thread: all of `batch` in one transaction; what fails is undone alone. Raises nothing."""
