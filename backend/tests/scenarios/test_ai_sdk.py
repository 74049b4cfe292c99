"""`format=ui` with the AI SDK's own chat and transport: send, resume, stop, fail."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.support.answers import SAID, parts_of, think
from tests.support.client import Client
from tests.support.node import CLIENTS, Script, script
from tests.support.proxy import Proxy
from tests.support.script import Fin, Gate, Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream

SHARED_SETTINGS = {"TITLES": "0"}
HALF = Status(), Send(chunk("", role="assistant")), Send(chunk("half "))
REST = Send(chunk("and half", finish_reason="stop"))
FINISHED = {"isAbort": False, "isDisconnect": False, "isError": False, "finishReason": "stop"}


def chat(url: str, scenario: str) -> AbstractAsyncContextManager[Script]:
    return script(CLIENTS / "ai-sdk.mjs", url, scenario)


def parts_so_far(state: dict[str, Any]) -> list[tuple[str, str]]:
    """The same of the last message, done or not."""
    return [(part["type"], part["text"]) for part in state["messages"][-1]["parts"]]


def parts(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind and text of each part that a chat shows; all of them are done."""
    assert all(part["state"] == "done" for part in message["parts"]), message
    return [(part["type"], part["text"]) for part in message["parts"]]


async def test_a_chat_sends_and_shows_text_and_reasoning_in_their_order(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    async with chat(shared_server.url, "send") as running:
        state = await running.said()
        await running.ended()
    assert (state["status"], state["error"], state["finished"]) == ("ready", None, [FINISHED, FINISHED])
    first, answer, again, second = state["messages"]
    assert (first["role"], answer["role"], again["role"]) == ("user", "assistant", "user")
    assert parts(answer) == parts_of(SAID)
    assert parts(second) == [("text", "Hello there")]
    assert answer["metadata"]["model"] == "openai/gpt-3.5-turbo"
    assert state["data"] == ["data-usage", "data-usage"]
    shown = [(turn["role"], turn["content"]) for turn in shared_upstream.requests[1].json["messages"]]
    assert shown[0] == ("user", "안녕? 🧵")
    assert shown[1] == ("assistant", "".join(text for kind, text in SAID if kind == "text"))
    assert shown[2] == ("user", "And again?")


async def test_a_chat_in_a_conversation_leaves_its_history_to_the_service(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say("One."))
    shared_upstream.script(*say("Two."))
    async with chat(shared_server.url, "conversation") as running:
        state = await running.said()
    talk = Talk(shared_client, state["conversation"])
    assert await talk.said() == ["First", "One.", "Second", "Two."]
    kept = [message["id"] for message in await talk.branch() if message["role"] == "assistant"]
    assert [message["id"] for message in state["messages"] if message["role"] == "assistant"] == kept
    assert [turn["content"] for turn in shared_upstream.requests[-1].json["messages"]][:3] == [
        "First",
        "One.",
        "Second",
    ]


async def test_a_page_that_is_loaded_again_goes_on_with_the_answer(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*HALF, Gate("on"), REST)
    async with chat(shared_server.url, "resume") as running:
        before = await running.said()
        streaming = await running.said()
        shared_upstream.open("on")
        after = await running.said()
        again = await running.said()
        await running.ended()
    assert before["finished"][0]["isAbort"]
    assert streaming["status"] == "streaming"
    for state in (after, again):
        assert (state["status"], state["error"]) == ("ready", None)
        assert [message["role"] for message in state["messages"]] == ["user", "assistant"], "the same message, not two"
        assert parts(state["messages"][1]) == [("text", "half and half")]
        assert state["messages"][1]["id"] == before["messages"][1]["id"]
    assert shared_upstream.calls == 1


async def test_a_chat_whose_line_breaks_goes_on_with_the_answer(
    server: Server, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(*HALF, Gate("on"), REST)
    async with chat(proxy.url, "disconnect") as running:
        await running.said()
        await proxy.cut_all()
        broken = await running.said()
        upstream.open("on")
        state = await running.said()
        await running.ended()
    assert (broken["status"], parts_so_far(broken)) == ("error", [("text", "half ")])
    assert (state["status"], state["error"]) == ("ready", None)
    assert [message["role"] for message in state["messages"]] == ["user", "assistant"]
    assert parts(state["messages"][1]) == [("text", "half and half")]
    assert upstream.calls == 1


async def test_stopping_ends_the_answer_and_keeps_what_was_said(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*HALF, Hang())
    async with chat(shared_server.url, "stop") as running:
        state = await running.said()
        await running.ended()
    await shared_upstream.requests[0].is_closed(1)
    assert (state["cancelled"], state["status"], state["error"]) == (202, "ready", None)
    assert parts(state["messages"][1]) == [("text", "half ")]


async def test_a_failure_is_the_chat_s_error_in_our_words(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*HALF, Gate("cut"), Fin())
    async with chat(shared_server.url, "fail") as running:
        run = (await running.said())["run"]
        shared_upstream.open("cut")
        running.go_on()
        state = await running.said()
        await running.ended()
    assert state["error"] == (await shared_client.run(run)).json["error"]["message"]
    assert (state["status"], state["finished"][0]["isError"]) == ("error", True)
    assert parts(state["messages"][1]) == [("text", "half ")]


async def test_a_refusal_is_the_chat_s_error_with_its_status(shared_server: Server, shared_upstream: Upstream) -> None:
    async with chat(shared_server.url, "refused") as running:
        state = await running.said()
    assert (state["status"], state["statusCode"], shared_upstream.calls) == ("error", 422, 0)
    assert "Write something." in state["error"]
