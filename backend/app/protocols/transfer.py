"""Our own format of conversations in a file: lossless, and read as strictly as it is written."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from app.clock import ID_LENGTH, milliseconds, rfc3339
from app.conversation_bodies import MAX_SYSTEM_CHARS, MAX_TITLE_CHARS
from app.models import (
    MAX_MODEL_CHARS,
    Conversation,
    Failure,
    FinishReason,
    Joint,
    Message,
    Part,
    PartKind,
    Role,
    Titled,
    Usage,
    storable,
)

FORMAT = "ai-chat-service"
VERSION = 1  # goes up when an older reader would lose something; keys that it does not know it may leave out
MAX_COUNT = 2**53 - 1  # what every reader of JSON takes for a number without loss
MAX_ERROR_CHARS = 1000  # of a sentence of ours

_Id = Annotated[str, Meta(pattern=f"^[0-9a-z]{{{ID_LENGTH}}}$", max_length=ID_LENGTH)]
_Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
_Model = Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARS)]


class PartRecord(msgspec.Struct, frozen=True):
    """One part of a message."""

    type: PartKind
    text: str


class JointRecord(msgspec.Struct, frozen=True):
    """Where an answer goes on from another one."""

    message_id: _Id
    part: _Count
    offset: _Count


class ErrorRecord(msgspec.Struct, frozen=True):
    """Why an answer was not finished."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    message: Annotated[str, Meta(max_length=MAX_ERROR_CHARS)]
    retryable: bool


class UsageRecord(msgspec.Struct, frozen=True):
    """Tokens, as the provider counted them."""

    input_tokens: _Count = 0
    output_tokens: _Count = 0
    reasoning_tokens: _Count = 0
    cached_tokens: _Count = 0


class MessageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message."""

    id: _Id
    role: Role
    parent_id: _Id | None
    parts: list[PartRecord]
    created_at: str
    model: _Model | None = None
    finish_reason: FinishReason | None = None
    error: ErrorRecord | None = None
    usage: UsageRecord | None = None
    left_out: _Count = 0
    joint: JointRecord | None = None


class ConversationRecord(msgspec.Struct, frozen=True):
    """A conversation, without its messages."""

    id: _Id
    title: Annotated[str, Meta(max_length=MAX_TITLE_CHARS)]
    created_at: str
    updated_at: str
    titled: Titled = "given"
    model: _Model | None = None
    system: Annotated[str, Meta(max_length=MAX_SYSTEM_CHARS)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    pinned: bool = False
    archived: bool = False
    head_id: _Id | None = None


class EmptiedRecord(ConversationRecord, frozen=True):
    """The same as it is read, when its messages have been taken out."""

    messages: Annotated[list[Any], Meta(max_length=0)] = msgspec.field(default_factory=list[Any])


class DocumentRecord(msgspec.Struct, frozen=True):
    """What a file says of itself."""

    format: Literal["ai-chat-service"]
    version: Annotated[int, Meta(ge=1)]


class FormatRecord(msgspec.Struct, frozen=True):
    """Whose file it says it is, if it does."""

    format: Any = None


class BeginningRecord(msgspec.Struct, frozen=True):
    """What it has said of itself before its conversations."""

    format: str = FORMAT
    version: int = VERSION


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def opening(at: int) -> bytes:
    """The beginning of a file that is written at `at`; conversations follow, with commas between, then `CLOSING`."""
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "exported_at": rfc3339(at), "conversations": []}
    return msgspec.json.encode(head).removesuffix(b"]}") + b"\n"


CLOSING = b"\n]}\n"


def conversation_opening(conversation: Conversation, head_id: str | None) -> bytes:
    """The beginning of a conversation; its messages follow, with commas between, then `CLOSING`."""
    record = ConversationRecord(
        id=conversation.id,
        title=conversation.title,
        created_at=rfc3339(conversation.created_at),
        updated_at=rfc3339(conversation.updated_at),
        titled=conversation.titled,
        model=conversation.model,
        system=conversation.system,
        temperature=conversation.temperature,
        max_tokens=conversation.max_tokens,
        pinned=conversation.pinned,
        archived=conversation.archived,
        head_id=head_id,
    )
    return msgspec.json.encode(record).removesuffix(b"}") + b',"messages":[\n'


def written(message: Message) -> bytes:
    """A message."""
    failure, joint = message.failure, message.joint
    record = MessageRecord(
        id=message.id,
        role=message.role,
        parent_id=message.parent_id,
        parts=[PartRecord(part.kind, part.text) for part in message.parts],
        created_at=rfc3339(message.created_at),
        model=message.model,
        finish_reason=message.finish_reason,
        error=ErrorRecord(failure.code, failure.message, failure.retryable) if failure else None,
        usage=UsageRecord(**msgspec.structs.asdict(message.usage)) if message.usage else None,
        left_out=message.left_out,
        joint=JointRecord(joint.message_id, joint.part, joint.offset) if joint else None,
    )
    return msgspec.json.encode(record)


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def conversation_of(record: ConversationRecord, owner_id: str) -> Conversation:
    """The conversation that a record tells of.

    Raises:
        ValueError: one of its times is none.
    """
    title = _text(record.title)
    titled: Titled = record.titled
    if not title:
        titled = "none"
    elif titled == "none":
        titled = "given"
    elif titled == "asked":  # nobody asks for it any more
        titled = "words"
    return Conversation(
        id=record.id,
        owner_id=owner_id,
        created_at=milliseconds(record.created_at),
        updated_at=milliseconds(record.updated_at),
        title=title,
        titled=titled,
        model=_text(record.model) if record.model is not None else None,
        system=_text(record.system) if record.system is not None else None,
        temperature=record.temperature,
        max_tokens=record.max_tokens,
        pinned=record.pinned,
        archived=record.archived,
        head_id=record.head_id,
    )


def message_of(record: MessageRecord, conversation_id: str) -> Message:
    """The message that a record tells of.

    Raises:
        ValueError: its time is none.
    """
    error, joint = record.error, record.joint
    return Message(
        id=record.id,
        conversation_id=conversation_id,
        parent_id=record.parent_id,
        role=record.role,
        parts=_parts(record.parts),
        created_at=milliseconds(record.created_at),
        model=_text(record.model) if record.model is not None else None,
        finish_reason=record.finish_reason,
        failure=Failure(_text(error.code), _text(error.message), error.retryable) if error else None,
        usage=Usage(**msgspec.structs.asdict(record.usage)) if record.usage else None,
        left_out=record.left_out,
        joint=Joint(joint.message_id, joint.part, joint.offset) if joint else None,
    )


def _parts(records: Sequence[PartRecord]) -> tuple[Part, ...]:
    return tuple(Part(record.type, _text(record.text)) for record in records)


def _text(text: str) -> str:
    return str(storable(text))
