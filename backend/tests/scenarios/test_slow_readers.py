"""A reader that takes nothing is cut off and may come back; the run, the other readers and the memory do not notice."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.client import Client, read_answer
from tests.support.fixtures import Serve
from tests.support.script import Gate, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.wire_client import Stream

SEND_SECONDS = 1.0
LENGTH = 1_600_000  # characters; with three bytes each far more than sockets hold
WORDS = [f"{number:07} " + "가" * 7992 for number in range(LENGTH // 8000)]
WHOLE = "".join(WORDS)
SHARED_SETTINGS = {
    "SEND_TIMEOUT_SECONDS": SEND_SECONDS,
    "MAX_OUTPUT_CHARS": LENGTH,
    "ABANDON_SECONDS": 60,
    "KEEPALIVE_SECONDS": 0.3,
}
MB = 1 << 20
ESTABLISHED = "01"  # in /proc/net/tcp


async def stalled(client: Client, question: str) -> Stream:
    """Ask, and take nothing but the head."""
    return await client.open_chat(question, receive_buffer=4096)


async def is_cut_off(client: Client, stream: Stream) -> None:
    """Wait until the service has let go of a connection that its reader still holds (Linux)."""
    mine: int = stream._sock.getsockname()[1]

    def holds() -> bool:
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ends = (f":{client.port:04X}", f":{mine:04X}")
        return any((line[1][8:], line[2][8:], line[3]) == (*ends, ESTABLISHED) for line in lines)

    assert holds()
    await until(lambda: not holds(), "the reader is cut off", timeout=SEND_SECONDS + 10)


async def test_a_reader_that_takes_nothing_is_cut_off_the_run_ends_at_full_speed_and_it_may_come_back(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say(*WORDS))
    began = time.monotonic()
    reader = await stalled(shared_client, "A long one.")
    run = await shared_client.ended(reader.headers["X-Run-Id"])
    assert run["status"] == "completed"
    await is_cut_off(shared_client, reader)
    assert time.monotonic() - began > SEND_SECONDS
    seen = await read_answer(reader)
    assert (seen.over, seen.done) == ("truncated", False)
    assert WHOLE.startswith(seen.text)
    rest = await shared_client.follow(run["id"], seen.cursor or f"{run['id']}-0-0")
    assert seen.text + rest.text == WHOLE
    assert (rest.done, rest.error, shared_upstream.calls) == (True, None, 1)


async def test_a_reader_that_takes_nothing_of_a_live_run_is_cut_off_and_another_reads_on(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    last = chunk("end", finish_reason="stop")
    shared_upstream.script(Status(), *(Send(chunk(word)) for word in WORDS[:-1]), Gate("end"), Send(last))
    slow = await stalled(shared_client, "A long one.")
    run_id = slow.headers["X-Run-Id"]
    fast = asyncio.create_task(shared_client.follow(run_id))
    await is_cut_off(shared_client, slow)
    assert (await shared_client.run(run_id)).json["status"] == "running"
    assert not fast.done()
    shared_upstream.open("end")
    assert (await fast).text == "".join(WORDS[:-1]) + "end"


async def test_a_reader_that_waits_in_front_of_a_silent_model_is_not_cut_off(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say("one ", "two ", gate="go on"))
    shared_upstream.open("go on", 1)
    stream = await shared_client.open_chat("Slow thinking.")
    await stream.read_until(when=lambda stream: len(stream.sse.comments) > 2 * SEND_SECONDS / 0.3)
    shared_upstream.open("go on")
    assert (await read_answer(stream)).text == "one two "


async def test_a_reader_that_is_slow_all_the_way_comes_to_the_end_by_coming_back(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say(*WORDS))
    stream = await stalled(shared_client, "A long one.")
    run_id = stream.headers["X-Run-Id"]
    text, cuts, pace = "", 0, 400_000
    while True:
        await stream.drip(pace, seconds=1.3)
        answer = await read_answer(stream)
        text += answer.text
        if answer.done:
            break
        cuts += 1
        pace *= 4
        stream = await shared_client.open_events(run_id, answer.cursor)
    assert text == WHOLE
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("of", ["a live run", "an ended run"])
async def test_fifty_readers_that_take_nothing_cost_little_memory(serve: Serve, upstream: Upstream, of: str) -> None:
    """The text is there once, however many read it; a reader costs what waits in front of its socket."""
    server = await serve(MAX_OUTPUT_CHARS=LENGTH, SEND_TIMEOUT_SECONDS=60, ABANDON_SECONDS=60)
    client = Client(server.port)
    text = [Send(chunk(word)) for word in WORDS]
    upstream.script(Status(), *text, Gate("end"), Send(chunk(finish_reason="stop")))
    first = await client.ask("A long one.", until=lambda answer: answer.text == WHOLE)
    if of == "an ended run":
        upstream.open("end")
        await client.ended(first.run_id)
    assert (await client.follow(first.run_id, until=lambda answer: answer.text == WHOLE)).text == WHOLE
    before = await server.resident_bytes()
    for _ in range(50):
        await client.open_stream("GET", f"/api/runs/{first.run_id}/events", receive_buffer=4096)
    again = await client.follow(first.run_id, until=lambda answer: answer.text == WHOLE)
    grown = await server.resident_bytes() - before
    client.close()
    assert again.text == WHOLE
    assert grown < 60 * MB, f"{grown / MB:.0f} MiB"


@pytest.mark.settings(MAX_LIVE_BYTES=2 * MB, MAX_OUTPUT_CHARS=LENGTH)
async def test_the_text_of_live_runs_is_bounded_in_total(server: Server, client: Client, upstream: Upstream) -> None:
    """The run that would pass the limit ends as if it were long enough."""
    half = WORDS[: 1_100_000 // (7992 * 3)]
    upstream.script(Status(), *(Send(chunk(word)) for word in half), Gate("end"), Send(chunk(finish_reason="stop")))
    upstream.script(*say(*WORDS))
    first = await client.open_chat("One half.")
    await first.read_until(when=lambda stream: stream.body.count("가".encode()) >= len(half) * 7992)
    second = await client.ask("Too much.")
    assert (second.done, second.error) == (True, None)
    assert 0 < len(second.text) < LENGTH
    run = (await client.run(second.run_id)).json
    assert (run["status"], run["finish_reason"]) == ("completed", "length")
    upstream.open("end")
    assert (await read_answer(first)).done
    assert (await client.ask("And now?")).status == 200
