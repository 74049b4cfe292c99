"""The bodies of requests and responses about conversations: their public face."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.bodies import ErrorBody, UsageBody
from app.clock import rfc3339
from app.models import MAX_MODEL_CHARS, Conversation, FinishReason, Message, PartKind, Role, RunStatus, Text

MAX_TITLE_CHARS = 200
MAX_SYSTEM_CHARS = 100_000


def _one_line(title: str) -> str:
    line = " ".join(title.split())
    if not line:
        raise ValueError("it is blank")
    return line


Title = Annotated[
    Text,
    Field(max_length=MAX_TITLE_CHARS, description="One line, not blank; at most 200 characters.", examples=["Seoul"]),
    AfterValidator(_one_line),
]
Model = Annotated[
    str,
    Field(min_length=1, max_length=MAX_MODEL_CHARS, description="As in `GET /api/models`. None: the default."),
]
System = Annotated[
    Text,
    Field(max_length=MAX_SYSTEM_CHARS, description="Put before it all. None: `SYSTEM_PROMPT`; empty: nothing."),
]
Temperature = Annotated[
    float, Field(ge=0, le=2, allow_inf_nan=False, description="Randomness. None: the model's, else `TEMPERATURE`.")
]
MaxTokens = Annotated[
    int, Field(ge=1, le=1_000_000, description="Longest answer, in tokens. None: the model's, else `MAX_TOKENS`.")
]

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class NewConversation(BaseModel):
    """A conversation to be."""

    model_config = _STRICT

    title: Title | None = None
    model: Model | None = None
    system: System | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    temporary: bool = Field(False, description="Kept nowhere once nobody has read it for an hour, and on no list.")


class ConversationChange(BaseModel):
    """What is to be different. A field that is not there stays as it is; null means the default again."""

    model_config = _STRICT

    title: Title = ""
    pinned: bool = False
    archived: bool = False
    model: Model | None = None
    system: System | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    head_id: str = Field("", description="Show the branch through this message, down to the newest answer below it.")


class Nothing(BaseModel):
    """A body with nothing in it."""

    model_config = _STRICT


class ConversationBody(BaseModel):
    """A conversation, without its messages."""

    id: str
    title: str = Field(description="Empty before the first question; then its first words; then what a model made.")
    model: str | None
    system: str | None
    temperature: float | None
    max_tokens: int | None
    temporary: bool
    pinned: bool
    archived: bool
    head_id: str | None = Field(description="The last message of the branch that is shown.")
    live: bool = Field(description="Whether an answer is being written.")
    created_at: str = Field(description="RFC 3339, UTC.")
    updated_at: str = Field(description="When a message was added, or an answer ended.")

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationBody":
        """The public face of `conversation`."""
        return cls(
            id=conversation.id,
            title=conversation.title,
            model=conversation.model,
            system=conversation.system,
            temperature=conversation.temperature,
            max_tokens=conversation.max_tokens,
            temporary=conversation.temporary,
            pinned=conversation.pinned,
            archived=conversation.archived,
            head_id=conversation.head_id,
            live=conversation.live,
            created_at=rfc3339(conversation.created_at),
            updated_at=rfc3339(conversation.updated_at),
        )


class ConversationList(BaseModel):
    """Conversations, newest first."""

    items: list[ConversationBody]
    next: str | None = Field(None, description="`before` of the next page; none on the last one.")


class PartBody(BaseModel):
    """One part of a message."""

    type: PartKind
    text: str


class JointBody(BaseModel):
    """Where an answer goes on from another one: what stands before this place was taken over from it."""

    message_id: str
    part: int
    offset: int = Field(description="In code points, from the part's start.")


class MessageBody(BaseModel):
    """What one side said, and where it stands in the tree."""

    id: str
    role: Role
    parent_id: str | None
    parts: list[PartBody] = Field(description="Empty while the answer is being written: read the run's log.")
    siblings: list[str] = Field(description="All messages with this parent, this one included, oldest first.")
    run_id: str | None = None
    status: RunStatus | None = Field(None, description="Of the run.")
    model: str | None = None
    finish_reason: FinishReason | None = None
    error: ErrorBody | None = None
    usage: UsageBody | None = None
    left_out: int | None = Field(
        None, description="How many messages at the beginning of the branch the model was not shown, for lack of room."
    )
    joint: JointBody | None = None
    created_at: str

    @classmethod
    def of(cls, message: Message, siblings: tuple[str, ...]) -> "MessageBody":
        """The public face of `message`."""
        joint = message.joint
        return cls(
            id=message.id,
            role=message.role,
            parent_id=message.parent_id,
            parts=[PartBody(type=part.kind, text=part.text) for part in message.parts],
            siblings=list(siblings),
            run_id=message.run_id,
            status=message.status,
            model=message.model,
            finish_reason=message.finish_reason,
            error=ErrorBody.of(message.failure),
            usage=UsageBody.of(message.usage),
            left_out=message.left_out or None,
            joint=JointBody(message_id=joint.message_id, part=joint.part, offset=joint.offset) if joint else None,
            created_at=rfc3339(message.created_at),
        )


class MessageList(BaseModel):
    """A page of one branch, oldest message first; the first page is the end of the branch."""

    items: list[MessageBody]
    next: str | None = Field(None, description="`before` of the page above; none where the branch begins.")


class FoundBody(BaseModel):
    """A place that a search found."""

    conversation_id: str
    title: str = Field(description="Of the conversation.")
    message_id: str | None = Field(None, description="None: it is in the title.")
    snippet: str
    created_at: str


class FoundList(BaseModel):
    """What a search found, newest first."""

    items: list[FoundBody]
    next: str | None = Field(None, description="`before` of the next page; none on the last one.")


SkipCode = Literal[
    "kind",
    "too_long",
    "no_text",
    "name_twice",
    "parent_missing",
    "circle",
    "thought_unclear",
    "thought_unanswered",
    "deleted",
    "more",
]


class SkippedBody(BaseModel):
    """Something of an imported file that was not taken over, or not whole."""

    where: str = Field(examples=["[12].mapping[0f2c…]"])
    code: SkipCode = Field(description="The reason, for programs.")
    kind: str | None = Field(None, description="What it is, of `kind`.", examples=["image_asset_pointer"])
    number: int | None = Field(
        None, description="Of `too_long`: how many characters stay. Of `more`: how many there are besides."
    )
    why: str = Field(
        description="The reason as a sentence.", examples=["A part of the kind image_asset_pointer is not taken over."]
    )


class ImportBody(BaseModel):
    """What an import added. What had been there already is not counted."""

    conversations: int
    messages: int
    skipped: list[SkippedBody] = Field(description="At most 1,000; then one more that says how many there are besides.")
