"""What was spent, over SQLAlchemy Core, for both dialects: set aside with the run, settled with its end.

The row of an answer has its run's id. Both of its writes are part of commits that happen anyway, and the look at what
is left is part of the first one: so no two answers can be promised the same, and after a crash nothing is forgotten.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, case, func, insert, select, true, tuple_, update

from app.clock import Clock
from app.database import Database
from app.limits import (
    DAY,
    MINUTE,
    Charge,
    Limits,
    Price,
    Spent,
    day_began,
    estimate,
    grant,
    month_began,
)
from app.models import Part, Run, Usage
from app.store.base import DayOfUse, Extra
from app.store.rows import LIVE, owned, parts_of
from app.store.tables import messages, runs, usages

MAX_RECENT = 10_000  # rows of a minute that are looked at: more is nobody's typing, and the day's limit counts them all

_tariff = msgspec.json.Decoder(dict[str, Price])
_tokens = usages.c.input_tokens + usages.c.output_tokens


class SqlUsages:
    """Satisfies `store.base.Usages`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def spent(self, owner_id: str, now: int, key_id: str | None = None) -> Spent:
        """See `Usages.spent`."""
        everything = Limits(1, 1, 1, 1, 1)
        return await self._database.read(lambda connection: _spent(connection, owner_id, key_id, everything, now))

    async def widen(self, run: Run, charge: Charge, granted: int) -> int:
        """See `Usages.widen`."""
        now = self._clock.now()
        more = charge.output_tokens - granted  # an answer that is over what it asked for asks for as much again
        wanted = msgspec.structs.replace(
            charge,
            input_tokens=0,
            output_tokens=more if more > 0 else charge.output_tokens,
            limits=_while_running(charge.limits),
            key_limits=_while_running(charge.key_limits),
        )

        def write(connection: Connection) -> int:
            held = granted + _granted(connection, run, wanted, now)
            row = update(usages).where(usages.c.id == run.id, owned(usages, run.owner_id))
            cost = _cost(charge.price, Usage(charge.input_tokens, held))
            connection.execute(row.values(output_tokens=held, cost_micros=cost))
            return held

        return await self._database.submit(write, durable=False)

    async def of(
        self, owner_id: str, since: int, limit: int, before: tuple[int, str, str] | None
    ) -> Sequence[DayOfUse]:
        """See `Usages.of`."""
        return await self._days(_by_day(since, limit, before).where(owned(usages, owner_id)))

    async def everyone_s(self, since: int, limit: int, before: tuple[int, str, str] | None) -> Sequence[DayOfUse]:
        """See `Usages.everyone_s`."""
        return await self._days(_by_day(since, limit, before))

    async def _days(self, statement: Select[Any]) -> Sequence[DayOfUse]:
        return await self._database.read(lambda connection: [_day_of_use(row) for row in connection.execute(statement)])


def reserve(connection: Connection, run: Run, charge: Charge) -> Run:
    """Set aside what `run` may come to; it says if that is less than is asked for.

    Raises:
        LimitReached: too little is left.
    """
    granted = _granted(connection, run, charge, run.created_at)
    connection.execute(
        insert(usages).values(
            id=run.id,
            owner_id=run.owner_id,
            purpose="answer",
            model=run.model,
            input_tokens=charge.input_tokens,
            output_tokens=granted,
            reasoning_tokens=0,
            cached_tokens=0,
            created_at=run.created_at,
            key_id=charge.key_id,
            cost_micros=_cost(charge.price, Usage(charge.input_tokens, granted)),
            estimated=True,
            tariff=msgspec.json.encode(charge.prices).decode(),
        )
    )
    return run if granted >= charge.output_tokens else msgspec.structs.replace(run, allowed=granted)


def settle(connection: Connection, run: Run, parts: Sequence[Part]) -> None:
    """Put what `run` did cost in the place of what was set aside: as its endpoint told, or an estimate by its text."""
    row = connection.execute(select(usages).where(usages.c.id == run.id, owned(usages, run.owner_id))).one_or_none()
    if row is None:
        if run.usage is not None:
            values = {"id": run.id, "owner_id": run.owner_id, "purpose": "answer", "model": run.model}
            spend(connection, {**values, "created_at": run.created_at}, run.usage, Extra())
        return
    usage = run.usage if run.usage is not None and run.usage != Usage() else None
    estimated = usage is None
    if usage is None:
        usage = estimate(row.input_tokens, _said(connection, run, parts), run.failure.code if run.failure else None)
    price = _tariff.decode(row.tariff).get(run.model) if row.tariff else None
    values = {**msgspec.structs.asdict(usage), "model": run.model, "cost_micros": _cost(price, usage)}
    mine = update(usages).where(usages.c.id == run.id, owned(usages, run.owner_id))
    connection.execute(mine.values(**values, estimated=estimated, tariff=None))


def spend(connection: Connection, row: Mapping[str, Any], usage: Usage, more: Extra) -> None:
    """Keep a row of something that was spent at once."""
    key_id = select(usages.c.key_id).where(usages.c.id == more.run_id).scalar_subquery() if more.run_id else None
    values = {**row, **msgspec.structs.asdict(usage), "cost_micros": more.cost, "estimated": more.estimated}
    connection.execute(insert(usages).values(**values, key_id=key_id))


def _granted(connection: Connection, run: Run, charge: Charge, now: int) -> int:
    limits, of_key = charge.limits, charge.key_limits
    granted = grant(charge, limits, _spent(connection, run.owner_id, None, limits, now), now)
    if charge.key_id is not None:
        spent = _spent(connection, run.owner_id, charge.key_id, of_key, now)
        granted = min(granted, grant(charge, of_key, spent, now, "This key has"))
    return granted


def _spent(connection: Connection, owner_id: str, key_id: str | None, limits: Limits, now: int) -> Spent:
    """What was spent of the limits that there are; nothing is read for others."""
    mine = [owned(usages, owner_id)] if key_id is None else [usages.c.key_id == key_id, owned(usages, owner_id)]
    since = usages.c.created_at
    live: Select[Any] = select(func.count()).select_from(runs).where(LIVE, owned(runs, owner_id))
    if key_id is not None:
        live = live.join(usages, usages.c.id == runs.c.id).where(usages.c.key_id == key_id)
    recent = (
        select(usages.c.created_at, _tokens.label("tokens"), usages.c.purpose)
        .where(*mine, since > now - MINUTE)
        .order_by(since.desc())
        .limit(MAX_RECENT)
    )
    by_minute = limits.requests_per_minute or limits.tokens_per_minute
    today = select(func.sum(_tokens)).where(*mine, since >= day_began(now))
    month = select(func.sum(usages.c.cost_micros)).where(*mine, since >= month_began(now))
    return Spent(
        runs=connection.scalar(live) or 0 if limits.runs else 0,
        recent=[(row[0], row[1], row[2] == "answer") for row in connection.execute(recent)] if by_minute else (),
        day=int(connection.scalar(today) or 0) if limits.tokens_per_day else 0,
        month=int(connection.scalar(month) or 0) if limits.budget_per_month else 0,
    )


def _said(connection: Connection, run: Run, parts: Sequence[Part]) -> int:
    """Bytes that the model said of `parts`: without what the answer began with."""
    row = connection.scalar(select(messages.c.parts).where(messages.c.id == run.message_id))
    return max(0, _size(parts) - _size(parts_of(row or "[]")))


def _size(parts: Sequence[Part]) -> int:
    return sum(len(part.text.encode()) for part in parts)


def _cost(price: Price | None, usage: Usage) -> int | None:
    return price.of(usage) if price is not None else None


def _while_running(limits: Limits) -> Limits:
    """What an answer that was admitted can still run into."""
    return msgspec.structs.replace(limits, runs=0, requests_per_minute=0)


def _by_day(since: int, limit: int, before: tuple[int, str, str] | None) -> Select[Any]:
    day = (usages.c.created_at // DAY).label("day")
    place = tuple_(usages.c.created_at // DAY, usages.c.owner_id, usages.c.model)
    counted = case((usages.c.purpose == "answer", 1), else_=0)
    columns: list[Any] = [
        day,
        usages.c.owner_id,
        usages.c.model,
        func.sum(counted).label("requests"),
        func.sum(usages.c.input_tokens).label("input_tokens"),
        func.sum(usages.c.output_tokens).label("output_tokens"),
        func.sum(usages.c.cost_micros).label("cost"),
        func.min(case((usages.c.cost_micros.is_(None), 0), else_=1)).label("priced"),
        func.max(case((usages.c.estimated == true(), 1), else_=0)).label("estimated"),
    ]
    rows: Any = (
        select(*columns)
        .where(usages.c.created_at >= since * DAY)
        .group_by(day, usages.c.owner_id, usages.c.model)
        .order_by(day.desc(), usages.c.owner_id.desc(), usages.c.model.desc())
        .limit(limit)
    )
    if before is not None:
        # The first condition is for the index; the second is the place.
        rows = rows.where(usages.c.created_at < (before[0] + 1) * DAY, place < before)
    return rows


def _day_of_use(row: Row[Any]) -> DayOfUse:
    return DayOfUse(
        row.day,
        row.owner_id,
        row.model,
        int(row.requests),
        int(row.input_tokens),
        int(row.output_tokens),
        int(row.cost or 0),
        bool(row.priced),
        bool(row.estimated),
    )
