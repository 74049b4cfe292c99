"""Changes to frames of `GET /api/events`."""

from typing import Any

import msgspec

from app.bodies import RunBody
from app.conversation_bodies import ConversationBody
from app.store.base import Change

HEARTBEAT = b": keepalive\n\n"

_encode = msgspec.json.Encoder().encode
_NAMES = {
    "created": "conversation.created",
    "updated": "conversation.updated",
    "deleted": "conversation.deleted",
    "started": "run.started",
    "ended": "run.ended",
}


def opening(retry: int, number: int) -> bytes:
    """What a response begins with: from here on, and how long to wait before coming back, in milliseconds."""
    return b"retry: %d\n%b" % (retry, _frame(number, {"type": "ready"}))


def reset(number: int) -> bytes:
    """Something was missed that is no longer kept: the reader's list is to be read anew."""
    return _frame(number, {"type": "reset"})


def frame(change: Change) -> bytes:
    """What happened, with the conversation as it is now. Nothing where that is gone: its end has a frame of its own."""
    value: dict[str, Any] = {"type": _NAMES[change.kind], "conversation_id": change.conversation_id}
    if change.kind != "deleted":
        if change.conversation is None:
            return b""
        value["conversation"] = ConversationBody.of(change.conversation).model_dump()
    if change.run is not None:
        value["run"] = RunBody.of(change.run).model_dump(exclude_none=True)
    return _frame(change.number, value)


def _frame(number: int, value: dict[str, Any]) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (number, _encode(value))
