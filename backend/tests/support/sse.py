"""Two readers of what the service writes: a strict one (WHATWG), and the naive one of the document's clients."""

import json
from dataclasses import dataclass
from typing import Any

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Event:
    """A dispatched event, as `EventSource` would hand it to a page."""

    data: str
    type: str
    last_event_id: str

    @property
    def json(self) -> Any:
        """Its data, parsed."""
        return json.loads(self.data)


class SseDecoder:
    """The WHATWG algorithm on bytes in any pieces. What is unterminated at the end is discarded by never being there.

    `last_event_id` is where a reconnect would resume: it moves with every block, also one without data.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.retry: int | None = None
        self.last_event_id = ""
        self._buffer = bytearray()
        self._started = False
        self._after_cr = False
        self._data: list[str] = []
        self._type = ""
        self._id = ""

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes; give back the events that they completed."""
        before = len(self.events)
        self._buffer += data
        if not self._started and not self._skip_bom():
            return []
        while (line := self._line()) is not None:
            self._take(line.decode("utf-8", "replace"))
        return self.events[before:]

    def _skip_bom(self) -> bool:
        if len(self._buffer) < len(BOM) and BOM.startswith(bytes(self._buffer)):
            return False
        if self._buffer.startswith(BOM):
            del self._buffer[: len(BOM)]
        self._started = True
        return True

    def _line(self) -> bytes | None:
        if self._after_cr and self._buffer:
            if self._buffer[0] == 0x0A:
                del self._buffer[0]
            self._after_cr = False
        ends = [place for place in (self._buffer.find(b"\r"), self._buffer.find(b"\n")) if place >= 0]
        if not ends:
            return None
        line = bytes(self._buffer[: min(ends)])
        self._after_cr = self._buffer[min(ends)] == 0x0D
        del self._buffer[: min(ends) + 1]
        return line

    def _take(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        name, colon, value = line.partition(":")
        if colon and not name:
            self.comments.append(value.removeprefix(" "))
            return
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._type = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value)
            case _:
                pass

    def _dispatch(self) -> None:
        self.last_event_id = self._id
        if self._data:
            self.events.append(Event("\n".join(self._data), self._type or "message", self._id))
        self._data, self._type = [], ""


class NotBare(AssertionError):
    """A naive client would fail on this frame."""


class BareDecoder:
    """What the document's clients do: split on a blank line, strip `data: `, parse. Anything else is an error."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.left = b""  # an unterminated frame

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes; give back the frames that they completed.

        Raises:
            NotBare: a frame is anything but one `data: ` line with a JSON object of the known shape.
        """
        *blocks, self.left = (self.left + data).split(b"\n\n")
        found = [_bare(block) for block in blocks]
        self.frames += found
        return found


def _bare(block: bytes) -> dict[str, Any]:
    if not block.startswith(b"data: ") or b"\n" in block or b"\r" in block:
        raise NotBare(f"not one data line: {block!r}")
    try:
        frame = json.loads(block.removeprefix(b"data: "))
    except ValueError as error:
        raise NotBare(f"not JSON: {block!r}") from error
    if not isinstance(frame, dict) or set(frame) not in ({"chunk"}, {"done"}, {"chunk", "error"}):
        raise NotBare(f"not a frame of the document: {block!r}")
    return frame
