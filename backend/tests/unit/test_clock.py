"""Ids sort by age, also where many are made in a moment or the time goes back."""

import pytest

from app.clock import Clock, SharedClock, time_of


class Stopped(Clock):
    """A clock whose time the test moves."""

    at = 1_800_000_000_000

    def now(self) -> int:
        return self.at


def test_ids_of_a_moment_are_in_the_order_in_which_they_were_made() -> None:
    clock = Clock()
    ids = [clock.new_id() for _ in range(20_000)]
    assert sorted(set(ids)) == ids


@pytest.mark.parametrize("step", [0, -3_600_000, 1])
def test_an_id_sorts_after_the_one_before_it_whatever_the_time_does(step: int) -> None:
    clock = Stopped()
    first = clock.new_id()
    clock.at += step
    second = clock.new_id()
    assert first < second
    assert time_of(second) == time_of(first) + max(0, step)


def test_ids_follow_the_shared_time_also_when_the_first_ones_were_made_by_a_clock_ahead_of_it() -> None:
    clock = SharedClock()
    shared = clock.now() - 3_600_000
    assert time_of(clock.new_id()) > shared + 3_000_000
    clock.set(shared)
    assert shared <= time_of(clock.new_id()) < shared + 60_000
