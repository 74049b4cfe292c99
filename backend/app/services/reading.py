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
        self.index = self.skip = 0  # the log moves them
        log.locate(cursor, self)
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
        log, wire, index = self._log, self.wire, self.index
        pieces = log.pieces
        # One more, and nothing else: what happens for most tokens.
        if (
            index == len(pieces) - 1
            and self._opened
            and not self.skip
            and log.ending is None
            and log.note == self._note
        ):
            if index >= len(self._frames):
                self._encode()
            self.index = index + 1
            self.behind = False
            return self._frames[index]
        out: list[bytes] = []
        if not self._opened:
            self._opened = True
            out.append(wire.opening(log, self._start))
        if log.note != self._note:
            self._note = log.note
            out.append(wire.note(log, self._place()))
        if self.index < len(log.pieces):
            self._take_pieces(out)
        if self.index == len(log.pieces) and log.ending is not None and not self.finished:
            out.append(wire.ending(log, self._start.told))
            self.finished = self._told = True
        self.behind = self.index < len(log.pieces)
        return b"".join(out)

    def _take_pieces(self, out: list[bytes]) -> None:
        log, wire = self._log, self.wire
        if self.skip:
            out.append(wire.rest(log.run_id, log.pieces[self.index], self.skip))
            self.index += 1
            self.skip = 0
        self._encode()
        frames, pieces = self._frames, log.pieces
        size = 0
        while self.index < len(frames) and size < TAKE_BYTES:
            before = pieces[self.index - 1] if self.index else None
            frame = frames[self.index] or wire.piece(log.run_id, before, pieces[self.index])
            out.append(frame)
            size += len(frame)
            self.index += 1

    def _encode(self) -> None:
        frames, pieces = self._frames, self._log.pieces
        for index in range(len(frames), len(pieces)):
            frames.append(self.wire.piece(self.run_id, pieces[index - 1] if index else None, pieces[index]))

    def _place(self) -> str:
        if self.index == 0 and not self.skip:
            return str(self._start)
        piece = self._log.pieces[self.index if self.skip else self.index - 1]
        return f"{self.run_id}-{piece.part}-{piece.offset + self.skip if self.skip else piece.end}"

    def _clamp(self, cursor: Cursor) -> Cursor:
        """`cursor`, or the end of the text before it if it lies past what there is."""
        pieces, index = self._log.pieces, self.index
        if cursor.told or self.skip or (index < len(pieces) and pieces[index].part == cursor.part):
            return cursor
        if index == 0:
            return Cursor(cursor.run_id)
        last = pieces[index - 1]
        past = (cursor.part, cursor.offset) > (last.part, last.end)
        return msgspec.structs.replace(cursor, part=last.part, offset=last.end) if past else cursor
