"""The bytes of both dialects, and when a reader gets which."""

import json
import re

import pytest

from tests.support.answers import think
from tests.support.client import CHAT, Answer, Client
from tests.support.script import Gate, Hang, Reset, Send, Status, chunk, error_status, say
from tests.support.server import Server
from tests.support.sse import BareDecoder
from tests.support.upstream import Upstream
from tests.support.wire_client import Stream

RESUMABLE = {"Accept": "text/event-stream"}


def frame(text: str) -> str:
    return f'data: {{"chunk": {json.dumps(text, ensure_ascii=False)}}}\n\n'


def prelude(stream: Stream | Answer, place: str = "0-0", run_id: str = "") -> str:
    """The beginning that a resumable response must have; only the spread of `retry` is its own choice."""
    found = re.match(rb"retry: ([0-9]+)\n", stream.body)
    assert found is not None, stream.body
    assert 1000 <= int(found[1]) <= 3000
    return f'retry: {found[1].decode()}\nid: {run_id or stream.headers["X-Run-Id"]}-{place}\ndata: {{"chunk": ""}}\n\n'


async def test_a_bare_post_is_exactly_the_document_s_bytes(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(*say("안녕"))
    answer = await shared_client.ask("hi", bare=True)
    assert answer.body.decode() == 'data: {"chunk": "안녕"}\n\ndata: {"done": true}\n\n'
    assert answer.over == "complete"


@pytest.mark.parametrize("by", ["GET", "POST"])
async def test_a_resumable_stream_begins_with_its_place_and_every_frame_has_its_id(
    shared_client: Client, shared_upstream: Upstream, by: str
) -> None:
    shared_upstream.script(*say("안녕", "하세요 👋", gate="delta"))
    async with await shared_client.open_chat(f"hi by {by}", get=by == "GET") as stream:
        for count in (1, 2):
            await stream.read_until(events=count)
            shared_upstream.open("delta", 1)
        await stream.read()
    run = stream.headers["X-Run-Id"]
    assert stream.body.decode() == prelude(stream) + (
        f'id: {run}-0-2\ndata: {{"chunk": "안녕"}}\n\n'
        f'id: {run}-0-7\ndata: {{"chunk": "하세요 👋"}}\n\n'
        f'id: {run}-end-2\ndata: {{"done": true}}\n\n'
    )


async def test_offsets_count_code_points_and_text_is_never_escaped_beyond_need(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    text = 'e\u0301 👩‍👩‍👧 𝒛 \u2028 \u0085 "quoted" \\ </script> /\n\r\n\t\x1f data: {"done": true}\n\n'
    shared_upstream.otherwise(*say(text))
    answer = await shared_client.ask("odd")
    run = answer.run_id
    assert answer.body.decode() == prelude(answer) + (
        f"id: {run}-0-{len(text)}\n{frame(text)}id: {run}-end-2\n" + 'data: {"done": true}\n\n'
    )
    bare = await shared_client.ask("odd", bare=True)
    assert bare.body.decode() == frame(text) + 'data: {"done": true}\n\n'


async def test_a_failure_s_frame_comes_before_done_in_both_dialects(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(Status(), Send(chunk("half")), Gate("cut"), Reset())
    shared_upstream.open("cut")
    resumable, bare = await shared_client.ask("fail"), await shared_client.ask("fail", bare=True)
    for answer in (resumable, bare):
        error = answer.error
        assert error is not None
        assert (error["code"], error["retryable"], error["run_id"]) == ("upstream_interrupted", True, answer.run_id)
        assert list(error) == ["code", "message", "retryable", "run_id"]
    assert bare.error is not None
    assert resumable.error is not None
    told = [
        json.dumps({"chunk": f"Error: {error['message']}", "error": error}, ensure_ascii=False)
        for error in (resumable.error, bare.error)
    ]
    run = resumable.run_id
    assert resumable.body.decode() == prelude(resumable) + (
        f'id: {run}-0-4\ndata: {{"chunk": "half"}}\n\nid: {run}-end-1\ndata: {told[0]}\n\n'
        f'id: {run}-end-2\ndata: {{"done": true}}\n\n'
    )
    assert bare.body.decode() == f'{frame("half")}data: {told[1]}\n\ndata: {{"done": true}}\n\n'


async def test_nothing_that_a_provider_wrote_is_told(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(*error_status(401, message="your secret key"))
    answer = await shared_client.ask("refuse", bare=True)
    assert (answer.status, answer.done, answer.text) == (200, True, "")
    assert answer.error is not None
    assert answer.error["code"] == "upstream_rejected"
    assert b"secret" not in answer.body


async def test_reasoning_is_a_part_of_its_own_and_never_in_the_chat(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*think([("reasoning", "생각"), ("text", "one"), ("reasoning", "hm"), ("text", "two")]))
    answer = await shared_client.ask("think", until=2)
    run = answer.run_id
    await shared_client.ended(run)
    again = await shared_client.follow(run)
    assert again.body.decode() == prelude(again) + (
        f"id: {run}-1-3\n{frame('one')}id: {run}-3-3\n{frame('two')}id: {run}-end-2\n" + 'data: {"done": true}\n\n'
    )
    bare = await shared_client.ask("think", bare=True)
    assert bare.body.decode() == f'{frame("one")}{frame("two")}data: {{"done": true}}\n\n'


@pytest.mark.parametrize("bare", [True, False])
async def test_an_answer_that_says_nothing_is_just_done(
    shared_client: Client, shared_upstream: Upstream, bare: bool
) -> None:
    shared_upstream.script(*say())
    answer = await shared_client.ask("nothing", bare=bare)
    begin = "" if bare else prelude(answer) + f"id: {answer.run_id}-end-2\n"
    assert answer.body.decode() == begin + 'data: {"done": true}\n\n'


@pytest.mark.parametrize(
    ("headers", "resumable"),
    [
        ({"Accept": "text/event-stream"}, True),
        ({"Accept": "application/json, Text/Event-Stream;q=0.5"}, True),
        ({}, False),
        ({"Accept": "*/*"}, False),
        ({"Accept": "text/*"}, False),
        ({"Accept": "application/json"}, False),
        ({"Accept": "text/event-stream;q=0"}, False),
        ({"Accept": "text/event-streams"}, False),
    ],
)
async def test_a_post_is_resumable_where_its_accept_names_event_streams(
    shared_client: Client, headers: dict[str, str], resumable: bool
) -> None:
    reply = await shared_client.request("POST", CHAT, json={"message": "hi"}, headers=headers)
    assert reply.status == 200
    assert (b"id: " in reply.body) is resumable
    if not resumable:
        BareDecoder().feed(reply.body)
        assert reply.body.startswith(b'data: {"chunk": "Hello')


async def test_every_get_is_resumable_whatever_it_accepts(shared_client: Client) -> None:
    reply = await shared_client.request("GET", CHAT, query={"message": "hi"}, headers={"Accept": "*/*"})
    events = await shared_client.request("GET", f"/api/runs/{reply.headers['X-Run-Id']}/events")
    assert reply.body.startswith(b"retry: ")
    assert events.body.startswith(b"retry: ")


async def test_a_bare_post_with_a_cursor_is_resumable(shared_client: Client) -> None:
    first = await shared_client.ask("hi", bare=True)
    place = f"{first.run_id}-0-2"
    reply = await shared_client.request("POST", CHAT, json={"message": "hi"}, headers={"Last-Event-ID": place})
    assert reply.text.startswith("retry: ")
    assert f'id: {place}\ndata: {{"chunk": ""}}\n\n' in reply.text


async def test_every_stream_has_the_headers_that_keep_it_flowing(shared_client: Client) -> None:
    zipped = {"Accept-Encoding": "gzip, br, deflate, zstd"}
    streams = [
        await shared_client.open_chat("hi", resumable=False, headers=zipped),
        await shared_client.open_chat("hi", headers=zipped),
        await shared_client.open_chat("hi", get=True, headers=zipped),
        await shared_client.open_chat("hi", format="ui", headers=zipped),
    ]
    streams.append(await shared_client.open_events(streams[0].headers["X-Run-Id"], headers=zipped))
    for stream in streams:
        assert stream.headers["Content-Type"].split(";")[0] == "text/event-stream"
        assert re.fullmatch(r"[0-9a-z]{26}", stream.headers["X-Run-Id"])
        assert stream.headers.all("Cache-Control") == ["no-cache, no-transform"]
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert stream.headers["X-Content-Type-Options"] == "nosniff"
        assert stream.headers["Referrer-Policy"] == "same-origin"
        assert "Content-Encoding" not in stream.headers
        assert "Idempotent-Replayed" not in stream.headers
        assert (await stream.read()).body
        assert stream.over == "complete"


async def test_head_and_prelude_do_not_wait_for_the_model(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.otherwise(Gate("head"), *say("now"))
    bare = await shared_client.open_chat("wait", resumable=False)
    got = await shared_client.open_chat("wait", get=True)
    await got.read_until(events=1)
    await shared_upstream.at_gate("head", 2)
    assert (bare.status, bare.body, got.status, got.body.decode()) == (200, b"", 200, prelude(got))
    shared_upstream.open("head")
    await bare.read()
    assert bare.body.decode() == frame("now") + 'data: {"done": true}\n\n'


@pytest.mark.parametrize("bare", [True, False])
async def test_every_token_is_there_before_the_model_says_the_next(
    shared_client: Client, shared_upstream: Upstream, bare: bool
) -> None:
    words = [f"word{number} " for number in range(10)]
    shared_upstream.script(*say(*words, gate="word"))
    async with await shared_client.open_chat("word by word", resumable=not bare) as stream:
        for word in words:
            shared_upstream.open("word", 1)
            await stream.read_until(when=lambda stream: f'"{word}"'.encode() in stream.body)  # noqa: B023 - called before the loop goes on
        await stream.read()


@pytest.mark.settings(KEEPALIVE_SECONDS=0.2)
async def test_in_silence_each_dialect_hears_that_the_answer_still_lives(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(Hang())
    bare = await client.open_chat("silent", resumable=False)
    streams = [
        await client.open_chat("silent"),
        await client.open_chat("silent", get=True),
        await client.open_events(bare.headers["X-Run-Id"]),
    ]
    ui = await client.open_chat("silent", format="ui")
    await bare.read_until(body=3 * len(frame("")))
    assert bare.body.decode() == frame("") * (len(bare.body) // len(frame("")))
    for stream in streams:
        await stream.read_until(when=lambda stream: len(stream.sse.comments) >= 3)
        begin = prelude(stream)
        assert stream.body.decode() == begin + ": keepalive\n\n" * len(stream.sse.comments)
        assert len(stream.events) == 1
    await ui.read_until(when=lambda stream: len(stream.sse.comments) >= 2)
    assert ui.body.endswith(b": keepalive\n\n: keepalive\n\n")
