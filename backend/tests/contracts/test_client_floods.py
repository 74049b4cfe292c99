"""What an endpoint sends at once, by the loop that serves: it is bounded, and none of it is lost."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable

import uvloop

from app.providers import connection as connections
from app.providers.client import Client
from app.providers.connection import Broken
from tests.contracts.test_client import OK, poured
from tests.support.waiting import until


def test_an_endpoint_that_sends_much_at_once_is_held_up_at_once() -> None:
    """By the loop that serves, which reads on from a socket in the same turn until it is told to stop."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        full = threading.Event()

        def send() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 2**20)
                accepted.recv(2**16)
                accepted.sendall(OK + b"Content-Length: 64000000\r\n\r\n")
                accepted.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        accepted.send(b"x" * 2**16)
                full.set()

        async def most_at_once() -> int:
            client, pieces = Client(), list[int]()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            response = await client.ask("GET", url, {}, connect_timeout=5)

            def take(data: bytes) -> Awaitable[None]:
                pieces.append(len(data))
                return asyncio.sleep(0)

            assert full.wait(5)  # holds up the loop, so that all of it is there when it reads next
            with contextlib.suppress(Broken):
                await response.pour(take)
            client.close()
            return max(pieces)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        most = loop.run(most_at_once())
        sending.join()
    assert most <= 3 * connections.MAX_HELD_BYTES


def test_what_comes_before_anybody_takes_it_does_not_stop_the_rest() -> None:
    """Head and body are all there when the loop reads first: more than may be held."""
    size = 3 * connections.MAX_HELD_BYTES
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        asked_for, looks_away, sent = threading.Event(), threading.Event(), threading.Event()

        def send() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 2**20)
                accepted.recv(2**16)
                asked_for.set()
                looks_away.wait(5)
                accepted.sendall(OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
                sent.set()
                accepted.recv(1)

        async def received() -> int:
            client = Client()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            asking = asyncio.create_task(client.ask("GET", url, {}, connect_timeout=5))
            await until(asked_for.is_set, "it is asked")
            looks_away.set()
            assert sent.wait(5)
            body = await asyncio.wait_for(poured(await asking), 5)
            client.close()
            return len(body)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        assert loop.run(received()) == size
        sending.join()
