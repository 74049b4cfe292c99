"""The vocabulary of the house, and the bodies of requests and responses."""

import re
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.clock import ID_LENGTH, rfc3339
from app.errors import BadCursor

# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PartKind = Literal["text", "reasoning"]
RunStatus = Literal["queued", "running", "completed", "cancelled", "failed", "interrupted"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "other"]

MAX_MODEL_CHARS = 200  # of a model's id, provider and all: the database keeps as much
MAX_PIECE_CHARS = 4096  # at most 16 KiB of UTF-8: one frame that no reader chokes on


class Principal(msgspec.Struct, frozen=True):
    """Who asks. Without accounts everyone is `local`."""

    id: str


LOCAL = Principal("local")


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """More of the answer."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, gc=False):
    """More of what the model thought before it answered."""

    text: str


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0


class UsageDelta(msgspec.Struct, frozen=True):
    """Vendors may send the usage twice; the last one is the true one."""

    usage: Usage


class FinishDelta(msgspec.Struct, frozen=True):
    """The model stopped, and why."""

    reason: FinishReason


class NoteDelta(msgspec.Struct, frozen=True):
    """What a person may be told while nothing has been said yet, such as that the model is loading. None: no longer."""

    note: str | None


Delta = TextDelta | ReasoningDelta | UsageDelta | FinishDelta | NoteDelta


class Piece(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A run of text inside one part of an answer, at most `MAX_PIECE_CHARS` code points.

    Parts are numbered from 0 in the order the model made them. One part is open at a time.
    """

    part: int
    kind: PartKind
    offset: int  # of the first character, in code points from the part's start
    text: str

    @property
    def end(self) -> int:
        """The offset after this piece."""
        return self.offset + len(self.text)


class Part(msgspec.Struct, frozen=True):
    """One whole part of a message, as it is kept."""

    kind: PartKind
    text: str


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class Prompt(msgspec.Struct, frozen=True):
    """What a model gets to see, and how it is asked."""

    turns: tuple[Turn, ...]
    max_tokens: int
    temperature: float
    continues: bool = False  # the last turn is the assistant's, and is to be gone on from


class Failure(msgspec.Struct, frozen=True):
    """Why a run did not complete: for programs, and as a sentence for people."""

    code: str
    message: str
    retryable: bool


SERVICE_STOPPED = Failure(
    "interrupted",
    "The service stopped while this answer was being written. What it said is kept; try again or go on from there.",
    True,
)
STOPPED = Failure("cancelled", "Stopped.", True)


class Ending(msgspec.Struct, frozen=True):
    """How a run ended. There is exactly one."""

    status: RunStatus
    finish_reason: FinishReason | None = None
    failure: Failure | None = None


class Run(msgspec.Struct, frozen=True):
    """One attempt to write one assistant message. Times are milliseconds since 1970."""

    id: str
    owner_id: str
    message_id: str
    model: str
    status: RunStatus
    created_at: int
    attempts: int = 1
    first_token_at: int | None = None
    ended_at: int | None = None
    finish_reason: FinishReason | None = None
    failure: Failure | None = None
    usage: Usage | None = None

    @property
    def ending(self) -> Ending | None:
        """How it ended, or None while it may still be written."""
        if self.status in ("queued", "running"):
            return None
        return Ending(self.status, self.finish_reason, self.failure)


_CURSOR = re.compile(rf"([0-9a-z]{{{ID_LENGTH}}})-(?:(0|[1-9][0-9]{{0,8}})-(0|[1-9][0-9]{{0,8}})|end-([12]))")


class Cursor(msgspec.Struct, frozen=True):
    """A place in a run's log: code points of a part already read, or how much of its end was told.

    Its alphabet `[0-9a-z-]` and its length (at most 64) let a browser send it back without a CORS preflight.
    """

    run_id: str
    part: int = 0
    offset: int = 0
    told: Literal[0, 1, 2] = 0  # 1: the failure's frame was told; 2: done was told, and nothing is left

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that `text` spells.

        Raises:
            BadCursor: it spells none.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise BadCursor
        run_id, part, offset, told = match.groups()
        if told:
            return cls(run_id, told=2 if told == "2" else 1)
        return cls(run_id, int(part), int(offset))

    def __str__(self) -> str:
        if self.told:
            return f"{self.run_id}-end-{self.told}"
        return f"{self.run_id}-{self.part}-{self.offset}"


# ── Bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: object) -> object:
    """Text with NUL and lone surrogates replaced by U+FFFD, since neither can be kept as UTF-8 everywhere."""
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(storable)]


class ChatMessage(BaseModel):
    """One earlier message of the conversation."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    role: Literal["user", "assistant"] = Field(
        description="Who said it. Only these two: a client cannot write system messages."
    )
    content: Text = Field(description="What was said. An empty assistant message is left out of the prompt.")


class ChatRequest(BaseModel):
    """A question, and what was said before it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={
            "examples": [
                {"message": "Hello!"},
                {
                    "message": "And in French?",
                    "history": [
                        {"role": "user", "content": "How do you say hello in Korean?"},
                        {"role": "assistant", "content": "안녕하세요"},
                    ],
                },
            ]
        },
    )

    message: Text = Field(min_length=1, description="The question, not blank; at most `MAX_MESSAGE_CHARS` (32,000).")
    history: list[ChatMessage] | None = Field(
        None, fail_fast=True, description="Earlier messages, oldest first; at most `MAX_HISTORY_ITEMS` (400)."
    )
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_MODEL_CHARS,
        description="As `GET /api/models` names it. None: the default.",
    )
    system: Text | None = Field(
        default=None, max_length=100_000, description="Put before the history. None: `SYSTEM_PROMPT`; empty: nothing."
    )
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        allow_inf_nan=False,
        description="Randomness. None: the model's, else `TEMPERATURE` (0.7).",
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Longest answer, in tokens. None: the model's, else `MAX_TOKENS` (1000).",
    )


class ErrorBody(BaseModel):
    """Why a run did not complete."""

    code: str = Field(examples=["upstream_timeout"])
    message: str = Field(examples=["The model took too long to answer. Try again."])
    retryable: bool = Field(description="Whether the same question with a new key may succeed.")


class UsageBody(BaseModel):
    """Tokens, as the provider counted them."""

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cached_tokens: int


class RunBody(BaseModel):
    """The state of a run."""

    id: str = Field(examples=["01kandgz1m5d9ryt3ek2yqv8p4"])
    status: RunStatus
    message_id: str
    model: str = Field(description="Who writes it; after a failover, who took over.", examples=["openai/gpt-4o-mini"])
    note: str | None = Field(
        None, description="What a person should know, such as that the model is loading or is a small one."
    )
    attempts: int = Field(
        description="How often a model was asked, fallbacks too; changing a parameter that it refused does not count."
    )
    usage: UsageBody | None = None
    finish_reason: FinishReason | None = None
    error: ErrorBody | None = None
    created_at: str = Field(description="RFC 3339, UTC.")
    first_token_at: str | None = None
    ended_at: str | None = None

    @classmethod
    def of(cls, run: Run, note: str | None = None) -> "RunBody":
        """The public face of `run`."""
        return cls(
            id=run.id,
            status=run.status,
            message_id=run.message_id,
            model=run.model,
            note=note,
            attempts=run.attempts,
            usage=UsageBody(**msgspec.structs.asdict(run.usage)) if run.usage else None,
            finish_reason=run.finish_reason,
            error=ErrorBody(**msgspec.structs.asdict(run.failure)) if run.failure else None,
            created_at=rfc3339(run.created_at),
            first_token_at=rfc3339(run.first_token_at) if run.first_token_at else None,
            ended_at=rfc3339(run.ended_at) if run.ended_at else None,
        )


class CancelBody(BaseModel):
    """A run that was asked to stop, and where it stands now."""

    id: str
    status: RunStatus


class ModelBody(BaseModel):
    """A model that can be asked."""

    id: str = Field(description="What a request's `model` is.", examples=["openai/gpt-4o-mini"])
    name: str = Field(description="For people.", examples=["GPT-4o mini"])
    provider: str = Field(examples=["openai"])
    default: bool = Field(description="Whether it answers when a request names none.")
    context_window: int | None = Field(None, description="Tokens that it can read and write, together.")
    note: str | None = Field(None, description="What a person should know before asking it.")


class ModelList(BaseModel):
    """The models, all on one page."""

    items: list[ModelBody]
    next: str | None = None


class ProblemBody(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The message is blank. Write something."])
    code: str = Field(examples=["invalid"])
    retryable: bool = False
    errors: list[dict[str, object]] | None = Field(None, description="With 422: which fields, and why.")
