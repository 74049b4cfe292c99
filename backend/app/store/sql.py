"""The runs over SQLAlchemy Core, for both dialects."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from app.clock import Clock
from app.database import Database
from app.errors import KeyReused
from app.limits import Charge
from app.models import SERVICE_STOPPED, STOPPED, Part, Piece, Run, Usage
from app.store import changes as change_log
from app.store import tree, usages
from app.store.base import Extra, Kept, Key, Place, Purpose
from app.store.changes import SqlChanges
from app.store.prepared import Prepared
from app.store.rows import LIVE, RUN_COLUMNS, owned, parts_of, run_columns, run_of, written
from app.store.tables import conversations, idempotency_keys, messages, runs

T = TypeVar("T")

KEY_MILLISECONDS = 24 * 3600 * 1000  # api.md: a key is kept as long as its run, a day at most
SWEEP_ROWS = 500  # in one commit, so that live answers do not wait for it

# What every answer writes.
_MY_RUN = (runs.c.id == bindparam("the_id"), owned(runs, bindparam("the_owner")), LIVE)
_MY_ANSWER = (messages.c.id == bindparam("the_id"), owned(messages, bindparam("the_owner")))
_ADD_ANSWER = Prepared(insert(messages), ("id", "owner_id", "role", "parts", "created_at"))
_ADD_RUN = Prepared(insert(runs), (*RUN_COLUMNS, "replica_id"))
_MARK = Prepared(update(runs).where(*_MY_RUN), ("status", "attempts", "model", "left_out"))
_ASK_CANCEL = Prepared(update(runs).where(*_MY_RUN), ("cancel_requested_at",))
_END = Prepared(
    update(runs).where(*_MY_RUN, runs.c.replica_id.is_not_distinct_from(bindparam("the_replica"))), RUN_COLUMNS
)
_THERE = Prepared(select(runs.c.id).where(runs.c.id == bindparam("the_id"), owned(runs, bindparam("the_owner"))))
_KEEP_ANSWER = Prepared(update(messages).where(*_MY_ANSWER), ("parts",))


class SqlStore:
    """Satisfies `store.base.Store`."""

    def __init__(self, database: Database, changes: SqlChanges, clock: Clock, run_retention_hours: float) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._retention = int(run_retention_hours * 3600 * 1000)

    def accept(
        self, run: Run, key: Key | None, place: Place | None = None, charge: Charge | None = None
    ) -> "asyncio.Future[Run]":
        """See `Store.accept`."""

        def write(connection: Connection) -> Run:
            if key is not None:
                if known := self._find(connection, run.owner_id, key):
                    return known
                connection.execute(
                    delete(idempotency_keys).where(
                        owned(idempotency_keys, run.owner_id), idempotency_keys.c.key == key.value
                    )
                )
            if place is None:
                answer = {"id": run.message_id, "owner_id": run.owner_id, "created_at": run.created_at}
                _ADD_ANSWER.run(connection, {**answer, "role": "assistant", "parts": "[]"})
            else:
                tree.plant(connection, run, place)
            replica = self._database.replica
            accepted = run if charge is None else usages.reserve(connection, run, charge, shared=replica is not None)
            _ADD_RUN.run(connection, {**run_columns(accepted), "replica_id": replica})
            if key is not None:
                connection.execute(
                    insert(idempotency_keys).values(
                        owner_id=run.owner_id,
                        key=key.value,
                        fingerprint=key.fingerprint,
                        run_id=run.id,
                        created_at=run.created_at,
                    )
                )
            return accepted

        return self._submit(run, write, durable=True)

    async def find(self, owner_id: str, key: Key) -> Run | None:
        """See `Store.find`."""
        return await self._database.read(lambda connection: self._find(connection, owner_id, key))

    async def run(self, owner_id: str, run_id: str) -> Kept | None:
        """See `Store.run`."""

        def look(connection: Connection) -> Kept | None:
            statement = (
                select(runs, messages.c.parts)
                .join(messages, messages.c.id == runs.c.message_id)
                .where(runs.c.id == run_id, owned(runs, owner_id), owned(messages, owner_id), self._still_kept())
            )
            row = connection.execute(statement).one_or_none()
            return Kept(run_of(row), parts_of(row.parts)) if row else None

        return await self._database.read(look)

    async def mark(self, run: Run) -> None:
        """See `Store.mark`."""
        said = {"status": run.status, "attempts": run.attempts, "model": run.model, "left_out": run.left_out}
        await self._update(run, _MARK, said)

    async def ask_cancel(self, run: Run, at: int) -> None:
        """See `Store.ask_cancel`."""
        await self._update(run, _ASK_CANCEL, {"cancel_requested_at": at})

    async def ask_cancel_all(self, owner_id: str, at: int) -> None:
        """See `Store.ask_cancel_all`."""
        statement = update(runs).where(owned(runs, owner_id), LIVE).values(cancel_requested_at=at)

        def write(connection: Connection) -> None:
            connection.execute(statement)

        await self._database.submit(write, durable=False, owner_id=owner_id)

    async def finish(self, run: Run, parts: Sequence[Part]) -> bool:
        """See `Store.finish`."""

        def write(connection: Connection) -> bool:
            return _end(connection, run, parts, self._database.replica)

        return await self._submit(run, write, durable=True)

    async def spend(self, owner_id: str, purpose: Purpose, model: str, usage: Usage, more: Extra | None = None) -> None:
        """See `Store.spend`."""
        made: dict[str, Any] = {"id": self._clock.new_id(), "created_at": self._clock.now()}
        row = {**made, "owner_id": owner_id, "purpose": purpose, "model": model}
        await self._database.submit(
            lambda connection: usages.spend(connection, row, usage, more or Extra()), durable=True, owner_id=owner_id
        )

    async def sweep(self) -> int:
        """See `Store.sweep`."""

        def forget(connection: Connection) -> int:
            now = self._clock.now()
            connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEY_MILLISECONDS))
            old = (
                select(runs.c.id, runs.c.message_id)
                .where(runs.c.conversation_id.is_(None), runs.c.ended_at < now - self._retention)
                .limit(SWEEP_ROWS)
            )
            rows = connection.execute(old).all()
            connection.execute(delete(runs).where(runs.c.id.in_([row.id for row in rows])))
            connection.execute(delete(messages).where(messages.c.id.in_([row.message_id for row in rows])))
            return len(rows) + change_log.trim(connection, now)

        return await self._database.submit(forget, durable=False)

    def _find(self, connection: Connection, owner_id: str, key: Key) -> Run | None:
        statement = (
            select(runs, idempotency_keys.c.fingerprint)
            .join(idempotency_keys, idempotency_keys.c.run_id == runs.c.id)
            .where(
                owned(idempotency_keys, owner_id),
                owned(runs, owner_id),
                idempotency_keys.c.key == key.value,
                idempotency_keys.c.created_at >= self._clock.now() - KEY_MILLISECONDS,
                self._still_kept(),
            )
        )
        row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        if row.fingerprint != key.fingerprint:
            raise KeyReused
        return run_of(row)

    def _still_kept(self) -> Any:
        """Live, young enough, or in a conversation that is there."""
        there = select(conversations.c.id).where(
            conversations.c.id == runs.c.conversation_id, conversations.c.deleted_at.is_(None)
        )
        alone = runs.c.conversation_id.is_(None)
        young = runs.c.ended_at.is_(None) | (runs.c.ended_at >= self._clock.now() - self._retention)
        return (alone & young) | there.exists()

    async def _update(self, run: Run, statement: Prepared, values: Mapping[str, Any]) -> None:
        values = {"the_id": run.id, "the_owner": run.owner_id, **values}
        await self._database.submit(lambda connection: statement.run(connection, values), durable=False)

    def _submit(self, run: Run, write: Callable[[Connection], T], *, durable: bool) -> "asyncio.Future[T]":
        if run.conversation_id is None:
            return self._database.submit(write, durable=durable, owner_id=run.owner_id)
        return self._changes.submit(run.owner_id, write, durable=durable)


def recover(
    connection: Connection,
    texts: Mapping[str, Iterable[Piece]],
    whole: Callable[[Sequence[Part], Iterable[Piece]], tuple[Part, ...]],
    now: int,
    replica_id: str | None = None,
) -> int:
    """After a crash: end the runs that were left over, with the text that the journal kept; returns how many.

    `whole` puts what an answer began with and what its run wrote together. With `replica_id`: that replica's, of those
    that `texts` has.
    """
    statement = (
        select(runs, messages.c.parts)
        .join(messages, messages.c.id == runs.c.message_id)
        .where(LIVE, runs.c.replica_id == replica_id)
    )
    if replica_id is not None:
        statement = statement.where(runs.c.id.in_(texts))
    left = connection.execute(statement).all()
    for row in left:
        run = run_of(row)
        cancelled = row.cancel_requested_at is not None
        failure = STOPPED if cancelled else SERVICE_STOPPED
        status = "cancelled" if cancelled else "interrupted"
        ended = msgspec.structs.replace(run, status=status, failure=failure, ended_at=now)
        _end(connection, ended, whole(parts_of(row.parts), texts.get(run.id, ())), replica_id)
    return len(left)


def _end(connection: Connection, run: Run, parts: Sequence[Part], replica_id: str | None) -> bool:
    """The compare-and-set that makes sure of one ending, by who owns the run."""
    mine = {"the_id": run.id, "the_owner": run.owner_id, "the_replica": replica_id}
    if _END.run(connection, {**mine, **run_columns(run), "charge": None}) == 0:
        if run.charge is not None and _THERE.scalar(connection, mine) is None:
            usages.settle_erased(connection, run, parts)
        return False
    usages.settle(connection, run, parts)  # before the answer is written, so that what it began with still stands
    if run.conversation_id is not None:
        tree.ripen(connection, run, parts)
        return True
    answer = {"the_id": run.message_id, "the_owner": run.owner_id}
    _KEEP_ANSWER.run(connection, {**answer, "parts": written(parts)})
    return True
