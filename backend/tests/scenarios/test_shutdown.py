"""SIGTERM: nothing new, what runs may finish, the rest is interrupted and told so, and the process ends in time."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

import pytest

from tests.support import sockets
from tests.support.client import SSE, Answer, Client, read_answer
from tests.support.fixtures import Serve
from tests.support.http import request_bytes
from tests.support.invariants import check
from tests.support.script import DONE, Gate, Hang, Send, Status, Step, chunk, say
from tests.support.server import PlainUvicorn, Server
from tests.support.upstream import Upstream
from tests.support.upstream_connection import Seen
from tests.support.waiting import until
from tests.support.wire_client import Stream

GRACE = 5.0  # seconds after the drain within which it must have ended
BY_SIGNAL = -signal.SIGTERM

Meet = Callable[[Server], Client]


class TwoWorkers(PlainUvicorn):
    """The document's command with more processes than one database file takes."""

    def command(self) -> Sequence[str]:
        return [*super().command(), "--workers", "2"]


@pytest.fixture
async def two_workers(serve: Serve) -> AsyncGenerator[Server]:
    made = serve.make(plain=True)
    server = TwoWorkers(made.folder, made.env, made.port)
    yield server
    await server.close()


@pytest.fixture
async def meet() -> AsyncGenerator[Meet]:
    """Clients of services, whose connections are let go at the end."""
    with contextlib.ExitStack() as stack:

        def meet(server: Server) -> Client:
            client = Client(server.port)
            stack.callback(client.close)
            return client

        yield meet


def scripted(seen: Seen) -> Sequence[Step]:
    """An answer that goes on when the test lets it ("finishes …"), never does, or does not even begin ("silent")."""
    if seen.question == "silent":
        return [Hang()]
    head = [Status(), Send(chunk("one "))]
    if seen.question.startswith("finishes"):
        return [*head, Gate("go on"), Send(chunk("two") + chunk(finish_reason="stop") + DONE)]
    return [*head, Hang()]


async def reading(client: Client, question: str) -> tuple[str, asyncio.Task[Answer]]:
    """Ask; the run's id, and its reader, who has seen the first word."""
    stream = await client.open_chat(question)
    await stream.read_until(when=lambda stream: b"one " in stream.body)
    return stream.headers["X-Run-Id"], asyncio.create_task(read_answer(stream))


async def refused(server: Server) -> None:
    """Wait until nobody can connect any more, while it still lives."""

    async def is_refused() -> bool:
        try:
            (await sockets.connected(server.port)).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # taken by a listener that is just closing
            return False
        return False

    await until(is_refused, "new connections are refused")
    assert server.running


def stuck(port: int) -> int:
    """How many bytes the kernel holds for the reader of `port` that takes nothing, once it is no longer more."""
    sizes = [held(port), time.sleep(0.1), held(port)]
    return sizes[0] if sizes[0] == sizes[2] else 0


def held(port: int) -> int:
    """The send queues of the connections of `port` (Linux)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return max((int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(f":{port:04X}")), default=0)


@pytest.mark.parametrize("plain", [False, True], ids=["cli", "plain uvicorn"])
async def test_of_twenty_live_streams_those_that_can_finish_do_and_the_rest_is_interrupted_in_time(
    serve: Serve, upstream: Upstream, meet: Meet, plain: bool
) -> None:
    upstream.otherwise(answer=scripted)
    server = await serve(plain=plain, DRAIN_SECONDS=1)
    client = meet(server)
    questions = [f"{'finishes' if number % 2 else 'hangs'} {number}" for number in range(19)] + ["silent"]
    readers = [await reading(client, question) for question in questions[:-1]]
    silent = await client.open_chat(questions[-1])
    readers.append((silent.headers["X-Run-Id"], asyncio.create_task(read_answer(silent))))
    await upstream.request(20)
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    await refused(server)
    upstream.open("go on")
    answers = await asyncio.gather(*(reader for _, reader in readers))
    assert await server.wait(timeout=1 + GRACE) == BY_SIGNAL
    assert time.monotonic() - began < 1 + GRACE
    books = check(server.database)
    for question, (run_id, _), answer in zip(questions, readers, answers, strict=True):
        finishes = question.startswith("finishes")
        assert answer.done
        assert answer.over == "complete"
        said = "one two" if finishes else "" if question == "silent" else "one "
        assert answer.text == books.text(run_id) == said
        assert (answer.error or {"code": "completed"})["code"] == ("completed" if finishes else "interrupted")
        assert books.run(run_id)["status"] == ("completed" if finishes else "interrupted")
    assert upstream.calls == 20
    for seen in upstream.requests:
        await seen.is_closed()


@pytest.mark.parametrize(
    ("plain", "signals", "code"),
    [(False, [signal.SIGTERM] * 2, BY_SIGNAL), (True, [signal.SIGINT], 0)],
    ids=["SIGTERM twice", "Ctrl-C"],
)
async def test_it_ends_as_soon_as_the_last_answer_has_and_not_before(
    serve: Serve, upstream: Upstream, meet: Meet, plain: bool, signals: Sequence[signal.Signals], code: int
) -> None:
    upstream.otherwise(answer=scripted)
    server = await serve(plain=plain, DRAIN_SECONDS=60)
    run_id, reader = await reading(meet(server), "finishes")
    for number in signals:
        server.send_signal(number)
        await refused(server)
    upstream.open("go on")
    answer = await reader
    assert (answer.text, answer.done, answer.error) == ("one two", True, None)
    assert await server.wait(timeout=GRACE) == code
    assert check(server.database).run(run_id)["status"] == "completed"


async def test_a_question_that_arrives_while_it_drains_is_refused_and_not_bought(
    serve: Serve, upstream: Upstream, meet: Meet
) -> None:
    """On a connection that was there before: its request was still being sent when the signal came."""
    upstream.otherwise(answer=scripted)
    server = await serve(DRAIN_SECONDS=60)
    client = meet(server)
    _, reader = await reading(client, "finishes")
    body = b'{"message": "One more?"}'
    head = {
        "Host": f"127.0.0.1:{server.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    late = await client.wire(request_bytes("POST", "/api/chat/stream", head, body[:10]))
    await sockets.taken(late._sock)  # a connection without a request would be closed
    server.send_signal(signal.SIGTERM)
    await refused(server)
    await late.write(body[10:])
    reply = await (await late.opened()).read()
    assert (reply.status, reply.json["code"], reply.json["retryable"]) == (503, "draining", True)
    assert int(reply.headers["Retry-After"]) > 0
    upstream.open("go on")
    assert (await reader).text == "one two"
    assert await server.wait(timeout=GRACE) == BY_SIGNAL
    assert upstream.calls == 1


@pytest.mark.parametrize("plain", [False, True], ids=["cli", "plain uvicorn"])
async def test_idle_connections_and_readers_that_take_nothing_do_not_hold_it(
    serve: Serve, upstream: Upstream, meet: Meet, plain: bool
) -> None:
    """Of every kind: silent, half a request, waiting in front of a silent run, and behind on a long answer."""
    long = ["가나다라마바사아" * 2000] * 100
    upstream.script(*say(*long, finish_reason=None)[:-1], Hang())
    upstream.script(*say(*long))
    upstream.script(Hang())
    server = await serve(plain=plain, DRAIN_SECONDS=0.5, MAX_OUTPUT_CHARS=2_000_000, SAVE_TIMEOUT_SECONDS=10)
    client = meet(server)
    await client.wire(b"")
    await client.wire(b"GET /api/chat/stream?mess")
    await client.open_stream("GET", "/health")
    live = await client.open_chat("Long, and never ends.", receive_buffer=4096)
    await upstream.request(1)
    ended = await client.open_chat("Long, and ends.", receive_buffer=4096)
    await upstream.request(2)
    silent = await client.open_chat("Never begins.", receive_buffer=4096)
    await client.ended(ended.headers["X-Run-Id"])
    await until(lambda: held(server.port) > 0, "a reader is behind")
    server.send_signal(signal.SIGTERM)
    assert await server.wait(timeout=0.5 + GRACE) == BY_SIGNAL
    books = check(server.database)
    statuses = [books.run(one.headers["X-Run-Id"])["status"] for one in (live, ended, silent)]
    assert statuses == ["interrupted", "completed", "interrupted"]


@pytest.mark.parametrize("plain", [False, True], ids=["cli", "plain uvicorn"])
async def test_readers_that_have_not_taken_the_last_bytes_of_an_ended_answer_do_not_hold_it(
    serve: Serve, upstream: Upstream, meet: Meet, plain: bool
) -> None:
    """They wait for about as much as sockets hold, so that for some the very end is still in the process."""
    length, step = 4_000_000, 20_000
    upstream.script(*say(*["x" * step] * (length // step)))
    server = await serve(plain=plain, DRAIN_SECONDS=0.5, MAX_OUTPUT_CHARS=length, SEND_TIMEOUT_SECONDS=30)
    client = meet(server)
    run_id = (await client.ask("A long one.")).run_id

    async def wait_for(left: int) -> Stream:
        query = {"after": f"{run_id}-0-{length - left}"}
        return await client.open_stream(
            "GET", f"/api/runs/{run_id}/events", query=query, headers=[SSE], receive_buffer=4096
        )

    await wait_for(length)
    full = await until(lambda: stuck(server.port), "a reader that takes nothing fills its socket")
    for left in range(full - 5 * step, min(length, full + 10 * step), step):
        await wait_for(left)
    server.send_signal(signal.SIGTERM)
    assert await server.wait(timeout=0.5 + GRACE) == BY_SIGNAL


async def test_a_second_process_on_the_same_file_is_refused_with_a_sentence_and_the_first_goes_on(
    serve: Serve, upstream: Upstream, meet: Meet
) -> None:
    upstream.otherwise(answer=scripted)
    first = await serve()
    client = meet(first)
    _, reader = await reading(client, "finishes")
    second = serve.make(DATABASE_URL=f"sqlite:///{first.database}")
    second.spawn()
    assert await second.wait() not in (0, None)
    assert f"Another process is already serving {first.database}" in second.log
    upstream.open("go on")
    assert (await reader).text == "one two"
    assert (await client.ask("finishes too")).done


async def test_more_workers_than_one_are_refused_with_a_sentence(two_workers: Server) -> None:
    """Uvicorn ends the others when it sees that one could not start; which one that is, the file's lock decides."""
    two_workers.spawn()
    await until(lambda: "start one process only (no --workers)" in two_workers.log, "it says why", timeout=30)
    await two_workers.wait()
