"""Changes to whoever listens: each reader follows the log of its owner's changes from its own place."""

import asyncio
from collections.abc import Callable

from app.errors import ChatError
from app.models import Principal
from app.protocols import changes as wire
from app.store.base import Changes
from app.telemetry import log, where

READ_AT_ONCE = 100  # changes; as many as a reader that was away for a while gets in one go
MAX_PENDING_BYTES = 256 * 1024  # what is held for a reader that takes nothing; then the log is not read on


class ChangeReading:
    """One reader's place in the log. Take bytes until `finished`; between two takes that gave nothing, wait."""

    heartbeat = wire.HEARTBEAT
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(
        self, changes: Changes, owner_id: str, number: int, opening: bytes, readers: "set[ChangeReading]"
    ) -> None:
        """A reading of this owner's changes after `number`; it is among `readers` as long as somebody reads it."""
        self.finished = False
        self.behind = False
        self._readers = readers
        self._changes = changes
        self._owner_id = owner_id
        self._number = number
        self._pending = [opening]
        self._bell: Callable[[], None] = lambda: None
        self._news = asyncio.Event()
        self._taken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def listen(self, bell: Callable[[], None]) -> None:
        """Have `bell` called whenever there may be more to take."""
        self._bell = bell
        self._readers.add(self)
        if not self.finished:
            self._changes.listen(self._owner_id, self._news.set)  # listen first, look second
            self._task = asyncio.create_task(self._follow(), name="changes")

    def unlisten(self, bell: Callable[[], None]) -> None:
        """No longer."""
        self._changes.unlisten(self._owner_id, self._news.set)
        self._readers.discard(self)
        if self._task is not None:
            self._task.cancel()

    def take(self) -> bytes:
        """What is there to be written now."""
        pending, self._pending = self._pending, []
        self._taken.set()
        return b"".join(pending)

    def delivered(self) -> None:
        """There is no end to be told."""

    def finish(self) -> None:
        """End the stream; the reader comes back."""
        self.finished = True
        self._bell()

    async def _follow(self) -> None:
        try:
            while not self.finished:
                self._news.clear()
                if await self._read():
                    await self._news.wait()
        except ChatError as error:
            log.warning("changes.broke_off", code=error.code)
            self.finish()
        except Exception as error:  # noqa: BLE001 - the task's boundary: the reader comes back, and this is on record
            log.error("changes.broke", error=type(error).__name__, where=where(error))
            self.finish()

    async def _read(self) -> bool:
        """Put more into `pending`; whether that was all."""
        some = await self._changes.since(self._owner_id, self._number, READ_AT_ONCE)
        if some is None:
            self._number = await self._changes.newest(self._owner_id)
            self._pending.append(wire.reset(self._number))
        elif some:
            self._number = some[-1].number
            self._pending += [frame for frame in map(wire.frame, some) if frame]
        self._bell()
        while sum(map(len, self._pending)) > MAX_PENDING_BYTES:
            self._taken.clear()
            await self._taken.wait()
        return some is not None and len(some) < READ_AT_ONCE


class ChangeFeed:
    """Opens readings, and ends all of them when the service drains."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._readers: set[ChangeReading] = set()
        self._draining = False

    async def open(self, principal: Principal, after: int | None, retry: int) -> ChangeReading:
        """This principal's changes after number `after`; without it, from now on.

        `retry`: how long a reader waits before it comes back, in milliseconds.
        """
        number = after if after is not None else await self._changes.newest(principal.id)
        reading = ChangeReading(self._changes, principal.id, number, wire.opening(retry, number), self._readers)
        if self._draining:
            reading.finish()
        return reading

    def drain(self) -> None:
        """End all readings at once: nothing is lost, since every reader has its place."""
        self._draining = True
        for reading in tuple(self._readers):
            reading.finish()
