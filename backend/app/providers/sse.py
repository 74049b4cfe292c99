"""Bytes of an event stream, cut anywhere, to events (WHATWG HTML, 9.2.6): incremental and bounded."""

import msgspec

_BOM = b"\xef\xbb\xbf"


class LineTooLong(Exception):
    """A line, or the data of one event, passed the limit."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event."""

    data: bytes
    name: bytes = b""


class SSEDecoder:
    """Feed it what the socket gave; it gives the events that are complete.

    Lines end at CR, LF or CRLF and nowhere else. `id` and `retry` are upstream's business and are dropped.
    """

    def __init__(self, max_line: int) -> None:
        """`max_line`: the longest line, and the most data of one event, in bytes."""
        self._max_line = max_line
        self._line = bytearray()  # an unfinished line; a bytearray, since a line may come byte by byte
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""
        self._after_cr = False
        self._at_start = True
        self._between = False  # two events: nothing of another one is open

    def only(self, chunk: bytes) -> bytes | None:
        """The data of `chunk`, if that is one event with one line of data, an object: what most endpoints send.

        None: it is anything else, and is to be fed.
        """
        if (
            self._between
            and chunk.startswith(b"data: {")
            and chunk.endswith(b"}\n\n")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.find(b"\r") < 0  # twice as fast as `in`
            and len(chunk) <= self._max_line
        ):
            return chunk[6:-2]
        return None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes.

        Raises:
            LineTooLong: there is no going on after it.
        """
        events = self._feed(chunk)
        self._between = not (self._line or self._data or self._name or self._after_cr or self._at_start)
        return events

    def flush(self) -> list[Event]:
        """At the end of the stream: the event whose lines were all there, though the blank line after it was not."""
        events: list[Event] = []
        if bytes(self._line).replace(b" ", b"") == b"data:[DONE]":
            self._take(bytes(self._line), events)
        self._take(b"", events)
        return events

    def _feed(self, chunk: bytes) -> list[Event]:
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 10:  # the LF of a CRLF that was cut in two
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._line += chunk
            self._check(len(self._line))
            return []
        lines = (bytes(self._line) + chunk).split(b"\n")
        self._line = bytearray(lines.pop())
        self._check(len(self._line))
        events: list[Event] = []
        for line in lines:
            self._take(line, events)
        return events

    def _take(self, line: bytes, events: list[Event]) -> None:
        self._check(len(line))
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if self._data:
                events.append(Event(self._data[0] if len(self._data) == 1 else b"\n".join(self._data), self._name))
                self._data = []
                self._size = 0
            self._name = b""
            return
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            self._size += len(line)
            self._check(self._size)
            self._data.append(value)
        elif field == b"event":
            self._name = value

    def _check(self, size: int) -> None:
        if size > self._max_line:
            raise LineTooLong
