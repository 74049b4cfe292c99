"""stderr, for a service: nothing waits for whoever reads the log, and nothing fails because of them.

A pipe whose reader has stopped holds up who writes to it; one whose reader is gone fails them, as does a full disk.
A log line is the least of what this service writes: answers go on, and lines that are lost are counted.
"""

import io
import os
import select
from contextlib import suppress
from typing import TextIO, cast


class LogStream(io.TextIOBase):
    """Lines to a file descriptor. Each is written at once, or lost; later one says how many were."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = 0  # lines
        self._torn = False  # of the last one only a part was taken

    def write(self, text: str) -> int:
        """Write `text`, a line with its end, or lose it. Neither waits nor raises."""
        line = text.encode("utf-8", "backslashreplace")
        if self._lost:
            line = b'{"lines": %d, "event": "log.lost", "level": "warning"}\n' % self._lost + line
        if self._torn:
            line = b"\n" + line
        taken = self._put(line)
        if taken == len(line):
            self._lost, self._torn = 0, False
        else:
            self._lost += 1
            self._torn = taken > 0 or self._torn
        return len(text)

    def fileno(self) -> int:
        """What is written to."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person sees it."""
        return os.isatty(self._descriptor)

    def _put(self, line: bytes) -> int:
        """How much of `line` was taken. A pipe that is ready takes `PIPE_BUF` bytes at once (POSIX, limits.h)."""
        taken = 0
        with suppress(OSError, ValueError):
            while taken < len(line) and select.select((), (self._descriptor,), (), 0)[1]:
                taken += os.write(self._descriptor, line[taken : taken + select.PIPE_BUF])
        return taken


def log_stream(stream: TextIO) -> TextIO:
    """`stream` as a `LogStream`; itself, where it is one, or leads to no file."""
    try:
        return stream if isinstance(stream, LogStream) else cast(TextIO, LogStream(stream.fileno()))
    except (OSError, ValueError):  # as tests have it
        return stream
