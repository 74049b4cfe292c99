"""A stream of a second without a model: shows whether what lies between passes frames on as they come."""

import asyncio
import json
from collections.abc import Callable
from weakref import WeakSet

from app.errors import TooManyTrials

FRAMES = 5
PAUSE_SECONDS = 0.2  # between two frames: far more than any network takes, and a second in all
AT_ONCE = 4  # anybody may ask; more is no diagnosis


class Trial:
    """One such stream, as `web.sse` reads it. It says which host it was asked for: one that the gate let in."""

    headers: tuple[tuple[str, str], ...] = ()
    heartbeat = b""

    def __init__(self, host: str) -> None:
        self.finished = False
        self.behind = False
        self._host = host
        self._told = 0
        self._due = 1
        self._bell: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, bell: Callable[[], None]) -> None:
        """Have `bell` called whenever there is another frame."""
        self._bell = bell
        self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._tick)

    def unlisten(self, bell: Callable[[], None]) -> None:
        """No longer."""
        self._bell = None
        if self._timer is not None:
            self._timer.cancel()

    def take(self) -> bytes:
        """The frames that are due."""
        frames = [
            f"data: {json.dumps({'frame': number, 'of': FRAMES, 'host': self._host})}\n\n"
            for number in range(self._told + 1, self._due + 1)
        ]
        self._told = self._due
        self.finished = self._told == FRAMES
        return "".join(frames).encode()

    def delivered(self) -> None:
        """Nobody has to know."""

    def _tick(self) -> None:
        self._due += 1
        if self._due < FRAMES:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._tick)
        if self._bell is not None:
            self._bell()


class Trials:
    """Opens trials, a few at a time."""

    def __init__(self) -> None:
        self._open: WeakSet[Trial] = WeakSet()  # one whose client left before it began is forgotten by itself

    def open(self, host: str) -> Trial:
        """Another one; `host` is what the request calls us.

        Raises:
            TooManyTrials: enough are open.
        """
        if sum(not trial.finished for trial in self._open) >= AT_ONCE:
            raise TooManyTrials
        trial = Trial(host)
        self._open.add(trial)
        return trial
