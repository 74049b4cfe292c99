"""The journal in PostgreSQL: a row for what a run said in one commit, by run and number.

Owners commit in any order, so a run's rows have numbers of their own. Other replicas read them as they come.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from app.database import Database, Write
from app.errors import RunStopped, StorageError
from app.eventlog.base import Entry, Written, by_run, tell
from app.models import Piece
from app.telemetry import Timings

_decode = msgspec.msgpack.Decoder(list[Piece]).decode

# What a run says goes with the mark that stops it: after that commit nothing is added. A commit whose answer was lost
# may have come through, so saying the same again changes nothing.
_APPEND = """
    INSERT INTO run_journal (run_id, seq, pieces)
    SELECT said.run_id, said.seq, said.pieces
    FROM unnest(%s::text[], %s::int[], %s::bytea[]) AS said (run_id, seq, pieces)
    JOIN runs ON runs.id = said.run_id AND runs.cancel_requested_at IS NULL AND runs.status IN ('queued', 'running')
    ON CONFLICT (run_id, seq) DO UPDATE SET pieces = EXCLUDED.pieces
    RETURNING run_id, seq
"""
_AFTER = """
    SELECT run_journal.run_id, run_journal.seq, run_journal.pieces
    FROM unnest(%s::text[], %s::int[]) AS place (run_id, seq)
    JOIN run_journal ON run_journal.run_id = place.run_id AND run_journal.seq >= place.seq
    ORDER BY run_journal.run_id, run_journal.seq
"""


class PostgresJournal:
    """Satisfies `eventlog.base.Journal` and `eventlog.base.Tail`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: dict[str, int] = {}  # of each live run, the number of its next row
        self._open: _Append | None = None
        self._over: _Erase | None = None
        self._quiet = asyncio.Event()  # nothing is being erased
        self._quiet.set()

    @property
    def commits(self) -> Timings:
        """See `Journal.commits`."""
        return self._database.commits

    @property
    def failures(self) -> int:
        """See `Journal.failures`."""
        return 0

    @property
    def trouble(self) -> None:
        """See `Journal.trouble`."""
        return None

    async def probe(self) -> None:
        """See `Journal.probe`: it is the database that is probed."""

    async def close(self) -> None:
        """Wait until what has ended is erased."""
        await self._quiet.wait()

    def opened(self, run_id: str) -> None:
        """See `Journal.opened`."""
        self._next.setdefault(run_id, 0)

    def flush(self) -> None:
        """See `Journal.flush`. A commit takes longer than a turn, and what comes meanwhile is the next one."""

    def append(self, run_id: str, pieces: Sequence[Piece], written: Written) -> None:
        """See `Journal.append`."""
        if self._open is None:
            self._open = _Append(self)
            self._database.add(self._open)
        number = self._next[run_id]
        self._next[run_id] = number + 1
        self._open.take(run_id, number, pieces, written)

    def ended(self, run_id: str) -> None:
        """See `Journal.ended`."""
        if self._next.pop(run_id, 0) == 0:
            return  # it said nothing
        self._quiet.clear()
        if self._over is None:
            self._over = _Erase(self)
            self._database.add(self._over)
        self._over.run_ids.append(run_id)

    async def after(self, places: Mapping[str, int]) -> Sequence[Entry]:
        """See `Tail.after`."""
        asked = (list(places), list(places.values()))
        return await self._database.read(
            lambda connection: [
                Entry(run_id, number, _decode(pieces))
                for run_id, number, pieces in connection.exec_driver_sql(_AFTER, asked)
            ]
        )

    def sealed(self) -> None:
        """What is appended later goes into a later commit."""
        self._open = None

    def erasing(self) -> None:
        """What ends later is erased later."""
        self._over = None

    def erased(self) -> None:
        """That is done; rows left behind go with the next sweep."""
        if self._over is None:
            self._quiet.set()

    def again(self, run_id: str, number: int) -> None:
        """That number was not written: it is the next one."""
        if run_id in self._next:
            self._next[run_id] = min(self._next[run_id], number)


class _Append(Write):
    """What all runs append in one commit."""

    def __init__(self, journal: PostgresJournal) -> None:
        self._journal = journal
        self._said: dict[tuple[str, int], tuple[Sequence[Piece], Written]] = {}

    def take(self, run_id: str, number: int, pieces: Sequence[Piece], written: Written) -> None:
        self._said[run_id, number] = pieces, written

    def seal(self) -> None:
        self._journal.sealed()

    def apply(self, connection: Connection) -> set[tuple[str, int]]:
        run_ids = [run_id for run_id, _ in self._said]
        numbers = [number for _, number in self._said]
        pieces = [msgspec.msgpack.encode(pieces) for pieces, _ in self._said.values()]
        written = connection.exec_driver_sql(_APPEND, (run_ids, numbers, pieces))
        return {(run_id, number) for run_id, number in written}

    def settle(self, result: set[tuple[str, int]] | None, error: Exception | None) -> None:
        for (run_id, number), (_, written) in self._said.items():
            if error is None and result is not None and (run_id, number) in result:
                tell((written,), None)
            else:
                self._journal.again(run_id, number)
                tell((written,), error if error is not None else RunStopped())


class _Erase(Write):
    """What runs that have ended leave behind: their text is saved elsewhere."""

    def __init__(self, journal: PostgresJournal) -> None:
        self._journal = journal
        self.run_ids: list[str] = []

    def seal(self) -> None:
        self._journal.erasing()

    def apply(self, connection: Connection) -> None:
        clear(connection, self.run_ids)

    def settle(self, result: None, error: Exception | None) -> None:
        if error is not None and not isinstance(error, StorageError):
            raise error
        self._journal.erased()


def recover(connection: Connection, run_ids: Iterable[str]) -> dict[str, list[Piece]]:
    """What each of these runs had appended, in order."""
    rows = connection.exec_driver_sql(_AFTER, ([*run_ids], [0 for _ in run_ids]))
    return by_run((run_id, _decode(pieces)) for run_id, _, pieces in rows)


def clear(connection: Connection, run_ids: Iterable[str]) -> None:
    """Take these runs out of the journal, once what it held of them is saved elsewhere."""
    connection.exec_driver_sql("DELETE FROM run_journal WHERE run_id = ANY (%s::text[])", ([*run_ids],))


def sweep(connection: Connection) -> int:
    """Take out what is left of runs that are over, however that came about; how many rows."""
    return connection.exec_driver_sql(
        "DELETE FROM run_journal WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = run_journal.run_id "
        "AND runs.status IN ('queued', 'running'))"
    ).rowcount
