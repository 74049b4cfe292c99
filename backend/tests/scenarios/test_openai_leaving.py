"""A caller of OpenAI's door that leaves: the model is stopped at once, unless the caller can come back."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.http import dumps, request_bytes
from tests.support.script import Gate, Hang, Send, Status, Step, chunk
from tests.support.server import Server
from tests.support.stock import COMPLETIONS, MODEL, asynchronous, user
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.wire_client import Stream

HEAD: tuple[Step, ...] = (Status(), Send(chunk("", role="assistant")))
MOMENTS: dict[str, Sequence[Step]] = {
    "before the head": [Gate("there"), Hang()],
    "before the first word": [*HEAD, Gate("there"), Hang()],
    "after the first word": [*HEAD, Send(chunk("half ")), Gate("there"), Hang()],
}
AT_ONCE = 1.0  # second


async def send(client: Client, *headers: tuple[str, str], **body: Any) -> Stream:
    """Ask, and read nothing: the head comes with the first word."""
    content = dumps({"model": MODEL, "messages": user("hi"), **body})
    lines = [("Host", f"127.0.0.1:{client.port}"), ("Content-Type", "application/json"), *headers]
    lines.append(("Content-Length", str(len(content))))
    return await client.wire(request_bytes("POST", COMPLETIONS, lines, content))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("politely", [True, False])
async def test_a_caller_that_leaves_stops_the_model_within_a_second(
    shared_client: Client, shared_upstream: Upstream, moment: str, streamed: bool, politely: bool
) -> None:
    shared_upstream.script(*MOMENTS[moment])
    stream = await send(shared_client, stream=streamed)
    await shared_upstream.at_gate("there")
    if streamed and moment == "after the first word":
        await stream.read_until(when=lambda stream: b"half " in stream.body)
    left = time.monotonic()
    if politely:
        stream.close()
    else:
        stream.drop()
    seen = shared_upstream.requests[0]
    shared_upstream.open("there")
    assert await seen.is_closed(5) - left < AT_ONCE
    assert shared_upstream.calls == 1


async def test_what_was_said_before_the_caller_left_is_kept_as_abandoned(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*MOMENTS["after the first word"])
    stream = await send(shared_client, stream=True)
    await stream.read_until(when=lambda stream: b"half " in stream.body)
    run = stream.headers["X-Run-Id"]
    stream.drop()
    state = await shared_client.ended(run)
    assert (state["status"], state["error"]["code"]) == ("cancelled", "abandoned")
    assert (await shared_client.follow(run)).text == "half "


async def test_the_stock_client_stops_the_model_by_closing_or_cancelling(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*HEAD, Send(chunk("half ")), Hang())
    async with asynchronous(shared_server, max_retries=2) as client:
        async with await client.chat.completions.create(model=MODEL, messages=user("hi"), stream=True) as stream:
            await anext(stream)
        asking = asyncio.create_task(client.chat.completions.create(model=MODEL, messages=user("hi")))
        await shared_upstream.request(2)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        for seen in shared_upstream.requests:
            await seen.is_closed(5)
    assert shared_upstream.calls == 2


async def test_a_caller_with_a_key_may_come_back_and_finds_the_whole_answer_paid_once(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*HEAD, Send(chunk("half ")), Gate("on"), Send(chunk("and half", finish_reason="stop")))
    key = ("Idempotency-Key", "come-back")
    first = await send(shared_client, key, stream=True)
    await first.read_until(when=lambda stream: b"half " in stream.body)
    run = first.headers["X-Run-Id"]
    first.drop()
    second = await send(shared_client, key)
    shared_upstream.open("on")
    reply = await (await second.opened()).read()
    assert (reply.status, reply.headers["X-Run-Id"], reply.headers["Idempotent-Replayed"]) == (200, run, "true")
    assert reply.json["choices"][0]["message"]["content"] == "half and half"
    assert shared_upstream.calls == 1


@pytest.mark.settings(ABANDON_SECONDS=0.5)
async def test_a_caller_with_a_key_that_does_not_come_back_is_waited_for_as_everywhere(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(*MOMENTS["before the first word"])
    stream = await send(client, ("Idempotency-Key", "gone"))
    await upstream.at_gate("there")
    stream.drop()
    await upstream.requests[0].is_closed(5)


@pytest.mark.settings(ABANDON_SECONDS=0.3, FIRST_TOKEN_TIMEOUT_SECONDS=20)
async def test_who_waits_for_the_first_word_is_a_reader(client: Client, upstream: Upstream) -> None:
    upstream.script(*HEAD, Gate("slow"), Send(chunk("at last", finish_reason="stop")))
    waiting = [await send(client), await send(client, ("Idempotency-Key", "slow"), stream=True)]
    upstream.otherwise(*HEAD, Gate("slow"), Send(chunk("at last", finish_reason="stop")))
    await asyncio.sleep(1)  # longer than an answer that nobody reads may live
    upstream.open("slow")
    for stream in waiting:
        assert b"at last" in (await (await stream.opened()).read()).body


async def test_an_answer_that_somebody_else_reads_goes_on(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(*HEAD, Send(chunk("half ")), Gate("on"), Send(chunk("and half", finish_reason="stop")))
    caller = await send(shared_client, stream=True)
    await caller.read_until(when=lambda stream: b"half " in stream.body)
    reader = await shared_client.open_events(caller.headers["X-Run-Id"])
    await reader.read_until(when=lambda stream: b"half " in stream.body)
    caller.drop()
    shared_upstream.open("on")
    await reader.read()
    assert b"and half" in reader.body
    assert (await shared_client.ended(caller.headers["X-Run-Id"]))["status"] == "completed"


async def test_the_log_says_that_nobody_was_there(server: Server, client: Client, upstream: Upstream) -> None:
    upstream.script(*MOMENTS["before the first word"])
    stream = await send(client)
    await upstream.at_gate("there")
    stream.drop()
    await until(lambda: '"status": 499' in server.log, "the request is logged with its status")
