"""An answer that is hard to cut well: parts that alternate, Korean, emoji, and text that looks like our frames."""

from collections.abc import Sequence
from typing import Literal

from tests.support.script import DONE, Gate, Reset, Send, Status, Step, chunk, usage_chunk

Said = tuple[Literal["text", "reasoning"], str]
End = Literal["completed", "interrupted"]

SAID: Sequence[Said] = (
    ("reasoning", "먼저 생각하면… "),
    ("reasoning", "🤔 hm"),
    ("text", "안녕"),
    ("text", "하세요, "),
    ("reasoning", "짧게"),
    ("text", "👩‍👩‍👧‍👦 가족 "),
    ("reasoning", "-"),
    ("text", 'data: {"chunk": "not a frame"}\n\n'),
    ("text", "id: 1\r\n\r\n"),
    ("reasoning", "🧵"),
    ("text", "\u2028\u0085é e\u0301 "),
    ("reasoning", "음"),
    ("text", '"quoted" \\ and <b>\t'),
    ("text", "각각 "),
    ("reasoning", "."),
    ("text", "🇰🇷"),
    ("text", "𝒛"),
    ("reasoning", "!"),
    ("text", "끝"),
    ("text", "."),
)
"""What the model says, delta by delta: 20 of them in 14 parts."""


def text_of(said: Sequence[Said] = SAID) -> str:
    """What a reader of `format=chat` sees."""
    return "".join(text for kind, text in said if kind == "text")


def parts_of(said: Sequence[Said] = SAID) -> list[tuple[str, str]]:
    """The parts that `said` makes: kind and whole text."""
    parts: list[tuple[str, str]] = []
    for kind, text in said:
        if parts and parts[-1][0] == kind:
            parts[-1] = (kind, parts[-1][1] + text)
        else:
            parts.append((kind, text))
    return parts


def think(
    said: Sequence[Said] = SAID, *, gate: str | None = None, last: str | None = None, end: End = "completed"
) -> list[Step]:
    """The script of such an answer: each delta waits at `gate`, the ending at `last`."""
    steps: list[Step] = [Status(), Send(chunk("", role="assistant"))]
    for kind, text in said:
        steps += [Gate(gate)] if gate else []
        steps.append(Send(chunk(text) if kind == "text" else chunk(reasoning_content=text)))
    steps += [Gate(last)] if last else []
    if end == "interrupted":
        return [*steps, Reset()]
    return [*steps, Send(chunk(finish_reason="stop") + usage_chunk() + DONE)]
