"""Stopping is honest: it closes the upstream, keeps what was said, and nothing is said afterwards."""

import asyncio
import re

import pytest

from tests.support.bad_line import text_in
from tests.support.client import Client
from tests.support.invariants import check
from tests.support.script import Cut, Gate, Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream

NOBODY = "01kandgz1m5d9ryt3ek2yqv8p4"
ANSWER = Status(), Send(chunk("", role="assistant"))


async def settle() -> None:
    """Let this process notice what its sockets already know; no time passes that the service could use."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("head", [True, False])
async def test_a_stop_before_the_first_token_closes_the_upstream_and_no_text_comes_later(
    shared_client: Client, shared_upstream: Upstream, head: bool
) -> None:
    shared_upstream.script(*(ANSWER if head else ()), Gate("late"), *(() if head else ANSWER), Send(chunk("late")))
    stream = await shared_client.open_chat("stop early")
    await shared_upstream.at_gate("late")
    run = stream.headers["X-Run-Id"]
    reply = await shared_client.cancel(run)
    assert (reply.status, reply.json["id"]) == (202, run)
    await shared_upstream.requests[0].is_closed(1)
    shared_upstream.open("late")
    await stream.read()
    assert [event.json.get("error", {}).get("code") for event in stream.events] == [None, "cancelled", None]
    assert [event.last_event_id for event in stream.events] == [f"{run}-0-0", f"{run}-end-1", f"{run}-end-2"]
    state = (await shared_client.run(run)).json
    assert (state["status"], state["error"]["code"], "first_token_at" in state) == ("cancelled", "cancelled", False)
    assert (await shared_client.follow(run)).text == ""
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("by", ["frame", "status"])
async def test_cancelled_is_said_only_once_the_upstream_is_closed(
    shared_client: Client, shared_upstream: Upstream, by: str
) -> None:
    for turn in range(8):
        shared_upstream.script(*ANSWER, Send(chunk("said")), Hang())
        stream = await shared_client.open_chat("honest")
        await stream.read_until(when=lambda stream: text_in(stream) == "said")
        run, seen = stream.headers["X-Run-Id"], shared_upstream.requests[turn]
        assert not seen.closed.is_set()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(shared_client.cancel(run))
            if by == "frame":
                await stream.read_until(when=lambda stream: b'"cancelled"' in stream.body)
            else:
                told = (await asking).json["status"]
                while told != "cancelled":
                    assert told == "running"
                    told = (await shared_client.run(run)).json["status"]
            await settle()
            assert seen.closed.is_set()


async def test_what_was_said_before_the_stop_is_kept_and_nothing_follows_it(
    server: Server, client: Client, upstream: Upstream
) -> None:
    words = [f"word{number} " for number in range(5000)]
    upstream.otherwise(*say(*words, pause=0.0005))
    runs: dict[str, str] = {}
    for turn in range(5):
        stream = await client.open_chat(f"long {turn}")
        await stream.read_until(events=2 + 20 * turn)
        before = text_in(stream)
        await client.cancel(stream.headers["X-Run-Id"])
        await stream.read()
        assert stream.events[-2].json["error"]["code"] == "cancelled"
        assert text_in(stream).startswith(before)
        assert "".join(words).startswith(text_in(stream))
        assert len(text_in(stream)) < len("".join(words))
        runs[stream.headers["X-Run-Id"]] = text_in(stream)
    for run, text in runs.items():
        again = await client.follow(run)
        assert (again.text, again.error and again.error["code"], again.done) == (text, "cancelled", True)
    await server.terminate()
    books = check(server.database)
    assert {run: books.text(run) for run in runs} == runs


async def test_a_stop_keeps_nothing_that_was_not_durable_when_it_came(
    server: Server, client: Client, upstream: Upstream
) -> None:
    unsaved = Send(chunk(" and never saved"))
    upstream.script(*ANSWER, Cut(at=()), Send(chunk("said")), Gate("more"), unsaved, Gate("taken"))
    stream = await client.open_chat("no room")
    await stream.read_until(when=lambda stream: text_in(stream) == "said")
    await server.fill_disk()
    upstream.open("more")
    await upstream.at_gate("taken")
    run = stream.headers["X-Run-Id"]
    assert (await client.cancel(run)).status == 202
    await upstream.requests[0].is_closed(1)
    await server.free_disk()
    await stream.read()
    assert (text_in(stream), (await client.ended(run))["status"]) == ("said", "cancelled")
    assert (await client.follow(run)).text == "said"


async def test_a_run_is_not_told_as_ended_before_its_end_is_saved(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*ANSWER, Send(chunk("said")), Hang())
    stream = await client.open_chat("no room for the end")
    await stream.read_until(when=lambda stream: text_in(stream) == "said")
    await server.fill_disk()
    run = stream.headers["X-Run-Id"]
    told = [(await client.cancel(run)).json["status"]]
    await upstream.requests[0].is_closed(1)
    told += [(await client.run(run)).json["status"] for _ in range(20)]
    await server.free_disk()
    await stream.read()
    assert set(told) == {"running"}
    assert (await client.run(run)).json["status"] == "cancelled"


async def test_stopping_twice_or_after_the_end_changes_nothing(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*ANSWER, Send(chunk("said")), Hang())
    stream = await shared_client.open_chat("twice")
    await stream.read_until(when=lambda stream: text_in(stream) == "said")
    run = stream.headers["X-Run-Id"]
    replies = await asyncio.gather(*(shared_client.cancel(run) for _ in range(4)))
    assert {reply.status for reply in replies} == {202}
    await stream.read()
    state = await shared_client.ended(run)
    again = await shared_client.cancel(run)
    assert (again.status, again.json) == (202, {"id": run, "status": "cancelled"})
    assert (await shared_client.run(run)).json == state
    assert text_in(stream) == "said"

    done = await shared_client.ask("finished")
    state = (await shared_client.run(done.run_id)).json
    late = await shared_client.cancel(done.run_id)
    assert (late.status, late.json) == (202, {"id": done.run_id, "status": "completed"})
    assert (await shared_client.run(done.run_id)).json == state
    again = await shared_client.follow(done.run_id)
    assert (again.text, again.error, again.done) == ("Hello there", None, True)
    assert shared_upstream.calls == 2


async def test_all_readers_are_told_of_the_stop_and_each_once(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(*ANSWER, Send(chunk("said")), Hang())
    bare = await shared_client.open_chat("all", resumable=False)
    run = bare.headers["X-Run-Id"]
    readers = [await shared_client.open_events(run) for _ in range(3)]
    for reader in readers:
        await reader.read_until(when=lambda stream: text_in(stream) == "said")
    await shared_client.cancel(run)
    frames = [(await reader.read()).body.split(b"\n\n")[-3:] for reader in readers]
    assert frames[0] == frames[1] == frames[2]
    tail = (await bare.read()).text.split("\n\n")
    assert tail[0] == 'data: {"chunk": "said"}'
    assert re.fullmatch(r'data: \{"chunk": "Error: .+", "error": \{"code": "cancelled", .+', tail[1])
    assert tail[2:] == ['data: {"done": true}', ""]


async def test_a_stop_right_after_the_request_was_accepted_is_a_stop(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*ANSWER, Hang())
    for _ in range(20):
        stream = await shared_client.open_chat("at once")
        assert (await shared_client.cancel(stream.headers["X-Run-Id"])).status == 202
        await stream.read()
        assert (await shared_client.run(stream.headers["X-Run-Id"])).json["status"] == "cancelled"
    for seen in shared_upstream.requests:
        await seen.is_closed()


async def test_a_run_that_is_none_cannot_be_stopped(shared_client: Client, shared_upstream: Upstream) -> None:
    for run in (NOBODY, "x", "%00", "a" * 2000):
        reply = await shared_client.cancel(run)
        assert (reply.status, reply.headers["Content-Type"]) == (404, "application/problem+json")
    assert (await shared_client.request("GET", f"/api/runs/{NOBODY}/cancel")).status == 405
    assert shared_upstream.calls == 0


@pytest.mark.settings(ABANDON_SECONDS=0.5)
async def test_an_answer_that_nobody_reads_is_stopped_and_says_so(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*ANSWER, Send(chunk("said")), Hang())
    kept = await client.open_chat("somebody reads this one")
    left = await client.open_chat("nobody reads this one")
    await left.read_until(when=lambda stream: text_in(stream) == "said")
    left.drop()
    run = left.headers["X-Run-Id"]
    state = await client.ended(run, timeout=5)
    assert (state["status"], state["error"]["code"]) == ("cancelled", "abandoned")
    gone = next(seen for seen in upstream.requests if seen.question == "nobody reads this one")
    await gone.is_closed(1)
    again = await client.follow(run)
    assert (again.text, again.error and again.error["code"], again.done) == ("said", "abandoned", True)
    assert (await client.run(kept.headers["X-Run-Id"])).json["status"] == "running"


@pytest.mark.settings(ABANDON_SECONDS=1)
async def test_a_reader_who_comes_back_in_time_keeps_the_answer_going(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.script(*ANSWER, Send(chunk("said")), Gate("on"), Send(chunk(" more", finish_reason="stop")))
    first = await client.ask("back soon", until=1)
    for _ in range(4):
        reader = await client.open_events(first.run_id, first.cursor)
        await asyncio.sleep(0.5)
        reader.drop()
    back = await client.open_events(first.run_id, first.cursor)
    upstream.open("on")
    await back.read()
    assert (text_in(back), (await client.ended(first.run_id))["status"]) == (" more", "completed")


async def test_the_state_of_a_run_tells_its_life(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(Gate("head"), *say("Hello", gate="word"))
    stream = await shared_client.open_chat("life")
    run = stream.headers["X-Run-Id"]
    await shared_upstream.at_gate("head")
    state = (await shared_client.run(run)).json
    assert set(state) == {"id", "status", "message_id", "model", "attempts", "created_at"}
    assert (state["id"], state["status"], state["attempts"]) == (run, "running", 1)
    shared_upstream.open("head")
    shared_upstream.open("word")
    await stream.read()
    ended = await shared_client.ended(run)
    assert ended == state | {
        "status": "completed",
        "finish_reason": "stop",
        "usage": {"input_tokens": 12, "output_tokens": 3, "reasoning_tokens": 0, "cached_tokens": 0},
        "first_token_at": ended["first_token_at"],
        "ended_at": ended["ended_at"],
    }
    times = [ended["created_at"], ended["first_token_at"], ended["ended_at"]]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    assert re.fullmatch(r"[0-9a-z]{26}", ended["message_id"])
    assert (await shared_client.request("GET", f"/api/runs/{NOBODY}")).status == 404
