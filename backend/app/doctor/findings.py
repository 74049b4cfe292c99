"""What a look at something gave: fine, wrong, or not to be told from here; and what to do, in a sentence."""

from typing import Literal

import msgspec

State = Literal["ok", "wrong", "unclear"]
_MARKS: dict[State, str] = {"ok": "ok   ", "wrong": "WRONG", "unclear": "?    "}


class Finding(msgspec.Struct, frozen=True):
    """One line of a diagnosis."""

    subject: str
    state: State
    sentence: str

    def __str__(self) -> str:
        return f"{_MARKS[self.state]} {self.subject}: {self.sentence}"


def ok(subject: str, sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(subject, "ok", sentence)


def wrong(subject: str, sentence: str) -> Finding:
    """It is not, and the sentence says what to do."""
    return Finding(subject, "wrong", sentence)


def unclear(subject: str, sentence: str) -> Finding:
    """It cannot be told from here."""
    return Finding(subject, "unclear", sentence)


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"


def duration(seconds: float) -> str:
    """A time for people: `90 seconds`, `26 hours`."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
