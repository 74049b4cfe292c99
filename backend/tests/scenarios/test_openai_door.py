"""OpenAI's door with OpenAI's own client: asked, streamed and whole; what is passed on, and what is refused by name."""

import asyncio
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.support.answers import SAID, text_of, think
from tests.support.client import Client
from tests.support.problems import refused_in_openai_s_shape
from tests.support.script import Gate, Send, Status, chunk, say, whole
from tests.support.server import Server
from tests.support.stock import COMPLETIONS, MODEL, asynchronous, synchronous, user
from tests.support.upstream import Upstream

THOUGHT = "".join(text for kind, text in SAID if kind == "reasoning")


def delta_text(chunk: Any, field: str) -> str:
    """Of one chunk; reasoning is no field of the client's, which keeps it all the same."""
    return "".join(getattr(choice.delta, field, None) or "" for choice in chunk.choices)


# ── The stock client ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_stock_client_streams_an_answer_with_its_reasoning(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    async with asynchronous(shared_server) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=user("안녕? 🧵"), stream=True)
        chunks = [each async for each in stream]
    assert "".join(delta_text(each, "content") for each in chunks) == text_of()
    assert "".join(delta_text(each, "reasoning_content") for each in chunks) == THOUGHT
    assert (chunks[0].choices[0].delta.role, chunks[-1].choices[0].finish_reason) == ("assistant", "stop")
    assert {(each.id, each.model, each.object) for each in chunks} == {
        (chunks[0].id, "openai/gpt-3.5-turbo", "chat.completion.chunk")
    }
    assert shared_upstream.requests[0].question == "안녕? 🧵"
    assert all(each.usage is None for each in chunks)


async def test_the_stock_client_without_coroutines_does_the_same(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    shared_upstream.script(*think())

    def ask() -> tuple[str, ChatCompletion]:
        with synchronous(shared_server) as client:
            with client.chat.completions.create(model=MODEL, messages=user("hi"), stream=True) as stream:
                said = "".join(delta_text(each, "content") for each in stream)
            return said, client.chat.completions.create(model=MODEL, messages=user("hi"))

    said, answer = await asyncio.to_thread(ask)
    assert said == answer.choices[0].message.content == text_of()
    assert (answer.choices[0].message.model_extra or {})["reasoning_content"] == THOUGHT


async def test_an_answer_that_is_not_streamed_comes_whole(shared_server: Server, shared_upstream: Upstream) -> None:
    async with asynchronous(shared_server) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=user("hi"))
    assert (answer.object, answer.model) == ("chat.completion", "openai/gpt-3.5-turbo")
    assert answer.choices[0].message.content == "Hello there"
    assert (answer.choices[0].finish_reason, answer.choices[0].message.refusal) == ("stop", None)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (12, 3, 15)
    assert shared_upstream.requests[0].json["stream"] is True, "the model is read as it writes, in any case"


async def test_the_usage_is_told_where_it_is_asked_for(shared_server: Server) -> None:
    async with asynchronous(shared_server) as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=user("hi"), stream=True, stream_options={"include_usage": True}
        )
        chunks = [each async for each in stream]
    assert [each.usage is not None for each in chunks] == [False] * (len(chunks) - 1) + [True]
    assert (chunks[-1].choices, chunks[-1].usage and chunks[-1].usage.total_tokens) == ([], 15)


async def test_an_answer_can_be_put_back_into_the_history_as_it_came(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*whole("Seoul", reasoning_content="A capital…"))
    async with asynchronous(shared_server) as client:
        first = await client.chat.completions.create(model=MODEL, messages=user("Capital?"))
        history: list[Any] = [*user("Capital?"), first.choices[0].message, *user("And the river?")]
        await client.chat.completions.create(model=MODEL, messages=history)
    assert shared_upstream.requests[1].json["messages"] == [
        {"role": "user", "content": "Capital?"},
        {"role": "assistant", "content": "Seoul"},
        {"role": "user", "content": "And the river?"},
    ]


async def test_the_models_are_those_of_the_other_doors(shared_server: Server, shared_client: Client) -> None:
    ids = [model["id"] for model in (await shared_client.request("GET", "/api/models")).json["items"]]
    async with asynchronous(shared_server) as client:
        assert [model.id async for model in client.models.list()] == ids
        model = await client.models.retrieve(ids[0])
        assert (model.id, model.object, model.owned_by) == (ids[0], "model", "openai")
        with pytest.raises(openai.NotFoundError, match="no model of that name"):
            await client.models.retrieve("gpt-9")


@pytest.mark.settings(KEEPALIVE_SECONDS=0.1)
async def test_long_silence_is_filled_with_comments_that_the_stock_client_takes_for_nothing(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(Status(), Send(chunk("one ")), Gate("on"), Send(chunk("two", finish_reason="stop")))
    raw = await client.open_stream("POST", COMPLETIONS, json={"model": MODEL, "messages": user("hi"), "stream": True})
    async with asynchronous(server) as stock:
        stream = await stock.chat.completions.create(model=MODEL, messages=user("hi"), stream=True)
        said = [delta_text(await anext(stream), "content"), delta_text(await anext(stream), "content")]
        await raw.read_until(when=lambda stream: stream.body.count(b": keepalive\n\n") >= 3)
        upstream.open("on")
        said += [delta_text(each, "content") async for each in stream]
    assert "".join(said) == "one two"


# ── The wire ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_has_data_lines_and_nothing_that_the_stock_decoder_would_take_for_a_chunk(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    stream = await shared_client.open_stream(
        "POST", COMPLETIONS, json={"model": MODEL, "messages": user("hi"), "stream": True}
    )
    await stream.read()
    blocks = stream.body.decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks[:-1])
    assert b"\r" not in stream.body
    assert stream.headers["Content-Type"].split(";")[0] == "text/event-stream"
    assert (stream.headers["Cache-Control"], stream.headers["X-Accel-Buffering"]) == ("no-cache, no-transform", "no")
    assert stream.headers["X-Run-Id"] == stream.headers["X-Request-Id"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_same_durable_run_is_underneath(
    shared_client: Client, shared_upstream: Upstream, streamed: bool
) -> None:
    shared_upstream.script(*think())
    body = {"model": MODEL, "messages": user("hi"), "stream": streamed}
    reply = await shared_client.request("POST", COMPLETIONS, json=body)
    again = await shared_client.follow(reply.headers["X-Run-Id"])
    assert (again.text, again.done, again.error) == (text_of(), True, None)
    run = (await shared_client.run(again.run_id)).json
    assert (run["status"], run["model"], "conversation_id" in run) == ("completed", "openai/gpt-3.5-turbo", False)
    assert shared_upstream.calls == 1


# ── What is passed on ────────────────────────────────────────────────────────────────────────────────────────────────


async def post(client: Client, **body: Any) -> Any:
    return await client.request("POST", COMPLETIONS, json={"model": MODEL, "messages": user("hi"), **body})


async def test_messages_keep_their_order_and_become_text(shared_client: Client, shared_upstream: Upstream) -> None:
    messages = [
        {"role": "system", "content": "One."},
        {"role": "user", "content": [{"type": "text", "text": "안"}, {"type": "text", "text": "녕\x00"}]},
        {"role": "assistant", "content": None, "reasoning_content": "not shown again"},
        {"role": "assistant", "content": "Yes?", "tool_calls": [], "refusal": None, "annotations": []},
        {"role": "developer", "content": "Two."},
        {"role": "user", "content": "Go on.", "name": None},
    ]
    assert (await post(shared_client, messages=messages)).status == 200
    assert [(turn["role"], turn["content"]) for turn in shared_upstream.requests[0].json["messages"]] == [
        ("system", "One."),
        ("user", "안녕\ufffd"),
        ("assistant", "Yes?"),
        ("system", "Two."),
        ("user", "Go on."),
    ]


@pytest.mark.settings(SYSTEM_PROMPT="Be polite.")
async def test_the_configured_system_text_stands_in_for_one_that_is_not_there(
    server: Server, client: Client, upstream: Upstream
) -> None:
    await post(client)
    await post(client, messages=[{"role": "developer", "content": "Be rude."}, *user("hi")])
    shown = [[turn["content"] for turn in seen.json["messages"]] for seen in upstream.requests]
    assert shown == [["Be polite.", "hi"], ["Be rude.", "hi"]]


PASSED_ON = {
    "temperature": 0,
    "top_p": 0.5,
    "presence_penalty": -2,
    "frequency_penalty": 1.5,
    "seed": -7,
    "stop": ["끝", "\n\n"],
    "logit_bias": {"50256": -100},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"enum": [None, "é"]}}},
    "reasoning_effort": "low",
    "verbosity": "high",
    "user": "u-1",
}


async def test_parameters_that_endpoints_know_are_passed_on_as_they_are(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    assert (await post(shared_client, **PASSED_ON, max_completion_tokens=9)).status == 200
    asked = shared_upstream.requests[0].json
    assert {name: asked[name] for name in PASSED_ON} == PASSED_ON
    assert asked["max_tokens"] == 9
    assert asked.keys() == PASSED_ON.keys() | {"model", "messages", "stream", "stream_options", "max_tokens"}


async def test_what_is_null_or_changes_nothing_is_as_if_it_was_not_said(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    nothing = dict.fromkeys([*PASSED_ON, "max_tokens", "stream", "stream_options", "tools", "metadata", "audio"])
    harmless = {"n": 1, "logprobs": False, "tools": [], "tool_choice": "auto", "store": False, "modalities": ["text"]}
    harmless |= {"stop": [], "response_format": {"type": "text"}, "parallel_tool_calls": True, "service_tier": "auto"}
    for said in ({}, nothing, harmless):
        assert (await post(shared_client, **said)).status == 200
    first, *rest = [seen.json for seen in shared_upstream.requests]
    assert rest == [first, first]
    assert first.keys() == {"model", "messages", "stream", "stream_options", "max_tokens", "temperature"}


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────────────

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:,"}}]


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ({"tools": [TOOL]}, "tools", "unsupported_parameter"),
        ({"functions": [{"name": "f"}]}, "functions", "unsupported_parameter"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported_parameter"),
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"top_logprobs": 5}, "top_logprobs", "unsupported_parameter"),
        ({"store": True}, "store", "unsupported_parameter"),
        ({"metadata": {"a": "b"}}, "metadata", "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter"),
        ({"top_k": 40}, "top_k", "unknown_parameter"),
        ({"x" * 500: None}, "x" * 64, "unknown_parameter"),
        ({"messages": [{"role": "tool", "content": "21", "tool_call_id": "c"}]}, "messages[0].role", None),
        ({"messages": [{"role": "assistant", "tool_calls": [TOOL]}]}, "messages[0].tool_calls", None),
        ({"messages": [{"role": "user", "content": IMAGE}]}, "messages[0].content", "unsupported_parameter"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages[0].name", "unsupported_parameter"),
        ({"messages": [{"role": "user", "content": "a", "foo": 1}]}, "messages[0].foo", "unknown_parameter"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content", "invalid_value"),
        ({"messages": [{"role": "boss", "content": "a"}]}, "messages[0].role", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": None}, "messages", "invalid_value"),
        ({"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": " \n"}]}, "messages", "invalid"),
        ({"messages": user("a" * 32_001)}, "messages[0].content", "invalid"),
        ({"messages": user("a") * 402}, "messages", "invalid"),
        ({"model": None}, "model", "invalid_value"),
        ({"temperature": 2.1}, "temperature", "invalid_value"),
        ({"top_p": 1.1}, "top_p", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens", "invalid_value"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value"),
        ({"stop": [""]}, "stop[0]", "invalid_value"),
        ({"seed": 2**63}, "seed", "invalid_value"),
        ({"presence_penalty": 3}, "presence_penalty", "invalid_value"),
        ({"logit_bias": {"1": 101}}, "logit_bias.1", "invalid_value"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "invalid_value"),
        ({"reasoning_effort": "much"}, "reasoning_effort", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation", "invalid_value"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_be_done_is_refused_by_its_name(
    shared_client: Client, shared_upstream: Upstream, wrong: dict[str, Any], param: str, code: str | None
) -> None:
    error = refused_in_openai_s_shape(await post(shared_client, **wrong), 400)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert error["code"] == (code or "unsupported_parameter")
    assert shared_upstream.calls == 0


async def test_a_model_that_nobody_has_is_404_as_at_openai(shared_server: Server, shared_upstream: Upstream) -> None:
    async with asynchronous(shared_server) as client:
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="gpt-9", messages=user("hi"))
    assert (raised.value.code, raised.value.param, raised.value.type) == (
        "model_not_found",
        "model",
        "invalid_request_error",
    )
    assert shared_upstream.calls == 0


def raw(body: bytes, *headers: tuple[str, str]) -> dict[str, Any]:
    return {"body": body, "headers": [("Content-Type", "application/json"), *headers]}


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", COMPLETIONS, {}, 405),
        ("PUT", COMPLETIONS, {}, 405),
        ("DELETE", "/v1/models", {}, 405),
        ("POST", "/v1", {}, 404),
        ("GET", "/v1/", {}, 404),
        ("POST", "/v1/embeddings", {"json": {}}, 404),
        ("GET", "/v1/chat/completions/chatcmpl-1", {}, 404),
        ("POST", COMPLETIONS, {"body": b"{}", "headers": [("Content-Type", "text/plain")]}, 415),
        ("POST", COMPLETIONS, raw(b"{"), 400),
        ("POST", COMPLETIONS, raw(b""), 400),
        ("POST", COMPLETIONS, raw(b'{"temperature": NaN}'), 400),
        ("POST", COMPLETIONS, raw(b"[" * 20 + b"]" * 20), 400),
        ("POST", COMPLETIONS, raw(b"\xff"), 400),
        ("POST", COMPLETIONS, raw(b"[]"), 400),
        ("POST", COMPLETIONS, raw(b" " * (4 * 2**20 + 1)), 413),
        ("GET", "/v1/models?" + "a" * 20_000, {}, 414),
        ("GET", "/v1/models", {"headers": [("Host", "example.org")]}, 421),
        ("POST", COMPLETIONS, raw(b"{}", ("Origin", "http://example.org")), 403),
        ("POST", COMPLETIONS, raw(b"{}", ("Idempotency-Key", "no key")), 400),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_everything_that_goes_wrong_there_has_openai_s_shape(
    shared_client: Client, shared_upstream: Upstream, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    error = refused_in_openai_s_shape(await shared_client.request(method, path, **more), status)
    assert error["type"] == ("permission_error" if status == 403 else "invalid_request_error")
    assert shared_upstream.calls == 0


async def test_a_look_at_it_starts_nothing(shared_client: Client, shared_upstream: Upstream) -> None:
    reply = await shared_client.request("HEAD", COMPLETIONS)
    assert (reply.status, reply.headers["Allow"], shared_upstream.calls) == (405, "POST", 0)


async def test_halves_of_characters_are_no_reason_to_break(shared_client: Client, shared_upstream: Upstream) -> None:
    half = '"\\ud800"'
    body = (
        f'{{"model": "{MODEL}", "messages": [{{"role": "assistant", "content": "", "reasoning": {half},'
        f'"annotations": [{half}]}}, {{"role": "user", "content": {half}}}], "stop": {half}, "user": {half},'
        f'"response_format": {{"type": "json_schema", "json_schema": {{"name": "a", "schema": {{{half}: {half}}}}}}}}}'
    )
    key = [("Content-Type", "application/json"), ("Idempotency-Key", "halves")]
    reply = await shared_client.request("POST", COMPLETIONS, body=body.encode(), headers=key)
    assert reply.status == 200, reply.text
    asked = shared_upstream.requests[0].json
    assert (asked["messages"][0]["content"], asked["stop"], asked["user"]) == ("\ufffd", ["\ufffd"], "\ufffd")
    assert asked["response_format"]["json_schema"]["schema"] == {"\ufffd": "\ufffd"}


async def test_a_question_whose_answer_says_nothing_is_a_whole_answer(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*say())
    async with asynchronous(shared_server) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=user("hi"))
        stream = await client.chat.completions.create(model=MODEL, messages=user("hi"), stream=True)
        chunks = [each async for each in stream]
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("", "stop")
    assert [each.choices[0].finish_reason for each in chunks] == [None, "stop"]
