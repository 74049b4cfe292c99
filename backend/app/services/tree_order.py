"""Messages of a file to a tree: what each needs comes before it. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from app.models import Message


class NoTree(Exception):
    """The messages make up no tree: which one (by its number), which of its fields, and why."""

    def __init__(self, number: int, field: str, why: str) -> None:
        super().__init__(why)
        self.number = number
        self.field = field
        self.why = why


def grown(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same messages with their depth, each after its parent and after the one that it goes on from.

    Raises:
        NoTree: two have one id; one needs a message that is not there, or that needs it; it goes on from a question.
    """
    numbers = _numbers(messages)
    waiting: dict[int, int] = {}  # by message: how many it needs that have not come yet
    freed: dict[int, list[int]] = {}  # by message: who needs it
    for number in range(len(messages)):
        needs = _needs(numbers, messages, number)
        waiting[number] = len(needs)
        for needed in needs:
            freed.setdefault(needed, []).append(number)
    ready = deque(number for number, needs in waiting.items() if not needs)
    order: list[Message] = []
    depths: dict[str | None, int] = {None: -1}
    while ready:
        number = ready.popleft()
        message = messages[number]
        depths[message.id] = depths[message.parent_id] + 1
        order.append(msgspec.structs.replace(message, depth=depths[message.id]))
        for free in freed.get(number, ()):
            waiting[free] -= 1
            if not waiting[free]:
                ready.append(free)
    if len(order) < len(messages):
        first = next(number for number, needs in waiting.items() if needs)
        raise NoTree(first, "parent_id", "The messages above it go in a circle.")
    return tuple(order)


def _numbers(messages: Sequence[Message]) -> Mapping[str, int]:
    numbers: dict[str, int] = {}
    for number, message in enumerate(messages):
        if message.id in numbers:
            raise NoTree(number, "id", "Another message has it, too.")
        numbers[message.id] = number
    return numbers


def _needs(numbers: Mapping[str, int], messages: Sequence[Message], number: int) -> set[int]:
    message = messages[number]
    needs: set[int] = set()
    if message.parent_id is not None:
        if message.parent_id not in numbers:
            raise NoTree(number, "parent_id", "There is no such message in this conversation.")
        needs.add(numbers[message.parent_id])
    if message.joint is not None:
        target = numbers.get(message.joint.message_id)
        if target is None or messages[target].role != "assistant":
            raise NoTree(number, "joint", "There is no such answer in this conversation.")
        needs.add(target)
    return needs
