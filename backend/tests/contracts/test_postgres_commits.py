"""What only a server can do to a commit: lose its answer, stand in another replica's way, or take the lease away."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from app.clock import SharedClock
from app.engines.postgres import PostgresDatabase
from app.errors import LeaseLost, StorageError
from app.replicas.postgres import PostgresReplicas
from app.store import schema
from tests.support.databases import closed, fetched, url_of
from tests.support.waiting import until

NOTES = "CREATE TABLE notes (word TEXT PRIMARY KEY, times INT NOT NULL DEFAULT 0)"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[PostgresDatabase]:
    async with closed(tmp_path, "postgresql") as database:
        assert isinstance(database, PostgresDatabase)
        await asyncio.to_thread(database.open)
        await asyncio.to_thread(database.alone, schema.migrate)
        await asyncio.to_thread(database.alone, lambda connection: connection.exec_driver_sql(NOTES))
        database.start()
        yield database


@pytest.fixture
async def other(database: PostgresDatabase) -> AsyncGenerator[PostgresDatabase]:
    """Another replica's."""
    other = PostgresDatabase(url_of(database))
    await asyncio.to_thread(other.open)
    other.start()
    yield other
    await other.close()


def note(connection: Connection, word: str) -> None:
    connection.execute(text("INSERT INTO notes (word) VALUES (:word)"), {"word": word})


def words(database: PostgresDatabase) -> list[str]:
    return [word for (word,) in fetched(database, "SELECT word FROM notes ORDER BY word")]


class Losing:
    """A connection that is cut while it commits: after the server has done it, or before it hears of it."""

    def __init__(self, raw: psycopg.Connection[Any], *, done: bool) -> None:
        self._raw = raw
        self._done = done

    def execute(self, statement: Any, *more: Any) -> Any:
        if not str(statement).endswith("COMMIT"):
            return self._raw.execute(statement, *more)
        if self._done:
            self._raw.execute(statement)
        self._raw.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


@pytest.mark.parametrize("done", [True, False])
async def test_a_commit_whose_answer_is_lost_is_told_as_what_became_of_it(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    connected, times = database._connected, 0

    def losing() -> Any:
        nonlocal times
        raw = connected()
        times += 1
        return Losing(raw, done=done) if times <= 3 else raw

    await database.submit(lambda connection: note(connection, "before"), durable=True)
    monkeypatch.setattr(database, "_connected", losing)
    write = database.submit(lambda connection: note(connection, "lost?"), durable=True)
    if done:
        await write
        assert words(database) == ["before", "lost?"]
    else:
        with pytest.raises(StorageError):
            await write
        assert words(database) == ["before"]
    await database.submit(lambda connection: note(connection, "later"), durable=True)
    assert "later" in words(database)


async def test_two_replicas_that_wait_for_each_other_both_get_through(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    for word in ("a", "b"):
        await database.submit(lambda connection, word=word: note(connection, word), durable=True)
    both = threading.Barrier(2)

    def add(connection: Connection, first: str, second: str) -> None:
        more = text("UPDATE notes SET times = times + 1 WHERE word = :word")
        connection.execute(more, {"word": first})
        if not both.broken and both.n_waiting < 2:
            with suppress(threading.BrokenBarrierError):
                both.wait(1)
        connection.execute(more, {"word": second})

    await asyncio.gather(
        database.submit(lambda connection: add(connection, "a", "b"), durable=True),
        other.submit(lambda connection: add(connection, "b", "a"), durable=True),
    )
    assert fetched(database, "SELECT times FROM notes") == [(2,), (2,)]


async def test_one_owner_s_rows_are_decided_about_by_one_replica_at_a_time(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    limit = 10

    def take(connection: Connection) -> bool:
        taken = connection.scalar(text("SELECT count(*) FROM notes")) or 0
        if taken < limit:
            note(connection, f"{taken}")
        return taken < limit

    asked = [one.submit(take, durable=True, owner_id="ann") for _ in range(10) for one in (database, other)]
    assert sum(await asyncio.gather(*asked)) == limit
    assert len(words(database)) == limit


async def test_who_has_lost_its_lease_writes_nothing_until_it_has_begun_anew(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    clock, ends = SharedClock(), 0

    def end(*_: Any) -> None:
        nonlocal ends
        ends += 1

    frozen, reaper = (PostgresReplicas(one, clock, 0.2, end) for one in (database, other))
    lost = asyncio.Event()
    database.on_lost = lost.set
    await frozen.join()
    life = database.replica
    await database.submit(lambda connection: note(connection, "mine"), durable=True)
    await asyncio.sleep(0.3)
    await reaper.reap()
    await until(lambda: fetched(database, "SELECT id FROM replicas") == [], "the dead one is forgotten")
    with pytest.raises(LeaseLost):
        await database.submit(lambda connection: note(connection, "late"), durable=True)
    assert lost.is_set()
    with pytest.raises(LeaseLost):
        await database.submit(lambda connection: note(connection, "later"), durable=True)
    await frozen.join()
    assert database.replica not in (None, life)
    await database.submit(lambda connection: note(connection, "anew"), durable=True)
    assert words(database) == ["anew", "mine"]
    assert ends == 0
