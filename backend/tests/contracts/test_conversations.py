"""The contract of the conversations' store: whose they are, how long they are kept, and what is told of them."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from sqlalchemy import Connection

from app.clock import Clock
from app.database import Database
from app.engines.sqlite import SqliteDatabase
from app.errors import ConversationNotFound, MessageNotFound
from app.models import Conversation, Part, Run, Usage
from app.store import conversations as conversation_store
from app.store import sql, tree
from app.store.base import Change, Place, Question
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.search import SqlSearch
from tests.support.databases import ENGINES, count, fetched, migrated

HOUR = 3600 * 1000  # milliseconds
DAY = 24 * HOUR
NOWHERE = "0" * 26


class MovedClock(Clock):
    """A clock that a test moves, and of which no two moments are the same."""

    def __init__(self) -> None:
        self.ahead = 0
        self._last = 0

    def now(self) -> int:
        self._last = max(self._last + 1, super().now() + self.ahead)
        return self._last


class Kit(NamedTuple):
    """One implementation, its clock, and its file."""

    store: sql.SqlStore
    conversations: SqlConversations
    changes: SqlChanges
    search: SqlSearch
    clock: MovedClock
    database: Database

    async def conversation(self, owner: str = "ann", **more: Any) -> Conversation:
        """One that is kept."""
        now = self.clock.now()
        new = Conversation(self.clock.new_id(), owner, now, now, **more)
        await self.conversations.create(new)
        return new

    async def asked(self, conversation: Conversation, text: str = "canary?", parent: str | None = None) -> Run:
        """A question in it, and the run that answers."""
        place = Place(conversation.id, parent, Question(self.clock.new_id(), text), title="Words")
        ids = {"id": self.clock.new_id(), "message_id": self.clock.new_id(), "created_at": self.clock.now()}
        run = Run(**ids, owner_id=conversation.owner_id, model="m", status="queued", conversation_id=conversation.id)
        return await self.store.accept(run, None, place)

    async def answered(
        self, conversation: Conversation, text: str = "canary?", said: str = "canary!", parent: str | None = None
    ) -> Run:
        """A question in it, and its whole answer."""
        run = await self.asked(conversation, text, parent)
        done = msgspec.structs.replace(
            run, status="completed", finish_reason="stop", ended_at=self.clock.now(), usage=Usage(5, 7)
        )
        assert await self.store.finish(done, (Part("text", said),))
        return done

    async def found(self, owner: str = "ann", query: str = "canary") -> int:
        """How much the search finds."""
        return len((await self.search.find(owner, query, 100)).items)

    async def changed(self, owner: str = "ann", after: int = 0) -> list[Change]:
        """What is told of the owner's."""
        told = await self.changes.since(owner, after, 1000)
        assert told is not None
        return list(told)

    async def erased(self) -> int:
        """Erase all that is deleted; in how many commits."""
        commits = 0
        while await self.conversations.erase():
            commits += 1
        return commits


def kit_of(database: Database) -> Kit:
    clock, changes = MovedClock(), SqlChanges(database)
    store = sql.SqlStore(database, changes, clock, run_retention_hours=24)
    return Kit(store, SqlConversations(database, changes, clock), changes, SqlSearch(database), clock, database)


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with migrated(tmp_path, request.param) as database:
        yield kit_of(database)


@pytest.fixture
async def file_kit(tmp_path: Path) -> AsyncGenerator[Kit]:
    """Where what is looked at is SQLite's alone: its file, and the steps that it takes."""
    async with migrated(tmp_path) as database:
        yield kit_of(database)


# ── Whose they are ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_of_someone_else_s_is_there_to_read_or_to_change(kit: Kit) -> None:
    ann = await kit.conversation(title="canary", titled="words")
    run = await kit.answered(ann)
    bob = await kit.conversation("bob")
    reads = [
        kit.conversations.message("bob", ann.id, run.message_id),
        kit.conversations.branch("bob", ann.id, run.message_id, 10),
        kit.conversations.page("bob", ann.id, run.message_id, 10),
        kit.conversations.change("bob", ann.id, {"title": "Bob's"}),
        kit.conversations.delete("bob", ann.id),
        kit.asked(msgspec.structs.replace(ann, owner_id="bob")),
    ]
    for read in reads:
        with pytest.raises(ConversationNotFound):
            await read
    for foreign in (run.message_id, NOWHERE):
        with pytest.raises(MessageNotFound):
            await kit.asked(bob, parent=foreign)
        with pytest.raises(MessageNotFound):
            await kit.conversations.change("bob", bob.id, {"head_id": foreign})
        assert await kit.conversations.message("bob", bob.id, foreign) is None
        assert list(await kit.conversations.branch("bob", bob.id, foreign, 10)) == []
    assert await kit.conversations.conversation("bob", ann.id) is None
    assert not await kit.conversations.claim_title("bob", ann.id)
    await kit.conversations.entitle("bob", ann.id, "Bob's")
    await kit.conversations.seen("bob", ann.id, 1)
    assert await kit.store.run("bob", run.id) is None
    listed = await kit.conversations.conversations("bob", 10, None, archived=False, pinned=None)
    assert [one.id for one in listed] == [bob.id]
    assert (await kit.found("bob"), await kit.found("ann")) == (0, 3)
    assert [change.conversation_id for change in await kit.changed("bob")] == [bob.id]
    kept = await kit.conversations.conversation("ann", ann.id)
    assert kept is not None
    assert (kept.title, kept.head_id, count(kit.database, "messages")) == ("canary", run.message_id, 2)


# ── Deleting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_conversation_is_gone_in_one_commit_with_all_that_hung_on_it(kit: Kit) -> None:
    one, other = await kit.conversation(title="canary", titled="given"), await kit.conversation()
    await kit.answered(one)
    live = await kit.asked(one)
    await kit.answered(other)
    assert await kit.conversations.delete("ann", one.id) == [live.id]
    tables = ("conversations", "messages", "runs", "search_entries")
    assert [count(kit.database, table) for table in tables] == [
        1,
        2,
        1,
        3,
    ]  # a title, a question and an answer are left
    assert await kit.found() == 2
    with pytest.raises(ConversationNotFound):
        await kit.conversations.delete("ann", one.id)
    assert await kit.erased() == 0
    assert await kit.store.sweep() == 0


async def test_a_long_one_is_hidden_at_once_and_goes_in_small_commits(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_store, "ERASE_ROWS", 4)
    long = await kit.conversation(title="canary", titled="given")
    for _ in range(10):
        await kit.answered(long)
    run = await kit.answered(long)
    await kit.conversations.delete("ann", long.id)
    assert count(kit.database, "messages") == 18
    assert (await kit.found(), await kit.store.run("ann", run.id)) == (0, None)
    assert await kit.conversations.conversation("ann", long.id) is None
    late = await kit.conversation()
    await kit.answered(late)
    assert await kit.erased() == 5
    assert [count(kit.database, table) for table in ("conversations", "messages", "search_entries")] == [1, 2, 3]


async def test_nothing_that_was_deleted_is_left_in_the_files(file_kit: Kit) -> None:
    assert isinstance(file_kit.database, SqliteDatabase)
    path = file_kit.database.path
    kept = await file_kit.conversation(title="kept", titled="given")
    await file_kit.answered(kept, "kept?", "kept!")
    gone = await file_kit.conversation(title="canary", titled="given", system="canary")
    for _ in range(30):
        await file_kit.answered(gone, "canary? " * 50, "카나리아 canary! " * 500)
    assert left_in_files(path, "canary", "카나리아")
    await file_kit.conversations.delete("ann", gone.id)
    await file_kit.erased()
    while await file_kit.conversations.tidy():
        pass
    await file_kit.conversations.scrub()
    assert not left_in_files(path, "canary", "카나리아", "나리")
    assert left_in_files(path, "kept")
    assert await file_kit.found(query="kept") == 3


def left_in_files(database: Path, *words: str) -> bool:
    """Whether the bytes of the database or its log hold any of these."""
    held = b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
    return any(word.encode() in held for word in words)


async def test_what_was_spent_outlives_what_it_was_spent_on(kit: Kit) -> None:
    conversation = await kit.conversation()
    await kit.answered(conversation)
    await kit.store.spend("ann", "title", "m", Usage(1, 2))
    await kit.conversations.delete("ann", conversation.id)
    spent = fetched(kit.database, "SELECT purpose, input_tokens, output_tokens FROM usages ORDER BY id")
    assert spent == [("answer", 5, 7), ("title", 1, 2)]


# ── How long ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_conversation_s_answers_are_kept_as_long_as_it_is(kit: Kit) -> None:
    run = await kit.answered(await kit.conversation())
    kit.clock.ahead = 1000 * DAY
    await kit.store.sweep()
    assert await kit.store.sweep() == 0
    kept = await kit.store.run("ann", run.id)
    assert kept is not None
    assert kept.parts == (Part("text", "canary!"),)


async def test_a_temporary_one_is_kept_nowhere_an_hour_after_its_last_reader(kit: Kit) -> None:
    passing = await kit.conversation(temporary=True, title="canary")
    await kit.answered(passing)
    kept = await kit.conversation()
    kit.clock.ahead = HOUR - 5000
    assert not await kit.conversations.bury_forgotten()
    await kit.conversations.seen("ann", passing.id, kit.clock.now())
    await kit.conversations.seen("ann", kept.id, kit.clock.now())
    kit.clock.ahead = 2 * HOUR - 10_000
    assert not await kit.conversations.bury_forgotten()
    kit.clock.ahead = 2 * HOUR + 5000
    assert await kit.conversations.bury_forgotten()
    assert not await kit.conversations.bury_forgotten()
    await kit.erased()
    assert [count(kit.database, table) for table in ("conversations", "messages", "runs")] == [1, 0, 0]
    assert await kit.conversations.conversation("ann", kept.id) is not None


async def test_a_temporary_one_stays_while_an_answer_is_being_written(kit: Kit) -> None:
    passing = await kit.conversation(temporary=True)
    run = await kit.asked(passing)
    kit.clock.ahead = 5 * HOUR
    assert not await kit.conversations.bury_forgotten()
    await kit.store.finish(msgspec.structs.replace(run, status="completed", ended_at=kit.clock.now()), ())
    assert not await kit.conversations.bury_forgotten(), "its reader has an hour from now"
    kit.clock.ahead = 7 * HOUR
    assert await kit.conversations.bury_forgotten()


async def test_a_temporary_one_is_on_no_list_and_found_by_no_search(kit: Kit) -> None:
    passing = await kit.conversation(temporary=True, title="canary", titled="given")
    await kit.answered(passing)
    await kit.conversations.change("ann", passing.id, {"title": "canary again"})
    await kit.conversations.delete("ann", passing.id)
    assert (await kit.found(), count(kit.database, "search_entries"), await kit.changed()) == (0, 0, [])


# ── Titles ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_title_is_claimed_once_and_a_given_one_wins(kit: Kit) -> None:
    conversation = await kit.conversation()
    assert not await kit.conversations.claim_title("ann", conversation.id), "there are no first words yet"
    await kit.answered(conversation)
    claims = await asyncio.gather(*(kit.conversations.claim_title("ann", conversation.id) for _ in range(5)))
    assert claims.count(True) == 1
    await kit.conversations.entitle("ann", conversation.id, "Canary Islands")
    await kit.conversations.entitle("ann", conversation.id, "Too late")
    kept = await kit.conversations.conversation("ann", conversation.id)
    assert kept is not None
    assert (kept.title, kept.titled, await kit.found(query="islands")) == ("Canary Islands", "model", 1)
    other = await kit.conversation()
    await kit.answered(other)
    await kit.conversations.claim_title("ann", other.id)
    await kit.conversations.change("ann", other.id, {"title": "Given"})
    await kit.conversations.entitle("ann", other.id, "Made")
    kept = await kit.conversations.conversation("ann", other.id)
    assert kept is not None
    assert (kept.title, await kit.found(query="given"), await kit.found(query="made")) == ("Given", 1, 0)


# ── What is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_changes_are_numbered_without_holes_in_the_order_of_the_commits(kit: Kit) -> None:
    made = await asyncio.gather(*(kit.conversation() for _ in range(20)), *(kit.conversation("bob") for _ in range(5)))
    await asyncio.gather(*(kit.answered(one) for one in made))
    for owner, number in (("ann", 60), ("bob", 15)):
        changes = await kit.changed(owner)
        assert [change.number for change in changes] == list(range(1, number + 1))
        assert await kit.changes.newest(owner) == number
    assert await kit.changes.newest("carl") == 0


async def test_a_failed_write_takes_no_number(kit: Kit) -> None:
    conversation = await kit.conversation()
    for _ in range(3):
        with pytest.raises(MessageNotFound):
            await kit.asked(conversation, parent=NOWHERE)
    await kit.asked(conversation)
    assert [change.kind for change in await kit.changed()] == ["created", "started"]


async def test_listeners_ring_after_the_commit_and_only_their_owner_s(kit: Kit) -> None:
    rung: list[str] = []
    bells = {owner: lambda owner=owner: rung.append(owner) for owner in ("ann", "bob")}
    for owner, bell in bells.items():
        kit.changes.listen(owner, bell)
    await kit.conversation()
    assert rung == ["ann"]
    kit.changes.unlisten("ann", bells["ann"])
    await kit.conversation()
    await kit.conversation("bob")
    assert rung == ["ann", "bob"]


async def test_changes_are_kept_for_a_day_and_older_places_are_told_so(kit: Kit) -> None:
    for _ in range(5):
        await kit.conversation()
    kit.clock.ahead = DAY + HOUR
    await kit.conversation()
    while await kit.store.sweep():
        pass
    assert count(kit.database, "changes") == 1
    assert await kit.changes.since("ann", 4, 10) is None
    assert [change.number for change in await kit.changed(after=5)] == [6]
    assert await kit.changed(after=6) == []
    assert await kit.changes.since("ann", 7, 10) is None, "a place that never was"
    await kit.conversation()
    assert [change.number for change in await kit.changed(after=5)] == [6, 7]


# ── The tree ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_costs_what_it_returns_however_long_the_branch_and_large_the_tree(file_kit: Kit) -> None:
    costs: dict[int, int] = {}
    for length in (20, 200):
        conversation, parent = await file_kit.conversation(), None
        for number in range(length // 2):
            parent = (await file_kit.answered(conversation, f"{number}?", parent=parent)).message_id
        assert parent is not None
        costs[length] = await file_kit.database.read(partial(cost, conversation=conversation, leaf=parent))
    assert costs[200] < 1.2 * costs[20]


def cost(connection: Connection, conversation: Conversation, leaf: str) -> int:
    """Hundreds of steps that SQLite takes for a page of ten messages."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(count, 100)
    page = tree.page(connection, conversation, leaf, 10, above=False)
    raw.set_progress_handler(None, 0)
    assert len(page.messages) == 10
    return steps
