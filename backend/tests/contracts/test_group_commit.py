"""Writes become durable together: one commit in flight, each undone alone, and a disk's refusal takes all of them."""

import asyncio
import resource
import sqlite3
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from app.database import Database, Write
from app.engines.sqlite import SqliteDatabase
from app.errors import StorageError, StorageFull
from tests.support.databases import ENGINES, closed, fetched, fill_disk, free_disk

NORMAL, FULL = 1, 2  # values of PRAGMA synchronous
BIG = 4 << 20


class Note(Write):
    """Writes one word down, and remembers in which order things happened to it."""

    def __init__(self, word: str, story: list[str], *, durable: bool = False) -> None:
        self.word = word
        self.durable = durable
        self.settled = asyncio.Event()
        self.error: Exception | None = None
        self.level = 0
        self._story = story

    def seal(self) -> None:
        self._story.append(f"seal {self.word}")

    def apply(self, connection: Connection) -> None:
        self._story.append(f"apply {self.word}")
        if connection.dialect.name == "sqlite":
            self.level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        note(connection, self.word)

    def settle(self, result: Any, error: Exception | None) -> None:
        self._story.append(f"settle {self.word}")
        self.error = error
        self.settled.set()


class Held(Note):
    """Stays in flight until it is let go."""

    def __init__(self, word: str, story: list[str]) -> None:
        super().__init__(word, story)
        self.in_flight = threading.Event()
        self.go = threading.Event()

    def apply(self, connection: Connection) -> None:
        super().apply(connection)
        self.in_flight.set()
        assert self.go.wait(10)


def note(connection: Connection, word: str) -> None:
    connection.execute(text("INSERT INTO notes (word) VALUES (:word)"), {"word": word})


def fail_after(connection: Connection, word: str) -> None:
    note(connection, word)
    raise ValueError(word)


def nothing(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO notes (word) VALUES (NULL)")


def committed(database: Database) -> list[str]:
    """What any other process can read now."""
    return [word for (word,) in fetched(database, "SELECT word FROM notes ORDER BY seq")]


@asynccontextmanager
async def opened(folder: Path, engine: str) -> AsyncGenerator[Database]:
    """One with a table for notes."""
    async with closed(folder, engine) as database:
        await asyncio.to_thread(database.open)
        key = "INTEGER PRIMARY KEY" if engine == "sqlite" else "SERIAL PRIMARY KEY"
        table = f"CREATE TABLE notes (seq {key}, word TEXT NOT NULL)"
        await asyncio.to_thread(database.alone, lambda connection: connection.exec_driver_sql(table))
        database.start()
        yield database


@pytest.fixture(params=ENGINES)
async def database(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Database]:
    async with opened(tmp_path, request.param) as database:
        yield database


@pytest.fixture
async def file(tmp_path: Path) -> AsyncGenerator[SqliteDatabase]:
    """Where what is looked at is SQLite's alone."""
    async with opened(tmp_path, "sqlite") as database:
        assert isinstance(database, SqliteDatabase)
        yield database


async def held(database: Database, story: list[str]) -> Held:
    first = Held("first", story)
    database.add(first)
    assert await asyncio.to_thread(first.in_flight.wait, 10)
    return first


async def test_a_write_on_an_idle_database_is_committed_at_once(database: Database) -> None:
    await database.submit(lambda connection: note(connection, "alone"), durable=False)
    assert committed(database) == ["alone"]


async def test_what_arrives_while_a_write_is_in_flight_is_the_next_commit_all_of_it(database: Database) -> None:
    story: list[str] = []
    first = await held(database, story)
    second, third = Note("second", story), Held("third", story)
    database.add(second)
    database.add(third)
    await asyncio.sleep(0)
    assert story == ["seal first", "apply first"], "one in flight: nothing else is touched meanwhile"
    first.go.set()
    assert await asyncio.to_thread(third.in_flight.wait, 10)
    assert committed(database) == ["first"], "the second is in the same transaction as the third"
    assert not second.settled.is_set()
    third.go.set()
    await third.settled.wait()
    assert committed(database) == ["first", "second", "third"]
    assert story == [
        *("seal first", "apply first", "settle first"),
        *("seal second", "seal third", "apply second", "apply third", "settle second", "settle third"),
    ]


async def test_writes_of_one_turn_of_the_loop_share_a_commit(database: Database) -> None:
    story: list[str] = []
    one, two = Note("one", story), Held("two", story)
    database.add(one)
    database.add(two)
    assert await asyncio.to_thread(two.in_flight.wait, 10)
    assert committed(database) == []
    two.go.set()
    await two.settled.wait()
    assert committed(database) == ["one", "two"]


async def test_writes_are_applied_and_settled_in_the_order_they_came(database: Database) -> None:
    done: list[int] = []
    waiting = []
    for number in range(200):
        future = database.submit(lambda connection, n=number: note(connection, str(n)), durable=number % 7 == 0)
        future.add_done_callback(lambda _, n=number: done.append(n))
        waiting.append(future)
        if number % 20 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert done == list(range(200))
    assert committed(database) == [str(number) for number in range(200)]


class Clumsy(Note):
    """Breaks when it hears how it went."""

    def settle(self, result: Any, error: Exception | None) -> None:
        super().settle(result, error)
        raise ZeroDivisionError


async def test_who_breaks_on_hearing_how_it_went_keeps_nobody_else_from_it(database: Database) -> None:
    story: list[str] = []
    notes = [Note("one", story), Clumsy("two", story), Note("three", story)]
    for one in notes:
        database.add(one)
    for one in notes:
        await asyncio.wait_for(one.settled.wait(), 5)
    later = Note("later", story)
    database.add(later)
    await asyncio.wait_for(later.settled.wait(), 5)
    assert later.error is None


async def test_a_write_that_fails_is_undone_alone(database: Database) -> None:
    outcomes = await asyncio.gather(
        database.submit(lambda connection: note(connection, "before"), durable=False),
        database.submit(lambda connection: fail_after(connection, "broken"), durable=True),
        database.submit(nothing, durable=True),
        database.submit(lambda connection: note(connection, "after"), durable=False),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, IntegrityError, type(None)]
    assert committed(database) == ["before", "after"]
    assert database.trouble is None, "a mistake of one write is no trouble of the disk"


async def test_a_full_disk_fails_the_whole_commit_and_is_over_once_there_is_room(database: Database) -> None:
    await database.submit(lambda connection: note(connection, "kept"), durable=True)
    await fill_disk(database)
    outcomes = await asyncio.gather(
        database.submit(lambda connection: note(connection, "small"), durable=False),
        database.submit(lambda connection: note(connection, "x" * BIG), durable=False),
        database.submit(lambda connection: note(connection, "late"), durable=True),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [StorageFull] * 3
    assert committed(database) == ["kept"]
    assert isinstance(database.trouble, StorageFull)
    await free_disk(database)
    await database.probe()
    assert database.trouble is None
    await database.submit(lambda connection: note(connection, "x" * BIG), durable=True)
    assert committed(database) == ["kept", "x" * BIG]


async def test_a_file_that_another_process_holds_fails_the_commit_and_readers_go_on(file: SqliteDatabase) -> None:
    file._raw.execute("PRAGMA busy_timeout=20")
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError) as refused:
            await file.submit(lambda connection: note(connection, "lost"), durable=True)
        assert (refused.value.status, refused.value.retry_after) == (503, 5)
        with pytest.raises(StorageError):
            await file.probe()
        count = await file.read(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM notes").scalar())
        assert count == 0
        other.execute("ROLLBACK")
    await file.probe()
    assert file.trouble is None
    assert committed(file) == []


async def test_a_commit_is_fsynced_exactly_when_it_holds_a_durable_write(file: SqliteDatabase) -> None:
    story: list[str] = []
    for durable, expected in ((False, NORMAL), (True, FULL), (False, NORMAL)):
        one, two = Note("text", story), Note("end", story, durable=durable)
        file.add(one)
        file.add(two)
        await two.settled.wait()
        assert (one.level, two.level) == (expected, expected)


async def test_a_write_stands_though_whoever_asked_has_gone(database: Database) -> None:
    first = await held(database, [])
    future = database.submit(lambda connection: note(connection, "orphan"), durable=False)
    future.cancel()
    first.go.set()
    await database.submit(lambda connection: note(connection, "last"), durable=False)
    assert committed(database) == ["first", "orphan", "last"]


async def test_closing_waits_for_what_was_submitted(database: Database) -> None:
    first = await held(database, [])
    database.submit(lambda connection: note(connection, "second"), durable=False)
    closing_task = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    assert not closing_task.done()
    first.go.set()
    await closing_task
    assert committed(database) == ["first", "second"]


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.read(lambda connection: note(connection, "forbidden"))
    assert committed(database) == []


async def test_what_runs_alone_is_kept_whole_or_not_at_all(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (word TEXT)")
        note(connection, "half")
        raise ValueError("half")

    with pytest.raises(ValueError, match=r"^half$"):
        await asyncio.to_thread(database.alone, half)
    await asyncio.to_thread(database.alone, lambda connection: connection.exec_driver_sql("CREATE TABLE half (n INT)"))
    assert committed(database) == []


async def test_what_is_committed_is_told_so_even_if_the_log_cannot_be_emptied_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path, "sqlite") as database:
        assert isinstance(database, SqliteDatabase)
        await database.submit(lambda connection: note(connection, "x" * 900_000), durable=False)
        await database.empty_log()
        size = database.path.stat().st_size
        await database.submit(lambda connection: note(connection, "y" * 300_000), durable=False)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))  # the file cannot grow, its log may
        try:
            emptied = asyncio.create_task(database.empty_log())  # shares the commit
            accepted = database.submit(lambda connection: note(connection, "kept"), durable=True)
            outcomes = await asyncio.gather(emptied, accepted, return_exceptions=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert isinstance(outcomes[0], StorageError), "it could not be emptied"
        assert outcomes[1] is None
        assert "kept" in committed(database)
        await database.empty_log()
