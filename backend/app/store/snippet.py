"""What a found text looks like around the place that was looked for. Pure."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from unicodedata import combining, normalize

from app.store.words import Phrase, fold

SNIPPET_CHARS = 160  # about two lines of a list
LEAD_CHARS = 40  # of them before the hit
NUDGE_CHARS = 16  # how far a cut moves to fall between words, or between whole characters

_JOINER = "\u200d"
_CLINGING = re.compile("[\u200d\ufe00-\ufe0f\u1160-\u11ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")


def patterns(phrases: Sequence[Phrase]) -> list[re.Pattern[str]]:
    """What to look for, the longest first: it is the rarest, more often than not."""
    return [phrase.pattern() for phrase in sorted(phrases, key=lambda phrase: -sum(map(len, phrase.runs)))]


def snippet(text: str, sought: Sequence[re.Pattern[str]]) -> str:
    """At most `SNIPPET_CHARS` of `text`, white space folded, around the first hit, with `…` where it is cut."""
    text = " ".join(normalize("NFC", text).split())
    if len(text) <= SNIPPET_CHARS:
        return text
    start = min(max(_hit(text, sought) - LEAD_CHARS, 0), len(text) - SNIPPET_CHARS)
    end = start + SNIPPET_CHARS
    if start:
        start = _cut(text, range(start, start + NUDGE_CHARS))
    if end < len(text):
        end = _cut(text, range(end, end - NUDGE_CHARS, -1))
    return f"{'…' * (start > 0)}{text[start:end].strip()}{'…' * (end < len(text))}"


def _hit(text: str, sought: Sequence[re.Pattern[str]]) -> int:
    """Where the first of `sought` begins that occurs; 0 if none does."""
    folded = fold(text)
    found = next((match for pattern in sought if (match := pattern.search(folded))), None)
    if found is None or len(folded) == len(text):
        return found.start() if found else 0
    # Folding made some characters longer or shorter: the place is where the text before it folds to that length.
    return bisect_left(range(len(text)), found.start(), key=lambda end: len(fold(text[:end])))


def _cut(text: str, places: range) -> int:
    """The first of `places` beside a space; else the first that parts no character from what clings to it."""
    spaced = next((place for place in places if " " in text[place - 1 : place + 1]), None)
    if spaced is not None:
        return spaced
    return next((place for place in places if not _clings(text, place)), places[0])


def _clings(text: str, place: int) -> bool:
    after = text[place]
    return text[place - 1] == _JOINER or combining(after) > 0 or _CLINGING.match(after) is not None
