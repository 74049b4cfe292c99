"""The body of AG-UI's door: what an agent is asked to run on. Fields are in the protocol's own camel case."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from app.content_parts import SCHEMA, joined, refusal
from app.models import MAX_MODEL_CHARS, Text, Turn

MAX_ID_CHARS = 256  # of the client's names for things; they are given back as they came
MAX_CONTEXT_ITEMS = 100

_NO_TOOLS = "Tools are not called yet. Send none, and describe in a message what you want."
_PARTS = {"image": "Images are", "audio": "Audio is", "video": "Videos are", "document": "Documents are"}
_LOOSE = ConfigDict(extra="ignore", frozen=True, strict=True, alias_generator=to_camel)


Name = Annotated[Text, Field(max_length=MAX_ID_CHARS)]


class AgentMessage(BaseModel):
    """One message of a thread."""

    model_config = _LOOSE

    role: Literal["developer", "system", "user", "assistant", "reasoning", "activity"] = Field(
        description="What was thought or done before is left out; `developer` is passed on as `system`."
    )
    content: Any = Field(default=None, validate_default=True, json_schema_extra=SCHEMA)
    tool_calls: Annotated[list[Any], Field(max_length=0)] | None = None

    @field_validator("role", mode="before")
    @classmethod
    def _no_results(cls, role: object) -> object:
        if role == "tool":
            raise refusal(_NO_TOOLS)
        return role

    @field_validator("content", mode="before")
    @classmethod
    def _is_text(cls, content: object, info: ValidationInfo) -> str | None:
        role = info.data.get("role")
        if role in ("reasoning", "activity", None):
            return None  # whatever it is, it is left out
        text = joined(content, _PARTS)
        if text is None and role == "assistant":
            return ""
        if not isinstance(text, str):
            raise PydanticCustomError("string_type", "Content must be a text, or parts of text")
        return text


class ContextItem(BaseModel):
    """Something that the agent should know, beside the messages."""

    model_config = _LOOSE

    description: Text = Field(max_length=10_000)
    value: Text = Field(max_length=100_000)


class ForwardedProps(BaseModel):
    """How the answer is to be given. What else an application forwards is not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    model: str | None = Field(default=None, min_length=1, max_length=MAX_MODEL_CHARS)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)


class AgentInput(BaseModel):
    """What AG-UI calls RunAgentInput."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        json_schema_extra={
            "examples": [
                {"threadId": "t-1", "runId": "r-1", "messages": [{"id": "m-1", "role": "user", "content": "안녕?"}]}
            ]
        },
    )

    thread_id: Name = Field(description="The client's; given back.")
    run_id: Name = Field(description="The client's; given back. Ours is in `X-Run-Id`.")
    messages: list[AgentMessage] = Field(min_length=1, fail_fast=True, description="The whole thread, oldest first.")
    tools: Annotated[list[Any], Field(max_length=0)] | None = Field(None, description="None can be called yet.")
    context: list[ContextItem] | None = Field(None, max_length=MAX_CONTEXT_ITEMS, fail_fast=True)
    state: Any = Field(None, description="This agent has none; it is not looked at.")
    forwarded_props: ForwardedProps | None = None
    resume: Annotated[list[Any], Field(max_length=0)] | None = Field(
        None, description="Nothing is interrupted here, so there is nothing to resume."
    )

    @property
    def question(self) -> "AgentInput":
        """What is asked, without the client's names for it, which are new each time."""
        unnamed = {"thread_id": "", "run_id": "", "state": None}
        return self.model_copy(update=unnamed)

    @property
    def known(self) -> str:
        """The context as one text."""
        return "\n".join(f"{item.description}: {item.value}" for item in self.context or ())

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The thread as a prompt has it: what an answer said in several messages is one again."""
        return tuple(_merged(self.messages))


def _merged(messages: list[AgentMessage]) -> Iterator[Turn]:
    answer: str | None = None
    for message in messages:
        match message.role:
            case "reasoning" | "activity":
                continue
            case "assistant":
                answer = (answer or "") + message.content
                continue
            case "developer" | "system":
                turn = Turn("system", message.content)
            case "user":
                turn = Turn("user", message.content)
        if answer is not None:
            yield Turn("assistant", answer)
            answer = None
        yield turn
    if answer is not None:
        yield Turn("assistant", answer)
