"""Forgets what is no longer to be kept, a little at a time."""

import asyncio

from app.store.base import Store
from app.telemetry import log, where

EVERY_SECONDS = 600.0  # reading hides what is over at once; this only makes room
PAUSE_SECONDS = 0.2  # between two commits, so that live answers do not wait


class Sweeper:
    """A task that runs `Store.sweep` from time to time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._work(), name="sweeper")

    async def close(self) -> None:
        """Stop, and wait until it has."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                while await self._store.sweep():  # noqa: ASYNC110 - nothing is waited for
                    await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 - what could not be forgotten now is forgotten later
                log.warning("sweep.failed", error=type(error).__name__, where=where(error))
            await asyncio.sleep(EVERY_SECONDS)
