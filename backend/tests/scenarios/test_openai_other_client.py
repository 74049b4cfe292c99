"""OpenAI's door with a client that is not OpenAI's: the AI SDK's provider for compatible endpoints."""

import pytest

from tests.support.answers import SAID, text_of, think
from tests.support.node import CLIENTS, script
from tests.support.script import Fin, Hang, Send, Status, chunk, error_status
from tests.support.server import Server
from tests.support.upstream import Upstream

CLIENT = CLIENTS / "openai-compatible.mjs"
HALF = Status(), Send(chunk("", role="assistant")), Send(chunk("half "))


async def test_it_reads_text_reasoning_and_usage_streamed_and_whole(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*think())
    async with script(CLIENT, shared_server.url, "answer") as running:
        answers = [await running.said(), await running.said()]
        await running.ended()
    for answer in answers:
        assert answer["text"] == text_of()
        assert answer["reasoning"] == "".join(text for kind, text in SAID if kind == "reasoning")
        assert (answer["finish"], answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == ("stop", 12, 3)
    asked = shared_upstream.requests[0].json
    assert (asked["top_p"], asked["seed"], asked["stop"]) == (0.5, 7, ["끝"])
    assert [turn["role"] for turn in asked["messages"]] == ["system", "user"]


@pytest.mark.parametrize(("status", "told"), [(400, (400, "upstream_rejected")), (429, (429, "upstream_rate_limited"))])
async def test_it_knows_our_errors(
    shared_server: Server, shared_upstream: Upstream, status: int, told: tuple[int, str]
) -> None:
    shared_upstream.otherwise(*error_status(status, {"Retry-After": "11"}))
    async with script(CLIENT, shared_server.url, "refused" if status == 400 else "refused once") as running:
        error = await running.said()
    assert (error["statusCode"], error["code"]) == told
    assert shared_upstream.calls == 1


async def test_it_takes_an_answer_that_broke_off_for_broken(shared_server: Server, shared_upstream: Upstream) -> None:
    shared_upstream.script(*HALF, Fin())
    async with script(CLIENT, shared_server.url, "cut") as running:
        parts = await running.said()
    assert parts["text"] == "half "
    assert any("broke off" in str(error) for error in parts["errors"])
    assert parts["finish"] in (None, "error")


async def test_its_leaving_stops_the_model(shared_server: Server, shared_upstream: Upstream) -> None:
    shared_upstream.script(*HALF, Hang())
    async with script(CLIENT, shared_server.url, "leave") as running:
        seen = await shared_upstream.request()
        running.go_on()
        await seen.is_closed(5)
