"""So many go on in a turn of the loop, the others in the next ones, in their order."""

import asyncio
from itertools import pairwise

from app.web.turns import Turns

AT_ONCE = 3


class Crowd:
    """Comes in one moment; `gone` are the numbers of those who went on, in their order."""

    def __init__(self, turns: Turns, size: int) -> None:
        self.gone: list[int] = []
        self._turns = turns
        self.tasks = [asyncio.create_task(self._come(number)) for number in range(size)]

    async def _come(self, number: int) -> None:
        await self._turns.take()
        self.gone.append(number)

    async def by_turn(self) -> list[int]:
        """How many had gone on after each turn of the loop, until all have."""
        counts: list[int] = []
        while not all(task.done() for task in self.tasks):
            await asyncio.sleep(0)
            counts.append(len(self.gone))
        return counts


async def test_never_more_than_so_many_go_on_between_two_looks_at_the_sockets() -> None:
    crowd = Crowd(Turns(AT_ONCE), 10)
    counts = await crowd.by_turn()
    assert crowd.gone == list(range(10))
    assert counts[0] == AT_ONCE  # the first wait for nothing
    steps = [later - earlier for earlier, later in pairwise(counts)]
    assert max(steps) == AT_ONCE


async def test_who_goes_while_it_waits_costs_nobody_a_turn() -> None:
    crowd = Crowd(Turns(AT_ONCE), 3 * AT_ONCE)
    await asyncio.sleep(0)
    for task in crowd.tasks[AT_ONCE : 2 * AT_ONCE]:
        task.cancel()
    for _ in range(2):
        await asyncio.sleep(0)
    assert crowd.gone == [*range(AT_ONCE), *range(2 * AT_ONCE, 3 * AT_ONCE)]


async def test_after_a_crowd_the_next_one_goes_on_at_once() -> None:
    turns = Turns(AT_ONCE)
    await asyncio.wait(Crowd(turns, 10).tasks)
    for _ in range(3):
        await asyncio.sleep(0)
    late = asyncio.create_task(turns.take())
    await asyncio.sleep(0)
    assert late.done()
