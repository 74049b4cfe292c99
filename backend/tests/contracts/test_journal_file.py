"""The files of SQLite's journal: when they go, and what is read of them whatever a kill, a power cut or a disk did."""

import asyncio
import errno
import itertools
import os
import struct
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from app.engines.sqlite_errors import storage_error
from app.errors import StorageError, StorageFull
from app.eventlog import file as in_file
from app.eventlog import segments
from app.eventlog.base import by_run
from app.models import Piece
from tests.support.databases import append
from tests.support.waiting import until


class Kit(NamedTuple):
    """A journal, and the database that its files are beside; there need not be one."""

    journal: in_file.FileJournal
    path: Path

    def after_a_kill(self) -> dict[str, list[Piece]]:
        """What recovery reads from what is kept now."""
        return by_run(in_file.recover(self.path))

    def rows(self) -> int:
        """How many records it has."""
        return len(list(segments.payloads(self.path)))

    async def trimmed(self, rows: int = 0) -> None:
        """Wait until it has so many."""
        await until(lambda: self.rows() == rows, f"the journal has {rows} records, it has {self.rows()}")


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncGenerator[Kit]:
    journal = in_file.FileJournal(tmp_path / "chat.db", storage_error)
    yield Kit(journal, tmp_path / "chat.db")
    await journal.close()


def piece(text: str, offset: int = 0) -> Piece:
    return Piece(0, "text", offset, text)


async def test_files_below_the_oldest_live_run_go_although_it_lives_on(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_file, "SEGMENT_BYTES", 1)
    for run_id in ("old", "long", "young"):
        kit.journal.opened(run_id)
        for number in range(5):
            await append(kit.journal, run_id, [piece(f"{run_id} {number}", number)])
    kit.journal.ended("young")  # its text is behind that of runs that live
    assert kit.rows() == 15
    kit.journal.ended("old")
    await kit.trimmed(10)
    assert [one.text for one in kit.after_a_kill()["long"]] == [f"long {number}" for number in range(5)]
    kit.journal.ended("long")
    await kit.trimmed()


async def test_a_trim_that_the_disk_refused_is_made_good_by_the_next(kit: Kit) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("x")])
    (path,) = segments.paths(kit.path)
    path.rename(path.with_suffix(".away"))
    path.mkdir()  # which is not to be unlinked
    with structlog.testing.capture_logs() as said:
        kit.journal.ended("one")
        await until(lambda: "journal.not_trimmed" in str(said), "the trim is refused")
    path.rmdir()
    path.with_suffix(".away").rename(path)
    kit.journal.opened("two")
    await append(kit.journal, "two", [piece("y")])
    assert kit.after_a_kill() == {"one": [piece("x")], "two": [piece("y")]}
    kit.journal.ended("two")
    await kit.trimmed()
    assert not segments.paths(kit.path)


async def test_a_cleared_journal_is_gone(kit: Kit) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("x")])
    in_file.clear(kit.path)
    assert (kit.rows(), kit.after_a_kill()) == (0, {})


@pytest.mark.parametrize("cut", [1, 9, 30])
async def test_a_record_that_was_cut_short_ends_what_is_read(kit: Kit, cut: int) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("whole")])
    await append(kit.journal, "one", [piece("cut short", 5)])
    (path,) = segments.paths(kit.path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert kit.after_a_kill() == {"one": [piece("whole")]}


async def test_what_the_disk_made_of_a_record_that_it_lost_is_not_read(kit: Kit) -> None:
    kit.journal.opened("one")
    for number in range(3):
        await append(kit.journal, "one", [piece(f"number {number}", 8 * number)])
    (path,) = segments.paths(kit.path)
    path.write_bytes(path.read_bytes().replace(b"number 1", bytes(8)))
    assert kit.after_a_kill() == {"one": [piece("number 0")]}


async def test_behind_a_hole_nothing_is_read(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut the end of a file may be lost and the next one not."""
    monkeypatch.setattr(in_file, "SEGMENT_BYTES", 100)
    kit.journal.opened("one")
    for number in range(6):
        await append(kit.journal, "one", [piece(f"{number} and more, so that two fill a file", 50 * number)])
    first, *_ = segments.paths(kit.path)
    whole = len(list(segments.payloads(kit.path)))
    (length, _), data = struct.unpack_from(">II", first.read_bytes(), 8), first.read_bytes()
    first.write_bytes(data[: 8 + 8 + length])
    assert (whole, len(list(segments.payloads(kit.path)))) == (6, 1)


@pytest.mark.parametrize("zeros", [8, 64, 5000])
async def test_zeros_at_the_end_are_no_records(kit: Kit, zeros: int) -> None:
    """As a power cut may leave them."""
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("whole")])
    (path,) = segments.paths(kit.path)
    path.write_bytes(path.read_bytes() + bytes(zeros))
    assert kit.after_a_kill() == {"one": [piece("whole")]}


@pytest.mark.parametrize("left", [None, b"", b"cut"])
async def test_behind_a_file_that_was_lost_nothing_is_read(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, left: bytes | None
) -> None:
    monkeypatch.setattr(in_file, "SEGMENT_BYTES", 1)
    kit.journal.opened("one")
    for number in range(3):
        await append(kit.journal, "one", [piece("text", 4 * number)])
    _, second, _ = segments.paths(kit.path)
    if left is None:
        second.unlink()
    else:
        second.write_bytes(left)
    assert kit.after_a_kill() == {"one": [piece("text")]}


async def test_what_is_no_journal_of_ours_ends_it(kit: Kit) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("whole")])
    stranger = segments.Segment(kit.path, 2, segments.paths(kit.path)[0].stat().st_size)
    stranger.append(b"\xc1")  # never MessagePack
    stranger.close()
    assert kit.after_a_kill() == {"one": [piece("whole")]}


async def test_a_file_that_cannot_be_closed_is_let_go_of_all_the_same(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be somebody else's by then."""
    monkeypatch.setattr(in_file, "SEGMENT_BYTES", 1)
    close = os.close

    def complains(file: int) -> None:
        close(file)
        raise OSError(errno.EIO, "broken")

    kit.journal.opened("one")
    with monkeypatch.context() as patched:
        patched.setattr(segments.os, "close", complains)
        await append(kit.journal, "one", [piece("a")])
    await append(kit.journal, "one", [piece("b", 1)])
    assert kit.after_a_kill() == {"one": [piece("a"), piece("b", 1)]}


async def test_trouble_lasts_until_a_write_succeeds(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patched:
        patched.setattr(segments.Segment, "append", full)
        with pytest.raises(StorageFull):
            await kit.journal.probe()
        assert (type(kit.journal.trouble), kit.journal.failures) == (StorageFull, 1)
    await kit.journal.probe()
    assert kit.journal.trouble is None
    await kit.trimmed()


async def test_half_a_record_is_taken_back_and_the_next_one_found(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("kept")])
    write, calls = os.write, itertools.count()

    def nearly_full(file: int, data: bytes) -> int:
        if next(calls):
            raise OSError(errno.ENOSPC, "full")
        return write(file, data[:10])

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(StorageFull):
        await append(kit.journal, "one", [piece("lost", 4)])
    monkeypatch.undo()
    await append(kit.journal, "one", [piece("again", 4)])
    assert kit.after_a_kill() == {"one": [piece("kept"), piece("again", 4)]}


async def test_where_half_a_record_has_to_stay_the_next_one_goes_into_another_file(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.journal.opened("one")
    await append(kit.journal, "one", [piece("kept")])
    write = os.write

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "broken")

    def breaks(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", broken)
        return write(file, data[:10])

    monkeypatch.setattr(os, "write", breaks)
    monkeypatch.setattr(os, "ftruncate", broken)
    with pytest.raises(StorageError):
        await append(kit.journal, "one", [piece("lost", 4)])
    monkeypatch.undo()
    await append(kit.journal, "one", [piece("again", 4)])
    assert kit.after_a_kill() == {"one": [piece("kept"), piece("again", 4)]}


async def test_a_disk_that_stalls_holds_the_loop_up_once(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    released, threads = threading.Event(), list[threading.Thread]()
    add = segments.Segment.append

    def stalls(segment: segments.Segment, payload: bytes) -> None:
        threads.append(threading.current_thread())
        if len(threads) == 2:
            released.wait(10)
        if len(threads) <= 2:
            time.sleep(2 * in_file.SLOW_SECONDS)
        add(segment, payload)

    monkeypatch.setattr(segments.Segment, "append", stalls)
    for run_id in ("one", "two"):
        kit.journal.opened(run_id)
    await append(kit.journal, "one", [piece("a")])
    waits = append(kit.journal, "one", [piece("b", 1)])
    await until(lambda: len(threads) == 2, "it is being written by another thread")
    meanwhile = append(kit.journal, "two", [piece("c")])
    kit.journal.flush()  # which is no second writer
    assert not waits.done()
    released.set()
    await asyncio.gather(waits, meanwhile)
    assert kit.after_a_kill() == {"one": [piece("a"), piece("b", 1)], "two": [piece("c")]}
    await append(kit.journal, "one", [piece("d", 2)])
    main = threading.main_thread()
    assert [thread is main for thread in threads] == [True, False, False, True], "once it is fast again"


async def test_what_is_flushed_is_kept_at_once_and_only_once(kit: Kit) -> None:
    kit.journal.opened("one")
    for number in range(2):
        appended = append(kit.journal, "one", [piece("ab"[number], number)])
        kit.journal.flush()
        assert appended.done()
        kit.journal.flush()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert kit.after_a_kill() == {"one": [piece("a"), piece("b", 1)]}
    assert kit.rows() == 2
