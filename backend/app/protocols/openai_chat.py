"""OpenAI's chat completions: `data:` frames, the whole document, and errors in their shape."""

from typing import Any

import msgspec

from app.clock import time_of
from app.cursor import Cursor
from app.errors import RunFailed
from app.eventlog.memory import LiveLog
from app.models import Failure, FinishReason, PartKind, Piece, Usage
from app.openai_bodies import OpenAIError, OpenAIErrorBody

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode
# Tools are not passed on, so nobody waits for their calls.
_FINISH: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "stop",
    "other": "stop",
}
_FIELD = {"text": "content", "reasoning": "reasoning_content"}
# What a caller is told that was sent nothing yet. A run's codes are those of api.md, 1.
_STATUS = {
    "upstream_rejected": 400,  # too long, or a parameter that the model does not know: the caller's to mend
    "cancelled": 410,  # not 409, which clients that do not know X-Should-Retry take for worth another try
    "abandoned": 410,
    "upstream_rate_limited": 429,
    "budget_spent": 429,
    "internal": 500,
    "upstream_protocol": 502,
    "upstream_interrupted": 502,
    "upstream_unavailable": 503,
    "model_not_configured": 503,
    "interrupted": 503,
    "upstream_timeout": 504,
    "run_too_long": 504,
    "not_saved": 507,
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Completion:
    """The chunks of one answer. Never an `id:` or `retry:`: the stock client's decoder takes them for chunks.

    A failure in the middle is an `error` frame, and then nothing: neither a finish reason nor `[DONE]`, so that
    nobody takes the answer for whole.
    """

    heartbeat = b": keepalive\n\n"
    comes_back = False
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, log: LiveLog, *, with_usage: bool) -> None:
        """Of `log`, which has begun or ended, so that its model is known. `with_usage`: told before the end."""
        self.name = "openai with usage" if with_usage else "openai"
        self._with_usage = with_usage
        head = _encode({"id": id_of(log.run_id), "object": "chat.completion.chunk", **_written(log)})
        self._head = head[:-1]
        self._tail = b',"usage":null}\n\n' if with_usage else b"}\n\n"

    def opening(self, log: LiveLog, cursor: Cursor) -> bytes:
        """See `WireFormat.opening`."""
        return self._frame(b'{"role":"assistant","content":""}')

    def piece(self, run_id: str, before: Piece | None, piece: Piece) -> bytes:
        """See `WireFormat.piece`."""
        return self.rest(run_id, piece, 0)

    def rest(self, run_id: str, piece: Piece, read: int) -> bytes:
        """See `WireFormat.rest`."""
        return self._frame(_encode({_FIELD[piece.kind]: piece.text[read:] if read else piece.text}))

    def note(self, log: LiveLog, cursor: str) -> bytes:
        """See `WireFormat.note`: there is no frame for it."""
        return b""

    def ending(self, log: LiveLog, told: int) -> bytes:
        """See `WireFormat.ending`."""
        assert log.ending is not None
        if log.ending.failure is not None:
            return b"data: %b\n\n" % _encode(_failure(log.ending.failure).model_dump())
        frames = self._frame(b"{}", _finish(log))
        if self._with_usage and log.usage is not None:
            frames += b'data: %b,"choices":[],"usage":%b}\n\n' % (self._head, _encode(_usage(log.usage)))
        return frames + DONE

    def _frame(self, delta: bytes, finish_reason: str | None = None) -> bytes:
        choice = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}' % (delta, _encode(finish_reason))
        return b'data: %b,"choices":[%b]%b' % (self._head, choice, self._tail)


def document(log: LiveLog, *, keyed: bool) -> bytes:
    """The whole answer of a log that has ended.

    Raises:
        RunFailed: it did not complete. As `check`.
    """
    check(log, keyed=keyed)
    message: dict[str, Any] = {"role": "assistant", "content": _said(log, "text"), "refusal": None}
    if thought := _said(log, "reasoning"):
        message["reasoning_content"] = thought
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(log)}
    usage = _usage(log.usage) if log.usage is not None else None
    head = {"id": id_of(log.run_id), "object": "chat.completion", **_written(log)}
    return _encode({**head, "choices": [choice], "usage": usage})


def check(log: LiveLog, *, keyed: bool) -> None:
    """Raises RunFailed if the run of `log` did not complete. `keyed`: asking again gives the same run."""
    if log.ending is None or log.ending.failure is None:
        return
    failure = log.ending.failure
    status = _STATUS.get(failure.code, 502)
    failed = RunFailed(log.run_id, status, failure.code, failure.message, retry_after=log.ending.retry_after)
    # Another try is another run, and another purchase: only where this one cannot have been billed, and may go better.
    failed.retryable = failure.retryable and log.ending.unbilled and not keyed
    raise failed


def error(status: int, code: str, message: str, param: str | None = None) -> OpenAIErrorBody:
    """An error as OpenAI's clients know errors."""
    kind = _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
    return OpenAIErrorBody(error=OpenAIError(message=message, type=kind, param=param, code=code))


def id_of(run_id: str) -> str:
    """The id of a run's completion."""
    return f"chatcmpl-{run_id}"


def _said(log: LiveLog, kind: PartKind) -> str:
    return "".join(piece.text for piece in log.pieces if piece.kind == kind)


def _failure(failure: Failure) -> OpenAIErrorBody:
    return error(_STATUS.get(failure.code, 502), failure.code, failure.message)


def _written(log: LiveLog) -> dict[str, Any]:
    return {"created": time_of(log.run_id) // 1000, "model": log.model, "system_fingerprint": None}


def _finish(log: LiveLog) -> str:
    assert log.ending is not None
    return _FINISH[log.ending.finish_reason or "stop"]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
