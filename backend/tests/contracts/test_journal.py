"""The contract of the journal: what it has acknowledged survives a kill, in order, and it is as short as it can be."""

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from app.database import Database
from app.engines.postgres import PostgresDatabase
from app.engines.sqlite import SqliteDatabase
from app.engines.sqlite_errors import storage_error
from app.errors import RunStopped, StorageFull
from app.eventlog import file as in_file
from app.eventlog import postgres as in_postgresql
from app.eventlog import segments
from app.eventlog.base import Journal, by_run
from app.models import Piece
from tests.support.databases import ENGINES, append, count, fill_disk, free_disk, migrated
from tests.support.waiting import until


class Kit(NamedTuple):
    """One implementation, and what a process that takes over after a kill finds."""

    journal: Journal
    database: Database

    def after_a_kill(self) -> dict[str, list[Piece]]:
        """What recovery reads from what is kept now."""
        if isinstance(self.database, PostgresDatabase):
            return in_postgres(self.database)
        return by_run(in_file.recover(self.path))  # as the system has it by now, which a kill does not touch

    @property
    def path(self) -> Path:
        """Of the database that the journal's files are beside."""
        assert isinstance(self.database, SqliteDatabase)
        return self.database.path

    def rows(self) -> int:
        """How long it is."""
        if isinstance(self.database, SqliteDatabase):
            return len(list(segments.payloads(self.path)))
        return count(self.database, "run_journal")

    async def trimmed(self, rows: int = 0) -> None:
        """Wait until it has so many rows."""
        await until(lambda: self.rows() == rows, f"the journal has {rows} rows, it has {self.rows()}")


def in_postgres(database: PostgresDatabase) -> dict[str, list[Piece]]:
    """What another session reads."""
    engine = create_engine("postgresql+psycopg://", creator=database.connect, poolclass=NullPool)
    with engine.connect() as connection:
        run_ids = list(connection.exec_driver_sql("SELECT DISTINCT run_id FROM run_journal").scalars())
        return in_postgresql.recover(connection, run_ids)


def make_runs(connection: Connection) -> None:
    """PostgreSQL's journal asks of each run whether it may still be added to."""
    names = ["one", "two", "old", "long", "young", "silent", "live"]
    names += [f"{kind}-{number}" for kind in ("run", "short", "live") for number in range(50)]
    connection.exec_driver_sql(
        "INSERT INTO messages (id, owner_id, role, parts, created_at) "
        "SELECT name, 'ann', 'assistant', '[]', 0 FROM unnest(%s::text[]) AS run (name)",
        (names,),
    )
    connection.exec_driver_sql(
        "INSERT INTO runs (id, owner_id, message_id, model, status, attempts, created_at) "
        "SELECT name, 'ann', name, 'm', 'running', 1, 0 FROM unnest(%s::text[]) AS run (name)",
        (names,),
    )


def kit_of(database: Database) -> Kit:
    if isinstance(database, SqliteDatabase):
        return Kit(in_file.FileJournal(database.path, storage_error), database)
    return Kit(in_postgresql.PostgresJournal(database), database)


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with migrated(tmp_path, request.param) as database:
        if request.param == "postgresql":
            await database.submit(make_runs, durable=True)
        yield kit_of(database)


@pytest.fixture
async def file_kit(tmp_path: Path) -> AsyncGenerator[Kit]:
    """SQLite's rows hold what all runs said in one commit, so only there they wait for each other."""
    async with migrated(tmp_path) as database:
        yield kit_of(database)


@pytest.fixture
async def server_kit(tmp_path: Path) -> AsyncGenerator[Kit]:
    """PostgreSQL's are read by others, too."""
    async with migrated(tmp_path, "postgresql") as database:
        await database.submit(make_runs, durable=True)
        yield kit_of(database)


def piece(text: str, offset: int = 0, part: int = 0) -> Piece:
    return Piece(part, "text", offset, text)


async def test_what_was_acknowledged_is_found_after_a_kill(kit: Kit) -> None:
    pieces = [Piece(0, "reasoning", 0, "흠… \u2028"), Piece(1, "text", 0, "안녕 😀\r\n"), Piece(1, "text", 6, '"\\\t')]
    kit.journal.opened("one")
    await append(kit.journal, "one", pieces[:2])
    await append(kit.journal, "one", pieces[2:])
    assert kit.after_a_kill() == {"one": pieces}


async def test_it_is_acknowledged_only_once_a_kill_cannot_lose_it(kit: Kit) -> None:
    """At the very moment that a future is done, the files hold what it stands for."""
    missing: list[str] = []

    def look(run_id: str, wanted: Piece) -> None:
        if wanted not in kit.after_a_kill().get(run_id, []):
            missing.append(wanted.text)

    waiting = []
    for number in range(30):
        run_id, one = f"run-{number % 3}", piece(f"{number} ", number)
        kit.journal.opened(run_id)
        future = append(kit.journal, run_id, [one])
        future.add_done_callback(lambda _, run_id=run_id, one=one: look(run_id, one))
        waiting.append(future)
        await asyncio.sleep(0 if number % 4 else 0.002)
    await asyncio.gather(*waiting)
    await asyncio.sleep(0)
    assert not missing


@pytest.mark.parametrize("seed", range(3))
async def test_each_run_finds_its_own_pieces_in_order_however_they_were_mixed(kit: Kit, seed: int) -> None:
    chance = random.Random(seed)
    said: dict[str, list[Piece]] = {f"run-{number}": [] for number in range(6)}
    waiting = []
    for run_id in said:
        kit.journal.opened(run_id)
    for _ in range(300):
        run_id = chance.choice(list(said))
        pieces = [piece(chance.choice(["a", "나", "😀"]), len(said[run_id]) + n) for n in range(chance.randint(1, 3))]
        said[run_id] += pieces
        waiting.append(append(kit.journal, run_id, pieces))
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        if chance.random() < 0.05:
            await waiting[-1]
    await asyncio.gather(*waiting)
    assert kit.after_a_kill() == {run_id: pieces for run_id, pieces in said.items() if pieces}


async def test_all_runs_share_the_row_of_a_commit(file_kit: Kit) -> None:
    for number in range(50):
        file_kit.journal.opened(f"run-{number}")
    await asyncio.gather(*(append(file_kit.journal, f"run-{number}", [piece("x")]) for number in range(50)))
    assert file_kit.rows() == 1
    assert len(file_kit.after_a_kill()) == 50


async def test_nothing_of_a_refused_append_is_kept_and_it_may_be_tried_again(kit: Kit) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("kept")])
    await fill_disk(kit.database)
    much = [piece("x" * 16_000, 4 + 16_000 * number) for number in range(20)]
    with pytest.raises(StorageFull):
        await append(kit.journal, "one", much)
    assert kit.after_a_kill() == {"one": [piece("kept")]}
    await free_disk(kit.database)
    await append(kit.journal, "one", much)
    assert kit.after_a_kill() == {"one": [piece("kept"), *much]}


async def test_it_is_empty_once_no_run_is_live(kit: Kit) -> None:
    for run_id in ("one", "two"):
        kit.journal.opened(run_id)
        await append(kit.journal, run_id, [piece("x")])
    kit.journal.ended("one")
    kit.journal.ended("two")
    await kit.trimmed()


async def test_nothing_of_a_live_run_is_trimmed_while_others_come_and_go(kit: Kit) -> None:
    kit.journal.opened("live")  # before its first text, in the same moment as others end
    for number in range(40):
        kit.journal.opened(f"short-{number}")
        appended = append(kit.journal, f"short-{number}", [piece("short")])
        if number == 20:
            await append(kit.journal, "live", [piece("live")])
        await appended
        kit.journal.ended(f"short-{number}")
        kit.journal.opened(f"live-{number}")
        await append(kit.journal, f"live-{number}", [piece(f"{number}")])
    found = kit.after_a_kill()
    assert found["live"] == [piece("live")]
    assert all(found[f"live-{number}"] == [piece(f"{number}")] for number in range(40))


async def test_a_run_that_said_nothing_holds_nothing_back_after_it_ended(file_kit: Kit) -> None:
    file_kit.journal.opened("silent")
    file_kit.journal.opened("one")
    await append(file_kit.journal, "one", [piece("x")])
    file_kit.journal.ended("one")
    assert file_kit.rows() == 1
    file_kit.journal.ended("silent")
    await file_kit.trimmed()


async def test_other_replicas_read_a_run_from_any_place_on(server_kit: Kit) -> None:
    journal, said = server_kit.journal, [piece(f"{number} ", number) for number in range(5)]
    assert isinstance(journal, in_postgresql.PostgresJournal)
    for run_id in ("one", "two"):
        journal.opened(run_id)
        for one in said:
            await append(journal, run_id, [one])
    found = await journal.after({"one": 3, "two": 5, "nobody": 0})
    assert found == [("one", 3, [said[3]]), ("one", 4, [said[4]])]


async def test_nothing_is_added_to_a_run_that_somebody_asked_to_stop(server_kit: Kit) -> None:
    for run_id in ("one", "two"):
        server_kit.journal.opened(run_id)
        await append(server_kit.journal, run_id, [piece("kept")])
    stop = text("UPDATE runs SET cancel_requested_at = 1 WHERE id = 'one'")
    await server_kit.database.submit(lambda connection: connection.execute(stop), durable=True)
    late, other = (
        append(server_kit.journal, "one", [piece("late", 4)]),
        append(server_kit.journal, "two", [piece("x", 4)]),
    )
    with pytest.raises(RunStopped):
        await late
    await other
    assert server_kit.after_a_kill() == {"one": [piece("kept")], "two": [piece("kept"), piece("x", 4)]}


async def test_saying_the_same_again_after_an_answer_was_lost_changes_nothing(server_kit: Kit) -> None:
    journal = server_kit.journal
    assert isinstance(journal, in_postgresql.PostgresJournal)
    journal.opened("one")
    await append(journal, "one", [piece("once")])
    journal.again("one", 0)  # as after a commit that nobody knows of
    await append(journal, "one", [piece("once")])
    await append(journal, "one", [piece("more", 4)])
    assert server_kit.after_a_kill() == {"one": [piece("once"), piece("more", 4)]}
