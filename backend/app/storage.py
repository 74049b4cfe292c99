"""The roof over what is kept: the database that the settings name, its journal, and what only several replicas need."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from app.clock import Clock, SharedClock
from app.database import Database
from app.engines import choice
from app.engines.sqlite import SqliteDatabase
from app.engines.sqlite_errors import storage_error
from app.errors import StartRefused, StorageError
from app.eventlog import file as file_journal
from app.eventlog import postgres as run_journal
from app.eventlog import sqlite as kept_journal
from app.eventlog.base import Journal, Said, by_run
from app.replicas.postgres import PostgresReplicas
from app.services.following import Following
from app.services.gatekeeper import Gatekeeper
from app.services.neighbours import Neighbours
from app.services.run_engine import RunEngine
from app.services.transcript import whole
from app.settings import Settings
from app.store import schema, sql
from app.store.changes import SqlChanges
from app.telemetry import log


class Storage(NamedTuple):
    """What everything else is kept in."""

    database: Database
    clock: Clock
    changes: SqlChanges
    store: sql.SqlStore
    journal: Journal
    left: int  # runs that a crash had left over
    sharing: "Sharing | None"  # with other replicas
    chores: Sequence[Callable[[], Awaitable[object]]]  # for the sweeper

    async def check(self) -> None:
        """Where a write has failed, look whether they are taken again.

        Raises:
            StorageFull, StorageError: they are not.
        """
        if self.database.trouble is not None:
            await self.database.probe()
        if self.journal.trouble is not None:
            await self.journal.probe()


class Sharing:
    """This replica's part in a database that others use, too."""

    def __init__(self, settings: Settings, database: Database, clock: SharedClock, store: sql.SqlStore) -> None:
        from app.engines.postgres import (  # noqa: PLC0415 - an extra that SQLite does without
            CHANNEL,
            PostgresDatabase,
            lock_owners,
        )
        from app.replicas.wakeups import Notices  # noqa: PLC0415 - as above

        assert isinstance(database, PostgresDatabase)
        self._settings = settings
        self._database = database
        self._clock = clock
        self._lock_owners = lock_owners
        self._wakeups = Notices(database, lambda: database.connect(autocommit=True), CHANNEL)
        self._neighbours: Neighbours | None = None
        self.journal = run_journal.PostgresJournal(database)
        self.following = Following(store, self.journal)

    async def begin(self, engine: RunEngine, changes: SqlChanges, gatekeeper: Gatekeeper) -> None:
        """Join the others.

        Raises:
            StartRefused: the database does not take it.
        """
        replicas = PostgresReplicas(self._database, self._clock, self._settings.lease_seconds, self._end)
        neighbours = Neighbours(replicas, self._wakeups, engine, self.following, changes, gatekeeper, self._clock)
        self._database.on_lost = neighbours.lose
        try:
            await neighbours.join()
        except StorageError as error:
            raise StartRefused(error.message) from error
        await self._wakeups.start()
        if (note := self._clock.note) is not None:
            log.warning("clock.off", message=note)
        neighbours.start(self._settings.lease_seconds)
        self._neighbours = neighbours

    async def close(self) -> None:
        """Leave the others. All runs have ended."""
        if self._neighbours is not None:
            await self._neighbours.close()
        await self._wakeups.close()

    @property
    def others(self) -> int:
        """How many other replicas live."""
        return self._neighbours.others if self._neighbours is not None else 0

    def check(self) -> str | None:
        """See `Neighbours.check`."""
        return self._neighbours.check() if self._neighbours is not None else None

    async def sweep(self) -> int:
        """Take out of the journal what is left of runs that are over."""
        return await self._database.submit(run_journal.sweep, durable=False)

    def _end(self, connection: Connection, runs: Sequence[tuple[str, str]], replica_id: str) -> None:
        """End runs of a replica that is dead, with the text that the journal kept."""
        self._lock_owners(connection, [owner_id for _, owner_id in runs])
        ids = [run_id for run_id, _ in runs]
        kept = run_journal.recover(connection, ids)
        texts = {run_id: kept.get(run_id, []) for run_id in ids}
        sql.recover(connection, texts, whole, self._clock.now(), replica_id)
        run_journal.clear(connection, ids)


async def opened(settings: Settings, stack: AsyncExitStack) -> Storage:
    """Everything that is kept, brought to the newest schema; `stack` closes it.

    Raises:
        StartRefused: it cannot be had, and the sentence says why.
    """
    database = choice.database(settings)
    stack.push_async_callback(database.close)
    await asyncio.to_thread(database.open)
    shared_clock = SharedClock()
    clock = shared_clock if settings.is_shared else Clock()
    left = await asyncio.to_thread(_begin, database, clock)
    database.start()
    changes = SqlChanges(database)
    store = sql.SqlStore(database, changes, clock, settings.run_retention_hours)
    if isinstance(database, SqliteDatabase):
        journal = file_journal.FileJournal(database.path, storage_error)
        stack.push_async_callback(journal.close)
        return Storage(database, clock, changes, store, journal, left, None, ())
    sharing = Sharing(settings, database, shared_clock, store)
    stack.push_async_callback(sharing.close)
    stack.push_async_callback(sharing.journal.close)
    return Storage(database, clock, changes, store, sharing.journal, 0, sharing, (sharing.sweep,))


def _begin(database: Database, clock: Clock) -> int:
    """Schema, then the runs that a crash left over: all of it, or nothing, before the port opens.

    Where others may live nobody knows yet what is left over: their leases tell.
    """
    if isinstance(database, SqliteDatabase):
        return recover(database, clock)
    database.alone(schema.migrate)
    return 0


def recover(database: SqliteDatabase, clock: Clock) -> int:
    """Bring a file to the newest schema, and end the runs that were left over there; how many.

    Raises:
        StartRefused: that cannot be done.
    """
    try:
        said = file_journal.recover(database.path)
        left = database.alone(partial(_recover, clock, said))
        file_journal.clear(database.path)  # now, since what it held is saved
    except OSError as error:
        raise StartRefused(
            f"What answers had said when the service was killed is in {error.filename or database.path.parent}, which "
            f"cannot be used ({error.strerror}). Check the folder's rights."
        ) from error
    return left


def _recover(clock: Clock, said: Sequence[Said], connection: Connection) -> int:
    schema.migrate(connection)
    texts = by_run((*kept_journal.recover(connection), *said))
    left = sql.recover(connection, texts, whole, clock.now())
    kept_journal.clear(connection)
    return left
