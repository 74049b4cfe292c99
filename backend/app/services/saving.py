"""Writing down how a run ended: once, by who owns it; or hearing how somebody else has ended it."""

import asyncio
from collections.abc import Sequence

import msgspec

from app.clock import Clock
from app.errors import LeaseLost, StorageError
from app.models import Ending, Part
from app.services.endings import CANCELLED
from app.services.live_run import LiveRun
from app.services.recorder import RETRY_SECONDS
from app.services.transcript import rest
from app.settings import Settings
from app.store.base import Store
from app.telemetry import log, where

LEASES_TO_WAIT = 4  # for others to end what was written here; it takes two


class Saver:
    """Saves endings."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def save(self, live: LiveRun, ending: Ending, parts: Sequence[Part]) -> bool:
        """Keep the end of a run, and try for a while; whether it is kept. One that is lost is not ours to end."""
        until = asyncio.get_running_loop().time() + self._settings.save_timeout_seconds
        while not live.lost and not await self.save_once(live, ending, parts):
            if live.lost or asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(RETRY_SECONDS)
        return not live.lost

    async def save_once(self, live: LiveRun, ending: Ending, parts: Sequence[Part]) -> bool:
        """The same, tried once."""
        ended = msgspec.structs.replace(
            live.run,
            status=ending.status,
            finish_reason=ending.finish_reason,
            failure=ending.failure,
            usage=live.usage,
            ended_at=live.run.ended_at or self._clock.now(),
        )
        try:
            if not await self._store.finish(ended, parts) and self._settings.is_shared:
                live.lost = True
                return False
        except LeaseLost:
            live.lost = True
            return False
        except Exception as error:  # noqa: BLE001 - whatever it was, the ending is not saved, and readers wait for it
            if not live.save_failed:  # once is enough; it is tried again several times a second
                log.warning("run.not_saved", run=live.run.id, error=type(error).__name__, where=where(error))
            live.save_failed = True
            return False
        live.run = ended
        return True

    async def learn(self, live: LiveRun) -> Ending | None:
        """How another replica has ended a run that was lost, with the rest of its text; None if nobody has."""
        until = asyncio.get_running_loop().time() + LEASES_TO_WAIT * self._settings.lease_seconds
        while asyncio.get_running_loop().time() < until:
            try:
                kept = await self._store.run(live.run.owner_id, live.run.id)
            except StorageError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if kept is None:
                return CANCELLED  # it was deleted
            if (ending := kept.run.ending) is not None:
                live.run, live.usage = kept.run, kept.run.usage
                live.log.publish(list(rest(live.log.pieces, kept.parts)))
                return ending
            await asyncio.sleep(RETRY_SECONDS)
        return None
