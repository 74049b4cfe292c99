"""The vocabulary of the house, and the body of a question."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.errors import ProviderError, UpstreamInterrupted

# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PartKind = Literal["text", "reasoning"]
RunStatus = Literal["queued", "running", "completed", "cancelled", "failed", "interrupted"]
Role = Literal["user", "assistant"]
Titled = Literal["none", "words", "asked", "model", "given"]
"""Where a title is from: nowhere yet, the first words, those while a model is asked for one, that model, a person."""
FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "other"]

MAX_MODEL_CHARS = 200  # of a model's id, provider and all: the database keeps as much
MAX_PIECE_CHARS = 4096  # at most 16 KiB of UTF-8: one frame that no reader chokes on


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an account or a key may spend. None: nobody said; 0: as much as it likes."""

    runs: int | None = None  # answers that are being written at once
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    budget_per_month: int | None = None  # millionths of a US dollar

    def over(self, others: "Limits") -> "Limits":
        """These, and where nobody said, those of `others`."""
        names = self.__struct_fields__
        return Limits(*(getattr(others if getattr(self, name) is None else self, name) for name in names))


NO_LIMITS = Limits()


class Principal(msgspec.Struct, frozen=True):
    """Who asks, and what they may. Without accounts everyone is `local`, who may everything."""

    id: str
    role: str = "user"
    scopes: frozenset[str] = frozenset()
    credential: str | None = None  # the session or the key that was shown
    by_key: bool = False
    limits: Limits = NO_LIMITS  # where an administrator set others than the settings'
    key_limits: Limits = NO_LIMITS
    expires_at: int | None = None  # of the session, in milliseconds since 1970
    cuts: int = 0  # how often anything had been taken back when this was looked up


LOCAL = Principal("local", "admin", frozenset({"read", "chat", "admin"}))


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


def pieces_of(part: int, kind: PartKind, offset: int, text: str) -> Iterator[Piece]:
    """`text`, which stands at `offset` of a part, in the fewest pieces."""
    for start in range(0, len(text), MAX_PIECE_CHARS):
        yield Piece(part, kind, offset + start, text[start : start + MAX_PIECE_CHARS])


class Part(msgspec.Struct, frozen=True):
    """One whole part of a message, as it is kept."""

    kind: PartKind
    text: str


def text_of(parts: Iterable[Part]) -> str:
    """What `parts` say, without what was thought."""
    return "".join(part.text for part in parts if part.kind == "text")


class Spot(msgspec.Struct, frozen=True):
    """A message in a conversation, as a request names it: it may not be there."""

    conversation_id: str
    message_id: str


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(msgspec.Struct, frozen=True):
    """How words are chosen, by the names that OpenAI-compatible endpoints know. None: as the endpoint likes.

    There is no other way for a parameter of a request to reach an endpoint.
    """

    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    logit_bias: msgspec.Raw | None = None  # checked, and JSON again
    response_format: msgspec.Raw | None = None  # checked, and JSON again
    reasoning_effort: str | None = None
    verbosity: str | None = None
    user: str | None = None


class Prompt(msgspec.Struct, frozen=True):
    """What a model gets to see, and how it is asked."""

    turns: tuple[Turn, ...]
    max_tokens: int
    temperature: float
    continues: bool = False  # the last turn is the assistant's, and is to be gone on from
    sampling: Sampling = Sampling()


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
    # Known while the run lives, and kept nowhere: for whoever waits for it and may ask again at once.
    unbilled: bool = False  # nothing was answered, and nothing can have been billed
    retry_after: int | None = None  # seconds that the endpoint asked for

    @classmethod
    def of(cls, error: ProviderError) -> "Ending":
        """The ending that `error` is."""
        status = "interrupted" if isinstance(error, UpstreamInterrupted) else "failed"
        failure = Failure(error.code, error.message, error.retryable)
        return cls(status, None, failure, error.unbilled, error.retry_after)


class Run(msgspec.Struct, frozen=True):
    """One attempt to write one assistant message. Times are milliseconds since 1970."""

    id: str
    owner_id: str
    message_id: str
    model: str
    status: RunStatus
    created_at: int
    conversation_id: str | None = None
    left_out: int = 0  # messages of the branch that the model was not shown, since they did not fit
    attempts: int = 1
    first_token_at: int | None = None
    ended_at: int | None = None
    finish_reason: FinishReason | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    allowed: int | None = None  # tokens that it may say where a limit leaves fewer than are asked for; of a live run
    charge: str | None = None  # what its cost is reckoned by, where nothing was set aside for it; of a live run

    @property
    def ending(self) -> Ending | None:
        """How it ended, or None while it may still be written."""
        if self.status in ("queued", "running"):
            return None
        return Ending(self.status, self.finish_reason, self.failure)


class Joint(msgspec.Struct, frozen=True):
    """Where an answer goes on from another one: what stands before this place was taken over, word for word."""

    message_id: str
    part: int
    offset: int


class Message(msgspec.Struct, frozen=True):
    """What one side said. An answer is empty until its run has ended; from then on nothing changes."""

    id: str
    conversation_id: str
    parent_id: str | None
    role: Role
    parts: tuple[Part, ...]
    created_at: int
    depth: int = 0  # how many messages stand before it in its branch
    model: str | None = None
    finish_reason: FinishReason | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    left_out: int = 0
    joint: Joint | None = None
    run_id: str | None = None
    status: RunStatus | None = None  # of the run

    @property
    def text(self) -> str:
        """What was said, without what was thought."""
        return text_of(self.parts)


class Conversation(msgspec.Struct, frozen=True):
    """A tree of messages, and how it is shown and asked. Times are milliseconds since 1970."""

    id: str
    owner_id: str
    created_at: int
    updated_at: int  # when a message was added, or an answer ended
    title: str = ""
    titled: Titled = "none"
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    temporary: bool = False
    pinned: bool = False
    archived: bool = False
    head_id: str | None = None  # the last message of the branch that is shown
    live: bool = False  # whether an answer is being written


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
    conversation_id: Text | None = Field(
        default=None, description="The conversation that this is said in. It keeps its own history, so send none."
    )
    parent_id: Text | None = Field(
        default=None, description="The message of that conversation that this follows. None: the last one shown."
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


class EditRequest(BaseModel):
    """Another wording of a question."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    message: Text = Field(min_length=1, description="The question, not blank; at most `MAX_MESSAGE_CHARS` (32,000).")
