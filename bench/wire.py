"""Bytes of a response to what a reader saw: its head, its body without chunks, its text. Pure."""

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec

Wire = Literal["chat", "openai"]
"""The document's frames, or OpenAI's."""

FIRST_TEXT = {"chat": re.compile(rb'"chunk": ?"[^"]'), "openai": re.compile(rb'"content": ?"[^"]')}
"""What the first bytes with text in them hold; a prelude holds empty text."""

LAST_CHUNK = b"\r\n0\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after:\s*\d+", re.IGNORECASE)
_RUN = re.compile(rb"\r\nx-run-id:\s*([0-9a-z]+)", re.IGNORECASE)
_FRAME = re.compile(rb"data: (\{.*\})\n\n")
_decode = msgspec.json.Decoder().decode


class Broken(Exception):
    """A response that is not whole, or not what it should be."""


class Head(NamedTuple):
    """What the head of a response says."""

    size: int  # of the head itself, in bytes
    status: int
    length: int | None  # of the body
    chunked: bool
    closes: bool
    retry_after: bool
    run_id: str

    @classmethod
    def read(cls, data: bytes) -> "Head | None":
        """The head at the beginning of `data`; None: it is not all there.

        Raises:
            Broken: it is no response.
        """
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = data[:end]
        status, length, run = _STATUS.match(head), _LENGTH.search(head), _RUN.search(head)
        if status is None:
            raise Broken(f"it begins with {head[:40]!r}")
        return cls(
            end + 4,
            int(status[1]),
            int(length[1]) if length else None,
            _CHUNKED.search(head) is not None,
            _CLOSES.search(head) is not None,
            _RETRY_AFTER.search(head) is not None,
            run[1].decode() if run else "",
        )


def body_of(head: Head, response: bytes) -> bytes:
    """The body of a whole response.

    Raises:
        Broken: it is not whole.
    """
    body = response[head.size :]
    if head.chunked:
        return _without_chunks(body)
    if head.length is not None and len(body) != head.length:
        raise Broken(f"{len(body)} bytes of {head.length}")
    return body


def _without_chunks(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line = body.find(b"\r\n", at)
        if line < 0:
            raise Broken("its chunks end before the last one")
        size = int(body[at:line].partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[line + 2 : line + 2 + size])
        at = line + 2 + size + 2


def characters(response: bytes) -> Iterator[tuple[int, int]]:
    """Where each frame of `chat` ends in a response, and how many characters it brings. A frame is within one write."""
    for frame in _FRAME.finditer(response):
        yield frame.end(), len(_decode(frame[1]).get("chunk", ""))


def text_of(body: bytes, wire: Wire) -> str:
    """The text of a stream that says itself that it is complete.

    Raises:
        Broken: it does not, or it tells of a failure.
    """
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    if not events:
        raise Broken(f"no event in {body[:80]!r}")
    *said, last = events
    if wire == "openai":
        if last.strip() != b"[DONE]":
            raise Broken(f"it ends with {last[:80]!r}")
        return "".join(map(_content, map(_decode, said)))
    if _decode(last) != {"done": True}:
        raise Broken(f"it ends with {last[:80]!r}")
    return "".join(_chunk(_decode(event)) for event in said)


def _content(event: Any) -> str:
    choices = event.get("choices")
    return (choices[0].get("delta", {}).get("content") or "") if choices else ""


def _chunk(event: Any) -> str:
    if "error" in event:
        raise Broken(f"it failed: {event['error'].get('code')}")
    return event["chunk"]
