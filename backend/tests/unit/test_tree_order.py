"""Messages of a file come in an order in which each finds what it needs, or it is said which one does not."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Joint, Message
from app.services.tree_order import NoTree, grown


def message(name: str, parent: str | None = None, **more: Any) -> Message:
    return Message(name, "c", parent, more.pop("role", "assistant"), (), 0, **more)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50), st.randoms(use_true_random=False))
def test_each_comes_after_its_parent_and_knows_its_depth(choices: list[int], chance: random.Random) -> None:
    messages: list[Message] = []
    for number, choice in enumerate(choices):
        place = choice % (number + 1)
        messages.append(message(str(number), None if place == number else str(place)))
    shuffled = chance.sample(messages, len(messages))
    depths: dict[str | None, int] = {None: -1}
    for one in grown(shuffled):
        assert one.depth == depths[one.parent_id] + 1
        depths[one.id] = one.depth
    assert len(depths) == len(messages) + 1


def test_it_comes_after_the_answer_that_it_goes_on_from() -> None:
    order = grown([message("b", joint=Joint("a", 0, 3)), message("c", "b"), message("a")])
    assert [one.id for one in order] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("messages", "number", "field"),
    [
        ([message("a"), message("a")], 1, "id"),
        ([message("a"), message("b", "x")], 1, "parent_id"),
        ([message("a", "a")], 0, "parent_id"),
        ([message("r"), message("a", "b"), message("b", "c"), message("c", "a")], 1, "parent_id"),
        ([message("a", joint=Joint("x", 0, 0))], 0, "joint"),
        ([message("q", role="user"), message("a", "q", joint=Joint("q", 0, 0))], 1, "joint"),
        ([message("a", joint=Joint("b", 0, 0)), message("b", joint=Joint("a", 0, 0))], 0, "parent_id"),
    ],
    ids=["one id twice", "no parent", "itself", "a circle", "no answer", "a question", "each goes on from the other"],
)
def test_what_is_no_tree_is_said(messages: list[Message], number: int, field: str) -> None:
    with pytest.raises(NoTree) as caught:
        grown(messages)
    assert (caught.value.number, caught.value.field) == (number, field)


def test_a_branch_may_be_as_long_as_it_likes() -> None:
    messages = [message(str(number), str(number - 1) if number else None) for number in range(20_000)]
    assert grown(messages)[-1].depth == 19_999
