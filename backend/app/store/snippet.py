"""What a found text looks like around the place that was looked for. Pure."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from unicodedata import combining, normalize

from app.store.words import MAX_QUERY_CHARS, Phrase, fold

SNIPPET_CHARS = 160  # about two lines of a list
LEAD_CHARS = 40  # of them before the hit
NUDGE_CHARS = 16  # how far a cut moves to fall between words, or between whole characters
SLICE_CHARS = 4000  # looked through at once: most hits are near the beginning, and what is behind is never folded
WINDOW_CHARS = 1000  # on each side of the hit; the snippet is what is left of them without their white space

_JOINER = "\u200d"
_CLINGING = re.compile("[\u200d\ufe00-\ufe0f\u1160-\u11ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")


def snippet(text: str, phrases: Sequence[Phrase]) -> str:
    """At most `SNIPPET_CHARS` of `text`, white space folded, around the first hit, with `…` where it is cut."""
    hit = _hit(text, phrases)
    first, last = max(hit - WINDOW_CHARS, 0), hit + WINDOW_CHARS
    window, before = _folded(text[first:last]), len(_folded(text[first:hit]))
    start = max(min(before - LEAD_CHARS, len(window) - SNIPPET_CHARS), 0)
    end = start + SNIPPET_CHARS
    if start:
        start = _cut(window, range(start, start + NUDGE_CHARS))
    if end < len(window):
        end = _cut(window, range(end, end - NUDGE_CHARS, -1))
    cut_before, cut_after = first + start > 0, end < len(window) or last < len(text)
    return f"{'…' * cut_before}{window[start:end].strip()}{'…' * cut_after}"


def _folded(text: str) -> str:
    return " ".join(normalize("NFC", text).split())


def _hit(text: str, phrases: Sequence[Phrase]) -> int:
    """Where the longest phrase begins, which is the rarest more often than not; 0 if none is there."""
    folded: dict[int, str] = {}
    for phrase in sorted(phrases, key=lambda phrase: -sum(map(len, phrase.runs))):
        for start in range(0, len(text), SLICE_CHARS):
            # With the character before it: only that tells whether a word begins here.
            first = max(start - 1, 0)
            piece = text[first : start + SLICE_CHARS + MAX_QUERY_CHARS]
            if start not in folded:
                folded[start] = fold(piece)
            place = phrase.place(folded[start], start - first)
            if place is not None:
                return first + _unfolded(piece, folded[start], place)
    return 0


def _unfolded(text: str, folded: str, place: int) -> int:
    """The place in `text` of a place in what it was folded to. Folding makes some characters longer or shorter."""
    if len(folded) == len(text):
        return place
    return bisect_left(range(len(text)), place, key=lambda end: len(fold(text[:end])))


def _cut(text: str, places: range) -> int:
    """The first of `places` beside a space; else the first that parts no character from what clings to it."""
    spaced = next((place for place in places if " " in text[place - 1 : place + 1]), None)
    if spaced is not None:
        return spaced
    return next((place for place in places if not _clings(text, place)), places[0])


def _clings(text: str, place: int) -> bool:
    after = text[place]
    return text[place - 1] == _JOINER or combining(after) > 0 or _CLINGING.match(after) is not None
