"""The contract of the store: what is kept, whose it is, and that a run ends once."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from app.clock import Clock
from app.database import Database
from app.errors import KeyReused, StorageFull
from app.models import Failure, Part, Piece, Run, Usage
from app.services.transcript import whole
from app.store import sql
from app.store.base import Key, Store
from app.store.changes import SqlChanges
from tests.support.databases import ENGINES, count, fill_disk, free_disk, migrated

HOUR = 3600 * 1000  # milliseconds
KEY = Key("click-1", "a" * 64)
PARTS = (Part("reasoning", "흠… "), Part("text", '안녕 😀 "quoted"\n'), Part("text", ""))
FAILURE = Failure("upstream_timeout", "The model took too long.", True)


class MovedClock(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead


class Kit(NamedTuple):
    """One implementation, its clock, and its file."""

    store: Store
    clock: MovedClock
    database: Database

    def run(self, owner: str = "ann", **more: Any) -> Run:
        """A run that was just asked for."""
        ids = {"id": self.clock.new_id(), "message_id": self.clock.new_id(), "created_at": self.clock.now()}
        return Run(**{"owner_id": owner, "model": "scripted", "status": "queued", **ids, **more})

    async def accepted(self, owner: str = "ann", key: Key | None = None) -> Run:
        """A run that is kept."""
        return await self.store.accept(self.run(owner), key)

    def ended(self, run: Run, status: Any = "completed", **more: Any) -> Run:
        """The same run at its end."""
        return msgspec.structs.replace(run, status=status, ended_at=self.clock.now(), **more)

    async def recover(self, texts: dict[str, list[Piece]] | None = None) -> int:
        """What a start after a crash does."""
        now = self.clock.now()
        return await self.database.submit(
            lambda connection: sql.recover(connection, texts or {}, whole, now), durable=True
        )


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with migrated(tmp_path, request.param) as database:
        clock = MovedClock()
        yield Kit(sql.SqlStore(database, SqlChanges(database), clock, run_retention_hours=48), clock, database)


async def test_what_was_accepted_is_found_with_an_empty_answer(kit: Kit) -> None:
    run = kit.run()
    assert await kit.store.accept(run, None) == run
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert (kept.run, kept.parts) == (run, ())


async def test_an_end_is_kept_word_for_word(kit: Kit) -> None:
    run = await kit.accepted()
    usage = Usage(12, 3, 15)
    done = kit.ended(run, attempts=2, first_token_at=kit.clock.now(), finish_reason="length", usage=usage)
    assert await kit.store.finish(done, PARTS)
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert (kept.run, kept.parts) == (done, PARTS)


async def test_a_failure_is_kept_with_its_sentence(kit: Kit) -> None:
    run = await kit.accepted()
    done = kit.ended(run, "failed", failure=FAILURE)
    await kit.store.finish(done, PARTS)
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert kept.run == done


async def test_a_run_ends_once_and_nothing_changes_it_afterwards(kit: Kit) -> None:
    run = await kit.accepted()
    first = kit.ended(run)
    assert await kit.store.finish(first, PARTS)
    assert not await kit.store.finish(kit.ended(run, "cancelled"), (Part("text", "other"),))
    await kit.store.mark(msgspec.structs.replace(run, status="running", attempts=7))
    await kit.store.ask_cancel(run, kit.clock.now())
    assert await kit.recover({run.id: [Piece(0, "text", 0, "late")]}) == 0
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert (kept.run, kept.parts) == (first, PARTS)


async def test_of_ends_at_the_same_moment_one_wins(kit: Kit) -> None:
    run = await kit.accepted()
    statuses = ["completed", "cancelled", "failed", "interrupted"]
    won = await asyncio.gather(
        *(kit.store.finish(kit.ended(run, status), (Part("text", status),)) for status in statuses)
    )
    assert won.count(True) == 1
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert (kept.run.status, kept.parts[0].text) == (statuses[won.index(True)],) * 2


async def test_a_mark_is_kept(kit: Kit) -> None:
    run = await kit.accepted()
    marked = msgspec.structs.replace(run, status="running", attempts=3, model="another/one")
    await kit.store.mark(marked)
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert kept.run == marked


async def test_someone_else_s_run_is_not_there(kit: Kit) -> None:
    run = await kit.accepted("ann", KEY)
    bob = msgspec.structs.replace(run, owner_id="bob")
    assert await kit.store.run("bob", run.id) is None
    assert await kit.store.find("bob", KEY) is None
    assert not await kit.store.finish(kit.ended(bob), PARTS)
    await kit.store.mark(msgspec.structs.replace(bob, status="running", attempts=9))
    await kit.store.ask_cancel(bob, kit.clock.now())
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert (kept.run, kept.parts) == (run, ())
    assert await kit.recover() == 1
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert kept.run.status == "interrupted", "nobody else can have it cancelled"


async def test_a_known_key_gives_the_same_run_and_writes_nothing(kit: Kit) -> None:
    first = await kit.accepted(key=KEY)
    again = await kit.accepted(key=KEY)
    found = await kit.store.find("ann", KEY)
    assert again == first == found
    assert (count(kit.database, "runs"), count(kit.database, "messages"), count(kit.database, "idempotency_keys")) == (
        1,
        1,
        1,
    )


async def test_one_key_at_the_same_moment_makes_one_run(kit: Kit) -> None:
    runs = await asyncio.gather(*(kit.accepted(key=KEY) for _ in range(20)))
    assert len({run.id for run in runs}) == 1
    assert (count(kit.database, "runs"), count(kit.database, "messages")) == (1, 1)


async def test_a_key_used_for_something_else_is_refused_and_writes_nothing(kit: Kit) -> None:
    await kit.accepted(key=KEY)
    other = Key(KEY.value, "b" * 64)
    with pytest.raises(KeyReused):
        await kit.accepted(key=other)
    with pytest.raises(KeyReused):
        await kit.store.find("ann", other)
    assert (count(kit.database, "runs"), count(kit.database, "messages")) == (1, 1)


async def test_the_same_key_of_two_people_is_two_keys(kit: Kit) -> None:
    ann, bob = await kit.accepted("ann", KEY), await kit.accepted("bob", Key(KEY.value, "c" * 64))
    assert ann.id != bob.id
    assert await kit.store.find("ann", KEY) == ann


async def test_a_key_is_new_again_after_a_day(kit: Kit) -> None:
    first = await kit.accepted(key=KEY)
    await kit.store.finish(kit.ended(first), PARTS)
    kit.clock.ahead = 24 * HOUR - 5000
    assert (await kit.accepted(key=KEY)).id == first.id
    kit.clock.ahead = 24 * HOUR + 1
    other = Key(KEY.value, "b" * 64)
    assert await kit.store.find("ann", KEY) is None
    second = await kit.accepted(key=other)
    assert second.id != first.id
    assert await kit.store.find("ann", other) == second
    assert await kit.store.run("ann", first.id) is not None, "the run outlives its key"


async def test_what_is_no_longer_kept_is_not_there_and_then_forgotten(kit: Kit) -> None:
    old, live = await kit.accepted(key=KEY), await kit.accepted()
    await kit.store.finish(kit.ended(old), PARTS)
    kit.clock.ahead = 48 * HOUR - 5000
    assert await kit.store.run("ann", old.id) is not None
    assert await kit.store.sweep() == 0
    kit.clock.ahead = 48 * HOUR + 5000
    assert await kit.store.run("ann", old.id) is None
    assert await kit.store.sweep() == 1
    assert await kit.store.sweep() == 0
    assert await kit.store.run("ann", live.id) is not None, "a run that has not ended is kept, however old"
    assert (count(kit.database, "runs"), count(kit.database, "messages"), count(kit.database, "idempotency_keys")) == (
        1,
        1,
        0,
    )


async def test_much_is_forgotten_in_small_commits(kit: Kit) -> None:
    for run in await asyncio.gather(*(kit.accepted() for _ in range(sql.SWEEP_ROWS + 20))):
        await kit.store.finish(kit.ended(run), ())
    kit.clock.ahead = 49 * HOUR
    assert [await kit.store.sweep() for _ in range(3)] == [sql.SWEEP_ROWS, 20, 0]
    assert (count(kit.database, "runs"), count(kit.database, "messages")) == (0, 0)


async def test_recovery_ends_what_was_left_over_with_the_text_that_was_kept(kit: Kit) -> None:
    queued, running, stopped, done = [await kit.accepted() for _ in range(4)]
    await kit.store.mark(msgspec.structs.replace(running, status="running"))
    await kit.store.ask_cancel(stopped, kit.clock.now())
    await kit.store.finish(kit.ended(done), PARTS)
    texts = {
        running.id: [Piece(0, "reasoning", 0, "hm"), Piece(1, "text", 0, "one "), Piece(1, "text", 4, "two")],
        stopped.id: [Piece(0, "text", 0, "half")],
    }
    assert await kit.recover(texts) == 3
    assert await kit.recover(texts) == 0, "done twice it changes nothing"
    kept = {run.id: await kit.store.run("ann", run.id) for run in (queued, running, stopped, done)}
    told = {
        run_id: (one.run.status, one.run.failure and one.run.failure.code, one.parts)
        for run_id, one in kept.items()
        if one is not None
    }
    assert told == {
        queued.id: ("interrupted", "interrupted", ()),
        running.id: ("interrupted", "interrupted", (Part("reasoning", "hm"), Part("text", "one two"))),
        stopped.id: ("cancelled", "cancelled", (Part("text", "half"),)),
        done.id: ("completed", None, PARTS),
    }


async def test_a_full_disk_refuses_and_keeps_nothing(kit: Kit) -> None:
    run = await kit.accepted()
    await fill_disk(kit.database)
    with pytest.raises(StorageFull):
        await asyncio.gather(*(kit.accepted(key=Key(f"k{number}", "d" * 64)) for number in range(500)))
    with pytest.raises(StorageFull):
        await kit.store.finish(kit.ended(run), (Part("text", "x" * 400_000),))
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert kept.run == run
    await free_disk(kit.database)
    assert (count(kit.database, "runs"), count(kit.database, "idempotency_keys")) == (1, 0)
    assert await kit.store.finish(kit.ended(run), PARTS)
