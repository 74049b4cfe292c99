"""What comes in one turn of the loop is worked off in the next: whole, in order, once, whatever one item does."""

import asyncio
from typing import Any

from app.batch import Batch


async def test_all_of_a_turn_is_worked_off_in_the_next_in_its_order() -> None:
    done: list[int] = []
    batch = Batch(done.append)
    for number in range(3):
        batch.add(number)
    assert done == []
    await asyncio.sleep(0)
    assert done == [0, 1, 2]
    batch.add(3)
    await asyncio.sleep(0)
    assert done == [0, 1, 2, 3]


async def test_what_must_not_be_overtaken_is_worked_off_now_and_not_again() -> None:
    done: list[int] = []
    batch = Batch(done.append)
    batch.add(1)
    batch.work_off()
    batch.add(2)
    assert done == [1]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert done == [1, 2]


async def test_what_follows_comes_behind_all_of_a_turn_and_before_anything_else() -> None:
    done: list[int | str] = []
    batch = Batch(done.append)
    batch.follow(lambda: done.append("kept"), lambda: done.append("shown"))
    batch.add(1)
    batch.add(2)
    asyncio.get_running_loop().call_soon(done.append, "another")
    await asyncio.sleep(0)
    assert done == [1, 2, "kept", "shown", "another"]


async def test_what_is_added_meanwhile_comes_after_all_of_the_turn() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        done.append(number)
        if number == 1:
            batch.add(3)

    batch = Batch(work)
    batch.add(1)
    batch.add(2)
    await asyncio.sleep(0)
    assert done == [1, 2]
    await asyncio.sleep(0)
    assert done == [1, 2, 3]


async def test_one_that_breaks_is_told_of_and_keeps_no_other_from_its_turn() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    done: list[float] = []
    batch: Batch[int] = Batch(lambda number: done.append(1 / number))
    for number in (1, 0, 2):
        batch.add(number)
    await asyncio.sleep(0)
    assert done == [1, 0.5]
    assert [type(one["exception"]) for one in told] == [ZeroDivisionError]
