"""AG-UI's door with AG-UI's own client, which checks every event and their order."""

import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.support.answers import SAID, parts_of, think
from tests.support.client import Client
from tests.support.node import CLIENTS, Script, script
from tests.support.problems import refused
from tests.support.script import Fin, Gate, Hang, Send, Status, chunk
from tests.support.server import Server
from tests.support.upstream import Upstream

AGENT = "/api/agui"
HALF = Status(), Send(chunk("", role="assistant")), Send(chunk("half "))


def agent(server: Server, scenario: str) -> AbstractAsyncContextManager[Script]:
    return script(CLIENTS / "ag-ui.mjs", server.url, scenario)


def kinds(state: dict[str, Any]) -> list[str]:
    return [event["type"] for event in state["events"]]


async def test_an_agent_answers_a_thread_and_the_client_has_nothing_to_complain_about(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    async with agent(shared_server, "answer") as running:
        first, second = await running.said(), await running.said()
        assert await running.ended() == ""
    roles = {"reasoning": "reasoning", "text": "assistant"}
    shown = [(message["role"], message["content"]) for message in first["messages"][2:]]
    assert shown == [(roles[kind], text) for kind, text in parts_of(SAID)]
    assert (first["events"][0]["threadId"], first["events"][0]["runId"]) == ("thread-1", "run-1")
    assert (first["thrown"], first["errors"], kinds(first)[-1]) == (None, [], "RUN_FINISHED")
    assert first["events"][-1]["usage"][0]["totalTokens"] == 15
    assert (await shared_client.follow(first["run"])).text == "".join(text for kind, text in SAID if kind == "text")
    assert second["messages"][-1]["content"] == "Hello there"


async def test_the_model_is_shown_the_thread_with_its_context_and_each_answer_as_one(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    async with agent(shared_server, "answer") as running:
        await running.said()
        await running.said()
    first, second = (seen.json for seen in shared_upstream.requests)
    assert [(turn["role"], turn["content"]) for turn in first["messages"]] == [
        ("system", "Be brief."),
        ("system", "Place: 서울"),
        ("user", "안녕? 🧵"),
    ]
    assert [(turn["role"], turn["content"]) for turn in second["messages"]] == [
        ("system", "Be brief."),
        ("user", "안녕? 🧵"),
        ("assistant", "".join(text for kind, text in SAID if kind == "text")),
        ("user", "And again?"),
    ]
    assert (second["temperature"], second["max_tokens"]) == (0.1, 9)


async def test_stopping_by_our_run_is_an_outcome_and_keeps_what_was_said(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*HALF, Gate("there"), Hang())
    async with agent(shared_server, "stop") as running:
        await shared_upstream.at_gate("there")
        shared_upstream.open("there")
        running.go_on()
        state = await running.said()
    await shared_upstream.requests[0].is_closed(1)
    assert (state["thrown"], kinds(state)[-1]) == (None, "RUN_FINISHED")
    assert state["events"][-1]["outcome"] == {"type": "cancelled"}
    assert state["messages"][-1]["content"] == "half "


async def test_a_failure_is_an_error_event_in_our_words(shared_server: Server, shared_upstream: Upstream) -> None:
    shared_upstream.script(*HALF, Fin())
    async with agent(shared_server, "fail") as running:
        state = await running.said()
    assert (kinds(state)[-1], state["events"][-1]["code"]) == ("RUN_ERROR", "upstream_interrupted")
    assert state["messages"][-1]["content"] == "half "


@pytest.mark.settings(ABANDON_SECONDS=0.5)
async def test_a_thread_that_is_left_is_waited_for_like_every_answer_without_a_conversation(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.script(*HALF, Gate("there"), Hang())
    async with agent(server, "leave") as running:
        await upstream.at_gate("there")
        upstream.open("there")
        running.go_on()
        state = await running.said()
    ended = await client.ended(state["run"])
    assert (ended["status"], ended["error"]["code"]) == ("cancelled", "abandoned")
    await upstream.requests[0].is_closed(1)


# ── The wire, and what is refused ────────────────────────────────────────────────────────────────────────────────────


def thread(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"threadId": "t", "runId": "r", "messages": list(messages) or [{"role": "user", "content": "hi"}], **more}


async def test_the_stream_has_data_lines_only_and_names_our_run(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    reply = await shared_client.request("POST", AGENT, json=thread(), headers={"Accept": "text/event-stream"})
    blocks = reply.text.split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith('data: {"type":') and "\n" not in block for block in blocks)
    assert reply.headers["Content-Type"].split(";")[0] == "text/event-stream"
    assert (await shared_client.run(reply.headers["X-Run-Id"])).json["status"] == "completed"
    assert shared_upstream.calls == 1


async def test_a_key_makes_it_repeatable_whatever_the_client_calls_the_run(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    first, second = [
        await shared_client.request(
            "POST", AGENT, json=thread() | {"runId": name}, headers={"Idempotency-Key": "agui-once"}
        )
        for name in ("r-1", "r-2")
    ]
    assert second.headers["X-Run-Id"] == first.headers["X-Run-Id"]
    assert '"runId":"r-2"' in second.text
    assert '"delta":"Hello there"' in second.text
    assert (second.headers["Idempotent-Replayed"], shared_upstream.calls) == ("true", 1)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (thread({"role": "tool", "content": "21", "toolCallId": "c"}), "messages.0.role"),
        (thread({"role": "assistant", "toolCalls": [{"id": "c"}]}), "messages.0.toolCalls"),
        (thread({"role": "user", "content": [{"type": "image", "source": {}}]}), "messages.0.content"),
        (thread({"role": "user", "content": None}), "messages.0.content"),
        (thread({"role": "boss", "content": "a"}), "messages.0.role"),
        (thread({"role": "reasoning", "content": "hm"}), "messages"),
        (thread(tools=[{"name": "f", "description": "", "parameters": {}}]), "tools"),
        (thread(resume=[{"interruptId": "i", "status": "resolved"}]), "resume"),
        (thread(context=[{"description": "a" * 10_001, "value": ""}]), "context.0.description"),
        (thread(forwardedProps={"temperature": 3}), "forwardedProps.temperature"),
        ({"threadId": "t", "messages": [{"role": "user", "content": "hi"}]}, "runId"),
        ({"threadId": "t", "runId": "r", "messages": []}, "messages"),
    ],
    ids=lambda value: str(value)[-40:],
)
async def test_what_cannot_be_done_is_refused_by_its_name(
    shared_client: Client, shared_upstream: Upstream, wrong: dict[str, Any], place: str
) -> None:
    body = refused(await shared_client.request("POST", AGENT, json=wrong), 422)
    assert place in body["detail"]
    assert shared_upstream.calls == 0


async def test_whatever_else_an_application_sends_along_is_no_reason_to_refuse(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    body = thread(
        {"id": "1", "role": "activity", "activityType": "PLAN", "content": {"a": ["\ud800"]}},
        {"id": "2", "role": "assistant"},
        {"id": "3", "role": "user", "content": "hi \ud800", "name": "Ann", "metadata": {"x": 1}, "encryptedValue": "?"},
        state={"counter": 1},
        forwardedProps={"mine": {"deep": [1]}},
        protocolVersion="1.0",
        parentRunId="r-0",
        tools=[],
    )
    headers = [("Content-Type", "application/json"), ("Idempotency-Key", "agui-loose")]
    reply = await shared_client.request("POST", AGENT, body=json.dumps(body).encode(), headers=headers)
    assert reply.status == 200, reply.text
    assert [turn["content"] for turn in shared_upstream.requests[0].json["messages"]] == ["hi \ufffd"]


async def test_a_look_at_it_starts_nothing(shared_client: Client, shared_upstream: Upstream) -> None:
    refused(await shared_client.request("GET", AGENT), 405)
    assert (await shared_client.request("HEAD", AGENT)).status == 405
    assert shared_upstream.calls == 0
