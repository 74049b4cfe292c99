"""The contract of the search: what is found, by whom, in which order, and in how many pages."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from sqlalchemy import Connection, delete, insert, update

from app.clock import Clock
from app.database import Database
from app.engines.sqlite import SqliteDatabase
from app.models import Part
from app.store import search, search_gin
from app.store.base import Found, Search
from app.store.tables import conversations, messages
from app.store.words import index_words
from tests.support.databases import ENGINES, count, fetched, migrated

START = 1_750_000_000_000  # some moment, in milliseconds


class Kit(NamedTuple):
    """One implementation, and the rows it searches."""

    search: Search
    database: Database
    clock: Clock

    async def conversation(
        self, owner: str = "ann", title: str = "", at: int = START, *, temporary: bool = False
    ) -> str:
        """A conversation that is found by its title, if it has one."""
        new = self.clock.new_id()

        def write(connection: Connection) -> None:
            row = {"id": new, "owner_id": owner, "title": title, "titled": "given", "temporary": temporary}
            flags = {"pinned": False, "archived": False, "created_at": at, "updated_at": at}
            connection.execute(insert(conversations).values(**row, **flags))
            search.add(connection, owner_id=owner, conversation_id=new, message_id=None, text=title, created_at=at)

        await self.database.submit(write, durable=False)
        return new

    async def message(self, conversation: str, *said: str | Part, owner: str = "ann", at: int = START) -> str:
        """A message that is found by its text."""
        (new,) = await self.messages(conversation, [said], owner, at)
        return new

    async def messages(
        self, conversation: str, texts: list[tuple[str | Part, ...]], owner: str = "ann", at: int = START
    ) -> list[str]:
        """Several in one commit, all of the same moment."""
        ids = [self.clock.new_id() for _ in texts]

        def write(connection: Connection) -> None:
            for new, said in zip(ids, texts, strict=True):
                parts = [Part("text", part) if isinstance(part, str) else part for part in said]
                row = {"id": new, "owner_id": owner, "role": "user", "conversation_id": conversation, "created_at": at}
                connection.execute(insert(messages).values(**row, parts=msgspec.json.encode(parts).decode()))
                text = "".join(part.text for part in parts if part.kind == "text")
                search.add(
                    connection, owner_id=owner, conversation_id=conversation, message_id=new, text=text, created_at=at
                )

        await self.database.submit(write, durable=False)
        return ids

    async def change(self, conversation: str, **columns: object) -> None:
        """Archived, deleted, …"""
        statement = update(conversations).where(conversations.c.id == conversation).values(columns)
        await self.database.submit(lambda connection: connection.execute(statement), durable=False)

    async def found(self, query: str, owner: str = "ann") -> list[Found]:
        """All of it, newest first."""
        page = await self.search.find(owner, query, 100)
        assert page.next is None
        return list(page.items)

    async def texts(self, query: str, owner: str = "ann") -> list[str]:
        """What is shown of all that is found, newest first."""
        return [item.text for item in await self.found(query, owner)]

    async def left(self) -> tuple[int, int]:
        """Entries, and terms of the index, as any other process sees them once the index is tidied up."""
        more = await self.database.submit(lambda connection: search.tidy(connection, anew=True), durable=False)
        while more:
            more = await self.database.submit(search.tidy, durable=False)
        if not isinstance(self.database, SqliteDatabase):
            words = "SELECT coalesce(sum(cardinality(words)), 0) AS terms FROM search_words"
            return count(self.database, "search_entries"), int(fetched(self.database, words)[0][0])
        with closing(sqlite3.connect(self.database.path)) as other:
            other.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, search_index, row)")
            (entries,) = other.execute("SELECT count(*) FROM search_entries").fetchone()
            (terms,) = other.execute("SELECT count(*) FROM temp.terms").fetchone()
            return entries, terms

    def terms(self, text: str) -> int:
        """How many the index has of that text."""
        words = index_words(text)
        if isinstance(self.database, SqliteDatabase):
            return len(set(words))
        return len(set(search_gin._numbers("ann", words)))


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with migrated(tmp_path, request.param) as database:
        yield Kit(search.SqlSearch(database), database, Clock())


# ── What is found ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_is_found_by_any_of_its_words(kit: Kit) -> None:
    conversation = await kit.conversation(title="여행", at=START)
    message = await kit.message(conversation, "언어 모델을 Python으로 만드는 법", at=START + 5)
    for query in ("모델", "모", "델을", "PYTHON", "pyth", "법 언어", "python으로 만드"):
        (item,) = await kit.found(query)
        assert item == Found(item.number, conversation, message, "언어 모델을 Python으로 만드는 법", START + 5, "여행")
    assert await kit.found("그림") == []


async def test_a_conversation_is_found_by_its_title(kit: Kit) -> None:
    conversation = await kit.conversation(title="여행 계획", at=START + 7)
    await kit.message(conversation, "제주도에 가자", at=START + 8)
    (item,) = await kit.found("여행")
    assert item == Found(item.number, conversation, None, "여행 계획", START + 7, "여행 계획")


async def test_only_what_was_said_is_found_and_shown_not_what_was_thought(kit: Kit) -> None:
    conversation = await kit.conversation()
    await kit.message(conversation, Part("reasoning", "secret thoughts"), "the an", Part("reasoning", "more"), "swer")
    assert await kit.found("thoughts") == []
    assert await kit.texts("answer") == ["the answer"]


async def test_a_hit_late_in_a_long_message_is_shown(kit: Kit) -> None:
    conversation = await kit.conversation()
    await kit.message(conversation, f"{'앞에 많은 말. ' * 5000}\n\n여기 바늘이\n있다{' 뒤에 또.' * 5000}")
    (text,) = await kit.texts("바늘")
    assert "여기 바늘이 있다" in text
    assert (text[0], text[-1]) == ("…", "…")
    assert len(text) <= 162


async def test_all_words_must_occur_in_one_text(kit: Kit) -> None:
    conversation = await kit.conversation(title="첫째 둘째")
    await kit.message(conversation, "첫째")
    await kit.message(conversation, "둘째 셋째 첫째")
    assert await kit.texts("첫째 둘째") == ["둘째 셋째 첫째", "첫째 둘째"]
    assert await kit.texts("셋째 넷째") == []


SYNTAX = ['"', '"a', "a OR b", "NOT a", "a NEAR b", "NEAR(a b)", "a*", "*", "^a", "words:a", "(a", "a -b", "{a}:b"]
STRANGE = ["a\x00b", "\x00", "\ud800", "'; DROP TABLE messages; --", "%", "_", "\\", "", "   ", "…"]
ENDLESS = ["가" * 10_000, "a " * 10_000, '"' * 10_000, "(" * 10_000, "a AND " * 300]


@pytest.mark.parametrize("query", [*SYNTAX, *STRANGE, *ENDLESS], ids=lambda query: ascii(query)[:20])
async def test_any_query_is_text(kit: Kit, query: str) -> None:
    conversation = await kit.conversation()
    await kit.message(conversation, "something else")
    assert await kit.found(query) == []


async def test_words_of_fts5_are_words(kit: Kit) -> None:
    conversation = await kit.conversation()
    await kit.message(conversation, "black OR white")
    await kit.message(conversation, "black and (not) white")
    assert await kit.texts("black OR white") == ["black OR white"]
    assert await kit.texts('"NOT" (white') == ["black and (not) white"]


async def test_a_text_without_words_is_no_trouble(kit: Kit) -> None:
    conversation = await kit.conversation()
    message = await kit.message(conversation, "?!")
    await kit.database.submit(lambda connection: search.remove(connection, {message: "?!"}), durable=False)
    assert await kit.left() == (0, 0)


# ── Order and pages ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_newest_is_first_in_whichever_order_it_came(kit: Kit) -> None:
    conversation = await kit.conversation(title="word at 3", at=START + 3)
    for moment in (5, 1, 4, 2):
        await kit.message(conversation, f"word at {moment}", at=START + moment)
    assert await kit.texts("word") == [f"word at {moment}" for moment in (5, 4, 3, 2, 1)]


async def test_messages_of_one_moment_keep_their_order(kit: Kit) -> None:
    conversation = await kit.conversation(title="word", at=START)
    await kit.messages(conversation, [(f"word {number}",) for number in range(300)])
    seen: list[str] = []
    before: int | None = None
    while True:
        page = await kit.search.find("ann", "word", 100, before)
        seen += [item.text for item in page.items]
        before = page.next
        if before is None:
            break
    assert seen == [f"word {number}" for number in reversed(range(300))] + ["word"]


async def test_pages_have_no_gap_and_no_duplicate_while_more_is_written(kit: Kit) -> None:
    conversation = await kit.conversation()
    wanted = [await kit.message(conversation, f"낱말 {number}", at=START + number) for number in range(25)]
    seen: list[str | None] = []
    before: int | None = None
    for step in range(100):
        page = await kit.search.find("ann", "낱말", 4, before)
        assert len(page.items) <= 4
        seen += [item.message_id for item in page.items]
        await kit.message(conversation, "새 낱말", at=START + 1000 + step)
        before = page.next
        if before is None:
            break
    assert seen == wanted[::-1]


async def test_the_last_page_says_that_it_is_the_last(kit: Kit) -> None:
    conversation = await kit.conversation()
    for number in range(4):
        await kit.message(conversation, "word", at=START + number)
    page = await kit.search.find("ann", "word", 2)
    assert (len(page.items), page.next) == (2, page.items[-1].number)
    page = await kit.search.find("ann", "word", 2, page.next)
    assert (len(page.items), page.next) == (2, None)


async def test_what_was_written_long_ago_and_far_ahead_has_its_place(kit: Kit) -> None:
    conversation = await kit.conversation()
    for moment in (0, -(10**12), 10**14):
        await kit.message(conversation, f"word {moment}", at=moment)
    assert await kit.texts("word") == [f"word {10**14}", "word 0", f"word {-(10**12)}"]
    for before, there in ((2**200, 3), (0, 1), (-(2**200), 0)):
        assert len((await kit.search.find("ann", "word", 9, before)).items) == there


# ── Whose it is ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_finds_what_is_someone_else_s(kit: Kit) -> None:
    for owner in ("ann", "bob"):
        conversation = await kit.conversation(owner, f"비밀 {owner}")
        await kit.message(conversation, f"비밀은 {owner}", owner=owner)
    assert await kit.texts("비밀") == ["비밀은 ann", "비밀 ann"]
    assert await kit.texts("비밀", "bob") == ["비밀은 bob", "비밀 bob"]
    assert await kit.texts("bob") == []
    assert await kit.texts("비밀", "eve") == []


async def test_the_index_alone_opens_nothing(kit: Kit) -> None:
    """Even if an entry were indexed for the wrong person, the conversation says whose it is."""
    conversation = await kit.conversation("bob")
    message = await kit.message(conversation, "bob's", owner="bob")

    def index_wrongly(connection: Connection) -> None:
        search.add(
            connection,
            owner_id="ann",
            conversation_id=conversation,
            message_id=message,
            text="bob's",
            created_at=START,
        )

    await kit.database.submit(index_wrongly, durable=False)
    assert await kit.found("bob") == []


async def test_archived_conversations_are_found_temporary_and_deleted_ones_never(kit: Kit) -> None:
    archived = await kit.conversation(title="word archived")
    await kit.change(archived, archived=True)
    deleted = await kit.conversation(title="word deleted")
    await kit.message(deleted, "word")
    await kit.change(deleted, deleted_at=START + 1)
    temporary = await kit.conversation(title="word temporary", temporary=True)
    await kit.message(temporary, "word")
    assert await kit.texts("word") == ["word archived"]


# ── Taking out ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_messages_that_were_taken_out_leave_nothing_behind(kit: Kit) -> None:
    conversation = await kit.conversation()
    kept = await kit.message(conversation, "낱말 kept")
    texts = [f"낱말 {number} ㅋㅋ GPT모델 😀 Résumé" for number in range(1200)]
    ids = await kit.messages(conversation, [(text,) for text in texts])

    def take_out(connection: Connection) -> None:
        search.remove(connection, dict(zip(ids, texts, strict=True)))
        connection.execute(delete(messages).where(messages.c.id.in_(ids)))

    await kit.database.submit(take_out, durable=False)
    assert [item.message_id for item in await kit.found("낱말")] == [kept]
    entries, terms = await kit.left()
    assert (entries, terms) == (1, kit.terms("낱말 kept"))
    await kit.database.submit(lambda connection: search.remove(connection, {kept: "낱말 kept"}), durable=False)
    assert await kit.left() == (0, 0)


async def test_taking_out_what_is_not_there_changes_nothing(kit: Kit) -> None:
    conversation = await kit.conversation(title="word")
    await kit.message(conversation, "word")
    nowhere = await kit.conversation()

    def take_out(connection: Connection) -> None:
        search.remove(connection, {"nobody": "word"})
        search.remove(connection, {})
        search.remove_title(connection, nowhere, "word")

    await kit.database.submit(take_out, durable=False)
    assert len(await kit.found("word")) == 2


async def test_a_new_title_takes_the_place_of_the_old_one(kit: Kit) -> None:
    conversation = await kit.conversation(title="옛 제목")
    message = await kit.message(conversation, "제목 없는 말")

    def rename(connection: Connection) -> None:
        search.remove_title(connection, conversation, "옛 제목")
        search.add(
            connection,
            owner_id="ann",
            conversation_id=conversation,
            message_id=None,
            text="새 제목",
            created_at=START,
        )

    await kit.database.submit(rename, durable=False)
    await kit.change(conversation, title="새 제목")
    assert await kit.found("옛") == []
    assert {(item.message_id, item.text) for item in await kit.found("제목")} == {
        (None, "새 제목"),
        (message, "제목 없는 말"),
    }


async def test_an_undone_write_is_not_found(kit: Kit) -> None:
    conversation = await kit.conversation()

    def write(connection: Connection) -> None:
        search.add(
            connection, owner_id="ann", conversation_id=conversation, message_id=None, text="word", created_at=START
        )
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await kit.database.submit(write, durable=False)
    assert await kit.found("word") == []
    assert await kit.left() == (0, 0)
