"""How long a search takes, and what its index costs, with more and more messages.

    make bench-conversations SIZES="1000 10000"

It makes a database of each size, measures, and writes `bench/conversations.md`. A new measurement is one function that
takes a `World` and gives rows, and one line in `MEASUREMENTS`.
"""

import argparse
import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from app.store import search
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.tables import messages
from bench import world
from bench.corpus import APART, BEGINNING, ELSEWHERE, LAST, NEVER_TOUCHING, ONCE
from bench.world import APART_MILLISECONDS, START, World

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PAGE = 20  # what a list shows at once
QUESTIONS = 200  # of each kind; they differ where the kind allows it
KIND_SECONDS = 10  # a slow kind is asked less often
WARM_UP = 5
PAGE_OF_RESULTS = Path(__file__).with_suffix(".md")


Question = Callable[[], tuple[str, int | None]]
"""Makes a query and the place to begin at."""


class Row(NamedTuple):
    """A line of the page: a figure for each size, and under it, how it grew."""

    table: str
    name: str
    figures: tuple[float, ...]  # one for each column of the table


# ── What is measured ─────────────────────────────────────────────────────────────────────────────────────────────────


async def building(here: World) -> AsyncIterator[Row]:
    """How large it is, and what it took to write, 2,000 messages a commit."""
    with closing(sqlite3.connect(here.database.path)) as file:
        kept = _bytes(file, "messages") + _bytes(file, "%_messages_%")
        entries = _bytes(file, "search_entries") + _bytes(file, "%_search_entries_%")
        index = _bytes(file, "search_index_%")
    yield Row("Size", "text, MB", (here.text_bytes / 1e6,))
    yield Row("Size", "messages with their indexes, bytes for each byte of text", (kept / here.text_bytes,))
    yield Row("Size", "the search's index, bytes for each byte of text", (index / here.text_bytes,))
    yield Row("Size", "the search's entries, bytes for each byte of text", (entries / here.text_bytes,))
    yield Row("Many messages a commit, µs for each", "writing and indexing", (here.seconds / here.size * 1e6,))


async def removing(here: World) -> AsyncIterator[Row]:
    """A batch of messages, as a deleted conversation goes."""
    rows = here.rows([here.corpus.answer() for _ in range(1000)])
    await here.database.submit(_all(rows), durable=False)
    took = await _timed(here.database.submit(_without(rows), durable=False))
    yield Row("Many messages a commit, µs for each", "taking out and deleting", (took / len(rows) * 1e6,))


async def writing(here: World) -> AsyncIterator[Row]:
    """One message a commit, as it is when people talk, with its index and without."""
    for characters, times in ((200, 400), (2_000, 200), (400_000, 4)):
        for indexed in (True, False):
            rows = here.rows([here.corpus.text(characters) for _ in range(times)])
            took = [await _timed(here.database.submit(_all([row], indexed=indexed), durable=False)) for row in rows]
            what = f"{characters:,} characters, {'with' if indexed else 'without'} its index"
            yield Row("One message a commit, ms", what, _spread(took))
            if characters > 2_000:  # they would be in the way of every search: see the last kind
                await here.database.submit(_without(rows), durable=False)


async def searching(here: World) -> AsyncIterator[Row]:
    """A page for each kind of question, as a request gets it: index, rows, snippets."""
    finder = search.SqlSearch(here.database)
    for name, question in _kinds(here):
        yield Row("A page of a search, ms", name, _spread(await _asked(here, finder, question)))
    giants = here.rows([f"{here.corpus.text(400_000)} {LAST}" for _ in range(PAGE)])
    for row in giants:
        await here.database.submit(_all([row]), durable=False)
    name = f"{PAGE} messages of 400,000 characters, the hit at their ends"
    yield Row("A page of a search, ms", name, _spread(await _asked(here, finder, lambda: (LAST, None))))
    await here.database.submit(_without(giants), durable=False)


async def reading(here: World) -> AsyncIterator[Row]:
    """A page of the long branch and of the list, and what a prompt reads of it."""
    kept = SqlConversations(here.database, SqlChanges(here.database), here.clock)
    end, middle = await here.database.read(lambda connection: _branch(connection, here.long_one))

    async def times(look: Callable[[], Awaitable[Any]]) -> tuple[float, ...]:
        return _spread([await _timed(look()) for _ in range(QUESTIONS + WARM_UP)][WARM_UP:])

    reads: dict[str, Callable[[], Awaitable[Any]]] = {
        "the newest 50 messages of the long branch": lambda: kept.page(here.asker, here.long_one, end, 50),
        "50 messages above its middle": lambda: kept.page(here.asker, here.long_one, middle, 50, above=True),
        "64 messages for a prompt": lambda: kept.branch(here.asker, here.long_one, end, 64),
        "50 conversations of the list": lambda: kept.conversations(here.asker, 50, None, archived=False, pinned=None),
    }
    for name, look in reads.items():
        yield Row("A page of a conversation, ms", name, await times(look))


def _branch(connection: Connection, conversation: str) -> tuple[str, str]:
    """The last message of its longest branch, and the one half-way."""
    statement = select(messages.c.id, messages.c.depth).where(messages.c.conversation_id == conversation)
    end = connection.execute(statement.order_by(messages.c.depth.desc()).limit(1)).one()
    return end.id, connection.execute(statement.where(messages.c.depth == end.depth // 2).limit(1)).one().id


async def tidying(here: World) -> AsyncIterator[Row]:
    """All of the index made one piece, so that what was taken out leaves the file."""
    took: list[float] = []
    more = True
    while more:
        began = time.perf_counter()
        anew = not took
        more = await here.database.submit(
            lambda connection, anew=anew: search.tidy(connection, anew=anew), durable=False
        )
        took.append(time.perf_counter() - began)
    yield Row("Tidying the index up", "a step, ms", _spread(took))
    yield Row("Tidying the index up", "all steps, s", (sum(took),))


# In this order: the commits of single messages leave the index in as many pieces as it ever has.
MEASUREMENTS: tuple[Callable[[World], AsyncIterator[Row]], ...] = (
    building,
    reading,
    removing,
    writing,
    searching,
    tidying,
)


async def _asked(here: World, finder: search.SqlSearch, question: Question) -> list[float]:
    """The seconds that each took."""
    took: list[float] = []
    began = time.perf_counter()
    while len(took) < QUESTIONS + WARM_UP and time.perf_counter() - began < KIND_SECONDS:
        query, before = question()
        took.append(await _timed(finder.find(here.asker, query, PAGE, before)))
    return took[WARM_UP:]


def _kinds(here: World) -> Iterator[tuple[str, Question]]:
    """Kinds of questions: a name, and what makes one."""
    corpus = here.corpus
    short = [word[:2] for word in corpus.korean if len(word) > 2]
    longer = [word for word in corpus.english if len(word) >= 4]
    middle = START + here.size // 2 * APART_MILLISECONDS
    kinds: dict[str, Callable[[], str]] = {
        "a frequent Korean word": lambda: corpus.choice(corpus.korean, 0, 30),
        "a rare Korean word": lambda: corpus.choice(corpus.korean, 10_000, 24_000),
        "one syllable": lambda: corpus.choice(corpus.syllables, 0, 1200),
        "two syllables": lambda: corpus.choice(short, 0, 10_000),
        "a frequent English word": lambda: corpus.choice(longer, 0, 30),
        "an English and a Korean word": lambda: (
            f"{corpus.choice(longer, 0, 300)} {corpus.choice(corpus.korean, 0, 300)}"
        ),
        "the first three letters of a word": lambda: corpus.choice(longer, 0, 300)[:3],
        "three letters with which a word of every message begins": lambda: BEGINNING[0][:3],
        "six words": lambda: corpus.sentence(6),
        "one word, in the oldest message": lambda: ONCE,
        "no hit": lambda: corpus.choice(corpus.korean, 0, 3000) + "뷁" + corpus.choice(corpus.korean, 0, 3000),
        "two frequent words that never meet": lambda: " ".join(APART),
        "two frequent pairs that never touch": lambda: NEVER_TOUCHING[0] + NEVER_TOUCHING[1][1:],
        "a word that only others use": lambda: ELSEWHERE,
        "twenty frequent words": lambda: " ".join(corpus.choice(corpus.words, 0, 100) for _ in range(20)),
    }
    for name, question in kinds.items():
        yield name, lambda question=question: (question(), None)
    yield "a frequent word, from the middle on", lambda: (corpus.choice(corpus.korean, 0, 30), middle)


def _all(rows: list[dict[str, Any]], *, indexed: bool = True) -> Callable[[Connection], None]:
    def write(connection: Connection) -> None:
        for row in rows:
            world.write_message(connection, row, indexed=indexed)

    return write


def _without(rows: list[dict[str, Any]]) -> Callable[[Connection], None]:
    def take_out(connection: Connection) -> None:
        search.remove(connection, {row["id"]: row["text"] for row in rows})
        connection.execute(delete(messages).where(messages.c.id.in_([row["id"] for row in rows])))

    return take_out


async def _timed(awaitable: Any) -> float:
    began = time.perf_counter()
    await awaitable
    return time.perf_counter() - began


def _spread(seconds: list[float]) -> tuple[float, ...]:
    """Median, 99th percentile and worst, in milliseconds."""
    ordered = sorted(seconds)
    return tuple(1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99, 1))


def _bytes(file: sqlite3.Connection, name: str) -> int:
    names = [found for (found,) in file.execute("SELECT name FROM sqlite_master WHERE name LIKE ?", (name,))]
    sizes = "SELECT sum(pgsize) FROM dbstat WHERE name = ? AND aggregate = 1"
    return sum(file.execute(sizes, (found,)).fetchone()[0] or 0 for found in names)


# ── What is written ──────────────────────────────────────────────────────────────────────────────────────────────────


def report(results: dict[int, list[Row]]) -> str:
    """The figures as Markdown: a table for each kind, a column for each size, and what ten times as much costs."""
    first = next(iter(results.values()))
    lines = [
        "# Conversations, measured",
        "",
        "Made by `make bench-conversations`. Each database holds the messages of 21 people, 60 % of them in one long",
        "branch of the one who asks; Korean and English words by Zipf's law. Where a cell has three figures, they are",
        "median, 99th percentile and worst. *Growth* is the median at one size for that at the size before.",
        "",
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}.",
    ]
    for table in dict.fromkeys(row.table for row in first):
        heads = [table, *(f"{size:,}" for size in results), "growth"]
        lines += ["", f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
        for place, row in enumerate(first):
            if row.table == table:
                cells = [rows[place].figures for rows in results.values()]
                growth = " · ".join(f"×{b[0] / a[0]:.1f}" for a, b in pairwise(cells))
                lines.append(f"| {row.name} | {' | '.join(map(_cell, cells))} | {growth or '–'} |")
    return "\n".join(lines) + "\n"


def _cell(figures: tuple[float, ...]) -> str:
    return " · ".join(f"{figure:.3g}" if figure < 100 else f"{figure:,.0f}" for figure in figures)


async def measured(size: int, folder: Path) -> list[Row]:
    """All rows for one size."""
    here = await world.make(folder / f"{size}.db", size)
    rows = []
    for measurement in MEASUREMENTS:
        async for row in measurement(here):
            rows.append(row)
            world.progress("")
            sys.stdout.write(f"{size:>9,}  {row.name}: {_cell(row.figures)}\n")
            sys.stdout.flush()
    await here.database.close()
    return rows


def main() -> None:
    """Measure all sizes, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="how many messages; several, if you like")
    parser.add_argument("--output", type=Path, default=PAGE_OF_RESULTS)
    asked = parser.parse_args()
    results = {}
    for size in sorted(asked.sizes):
        with tempfile.TemporaryDirectory() as folder:
            results[size] = asyncio.run(measured(size, Path(folder)))
    asked.output.write_text(report(results), "utf-8")


if __name__ == "__main__":
    main()
