"""The bodies of responses, and of requests other than a question: the public face of the vocabulary."""

import msgspec
from pydantic import BaseModel, Field

from app.clock import rfc3339
from app.models import Failure, FinishReason, Run, RunStatus, Usage


class ErrorBody(BaseModel):
    """Why a run did not complete."""

    code: str = Field(examples=["upstream_timeout"])
    message: str = Field(examples=["The model took too long to answer. Try again."])
    retryable: bool = Field(description="Whether the same question with a new key may succeed.")

    @classmethod
    def of(cls, failure: Failure | None) -> "ErrorBody | None":
        """The public face of `failure`."""
        return cls(**msgspec.structs.asdict(failure)) if failure is not None else None


class UsageBody(BaseModel):
    """Tokens, as the provider counted them."""

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cached_tokens: int

    @classmethod
    def of(cls, usage: Usage | None) -> "UsageBody | None":
        """The public face of `usage`."""
        return cls(**msgspec.structs.asdict(usage)) if usage is not None else None


class RunBody(BaseModel):
    """The state of a run."""

    id: str = Field(examples=["01kandgz1m5d9ryt3ek2yqv8p4"])
    status: RunStatus
    conversation_id: str | None = None
    message_id: str
    model: str = Field(description="Who writes it; after a failover, who took over.", examples=["openai/gpt-4o-mini"])
    note: str | None = Field(
        None, description="What a person should know, such as that the model is loading or is a small one."
    )
    attempts: int = Field(
        description="How often a model was asked, fallbacks too; changing a parameter that it refused does not count."
    )
    left_out: int | None = Field(
        None, description="How many messages at the beginning of the branch the model was not shown, for lack of room."
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
            conversation_id=run.conversation_id,
            message_id=run.message_id,
            model=run.model,
            note=note,
            attempts=run.attempts,
            left_out=run.left_out or None,
            usage=UsageBody.of(run.usage),
            finish_reason=run.finish_reason,
            error=ErrorBody.of(run.failure),
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
