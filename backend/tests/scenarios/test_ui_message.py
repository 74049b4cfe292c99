"""`format=ui`: the AI SDK's UI message stream, with our ids: parts in their order, resumable at any byte."""

import json
import random
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from tests.support.answers import SAID, Said, parts_of, think
from tests.support.bad_line import LossyReader, Question
from tests.support.client import CHAT, Client
from tests.support.script import Fin, Gate, Hang, Send, Status, chunk, say, usage_chunk
from tests.support.sse import Event
from tests.support.upstream import Upstream
from tests.support.wire_client import Stream

SHORT: list[Said] = [
    ("reasoning", "🤔 먼저"),
    ("text", "안녕"),
    ("text", "하세요"),
    ("reasoning", "hm"),
    ("text", "끝 🧵"),
]
LAST = {"finish", "error", "abort"}


def told(events: list[Event]) -> list[tuple[str, Any]]:
    """The place after each frame, without the run, and the frame."""
    return [(event.last_event_id[27:], "[DONE]" if event.data == "[DONE]" else event.json) for event in events]


def type_of(frame: Any) -> str:
    return frame if isinstance(frame, str) else frame["type"]


def check(frames: Sequence[Any]) -> None:
    """One response as the AI SDK takes it: deltas and ends of open parts only, one open at a time, one ending."""
    opened = ""
    for number, frame in enumerate(frames):
        kind, _, act = type_of(frame).partition("-")
        assert (kind == "start") == (number == 0), f"frame {number} of {frames}"
        match act:
            case "start":
                assert not opened, f"{frame} while {opened} is open"
                opened = frame["id"]
            case "delta" | "end":
                assert frame["id"] == opened, f"{frame} while {opened or 'nothing'} is open"
                opened = "" if act == "end" else opened
            case _:
                assert not opened or kind not in LAST, f"{frame} while {opened} is open"
    endings = [number for number, frame in enumerate(frames) if type_of(frame) in LAST]
    assert endings in ([], [len(frames) - 1], [len(frames) - 2])
    assert "[DONE]" not in frames[:-1]


def text_by_part(frames: list[Any]) -> list[tuple[str, str]]:
    """Kind and text of each part, in their order."""
    parts: dict[str, tuple[str, str]] = {}
    for frame in frames:
        if type_of(frame).endswith("-delta"):
            kind, text = parts.get(frame["id"], (frame["type"].removesuffix("-delta"), ""))
            parts[frame["id"]] = (kind, text + frame["delta"])
    return list(parts.values())


async def slowly(client: Client, upstream: Upstream, said: list[Said], message: str) -> Stream:
    """Ask, and have every delta written in a frame of its own."""
    upstream.script(*think(said, gate="delta"))
    stream = await client.open_chat(message, format="ui")
    for number in range(len(said)):
        await stream.read_until(when=lambda stream: stream.body.count(b"-delta") == number)  # noqa: B023 - called before the loop goes on
        upstream.open("delta", 1)
    await stream.read()
    return stream


async def test_a_ui_stream_is_exactly_these_frames_in_this_order(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    stream = await slowly(shared_client, shared_upstream, SHORT[:4], "exactly")
    run = stream.headers["X-Run-Id"]
    message = (await shared_client.run(run)).json["message_id"]
    places = ["0-0", "0-0", "0-4", "0-4", "1-0", "1-2", "1-5", "1-5", "2-0", "2-2", "2-2", "2-2", "end-1", "end-2"]
    data = [
        {
            "type": "start",
            "messageId": message,
            "messageMetadata": {"model": "openai/gpt-3.5-turbo", "run_id": run},
        },
        {"type": "reasoning-start", "id": "part-0"},
        {"type": "reasoning-delta", "id": "part-0", "delta": "🤔 먼저"},
        {"type": "reasoning-end", "id": "part-0"},
        {"type": "text-start", "id": "part-1"},
        {"type": "text-delta", "id": "part-1", "delta": "안녕"},
        {"type": "text-delta", "id": "part-1", "delta": "하세요"},
        {"type": "text-end", "id": "part-1"},
        {"type": "reasoning-start", "id": "part-2"},
        {"type": "reasoning-delta", "id": "part-2", "delta": "hm"},
        {"type": "reasoning-end", "id": "part-2"},
        {
            "type": "data-usage",
            "data": {"input_tokens": 12, "output_tokens": 3, "reasoning_tokens": 0, "cached_tokens": 0},
            "transient": True,
        },
        {"type": "finish", "finishReason": "stop"},
    ]
    lines = [json.dumps(frame, ensure_ascii=False, separators=(",", ":")) for frame in data] + ["[DONE]"]
    places[2] = f"0-{len('🤔 먼저')}"
    places[3] = places[2]
    frames = "".join(f"id: {run}-{place}\ndata: {line}\n\n" for place, line in zip(places, lines, strict=True))
    prelude = re.match(rb"retry: [0-9]{4}\n", stream.body)
    assert prelude is not None
    assert stream.body.decode() == f"{prelude[0].decode()}id: {run}-0-0\n\n{frames}"
    check([frame for _, frame in told(stream.events)])


@pytest.mark.parametrize("by", ["POST", "bare POST", "events"])
async def test_a_ui_stream_has_its_headers_however_it_is_asked_for(shared_client: Client, by: str) -> None:
    if by == "events":
        stream = await shared_client.open_events((await shared_client.ask("hi")).run_id, format="ui")
    else:
        stream = await shared_client.open_chat("hi", format="ui", resumable=by == "POST")
    await stream.read()
    assert stream.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert stream.headers["Content-Type"].split(";")[0] == "text/event-stream"
    assert stream.headers["Cache-Control"] == "no-cache, no-transform"
    assert stream.headers["X-Accel-Buffering"] == "no"
    assert stream.headers["X-Run-Id"]
    assert stream.body.startswith(b"retry: ")
    frames = [frame for _, frame in told(stream.events)]
    check(frames)
    assert text_by_part(frames) == [("text", "Hello there")]


async def test_the_chat_format_has_no_header_of_the_ui(shared_client: Client) -> None:
    assert "x-vercel-ai-ui-message-stream" not in (await shared_client.ask("hi")).headers
    for query in ({"format": "sse"}, {"format": ""}):
        assert (await shared_client.request("POST", CHAT, json={"message": "hi"}, query=query)).status == 422


@pytest.mark.parametrize("how", ["error", "abort", "length", "no text"])
async def test_each_way_to_end_is_one_part_before_the_last_frame(
    shared_client: Client, shared_upstream: Upstream, how: str
) -> None:
    scripts = {
        "error": [Status(), Send(chunk("half")), Gate("cut"), Fin()],
        "abort": [Status(), Send(chunk("half")), Hang()],
        "length": say("half", finish_reason="length", usage=False),
        "no text": [Status(), Send(chunk(role="assistant", finish_reason="stop") + usage_chunk())],
    }
    shared_upstream.script(*scripts[how])
    stream = await shared_client.open_chat(how, format="ui")
    if how != "no text":
        await stream.read_until(when=lambda stream: b"half" in stream.body)
    shared_upstream.open("cut")
    if how == "abort":
        await shared_client.cancel(stream.headers["X-Run-Id"])
    await stream.read()
    *before, last, done = told(stream.events)
    frames = [frame for _, frame in [*before, last, done]]
    check(frames)
    assert (last[0], done) == ("end-1", ("end-2", "[DONE]"))
    error = (await shared_client.run(stream.headers["X-Run-Id"])).json.get("error")
    assert (
        last[1]
        == {
            "error": {"type": "error", "errorText": error and error["message"]},
            "abort": {"type": "abort", "reason": error and error["message"]},
            "length": {"type": "finish", "finishReason": "length"},
            "no text": {"type": "finish", "finishReason": "stop"},
        }[how]
    )
    kinds = [frame["type"] for _, frame in before]
    assert kinds[:1] == ["start"]
    assert (
        kinds[1:]
        == {
            "error": ["text-start", "text-delta", "text-end"],
            "abort": ["text-start", "text-delta", "text-end"],
            "length": ["text-start", "text-delta", "text-end"],
            "no text": ["data-usage"],
        }[how]
    )


async def test_after_the_ending_only_done_is_told_and_after_done_nothing(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Status(), Send(chunk("half")), Fin())
    run = (await shared_client.ask("ends")).run_id
    async with await shared_client.open_events(run, f"{run}-end-1", format="ui") as stream:
        await stream.read()
    nothing = await shared_client.open_events(run, f"{run}-end-2", format="ui")
    assert [(event.last_event_id, event.data) for event in stream.events] == [(f"{run}-end-2", "[DONE]")]
    assert (nothing.status, nothing.body, shared_upstream.calls) == (204, b"", 1)


async def test_a_place_of_one_format_is_the_same_place_in_the_other(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    ui = await slowly(shared_client, shared_upstream, SHORT, "formats")
    run = ui.headers["X-Run-Id"]
    chat = await shared_client.follow(run, f"{run}-1-2")
    assert chat.text == "하세요끝 🧵"
    async with await shared_client.open_events(run, f"{run}-1-2", format="ui") as stream:
        await stream.read()
    frames = [frame for _, frame in told(stream.events)]
    assert text_by_part(frames) == [("text", "하세요"), ("reasoning", "hm"), ("text", "끝 🧵")]


@pytest.mark.parametrize("live", [True, False])
async def test_a_response_that_resumes_inside_a_part_starts_message_and_part_again_with_their_ids(
    shared_client: Client, shared_upstream: Upstream, live: bool
) -> None:
    shared_upstream.script(*think(SHORT[:2], last="end"))
    first = await shared_client.open_chat(f"inside {live}", format="ui")
    await first.read_until(when=lambda stream: "안녕" in stream.body.decode("utf-8", "ignore"))
    run = first.headers["X-Run-Id"]
    if not live:
        shared_upstream.open("end")
        await shared_client.ended(run)
    inside = [("0-2", ["reasoning", "text"]), ("0-4", ["reasoning", "text"]), ("1-1", ["text"]), ("1-2", ["text"])]
    for place, kinds in inside:
        async with await shared_client.open_events(run, f"{run}-{place}", format="ui") as stream:
            await stream.read_until(events=2)
            shared_upstream.open("end")
            await stream.read()
        frames = [frame for _, frame in told(stream.events)]
        check(frames)
        assert frames[0] == first.events[0].json
        assert frames[1] == {"type": f"{kinds[0]}-start", "id": f"part-{place[0]}"}
        assert {at for at, _ in told(stream.events[:2])} == {place}
        starts = [frame["type"].removesuffix("-start") for frame in frames[1:-1] if frame["type"].endswith("-start")]
        assert starts == kinds


@pytest.mark.parametrize("by", ["live places", "any character"])
async def test_from_every_place_comes_a_message_that_stands_alone_and_exactly_the_rest(
    shared_client: Client, shared_upstream: Upstream, by: str
) -> None:
    stream = await slowly(shared_client, shared_upstream, list(SAID), f"every place: {by}")
    run = stream.headers["X-Run-Id"]
    parts = parts_of()
    places = [event.last_event_id for event in stream.events[:-2]]
    if by == "any character":
        places = [f"{run}-{part}-{at}" for part, (_, text) in enumerate(parts) for at in range(len(text) + 1)]
    for place in dict.fromkeys(places):
        _, part, offset = place.split("-")
        async with await shared_client.open_events(run, place, format="ui") as rest:
            await rest.read()
        frames = [frame for _, frame in told(rest.events)]
        check(frames)
        kind, text = parts[int(part)]
        after = [(kind, text[int(offset) :]), *parts[int(part) + 1 :]]
        assert text_by_part(frames) == [each for each in after if each[1]], place


async def test_a_ui_stream_cut_at_any_byte_and_cut_again_is_whole_and_exactly_once(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think(SHORT[:2]))
    question = Question("POST", "Cut?", "ui-cut", format="ui")
    await LossyReader(shared_client, question).read()
    wire = (await LossyReader(shared_client, question).read()).wire
    head, size, chance = wire.index(b"\r\n\r\n"), len(wire), random.Random(3)
    for place in range(head, size + 1):
        reader = LossyReader(shared_client, question)
        counts: list[int] = []
        for cut in (place, *([chance.randrange(head, size)] if place % 3 == 0 else []), None):
            await reader.read(cut)
            counts.append(len(reader.frames))
        frames: list[Any] = [frame if frame == "[DONE]" else json.loads(frame) for frame in reader.frames]
        for start, end in pairwise([0, *counts]):
            if frames[start:end] and frames[start] != "[DONE]":
                check(frames[start:end])
        assert text_by_part(frames) == parts_of(SHORT[:2]), f"cut at byte {place}"
        endings = [type_of(frame) for frame in frames if type_of(frame) in {*LAST, "[DONE]"}]
        assert endings == ["finish", "[DONE]"], f"cut at byte {place}"
    assert shared_upstream.calls == 1
