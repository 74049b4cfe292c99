"""The live tail of the event log: the committed text of one run, and who waits for more of it."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from weakref import ref

from app.cursor import Cursor
from app.errors import BadCursor
from app.models import MAX_PIECE_CHARS, Ending, Piece, Usage

FRESH_PIECES = 64  # stay as they came, with their frames: a token of four characters takes 70 times its text

Bell = Callable[[], None]


class Place:
    """A reader's place in a log. The log moves it when it merges pieces, so it always says the same."""

    __slots__ = ("__weakref__", "index", "skip")

    def __init__(self, index: int, skip: int) -> None:
        self.index = index  # of the first piece that is not wholly read
        self.skip = skip  # characters of it that are


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
        self.merged = 0  # so many of the first are merged, and have no frames; where there are any, the last is not
        self.ending: Ending | None = None
        self.usage: Usage | None = None
        self.note: str | None = None  # what a person may be told while nothing is said; not part of the log
        self._frames: dict[str, list[bytes]] = {}
        self._places: tuple[ref[Place], ...] = ()  # a WeakSet would take 0.8 kB more for each log
        self._bells: tuple[Bell, ...] = ()  # in the order they came; made anew by who comes and goes, not by each token
        self.on_readers: Callable[[], None] | None = None

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, pieces: Sequence[Piece]) -> None:
        """Show readers what has just become durable."""
        if len(self.pieces) - self.merged >= FRESH_PIECES and pieces:
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

    def locate(self, cursor: Cursor) -> Place:
        """Where a reader at `cursor` goes on.

        Raises:
            BadCursor: the run still lives, and holds less than the cursor says.
        """
        if self.ending is None and not self._holds(cursor):
            raise BadCursor
        place = Place(*((len(self.pieces), 0) if cursor.told else self._find(cursor.part, cursor.offset)))
        self._places = (*(other for other in self._places if other() is not None), ref(place))
        return place

    def frames(self, name: str) -> list[bytes]:
        """The frames of the pieces after those that are merged in the wire format `name`, as many as were needed yet.

        They are encoded once a run and shared by its readers: whoever needs more adds them, in order.
        """
        return self._frames.setdefault(name, [])

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
        """Keep what there is in as few pieces as can be. A token would take many times its text while the run lives.

        Their frames go, too: nearly every reader has had them, and for any other the merged ones are encoded anew.
        """
        pieces = self.pieces
        places = [place for other in self._places if (place := other()) is not None]
        inside = [(place, pieces[place.index]) for place in places if place.index < len(pieces)]
        at_end = [place for place in places if place.index == len(pieces)]
        last = max(0, self.merged - 1)  # it may have room for more
        pieces[last:] = _merged(pieces[last:])
        self.merged = len(pieces)
        for frames in self._frames.values():
            frames.clear()
        for place in at_end:
            place.index = self.merged
        for place, piece in inside:
            place.index, place.skip = self._find(piece.part, piece.offset + place.skip)


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same text, in pieces as long as they may be."""
    first: Piece | None = None
    texts: list[str] = []
    chars = 0
    for piece in pieces:
        if first is not None and piece.part == first.part and chars + len(piece.text) <= MAX_PIECE_CHARS:
            texts.append(piece.text)
            chars += len(piece.text)
            continue
        if first is not None:
            yield Piece(first.part, first.kind, first.offset, "".join(texts))
        first, texts, chars = piece, [piece.text], len(piece.text)
    if first is not None:
        yield Piece(first.part, first.kind, first.offset, "".join(texts))


def _after(piece: Piece) -> tuple[int, int]:
    return piece.part, piece.end


def _part(piece: Piece) -> int:
    return piece.part
