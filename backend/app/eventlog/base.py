"""The contract of the event log's durable half: what is appended here survives a `kill -9`."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from app.models import Piece


class Journal(Protocol):
    """Append-only, in the order of appending. Read only at recovery."""

    def opened(self, run_id: str) -> None:
        """A run may append from now on: nothing appended after this call is trimmed before `ended(run_id)`."""
        ...

    def append(self, run_id: str, pieces: Sequence[Piece]) -> "asyncio.Future[None]":
        """Add `pieces` to the next commit; the future is done once a kill of this process cannot lose them.

        The future raises StorageError if the commit failed; then none of `pieces` is in the journal.
        """
        ...

    def ended(self, run_id: str) -> None:
        """The run's text is saved elsewhere now: its part of the journal goes with the next trim."""
        ...
