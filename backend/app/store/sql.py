"""The store over SQLAlchemy Core."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from app.clock import Clock
from app.database import Database
from app.errors import KeyReused
from app.models import SERVICE_STOPPED, STOPPED, Failure, Part, Piece, Run, Usage
from app.store.base import Kept, Key
from app.store.tables import idempotency_keys, messages, runs

KEY_MILLISECONDS = 24 * 3600 * 1000  # api.md: a key is kept as long as its run, a day at most
SWEEP_ROWS = 500  # in one commit, so that live answers do not wait for it
_LIVE = ("queued", "running")

_parts = msgspec.json.Decoder(tuple[Part, ...])
_usage = msgspec.json.Decoder(Usage)


class SqlStore:
    """Satisfies `store.base.Store`."""

    def __init__(self, database: Database, clock: Clock, run_retention_hours: float) -> None:
        self._database = database
        self._clock = clock
        self._retention = int(run_retention_hours * 3600 * 1000)

    async def accept(self, run: Run, key: Key | None) -> Run:
        """See `Store.accept`."""

        def write(connection: Connection) -> Run:
            if key is not None:
                if known := self._find(connection, run.owner_id, key):
                    return known
                connection.execute(
                    delete(idempotency_keys).where(
                        _owned(idempotency_keys, run.owner_id), idempotency_keys.c.key == key.value
                    )
                )
            connection.execute(
                insert(messages).values(
                    id=run.message_id, owner_id=run.owner_id, role="assistant", parts="[]", created_at=run.created_at
                )
            )
            connection.execute(insert(runs).values(**_columns(run)))
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
            return run

        return await self._database.submit(write, durable=True)

    async def find(self, owner_id: str, key: Key) -> Run | None:
        """See `Store.find`."""
        return await self._database.read(lambda connection: self._find(connection, owner_id, key))

    async def run(self, owner_id: str, run_id: str) -> Kept | None:
        """See `Store.run`."""

        def look(connection: Connection) -> Kept | None:
            statement = (
                select(runs, messages.c.parts)
                .join(messages, messages.c.id == runs.c.message_id)
                .where(runs.c.id == run_id, _owned(runs, owner_id), _owned(messages, owner_id), self._still_kept())
            )
            row = connection.execute(statement).one_or_none()
            return Kept(_run(row), _parts.decode(row.parts)) if row else None

        return await self._database.read(look)

    async def mark(self, run: Run) -> None:
        """See `Store.mark`."""
        await self._update(run, {"status": run.status, "attempts": run.attempts, "model": run.model})

    async def ask_cancel(self, run: Run, at: int) -> None:
        """See `Store.ask_cancel`."""
        await self._update(run, {"cancel_requested_at": at})

    async def finish(self, run: Run, parts: Sequence[Part]) -> bool:
        """See `Store.finish`."""
        return await self._database.submit(lambda connection: _end(connection, run, parts), durable=True)

    async def sweep(self) -> int:
        """See `Store.sweep`."""

        def forget(connection: Connection) -> int:
            now = self._clock.now()
            connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEY_MILLISECONDS))
            old = select(runs.c.id, runs.c.message_id).where(runs.c.ended_at < now - self._retention).limit(SWEEP_ROWS)
            rows = connection.execute(old).all()
            connection.execute(delete(runs).where(runs.c.id.in_([row.id for row in rows])))
            connection.execute(delete(messages).where(messages.c.id.in_([row.message_id for row in rows])))
            return len(rows)

        return await self._database.submit(forget, durable=False)

    def _find(self, connection: Connection, owner_id: str, key: Key) -> Run | None:
        statement = (
            select(runs, idempotency_keys.c.fingerprint)
            .join(idempotency_keys, idempotency_keys.c.run_id == runs.c.id)
            .where(
                _owned(idempotency_keys, owner_id),
                _owned(runs, owner_id),
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
        return _run(row)

    def _still_kept(self) -> Any:
        return (runs.c.ended_at.is_(None)) | (runs.c.ended_at >= self._clock.now() - self._retention)

    async def _update(self, run: Run, values: Mapping[str, Any]) -> None:
        statement = (
            update(runs).where(runs.c.id == run.id, _owned(runs, run.owner_id), runs.c.status.in_(_LIVE)).values(values)
        )

        def write(connection: Connection) -> None:
            connection.execute(statement)

        await self._database.submit(write, durable=False)


def recover(
    connection: Connection,
    texts: Mapping[str, Iterable[Piece]],
    fold: Callable[[Iterable[Piece]], tuple[Part, ...]],
    now: int,
) -> int:
    """After a crash: end the runs that were left over, with the text that the journal kept; returns how many."""
    left = [_run(row) for row in connection.execute(select(runs).where(runs.c.status.in_(_LIVE)))]
    cancelled = set(
        connection.scalars(select(runs.c.id).where(runs.c.status.in_(_LIVE), runs.c.cancel_requested_at.is_not(None)))
    )
    for run in left:
        failure = STOPPED if run.id in cancelled else SERVICE_STOPPED
        status = "cancelled" if run.id in cancelled else "interrupted"
        ended = msgspec.structs.replace(run, status=status, failure=failure, ended_at=now)
        _end(connection, ended, fold(texts.get(run.id, ())))
    return len(left)


def _end(connection: Connection, run: Run, parts: Sequence[Part]) -> bool:
    """The compare-and-set that makes sure of one ending."""
    statement = (
        update(runs)
        .where(runs.c.id == run.id, _owned(runs, run.owner_id), runs.c.status.in_(_LIVE))
        .values(**_columns(run))
    )
    if connection.execute(statement).rowcount == 0:
        return False
    text = msgspec.json.encode(parts).decode()
    connection.execute(
        update(messages).where(messages.c.id == run.message_id, _owned(messages, run.owner_id)).values(parts=text)
    )
    return True


def _owned(table: Any, owner_id: str) -> Any:
    return table.c.owner_id == owner_id


def _columns(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "owner_id": run.owner_id,
        "message_id": run.message_id,
        "model": run.model,
        "status": run.status,
        "attempts": run.attempts,
        "finish_reason": run.finish_reason,
        "error_code": run.failure.code if run.failure else None,
        "error_message": run.failure.message if run.failure else None,
        "error_retryable": run.failure.retryable if run.failure else None,
        "usage": msgspec.json.encode(run.usage).decode() if run.usage else None,
        "created_at": run.created_at,
        "first_token_at": run.first_token_at,
        "ended_at": run.ended_at,
    }


def _run(row: Row[Any]) -> Run:
    failure = Failure(row.error_code, row.error_message, bool(row.error_retryable)) if row.error_code else None
    return Run(
        id=row.id,
        owner_id=row.owner_id,
        message_id=row.message_id,
        model=row.model,
        status=row.status,
        created_at=row.created_at,
        attempts=row.attempts,
        first_token_at=row.first_token_at,
        ended_at=row.ended_at,
        finish_reason=row.finish_reason,
        failure=failure,
        usage=_usage.decode(row.usage) if row.usage else None,
    )
