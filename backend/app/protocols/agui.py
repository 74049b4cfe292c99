"""AG-UI 1.0 over server-sent events: `data:` only, LF only, and every message opened and closed in its turn."""

from typing import Any

import msgspec

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.models import Piece, Usage

VERSION = "1.0"  # of the protocol

_encode = msgspec.json.Encoder().encode


class AgentRun:
    """RUN_STARTED, the parts as messages, then RUN_FINISHED or RUN_ERROR.

    Optional fields are left out and never null: the stock client takes null for a mistake.
    """

    name = "agui"
    heartbeat = b": keepalive\n\n"
    comes_back = False
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, log: LiveLog, thread_id: str, run_id: str) -> None:
        """Of `log`; `thread_id` and `run_id` are what the client calls them."""
        self._message_id = log.message_id
        self._named = {"threadId": thread_id, "runId": run_id}

    def opening(self, log: LiveLog, cursor: Cursor) -> bytes:
        """See `WireFormat.opening`."""
        return _frame("RUN_STARTED", **self._named, protocolVersion=VERSION)

    def piece(self, run_id: str, before: Piece | None, piece: Piece) -> bytes:
        """See `WireFormat.piece`."""
        frames = b""
        if before is not None and before.part != piece.part:
            frames = self._end(before)
        if piece.offset == 0:
            frames += self._start(piece)
        return frames + self.rest(run_id, piece, 0)

    def rest(self, run_id: str, piece: Piece, read: int) -> bytes:
        """See `WireFormat.rest`."""
        kind = "TEXT_MESSAGE_CONTENT" if piece.kind == "text" else "REASONING_MESSAGE_CONTENT"
        return _frame(kind, messageId=self._id(piece), delta=piece.text[read:] if read else piece.text)

    def note(self, log: LiveLog, cursor: str) -> bytes:
        """See `WireFormat.note`: a custom event called `status`."""
        return _frame("CUSTOM", name="status", value={"note": log.note}) if log.note is not None else b""

    def ending(self, log: LiveLog, told: int) -> bytes:
        """See `WireFormat.ending`."""
        ending = log.ending
        assert ending is not None
        frames = self._end(log.pieces[-1]) if log.pieces else b""
        usage = {"usage": [_usage(log.model, log.usage)]} if log.usage is not None else {}
        if ending.status == "cancelled":
            return frames + _frame("RUN_FINISHED", **self._named, outcome={"type": "cancelled"}, **usage)
        if ending.failure is not None:
            return frames + _frame("RUN_ERROR", message=ending.failure.message, code=ending.failure.code, **usage)
        reason = {"metadata": {"finishReason": ending.finish_reason or "stop", "model": log.model}}
        return frames + _frame("RUN_FINISHED", **self._named, **usage, **reason)

    def _start(self, piece: Piece) -> bytes:
        message = self._id(piece)
        if piece.kind == "text":
            return _frame("TEXT_MESSAGE_START", messageId=message, role="assistant")
        span = _frame("REASONING_START", messageId=message)
        return span + _frame("REASONING_MESSAGE_START", messageId=message, role="reasoning")

    def _end(self, piece: Piece) -> bytes:
        message = self._id(piece)
        if piece.kind == "text":
            return _frame("TEXT_MESSAGE_END", messageId=message)
        return _frame("REASONING_MESSAGE_END", messageId=message) + _frame("REASONING_END", messageId=message)

    def _id(self, piece: Piece) -> str:
        """Unique in the client's thread: each part is a message of its own there."""
        return f"{self._message_id}-{piece.part}"


def _usage(model: str, usage: Usage) -> dict[str, Any]:
    return {
        "provider": model.partition("/")[0],
        "model": model,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "reasoningTokens": usage.reasoning_tokens,
        "cachedInputTokens": usage.cached_tokens,
    }


def _frame(kind: str, **fields: Any) -> bytes:
    return b"data: %b\n\n" % _encode({"type": kind, **fields})
