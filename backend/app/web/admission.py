"""Who is taken in next when many ask in one moment."""

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.types import Scope

AT_ONCE = 64  # questions; to write down as many takes about as long as one, and to take them in some 10 ms
MOST_SECONDS = 0.05  # that anybody waits: whoever would wait longer does so for something else than a crowd

_LEAVE = "chat.leave"


class Admission:
    """Takes in so many at once and the others after them, in their order: the first need not wait for the last.

    Of a crowd in one turn of the loop all would be read, then all written down, and only then the first model asked.
    Nobody is refused here, and nothing is bounded: after `MOST_SECONDS` whoever waits goes on.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._calling = False

    async def enter(self, scope: Scope) -> None:
        """Wait for one's turn. `leave` follows, however the request goes on."""
        if self._inside < AT_ONCE and not self._waiting:
            self._inside += 1
        else:
            await self._turn()
        scope[_LEAVE] = self._leave

    def _leave(self) -> None:
        self._inside -= 1
        if self._waiting and not self._calling:
            self._calling = True
            asyncio.get_running_loop().call_soon(self._call)  # a turn later: what is begun now asks its models first

    def _call(self) -> None:
        self._calling = False
        while self._waiting and self._inside < AT_ONCE:
            self._next()

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if self._timer is None:
            self._timer = loop.call_later(MOST_SECONDS, self._all)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its client has gone just as it was its turn
                self._leave()
            raise

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its client has gone
                self._inside += 1
                turn.set_result(None)
                return

    def _all(self) -> None:
        self._timer = None
        while self._waiting:
            self._next()


def leave(scope: Scope) -> None:
    """This request's question is taken in, or refused: the next one may come. Nothing happens the second time."""
    done: Callable[[], None] | None = scope.pop(_LEAVE, None)
    if done is not None:
        done()
