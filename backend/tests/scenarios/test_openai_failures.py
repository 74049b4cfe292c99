"""OpenAI's door when something fails: the client's own exceptions, and no second purchase that nobody asked for."""

import asyncio
from collections.abc import Sequence
from typing import Any

import openai
import pytest

from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.problems import refused_in_openai_s_shape
from tests.support.script import Fin, Gate, Hang, Send, Status, Step, chunk, error_status, event, say, serve_body
from tests.support.server import Server
from tests.support.sockets import free_port
from tests.support.stock import COMPLETIONS, MODEL, asynchronous, synchronous, user
from tests.support.upstream import Upstream

HEAD: tuple[Step, ...] = (Status(), Send(chunk("", role="assistant")))
LIMITED = event({"error": {"message": "SECRET", "code": 429}})
BEFORE: dict[str, tuple[Sequence[Step], type[openai.APIStatusError], str, int]] = {
    "refused": (error_status(400, message="SECRET"), openai.BadRequestError, "upstream_rejected", 1),
    "no key": (error_status(401, message="SECRET"), openai.BadRequestError, "upstream_rejected", 1),
    "no protocol": (serve_body(b"<html>SECRET"), openai.InternalServerError, "upstream_protocol", 1),
    "no answer": ([Fin()], openai.InternalServerError, "upstream_unavailable", 1),
    "cut": ([*HEAD, Fin()], openai.InternalServerError, "upstream_interrupted", 1),
    "in-band": ([*HEAD, Send(LIMITED)], openai.RateLimitError, "upstream_rate_limited", 1),
    # Refused with a status that is never billed: asked once more by the service, and then two times by the client.
    "limited": (error_status(429, {"Retry-After": "0.1"}), openai.RateLimitError, "upstream_rate_limited", 6),
    "down": (error_status(503, {"Retry-After": "0.1"}), openai.InternalServerError, "upstream_unavailable", 6),
}


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("how", BEFORE)
async def test_a_failure_before_the_first_word_has_a_status_and_is_bought_again_only_where_nothing_was_bought(
    shared_server: Server, shared_upstream: Upstream, how: str, streamed: bool
) -> None:
    steps, kind, code, calls = BEFORE[how]
    shared_upstream.otherwise(*steps)
    async with asynchronous(shared_server, max_retries=2) as client:
        with pytest.raises(kind) as raised:
            await client.chat.completions.create(model=MODEL, messages=user(how), stream=streamed)
    error = raised.value
    assert (error.code, error.param, shared_upstream.calls) == (code, None, calls)
    assert "SECRET" not in str(error.body)
    assert error.response.headers["x-should-retry"] == ("true" if calls > 1 else "false")
    assert error.request_id == error.response.headers["x-run-id"]


async def test_a_client_without_coroutines_counts_the_same(shared_server: Server, shared_upstream: Upstream) -> None:
    shared_upstream.script(*error_status(503, {"Retry-After": "60"}))
    shared_upstream.script(*say("Hello"))

    def ask() -> str | None:
        with synchronous(shared_server, max_retries=1, timeout=30) as client:
            client._calculate_retry_timeout = lambda *_, **__: 0.0  # it would wait a minute
            answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=user("hi"))
            return answer.parse().choices[0].message.content

    assert await asyncio.to_thread(ask) == "Hello"
    assert shared_upstream.calls == 2


async def test_the_pause_that_the_endpoint_wants_is_told(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(*error_status(429, {"Retry-After": "61.5"}))
    reply = await shared_client.request("POST", COMPLETIONS, json={"model": MODEL, "messages": user("hi")})
    error = refused_in_openai_s_shape(reply, 429)
    assert (error["type"], reply.headers["Retry-After"], shared_upstream.calls) == ("rate_limit_error", "62", 1)


async def test_an_endpoint_that_is_not_there_is_503_and_worth_another_try(serve: Serve) -> None:
    server = await serve(OPENAI_BASE_URL=f"http://127.0.0.1:{free_port()}/v1")
    async with asynchronous(server) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(model=MODEL, messages=user("hi"), stream=True)
    assert (raised.value.status_code, raised.value.code) == (503, "upstream_unavailable")
    assert raised.value.response.headers["x-should-retry"] == "true"


@pytest.mark.settings(FIRST_TOKEN_TIMEOUT_SECONDS=0.3)
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_model_that_says_nothing_is_504_and_not_asked_again(
    server: Server, upstream: Upstream, streamed: bool
) -> None:
    upstream.otherwise(*HEAD, Hang())
    async with asynchronous(server, max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(model=MODEL, messages=user("hi"), stream=streamed)
    assert (raised.value.status_code, raised.value.code, upstream.calls) == (504, "upstream_timeout", 1)


async def test_a_failure_in_the_middle_of_a_stream_raises_and_what_came_before_it_counts(
    shared_server: Server, shared_upstream: Upstream, shared_client: Client
) -> None:
    shared_upstream.script(*HEAD, Send(chunk("half ")), Gate("cut"), Fin())
    async with asynchronous(shared_server, max_retries=2) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=user("hi"), stream=True)
        opening, half = await anext(stream), await anext(stream)
        shared_upstream.open("cut")
        with pytest.raises(openai.APIError, match="broke off") as raised:
            await anext(stream)
    assert [each.choices[0].delta.content for each in (opening, half)] == ["", "half "]
    assert (raised.value.code, raised.value.type) == ("upstream_interrupted", "server_error")
    run = stream.response.headers["x-run-id"]
    kept = await shared_client.follow(run)
    assert (kept.text, kept.error and kept.error["code"], shared_upstream.calls) == ("half ", "upstream_interrupted", 1)


async def test_a_failure_in_the_middle_of_a_whole_answer_has_a_status_and_the_run_keeps_what_was_said(
    shared_server: Server, shared_upstream: Upstream, shared_client: Client
) -> None:
    shared_upstream.script(*HEAD, Send(chunk("half ")), Fin())
    async with asynchronous(shared_server, max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(model=MODEL, messages=user("hi"))
    assert (raised.value.status_code, shared_upstream.calls) == (502, 1)
    assert raised.value.request_id is not None
    assert (await shared_client.follow(raised.value.request_id)).text == "half "


async def test_an_answer_that_somebody_stops_is_told_as_stopped(
    shared_client: Client, shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*HEAD, Send(chunk("half ")), Hang())
    async with asynchronous(shared_server, max_retries=2) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=user("hi"), stream=True)
        await shared_client.cancel(stream.response.headers["x-run-id"])
        with pytest.raises(openai.APIError) as raised:
            async for _ in stream:
                pass
    assert (raised.value.code, shared_upstream.calls) == ("cancelled", 1)


@pytest.mark.settings(MAX_RUNS=1)
async def test_a_full_service_says_when_to_come_back_and_that_nothing_was_bought(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*HEAD, Send(chunk("half ")), Hang())
    await client.ask("the only one", until=1)
    reply = await client.request("POST", COMPLETIONS, json={"model": MODEL, "messages": user("hi")})
    error = refused_in_openai_s_shape(reply, 503)
    assert (error["code"], error["type"]) == ("too_many_runs", "server_error")
    assert (reply.headers["Retry-After"], reply.headers["X-Should-Retry"]) == ("5", "true")


@pytest.mark.settings(DRAIN_SECONDS=0.3)
async def test_a_service_that_stops_tells_those_who_wait(server: Server, client: Client, upstream: Upstream) -> None:
    upstream.otherwise(*HEAD, Hang())
    async with asynchronous(server, max_retries=2) as stock:
        asking = asyncio.create_task(stock.chat.completions.create(model=MODEL, messages=user("hi")))
        await upstream.request()
        await server.terminate()
        with pytest.raises(openai.InternalServerError) as raised:
            await asking
    assert (raised.value.status_code, raised.value.code) == (503, "interrupted")
    assert raised.value.response.headers["x-should-retry"] == "false", "the model may have been paid already"


# ── Idempotency-Key ──────────────────────────────────────────────────────────────────────────────────────────────────


async def keyed(client: Client, key: str, **body: Any) -> Any:
    asked = {"model": MODEL, "messages": user("hi"), **body}
    return await client.request("POST", COMPLETIONS, json=asked, headers={"Idempotency-Key": key})


async def test_the_same_key_gives_the_same_answer_streamed_or_whole_and_is_paid_once(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    first = await keyed(shared_client, "once")
    again = await keyed(shared_client, "once")
    streamed = await keyed(shared_client, "once", stream=True, stream_options={"include_usage": True}, top_p=None)
    assert first.json == again.json
    assert b'"content":"Hello there"' in streamed.body
    assert [each.headers.get("Idempotent-Replayed") for each in (first, again, streamed)] == [None, "true", "true"]
    assert len({each.headers["X-Run-Id"] for each in (first, again, streamed)}) == 1
    assert shared_upstream.calls == 1
    error = refused_in_openai_s_shape(await keyed(shared_client, "once", top_p=0.5), 400)
    assert (error["code"], shared_upstream.calls) == ("key_reused", 1)


async def test_a_failure_with_a_key_is_final_since_the_same_key_gives_the_same_run(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*error_status(429, {"Retry-After": "11"}))
    async with asynchronous(shared_server, max_retries=2) as client:
        for _ in range(2):
            with pytest.raises(openai.RateLimitError) as raised:
                await client.chat.completions.create(
                    model=MODEL, messages=user("hi"), extra_headers={"Idempotency-Key": "final"}
                )
            assert raised.value.response.headers["x-should-retry"] == "false"
    assert shared_upstream.calls == 1
