"""A reader on a bad line: cut off again and again, it comes back to where its last whole frame ended."""

import contextlib
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.support.client import CHAT, Client
from tests.support.http import dumps, request_bytes
from tests.support.wire_client import Stream


@dataclass(frozen=True)
class Question:
    """A request that can be repeated: by its key as long as there is no cursor, from the cursor then."""

    method: str
    message: str
    key: str
    format: str = "chat"
    accept: str = "text/event-stream"

    def request(self, port: int, cursor: str = "") -> bytes:
        """The bytes to send."""
        lines = [("Host", f"127.0.0.1:{port}"), ("Accept", self.accept)]
        lines += [("Last-Event-ID", cursor)] if cursor else []
        if self.method == "GET":
            return request_bytes("GET", f"{CHAT}?{urlencode({'message': self.message, 'key': self.key})}", lines)
        body = dumps({"message": self.message})
        lines += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return request_bytes("POST", f"{CHAT}?format={self.format}", [*lines, ("Idempotency-Key", self.key)], body)


@dataclass
class LossyReader:
    """What it has seen, over all its connections; nothing of a frame that was cut."""

    client: Client
    question: Question
    cursor: str = ""
    frames: list[str] = field(default_factory=list)  # the data of each, as it came
    wire: bytes = b""  # of the last connection

    async def read(self, cut: int | None = None, enough: Callable[[str], bool] | None = None) -> "LossyReader":
        """Ask (again) and read until exactly `cut` socket bytes have come, the text is `enough`, or it ends; then drop.

        Without `cut` the connection may also be broken off by the network.
        """

        def over(stream: Stream) -> bool:
            return bool(stream.over) or (enough is not None and enough(self.text + text_in(stream)))

        stream = await self.client.wire(self.question.request(self.client.port, self.cursor))
        try:
            if cut is not None:
                await stream.read_until(wire=cut, when=over)
            else:
                await _read_on(stream, over)
        finally:
            stream.drop()
        if stream.head_bytes:
            expected = 204 if self.cursor.endswith("end-2") else 200
            assert stream.status == expected, f"at {self.cursor!r}: {stream.status}"
        self.frames += _frames(stream)
        self.cursor = stream.sse.last_event_id or self.cursor
        self.wire = bytes(stream.wire)
        return self

    @property
    def text(self) -> str:
        """The text of `format=chat`, without the sentence of an error."""
        return _text(self.frames)

    @property
    def ending(self) -> list[str]:
        """How it ended, of `format=chat`: the codes of errors, and "done", in the order they were told."""
        told = [json.loads(frame) for frame in self.frames]
        return [_end(frame) for frame in told if "error" in frame or "done" in frame]


def text_in(stream: Stream) -> str:
    """The text of `format=chat` that has been read so far."""
    return _text(_frames(stream))


def _text(frames: list[str]) -> str:
    told: list[dict[str, Any]] = [json.loads(frame) for frame in frames]
    return "".join(frame.get("chunk", "") for frame in told if "error" not in frame)


async def _read_on(stream: Stream, over: Callable[[Stream], bool]) -> None:
    with contextlib.suppress(ConnectionResetError):
        await stream.opened()
    async with aclosing(stream.pieces()) as pieces:
        while not over(stream) and await anext(pieces, None) is not None:
            pass


def _frames(stream: Stream) -> list[str]:
    return [event.data for event in stream.events]


def _end(frame: dict[str, Any]) -> str:
    return frame["error"]["code"] if "error" in frame else "done"
