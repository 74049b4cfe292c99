"""How often one may try to come in: guessing passwords has to be hopeless, and mistyping one has to be nothing.

Nobody can lock somebody else out with a few wrong passwords: what counts is the name and where one comes from. The name
alone has a limit, too, for those who come from everywhere, but a higher one.
"""

import math
import time
from ipaddress import IPv6Address, ip_address, ip_network

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from app.accounts.base import name_key
from app.errors import TooManyAttempts

BY_PEER = RateLimitItemPerMinute(30)  # a class behind one address comes in at the start of the hour
BY_PLACE = RateLimitItemPerMinute(10)  # name and peer: a person mistypes a few times
BY_PLACE_AN_HOUR = RateLimitItemPerHour(60)
BY_NAME = RateLimitItemPerHour(200)  # wherever they come from: a guess in a million takes centuries
NOTED_BY_NAME = RateLimitItemPerHour(10)  # failures on the record: enough to see, and nobody fills the disk with them
NOTED = RateLimitItemPerHour(300)
MAX_COUNTED = 10_000  # counters in memory, 200 bytes each: beyond it those that would end soonest are forgotten
IPV6_HOME = 64  # bits that a provider gives to one customer


class Attempts:
    """Counts attempts, in memory: a restart forgives."""

    def __init__(self) -> None:
        # Windows that begin with their first attempt are numbers. Moving ones are lists, each swept in a thread.
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)

    async def check(self, *, peer: str, name: str | None = None) -> None:
        """Count one attempt.

        Raises:
            TooManyAttempts: it is one too many; it says when to come back.
        """
        home = home_of(peer)
        # The peer comes first, so that one that is over its limit makes no more counters.
        counted: list[tuple[RateLimitItem, str]] = [(BY_PEER, home)] if home else []
        if name is not None:
            key = name_key(name)
            counted += [(BY_PLACE, f"{home} {key}"), (BY_PLACE_AN_HOUR, f"{home} {key}"), (BY_NAME, key)]
        await self._make_room()
        for limit, key in counted:
            if not await self._limiter.hit(limit, key):
                reset_at, _ = await self._limiter.get_window_stats(limit, key)
                wait = max(1, math.ceil(reset_at - time.time()))
                raise TooManyAttempts(f"Too many attempts. Try again in {wait} seconds.", retry_after=wait)

    async def forget(self, *, peer: str, name: str) -> None:
        """It was the right password: earlier mistakes with this name from there do not count."""
        for limit in (BY_PLACE, BY_PLACE_AN_HOUR):
            await self._limiter.clear(limit, f"{home_of(peer)} {name_key(name)}")

    async def worth_noting(self, name: str) -> bool:
        """Whether one more failure belongs on the record. It is the same for names that nobody has."""
        return await self._limiter.hit(NOTED_BY_NAME, "noted", name_key(name)) and await self._limiter.hit(
            NOTED, "noted"
        )

    async def _make_room(self) -> None:
        counters = self._storage.expirations
        if len(counters) >= MAX_COUNTED:
            for key in sorted(counters, key=counters.__getitem__)[: MAX_COUNTED // 10]:
                await self._storage.clear(key)


def home_of(peer: str) -> str:
    """What one customer's addresses have in common: with IPv6 everybody has as many as they like."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_HOME), strict=False))
