"""Of a crowd so many are taken in at once, the others after them in their order, and nobody is left out or held up."""

import asyncio

from starlette.types import Scope

from app.web.admission import AT_ONCE, MOST_SECONDS, Admission, leave

PATIENCE = 20 * MOST_SECONDS


class Crowd:
    """Comes in one moment; `inside` are the numbers of those who were let in, in their order."""

    def __init__(self, size: int) -> None:
        self.admission = Admission()
        self.inside: list[int] = []
        self.scopes: list[Scope] = [{} for _ in range(size)]
        self.tasks = [asyncio.create_task(self._come(number)) for number in range(size)]

    async def _come(self, number: int) -> None:
        await self.admission.enter(self.scopes[number])
        self.inside.append(number)

    async def settled(self) -> None:
        """Whoever can go on has gone on."""
        for _ in range(3):
            await asyncio.sleep(0)


async def test_those_beyond_the_first_come_in_as_the_first_leave_in_their_order() -> None:
    crowd = Crowd(AT_ONCE + 3)
    await crowd.settled()
    assert crowd.inside == list(range(AT_ONCE))
    leave(crowd.scopes[5])
    leave(crowd.scopes[5])  # the second time is none
    await crowd.settled()
    assert crowd.inside[AT_ONCE:] == [AT_ONCE]
    for number in (0, 1):
        leave(crowd.scopes[number])
    await crowd.settled()
    assert crowd.inside[AT_ONCE:] == [AT_ONCE, AT_ONCE + 1, AT_ONCE + 2]


async def test_one_that_goes_while_it_waits_costs_nobody_a_turn() -> None:
    crowd = Crowd(AT_ONCE + 2)
    await crowd.settled()
    crowd.tasks[AT_ONCE].cancel()
    leave(crowd.scopes[0])
    await crowd.settled()
    assert crowd.inside[AT_ONCE:] == [AT_ONCE + 1]
    assert crowd.tasks[AT_ONCE].cancelled()


async def test_one_that_goes_just_as_it_is_its_turn_passes_it_on() -> None:
    crowd = Crowd(AT_ONCE + 2)
    await crowd.settled()
    leave(crowd.scopes[0])
    await asyncio.sleep(0)
    crowd.tasks[AT_ONCE].cancel()  # it has its turn, and has not heard of it
    await crowd.settled()
    assert crowd.tasks[AT_ONCE].cancelled()
    assert crowd.inside[AT_ONCE:] == [AT_ONCE + 1]


async def test_a_newcomer_does_not_pass_those_who_wait_and_a_crowd_that_was_let_in_lets_nobody_more_in() -> None:
    crowd = Crowd(AT_ONCE + 2)
    await crowd.settled()
    leave(crowd.scopes[0])
    late = asyncio.create_task(crowd.admission.enter({}))
    await crowd.settled()
    assert crowd.inside[AT_ONCE:] == [AT_ONCE]
    assert not late.done()
    await asyncio.wait_for(asyncio.gather(late, *crowd.tasks), PATIENCE)
    another = asyncio.create_task(crowd.admission.enter({}))
    leave(crowd.scopes[1])  # two more than may be are inside
    await crowd.settled()
    assert not another.done()
    await asyncio.wait_for(another, PATIENCE)


async def test_nobody_is_kept_out_by_those_who_do_not_leave() -> None:
    crowd = Crowd(3 * AT_ONCE)
    await asyncio.wait_for(asyncio.gather(*crowd.tasks), PATIENCE)
    assert crowd.inside == list(range(3 * AT_ONCE))
    for scope in crowd.scopes:
        leave(scope)
    await asyncio.wait_for(crowd.admission.enter({}), PATIENCE)


async def test_who_was_never_let_in_has_nothing_to_leave() -> None:
    leave({})
