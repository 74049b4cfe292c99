"""The recorded answers of upstreams, and what each of them must become."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import UpstreamInterrupted
from app.models import MAX_PIECE_CHARS, Delta, FinishDelta, ReasoningDelta, TextDelta, UsageDelta
from app.providers.answer import AnswerReader

FOLDER = Path(__file__).parent
EXPECTED = ".expected.json"


@dataclass(frozen=True)
class Result:
    """What became of an answer."""

    status: str
    code: str | None
    finish_reason: str | None
    text: str
    reasoning: str
    usage: dict[str, int] | None


@dataclass(frozen=True)
class Recording:
    """The body of one response with status 200."""

    name: str
    body: bytes
    content_type: str
    expected: Result


def load(path: Path) -> Recording:
    """The recording whose expected result is at `path`."""
    expected = json.loads(path.read_text("utf-8"))
    name = path.name.removesuffix(EXPECTED)
    (body,) = (each for each in FOLDER.glob(f"{name}.*") if not each.name.endswith(EXPECTED))
    content_type = expected.pop("content_type")
    del expected["what"]
    return Recording(name, body.read_bytes(), content_type, Result(**expected))


RECORDINGS = tuple(load(path) for path in sorted(FOLDER.glob(f"*{EXPECTED}")))
STREAMS = tuple(recording for recording in RECORDINGS if recording.content_type == "text/event-stream")
DOCUMENTS = tuple(recording for recording in RECORDINGS if recording.content_type == "application/json")


def decoded(pieces: Sequence[bytes]) -> Result:
    """What the decoder makes of a stream that comes in these pieces. It hears nothing after its last word."""
    reader = AnswerReader()
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += reader.feed(piece)
        if reader.over or reader.failure is not None:
            return result(reader, deltas)
    return result(reader, deltas + reader.end())


def result(reader: AnswerReader, deltas: Sequence[Delta]) -> Result:
    """The deltas added up."""
    failure = reader.failure
    finish: Any = None
    usage: dict[str, int] | None = None
    texts: dict[type[Delta], str] = {TextDelta: "", ReasoningDelta: ""}
    for delta in deltas:
        match delta:
            case TextDelta(text) | ReasoningDelta(text):
                assert 0 < len(text) <= MAX_PIECE_CHARS
                texts[type(delta)] += text
            case UsageDelta(counted):
                usage = {name: getattr(counted, name) for name in counted.__struct_fields__}
            case FinishDelta(reason):
                assert finish is None, "two finish reasons"
                finish = reason
            case _:
                raise AssertionError(delta)
    status = "completed" if failure is None else "interrupted" if isinstance(failure, UpstreamInterrupted) else "failed"
    code = failure.code if failure else None
    return Result(status, code, finish, texts[TextDelta], texts[ReasoningDelta], usage)
