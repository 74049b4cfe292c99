"""One SQLite file: who may write it, and how writes become durable together.

One connection writes, in one thread (which also keeps clear of SQLite's WAL-reset bug: that needs two). What arrives
while a write is in flight is the next write, so under load accepts, deltas and ends of all runs share one commit, and
alone each goes at once: there is no timer.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from app.errors import StartRefused, StorageError
from app.sqlite_errors import of_the_disk, storage_error
from app.telemetry import Timings

T = TypeVar("T")

APPLICATION_ID = 0x41494353  # "AICS": tells our file from another program's
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""How constraints and indexes are called, in every table of every room."""

BUSY_MILLISECONDS = 5000  # another process (a backup, a shell) may hold the file this long
READERS = 2  # threads; reads are short, and the machine's cores belong to the loop and the writer
WAL_BYTES_KEPT = 64 * 2**20  # a burst's log shrinks back to this

# From here on free of the WAL-reset bug (sqlite.org/wal.html), of which one writer keeps clear anyway.
SOUND_SQLITE = (3, 51, 3)


class Write(ABC):
    """Something to be written. `durable`: its commit is fsynced, so that it survives a power cut, not only a kill."""

    durable = False
    empties_log = False  # after its commit the write-ahead log is written into the file and emptied

    def seal(self) -> None:  # noqa: B027 - most have nothing to seal
        """In the loop, as it is handed to the writer's thread: nothing may be added after this."""

    @abstractmethod
    def apply(self, connection: Connection) -> Any:
        """In the writer's thread, inside a transaction."""

    @abstractmethod
    def settle(self, result: Any, error: Exception | None) -> None:
        """In the loop, once it is committed (`error` is None) or certainly is not."""


class _Call(Write):
    def __init__(self, function: Callable[[Connection], Any], durable: bool, future: asyncio.Future[Any]) -> None:
        self._function = function
        self._future = future
        self.durable = durable

    def apply(self, connection: Connection) -> Any:
        return self._function(connection)

    def settle(self, result: Any, error: Exception | None) -> None:
        if self._future.done():  # whoever asked has gone; the write stands all the same
            return
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)


class _EmptyLog(_Call):
    empties_log = True


class Database:
    """The file, its writer and its readers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: StorageError | None = None  # why the last write failed; None once one succeeded
        self.commits = Timings()  # of what is journalled alone
        self.durable_commits = Timings()  # with an fsync
        self.failed_commits = 0
        self._waiting: list[Write] = []
        self._busy = False
        self._queue: SimpleQueue[list[Write] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._synchronous = ""
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._idle = asyncio.Event()
        self._idle.set()

    # ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """Lock the file, create it if there is none, and look whether it is ours. Blocks; not for the loop's thread.

        Raises:
            StartRefused: another process has it, it is not ours, or it cannot be used.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StartRefused(
                f"The database {self.path} cannot be opened ({error.strerror}). Check DATABASE_URL "
                "and the folder's rights."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StartRefused(
                f"Another process is already serving {self.path}. Stop it, name another file in DATABASE_URL, "
                "and start one process only (no --workers)."
            ) from error
        try:
            self._inspect()
            self.path.chmod(0o600)
            self._raw = self._connect(f"{self.path.as_uri()}?mode=rw")
            self._claim()  # before the WAL is turned on, so that it stands in the file itself
            (mode,) = self._raw.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode != "wal":
                raise StartRefused(
                    f"{self.path} lies on a file system that cannot be shared safely (journal mode {mode}). "
                    "Name a file on a local disk in DATABASE_URL."
                )
            self._raw.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}")
        except sqlite3.Error as error:
            self._release()
            raise StartRefused(self._damaged(error)) from error
        except StartRefused:
            self._release()
            raise
        self._writer = create_engine(
            "sqlite://",
            creator=lambda: self._raw,
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        ).connect()
        self._reading: Engine = create_engine(
            "sqlite://",
            creator=lambda: self._connect(f"{self.path.as_uri()}?mode=ro"),
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )

    def alone(self, function: Callable[[Connection], T]) -> T:
        """Run `function` in one fsynced transaction of its own, before `start`: migrations and recovery. Blocks.

        Raises:
            StartRefused: the file is damaged, or what `function` raised.
        """
        self._raw.execute("PRAGMA synchronous=FULL")
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            result = function(self._writer)
            self._raw.execute("COMMIT")
        except BaseException as error:
            if self._raw.in_transaction:
                with suppress(sqlite3.Error):
                    self._raw.execute("ROLLBACK")
            if isinstance(error, (sqlite3.Error, DBAPIError)):
                raise StartRefused(self._damaged(error)) from error
            raise
        return result

    def _damaged(self, error: Exception) -> str:
        why = error.orig if isinstance(error, DBAPIError) else error
        return (
            f"{self.path} is not a database of this service, or it is damaged ({why}). "
            "Restore it from a backup, or name another file in DATABASE_URL; nothing was changed."
        )

    def start(self) -> None:
        """Start the writer's thread. From here on the loop that calls this owns the writes."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Wait for what was submitted, then close the file and let go of the lock. Safe after a failed `open`, too."""
        await self._idle.wait()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)
        await asyncio.to_thread(self._pool.shutdown)
        if hasattr(self, "_reading"):
            await asyncio.to_thread(self._reading.dispose)
            await asyncio.to_thread(self._writer.close)
            await asyncio.to_thread(self._release)

    # ── Use ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, function: Callable[[Connection], T], *, durable: bool) -> "asyncio.Future[T]":
        """Run `function` in the writer's thread as part of the next commit; the future is done once that is committed.

        The future raises what `function` raised (then only its own part is undone), or:
            StorageFull, StorageError: nothing of that commit is kept.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self.add(_Call(function, durable, future))
        return future

    def add(self, write: Write) -> None:
        """Put `write` into the next commit."""
        self._waiting.append(write)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._hand_over)  # what else arrives in this turn of the loop goes along

    @property
    def waiting(self) -> int:
        """How much waits for the next commit."""
        return len(self._waiting)

    async def probe(self) -> None:
        """Look whether writes are taken again.

        Raises:
            StorageFull, StorageError: they are not.
        """
        await self.submit(
            lambda connection: connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}"), durable=True
        )

    async def empty_log(self) -> None:
        """Have nothing that was deleted be left in the write-ahead log. Readers are not waited for: then it stays.

        Raises:
            StorageError: the file cannot be written.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self.add(_EmptyLog(lambda connection: None, durable=False, future=future))
        await future

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Run `function` on a read-only connection in a reader's thread. Each statement sees the newest commit.

        Raises:
            StorageError: the file cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, function)

    def _read(self, function: Callable[[Connection], T]) -> T:
        try:
            with self._reading.connect() as connection:
                return function(connection)
        except DBAPIError as error:
            raise StorageError("The database cannot be read at the moment. Try again.", retry_after=5) from error

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

    def _settle(self, batch: list[Write], outcomes: list[tuple[Any, Exception | None]]) -> None:
        failed = next((error for _, error in outcomes if isinstance(error, StorageError)), None)
        self.trouble = failed
        for write, (result, error) in zip(batch, outcomes, strict=True):
            write.settle(result, error)
        if self._waiting:
            self._hand_over()
        else:
            self._busy = False
            self._idle.set()

    def _commit(self, batch: list[Write]) -> list[tuple[Any, Exception | None]]:
        began, durable = time.perf_counter(), any(write.durable for write in batch)
        try:
            self._synchronize("FULL" if durable else "NORMAL")
            self._raw.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(write) for write in batch]
            self._raw.execute("COMMIT")
            (self.durable_commits if durable else self.commits).add(time.perf_counter() - began)
            if any(write.empties_log for write in batch):
                self._empty_log()
        except Exception as error:  # noqa: BLE001 - the writer's boundary: whatever it was, nothing was committed
            if self._raw.in_transaction:
                with suppress(sqlite3.Error):
                    self._raw.execute("ROLLBACK")
            self.failed_commits += 1
            known = storage_error(error)
            return [(None, known)] * len(batch)
        return outcomes

    def _apply(self, write: Write) -> tuple[Any, Exception | None]:
        self._raw.execute("SAVEPOINT one")
        result: Any = None
        problem: Exception | None = None
        try:
            result = write.apply(self._writer)
        except Exception as error:
            if of_the_disk(error) or not self._raw.in_transaction:
                raise  # the disk's refusals take the whole commit with them
            self._raw.execute("ROLLBACK TO one")
            problem = error
        self._raw.execute("RELEASE one")
        return result, problem

    def _empty_log(self) -> None:
        self._raw.execute("PRAGMA busy_timeout=0")
        try:
            self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._raw.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")

    def _synchronize(self, level: str) -> None:
        if self._synchronous != level:
            self._raw.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level

    # ── The file ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _connect(self, uri: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MILLISECONDS / 1000
        )
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten, not only forgotten
        return connection

    def _inspect(self) -> None:
        """Refuse another program's file without opening it for good, which would apply the WAL that it may have."""
        with self.path.open("rb") as file:
            head = file.read(100)  # SQLite's header (fileformat2.html, 1.3)
        if not head or int.from_bytes(head[68:72]) == APPLICATION_ID:
            return
        wal = self.path.with_name(f"{self.path.name}-wal")
        unfinished = wal.exists() and wal.stat().st_size > 0
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables or unfinished:
            raise StartRefused(
                f"{self.path} belongs to another program. Name another file in DATABASE_URL; nothing was changed."
            )

    def _claim(self) -> None:
        if self._raw.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            self._raw.execute(f"PRAGMA application_id={APPLICATION_ID}")

    def _release(self) -> None:
        if hasattr(self, "_raw"):
            with suppress(sqlite3.Error):
                self._raw.close()
        os.close(self._lock)
