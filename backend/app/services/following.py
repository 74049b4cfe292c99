"""Runs that other replicas write, followed for those who read them here: one log for all readers of a run."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from app.eventlog.base import Entry, Tail
from app.eventlog.memory import LiveLog
from app.models import Run
from app.services.endings import CANCELLED
from app.services.transcript import rest, unfold
from app.store.base import Kept, Store

LINGER_SECONDS = 10.0  # how long a run is followed that nobody reads: readers come back


class Followed:
    """A run of another replica's, as far as it is known here."""

    def __init__(self, kept: Kept, about: str | None) -> None:
        self.run = kept.run
        self.log = LiveLog(kept.run.id, message_id=kept.run.message_id, model=kept.run.model, about=about)
        self.log.publish(list(unfold(kept.parts)))  # what the answer began with
        self.next = 0  # number of the entry that comes next
        self.opening = 0  # how many are about to read it
        self.timer: asyncio.TimerHandle | None = None  # set while nobody reads it, nor is about to

    def take(self, entry: Entry) -> None:
        """Show readers what has been written; what is here already, or comes too soon, is left out."""
        if entry.number == self.next and self.log.ending is None:
            self.next += 1
            self.log.publish(entry.pieces)

    def end(self, kept: Kept | None) -> None:
        """Show readers how it ended; with None it was deleted."""
        if self.log.ending is not None:
            return
        if kept is None:
            self.log.end(CANCELLED, None)
        elif (ending := kept.run.ending) is not None:
            self.log.publish(list(rest(self.log.pieces, kept.parts)))
            self.log.end(ending, kept.run.usage)


class Following:
    """All runs that are followed here."""

    def __init__(self, store: Store, tail: Tail) -> None:
        self._store = store
        self._tail = tail
        self._followed: dict[str, Followed] = {}

    @property
    def run_ids(self) -> Sequence[str]:
        """Those that are followed."""
        return list(self._followed)

    @property
    def read(self) -> Sequence[Run]:
        """Those that somebody reads now."""
        return [one.run for one in self._followed.values() if one.log.readers]

    async def open(self, kept: Kept, about: str | None) -> LiveLog:
        """The log of a run that another replica writes, as it is by now and as it goes on."""
        run_id = kept.run.id
        followed = self._followed.get(run_id)
        if followed is None:
            followed = self._followed[run_id] = Followed(kept, about)
            followed.log.on_readers = partial(self._linger, followed)
        followed.opening += 1
        self._linger(followed)
        try:
            if not await self._read({run_id: followed}):
                # There is nothing new, or it ended since it was looked up: then its text has left the journal.
                now = await self._store.run(kept.run.owner_id, run_id)
                if now is None or now.run.ending is not None:
                    followed.end(now)
        finally:
            followed.opening -= 1
            self._linger(followed)
        return followed.log

    async def look(self, models: Mapping[str, str], asked: Sequence[str]) -> None:
        """Read on; of those that were `asked` about `models` has who writes each that had not ended then."""
        followed = {run_id: one for run_id, one in self._followed.items() if run_id in asked}
        for run_id, model in models.items():
            if run_id in followed and followed[run_id].log.model != model and not followed[run_id].log.pieces:
                followed[run_id].log.hand_over(model, None)
        for run_id in followed.keys() - models.keys():
            one = followed.pop(run_id)
            one.end(await self._store.run(one.run.owner_id, run_id))
            if one.log.ending is not None:
                self._followed.pop(run_id, None)
        await self._read(followed)

    async def _read(self, followed: dict[str, Followed]) -> bool:
        """Take what is new; whether there was anything."""
        entries = await self._tail.after({run_id: one.next for run_id, one in followed.items()}) if followed else ()
        for entry in entries:
            followed[entry.run_id].take(entry)
        return bool(entries)

    def _linger(self, followed: Followed) -> None:
        """Follow it for a while yet, from now on if nobody reads it now."""
        if followed.timer is not None:
            followed.timer.cancel()
            followed.timer = None
        if not followed.log.readers and not followed.opening:
            followed.timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._forget, followed)

    def _forget(self, followed: Followed) -> None:
        if self._followed.get(followed.run.id) is followed:
            del self._followed[followed.run.id]
