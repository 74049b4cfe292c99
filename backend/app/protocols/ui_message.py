"""The AI SDK's UI message stream, version 1, with our `id:` lines, which stock clients ignore."""

from typing import Any

import msgspec

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.models import FinishReason, Piece

_encode = msgspec.json.Encoder().encode
_FINISH: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
    "other": "other",
}


class UIMessage:
    """`start`, parts with their start, deltas and end, then `finish`, `error` or `abort`, then `[DONE]`.

    A part's start stands before its first character and its end after its last; neither moves the cursor.
    """

    name = "ui"
    heartbeat = b": keepalive\n\n"
    comes_back = True
    headers = (("x-vercel-ai-ui-message-stream", "v1"),)

    def __init__(self, retry: int) -> None:
        """`retry`: how long a reader waits before it comes back, in milliseconds."""
        self._retry = retry

    def opening(self, log: LiveLog, cursor: Cursor) -> bytes:
        """See `WireFormat.opening`. Inside a part, that part is started again, with the same id."""
        place = str(cursor)
        prelude = b"retry: %d\nid: %b\n\n" % (self._retry, place.encode())
        if cursor.told:
            return prelude
        metadata = _writer(log) | {"run_id": log.run_id}
        start = _frame(place, {"type": "start", "messageId": log.message_id, "messageMetadata": metadata})
        # Before a part's first character the one before it is still to be ended, so it is what is started again.
        opened = cursor.part if cursor.offset else cursor.part - 1
        inside = next((piece for piece in log.pieces if piece.part == opened), None)
        return prelude + start + (_frame(place, _mark(inside, "start")) if inside else b"")

    def piece(self, run_id: str, before: Piece | None, piece: Piece) -> bytes:
        """See `WireFormat.piece`."""
        frames = b""
        if before is not None and before.part != piece.part:
            frames = _frame(_after(run_id, before), _mark(before, "end"))
        if piece.offset == 0:
            frames += _frame(f"{run_id}-{piece.part}-0", _mark(piece, "start"))
        return frames + self.rest(run_id, piece, 0)

    def rest(self, run_id: str, piece: Piece, read: int) -> bytes:
        """See `WireFormat.rest`."""
        text = piece.text[read:] if read else piece.text
        return _frame(_after(run_id, piece), _mark(piece, "delta") | {"delta": text})

    def note(self, log: LiveLog, cursor: str) -> bytes:
        """See `WireFormat.note`: a transient `data-status`."""
        return _frame(cursor, {"type": "data-status", "data": {"note": log.note}, "transient": True})

    def ending(self, log: LiveLog, told: int) -> bytes:
        """See `WireFormat.ending`."""
        ending = log.ending
        assert ending is not None
        done = b"id: %b-end-2\ndata: [DONE]\n\n" % log.run_id.encode()
        if told:
            return done
        last = log.pieces[-1] if log.pieces else None
        place = _after(log.run_id, last) if last else f"{log.run_id}-0-0"
        frames = _frame(place, _mark(last, "end")) if last else b""
        if log.usage is not None:
            frames += _frame(
                place, {"type": "data-usage", "data": msgspec.structs.asdict(log.usage), "transient": True}
            )
        final: dict[str, Any]
        if ending.status == "cancelled":
            final = {"type": "abort", "reason": ending.failure.message if ending.failure else "cancelled"}
        elif ending.failure is not None:
            final = {"type": "error", "errorText": ending.failure.message}
        else:
            final = {"type": "finish", "finishReason": _FINISH[ending.finish_reason or "stop"]}
            if log.handed_over:  # `start` may have told another model
                final["messageMetadata"] = _writer(log)
        return frames + _frame(f"{log.run_id}-end-1", final) + done


def _writer(log: LiveLog) -> dict[str, Any]:
    return {"model": log.model} | ({"note": log.about} if log.about else {})


def _mark(piece: Piece, what: str) -> dict[str, Any]:
    return {"type": f"{piece.kind}-{what}", "id": f"part-{piece.part}"}


def _after(run_id: str, piece: Piece) -> str:
    return f"{run_id}-{piece.part}-{piece.end}"


def _frame(place: str, value: dict[str, Any]) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (place.encode(), _encode(value))
