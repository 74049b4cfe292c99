"""The contract of the event log's durable half: what is appended here survives a `kill -9`."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from app.models import Piece


class Journal(Protocol):
    """Append-only, in the order of appending. Read at recovery, and by other replicas (`Tail`)."""

    def opened(self, run_id: str) -> None:
        """A run may append from now on: nothing appended after this call is trimmed before `ended(run_id)`."""
        ...

    def append(self, run_id: str, pieces: Sequence[Piece]) -> "asyncio.Future[None]":
        """Add `pieces` to the next commit; the future is done once a kill of this process cannot lose them.

        The future raises StorageError if the commit failed, and RunStopped if another replica was asked to stop the
        run; then none of `pieces` is in the journal.
        """
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
