"""The contract of the journal: what it has acknowledged survives a kill, in order, and it is as short as it can be."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine

from app.engines.sqlite import SqliteDatabase
from app.errors import StorageFull
from app.eventlog import sqlite as journals
from app.eventlog.base import Journal
from app.models import Piece
from tests.support.databases import migrated
from tests.support.waiting import until


class Kit(NamedTuple):
    """One implementation, and what a process that takes over after a kill finds."""

    journal: Journal
    database: SqliteDatabase
    folder: Path

    def after_a_kill(self) -> dict[str, list[Piece]]:
        """What recovery reads from the files as they are now."""
        copy = self.folder / "after-a-kill.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.database.path}{suffix}", f"{copy}{suffix}")
        engine = create_engine(f"sqlite:///{copy}")
        with engine.connect() as connection:
            found = journals.recover(connection)
        engine.dispose()
        return found

    def rows(self) -> int:
        """How long it is."""
        with closing(sqlite3.connect(self.database.path)) as other:
            return other.execute("SELECT count(*) FROM journal").fetchone()[0]

    async def trimmed(self, rows: int = 0) -> None:
        """Wait until it has so many rows."""
        await until(lambda: self.rows() == rows, f"the journal has {rows} rows, it has {self.rows()}")


@pytest.fixture(params=["sqlite"])
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    assert request.param == "sqlite"
    async with migrated(tmp_path) as database:
        yield Kit(journals.SqliteJournal(database), database, tmp_path)


def piece(text: str, offset: int = 0, part: int = 0) -> Piece:
    return Piece(part, "text", offset, text)


async def test_what_was_acknowledged_is_found_after_a_kill(kit: Kit) -> None:
    pieces = [Piece(0, "reasoning", 0, "흠… \u2028"), Piece(1, "text", 0, "안녕 😀\r\n"), Piece(1, "text", 6, '"\\\t')]
    kit.journal.opened("one")
    await kit.journal.append("one", pieces[:2])
    await kit.journal.append("one", pieces[2:])
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
        future = kit.journal.append(run_id, [one])
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
        waiting.append(kit.journal.append(run_id, pieces))
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        if chance.random() < 0.05:
            await waiting[-1]
    await asyncio.gather(*waiting)
    assert kit.after_a_kill() == {run_id: pieces for run_id, pieces in said.items() if pieces}


async def test_all_runs_share_the_row_of_a_commit(kit: Kit) -> None:
    for number in range(50):
        kit.journal.opened(f"run-{number}")
    await asyncio.gather(*(kit.journal.append(f"run-{number}", [piece("x")]) for number in range(50)))
    assert kit.rows() == 1
    assert len(kit.after_a_kill()) == 50


async def test_nothing_of_a_refused_append_is_kept_and_it_may_be_tried_again(kit: Kit) -> None:
    kit.journal.opened("one")
    await kit.journal.append("one", [piece("kept")])
    kit.database._raw.execute("PRAGMA max_page_count=1")
    much = [piece("x" * 16_000, 4 + 16_000 * number) for number in range(20)]
    with pytest.raises(StorageFull):
        await kit.journal.append("one", much)
    assert kit.after_a_kill() == {"one": [piece("kept")]}
    kit.database._raw.execute("PRAGMA max_page_count=100000")
    await kit.journal.append("one", much)
    assert kit.after_a_kill() == {"one": [piece("kept"), *much]}


async def test_it_is_empty_once_no_run_is_live(kit: Kit) -> None:
    for run_id in ("one", "two"):
        kit.journal.opened(run_id)
        await kit.journal.append(run_id, [piece("x")])
    kit.journal.ended("one")
    kit.journal.ended("two")
    await kit.trimmed()


async def test_rows_below_the_oldest_live_run_go_although_it_lives_on(kit: Kit) -> None:
    for run_id in ("old", "long", "young"):
        kit.journal.opened(run_id)
        for number in range(5):
            await kit.journal.append(run_id, [piece(f"{run_id} {number}", number)])
    kit.journal.ended("young")  # its rows are above those of runs that live
    assert kit.rows() == 15
    kit.journal.ended("old")
    await kit.trimmed(10)
    assert [one.text for one in kit.after_a_kill()["long"]] == [f"long {number}" for number in range(5)]
    kit.journal.ended("long")
    await kit.trimmed()


async def test_nothing_of_a_live_run_is_trimmed_while_others_come_and_go(kit: Kit) -> None:
    kit.journal.opened("live")  # before its first text, in the same moment as others end
    for number in range(40):
        kit.journal.opened(f"short-{number}")
        appended = kit.journal.append(f"short-{number}", [piece("short")])
        if number == 20:
            await kit.journal.append("live", [piece("live")])
        await appended
        kit.journal.ended(f"short-{number}")
        kit.journal.opened(f"live-{number}")
        await kit.journal.append(f"live-{number}", [piece(f"{number}")])
    found = kit.after_a_kill()
    assert found["live"] == [piece("live")]
    assert all(found[f"live-{number}"] == [piece(f"{number}")] for number in range(40))


async def test_a_run_that_said_nothing_holds_nothing_back_after_it_ended(kit: Kit) -> None:
    kit.journal.opened("silent")
    kit.journal.opened("one")
    await kit.journal.append("one", [piece("x")])
    kit.journal.ended("one")
    assert kit.rows() == 1
    kit.journal.ended("silent")
    await kit.trimmed()


async def test_a_long_journal_is_trimmed_whole_in_small_commits(kit: Kit) -> None:
    kit.journal.opened("one")
    deleted: list[int] = []
    for number in range(journals.MAX_ROWS_PER_TRIM + 500):
        await kit.journal.append("one", [piece("x", number)])
    kit.database._raw.set_progress_handler(None, 0)
    kit.database._raw.set_trace_callback(lambda sql: deleted.append(1) if sql.startswith("DELETE") else None)
    kit.journal.ended("one")
    await kit.trimmed()
    assert len(deleted) == 2


async def test_a_trim_that_the_disk_refused_is_made_good_by_the_next(kit: Kit) -> None:
    kit.journal.opened("one")
    await kit.journal.append("one", [piece("x")])
    with closing(sqlite3.connect(kit.database.path, isolation_level=None)) as other:
        kit.database._raw.execute("PRAGMA busy_timeout=10")
        other.execute("BEGIN IMMEDIATE")
        kit.journal.ended("one")
        await until(lambda: kit.database.trouble is not None, "the trim is refused")
        other.execute("ROLLBACK")
    assert kit.rows() == 1
    kit.journal.opened("two")
    await kit.journal.append("two", [piece("y")])
    kit.journal.ended("two")
    await kit.trimmed()


async def test_recovery_leaves_an_empty_journal(kit: Kit) -> None:
    kit.journal.opened("one")
    await kit.journal.append("one", [piece("x")])
    await kit.database.submit(journals.clear, durable=True)
    assert (kit.rows(), kit.after_a_kill()) == (0, {})
