"""The endpoint is asked again only where nothing can have been billed: once, on the record, and never in secret."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.client import Client, read_answer
from tests.support.crowd import Crowd
from tests.support.fixtures import Serve
from tests.support.invariants import Books
from tests.support.outcome import looked_at, outcome, scripted
from tests.support.script import Gate, Raw, Reset, Status, Step, error_status, say, stream
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import happens

NOW = {"Retry-After": "0"}


def answered_at_once(*deltas: str) -> Sequence[Step]:
    """An answer whose last bytes and whose end come together."""
    body = stream(*deltas)
    head = Status(headers={"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}, framing="length")
    return (head, Raw(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)))


def gap(upstream: Upstream) -> float:
    """Seconds between the first two requests."""
    return upstream.requests[1].at - upstream.requests[0].at


# ── one retry ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 529])
async def test_a_status_that_cannot_be_billed_is_asked_again_once(
    shared_client: Client, shared_upstream: Upstream, code: int
) -> None:
    shared_upstream.script(*error_status(code, NOW))
    seen = await outcome(shared_client)
    assert seen.ended == ("completed", None, "Hello there")
    assert (shared_upstream.calls, seen.run["attempts"]) == (2, 2)
    assert shared_upstream.requests[0].json == shared_upstream.requests[1].json


@pytest.mark.parametrize(
    ("code", "told"), [(408, "upstream_unavailable"), (429, "upstream_rate_limited"), (503, "upstream_unavailable")]
)
async def test_the_second_refusal_is_the_last(
    shared_client: Client, shared_upstream: Upstream, code: int, told: str
) -> None:
    shared_upstream.otherwise(*error_status(code, NOW))
    seen = await outcome(shared_client)
    assert seen.ended == ("failed", told, "")
    assert seen.answer.error is not None
    assert seen.answer.error["retryable"] is True
    assert (shared_upstream.calls, seen.run["attempts"]) == (2, 2)


@pytest.mark.parametrize("code", [201, 206, 304, 400, 401, 402, 403, 404, 405, 409, 410, 413, 418, 422, 451])
async def test_any_other_status_is_never_asked_again(
    shared_client: Client, shared_upstream: Upstream, code: int
) -> None:
    seen = await scripted(shared_client, shared_upstream, *error_status(code, NOW))
    assert seen.ended == ("failed", "upstream_rejected" if code >= 400 else "upstream_protocol", "")
    assert (shared_upstream.calls, seen.run["attempts"]) == (1, 1)


async def test_the_answer_to_a_retry_is_never_asked_again_either(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*error_status(503, NOW))
    seen = await scripted(shared_client, shared_upstream, *error_status(503, NOW))
    shared_upstream.script(Reset())
    again = await scripted(shared_client, shared_upstream, *say("never sent"))
    assert (seen.code, again.code) == ("upstream_unavailable", "upstream_unavailable")
    assert shared_upstream.calls == 3


async def test_a_connection_that_dies_before_the_status_is_never_asked_again(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*answered_at_once("one"))
    await outcome(shared_client)
    seen = await scripted(shared_client, shared_upstream, Reset())  # on the connection that is kept open
    assert seen.ended == ("failed", "upstream_unavailable", "")
    assert (shared_upstream.calls, shared_upstream.connections, seen.run["attempts"]) == (2, 1, 1)


# ── how long it waits ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("asked", "least", "most"), [("0", 0, 0.25), ("1", 1, 3), ("0.5", 0.5, 2)])
async def test_the_pause_is_the_one_that_was_asked_for(
    shared_client: Client, shared_upstream: Upstream, asked: str, least: float, most: float
) -> None:
    gaps: list[float] = []
    for _ in range(3 if asked == "0" else 1):  # a busy machine may be late, but hardly three times
        shared_upstream.requests.clear()
        shared_upstream.script(*error_status(429, {"Retry-After": asked}))
        seen = await outcome(shared_client)
        assert (seen.status, shared_upstream.calls) == ("completed", 2)
        gaps.append(gap(shared_upstream))
    assert least <= min(gaps) < most


@pytest.mark.parametrize("asked", ["11", "10.01", "99999", "999999999", "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_nobody_waits_longer_than_ten_seconds(
    shared_client: Client, shared_upstream: Upstream, asked: str
) -> None:
    seen = await scripted(shared_client, shared_upstream, *error_status(429, {"Retry-After": asked}))
    assert seen.ended == ("failed", "upstream_rate_limited", "")
    assert (shared_upstream.calls, seen.run["attempts"]) == (1, 1)


@pytest.mark.parametrize("asked", [None, "", "-1", "abc", "1e1", "0x1", "inf", "Wed, 21 Oct 2015 07:28:00 GMT", "9, 9"])
async def test_a_pause_that_cannot_be_read_becomes_a_short_one(
    shared_client: Client, shared_upstream: Upstream, asked: str | None
) -> None:
    shared_upstream.script(*error_status(503, {} if asked is None else {"Retry-After": asked}))
    seen = await outcome(shared_client)
    assert (seen.status, shared_upstream.calls, seen.run["attempts"]) == ("completed", 2, 2)
    assert 0.2 < gap(shared_upstream) < 3


async def test_a_run_that_is_stopped_while_it_waits_does_not_ask_again(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*error_status(503, {"Retry-After": "1"}))
    stream = await shared_client.open_chat("Well?")
    await (await shared_upstream.request()).answered.wait()
    await shared_client.cancel(stream.headers["X-Run-Id"])
    seen = await looked_at(shared_client, await read_answer(stream))
    assert seen.ended == ("cancelled", "cancelled", "")
    await scripted(shared_client, shared_upstream, *error_status(503, {"Retry-After": "1"}))  # outlasts that pause
    assert shared_upstream.calls == 3


# ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("steps", "ended"),
    [
        (say("there"), ("completed", None, "there")),
        (error_status(503, NOW), ("failed", "upstream_unavailable", "")),
    ],
    ids=["and is answered", "and not a third time"],
)
async def test_a_failed_connect_is_asked_again_once(
    serve: Serve, steps: Sequence[Step], ended: tuple[str, str | None, str]
) -> None:
    upstream = Upstream()
    upstream.otherwise(*steps)
    with Crowd() as crowd:
        server = await serve(OPENAI_BASE_URL=f"http://127.0.0.1:{crowd.port}/v1", CONNECT_TIMEOUT_SECONDS=0.3)
        client = Client(server.port)
        stream = await client.open_chat("Well?")
        await crowd.joined()
        crowd.leave()
        upstream.port = crowd.port
        async with upstream:
            seen = await looked_at(client, await read_answer(stream))
            assert seen.ended == ended
            assert (upstream.calls, seen.run["attempts"]) == (1, 2)


async def test_a_connection_is_used_again_after_a_clean_end(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.otherwise(*answered_at_once("one"))
    for _ in range(3):
        assert (await outcome(shared_client)).text == "one"
    assert (shared_upstream.calls, shared_upstream.connections) == (3, 1)


async def test_a_connection_is_used_again_when_its_body_ends_a_moment_after_the_answer(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    for _ in range(3):
        shared_upstream.script(*say("one"), Gate("end"))
        assert (await outcome(shared_client)).text == "one"
        shared_upstream.open("end")
        seen = await shared_upstream.request(shared_upstream.calls)
        await happens(seen.answered, "the body ends")
    assert (shared_upstream.calls, shared_upstream.connections) == (3, 1)


async def test_a_connection_is_not_used_again_after_any_other_end(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*answered_at_once("one"))
    for steps in ([*answered_at_once("one"), Reset()], [*say("cut")[:3], Raw(b"0\r\n\r\n")], error_status(404)):
        await scripted(shared_client, shared_upstream, *steps)
        assert (await outcome(shared_client)).ended == ("completed", None, "one")


async def test_a_connection_that_the_endpoint_closed_breaks_no_run(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*answered_at_once("one"))
    await outcome(shared_client)
    await shared_upstream.hung_up()
    seen = await outcome(shared_client)
    assert seen.ended == ("completed", None, "one")
    assert (shared_upstream.calls, shared_upstream.connections, seen.run["attempts"]) == (2, 2, 1)


async def test_a_connection_is_given_up_before_common_endpoints_close_it(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    """They do so after 5 s; a question that crosses that close would be lost, since it may not be asked again."""
    shared_upstream.otherwise(*answered_at_once("one"))
    await outcome(shared_client)
    await asyncio.sleep(4.3)
    assert (await outcome(shared_client)).ended == ("completed", None, "one")
    assert shared_upstream.connections == 2


# ── on the record ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.trouble_expected
async def test_a_retry_is_durable_before_it_is_sent(server: Server, client: Client, upstream: Upstream) -> None:
    upstream.script(*error_status(503, NOW))
    upstream.script(Gate("never"))
    run_id = (await client.open_chat("Well?")).headers["X-Run-Id"]
    await upstream.request(2)
    await server.kill()
    assert Books.read(server.database).run(run_id)["attempts"] == 2
    await server.start()
    run = (await client.run(run_id)).json
    assert (run["status"], run["error"]["code"], run["attempts"]) == ("interrupted", "interrupted", 2)
    assert upstream.calls == 2


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────

LENGTH = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
HEAT = "Unsupported value: 'temperature' does not support 0.7 with this model."


def knobs(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in ("max_tokens", "max_completion_tokens", "temperature") if name in asked}


async def test_parameters_that_a_model_refuses_are_changed_and_the_change_is_remembered(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(*error_status(400, message=LENGTH, param="max_tokens"))
    upstream.script(*error_status(503, NOW))
    upstream.script(*error_status(400, message=HEAT, param="temperature"))
    seen = await outcome(client)
    assert seen.ended == ("completed", None, "Hello there")
    assert (upstream.calls, seen.run["attempts"]) == (4, 2)  # changes are not retries
    again = await outcome(client)
    assert (upstream.calls, again.run["attempts"]) == (5, 1)
    assert [knobs(request.json) for request in upstream.requests] == [
        {"max_tokens": 1000, "temperature": 0.7},
        {"max_completion_tokens": 1000, "temperature": 0.7},
        {"max_completion_tokens": 1000, "temperature": 0.7},
        {"max_completion_tokens": 1000},
        {"max_completion_tokens": 1000},
    ]


async def test_parameters_are_changed_at_most_twice_and_remembered_only_if_it_helped(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*error_status(400, message=f"{LENGTH} {HEAT}"))
    seen = await outcome(shared_client)
    assert seen.ended == ("failed", "upstream_rejected", "")
    assert (shared_upstream.calls, seen.run["attempts"]) == (3, 1)
    shared_upstream.otherwise(*say("fine"))
    assert (await outcome(shared_client)).text == "fine"
    assert knobs(shared_upstream.requests[3].json) == {"max_tokens": 1000, "temperature": 0.7}


@pytest.mark.parametrize("code", [401, 404, 422, 500])
async def test_only_a_400_changes_a_parameter(shared_client: Client, shared_upstream: Upstream, code: int) -> None:
    shared_upstream.otherwise(*error_status(code, NOW, message=f"{LENGTH} {HEAT}"))
    seen = await outcome(shared_client)
    assert shared_upstream.calls == seen.run["attempts"]
    assert all(knobs(request.json) == {"max_tokens": 1000, "temperature": 0.7} for request in shared_upstream.requests)
