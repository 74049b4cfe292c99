"""Nothing about an answer is unbounded: neither silence, nor length, nor time; and at a limit upstream is let go of."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.support.client import Client, read_answer
from tests.support.outcome import looked_at, outcome, parts, scripted
from tests.support.script import DONE, Gate, Hang, Send, Sleep, Status, Step, chunk, say, serve_body
from tests.support.upstream import Upstream

IDLE, FIRST, TOTAL, LONGEST = 1.5, 1.5, 4.0, 20_000
SHARED_SETTINGS = {
    "IDLE_TIMEOUT_SECONDS": IDLE,
    "FIRST_TOKEN_TIMEOUT_SECONDS": FIRST,
    "RUN_TIMEOUT_SECONDS": TOTAL,
    "MAX_OUTPUT_CHARS": LONGEST,
}
COMMENT = b": OPENROUTER PROCESSING\n\n"


def for_ever(data: bytes, every: float) -> Sequence[Step]:
    return [step for _ in range(int(10 / every)) for step in (Send(data), Sleep(every))]


# ── silence ──────────────────────────────────────────────────────────────────────────────────────────────────────────

STALLS: dict[str, Sequence[Step]] = {
    "nothing": [Hang()],
    "comments": for_ever(COMMENT, 0.1),
    "empty deltas": for_ever(chunk(""), 0.1),
    "roles": for_ever(chunk(role="assistant"), 0.1),
    "a line that never ends": for_ever(b"d", 0.1),
}
BEGINNINGS: dict[str, Sequence[Step]] = {
    "no status": [Hang()],
    "only a status": [Status(), Hang()],
    "only a role and comments": [Status(), Send(chunk("", role="assistant")), *for_ever(COMMENT, 0.1)],
}


async def test_an_answer_that_stalls_ends_at_the_idle_limit_and_is_kept(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    begin = [Status(), Send(chunk("So ") + chunk("far"))]
    shared_upstream.otherwise(answer=lambda request: [*begin, *STALLS[request.question]])
    for how, seen in zip(STALLS, await asyncio.gather(*(outcome(shared_client, how) for how in STALLS)), strict=True):
        assert seen.ended == ("failed", "upstream_timeout", "So far"), how
        assert seen.run["error"]["retryable"] is True
        assert seen.run["attempts"] == 1
    for request in shared_upstream.requests:
        assert IDLE - 0.1 < await request.is_closed() - request.at < TOTAL, request.question
    assert shared_upstream.calls == len(STALLS)  # a time-out may have been billed: nothing is asked again


async def test_a_first_token_that_never_comes_ends_the_run(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.otherwise(answer=lambda request: BEGINNINGS[request.question])
    answers = await asyncio.gather(*(outcome(shared_client, how) for how in BEGINNINGS))
    for how, seen in zip(BEGINNINGS, answers, strict=True):
        assert seen.ended == ("failed", "upstream_timeout", ""), how
        assert "first_token_at" not in seen.run
        assert seen.run["attempts"] == 1
    for request in shared_upstream.requests:
        assert FIRST - 0.1 < await request.is_closed() - request.at < TOTAL, request.question
    assert shared_upstream.calls == len(BEGINNINGS)


async def test_a_slow_answer_that_goes_on_is_not_stalled(shared_client: Client, shared_upstream: Upstream) -> None:
    words = [f"{number} " for number in range(6)]
    started = time.monotonic()
    seen = await scripted(shared_client, shared_upstream, *say(*words, pause=0.4))
    assert seen.ended == ("completed", None, "".join(words))
    assert time.monotonic() - started > IDLE


async def test_reasoning_is_progress(shared_client: Client, shared_upstream: Upstream) -> None:
    thinking = [step for _ in range(5) for step in (Sleep(0.4), Send(chunk(reasoning="hm ")))]
    end = Send(chunk("So.") + chunk(finish_reason="stop") + DONE)
    seen = await scripted(shared_client, shared_upstream, Status(), *thinking, end)
    assert seen.ended == ("completed", None, "So.")


async def test_a_limit_does_not_undo_an_answer_that_is_finished(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    end = Send(chunk("Said.") + chunk(finish_reason="stop"))
    seen = await scripted(shared_client, shared_upstream, Status(), end, Hang())  # past the idle limit, without [DONE]
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, "Said.", "stop")
    await shared_upstream.requests[0].is_closed()


# ── time and length ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_trickles_for_ever_ends_at_the_run_s_limit(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    seen = await scripted(shared_client, shared_upstream, Status(), *for_ever(chunk("."), 0.2))
    assert (seen.status, seen.code) == ("failed", "run_too_long")
    assert 10 <= len(seen.text) <= 21
    assert seen.text == "." * len(seen.text)
    request = shared_upstream.requests[0]
    assert TOTAL - 0.1 < await request.is_closed() - request.at < TOTAL + 3
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("delta", ["x", "가나다 " * 100, "😀" * 7777], ids=["short", "middling", "large"])
async def test_an_answer_without_end_is_complete_at_the_longest_and_upstream_is_closed(
    shared_client: Client, shared_upstream: Upstream, delta: str
) -> None:
    times = 4 * LONGEST // len(delta)
    body = chunk(delta) * min(times, 1000)
    flood = [Send(body)] * (times // 1000 + 1)
    seen = await scripted(shared_client, shared_upstream, Status(), *flood, Hang())
    assert (seen.status, seen.code, seen.run["finish_reason"]) == ("completed", None, "length")
    assert seen.text == (delta * times)[:LONGEST]
    await shared_upstream.requests[0].is_closed()


@pytest.mark.parametrize(("more", "reason"), [("", "stop"), ("!", "length")], ids=["just so long", "one longer"])
async def test_the_longest_answer_is_whole_and_the_next_character_is_too_much(
    shared_client: Client, shared_upstream: Upstream, more: str, reason: str
) -> None:
    half = "ab" * (LONGEST // 4)
    seen = await scripted(shared_client, shared_upstream, *say(half, half, *([more] if more else [])))
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, half + half, reason)


async def test_reasoning_counts_towards_the_longest(shared_client: Client, shared_upstream: Upstream) -> None:
    body = chunk(reasoning="r" * (LONGEST - 5)) + chunk("0123456789") + chunk(finish_reason="stop") + DONE
    seen = await scripted(shared_client, shared_upstream, *serve_body(body))
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, "01234", "length")
    assert await parts(shared_client, seen.answer.run_id) == [("reasoning", "r" * (LONGEST - 5)), ("text", "01234")]


@pytest.mark.settings(MAX_LIVE_BYTES=65536)
async def test_live_text_has_a_limit_for_all_runs_together(client: Client, upstream: Upstream) -> None:
    full = "가" * 4096 + "xxxx" * 1024  # 16 KiB in UTF-8
    upstream.otherwise(Status(), Send(chunk(full) * 4), Gate("more"), Send(chunk("!")), Hang())
    first = await client.open_chat("One")
    await first.read_until(when=lambda stream: sum(len(e.json["chunk"]) for e in stream.events) == 4 * len(full))
    refused = await client.open_stream("POST", "/api/chat/stream", json={"message": "Two"})
    problem = await refused.read()
    assert (problem.status, problem.json["code"], problem.json["retryable"]) == (503, "too_many_runs", True)
    assert int(problem.headers["Retry-After"]) > 0
    upstream.open("more")
    seen = await looked_at(client, await read_answer(first))
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, full * 4, "length")
    await upstream.requests[0].is_closed()
    upstream.otherwise(*say("room"))
    assert (await outcome(client, "Three")).text == "room"
    assert upstream.calls == 2


@pytest.mark.settings(MAX_LIVE_BYTES=65536)
async def test_an_answer_in_a_great_many_parts_is_bounded_by_what_these_take(
    client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(Status(), *[Send(chunk(reasoning="r") + chunk("t")) for _ in range(LONGEST)], Hang())
    seen = await outcome(client, "One")
    assert (seen.status, seen.run["finish_reason"]) == ("completed", "length")
    assert 65536 / 280 - 10 < len(seen.text) < 1000, "what was read in one go is taken whole"
    assert len(await parts(client, seen.answer.run_id)) == 2 * len(seen.text)
    upstream.otherwise(*say("room"))
    assert (await outcome(client, "Two")).text == "room"


# ── letting go ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("steps", "text"),
    [([Hang()], ""), ([Status(), Hang()], ""), ([Status(), Send(chunk("Well")), Hang()], "Well")],
    ids=["before the status", "before the first token", "in the middle"],
)
async def test_stopping_closes_the_upstream_at_once(
    shared_client: Client, shared_upstream: Upstream, steps: Sequence[Step], text: str
) -> None:
    shared_upstream.script(*steps)
    stream = await shared_client.open_chat("Well?")
    request = await shared_upstream.request()
    await stream.read_until(events=2 if text else 1)
    stopped = time.monotonic()
    assert (await shared_client.cancel(stream.headers["X-Run-Id"])).status == 202
    assert await request.is_closed() - stopped < 1
    seen = await looked_at(shared_client, await read_answer(stream))
    assert seen.ended == ("cancelled", "cancelled", text)
    assert shared_upstream.calls == 1


@pytest.mark.settings(ABANDON_SECONDS=0.5)
async def test_nobody_waits_for_a_first_token_that_nobody_will_read(client: Client, upstream: Upstream) -> None:
    upstream.script(Status(), Hang())
    stream = await client.open_chat("Well?")
    request = await upstream.request()
    left = time.monotonic()
    stream.drop()
    assert await request.is_closed() - left < 3
    run = await client.ended(stream.headers["X-Run-Id"])
    assert (run["status"], run["error"]["code"]) == ("cancelled", "abandoned")


async def test_many_answers_at_their_limits_let_go_of_every_connection(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(Status(), Send(chunk("So far")), Hang())
    seen = await asyncio.gather(*(outcome(shared_client, f"Number {number}") for number in range(30)))
    assert {each.ended for each in seen} == {("failed", "upstream_timeout", "So far")}
    await asyncio.gather(*(request.is_closed() for request in shared_upstream.requests))
    assert (shared_upstream.calls, shared_upstream.connections) == (30, 30)
