"""Runs that are being accepted, and when those who asked hear of it: models are asked first."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")

HELD_SECONDS = 0.05  # that anybody is held for others: their commit takes less, unless the disk does not take it


class Beginnings(Generic[T]):
    """Whoever asked is answered once all that was accepted together is asked about, and what is about to be, too.

    Of a crowd one commit takes some and the next one the others. To answer one of them takes as long as to ask a model
    for two; so the first of a crowd would have their heads while the last wait for more than heads. Nobody waits for
    more than one commit after their own, and for no more than `HELD_SECONDS`.
    """

    def __init__(self) -> None:
        self.coming = 0  # runs whose commit is under way
        self._accepted: list[tuple[asyncio.Future[T], T]] = []  # in this turn of the loop
        self._held: list[tuple[asyncio.Future[T], T]] = []  # before: they have waited for one commit
        self._telling = False
        self._timer: asyncio.TimerHandle | None = None

    def begun(self) -> None:
        """A run's commit is under way; `over` follows."""
        self.coming += 1

    def over(self) -> None:
        """A run was accepted, or was not."""
        self.coming -= 1
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)  # behind all others of its commit

    def answer(self, waiting: "asyncio.Future[T]", how: T) -> None:
        """Have `how` told to who waits for this run, after its `over`. Nobody need wait any more."""
        self._accepted.append((waiting, how))

    def _tell(self) -> None:
        self._telling = False
        told, self._held, self._accepted = self._held, self._accepted, []
        if not self.coming:
            told, self._held = [*told, *self._held], []
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._tell) if self._held else None
        for waiting, how in told:
            if not waiting.done():  # else whoever asked has gone
                waiting.set_result(how)
