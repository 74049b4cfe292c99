"""The cursor: a place in a run's log, and how it is spelled."""

import re
from typing import Literal

import msgspec

from app.clock import ID_LENGTH
from app.errors import BadCursor

_CURSOR = re.compile(rf"([0-9a-z]{{{ID_LENGTH}}})-(?:(0|[1-9][0-9]{{0,8}})-(0|[1-9][0-9]{{0,8}})|end-([12]))")


class Cursor(msgspec.Struct, frozen=True):
    """A place in a run's log: code points of a part already read, or how much of its end was told.

    Its alphabet `[0-9a-z-]` and its length (at most 64) let a browser send it back without a CORS preflight.
    """

    run_id: str
    part: int = 0
    offset: int = 0
    told: Literal[0, 1, 2] = 0  # 1: the failure's frame was told; 2: done was told, and nothing is left

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that `text` spells.

        Raises:
            BadCursor: it spells none.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise BadCursor
        run_id, part, offset, told = match.groups()
        if told:
            return cls(run_id, told=2 if told == "2" else 1)
        return cls(run_id, int(part), int(offset))

    def __str__(self) -> str:
        if self.told:
            return f"{self.run_id}-end-{self.told}"
        return f"{self.run_id}-{self.part}-{self.offset}"
