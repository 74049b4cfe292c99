"""What was spent, over SQLAlchemy Core, for both dialects: set aside with the run, settled with its end.

The row of an answer has its run's id. Both of its writes are part of commits that happen anyway, and the look at what
is left is part of the first one: so no two answers can be promised the same, and after a crash nothing is forgotten.
Where no limit counts it there is only the second one, and the run's own row has what that needs.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, tuple_, update

from app.clock import Clock
from app.database import Database
from app.limits import (
    DAY,
    MINUTE,
    Bill,
    Charge,
    Limits,
    Price,
    Spent,
    estimate,
    grant,
    is_limited,
    month_began,
)
from app.models import Part, Run, Usage
from app.store.base import DayOfUse, Extra
from app.store.prepared import Prepared
from app.store.rows import LIVE, owned, parts_of
from app.store.tables import messages, runs, usage_days, usages

MAX_RECENT = 10_000  # rows of a minute that are looked at: more is nobody's typing, and the day's limit counts them all

_tariff = msgspec.json.Decoder(dict[str, Price])
_bill = msgspec.json.Decoder(Bill)
_PLACE = ("owner_id", "day", "model", "key_id")
_AMOUNTS = ("requests", "input_tokens", "output_tokens", "cost_micros", "unpriced", "estimates")
_DAYS = usage_days.c
_ADD = Prepared(
    update(usage_days)
    .where(*(_DAYS[name] == bindparam(f"the_{name}") for name in _PLACE))
    .values({name: _DAYS[name] + bindparam(f"more_{name}") for name in _AMOUNTS})
)
_FIRST = Prepared(insert(usage_days), (*_PLACE, *_AMOUNTS))
_KEEP = Prepared(insert(usages), tuple(usages.c.keys()))
_MINE = (usages.c.id == bindparam("the_id"), owned(usages, bindparam("the_owner")))
_ROW = Prepared(select(usages).where(*_MINE))
_CHANGES: dict[tuple[str, ...], Prepared] = {}  # by the columns that are changed: there are two sets
_NONE = {"tariff": None}  # of what is spent at once
_NOTHING_SPENT = Spent()
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
            row = _row(connection, run)
            assert row is not None  # it was set aside with the run
            cost = _cost(charge.price, Usage(charge.input_tokens, held))
            _change(connection, row, {"output_tokens": held, "cost_micros": cost})
            return held

        return await self._database.submit(write, durable=False, owner_id=run.owner_id)

    async def of(
        self, owner_id: str, since: int, limit: int, before: tuple[int, str, str] | None
    ) -> Sequence[DayOfUse]:
        """See `Usages.of`."""
        return await self._days(_by_day(since, limit, before).where(owned(usage_days, owner_id)))

    async def everyone_s(self, since: int, limit: int, before: tuple[int, str, str] | None) -> Sequence[DayOfUse]:
        """See `Usages.everyone_s`."""
        return await self._days(_by_day(since, limit, before))

    async def _days(self, statement: Select[Any]) -> Sequence[DayOfUse]:
        return await self._database.read(lambda connection: [_day_of_use(row) for row in connection.execute(statement)])


def reserve(connection: Connection, run: Run, charge: Charge, *, shared: bool) -> Run:
    """Set aside what `run` may come to; it says if that is less than is asked for.

    Where no limit counts it, nobody asks for that before the end: then it only goes with the run's own row. Not where
    the database is `shared`: a replica of the version before would not find it there.

    Raises:
        LimitReached: too little is left.
    """
    bill = Bill(charge.input_tokens, charge.prices, charge.key_id)
    if not shared and not is_limited(charge):
        return msgspec.structs.replace(run, charge=msgspec.json.encode(bill).decode())
    granted = _granted(connection, run, charge, run.created_at)
    _set_aside(connection, run, bill, Usage(charge.input_tokens, granted), charge.price)
    return run if granted >= charge.output_tokens else msgspec.structs.replace(run, allowed=granted)


def keep_before_erasing(connection: Connection, run: Run) -> None:
    """Before the row of `run`, which may live, goes with its conversation: what it has cost is counted all the same."""
    if run.charge is not None:
        bill = _bill.decode(run.charge)
        _set_aside(connection, run, bill, Usage(bill.input_tokens), bill.prices.get(run.model))


def settle_erased(connection: Connection, run: Run, parts: Sequence[Part]) -> None:
    """As `settle`, of a run whose row went with its conversation."""
    row = _row(connection, run)
    if row is not None and row["tariff"] is not None:  # else it is settled already
        settle(connection, msgspec.structs.replace(run, charge=None), parts)


def settle(connection: Connection, run: Run, parts: Sequence[Part]) -> None:
    """Put what `run` did cost in the place of what was set aside: as its endpoint told, or an estimate by its text."""
    if run.charge is not None:
        bill = _bill.decode(run.charge)
        amounts = _came_to(connection, run, parts, bill.input_tokens, bill.prices.get(run.model))
        _keep(connection, {**_of(run), "key_id": bill.key_id, **amounts})
    elif (row := _row(connection, run)) is not None:
        price = _tariff.decode(row["tariff"]).get(run.model) if row["tariff"] else None
        amounts = _came_to(connection, run, parts, row["input_tokens"], price)
        _change(connection, row, {**amounts, "model": run.model, "tariff": None})
    elif run.usage is not None:
        spend(connection, _of(run), run.usage, Extra())


def _set_aside(connection: Connection, run: Run, bill: Bill, usage: Usage, price: Price | None) -> None:
    amounts = _amounts(usage, _cost(price, usage), estimated=True)
    tariff = msgspec.json.encode(bill.prices).decode()
    _keep(connection, {**_of(run), "key_id": bill.key_id, **amounts, "tariff": tariff})


def _of(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "owner_id": run.owner_id,
        "purpose": "answer",
        "model": run.model,
        "created_at": run.created_at,
    }


def _came_to(
    connection: Connection, run: Run, parts: Sequence[Part], input_tokens: int, price: Price | None
) -> dict[str, Any]:
    usage = run.usage if run.usage is not None and run.usage != Usage() else None
    estimated = usage is None
    if usage is None:
        usage = estimate(input_tokens, _said(connection, run, parts), run.failure.code if run.failure else None)
    return _amounts(usage, _cost(price, usage), estimated=estimated)


def spend(connection: Connection, row: Mapping[str, Any], usage: Usage, more: Extra) -> None:
    """Keep a row of something that was spent at once."""
    key_id = connection.scalar(select(usages.c.key_id).where(usages.c.id == more.run_id)) if more.run_id else None
    _keep(connection, {**row, "key_id": key_id, **_amounts(usage, more.cost, estimated=more.estimated)})


def _amounts(usage: Usage, cost: int | None, *, estimated: bool) -> dict[str, Any]:
    return {**msgspec.structs.asdict(usage), "cost_micros": cost, "estimated": estimated}


def _row(connection: Connection, run: Run) -> Mapping[str, Any] | None:
    found: SimpleNamespace | None = _ROW.one(connection, {"the_id": run.id, "the_owner": run.owner_id})
    return vars(found) if found is not None else None


def _keep(connection: Connection, row: Mapping[str, Any]) -> None:
    _KEEP.run(connection, {**_NONE, **row})
    _book(connection, _place_of(row), _amounts_of(row))


def _change(connection: Connection, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    columns = tuple(values)
    if (prepared := _CHANGES.get(columns)) is None:
        prepared = _CHANGES[columns] = Prepared(update(usages).where(*_MINE), columns)
    prepared.run(connection, {"the_id": row["id"], "the_owner": row["owner_id"], **values})
    changed = {**row, **values}
    before, after = _amounts_of(row), _amounts_of(changed)
    if changed["model"] == row["model"]:
        _book(connection, _place_of(row), {name: after[name] - before[name] for name in _AMOUNTS})
        return
    _book(connection, _place_of(row), {name: -before[name] for name in _AMOUNTS})
    _book(connection, _place_of(changed), after)


def _place_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Which sums a row counts in."""
    day, key_id = row["created_at"] // DAY, row["key_id"] or ""
    return {"owner_id": row["owner_id"], "day": day, "model": row["model"], "key_id": key_id}


def _amounts_of(row: Mapping[str, Any]) -> dict[str, int]:
    """What a row adds to them."""
    return {
        "requests": int(row["purpose"] == "answer"),
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost_micros": row["cost_micros"] or 0,
        "unpriced": int(row["cost_micros"] is None),
        "estimates": int(row["estimated"]),
    }


def _book(connection: Connection, place: Mapping[str, Any], amounts: Mapping[str, int]) -> None:
    """Add to the sums of a day."""
    there = {f"the_{name}": value for name, value in place.items()}
    added = {f"more_{name}": value for name, value in amounts.items()}
    if _ADD.run(connection, {**there, **added}) == 0:
        _FIRST.run(connection, {**place, **amounts})


def _granted(connection: Connection, run: Run, charge: Charge, now: int) -> int:
    limits, of_key = charge.limits, charge.key_limits
    granted = grant(charge, limits, _spent(connection, run.owner_id, None, limits, now), now)
    if charge.key_id is not None:
        spent = _spent(connection, run.owner_id, charge.key_id, of_key, now)
        granted = min(granted, grant(charge, of_key, spent, now, "This key has"))
    return granted


def _spent(connection: Connection, owner_id: str, key_id: str | None, limits: Limits, now: int) -> Spent:
    """What was spent of the limits that there are; nothing is read for others."""
    if not any(msgspec.structs.astuple(limits)):
        return _NOTHING_SPENT
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
    days = [owned(usage_days, owner_id)] if key_id is None else [owned(usage_days, owner_id), _of_key(key_id)]
    tokens, cost = usage_days.c.input_tokens + usage_days.c.output_tokens, usage_days.c.cost_micros
    today = select(func.sum(tokens)).where(*days, usage_days.c.day == now // DAY)
    month = select(func.sum(cost)).where(*days, usage_days.c.day >= month_began(now) // DAY)
    return Spent(
        runs=connection.scalar(live) or 0 if limits.runs else 0,
        recent=[(row[0], row[1], row[2] == "answer") for row in connection.execute(recent)] if by_minute else (),
        day=int(connection.scalar(today) or 0) if limits.tokens_per_day else 0,
        month=int(connection.scalar(month) or 0) if limits.budget_per_month else 0,
    )


def _of_key(key_id: str) -> Any:
    return usage_days.c.key_id == key_id


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


def _by_day(since: int, limit: int, before: tuple[int, str, str] | None) -> Any:
    days = usage_days.c
    place = (days.day, days.owner_id, days.model)
    rows = (
        select(*place, *(func.sum(days[name]).label(name) for name in _AMOUNTS))
        .where(days.day >= since)
        .group_by(*place)
        .having(
            func.sum(days.requests + days.input_tokens + days.output_tokens) > 0
        )  # a model that handed over is none
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if before is None:
        return rows
    return rows.where(days.day <= before[0], tuple_(*place) < tuple_(*before, types=[column.type for column in place]))


def _day_of_use(row: Row[Any]) -> DayOfUse:
    return DayOfUse(
        row.day,
        row.owner_id,
        row.model,
        int(row.requests),
        int(row.input_tokens),
        int(row.output_tokens),
        int(row.cost_micros),
        not row.unpriced,
        bool(row.estimates),
    )
