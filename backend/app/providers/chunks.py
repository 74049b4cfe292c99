"""One chat-completion chunk to deltas. All hygiene of foreign text happens here, once."""

import json
import re
from typing import Any, TypeGuard, cast

import msgspec

from app.errors import (
    ProviderError,
    UpstreamInterrupted,
    UpstreamProtocol,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.models import (
    MAX_PIECE_CHARS,
    Delta,
    FinishDelta,
    FinishReason,
    PartKind,
    ReasoningDelta,
    TextDelta,
    Usage,
    UsageDelta,
)

MAX_TOKENS_PLAUSIBLE = 10**9  # a usage above it is a vendor's mistake, not a bill

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_NOTHING = msgspec.Raw(b"")
_NO_ERROR = {b"", b"null", b"false", b"{}", b'""'}  # what vendors write where there is none
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING
    object: str | None = None


_decoder = msgspec.json.Decoder(_Chunk)


class ChunkReader:
    """The chunks of one answer, in order, to deltas.

    Only choice 0 counts. Empty choices, null or missing deltas and unknown fields are skipped. A surrogate pair split
    over two deltas is joined; a lone half and NUL become U+FFFD.
    """

    def __init__(self) -> None:
        self.finished = False  # a finish reason was seen: an end of the stream is now no accident
        self.recognized = False  # something that is this protocol was seen
        self._half = ""  # a high surrogate whose other half may come with the next delta
        self._half_kind: PartKind = "text"

    def read(self, data: bytes, deltas: list[Delta]) -> None:
        """Add the deltas of one chunk, also those that stand beside an error.

        Raises:
            UpstreamProtocol: it is not a JSON object.
            ProviderError: it says that the answer failed.
        """
        try:
            chunk = _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            chunk = _lenient(data)  # lone surrogates, no UTF-8, 1e400, or a field of another type
        broken = False
        choices = chunk.choices
        if choices is not None:
            self.recognized = True
            for choice in choices:
                if choice.index == 0:
                    self._choose(choice, deltas)
                    broken = broken or choice.finish_reason == "error"
        # Mostly none of these is there, or it is null: then nothing of it is parsed.
        if chunk.error is not _NOTHING and bytes(chunk.error) not in _NO_ERROR:
            raise _in_band(bytes(chunk.error))
        if chunk.object == "error":  # vLLM puts the error's fields at the top
            raise _in_band(data)
        if broken:
            raise UpstreamInterrupted("The model stopped in the middle. What it said is kept.")
        if chunk.usage is not _NOTHING and bytes(chunk.usage) != b"null" and (usage := _usage(bytes(chunk.usage))):
            deltas.append(UsageDelta(usage))

    def flush(self) -> list[Delta]:
        """What was held back, once nothing more can come."""
        deltas: list[Delta] = []
        self._drop_half(deltas)
        return deltas

    def _choose(self, choice: _Choice, deltas: list[Delta]) -> None:
        message = choice.delta or choice.message
        if message is not None:
            # Both names of the reasoning may be there with the same text: never both.
            if thought := message.reasoning_content or message.reasoning:
                self._say("reasoning", thought, deltas)
            if message.content:
                self._say("text", message.content, deltas)
        if choice.finish_reason and choice.finish_reason != "error":
            self.finished = True
            deltas.append(FinishDelta(_FINISH.get(choice.finish_reason, "other")))

    def _say(self, kind: PartKind, text: str, deltas: list[Delta]) -> None:
        make = TextDelta if kind == "text" else ReasoningDelta
        if text.isascii() and not self._half and len(text) <= MAX_PIECE_CHARS and "\x00" not in text:
            deltas.append(make(text))  # nothing to mend: what happens for most tokens
            return
        if self._half:
            if kind == self._half_kind and "\udc00" <= text[0] <= "\udfff":
                text = (self._half + text[0]).encode("utf-16", "surrogatepass").decode("utf-16") + text[1:]
                self._half = ""
            else:
                self._drop_half(deltas)
        if _SURROGATE.search(text):
            if "\ud800" <= text[-1] <= "\udbff":
                self._half, self._half_kind, text = text[-1], kind, text[:-1]
            text = _SURROGATE.sub("\ufffd", text)
        if "\x00" in text:
            text = text.replace("\x00", "\ufffd")
        if len(text) <= MAX_PIECE_CHARS:
            if text:
                deltas.append(make(text))
            return
        deltas.extend(make(text[start : start + MAX_PIECE_CHARS]) for start in range(0, len(text), MAX_PIECE_CHARS))

    def _drop_half(self, deltas: list[Delta]) -> None:
        if self._half:
            deltas.append(TextDelta("\ufffd") if self._half_kind == "text" else ReasoningDelta("\ufffd"))
            self._half = ""


def _lenient(data: bytes) -> _Chunk:
    """The same chunk read by the forgiving parser: what has an unexpected type is as if it were not there."""
    value = _object(data)
    if value is None:
        raise UpstreamProtocol
    return _Chunk(
        choices=[_choice(item) for item in _list(value["choices"]) if _is_object(item)] if "choices" in value else None,
        usage=_raw(value.get("usage")),
        error=_raw(value.get("error")),
        object=_text(value.get("object")),
    )


def _choice(item: dict[str, Any]) -> _Choice:
    index, finish = item.get("index", 0), item.get("finish_reason")
    return _Choice(
        index=index if isinstance(index, int) else 0,
        delta=_message(item.get("delta")),
        message=_message(item.get("message")),
        finish_reason=finish if isinstance(finish, str) else None,
    )


def _message(value: Any) -> _Message | None:
    if not _is_object(value):
        return None
    return _Message(_text(value.get("content")), _text(value.get("reasoning_content")), _text(value.get("reasoning")))


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    # Some vendors send the content as a list of typed parts.
    texts = [part["text"] for part in _list(value) if _is_object(part) and isinstance(part.get("text"), str)]
    return "".join(texts) or None


def _list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []


def _raw(value: Any) -> msgspec.Raw:
    # json.dumps and not msgspec, which refuses the very values that brought us here.
    return _NOTHING if value is None else msgspec.Raw(json.dumps(value).encode())


def _in_band(data: bytes) -> ProviderError:
    value = _object(data) or {}
    code = next((value[key] for key in ("code", "status", "type") if value.get(key)), None)
    match code:
        case 429 | "429" | "rate_limit_exceeded" | "insufficient_quota" | "rate_limit_error" | "too_many_requests":
            return UpstreamRateLimited("The endpoint is overloaded, or its quota is spent. Try again later.")
        case int() if 400 <= code < 500:
            return UpstreamRejected(
                "The endpoint refused to go on with this answer. Change the question and try again."
            )
        case "invalid_request_error" | "context_length_exceeded" | "model_not_found":
            return UpstreamRejected(
                "The endpoint refused the request. Shorten the conversation, or check OPENAI_MODEL."
            )
        case _:
            return UpstreamUnavailable("The endpoint broke off with an error. Try again.")


def _usage(data: bytes) -> Usage | None:
    value = _object(data) or {}
    sent, made = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens"))
    if sent is None or made is None:
        return None
    return Usage(
        input_tokens=sent,
        output_tokens=made,
        reasoning_tokens=_detail(value.get("completion_tokens_details"), "reasoning_tokens"),
        cached_tokens=_detail(value.get("prompt_tokens_details"), "cached_tokens"),
    )


def _detail(value: Any, key: str) -> int:
    return _count(value.get(key)) or 0 if _is_object(value) else 0


def _count(number: Any) -> int | None:
    plausible = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MAX_TOKENS_PLAUSIBLE
    return number if plausible else None


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        # As browsers do: a byte that is no UTF-8 is U+FFFD, not the end of the answer.
        value: Any = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if _is_object(value) else None


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
