"""The journal beside a SQLite file: what all runs say in one turn of the loop is one write to the end of a file.

Nothing but recovery ever reads it. The database's own writer would cost each token two wake-ups, and have it wait for
the disk's flush of whatever question or ending is being committed (decision 0024).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from app.errors import StorageError
from app.eventlog.base import Said, Written, tell
from app.eventlog.segments import Segment, path_of, paths, payloads
from app.models import Piece
from app.telemetry import Timings, log

SEGMENT_BYTES = 4 * 2**20  # a file is taken away once all of its runs have ended, so it must not hold many
SLOW_SECONDS = 0.02  # a write that takes longer is a disk that stalls: the next one must not have the loop wait

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, list[Piece]]]).decode


class FileJournal:
    """Satisfies `eventlog.base.Journal` for one process that serves from a file."""

    def __init__(self, path: Path, refused: Callable[[Exception], StorageError]) -> None:
        """Beside the database's file at `path`. `refused` says what people are told where the disk takes no more."""
        self.commits = Timings()
        self.failures = 0
        self.trouble: StorageError | None = None
        self._path = path
        self._refused = refused
        self._loop = asyncio.get_running_loop()
        self._segment: Segment | None = None
        self._number = 1  # of the segment that the next write goes to
        self._length_before = 0  # of the segment before
        self._oldest = 1  # file that may be there
        self._first: dict[str, int] = {}  # of each live run, the first segment that may hold its text
        self._entries: list[Said] = []
        self._waiting: list[Written] = []
        self._due = False  # a write is under way or about to be
        self._away = False  # it is under way in another thread
        self._slow = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")  # it starts when it is needed
        self._quiet = asyncio.Event()  # no file is being taken away
        self._quiet.set()

    async def close(self) -> None:
        """Wait until what has ended is taken away."""
        while not self._quiet.is_set():  # one removal may be followed by another
            await self._quiet.wait()
        await asyncio.to_thread(self._thread.shutdown)
        self._part_from_segment()

    async def probe(self) -> None:
        """See `Journal.probe`."""
        answer: asyncio.Future[None] = self._loop.create_future()

        def written(error: Exception | None) -> None:
            if not answer.done():
                answer.set_result(None) if error is None else answer.set_exception(error)

        self.append("", (), written)
        try:
            await answer
        finally:
            self.ended("")  # which takes the file away, if nothing else is in it

    def opened(self, run_id: str) -> None:
        """See `Journal.opened`."""
        self._first[run_id] = self._number

    def append(self, run_id: str, pieces: Sequence[Piece], written: Written) -> None:
        """See `Journal.append`."""
        self._entries.append((run_id, pieces))
        self._waiting.append(written)
        if not self._due:
            self._write_soon()

    def ended(self, run_id: str) -> None:
        """See `Journal.ended`."""
        self._first.pop(run_id, None)
        if not self._first and not self._due:
            self._part_from_segment()
        self._trim()

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _write_soon(self) -> None:
        self._due = True
        self._loop.call_soon(self.flush)  # what else arrives in this turn of the loop goes along

    def flush(self) -> None:
        """See `Journal.flush`."""
        if self._away or not self._entries:
            return  # whoever writes now goes on with them, or has written them already
        entries, self._entries = self._entries, []
        waiting, self._waiting = self._waiting, []
        if self._slow:
            self._away = True
            writing = self._loop.run_in_executor(self._thread, self._keep, entries)
            writing.add_done_callback(lambda done: self._kept(waiting, *done.result()))
        else:
            self._kept(waiting, *self._keep(entries))

    def _keep(self, entries: Sequence[Said]) -> tuple[float, Exception | None]:
        """How long it took, and why it failed if it did. One call at a time."""
        began = time.perf_counter()
        try:
            if self._segment is None:
                self._segment = Segment(self._path, self._number, self._length_before)
            self._segment.append(_encode(entries))
        except Exception as error:  # noqa: BLE001 - the writer's boundary: whatever it was, nothing was kept
            return time.perf_counter() - began, error
        return time.perf_counter() - began, None

    def _kept(self, waiting: Sequence[Written], took: float, problem: Exception | None) -> None:
        self._due = self._away = False
        if self._entries:  # they came while another thread was writing
            self._write_soon()
        self._slow = took > SLOW_SECONDS
        self.trouble = error = self._refused(problem) if problem is not None else None
        if error is None:
            self.commits.add(took)
        else:
            self.failures += 1
        if self._segment is not None and (self._segment.size >= SEGMENT_BYTES or self._segment.torn):
            self._part_from_segment()
        tell(waiting, error)

    # ── Taking away ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _part_from_segment(self) -> None:
        """What comes next goes into another file."""
        segment, self._segment = self._segment, None
        if segment is not None:
            if segment.size:  # else the next one takes its place
                self._length_before = segment.size
                self._number += 1
            segment.close()

    def _trim(self) -> None:
        """Take away the files that hold nothing of a live run."""
        below = min(self._first.values(), default=self._number)
        if self._quiet.is_set() and below > self._oldest:
            self._quiet.clear()
            removing = self._loop.run_in_executor(None, partial(_remove, self._path, range(self._oldest, below)))
            removing.add_done_callback(lambda done: self._trimmed(below, done.exception()))

    def _trimmed(self, below: int, error: BaseException | None) -> None:
        self._quiet.set()
        if error is None:
            self._oldest = below
            self._trim()
        else:
            # It costs room only, and the next trim tries again.
            log.warning("journal.not_trimmed", error=type(error).__name__)


def recover(path: Path) -> list[Said]:
    """What the journal beside the database at `path` holds, in order.

    Raises:
        OSError: it cannot be read.
    """
    found: list[Said] = []
    with suppress(msgspec.DecodeError):  # whatever that is, nothing behind it is ours either
        for payload in payloads(path):
            found += _decode(payload)
    return found


def clear(path: Path) -> None:
    """Take it away, once what it held is saved elsewhere.

    Raises:
        OSError: it stays.
    """
    for file in paths(path):
        file.unlink(missing_ok=True)


def _remove(path: Path, numbers: Iterable[int]) -> None:
    for number in numbers:
        path_of(path, number).unlink(missing_ok=True)
