"""Whoever asked hears that their run has begun behind all that is begun together, and never much later."""

import asyncio

from app.services.beginnings import HELD_SECONDS, Beginnings


class Asked:
    """Runs that were asked for, by their numbers; `told` are those whose askers have heard of them."""

    def __init__(self, runs: int) -> None:
        self.beginnings: Beginnings[int] = Beginnings()
        self.waiting: list[asyncio.Future[int]] = [asyncio.get_running_loop().create_future() for _ in range(runs)]
        for _ in self.waiting:
            self.beginnings.begun()

    def accepted(self, *runs: int) -> None:
        """One commit has taken these."""
        for run in runs:
            self.beginnings.over()
            self.beginnings.answer(self.waiting[run], run)

    @property
    async def told(self) -> list[int]:
        """A turn later."""
        await asyncio.sleep(0)
        return [waiting.result() for waiting in self.waiting if waiting.done() and not waiting.cancelled()]


async def test_one_alone_hears_of_it_in_the_next_turn() -> None:
    asked = Asked(1)
    asked.accepted(0)
    assert not asked.waiting[0].done()
    assert await asked.told == [0]


async def test_all_of_a_commit_are_begun_before_anybody_hears_of_it() -> None:
    asked = Asked(3)
    asked.accepted(0, 1, 2)
    assert not any(waiting.done() for waiting in asked.waiting)
    assert await asked.told == [0, 1, 2]


async def test_who_comes_with_the_next_commit_is_begun_first() -> None:
    asked = Asked(3)
    asked.accepted(0, 1)
    assert await asked.told == []
    asked.accepted(2)
    assert await asked.told == [0, 1, 2]


async def test_nobody_waits_for_more_than_one_commit() -> None:
    asked = Asked(4)
    asked.accepted(0)
    assert await asked.told == []
    asked.accepted(1)
    assert await asked.told == [0]
    asked.accepted(2)
    assert await asked.told == [0, 1]
    asked.accepted(3)
    assert await asked.told == [0, 1, 2, 3]


async def test_a_commit_that_takes_long_holds_nobody_up() -> None:
    asked = Asked(2)
    asked.accepted(0)
    assert await asked.told == []
    assert await asyncio.wait_for(asked.waiting[0], 20 * HELD_SECONDS) == 0
    assert asked.beginnings.coming == 1


async def test_a_commit_that_fails_holds_nobody_up() -> None:
    asked = Asked(2)
    asked.accepted(0)
    assert await asked.told == []
    asked.beginnings.over()  # the other was not accepted
    assert await asked.told == [0]
    assert asked.beginnings.coming == 0


async def test_who_has_gone_meanwhile_is_told_nothing() -> None:
    asked = Asked(2)
    asked.accepted(0, 1)
    asked.waiting[0].cancel()
    assert await asked.told == [1]
