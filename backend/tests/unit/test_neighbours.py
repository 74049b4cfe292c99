"""How often a replica asks what the others do: not once for each of their commits."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from app.clock import SharedClock
from app.replicas.base import Asked, News, Renewal
from app.services.neighbours import Neighbours
from tests.support.waiting import until

SECONDS = 0.5


class Busy:
    """The others, who commit without a pause; it counts how often it is asked for news."""

    polling = False

    def __init__(self) -> None:
        self.asked = 0

    async def wait(self) -> None:
        await asyncio.sleep(0)

    async def renew(self) -> Renewal:
        return Renewal(0, 1)

    async def news(self, asked: Asked) -> News:
        self.asked += 1
        return News({}, {}, [], [], [])

    async def join(self) -> Renewal:
        return Renewal(0, 1)

    async def reap(self) -> int:
        return 0

    async def reading(self, run_ids: Sequence[str]) -> None:
        pass

    async def leave(self) -> None:
        pass


class Reads:
    """The runs of others that are read here."""

    read = ()

    def __init__(self, *run_ids: str) -> None:
        self.run_ids = run_ids

    async def look(self, models: Any, asked: Any) -> None:
        pass


@pytest.mark.parametrize(("read", "most"), [((), 4), (("run",), 30)], ids=["nobody reads", "somebody reads"])
async def test_however_much_the_others_commit_they_are_asked_a_few_times_a_second(
    read: tuple[str, ...], most: int
) -> None:
    others = Busy()
    engine: Any = SimpleNamespace(started=[])
    changes: Any = SimpleNamespace(owners=tuple)
    following: Any = Reads(*read)
    gatekeeper: Any = None  # nobody is cut off
    neighbours = Neighbours(others, others, engine, following, changes, gatekeeper, SharedClock())
    neighbours.start(lease_seconds=60)
    await until(lambda: others.asked, "they are asked at once")
    await asyncio.sleep(SECONDS)
    await neighbours.close()
    assert 2 <= others.asked <= most
