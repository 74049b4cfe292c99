"""The server's door: a crowd is not let in one by one."""

import asyncio
import contextlib
import socket

import uvicorn
import uvloop
from starlette.responses import PlainTextResponse

from app.web.http import BoundedHttp
from app.web.server import ACCEPTED_AT_ONCE, Server
from tests.support.waiting import until

CROWD = 64


async def turns_for_a_crowd() -> int:
    """How many turns of the loop pass until all of a crowd, which is at the door already, is inside."""
    config = uvicorn.Config(
        PlainTextResponse("hello"), host="127.0.0.1", port=0, lifespan="off", http=BoundedHttp, log_level="critical"
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, "it serves")
    port = server.servers[0].sockets[0].getsockname()[1]
    turns = 0
    with contextlib.ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(socket.create_connection(("127.0.0.1", port)))  # the kernel's queue takes it
        while len(server.server_state.connections) < CROWD:
            turns += 1
            await asyncio.sleep(0)
    server.should_exit = True
    await serving
    return turns


async def test_a_crowd_is_let_in_several_at_a_time() -> None:
    turns = await asyncio.to_thread(uvloop.run, turns_for_a_crowd())  # the loop that it is served by
    assert turns <= 2 * CROWD / ACCEPTED_AT_ONCE
