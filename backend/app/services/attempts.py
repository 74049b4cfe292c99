"""How often one may try to come in: guessing passwords has to be hopeless, and mistyping one has to be nothing."""

import math
import time

from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.accounts.base import name_key
from app.errors import TooManyAttempts

BY_NAME = RateLimitItemPerMinute(10)  # a person mistypes a few times; at this rate guessing takes centuries
BY_NAME_AN_HOUR = RateLimitItemPerHour(60)
BY_PEER = RateLimitItemPerMinute(30)  # a class behind one address comes in at the start of the hour


class Attempts:
    """Counts attempts, in memory: a restart forgives."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)

    async def check(self, *, peer: str | None = None, name: str | None = None) -> None:
        """Count one attempt.

        Raises:
            TooManyAttempts: it is one too many; it says when to come back.
        """
        counted = [(BY_NAME, "name", name_key(name)), (BY_NAME_AN_HOUR, "name", name_key(name))] if name else []
        counted += [(BY_PEER, "peer", peer)] if peer else []
        for limit, kind, key in counted:
            if not await self._limiter.hit(limit, kind, key):
                reset_at, _ = await self._limiter.get_window_stats(limit, kind, key)
                wait = max(1, math.ceil(reset_at - time.time()))
                raise TooManyAttempts(f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)

    async def forget(self, *, name: str) -> None:
        """It was the right password: earlier mistakes with this name do not count."""
        for limit in (BY_NAME, BY_NAME_AN_HOUR):
            await self._limiter.clear(limit, "name", name_key(name))
