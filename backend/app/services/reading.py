"""One reader's place in one run's log, as bytes of one wire format. Replay and live are the same loop."""

from collections.abc import Callable

import msgspec

from app.cursor import Cursor
from app.eventlog.memory import Bell, LiveLog
from app.protocols.base import WireFormat

TAKE_BYTES = 64 * 1024  # what one write to a socket carries, about; a reader of a long answer must not fill memory


class Reading:
    """Take bytes until `finished`; between two takes that gave nothing, wait for the bell."""

    def __init__(
        self, log: LiveLog, wire: WireFormat, cursor: Cursor, delivered: Callable[[], None] | None = None
    ) -> None:
        """A reading of `log` from `cursor`.

        Raises:
            BadCursor: the run still lives, and holds less than the cursor says.
        """
        self.run_id = log.run_id
        self.wire = wire
        self.headers = (("X-Run-Id", log.run_id), *wire.headers)
        self.heartbeat = wire.heartbeat
        self.finished = False
        self.behind = False
        self._told = False  # the end
        self._log = log
        self._place = log.locate(cursor)
        self._start = self._clamp(cursor)
        self._frames = log.frames(wire.name)
        self._opened = False
        self._note: str | None = None
        self._delivered = delivered

    def listen(self, bell: Bell) -> None:
        """Have `bell` called whenever there may be more to take."""
        self._log.listen(bell)

    def unlisten(self, bell: Bell) -> None:
        """No longer."""
        self._log.unlisten(bell)

    def delivered(self) -> None:
        """The end was written to a socket that was open."""
        if self._delivered is not None and self._told:
            self._delivered()

    def leave(self) -> None:
        """End the stream before the run: its reader comes back by its cursor, to another replica."""
        if self.wire.comes_back:
            self.finished = True
            self._log.ring()

    def take(self) -> bytes:
        """What is there to be written now, up to about `TAKE_BYTES`; nothing if there is no news."""
        log, place = self._log, self._place
        fresh = len(log.pieces) - 1
        # One more, and nothing else: what happens for most tokens.
        if place.index == fresh and self._opened and not place.skip and log.ending is None and log.note == self._note:
            if fresh - log.merged >= len(self._frames):
                self._encode()
            place.index = fresh + 1
            self.behind = False
            return self._frames[-1]
        out: list[bytes] = []
        if not self._opened:
            self._opened = True
            out.append(self.wire.opening(log, self._start))
        if log.note != self._note:
            self._note = log.note
            out.append(self.wire.note(log, self._spelled()))
        if place.index < len(log.pieces):
            self._take_pieces(out)
        if place.index == len(log.pieces) and log.ending is not None and not self.finished:
            out.append(self.wire.ending(log, self._start.told))
            self.finished = self._told = True
        self.behind = place.index < len(log.pieces)
        return b"".join(out)

    def _take_pieces(self, out: list[bytes]) -> None:
        log, place, frames = self._log, self._place, self._frames
        size = 0
        if place.skip:
            out.append(self.wire.rest(log.run_id, log.pieces[place.index], place.skip))
            place.index, place.skip = place.index + 1, 0
        while place.index < log.merged and size < TAKE_BYTES:
            out.append(self._frame(place.index))
            size += len(out[-1])
            place.index += 1
        self._encode()
        while place.index < len(log.pieces) and size < TAKE_BYTES:
            out.append(frames[place.index - log.merged])
            size += len(out[-1])
            place.index += 1

    def _encode(self) -> None:
        log, frames = self._log, self._frames
        for index in range(log.merged + len(frames), len(log.pieces)):
            frames.append(self._frame(index))

    def _frame(self, index: int) -> bytes:
        pieces = self._log.pieces
        return self.wire.piece(self.run_id, pieces[index - 1] if index else None, pieces[index])

    def _spelled(self) -> str:
        """The place, as a cursor."""
        index, skip = self._place.index, self._place.skip
        if index == 0 and not skip:
            return str(self._start)
        piece = self._log.pieces[index if skip else index - 1]
        return f"{self.run_id}-{piece.part}-{piece.offset + skip if skip else piece.end}"

    def _clamp(self, cursor: Cursor) -> Cursor:
        """`cursor`, or the end of the text before it if it lies past what there is."""
        pieces, index = self._log.pieces, self._place.index
        if cursor.told or self._place.skip or (index < len(pieces) and pieces[index].part == cursor.part):
            return cursor
        if index == 0:
            return Cursor(cursor.run_id)
        last = pieces[index - 1]
        past = (cursor.part, cursor.offset) > (last.part, last.end)
        return msgspec.structs.replace(cursor, part=last.part, offset=last.end) if past else cursor
