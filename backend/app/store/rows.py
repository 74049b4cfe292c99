"""Rows to values of the vocabulary and back."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Row, Select, TextClause, exists, select, text

from app.models import Conversation, Failure, FinishReason, Joint, Message, Part, Run, Usage
from app.store.tables import conversations, messages, runs

RUN_COLUMNS = (
    "id",
    "owner_id",
    "message_id",
    "conversation_id",
    "model",
    "status",
    "attempts",
    "left_out",
    "finish_reason",
    "error_code",
    "error_message",
    "error_retryable",
    "usage",
    "created_at",
    "first_token_at",
    "ended_at",
    "charge",
)
MESSAGE_COLUMNS = ("id", "owner_id", "role", "parts", "created_at", "conversation_id", "parent_id", "depth", "meta")
"""What `run_columns` and `message_columns` give."""

# In the words of the partial indexes, with no parameters: else the database could not see that they apply.
LIVE: TextClause = text("runs.status IN ('queued', 'running')")

_parts = msgspec.json.Decoder(tuple[Part, ...])
_usage = msgspec.json.Decoder(Usage)


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer says of how it was written: a copy of its run's words, which also an imported one has."""

    model: str | None = None
    finish_reason: FinishReason | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    left_out: int = 0
    joint: Joint | None = None


_meta = msgspec.json.Decoder(Meta)
_NOTHING = Meta()


def owned(table: Any, owner_id: str | BindParameter[str]) -> Any:
    """The condition that a row is this owner's."""
    return table.c.owner_id == owner_id


def written(value: msgspec.Struct | Sequence[msgspec.Struct]) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()


def parts_of(column: str) -> tuple[Part, ...]:
    """The parts that a message's column holds."""
    return _parts.decode(column)


def meta_of(column: str | None) -> Meta:
    """What a message's column says of how it was written."""
    return _meta.decode(column) if column else _NOTHING


def run_columns(run: Run) -> dict[str, Any]:
    """A run as its row."""
    return {
        "id": run.id,
        "owner_id": run.owner_id,
        "message_id": run.message_id,
        "conversation_id": run.conversation_id,
        "model": run.model,
        "status": run.status,
        "attempts": run.attempts,
        "left_out": run.left_out,
        "finish_reason": run.finish_reason,
        "error_code": run.failure.code if run.failure else None,
        "error_message": run.failure.message if run.failure else None,
        "error_retryable": run.failure.retryable if run.failure else None,
        "usage": written(run.usage) if run.usage else None,
        "created_at": run.created_at,
        "first_token_at": run.first_token_at,
        "ended_at": run.ended_at,
        "charge": run.charge,
    }


def run_of(row: Row[Any]) -> Run:
    """A row of `runs` as a run."""
    failure = Failure(row.error_code, row.error_message, bool(row.error_retryable)) if row.error_code else None
    return Run(
        id=row.id,
        owner_id=row.owner_id,
        message_id=row.message_id,
        conversation_id=row.conversation_id,
        model=row.model,
        status=row.status,
        created_at=row.created_at,
        attempts=row.attempts,
        left_out=row.left_out,
        first_token_at=row.first_token_at,
        ended_at=row.ended_at,
        finish_reason=row.finish_reason,
        failure=failure,
        usage=_usage.decode(row.usage) if row.usage else None,
        charge=row.charge,
    )


def message_columns(message: Message, owner_id: str) -> dict[str, Any]:
    """A message as its row."""
    said = Meta(message.model, message.finish_reason, message.failure, message.usage, message.left_out, message.joint)
    return {
        "id": message.id,
        "owner_id": owner_id,
        "role": message.role,
        "parts": written(message.parts),
        "created_at": message.created_at,
        "conversation_id": message.conversation_id,
        "parent_id": message.parent_id,
        "depth": message.depth,
        "meta": written(said) if said != _NOTHING else None,
    }


def message_of(row: Row[Any]) -> Message:
    """A row of `messages`, with `run_id` and `status` of its run, as a message."""
    meta = meta_of(row.meta)
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        parent_id=row.parent_id,
        role=row.role,
        parts=_parts.decode(row.parts),
        created_at=row.created_at,
        depth=row.depth,
        model=meta.model,
        finish_reason=meta.finish_reason,
        failure=meta.failure,
        usage=meta.usage,
        left_out=meta.left_out,
        joint=meta.joint,
        run_id=row.run_id,
        status=row.status,
    )


def select_messages() -> Select[Any]:
    """Rows for `message_of`."""
    return select(messages, runs.c.id.label("run_id"), runs.c.status).join_from(
        messages, runs, runs.c.message_id == messages.c.id, isouter=True
    )


def select_conversations(owner_id: str | BindParameter[str]) -> Select[Any]:
    """Rows for `conversation_of`, of this owner, without those that are deleted."""
    live = exists().where(runs.c.conversation_id == conversations.c.id, LIVE).label("live")
    return select(conversations, live).where(owned(conversations, owner_id), conversations.c.deleted_at.is_(None))


def conversation_of(row: Row[Any]) -> Conversation:
    """A row of `conversations`, with `live`, as a conversation."""
    own = {name: getattr(row, name) for name in Conversation.__struct_fields__ if name != "live"}
    return Conversation(**own, live=bool(row.live))
