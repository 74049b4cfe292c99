"""What happened to whose conversations: a numbered log for each owner, written in the transaction that did it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, select, text, update

from app.database import Database
from app.models import Conversation, Run
from app.store.base import Change, ChangeKind
from app.store.prepared import Prepared
from app.store.rows import conversation_of, owned, run_of, select_conversations
from app.store.tables import change_numbers, changes, runs

T = TypeVar("T")

KEPT_MILLISECONDS = 24 * 3600 * 1000  # a tab that was away for longer reads the list anew
TRIM_ROWS = 1000  # in one commit, so that live answers do not wait

# One statement, and it holds the row until the commit: numbers have no holes, and are in the order of the commits.
_COUNT = Prepared(
    text(
        "INSERT INTO change_numbers (owner_id, number, trimmed) VALUES (:owner_id, 1, 0) "
        "ON CONFLICT (owner_id) DO UPDATE SET number = change_numbers.number + 1 RETURNING number"
    )
)
_ADD = Prepared(insert(changes), ("owner_id", "number", "kind", "conversation_id", "run_id", "created_at"))


class SqlChanges:
    """Satisfies `store.base.Changes`. Whoever records a change commits it by `submit`, which wakes the listeners."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bells: dict[str, dict[Callable[[], None], None]] = {}

    async def newest(self, owner_id: str) -> int:
        """See `Changes.newest`."""
        statement = select(change_numbers.c.number).where(owned(change_numbers, owner_id))
        return await self._database.read(lambda connection: connection.scalar(statement) or 0)

    async def since(self, owner_id: str, number: int, limit: int) -> Sequence[Change] | None:
        """See `Changes.since`."""
        return await self._database.read(lambda connection: _since(connection, owner_id, number, limit))

    def listen(self, owner_id: str, bell: Callable[[], None]) -> None:
        """See `Changes.listen`."""
        self._bells.setdefault(owner_id, {})[bell] = None

    def unlisten(self, owner_id: str, bell: Callable[[], None]) -> None:
        """See `Changes.unlisten`."""
        bells = self._bells.get(owner_id, {})
        bells.pop(bell, None)
        if not bells:
            self._bells.pop(owner_id, None)

    def owners(self) -> Sequence[str]:
        """See `Changes.owners`."""
        return list(self._bells)

    def ring(self, owner_id: str) -> None:
        """See `Changes.ring`."""
        for bell in tuple(self._bells.get(owner_id, ())):
            bell()

    def submit(self, owner_id: str, function: Callable[[Connection], T], *, durable: bool) -> "asyncio.Future[T]":
        """As `Database.submit`, for a `function` that records changes of this owner's."""
        future = self._database.submit(function, durable=durable, owner_id=owner_id)
        future.add_done_callback(lambda done: self._ring(owner_id, done))
        return future

    def _ring(self, owner_id: str, done: "asyncio.Future[T]") -> None:
        if not done.cancelled() and done.exception() is not None:
            return  # nothing was committed; a future that was given up tells nothing, and one bell too many is harmless
        self.ring(owner_id)


def record(
    connection: Connection, owner_id: str, kind: ChangeKind, conversation_id: str, at: int, run_id: str | None = None
) -> None:
    """Give the owner's next number to a change, in the transaction that makes it."""
    number = _COUNT.scalar(connection, {"owner_id": owner_id})
    said = {"kind": kind, "conversation_id": conversation_id, "run_id": run_id, "created_at": at}
    _ADD.run(connection, {"owner_id": owner_id, "number": number, **said})


def trim(connection: Connection, now: int) -> int:
    """Forget some of the changes that are older than they are kept; how many rows were looked at."""
    old = (
        select(changes.c.owner_id, changes.c.number)
        .where(changes.c.created_at < now - KEPT_MILLISECONDS)
        .order_by(changes.c.created_at)
        .limit(TRIM_ROWS)
    )
    rows = connection.execute(old).all()
    last = {row.owner_id: row.number for row in sorted(rows, key=lambda row: row.number)}
    for owner_id, number in last.items():
        connection.execute(delete(changes).where(owned(changes, owner_id), changes.c.number <= number))
        connection.execute(update(change_numbers).where(owned(change_numbers, owner_id)).values(trimmed=number))
    return len(rows)


def _since(connection: Connection, owner_id: str, number: int, limit: int) -> Sequence[Change] | None:
    known = connection.execute(select(change_numbers).where(owned(change_numbers, owner_id))).one_or_none()
    newest, trimmed = (known.number, known.trimmed) if known else (0, 0)
    if not trimmed <= number <= newest:
        return None
    statement = (
        select(changes)
        .where(owned(changes, owner_id), changes.c.number > number)
        .order_by(changes.c.number)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    there = _conversations(connection, owner_id, {row.conversation_id for row in rows})
    written = _runs(connection, owner_id, {row.run_id for row in rows if row.run_id is not None})
    return [
        Change(row.number, row.kind, row.conversation_id, there.get(row.conversation_id), written.get(row.run_id))
        for row in rows
    ]


def _conversations(connection: Connection, owner_id: str, ids: set[str]) -> dict[str, Conversation]:
    statement = select_conversations(owner_id)
    found = connection.execute(statement.where(statement.selected_columns.id.in_(ids)))
    return {row.id: conversation_of(row) for row in found}


def _runs(connection: Connection, owner_id: str, ids: set[str]) -> dict[str, Run]:
    statement = select(runs).where(owned(runs, owner_id), runs.c.id.in_(ids))
    return {row.id: run_of(row) for row in connection.execute(statement)}
