"""What comes in one turn of the loop is worked off together, in the next: that is, at once."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Batch(Generic[T]):
    """Does the same to all that was added in a turn of the loop, in order, one after the other.

    Reading from sockets, decoding, telling readers and writing to sockets are long stretches of code each. A token at a
    time would have them push each other out of the processor's caches: that was a tenth of what a token costs (decision
    0025). No timer holds anything up.
    """

    def __init__(self, work: Callable[[T], None]) -> None:
        """`work` is given each item, in the loop. What it raises goes to the loop's exception handler."""
        self._work = work
        self._items: list[T] = []
        self._then: Sequence[Callable[[], None]] = ()

    def follow(self, *then: Callable[[], None]) -> None:
        """Have `then` done, in its order, behind each turn's items and in the same breath."""
        self._then = then

    def add(self, item: T) -> None:
        """Have it worked off in the loop's next turn."""
        self._items.append(item)
        if len(self._items) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.work_off()
        for then in self._then:
            then()

    def work_off(self) -> None:
        """Do it now, for whoever must not be overtaken."""
        if not self._items:
            return
        items, self._items = self._items, []
        for item in items:
            try:
                self._work(item)
            except Exception as error:  # noqa: BLE001 - one that breaks keeps no other from its turn
                context = {"message": "A part of a batch broke.", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
