"""A caller that waits at its own connection for one answer, as standard clients do: it cannot come back."""

import asyncio
from collections.abc import Callable

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.protocols.base import WireFormat
from app.services.reading import Reading


class Call:
    """One caller's wait for one run. While it waits it counts as a reader."""

    def __init__(self, log: LiveLog, leave: Callable[[], None], *, keyed: bool, replayed: bool) -> None:
        """A wait for the run of `log`.

        `leave` is called when the caller goes before the end; `keyed`: the caller may ask for this run again;
        `replayed`: it has done so.
        """
        self.log = log
        self.keyed = keyed
        self.replayed = replayed
        self.left = leave

    async def begun(self) -> None:
        """Wait until something was said, or the run has ended."""
        await self._until(lambda: bool(self.log.pieces) or self.log.ending is not None)

    async def ended(self) -> None:
        """Wait until the run has ended."""
        await self._until(lambda: self.log.ending is not None)

    def reading(self, wire: WireFormat) -> Reading:
        """All of the answer."""
        return Reading(self.log, wire, Cursor(self.log.run_id))

    async def _until(self, fact: Callable[[], bool]) -> None:
        bell = asyncio.Event()
        self.log.listen(bell.set)  # listen first, look second
        try:
            while not fact():
                await bell.wait()
                bell.clear()
        finally:
            self.log.unlisten(bell.set)
