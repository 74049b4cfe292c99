"""The contract of the event log's durable half: what is appended here survives a `kill -9`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from app.errors import StorageError
from app.models import Piece
from app.telemetry import Timings, log, where

Written = Callable[[Exception | None], None]
"""Is called in the loop when a commit is over, with why it failed if it did. A future for each run in each commit
costs more than all else that a journal does."""


def tell(waiting: Iterable[Written], error: Exception | None) -> None:
    """Call each of them. One run's mistake keeps no other run of the commit from hearing."""
    for written in waiting:
        try:
            written(error)
        except Exception as broken:  # noqa: BLE001 - see above
            log.error("journal.broke", error=type(broken).__name__, where=where(broken))


Said = tuple[str, Sequence[Piece]]
"""A run, and what it said."""


def by_run(said: Iterable[Said]) -> dict[str, list[Piece]]:
    """All that each run said, in order."""
    texts: dict[str, list[Piece]] = {}
    for run_id, pieces in said:
        texts.setdefault(run_id, []).extend(pieces)
    return texts


class Journal(Protocol):
    """Append-only, in the order of appending. Read at recovery, and by other replicas (`Tail`)."""

    @property
    def commits(self) -> Timings:
        """How long it took to keep what was appended."""
        ...

    @property
    def failures(self) -> int:
        """How often that failed, where the database does not count it."""
        ...

    @property
    def trouble(self) -> StorageError | None:
        """Why the last append failed, where the database does not know; None once one succeeded."""
        ...

    async def probe(self) -> None:
        """Look whether appends are taken again.

        Raises:
            StorageFull, StorageError: they are not.
        """
        ...

    def opened(self, run_id: str) -> None:
        """A run may append from now on: nothing appended after this call is trimmed before `ended(run_id)`."""
        ...

    def append(self, run_id: str, pieces: Sequence[Piece], written: Written) -> None:
        """Add `pieces` to the next commit. `written` is called once a kill of this process cannot lose them.

        It is told StorageError if the commit failed, and RunStopped if another replica was asked to stop the run; then
        none of `pieces` is in the journal.
        """
        ...

    def flush(self) -> None:
        """The turn has no more to append: what was appended in it need not wait for the next, where that is a gain."""
        ...

    def ended(self, run_id: str) -> None:
        """The run's text is saved elsewhere now: its part of the journal goes with the next trim."""
        ...


class Entry(NamedTuple):
    """What a run said in one commit. `number` counts up from 0 without holes."""

    run_id: str
    number: int
    pieces: Sequence[Piece]


class Tail(Protocol):
    """The journal as replicas read it that do not own the run."""

    async def after(self, places: Mapping[str, int]) -> Sequence[Entry]:
        """Of each of these runs the entries from that number on, in order. What was trimmed is not among them.

        Raises:
            StorageError: they cannot be read.
        """
        ...
