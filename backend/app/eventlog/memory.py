"""The live tail of the event log: the committed text of one run, and who waits for more of it."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol
from weakref import ref

from app.cursor import Cursor
from app.errors import BadCursor
from app.models import Ending, Piece, Usage, pieces_of

FRESH_PIECES = 64  # at least so many are merged at once: with its frame a token of four letters takes 70 times its text
FEW_PLACES = 8  # beyond these and two for each reader, places of who has gone are looked for

Bell = Callable[[], None]


class Placed(Protocol):
    """Whoever has a place in a log. The log moves it when it merges pieces, so that it always says the same."""

    index: int  # of the first piece that is not wholly read
    skip: int  # characters of it that are


class LiveLog:
    """One run's log, whole in memory. Readers never touch the database while the run lives.

    Everything in it is durable. It is written only in the loop's thread, and only by the run's owner.
    """

    def __init__(self, run_id: str, *, message_id: str, model: str, about: str | None = None) -> None:
        self.run_id = run_id
        self.message_id = message_id
        self.model = model
        self.about = about  # what the answer's metadata says of the model
        self.handed_over = False  # to that model, by the one that was to write: early readers were told another name
        self.pieces: list[Piece] = []
        self.ending: Ending | None = None
        self.usage: Usage | None = None
        self.note: str | None = None  # what a person may be told while nothing is said; not part of the log
        self._merged = 0  # so many of the first pieces have no frames
        self._frames: dict[str, list[bytes]] = {}
        self._places: list[ref[Placed]] = []  # a WeakSet would take 0.8 kB more for each log
        self._bells: tuple[Bell, ...] = ()  # in the order they came; made anew by who comes and goes, not by each token
        self.on_readers: Callable[[], None] | None = None

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, pieces: Sequence[Piece]) -> None:
        """Show readers what has just become durable."""
        if len(self.pieces) - self._merged >= FRESH_PIECES and pieces:  # so that the last piece always has a frame
            self._merge()
        self.pieces.extend(pieces)
        for bell in self._bells:
            bell()

    def end(self, ending: Ending, usage: Usage | None) -> None:
        """Show readers the ending. Nothing follows it."""
        self.ending = ending
        self.usage = usage
        self.ring()

    def hand_over(self, model: str, about: str | None) -> None:
        """Another model writes it. Nothing was written yet."""
        self.model = model
        self.about = about
        self.handed_over = True

    def ring(self) -> None:
        """Wake who waits."""
        for bell in self._bells:
            bell()

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def readers(self) -> int:
        """How many are reading now."""
        return len(self._bells)

    def listen(self, bell: Bell) -> None:
        """Call `bell` whenever there is news, until `unlisten`."""
        self._bells = (*(other for other in self._bells if other != bell), bell)
        if self.on_readers is not None:
            self.on_readers()

    def unlisten(self, bell: Bell) -> None:
        """Stop calling `bell`."""
        self._bells = tuple(other for other in self._bells if other != bell)
        if self.on_readers is not None:
            self.on_readers()

    def locate(self, cursor: Cursor, reader: Placed) -> None:
        """Put `reader` where one at `cursor` goes on, and keep its place right as long as it lives.

        Raises:
            BadCursor: the run still lives, and holds less than the cursor says.
        """
        if self.ending is None and not self._holds(cursor):
            raise BadCursor
        reader.index, reader.skip = (len(self.pieces), 0) if cursor.told else self._find(cursor.part, cursor.offset)
        if len(self._places) > FEW_PLACES + 2 * self.readers:
            self._places = [place for place in self._places if place() is not None]
        self._places.append(ref(reader))

    def frames(self, name: str) -> list[bytes]:
        """The frames of the first pieces in the wire format `name`, as many as a reader has needed yet.

        They are encoded once a run and shared by its readers: whoever needs more adds them, in order. Those of merged
        pieces are empty: few need them, and encode them for themselves.
        """
        return self._frames.setdefault(name, [b""] * self._merged)

    def _find(self, part: int, offset: int) -> tuple[int, int]:
        index = bisect_right(self.pieces, (part, offset), key=_after)
        if index < len(self.pieces) and self.pieces[index].part == part:
            return index, max(0, offset - self.pieces[index].offset)
        return index, 0

    def _holds(self, cursor: Cursor) -> bool:
        if cursor.told:
            return False
        if cursor.part == cursor.offset == 0:
            return True
        last_of_part = bisect_right(self.pieces, cursor.part, key=_part) - 1
        if last_of_part < 0 or self.pieces[last_of_part].part != cursor.part:
            return False
        return cursor.offset <= self.pieces[last_of_part].end

    def _merge(self) -> None:
        """Join the pieces there are. A token of its own would take many times its text while the run lives.

        Their frames go, too: nearly every reader has had them.
        """
        pieces = self.pieces
        places = [reader for place in self._places if (reader := place()) is not None]
        at_end = [reader for reader in places if reader.index == len(pieces)]
        inside = [(reader, pieces[reader.index]) for reader in places if reader.index < len(pieces)]
        last = max(0, self._merged - 1)  # it may have room for more
        pieces[last:] = _merged(pieces[last:])
        self._merged = len(pieces)
        for frames in self._frames.values():
            frames[last:] = [b""] * (self._merged - last)
        for reader in at_end:
            reader.index = self._merged
        for reader, piece in inside:
            reader.index, reader.skip = self._find(piece.part, piece.offset + reader.skip)


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same text in the fewest pieces."""
    for _, group in groupby(pieces, attrgetter("part")):
        of_part = list(group)
        first = of_part[0]
        yield from pieces_of(first.part, first.kind, first.offset, "".join([piece.text for piece in of_part]))


def _after(piece: Piece) -> tuple[int, int]:
    return piece.part, piece.end


def _part(piece: Piece) -> int:
    return piece.part
