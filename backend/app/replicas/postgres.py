"""The replicas in PostgreSQL. A lease is a row; whoever takes it away does so in a commit that its owner's wait for."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from app.clock import Clock
from app.database import Call, Database
from app.errors import LeaseLost
from app.replicas.base import Asked, Cut, News, Renewal

REAPED_AT_ONCE = 20  # runs ended in one commit, so that live answers do not wait
CUT_SECONDS = 30  # how long a cut is told: a replica that hears nothing for longer has lost its lease
KEPT_SECONDS = 600
READ_SECONDS = 10  # how long ago somebody elsewhere may have read a run that still counts as read

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now"
_OTHERS = (
    "(SELECT count(*) FROM replicas AS other "
    "WHERE other.id <> :me AND other.fenced_at IS NULL AND other.lease_until > clock_timestamp()) AS others"
)
_UNTIL = "clock_timestamp() + make_interval(secs => :lease)"
_JOIN = text(f"INSERT INTO replicas (id, lease_until) VALUES (:me, {_UNTIL}) RETURNING {_NOW}, {_OTHERS}")  # noqa: S608 - as above
_RENEW = text(
    f"UPDATE replicas SET lease_until = {_UNTIL} WHERE id = :me AND fenced_at IS NULL RETURNING {_NOW}, {_OTHERS}"  # noqa: S608 - as above
)
_LEAVE = text("DELETE FROM replicas WHERE id = :me")
# Whoever is in the middle of a commit is left alone: the next look finds it, or the server has ended that commit.
_FENCE = text(
    "UPDATE replicas SET fenced_at = clock_timestamp() WHERE id IN (SELECT id FROM replicas "
    "WHERE fenced_at IS NULL AND lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED)"
)
_LEFT_OVER = text(
    "SELECT runs.replica_id, runs.id, runs.owner_id FROM runs JOIN replicas ON replicas.id = runs.replica_id "
    "WHERE replicas.fenced_at IS NOT NULL AND runs.status IN ('queued', 'running') "
    "ORDER BY runs.replica_id, runs.id LIMIT :some FOR UPDATE OF runs SKIP LOCKED"
)
_FORGET = text(
    "DELETE FROM replicas WHERE fenced_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs "
    "WHERE runs.replica_id = replicas.id AND runs.status IN ('queued', 'running'))"
)
_MODELS = text("SELECT id, model FROM runs WHERE id = ANY (CAST(:ids AS text[])) AND status IN ('queued', 'running')")
_NUMBERS = text("SELECT owner_id, number FROM change_numbers WHERE owner_id = ANY (CAST(:owners AS text[]))")
_OWNED = text(
    "SELECT owned.id, runs.id IS NULL OR runs.cancel_requested_at IS NOT NULL AS stopped, "
    "coalesce(runs.read_at > clock_timestamp() - make_interval(secs => :lately), false) AS read "
    "FROM unnest(CAST(:ids AS text[])) AS owned (id) "
    "LEFT JOIN runs ON runs.id = owned.id AND runs.status IN ('queued', 'running')"
)
_CUTS = text(
    "SELECT id, user_id, credential FROM cuts WHERE made_at > clock_timestamp() - make_interval(secs => :lately) "
    "AND replica_id IS DISTINCT FROM :me"
)
_OLD_CUTS = text("DELETE FROM cuts WHERE made_at < clock_timestamp() - make_interval(secs => :kept)")
_READ = text(
    "UPDATE runs SET read_at = clock_timestamp() "
    "WHERE id = ANY (CAST(:ids AS text[])) AND status IN ('queued', 'running')"
)

End = Callable[[Connection, Sequence[tuple[str, str]], str], None]
"""Ends runs (id and owner of each) of one replica, as after a crash."""


class PostgresReplicas:
    """Satisfies `replicas.base.Replicas`."""

    def __init__(self, database: Database, clock: Clock, lease_seconds: float, end: End) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease_seconds
        self._end = end

    async def join(self) -> Renewal:
        """See `Replicas.join`."""
        me = self._clock.new_id()

        def write(connection: Connection) -> Renewal:
            return self._renewal(connection, _JOIN, me)

        renewal: Renewal = await self._database.add_and_wait(lambda future: Joining(write, future, durable=True))
        self._database.joined(me)
        return renewal

    async def renew(self) -> Renewal:
        """See `Replicas.renew`."""
        me = self._database.replica
        if me is None:
            raise LeaseLost
        return await self._database.submit(lambda connection: self._renewal(connection, _RENEW, me), durable=True)

    async def leave(self) -> None:
        """See `Replicas.leave`."""
        me, self._database.replica = self._database.replica, None
        await self._database.submit(lambda connection: connection.execute(_LEAVE, {"me": me}), durable=True)

    async def reap(self) -> int:
        """See `Replicas.reap`."""

        def write(connection: Connection) -> int:
            connection.execute(_FENCE)
            left = connection.execute(_LEFT_OVER, {"some": REAPED_AT_ONCE}).all()
            for replica_id, rows in groupby(left, key=lambda row: row.replica_id):
                self._end(connection, [(row.id, row.owner_id) for row in rows], replica_id)
            connection.execute(_FORGET)
            connection.execute(_OLD_CUTS, {"kept": KEPT_SECONDS})
            return len(left)

        return await self._database.submit(write, durable=True)

    async def news(self, asked: Asked) -> News:
        """See `Replicas.news`."""
        me = self._database.replica

        def look(connection: Connection) -> News:
            models = _pairs(connection, _MODELS, ids=asked.followed) if asked.followed else {}
            numbers = _pairs(connection, _NUMBERS, owners=asked.owners) if asked.owners else {}
            owned = (
                connection.execute(_OWNED, {"ids": asked.owned, "lately": READ_SECONDS}).all() if asked.owned else ()
            )
            cuts = connection.execute(_CUTS, {"lately": CUT_SECONDS, "me": me})
            return News(
                models,
                numbers,
                [row.id for row in owned if row.stopped],
                [row.id for row in owned if row.read],
                [Cut(row.id, row.user_id, row.credential) for row in cuts],
            )

        return await self._database.read(look)

    async def reading(self, run_ids: Sequence[str]) -> None:
        """See `Replicas.reading`."""
        ids = sorted(run_ids)
        await self._database.submit(lambda connection: connection.execute(_READ, {"ids": ids}), durable=False)

    def _renewal(self, connection: Connection, statement: Any, me: str) -> Renewal:
        row = connection.execute(statement, {"me": me, "lease": self._lease}).one_or_none()
        if row is None:
            raise LeaseLost
        return Renewal(row.now, row.others)


class Joining(Call):
    """The beginning of a replica's life: it has no lease yet."""

    joins = True


def _pairs(connection: Connection, statement: Any, **values: Any) -> dict[str, Any]:
    rows: Sequence[Any] = connection.execute(statement, values).all()
    return {row[0]: row[1] for row in rows}
