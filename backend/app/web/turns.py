"""So many in a turn of the loop."""

import asyncio
from collections import deque


class Turns:
    """Lets so many go on in each turn of the loop, the others in the next ones, in their order.

    For what many do at once and nobody waits for: what has come meanwhile, and is waited for, gets in between.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._gone = 0  # on in this turn
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for one's turn, which may be now."""
        loop = asyncio.get_running_loop()
        if self._gone < self._at_once and not self._waiting:
            if not self._gone:
                loop.call_soon(self._next)
            self._gone += 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        self._gone = 0
        while self._waiting and self._gone < self._at_once:
            turn = self._waiting.popleft()
            if not turn.done():  # else whoever waited has gone
                turn.set_result(None)
                self._gone += 1
        if self._gone:
            asyncio.get_running_loop().call_soon(self._next)
