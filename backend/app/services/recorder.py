"""Deltas to log: nothing is shown before it is durable, and one write of a run is in flight at a time."""

import asyncio
from collections.abc import Callable, Sequence

from app.errors import LeaseLost, StorageError
from app.eventlog.base import Journal
from app.eventlog.memory import LiveLog
from app.models import MAX_PIECE_CHARS, PartKind, Piece

RETRY_SECONDS = 0.25  # after a failed write; short, since readers wait in front of a silent stream
MAX_PENDING_CHARS = 256 * 1024  # what one run may hold that is not durable yet; then upstream is not read on


def _nobody(_: Exception) -> None:
    """Nobody is left to be told."""


class Recorder:
    """Writes one run's text. What arrives while a write is in flight goes with the next, in as few pieces as fit."""

    def __init__(self, log: LiveLog, journal: Journal, save_timeout: float, lost: Callable[[Exception], None]) -> None:
        """`lost` is called once writes have failed for `save_timeout` seconds, or are refused: it was the last."""
        self._log = log
        self._journal = journal
        self._save_timeout = save_timeout
        self._lost = lost
        self._pending: list[Piece] = []
        self.pending_chars = 0  # beyond `MAX_PENDING_CHARS` upstream should wait until more is durable
        self._in_flight: Sequence[Piece] = ()
        self._closed = False
        self._failing_since: float | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._settled: asyncio.Future[None] | None = None  # waited for; an event would be set and cleared each token
        self._part = -1
        self._kind: PartKind | None = None
        self._offset = 0

    def add(self, kind: PartKind, text: str) -> None:
        """Append `text` (not empty, at most `MAX_PIECE_CHARS`) to the log. It is shown once it is durable."""
        if kind != self._kind:
            self._part += 1
            self._kind = kind
            self._offset = 0
        piece = Piece(self._part, kind, self._offset, text)
        self._offset += len(text)
        if self._in_flight or self._pending:
            self._put_off(piece)
        else:
            self._in_flight = (piece,)
            self._journal.append(self._log.run_id, self._in_flight, self._written)

    def go_on_after(self, pieces: Sequence[Piece]) -> None:
        """Begin after `pieces`, which stand in the log already: more of the same kind belongs to their last part."""
        if pieces:
            last = pieces[-1]
            self._part, self._kind, self._offset = last.part, last.kind, last.end

    async def settled(self) -> None:
        """Wait until no write is in flight and none is about to be tried again. For the run's owner alone."""
        while self._in_flight:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def close(self) -> None:
        """Write nothing more but what is in flight. The owner calls this when the run ends; `rest` is what was left."""
        self._closed = True
        if self._retry is not None:  # that write failed; what it held is `rest` now
            self._retry.cancel()
            self._retry = None
            self._take_back()

    @property
    def parts(self) -> int:
        """How many parts the text is in."""
        return self._part + 1

    @property
    def rest(self) -> list[Piece]:
        """After `close` and `settled`: what was said and never reached the journal."""
        return self._pending

    def forget(self) -> None:
        """The run is over: whoever was to be called is let go of, since that holds the run."""
        self._lost = _nobody

    def _put_off(self, piece: Piece) -> None:
        pending = self._pending
        if pending and pending[-1].part == piece.part and len(pending[-1].text) + len(piece.text) <= MAX_PIECE_CHARS:
            last = pending[-1]
            pending[-1] = Piece(last.part, last.kind, last.offset, last.text + piece.text)
        else:
            pending.append(piece)
        self.pending_chars += len(piece.text)

    def _write(self) -> None:
        if not self._in_flight:
            self._in_flight, self._pending = self._pending, []
            self.pending_chars = 0
        self._retry = None
        self._journal.append(self._log.run_id, self._in_flight, self._written)

    def _written(self, error: Exception | None) -> None:
        if error is not None:
            self._failed(error)
            return
        self._failing_since = None
        pieces, self._in_flight = self._in_flight, ()
        self._log.publish(pieces)
        if self._pending and not self._closed:
            self._write()
        elif self._settled is not None:
            self._settle()

    def _failed(self, error: Exception) -> None:
        loop = asyncio.get_running_loop()
        since = self._failing_since = self._failing_since if self._failing_since is not None else loop.time()
        again = isinstance(error, StorageError) and not isinstance(error, LeaseLost)
        if self._closed or not again or loop.time() - since >= self._save_timeout:
            self._take_back()
            if not self._closed:
                self._closed = True
                self._lost(error)
            return
        self._retry = loop.call_later(RETRY_SECONDS, self._write)

    def _take_back(self) -> None:
        self._pending = [*self._in_flight, *self._pending]
        self._in_flight = ()
        self._settle()

    def _settle(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
