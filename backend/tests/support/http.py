"""HTTP/1.1 by hand: parsers that are fed bytes. Forgiving nowhere, since our own service writes what they read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

Headers = Sequence[tuple[str, str]]
Given = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]

CRLF = b"\r\n"


class NotHttp(AssertionError):
    """The bytes are not an HTTP/1.1 message."""


class Fields:
    """Header lines in their order; names compare without case."""

    def __init__(self, pairs: Headers) -> None:
        self.pairs = tuple(pairs)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`."""
        return next((value for key, value in self.pairs if key.lower() == name.lower()), default)

    def all(self, name: str) -> list[str]:
        """All values of `name`."""
        return [value for key, value in self.pairs if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __repr__(self) -> str:
        return repr(self.pairs)


class MessageParser:
    """One HTTP message, fed in any pieces: first its head, then its body with the framing taken off.

    `body` grows as bytes arrive. `complete` is true once the message's own framing says so; a message framed by the
    connection's end is complete after `end()`. What follows the message stays in `rest`.
    """

    def __init__(self, *, request: bool = False, bodyless: bool = False) -> None:
        self.head = b""
        self.start_line = ""
        self.fields = Fields(())
        self.body = bytearray()
        self.rest = bytearray()
        self.complete = False
        self.framing = ""  # "length", "chunked" or "close"
        self._request = request
        self._bodyless = bodyless
        self._left = 0  # of the body, or of the chunk being read
        self._in_chunk = False

    @property
    def headed(self) -> bool:
        """Whether the head is whole."""
        return bool(self.head)

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.start_line.split(" ", 2)[1])

    def feed(self, data: bytes) -> bytes:
        """Take `data`; give back the body bytes that it brought."""
        self.rest += data
        before = len(self.body)
        if not self.headed and not self._read_head():
            return b""
        if not self.complete:
            {"length": self._read_length, "chunked": self._read_chunks, "close": self._read_all}[self.framing]()
        return bytes(self.body[before:])

    def end(self) -> None:
        """The connection is at its end."""
        if self.headed and self.framing == "close":
            self.complete = True

    def _read_head(self) -> bool:
        head, separator, rest = bytes(self.rest).partition(CRLF + CRLF)
        if not separator:
            return False
        self.head, self.rest = head + separator, bytearray(rest)
        start, *lines = head.split(CRLF)
        self.start_line = start.decode("latin-1")
        if not (self.start_line.endswith("HTTP/1.1") if self._request else self.start_line.startswith("HTTP/1.")):
            raise NotHttp(self.start_line)
        self.fields = Fields([_field(line) for line in lines])
        self._frame()
        return True

    def _frame(self) -> None:
        length = self.fields.get("content-length")
        empty = self._bodyless or (not self._request and (self.status in (204, 304) or self.status < 200))
        if empty:
            self.framing, self._left = "length", 0
        elif (self.fields.get("transfer-encoding") or "").lower() == "chunked":
            self.framing = "chunked"
        elif length is not None or self._request:
            self.framing, self._left = "length", int(length or 0)
        else:
            self.framing = "close"
        self.complete = self.framing == "length" and self._left == 0

    def _read_length(self) -> None:
        self._take()
        self.complete = self._left == 0

    def _read_all(self) -> None:
        self._left = len(self.rest)
        self._take()

    def _read_chunks(self) -> None:
        while not self.complete:
            if self._in_chunk and self._left:
                self._take()
                if self._left:
                    return
            if self._in_chunk:
                if len(self.rest) < 2:
                    return
                if self.rest[:2] != CRLF:
                    raise NotHttp("a chunk without its line end")
                del self.rest[:2]
                self._in_chunk = False
            line = self.rest.find(CRLF)
            if line < 0:
                return
            size = int(self.rest[:line].split(b";")[0], 16)
            if size == 0:
                if len(self.rest) < line + 4:
                    return
                del self.rest[: line + 4]
                self.complete = True
            else:
                del self.rest[: line + 2]
                self._left, self._in_chunk = size, True

    def _take(self) -> None:
        piece = self.rest[: self._left]
        self.body += piece
        del self.rest[: len(piece)]
        self._left -= len(piece)


def request_bytes(method: str, target: str | bytes, headers: Given, body: bytes = b"") -> bytes:
    """A request with exactly these headers, in this order, sent as they are."""
    line = method.encode("latin-1") + b" " + _raw(target) + b" HTTP/1.1"
    fields = [_raw(name) + b": " + _raw(value) for name, value in pairs(headers)]
    return CRLF.join([line, *fields, b"", b""]) + body


def pairs(headers: Given) -> list[tuple[str, str | bytes]]:
    """Header lines as a list; a mapping and a list of pairs (with duplicates) are both fine."""
    return list(cast("Mapping[str, str | bytes]", headers).items()) if isinstance(headers, Mapping) else list(headers)


def dumps(value: Any) -> bytes:
    """JSON in UTF-8, as a browser would send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _field(line: bytes) -> tuple[str, str]:
    name, separator, value = line.partition(b":")
    if not separator:
        raise NotHttp(repr(line))
    return name.decode("latin-1"), value.strip().decode("utf-8", "replace")
