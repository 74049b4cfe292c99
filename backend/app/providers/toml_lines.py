"""Where in a TOML document something stands. Pure; a document is its lines."""

import tomllib
from collections.abc import Sequence
from typing import Any, cast

Place = tuple[str | int, ...]
"""The keys, and places in arrays, that lead to a value."""


def line_of(lines: Sequence[str], place: Place) -> int:
    """The number, from 1, of the line on which the statement begins that makes `place` be there.

    Of a place that is not there, that of the innermost table around it; 1 if there is none.
    """
    whole = _document(lines, len(lines)) or {}
    while place and not _holds(whole, place):
        place = place[:-1]
    if not place:
        return 1
    without, with_ = 0, len(lines)  # a document of so many lines lacks it, has it; closed in on from both sides
    while True:
        middle = (without + with_) // 2
        nearest = [*range(middle, without, -1), *range(middle + 1, with_)]
        cut = next((at for at in nearest if _document(lines, at) is not None), None)
        if cut is None:  # all between is one statement
            return without + 1
        if _holds(_document(lines, cut), place):
            with_ = cut
        else:
            without = cut


def _document(lines: Sequence[str], length: int) -> dict[str, Any] | None:
    """What the first `length` lines say; None: they end inside a statement."""
    try:
        return tomllib.loads("\n".join(lines[:length]))
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _holds(value: Any, place: Place) -> bool:
    for key in place:
        match key:
            case str() if isinstance(value, dict) and key in value:
                value = cast(dict[str, Any], value)[key]
            case int() if isinstance(value, list) and key < len(cast(list[Any], value)):
                value = cast(list[Any], value)[key]
            case _:
                return False
    return True
