"""Forgets what is no longer to be kept, a little at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from app.telemetry import log, where

EVERY_SECONDS = 60.0  # what is over goes within a minute; where there is nothing, a look costs next to nothing
PAUSE_SECONDS = 0.2  # between two commits, so that live answers do not wait


class Sweeper:
    """A task that from time to time takes away what is over: old runs, temporary conversations, what was deleted."""

    def __init__(self, chores: Sequence[Callable[[], Awaitable[object]]]) -> None:
        """Each of `chores` does a little, and says whether there is more to do."""
        self._chores = chores
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._work(), name="sweeper")

    async def close(self) -> None:
        """Stop, and wait until it has."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sweep(self) -> None:
        for chore in self._chores:
            while await chore():  # noqa: ASYNC110 - nothing is waited for
                await asyncio.sleep(PAUSE_SECONDS)

    async def _work(self) -> None:
        while True:
            try:
                await self._sweep()
            except Exception as error:  # noqa: BLE001 - what could not be forgotten now is forgotten later
                log.warning("sweep.failed", error=type(error).__name__, where=where(error))
            await asyncio.sleep(EVERY_SECONDS)
