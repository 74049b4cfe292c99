"""How fast conversations go out to files and come in from files, and what stands still meanwhile.

From backend/, with the service's environment:

    python ../bench/transfer.py 1000 10000 100000

Each size is imported into an empty database, once as conversations of twenty messages and once as a single one, then
exported, then imported again (which adds nothing). The rows are told as JSON, one a line.
"""

import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "backend"))

from app.clock import Clock, derived_id, rfc3339
from app.database import Database
from app.models import LOCAL
from app.services.export_service import ExportService
from app.services.import_service import ImportService
from app.store import schema
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.transfer import SqlTransfers

BEGAN = 1_700_000_000_000
PER_CONVERSATION = 20
PAUSE_SECONDS = 0.005  # between two writes of the bystander
WRITE = "UPDATE change_numbers SET number = number WHERE owner_id = 'nobody'"
WORDS = (
    "the model answers with a stream of tokens that readers follow from any place "
    "모델은 토큰을 하나씩 보내고 독자는 어디서든 이어서 읽는다 데이터베이스 한 파일에 모두 남는다"
).split()


class Bystander:
    """A live answer's view: how long its writes wait, and the loop, while something else goes on; in seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writes: list[float] = []
        self.loop: list[float] = []

    async def watch(self) -> None:
        """Write a little every few milliseconds, as an answer does, until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(PAUSE_SECONDS)
            awake = time.perf_counter()
            await self._database.submit(lambda connection: connection.exec_driver_sql(WRITE), durable=False)
            self.loop.append(awake - before - PAUSE_SECONDS)
            self.writes.append(time.perf_counter() - awake)


async def measure(messages: int, per_conversation: int = PER_CONVERSATION) -> dict[str, Any]:
    """Import, export and import again so many messages; what it took."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file:
        _write(file, messages, per_conversation)
        database = Database(Path(folder) / "chat.db")
        await asyncio.to_thread(database.open)
        await asyncio.to_thread(database.alone, schema.migrate)
        database.start()
        clock, changes = Clock(), SqlChanges(database)
        transfers = SqlTransfers(database, changes, clock)
        imports = ImportService(transfers, SqlConversations(database, changes, clock), 400_000)
        exports = ExportService(transfers, clock)
        bystander = Bystander(database)
        watching = asyncio.create_task(bystander.watch())
        before = _peak_bytes()
        took, report = await _timed(imports.take(LOCAL, file))
        assert report.messages == messages, report
        peak = _peak_bytes() - before
        watching.cancel()
        export_took, size = await _timed(_size(await exports.all(LOCAL)))
        again_took, again = await _timed(imports.take(LOCAL, file))
        assert (again.conversations, again.messages) == (0, 0)
        await database.close()
        return {
            "messages": messages,
            "per_conversation": per_conversation,
            "file_mib": round(file.seek(0, 2) / 2**20, 1),
            "import_seconds": round(took, 2),
            "import_messages_per_second": round(messages / took),
            "longest_batch_ms": round(transfers.pace.longest * 1000, 1),
            "live_write_ms": _spread(bystander.writes),
            "loop_late_ms": _spread(bystander.loop),
            "peak_memory_mib": round(peak / 2**20, 1),
            "export_mib_per_second": round(size / 2**20 / export_took, 1),
            "import_again_seconds": round(again_took, 2),
        }


async def _timed(work: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = await work
    return time.perf_counter() - began, result


async def _size(export: Any) -> int:
    size = 0
    async for piece in export.pieces:
        size += len(piece)
    return size


def _write(file: BinaryIO, messages: int, per_conversation: int) -> None:
    chance = random.Random(1)
    file.write(b'{"format": "ai-chat-service", "version": 1, "conversations": [')
    for number, start in enumerate(range(0, messages, per_conversation)):
        some = list(_messages(number, min(per_conversation, messages - start), chance))
        at = rfc3339(BEGAN + number * 60_000)
        conversation = {
            "id": derived_id(BEGAN + number * 60_000, str(number)),
            "title": f"Conversation {number}",
            "created_at": at,
            "updated_at": at,
            "head_id": some[-1]["id"],
            "messages": some,
        }
        file.write((b"," if number else b"") + json.dumps(conversation, ensure_ascii=False).encode())
    file.write(b"]}")


def _messages(conversation: int, count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    parent: str | None = None
    for number in range(count):
        at = BEGAN + conversation * 60_000 + number * 1000
        message_id = derived_id(at, str(conversation), str(number))
        text = " ".join(chance.choices(WORDS, k=12 if number % 2 == 0 else 90))
        yield {
            "id": message_id,
            "role": "assistant" if number % 2 else "user",
            "parent_id": parent,
            "parts": [{"type": "text", "text": text}],
            "created_at": rfc3339(at),
            **({"model": "openai/gpt-4o-mini", "finish_reason": "stop"} if number % 2 else {}),
        }
        parent = message_id


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": len(ordered) - 1}
    return {name: round(ordered[place] * 1000, 1) for name, place in at.items()}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def main() -> None:
    """Measure the sizes that the arguments name."""
    for size in map(int, sys.argv[1:] or ["1000", "10000"]):
        for per_conversation in (PER_CONVERSATION, size):
            print(json.dumps(asyncio.run(measure(size, per_conversation))), flush=True)  # noqa: T201 - its output


if __name__ == "__main__":
    main()
