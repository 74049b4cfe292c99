"""The contract of a wire format: what the log holds, to bytes. Pure: no clock, no socket."""

from typing import Protocol

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.models import Piece


class WireFormat(Protocol):
    """One way to write a run's log as an event stream. Lines end at LF."""

    name: str
    """Readers whose formats have the same name are given the same bytes."""
    heartbeat: bytes
    """What is written when there has been nothing to say for a while."""
    comes_back: bool
    """Whether its readers have a cursor, and use it when the stream ends before the run."""
    headers: tuple[tuple[str, str], ...]
    """Headers of its own."""

    def opening(self, log: LiveLog, cursor: Cursor) -> bytes:
        """What a response that starts from `cursor` begins with."""
        ...

    def piece(self, run_id: str, before: Piece | None, piece: Piece) -> bytes:
        """The frames of `piece`, which follows `before` in the log."""
        ...

    def rest(self, run_id: str, piece: Piece, read: int) -> bytes:
        """The frame of `piece` without its first `read` characters, which the reader has."""
        ...

    def note(self, log: LiveLog, cursor: str) -> bytes:
        """The log's passing note for people, where the format can carry one; the reader is at `cursor`."""
        ...

    def ending(self, log: LiveLog, told: int) -> bytes:
        """The frames of the log's ending, without those that a reader to whom `told` was told has."""
        ...
