"""The live tail of the event log: the committed text of one run, and who waits for more of it."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from app.cursor import Cursor
from app.errors import BadCursor
from app.models import Ending, Piece, Usage

Bell = Callable[[], None]


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
        self._frames: dict[str, list[bytes]] = {}
        self._bells: tuple[Bell, ...] = ()  # in the order they came; made anew by who comes and goes, not by each token
        self.on_readers: Callable[[], None] | None = None

    # ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, pieces: Sequence[Piece]) -> None:
        """Show readers what has just become durable."""
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

    def locate(self, cursor: Cursor) -> tuple[int, int]:
        """Where a reader at `cursor` goes on: the first piece it has not wholly read, and how much of that it has.

        Raises:
            BadCursor: the run still lives, and holds less than the cursor says.
        """
        if self.ending is None and not self._holds(cursor):
            raise BadCursor
        if cursor.told:
            return len(self.pieces), 0
        index = bisect_right(self.pieces, (cursor.part, cursor.offset), key=_place)
        if index < len(self.pieces) and self.pieces[index].part == cursor.part:
            return index, max(0, cursor.offset - self.pieces[index].offset)
        return index, 0

    def frames(self, name: str) -> list[bytes]:
        """The frames of the first pieces in the wire format `name`, as many as a reader has needed yet.

        They are encoded once a run and shared by its readers: whoever needs more adds them, in order.
        """
        return self._frames.setdefault(name, [])

    def _holds(self, cursor: Cursor) -> bool:
        if cursor.told:
            return False
        if cursor.part == cursor.offset == 0:
            return True
        last_of_part = bisect_right(self.pieces, cursor.part, key=_part) - 1
        if last_of_part < 0 or self.pieces[last_of_part].part != cursor.part:
            return False
        return cursor.offset <= self.pieces[last_of_part].end


def _place(piece: Piece) -> tuple[int, int]:
    return piece.part, piece.end


def _part(piece: Piece) -> int:
    return piece.part
