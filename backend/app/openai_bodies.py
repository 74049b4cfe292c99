"""The bodies of OpenAI's door: what a chat completion may ask for. What cannot be done is refused by its name."""

import json
from typing import Annotated, Any, Literal, cast

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from app.content_parts import SCHEMA, joined, refusal
from app.models import MAX_MODEL_CHARS, Sampling, Text, Turn, storable

MAX_STOPS = 4  # sequences; as at OpenAI
MAX_STOP_CHARS = 1000
MAX_BIASED_TOKENS = 1000  # of `logit_bias`; nobody writes more by hand
MAX_FORMAT_CHARS = 100_000  # of a JSON schema: longer than a prompt may be is no format
MAX_USER_CHARS = 512

_NO_TOOLS = "Tools are not passed on yet: leave it out, and describe in a message what you want."
# What changes nothing is taken and forgotten, and all else is refused: name → (harmless values, sentence).
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((1,), "One answer a request: leave it out, and ask again for another one."),
    "tools": (([],), _NO_TOOLS),
    "functions": (([],), _NO_TOOLS),
    "tool_choice": (("none", "auto"), _NO_TOOLS),
    "function_call": (("none", "auto"), _NO_TOOLS),
    "parallel_tool_calls": ((True, False), _NO_TOOLS),
    "logprobs": ((False,), "Log probabilities are not kept, so they cannot be told. Leave it out."),
    "top_logprobs": ((0,), "Log probabilities are not kept, so they cannot be told. Leave it out."),
    "modalities": ((["text"],), "Answers are text. Leave it out."),
    "audio": ((), "Answers are text. Leave it out."),
    "prediction": ((), "Predicted outputs are not passed on. Leave it out."),
    "web_search_options": ((), "Nothing is searched. Leave it out."),
    "moderation": ((), "Nothing is moderated. Leave it out."),
    "store": ((False,), "Answers are kept as this service is set up, and not elsewhere. Leave it out."),
    "metadata": (({},), "Metadata is not kept. Leave it out."),
    "service_tier": (("auto", "default"), "There is one tier. Leave it out."),
    "safety_identifier": ((), "It is not passed on. Leave it out, or say `user`."),
    "prompt_cache_key": ((), "It is not passed on. Leave it out."),
    "prompt_cache_options": ((), "It is not passed on. Leave it out."),
    "prompt_cache_retention": ((), "It is not passed on. Leave it out."),
}
_REFUSED_IN_MESSAGES: dict[str, tuple[tuple[Any, ...], str]] = {
    "name": ((), "Names of speakers are not passed on. Say in the content who speaks."),
    "tool_calls": (([],), _NO_TOOLS),
    "function_call": ((), _NO_TOOLS),
    "tool_call_id": ((), _NO_TOOLS),
    "audio": ((), "Only text is taken."),
    "refusal": ((), "Refusals are not passed on. Put the sentence into the content."),
}
_PARTS = {"image_url": "Images are", "input_audio": "Audio is", "file": "Files are", "refusal": "Refusals are"}


def _joined(content: object) -> object:
    return joined(content, _PARTS)


def _listed(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop


def _clean(value: object) -> object:
    """JSON whose texts can be encoded, whatever halves of characters were in them."""
    if isinstance(value, dict):
        return {storable(key): _clean(item) for key, item in cast(dict[str, object], value).items()}
    if isinstance(value, list):
        return [_clean(item) for item in cast(list[object], value)]
    return storable(value)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _short_enough(schema: dict[str, Any]) -> dict[str, Any]:
    if len(_raw(schema)) > MAX_FORMAT_CHARS:
        raise PydanticCustomError("too_long", f"A schema has at most {MAX_FORMAT_CHARS:,} bytes")  # pyright: ignore[reportArgumentType]
    return schema


Content = Annotated[str | None, BeforeValidator(_joined), WithJsonSchema(SCHEMA)]
Refused = Annotated[Any, Field(description="Refused, unless it changes nothing.")]
Penalty = Annotated[float | None, Field(ge=-2, le=2, allow_inf_nan=False)]
Bias = dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Annotated[int, Field(ge=-100, le=100)]] | None
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class CompletionMessage(BaseModel):
    """One message of the history, or the question."""

    model_config = _STRICT

    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="`developer` is passed on as `system`, which every endpoint knows."
    )
    content: Content = Field(
        None, validate_default=True, description="Text, or text parts. An empty assistant message is left out."
    )
    reasoning_content: str | None = Field(None, description="Of an earlier answer; the model does not see it again.")
    reasoning: str | None = Field(None, description="The same, by its other name.")
    annotations: list[Any] | None = Field(None, description="Of an earlier answer; left out.")
    name: Refused = None
    tool_calls: Refused = None
    function_call: Refused = None
    tool_call_id: Refused = None
    audio: Refused = None
    refusal: Refused = None

    @field_validator("role", mode="before")
    @classmethod
    def _no_tools(cls, role: object) -> object:
        if role in ("tool", "function"):
            raise refusal(_NO_TOOLS)
        return role

    @field_validator("content")
    @classmethod
    def _is_there(cls, content: str | None, info: ValidationInfo) -> str | None:
        if content is None and info.data.get("role") != "assistant":
            raise PydanticCustomError("missing", "Content is required")
        return content

    @field_validator("reasoning_content", "reasoning", "annotations")
    @classmethod
    def _leave_out(cls, _: object) -> None:
        """Nobody sees it again, so whatever it holds can do no harm."""

    @field_validator(*_REFUSED_IN_MESSAGES, mode="before")
    @classmethod
    def _refuse(cls, value: object, info: ValidationInfo) -> None:
        harmless, why = _REFUSED_IN_MESSAGES[info.field_name or ""]
        if value is not None and value not in harmless:
            raise refusal(why)

    @property
    def turn(self) -> Turn:
        """It, as a prompt has it."""
        return Turn("system" if self.role == "developer" else self.role, self.content or "")


class StreamOptions(BaseModel):
    """How a stream is written."""

    model_config = _STRICT

    include_usage: bool | None = Field(None, description="One more chunk before `[DONE]`, with the usage.")
    include_obfuscation: Literal[False] | None = Field(None, description="Nothing is padded.")


class JsonSchema(BaseModel):
    """The schema that the answer must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: Text | None = Field(None, max_length=10_000)
    schema_: Annotated[dict[str, Any], BeforeValidator(_clean), AfterValidator(_short_enough)] | None = Field(
        None, alias="schema"
    )
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """The form of the answer, for endpoints that know forms."""

    model_config = _STRICT

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = Field(None, validate_default=True)

    @field_validator("json_schema")
    @classmethod
    def _belongs(cls, schema: JsonSchema | None, info: ValidationInfo) -> JsonSchema | None:
        if (schema is not None) != (info.data.get("type") == "json_schema"):
            raise PydanticCustomError("invalid_value", "It goes with the type json_schema, and that with it")
        return schema

    @property
    def raw(self) -> msgspec.Raw | None:
        """It, as an endpoint is told; nothing for plain text."""
        if self.type == "text":
            return None
        if self.json_schema is None:
            return _raw({"type": self.type})
        said = {"name": self.json_schema.name, "description": self.json_schema.description}
        said |= {"schema": self.json_schema.schema_, "strict": self.json_schema.strict}
        return _raw({"type": self.type, "json_schema": {key: one for key, one in said.items() if one is not None}})


class CompletionRequest(BaseModel):
    """A chat completion as OpenAI's clients ask for it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={
            "examples": [{"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "안녕하세요?"}]}]
        },
    )

    model: str = Field(min_length=1, max_length=MAX_MODEL_CHARS, description="As `GET /v1/models` names it.")
    messages: list[CompletionMessage] = Field(
        min_length=1,
        fail_fast=True,
        description="Oldest first. Without a system message `SYSTEM_PROMPT` is put before them.",
    )
    stream: bool | None = Field(None, description="Whether the answer is told as it is made.")
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="The older name of the next one.")
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Longest answer, in tokens.")
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=MAX_STOP_CHARS)]] | None, BeforeValidator(_listed)
    ] = Field(None, max_length=MAX_STOPS, description="Where to stop: a text, or some.")
    logit_bias: Bias = Field(None, max_length=MAX_BIASED_TOKENS)
    response_format: ResponseFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    user: Text | None = Field(None, max_length=MAX_USER_CHARS, description="Passed on to the endpoint.")
    n: Refused = None
    tools: Refused = None
    functions: Refused = None
    tool_choice: Refused = None
    function_call: Refused = None
    parallel_tool_calls: Refused = None
    logprobs: Refused = None
    top_logprobs: Refused = None
    modalities: Refused = None
    audio: Refused = None
    prediction: Refused = None
    web_search_options: Refused = None
    moderation: Refused = None
    store: Refused = None
    metadata: Refused = None
    service_tier: Refused = None
    safety_identifier: Refused = None
    prompt_cache_key: Refused = None
    prompt_cache_options: Refused = None
    prompt_cache_retention: Refused = None

    @field_validator("max_completion_tokens")
    @classmethod
    def _one_length(cls, length: int | None, info: ValidationInfo) -> int | None:
        if length is not None and info.data.get("max_tokens") not in (None, length):
            raise PydanticCustomError("invalid_value", "It says something else than max_tokens. Send one of them")
        return length

    @field_validator(*_REFUSED, mode="before")
    @classmethod
    def _refuse(cls, value: object, info: ValidationInfo) -> None:
        harmless, why = _REFUSED[info.field_name or ""]
        if value is not None and value not in harmless:
            raise refusal(why)

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage is True

    @property
    def length(self) -> int | None:
        """The longest answer, by either name."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    @property
    def question(self) -> "CompletionRequest":
        """What is asked, without how the answer is to be written."""
        return self.model_copy(update={"stream": None, "stream_options": None})

    @property
    def sampling(self) -> Sampling:
        """How words are to be chosen."""
        return Sampling(
            top_p=self.top_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            stop=tuple(self.stop) if self.stop else None,
            logit_bias=_raw(self.logit_bias) if self.logit_bias else None,
            response_format=self.response_format.raw if self.response_format is not None else None,
            reasoning_effort=self.reasoning_effort,
            verbosity=self.verbosity,
            user=self.user,
        )


class ModelCard(BaseModel):
    """A model, as OpenAI's clients know models."""

    id: str = Field(examples=["openai/gpt-4o-mini"])
    object: Literal["model"] = "model"
    created: int = Field(default=0, description="Not known, so always 0.")
    owned_by: str = Field(examples=["openai"])


class ModelCards(BaseModel):
    """The models, all of them."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class OpenAIError(BaseModel):
    """What went wrong."""

    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(examples=["messages[0].content"])
    code: str = Field(examples=["unsupported_parameter"])


class OpenAIErrorBody(BaseModel):
    """Why a request was refused, or its answer did not complete."""

    error: OpenAIError
