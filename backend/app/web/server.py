"""The server: uvicorn's, with a door that a crowd fits through."""

import asyncio
import os
import socket
import sys
from contextlib import suppress
from functools import partial

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from app.web.http import BoundedHttp

# libuv accepts one connection in a turn of the loop. A full service has long turns, so whoever is to be refused at once
# would wait in the kernel's queue, and once that is full (2,048) for TCP's repeated attempts: up to minutes.
ACCEPTED_AT_ONCE = 8


class Server(uvicorn.Server):
    """uvicorn's, which takes up to `ACCEPTED_AT_ONCE` connections in a turn of the loop."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; then each listening socket is listened at several times."""
        await super().startup(sockets)
        protocol = partial(
            BoundedHttp, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        for listening in [one for server in self.servers for one in server.sockets]:
            for _ in range(ACCEPTED_AT_ONCE - 1):
                again = socket.socket(fileno=os.dup(listening.fileno()))
                door = await asyncio.get_running_loop().create_server(protocol, sock=again, backlog=self.config.backlog)
                self.servers.append(door)


def run(config: uvicorn.Config) -> None:
    """Serve until told to stop. Ends the process with an exit code where it cannot be begun."""
    server = Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
