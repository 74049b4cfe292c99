"""What an import leaves out, and why: a closed set of reasons, which a page can tell in its reader's language."""

from collections.abc import Mapping
from typing import NamedTuple

from app.conversation_bodies import SkipCode, SkippedBody

_WHY: Mapping[SkipCode, str] = {
    "kind": "A part of the kind {kind} is not taken over.",
    "too_long": "It is cut to {number:,} characters.",
    "no_text": "It has no messages with text.",
    "name_twice": "Another node has its name, too.",
    "parent_missing": "What it follows is not in the file, so it begins a branch.",
    "circle": "What it follows goes in a circle, so it begins a branch.",
    "thought_unclear": "It was thought, and which answer it belongs to is not clear.",
    "thought_unanswered": "It was thought, and no answer follows it.",
    "deleted": "It was deleted while it was imported.",
    "more": "And {number:,} more.",
}


class Skipped(NamedTuple):
    """Something of a file that is not taken over, or not whole."""

    where: str
    code: SkipCode
    kind: str | None = None  # of `kind`: what it is
    number: int | None = None  # of `too_long`: how many characters stay; of `more`: how many there are

    @property
    def why(self) -> str:
        """The reason as a sentence."""
        return _WHY[self.code].format(kind=self.kind, number=self.number)

    def body(self) -> SkippedBody:
        """As it is told."""
        return SkippedBody(where=self.where, code=self.code, kind=self.kind, number=self.number, why=self.why)
