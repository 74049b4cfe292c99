"""The journal in SQLite: one row a commit, holding what all runs appended in it.

One insert of one blob a commit, whatever the number of runs, is what keeps a token cheap; nothing but recovery ever
reads it, so nobody misses an index.
"""

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection

from app.database import Database, Write
from app.errors import StorageError
from app.eventlog.base import Written, tell
from app.models import Piece

MAX_ROWS_PER_TRIM = 2000  # a delete in one commit must not make live answers wait

_Entry = tuple[str, Sequence[Piece]]
_decode = msgspec.msgpack.Decoder(list[tuple[str, list[Piece]]]).decode


class SqliteJournal:
    """Satisfies `eventlog.base.Journal` over the writer of `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = 1
        self._lowest = 1  # nothing below it is left in the table
        self._first: dict[str, int] = {}  # of each live run, the first row that may hold its text
        self._open: _Append | None = None
        self._quiet = asyncio.Event()  # no trim is under way
        self._quiet.set()

    async def close(self) -> None:
        """Wait until what has ended is trimmed."""
        await self._quiet.wait()

    def opened(self, run_id: str) -> None:
        """See `Journal.opened`."""
        self._first[run_id] = self._next

    def append(self, run_id: str, pieces: Sequence[Piece], written: Written) -> None:
        """See `Journal.append`."""
        if self._open is None:
            self._open = _Append(self)
            self._database.add(self._open)
        self._open.take(run_id, pieces, written)

    def ended(self, run_id: str) -> None:
        """See `Journal.ended`."""
        self._first.pop(run_id, None)
        self._trim()

    def next_row(self) -> int:
        """The number of the row being sealed; what is appended later goes into a later one."""
        self._open = None
        row = self._next
        self._next += 1
        return row

    def _trim(self) -> None:
        below = min(self._first.values(), default=self._next)
        if not self._quiet.is_set() or below <= self._lowest:
            return
        below = min(below, self._lowest + MAX_ROWS_PER_TRIM)
        self._quiet.clear()

        def delete(connection: Connection) -> None:
            connection.connection.execute("DELETE FROM journal WHERE seq < ?", (below,))

        def trimmed(done: "asyncio.Future[None]") -> None:
            self._quiet.set()
            if isinstance(done.exception(), StorageError):
                return  # rows left behind cost room only, and the next trim takes them along
            self._lowest = below
            self._trim()

        self._database.submit(delete, durable=False).add_done_callback(trimmed)


class _Append(Write):
    """What all runs append in one commit."""

    one_statement = True

    def __init__(self, journal: SqliteJournal) -> None:
        self._journal = journal
        self._entries: list[_Entry] = []
        self._written: list[Written] = []
        self._row = 0

    def take(self, run_id: str, pieces: Sequence[Piece], written: Written) -> None:
        self._entries.append((run_id, pieces))
        self._written.append(written)

    def seal(self) -> None:
        self._row = self._journal.next_row()

    def apply(self, connection: Connection) -> None:
        connection.connection.execute(
            "INSERT INTO journal (seq, pieces) VALUES (?, ?)", (self._row, msgspec.msgpack.encode(self._entries))
        )

    def settle(self, result: None, error: Exception | None) -> None:
        for written in self._written:
            tell(written, error)


def recover(connection: Connection) -> dict[str, list[Piece]]:
    """What each run that the journal knows had appended when the process died, in order."""
    texts: dict[str, list[Piece]] = {}
    for run_id, pieces in _entries(connection):
        texts.setdefault(run_id, []).extend(pieces)
    return texts


def clear(connection: Connection) -> None:
    """Empty the journal, once what it held is saved elsewhere."""
    connection.exec_driver_sql("DELETE FROM journal")


def _entries(connection: Connection) -> Iterator[tuple[str, list[Piece]]]:
    for row in connection.exec_driver_sql("SELECT pieces FROM journal ORDER BY seq"):
        yield from _decode(row[0])
