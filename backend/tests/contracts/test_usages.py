"""The contract of what was spent: set aside with the run, settled with its end, and never beyond the limits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import Database
from app.errors import BudgetSpent, LimitReached, TokensSpent, TooManyRequests, TooManyRunsOfYours
from app.limits import DAY, Charge, Price
from app.models import STOPPED, Conversation, Failure, Limits, Part, Piece, Run, Usage
from app.services.transcript import whole
from app.store import sql
from app.store.base import Extra, Key, Place, Question
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.usages import SqlUsages
from tests.contracts.test_store import MovedClock
from tests.support.databases import ENGINES, migrated

PRICES = {"m": Price(1.0, 2.0, 0.5)}
MINUTE = 60_000
NOON = 12 * 3600 * 1000
EITHER = pytest.mark.parametrize(
    "limits", [Limits(), Limits(tokens_per_day=1_000_000)], ids=["unlimited", "limited"]
)  # something is set aside, or nothing


class Kit(NamedTuple):
    """One implementation and its clock, which stands at noon of the fifteenth of a month."""

    store: sql.SqlStore
    usages: SqlUsages
    clock: MovedClock
    database: Database

    async def begin(self, limits: Limits, key: Key | None = None, owner: str = "ann", **more: Any) -> Run:
        """A run that is accepted with what is set aside for it."""
        ids = {"id": self.clock.new_id(), "message_id": self.clock.new_id(), "created_at": self.clock.now()}
        run = Run(owner_id=owner, model="m", status="queued", **ids)
        charge = Charge(**{"input_tokens": 10, "output_tokens": 100, "limits": limits, **more})
        return await self.store.accept(run, key, None, charge)

    async def end(self, run: Run, usage: Usage | None = None, text: str = "", failure: Failure | None = None) -> None:
        """The same run at its end."""
        status = "failed" if failure else "completed"
        ended = msgspec.structs.replace(run, status=status, usage=usage, failure=failure, ended_at=self.clock.now())
        assert await self.store.finish(ended, (Part("text", text),))

    async def total(self, owner: str = "ann") -> int:
        """Tokens of today."""
        return (await self.usages.spent(owner, self.clock.now())).day


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with migrated(tmp_path, request.param) as database:
        clock = MovedClock()
        clock.ahead = round(datetime(2031, 5, 15, 12, tzinfo=UTC).timestamp() * 1000) - clock.now()
        store = sql.SqlStore(database, SqlChanges(database), clock, run_retention_hours=48)
        yield Kit(store, SqlUsages(database, clock), clock, database)


async def test_what_a_run_may_come_to_is_set_aside_until_it_ends(kit: Kit) -> None:
    run = await kit.begin(Limits(tokens_per_day=1000))
    assert (run.allowed, await kit.total()) == (None, 110)
    await kit.end(run, Usage(12, 3))
    assert await kit.total() == 15


async def test_where_no_limit_counts_it_nothing_is_set_aside_and_its_end_is_counted_all_the_same(kit: Kit) -> None:
    run = await kit.begin(Limits(), prices=PRICES, key_id="k")
    assert (run.allowed, await kit.total()) == (None, 0)
    await kit.end(run, Usage(12, 3))
    assert await kit.total() == 15
    (use,) = await kit.usages.of("ann", 0, 10, None)
    assert (use.requests, use.cost, use.estimated) == (1, 18, False)
    of_key = await kit.usages.spent("ann", kit.clock.now(), "k")
    assert (of_key.day, of_key.month) == (15, 18)
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert kept.run.charge is None, "its row does not keep for ever what it was reckoned by"


async def test_parallel_starts_at_the_edge_are_promised_no_more_than_there_is(kit: Kit) -> None:
    limits = Limits(tokens_per_day=250)
    runs = await asyncio.gather(*(kit.begin(limits) for _ in range(10)), return_exceptions=True)
    begun = [run for run in runs if isinstance(run, Run)]
    assert [run.allowed for run in begun] == [None, None, 20]
    assert all(isinstance(run, TokensSpent) for run in runs if not isinstance(run, Run))
    assert await kit.total() == 250


async def test_a_refusal_writes_nothing_and_says_what_was_spent_and_when_to_come_back(kit: Kit) -> None:
    limits = Limits(tokens_per_day=120)
    await kit.end(await kit.begin(limits), Usage(50, 60))
    with pytest.raises(TokensSpent, match="spent 110 of 120 tokens today") as refused:
        await kit.begin(limits)
    assert (refused.value.status, refused.value.retry_after) == (429, 12 * 3600)
    assert "2031-05-16 00:00 UTC" in refused.value.message
    assert await kit.total() == 110


async def test_a_known_key_is_answered_before_any_limit(kit: Kit) -> None:
    key, limits = Key("click", "a" * 64), Limits(runs=1, requests_per_minute=1, tokens_per_day=115)
    run = await kit.begin(limits, key)
    assert (await kit.begin(limits, key)).id == run.id
    with pytest.raises(LimitReached):
        await kit.begin(limits)


async def test_runs_at_once_are_counted_until_they_end(kit: Kit) -> None:
    limits = Limits(runs=2)
    first, _ = await kit.begin(limits), await kit.begin(limits)
    with pytest.raises(TooManyRunsOfYours, match="2 answers being written, of 2"):
        await kit.begin(limits)
    await kit.begin(limits, owner="bob")
    await kit.end(first)
    await kit.begin(limits)


async def test_the_minute_slides(kit: Kit) -> None:
    limits = Limits(requests_per_minute=2)
    await kit.end(await kit.begin(limits))
    kit.clock.ahead += 20_000
    await kit.end(await kit.begin(limits))
    with pytest.raises(TooManyRequests) as refused:
        await kit.begin(limits)
    assert refused.value.retry_after in (39, 40)
    kit.clock.ahead += 40_001
    await kit.begin(limits)
    with pytest.raises(TooManyRequests):
        await kit.begin(limits)


async def test_tokens_of_a_minute_come_back_with_the_oldest_answer(kit: Kit) -> None:
    limits = Limits(tokens_per_minute=200)
    await kit.end(await kit.begin(limits), Usage(100, 80))
    kit.clock.ahead += 30_000
    with pytest.raises(TokensSpent, match="within a minute") as refused:
        await kit.begin(limits)
    assert refused.value.retry_after in (29, 30)
    kit.clock.ahead += 30_001
    assert (await kit.begin(limits)).allowed is None


async def test_the_day_and_the_month_begin_anew_at_midnight_utc(kit: Kit) -> None:
    limits = Limits(tokens_per_day=300, budget_per_month=500)
    await kit.end(await kit.begin(limits, prices=PRICES), Usage(100, 190))
    with pytest.raises(TokensSpent):
        await kit.begin(limits, prices=PRICES)
    kit.clock.ahead += 12 * 3600 * 1000
    with pytest.raises(BudgetSpent, match=r"\$0\.00048 of \$0\.0005 this month") as refused:
        await kit.begin(limits, prices=PRICES)
    assert refused.value.retry_after is not None
    assert "2031-06-01 00:00 UTC" in refused.value.message
    kit.clock.ahead += 16 * DAY
    assert (await kit.begin(limits, prices=PRICES)).allowed is None


async def test_money_is_no_limit_for_what_costs_nothing(kit: Kit) -> None:
    limits = Limits(budget_per_month=30)
    await kit.end(await kit.begin(limits, prices=PRICES, output_tokens=10), Usage(20, 10))
    with pytest.raises(BudgetSpent):
        await kit.begin(limits, prices=PRICES)
    assert (await kit.begin(limits)).allowed is None


async def test_a_key_has_its_own_limits_and_never_more_than_its_user(kit: Kit) -> None:
    narrow = {"key_id": "k1", "key_limits": Limits(tokens_per_day=150)}
    await kit.end(await kit.begin(Limits(tokens_per_day=1000), **narrow), Usage(70, 70))
    with pytest.raises(TokensSpent, match="This key has spent 140 of 150"):
        await kit.begin(Limits(tokens_per_day=1000), **narrow)
    await kit.begin(Limits(tokens_per_day=1000), key_id="k2", key_limits=Limits(tokens_per_day=150))
    with pytest.raises(TokensSpent, match="You have"):
        await kit.begin(Limits(tokens_per_day=260), key_id="k3", key_limits=Limits(tokens_per_day=10**6))


async def test_a_live_run_is_given_what_others_left(kit: Kit) -> None:
    limits = Limits(tokens_per_day=200)
    first, second = await kit.begin(limits), await kit.begin(limits)
    assert (first.allowed, second.allowed) == (None, 80)
    charge = Charge(10, 100, limits=limits)
    with pytest.raises(TokensSpent):
        await kit.usages.widen(second, charge, 80)
    await kit.end(first, Usage(10, 10))
    assert await kit.usages.widen(second, charge, 80) == 100
    assert await kit.total() == 20 + 110


@EITHER
async def test_without_the_endpoint_s_word_the_text_is_counted_without_what_it_began_with(
    kit: Kit, limits: Limits
) -> None:
    run = await kit.begin(limits)
    await kit.end(run, None, "안녕하세요 abcd")  # 20 bytes
    (use,) = await kit.usages.of("ann", 0, 10, None)
    assert (use.input_tokens, use.output_tokens, use.estimated, use.priced) == (10, 5, True, False)


@pytest.mark.parametrize(("code", "spent"), [("upstream_unavailable", 0), ("upstream_timeout", 10)])
async def test_an_answer_that_nobody_can_have_billed_costs_nothing(kit: Kit, code: str, spent: int) -> None:
    await kit.end(await kit.begin(Limits()), failure=Failure(code, "x", True))
    assert await kit.total() == spent


@EITHER
async def test_after_a_crash_what_was_said_is_counted_and_the_rest_is_given_back(kit: Kit, limits: Limits) -> None:
    run = await kit.begin(limits, prices=PRICES)
    now = kit.clock.now()
    pieces = {run.id: [Piece(0, "text", 0, "x" * 40)]}
    await kit.database.submit(lambda connection: sql.recover(connection, pieces, whole, now), durable=True)
    (use,) = await kit.usages.of("ann", 0, 10, None)
    assert (use.input_tokens, use.output_tokens, use.cost, use.estimated) == (10, 10, 30, True)


async def test_an_answer_whose_conversation_is_deleted_meanwhile_is_counted_once(kit: Kit) -> None:
    conversations = SqlConversations(kit.database, SqlChanges(kit.database), kit.clock)
    now = kit.clock.now()
    conversation = Conversation(kit.clock.new_id(), "ann", now, now)
    await conversations.create(conversation)
    ids: dict[str, Any] = {"id": kit.clock.new_id(), "message_id": kit.clock.new_id()}
    run = Run(**ids, owner_id="ann", model="m", status="running", created_at=now, conversation_id=conversation.id)
    place = Place(conversation.id, None, Question(kit.clock.new_id(), "Well?"), title="Words")
    accepted = await kit.store.accept(run, None, place, Charge(10, 100, PRICES))
    await conversations.delete("ann", conversation.id)
    assert await kit.total() == 10, "what is known of it when a crash follows"
    ended = msgspec.structs.replace(accepted, status="cancelled", usage=Usage(12, 3), ended_at=kit.clock.now())
    for _ in range(2):
        assert not await kit.store.finish(ended, (Part("text", "Yes"),))
    (use,) = await kit.usages.of("ann", 0, 10, None)
    assert (use.requests, use.input_tokens, use.output_tokens, use.cost, use.estimated) == (1, 12, 3, 18, False)


@EITHER
async def test_a_cancelled_run_counts_what_it_said(kit: Kit, limits: Limits) -> None:
    run = await kit.begin(limits)
    ended = msgspec.structs.replace(run, status="cancelled", failure=STOPPED, ended_at=kit.clock.now())
    await kit.store.finish(ended, (Part("text", "x" * 8),))
    assert await kit.total() == 12


async def test_what_was_spent_is_told_by_day_and_model_page_by_page(kit: Kit) -> None:
    for owner, days in (("ann", 0), ("ann", 1), ("bob", 1), ("ann", 1), ("ann", 3)):
        kit.clock.ahead += days * DAY
        await kit.end(await kit.begin(Limits(), owner=owner, prices=PRICES), Usage(2, 3))
    await kit.store.spend("ann", "title", "m", Usage(1, 1), Extra(cost=3))
    today = kit.clock.now() // DAY
    mine = await kit.usages.of("ann", 0, 10, None)
    assert [(use.day, use.requests, use.input_tokens, use.cost, use.priced) for use in mine] == [
        (today, 1, 3, 11, True),
        (today - 3, 1, 2, 8, True),
        (today - 5, 1, 2, 8, True),
        (today - 6, 1, 2, 8, True),
    ]
    everyone = await kit.usages.everyone_s(today - 5, 10, None)
    assert [(use.day, use.owner_id) for use in everyone] == [
        (today, "ann"),
        (today - 3, "ann"),
        (today - 4, "bob"),
        (today - 5, "ann"),
    ]
    first = everyone[1]
    assert await kit.usages.everyone_s(today - 5, 10, (first.day, first.owner_id, first.model)) == everyone[2:]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 40), st.integers(1, 120)),
        st.tuples(st.just("end"), st.integers(0, 9), st.integers(0, 120)),
        st.tuples(st.just("widen"), st.integers(0, 9), st.just(0)),
    ),
    max_size=30,
)


@given(steps=STEPS, limit=st.integers(1, 400))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_comes_when_no_more_is_promised_than_the_limit(
    kit: Kit, steps: list[tuple[str, int, int]], limit: int
) -> None:
    """Answers that keep to what they were granted never pass the limit, however they are interleaved."""
    owner = kit.clock.new_id()
    limits = Limits(tokens_per_day=limit)
    live: list[tuple[Run, Charge, int]] = []
    for step, one, other in steps:
        match step:
            case "begin":
                charge = Charge(one, other, limits=limits)
                with suppress(TokensSpent):
                    run = await kit.begin(limits, owner=owner, input_tokens=one, output_tokens=other)
                    live.append((run, charge, run.allowed or other))
            case "end" if live:
                run, charge, granted = live.pop(one % len(live))
                await kit.end(run, Usage(charge.input_tokens, min(other, granted)))
            case "widen" if live:
                place = one % len(live)
                run, charge, granted = live[place]
                with suppress(TokensSpent):
                    live[place] = (run, charge, await kit.usages.widen(run, charge, granted))
            case _:
                pass
        assert await kit.total(owner) <= limit
    assert await kit.total(owner) >= sum(charge.input_tokens + granted for _, charge, granted in live)
