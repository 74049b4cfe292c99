"""One SQLite file: who may write it, and how.

One connection writes, in one thread, which also keeps clear of SQLite's WAL-reset bug: that needs two.
"""

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from app.database import Call, Database, Outcome, Write
from app.engines.sqlite_errors import of_the_disk, storage_error
from app.errors import StartRefused, StorageError

T = TypeVar("T")

APPLICATION_ID = 0x41494353  # "AICS": tells our file from another program's
BUSY_MILLISECONDS = 5000  # another process (a backup, a shell) may hold the file this long
READERS = 2  # threads; reads are short, and the machine's cores belong to the loop and the writer
CAREFUL_COMMITS = 100  # with savepoints after one in which a write failed: who is refused often comes again at once
WAL_BYTES_KEPT = 64 * 2**20  # a burst's log shrinks back to this

# From here on free of the WAL-reset bug (sqlite.org/wal.html), of which one writer keeps clear anyway.
SOUND_SQLITE = (3, 51, 3)


class _EmptyLog(Call):
    """After its commit the write-ahead log is written into the file and emptied."""


class SqliteDatabase(Database):
    """The file, its writer and its readers."""

    def __init__(self, path: Path) -> None:
        super().__init__(READERS)
        self.path = path
        self._synchronous = ""
        self._careful = 0  # commits in which each write has a savepoint

    # ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self.path.name

    def open(self) -> None:
        """See `Database.open`. The file is locked, and made if there is none."""
        self.hold()
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
            self.release()
            raise StartRefused(self._damaged(error)) from error
        except StartRefused:
            self.release()
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

    def hold(self) -> None:
        """Take the lock, and make the file if there is none: from now on nobody else serves from it, until `release`.

        Raises:
            StartRefused: somebody does.
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

    def alone(self, function: Callable[[Connection], T]) -> T:
        """See `Database.alone`. The lock keeps others out."""
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

    def let_go(self) -> None:
        """See `Database.let_go`."""
        if hasattr(self, "_reading"):
            self._reading.dispose()
            self._writer.close()
            self.release()
            del self._reading

    # ── Use ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def probe(self) -> None:
        """See `Database.probe`."""
        await self.submit(
            lambda connection: connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}"), durable=True
        )

    async def empty_log(self) -> None:
        """See `Database.empty_log`. While somebody reads, it stays."""
        future: asyncio.Future[None] = self._loop.create_future()
        self.add(_EmptyLog(lambda connection: None, future, durable=False))
        await future

    def look(self, function: Callable[[Connection], T]) -> T:
        """See `Database.look`."""
        try:
            with self._reading.connect() as connection:
                return function(connection)
        except (DBAPIError, sqlite3.Error) as error:
            raise StorageError("The database cannot be read at the moment. Try again.", retry_after=5) from error

    # ── The writer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _commit(self, batch: list[Write]) -> list[Outcome]:
        began, durable = time.perf_counter(), any(write.durable for write in batch)
        try:
            self._synchronize("FULL" if durable else "NORMAL")
            self._raw.execute("BEGIN IMMEDIATE")
            outcomes = self._apply_all(batch)
            self._raw.execute("COMMIT")
            (self.durable_commits if durable else self.commits).add(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - the writer's boundary: whatever it was, nothing was committed
            if self._raw.in_transaction:
                with suppress(sqlite3.Error):
                    self._raw.execute("ROLLBACK")
            self.failed_commits += 1
            known = storage_error(error)
            return [(None, known)] * len(batch)
        return self._log_emptied(batch, outcomes) if any(isinstance(write, _EmptyLog) for write in batch) else outcomes

    def _log_emptied(self, batch: list[Write], outcomes: list[Outcome]) -> list[Outcome]:
        """`batch` is committed: whatever happens here is told to those alone who asked for it."""
        try:
            self._empty_log()
        except sqlite3.Error as error:
            known = storage_error(error)
            pairs = zip(batch, outcomes, strict=True)
            return [(None, known) if isinstance(write, _EmptyLog) else outcome for write, outcome in pairs]
        return outcomes

    def _apply_all(self, batch: list[Write]) -> list[Outcome]:
        """Without savepoints, which are a fifth of a commit; with them where one fails, and a while after."""
        if self._careful:
            self._careful -= 1
            return [self._apply(write) for write in batch]
        try:
            return [(write.apply(self._writer), None) for write in batch]
        except Exception as error:
            if of_the_disk(error) or not self._raw.in_transaction:
                raise  # the disk's refusals take the whole commit with them
        self._careful = CAREFUL_COMMITS
        self._raw.execute("ROLLBACK")
        self._raw.execute("BEGIN IMMEDIATE")
        return [self._apply(write) for write in batch]

    def _apply(self, write: Write) -> Outcome:
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

    def release(self) -> None:
        """Let go of the lock."""
        if hasattr(self, "_raw"):
            with suppress(sqlite3.Error):
                self._raw.close()
        os.close(self._lock)
