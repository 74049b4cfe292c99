"""Files that only grow: records one after the other, each with its length and its checksum.

What was cut short or never reached the disk ends what is read, and nothing behind it is taken for what it is not.
"""

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

_RECORD = struct.Struct(">II")  # length, checksum
_BEGINNING = struct.Struct(">Q")  # how long the segment before it was


class Segment:
    """One of the files, open to be written."""

    def __init__(self, database: Path, number: int, length_before: int) -> None:
        """The `number`th file of the log beside `database`, empty. The one before it ended at `length_before`.

        Raises:
            OSError: it cannot be made.
        """
        self.size = 0
        self.torn = False  # nothing more may be added
        self._file = os.open(
            path_of(database, number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self._unwritten = _BEGINNING.pack(length_before)

    def append(self, payload: bytes) -> None:
        """Add a record, not an empty one. Once this returns a kill of this process cannot lose it; a power cut can.

        Raises:
            OSError: nothing of it is kept.
        """
        record = b"".join((self._unwritten, _RECORD.pack(len(payload), crc32(payload)), payload))
        try:
            written = os.write(self._file, record)
            while written < len(record):  # a disk that is nearly full takes a part
                written += os.write(self._file, memoryview(record)[written:])
        except BaseException:
            self._take_back()
            raise
        self.size += len(record)
        self._unwritten = b""

    def close(self) -> None:
        """Add nothing more. Whatever the system says of that, the descriptor is not ours any longer."""
        with suppress(OSError):
            os.close(self._file)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self.size)
        except OSError:
            self.torn = True  # half a record may stand there, and would hide what comes after it


def path_of(database: Path, number: int) -> Path:
    """Where the `number`th file of the log beside `database` is; a name that means nothing to SQLite."""
    return database.with_name(f"{database.name}.journal-{number:08}")


def paths(database: Path) -> list[Path]:
    """The files of the log beside `database`, oldest first."""
    name = re.compile(re.escape(database.name) + r"\.journal-\d{8,}")
    with suppress(FileNotFoundError):
        return sorted((path for path in database.parent.iterdir() if name.fullmatch(path.name)), key=_number)
    return []


def payloads(database: Path) -> Iterator[bytes]:
    """What the log beside `database` holds, in order. A service may be adding to it, and taking files away.

    Raises:
        OSError: it cannot be read.
    """
    before: tuple[int, int] | None = None  # the number of the file that was read last, and where it ends
    for path in paths(database):
        number = _number(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # all of its runs have ended meanwhile, and those of the files before it
            before = None
            continue
        begun = len(data) >= _BEGINNING.size
        (length_before,) = _BEGINNING.unpack_from(data) if begun else (0,)
        if before is not None and (before[0] + 1 != number or before[1] < length_before):
            return  # the power went before the end of the last one was on the disk: here is a hole
        place = _BEGINNING.size if begun else 0
        while (payload := _payload(data, place)) is not None:
            yield payload
            place += _RECORD.size + len(payload)
        before = number, place


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _payload(data: bytes, place: int) -> bytes | None:
    if place + _RECORD.size > len(data):
        return None
    length, checksum = _RECORD.unpack_from(data, place)
    payload = data[place + _RECORD.size : place + _RECORD.size + length]
    # Where the disk has lost a block there are zeros: no record is empty.
    return payload if length and len(payload) == length and crc32(payload) == checksum else None
