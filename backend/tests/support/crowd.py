"""An endpoint that is there and takes no connection: to connect to it is to wait."""

import socket
from pathlib import Path

from tests.support import sockets
from tests.support.waiting import until

_SYN_SENT = "02"


class Crowd:
    """A port whose queue of connections is full until `leave()` (Linux)."""

    def __init__(self) -> None:
        self._listener = sockets.listening(backlog=0)
        self.port: int = self._listener.getsockname()[1]
        self._crowd = [socket.socket() for _ in range(4)]
        for one in self._crowd:
            one.setblocking(False)
            one.connect_ex((sockets.LOOPBACK, self.port))

    async def joined(self) -> None:
        """Return when someone else is trying to connect."""
        await until(lambda: self._others() > 0, "the service tries to connect", every=0.002)

    def leave(self) -> None:
        """Nobody listens on the port any more; someone else may."""
        for one in (*self._crowd, self._listener):
            one.close()

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def _others(self) -> int:
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        mine = {one.getsockname()[1] for one in self._crowd}
        waiting = [int(local.rpartition(":")[2], 16) for _, local, far, state, *_ in lines if self._is_here(far, state)]
        return len(set(waiting) - mine)

    def _is_here(self, far: str, state: str) -> bool:
        return state == _SYN_SENT and int(far.rpartition(":")[2], 16) == self.port
