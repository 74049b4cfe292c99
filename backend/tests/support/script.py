"""What a fake upstream does with a request: a script of steps, and builders of well-formed ones.

upstream.script(*say("one ", "two "))
upstream.script(Status(200), Send(chunk(content="one")), Gate("later"), Reset())
upstream.script(*error_status(429, {"Retry-After": "3"}))
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Framing = Literal["chunked", "close", "length"]


@dataclass(frozen=True)
class Status:
    """The head of the response. `length` needs a Content-Length among `headers`; after `close` the connection ends."""

    code: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream"})
    framing: Framing = "chunked"
    reason: str = "Scripted"


@dataclass(frozen=True)
class Send:
    """Body bytes, put into the response's framing."""

    data: bytes


@dataclass(frozen=True)
class Raw:
    """Socket bytes, as they are: before any head, or against all framing."""

    data: bytes


@dataclass(frozen=True)
class Sleep:
    """A pause. Prefer `Gate`."""

    seconds: float


@dataclass(frozen=True)
class Gate:
    """A pause until the test lets the request through: `upstream.open(name)` or `upstream.open(name, times)`."""

    name: str


@dataclass(frozen=True)
class Reset:
    """RST, after what was written before has been delivered."""


@dataclass(frozen=True)
class Fin:
    """The end of the connection, politely, wherever the response is (a chunked one is then truncated)."""


@dataclass(frozen=True)
class Hang:
    """Nothing, until the peer goes away."""


@dataclass(frozen=True)
class Cut:
    """From here on, body bytes are sent in separate writes, cut at these positions of the body (counted from here).

    `at=None` cuts after every byte. With `lockstep` each piece is sent once the peer has read the one before, so that
    pieces do not melt together on the way; without, it is fast.
    """

    at: Sequence[int] | None = None
    lockstep: bool = True


Step = Status | Send | Raw | Sleep | Gate | Reset | Fin | Hang | Cut

USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
DONE = b"data: [DONE]\n\n"


def event(value: Any, end: bytes = b"\n") -> bytes:
    """One SSE event with `value` as JSON."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + end + end


def chunk(
    content: str | None = None,
    *,
    reasoning_content: str | None = None,
    reasoning: str | None = None,
    finish_reason: str | None = None,
    role: str | None = None,
    usage: Mapping[str, Any] | None = None,
    end: bytes = b"\n",
    **more: Any,
) -> bytes:
    """One chat completion chunk. Only what is given goes into its delta; `more` goes to the top of the object."""
    given = {"role": role, "content": content, "reasoning_content": reasoning_content, "reasoning": reasoning}
    delta = {key: value for key, value in given.items() if value is not None}
    return event(_completion([{"index": 0, "delta": delta, "finish_reason": finish_reason}], usage=usage, **more), end)


def usage_chunk(usage: Mapping[str, Any] = USAGE, end: bytes = b"\n") -> bytes:
    """The chunk that OpenAI sends last: no choices, only the usage."""
    return event(_completion([], usage=usage), end)


def stream(*deltas: str, finish_reason: str | None = "stop", usage: bool = True, end: bytes = b"\n") -> bytes:
    """The whole body of a well-formed answer, as bytes."""
    return b"".join(_bodies(deltas, finish_reason, usage, end))


def say(
    *deltas: str,
    gate: str | None = None,
    pause: float = 0,
    cut: Cut | None = None,
    finish_reason: str | None = "stop",
    usage: bool = True,
    headers: Mapping[str, str] | None = None,
    end: bytes = b"\n",
) -> list[Step]:
    """A well-formed OpenAI stream: role, `deltas`, finish reason, usage, [DONE].

    With `gate`, each delta waits before it at the gate of that name (the role chunk does not wait, the ending neither).
    """
    steps: list[Step] = [Status(headers={"Content-Type": "text/event-stream", **(headers or {})})]
    if cut is not None:
        steps.append(cut)
    first, *rest = _bodies(deltas, finish_reason, usage, end)
    steps.append(Send(first))
    for body in rest[: len(deltas)]:
        if gate is not None:
            steps.append(Gate(gate))
        if pause:
            steps.append(Sleep(pause))
        steps.append(Send(body))
    steps.append(Send(b"".join(rest[len(deltas) :])))
    return steps


def serve_body(body: bytes, *, cut: Cut | None = None, content_type: str = "text/event-stream") -> list[Step]:
    """A 200 with exactly this body."""
    head = Status(headers={"Content-Type": content_type})
    return [head, *([cut] if cut else []), Send(body)]


def whole(content: str, *, finish_reason: str = "stop", reasoning_content: str | None = None) -> list[Step]:
    """The answer of an endpoint that ignored `stream: true`: one JSON document."""
    message = {"role": "assistant", "content": content}
    if reasoning_content is not None:
        message["reasoning_content"] = reasoning_content
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    answer = {**_completion([choice], usage=USAGE), "object": "chat.completion"}
    return json_status(200, answer)


def error_status(
    code: int, headers: Mapping[str, str] | None = None, message: str = "scripted", **error: Any
) -> list[Step]:
    """A refusal in OpenAI's shape."""
    return json_status(code, {"error": {"message": message, "type": "scripted", **error}}, headers)


def json_status(code: int, value: Any, headers: Mapping[str, str] | None = None) -> list[Step]:
    """Any status with a JSON body."""
    body = json.dumps(value, ensure_ascii=False).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    return [Status(code, head, framing="length"), Send(body)]


def _bodies(deltas: Sequence[str], finish_reason: str | None, usage: bool, end: bytes) -> list[bytes]:
    return [
        chunk("", role="assistant", end=end),
        *(chunk(delta, end=end) for delta in deltas),
        *([chunk(finish_reason=finish_reason, end=end)] if finish_reason else []),
        *([usage_chunk(end=end)] if usage else []),
        DONE.replace(b"\n", end),
    ]


def _completion(
    choices: list[dict[str, Any]], *, usage: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763800000, "model": "scripted"}
    return {**head, "choices": choices, "usage": usage, **more}
