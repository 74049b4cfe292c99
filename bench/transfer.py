"""How fast conversations come in from files and go out to files, and how long a live answer's writes wait meanwhile.

    PYTHONPATH=backend backend/.venv/bin/python -m bench.transfer 1000 10000 100000

Each size is imported into an empty database twice over: as conversations of `PER_CONVERSATION` messages, and as a
single one. Then it is exported, and imported again, which adds nothing. `measure` gives one line of the table.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from app.clock import Clock, derived_id, rfc3339
from app.engines.sqlite import SqliteDatabase
from app.models import LOCAL
from app.services.export_service import Export, ExportService
from app.services.import_service import ImportService
from app.store import schema
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.transfer import SqlTransfers
from bench.corpus import Corpus

T = TypeVar("T")

SIZES = (1_000, 10_000, 100_000)
PER_CONVERSATION = 20
BEGAN = 1_700_000_000_000
MAX_CHARS = 400_000  # of a message: the default of MAX_OUTPUT_CHARS
PAUSE_SECONDS = 0.005  # between two writes of the bystander
WRITE = "UPDATE change_numbers SET number = number WHERE owner_id = 'nobody'"


class Spread(NamedTuple):
    """Median, 99th percentile and worst, in milliseconds."""

    median: float
    most: float
    worst: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        """Of what was measured."""
        ordered = sorted(seconds)
        return cls(*(1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99, 1)))


class Figures(NamedTuple):
    """What one size took."""

    messages: int
    per_conversation: int
    file_mib: float
    import_seconds: float
    live_write: Spread  # until it was committed, while the import ran
    loop_late: Spread
    longest_batch: float  # milliseconds, until it was committed
    peak_mib: float  # that the process grew by, of memory that it had never had before
    export_seconds: float
    again_seconds: float


class Bystander:
    """A live answer's view: how long its writes wait, and how late the loop is, while something else goes on."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.writes: list[float] = []
        self.late: list[float] = []

    async def watch(self) -> None:
        """Write a little every few milliseconds, as an answer does, until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(PAUSE_SECONDS)
            awake = time.perf_counter()
            await self._database.submit(lambda connection: connection.exec_driver_sql(WRITE), durable=False)
            self.late.append(awake - before - PAUSE_SECONDS)
            self.writes.append(time.perf_counter() - awake)


async def measure(messages: int, per_conversation: int = PER_CONVERSATION) -> Figures:
    """Import, export and import again so many messages."""
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as named:
        await asyncio.to_thread(_write_elsewhere, named.name, messages, per_conversation)
        file = cast(BinaryIO, named)
        database = SqliteDatabase(Path(folder) / "chat.db")
        await asyncio.to_thread(database.open)
        await asyncio.to_thread(database.alone, schema.migrate)
        database.start()
        clock, changes = Clock(), SqlChanges(database)
        transfers = SqlTransfers(database, changes, clock)
        imports = ImportService(transfers, SqlConversations(database, changes, clock), MAX_CHARS)
        bystander = Bystander(database)
        watching = asyncio.create_task(bystander.watch())
        before = _peak_bytes()
        took, report = await _timed(imports.take(LOCAL, file))
        peak = _peak_bytes() - before
        watching.cancel()
        assert report.messages == messages, report
        export_took, _ = await _timed(_read(await ExportService(transfers, clock).all(LOCAL)))
        again_took, again = await _timed(imports.take(LOCAL, file))
        assert (again.conversations, again.messages) == (0, 0)
        await database.close()
        return Figures(
            messages=messages,
            per_conversation=per_conversation,
            file_mib=file.seek(0, 2) / 2**20,
            import_seconds=took,
            live_write=Spread.of(bystander.writes),
            loop_late=Spread.of(bystander.late),
            longest_batch=transfers.pace.longest * 1000,
            peak_mib=peak / 2**20,
            export_seconds=export_took,
            again_seconds=again_took,
        )


async def _timed(work: Awaitable[T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = await work
    return time.perf_counter() - began, result


async def _read(export: Export) -> None:
    async for _ in export.pieces:
        pass


def _write_elsewhere(path: str, messages: int, per_conversation: int) -> None:
    """In a process of its own, so that the memory it takes is not this one's."""
    process = get_context("spawn").Process(target=_write, args=(path, messages, per_conversation))
    process.start()
    process.join()
    assert process.exitcode == 0


def _write(path: str, messages: int, per_conversation: int) -> None:
    with Path(path).open("wb") as file:
        _write_document(file, messages, per_conversation)


def _write_document(file: BinaryIO, messages: int, per_conversation: int) -> None:
    corpus = Corpus()
    file.write(b'{"format": "ai-chat-service", "version": 1, "conversations": [')
    for number, start in enumerate(range(0, messages, per_conversation)):
        some = list(_messages(number, min(per_conversation, messages - start), corpus))
        at = BEGAN + number * 60_000
        conversation = {
            "id": derived_id(at, str(number)),
            "title": corpus.sentence(4)[:200],
            "created_at": rfc3339(at),
            "updated_at": rfc3339(at),
            "head_id": some[-1]["id"],
            "messages": some,
        }
        file.write((b"," if number else b"") + json.dumps(conversation, ensure_ascii=False).encode())
    file.write(b"]}")


def _messages(conversation: int, count: int, corpus: Corpus) -> Iterator[dict[str, Any]]:
    parent: str | None = None
    for number in range(count):
        at = BEGAN + conversation * 60_000 + number * 1000
        answers = number % 2 == 1
        message_id = derived_id(at, str(conversation), str(number))
        yield {
            "id": message_id,
            "role": "assistant" if answers else "user",
            "parent_id": parent,
            "parts": [{"type": "text", "text": corpus.answer() if answers else corpus.question()}],
            "created_at": rfc3339(at),
            **({"model": "openai/gpt-4o-mini", "finish_reason": "stop"} if answers else {}),
        }
        parent = message_id


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


HEADS = (
    "messages, in conversations of",
    "file, MiB",
    "import, messages/s",
    "a live write meanwhile, ms",
    "the loop late, ms",
    "longest batch, ms",
    "peak memory, MiB",
    "export, messages/s",
    "again, messages/s",
)


def line(figures: Figures) -> str:
    """A line of the table."""
    cells = (
        f"{figures.messages:,}, {figures.per_conversation:,}",
        f"{figures.file_mib:.1f}",
        f"{figures.messages / figures.import_seconds:,.0f}",
        " · ".join(f"{value:.1f}" for value in figures.live_write),
        " · ".join(f"{value:.1f}" for value in figures.loop_late),
        f"{figures.longest_batch:.0f}",
        f"{figures.peak_mib:.1f}",
        f"{figures.messages / figures.export_seconds:,.0f}",
        f"{figures.messages / figures.again_seconds:,.0f}",
    )
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Measure all sizes, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="how many messages; several, if you like")
    sys.stdout.write(f"| {' | '.join(HEADS)} |\n|{'---:|' * len(HEADS)}\n")
    for size in parser.parse_args().sizes:
        for per_conversation in (PER_CONVERSATION, size):
            sys.stdout.write(line(asyncio.run(measure(size, per_conversation))))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
