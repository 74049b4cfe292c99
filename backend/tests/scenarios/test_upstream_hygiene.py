"""What comes from upstream is made clean once, where it comes in; and what goes there is what was asked."""

import json
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.invariants import Books
from tests.support.outcome import outcome, parts, peak_bytes, scripted
from tests.support.script import (
    DONE,
    Cut,
    Gate,
    Send,
    Sleep,
    Status,
    chunk,
    event,
    say,
    serve_body,
    stream,
    usage_chunk,
)
from tests.support.server import Server
from tests.support.sockets import free_port
from tests.support.upstream import Upstream

TEXT = "известни 😀 नमस्ते, 안녕"
KIB, MIB = 2**10, 2**20

# ── fragments ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
async def test_text_written_one_byte_at_a_time_arrives_exactly(
    shared_client: Client, shared_upstream: Upstream, end: bytes
) -> None:
    seen = await scripted(shared_client, shared_upstream, *serve_body(stream(TEXT, " end", end=end), cut=Cut()))
    assert seen.ended == ("completed", None, TEXT + " end")
    assert (shared_upstream.calls, seen.run["finish_reason"]) == (1, "stop")


async def test_a_character_cut_by_a_pause_is_not_shown_in_halves(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    body = stream("one ", "😀")
    middle = body.index("😀".encode()) + 2
    shared_upstream.script(Status(), Send(body[:middle]), Gate("rest"), Send(body[middle:]))
    half = await shared_client.ask("Well?", until=1)
    assert half.text == "one "
    shared_upstream.open("rest")
    rest = await shared_client.follow(half.run_id, half.cursor)
    assert half.text + rest.text == "one 😀"


async def test_comments_of_a_patient_endpoint_are_no_text(shared_client: Client, shared_upstream: Upstream) -> None:
    waiting = [step for _ in range(20) for step in (Send(b": OPENROUTER PROCESSING\n\n"), Sleep(0.02))]
    seen = await scripted(shared_client, shared_upstream, Status(), *waiting, Send(stream("said")))
    assert seen.ended == ("completed", None, "said")
    assert b"OPENROUTER" not in seen.answer.body


async def test_id_and_retry_of_upstream_are_not_passed_on(shared_client: Client, shared_upstream: Upstream) -> None:
    body = b"\xef\xbb\xbfid: theirs-9\nretry: 77\nevent: message\n" + stream("said")
    seen = await scripted(shared_client, shared_upstream, *serve_body(body))
    assert seen.ended == ("completed", None, "said")
    assert b"theirs-9" not in seen.answer.body
    assert b"retry: 77\n" not in seen.answer.body


# ── whole answers, large ones ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "text/plain"])
async def test_a_whole_json_answer_is_an_answer_whatever_its_type_is_called(
    shared_client: Client, shared_upstream: Upstream, content_type: str
) -> None:
    answer = {"choices": [{"message": {"content": TEXT}, "finish_reason": "length"}]}
    body = b"\n\n  " + json.dumps(answer).encode()
    seen = await scripted(shared_client, shared_upstream, *serve_body(body, cut=Cut(), content_type=content_type))
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, TEXT, "length")


async def test_a_very_large_delta_comes_in_frames_of_at_most_16_kib(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    text = "가나다😀" * 50_000
    seen = await scripted(shared_client, shared_upstream, *say(text[:100_000], text[100_000:]))
    assert seen.ended == ("completed", None, text)
    assert max(len(frame.get("chunk", "").encode()) for frame in seen.answer.frames) <= 16 * KIB


async def test_a_whole_json_answer_may_have_4_mib_and_not_more(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    def answer(size: int) -> bytes:
        return (
            json.dumps({"padding": "", "choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]})
            .replace('"padding": "', '"padding": "' + "x" * size)
            .encode()
        )

    rest = len(answer(0))
    fits = await scripted(shared_client, shared_upstream, *serve_body(answer(4 * MIB - rest)))
    assert fits.ended == ("completed", None, TEXT)
    over = await scripted(shared_client, shared_upstream, *serve_body(answer(4 * MIB - rest + 1)))
    assert over.ended == ("failed", "upstream_protocol", "")


@pytest.mark.parametrize("start", [b"data: ", b": ", b"", b'{"choices": [{"message": {"content": "'])
async def test_an_endless_line_ends_the_run_and_takes_no_memory(
    shared_client: Client, shared_upstream: Upstream, shared_server: Server, start: bytes
) -> None:
    before = peak_bytes(shared_server.pid)
    text = b"" if start.startswith(b"{") else chunk("before ")
    flood = [Send(b"x" * MIB)] * 100
    seen = await scripted(shared_client, shared_upstream, Status(), Send(text + start), *flood)
    assert seen.ended == ("failed", "upstream_protocol", "before " if text else "")
    await (await shared_upstream.request()).is_closed()
    assert shared_upstream.requests[0].sent < 40 * MIB  # what the kernel's buffers take, and a little
    assert peak_bytes(shared_server.pid) - before < 30 * MIB


async def test_events_without_a_blank_line_end_the_run_at_the_same_limit(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    line = b"data: " + b" " * 1000 + b"\n"
    seen = await scripted(shared_client, shared_upstream, Status(), Send(chunk("before")), Send(line * 1100))
    assert seen.ended == ("failed", "upstream_protocol", "before")


# ── what is skipped, what is kept apart ──────────────────────────────────────────────────────────────────────────────


async def test_reasoning_is_kept_apart_and_never_in_the_chat(shared_client: Client, shared_upstream: Upstream) -> None:
    deltas = [
        chunk(reasoning_content="hm "),
        chunk(reasoning="so"),
        chunk("It "),
        chunk(reasoning="wait"),
        chunk("is."),
    ]
    end = chunk(finish_reason="stop") + DONE
    seen = await scripted(shared_client, shared_upstream, *serve_body(b"".join(deltas) + end))
    assert seen.ended == ("completed", None, "It is.")
    expected = [("reasoning", "hm so"), ("text", "It "), ("reasoning", "wait"), ("text", "is.")]
    assert await parts(shared_client, seen.answer.run_id) == expected


async def test_surrogates_and_nul_are_storable_text_everywhere(
    shared_client: Client, shared_upstream: Upstream, shared_server: Server
) -> None:
    halves = [r'"\ud83d"', r'"\ude00 "', r'"\ud83d"', r'" \u0000 \udead"']
    deltas = [b'data: {"choices":[{"index":0,"delta":{"content":' + half.encode() + b"}}]}\n\n" for half in halves]
    body = b"".join(deltas) + chunk(finish_reason="stop") + DONE
    seen = await scripted(shared_client, shared_upstream, *serve_body(body))
    assert seen.ended == ("completed", None, "😀 \ufffd \ufffd \ufffd")
    assert Books.read(shared_server.database).text(seen.answer.run_id) == seen.text


async def test_text_that_looks_like_a_frame_stays_text(shared_client: Client, shared_upstream: Upstream) -> None:
    text = 'a\n\ndata: {"done": true}\n\nid: x-end-2\r\n\r\n\x1b[2J\u2028b'
    seen = await scripted(shared_client, shared_upstream, *say(text))
    assert seen.ended == ("completed", None, text)
    shared_upstream.script(*say(text))
    naive = await shared_client.ask("Well?", bare=True)
    assert (naive.text, naive.done) == (text, True)


async def test_a_call_of_a_tool_is_no_text_and_its_finish_reason_is_told(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    call = {"index": 0, "delta": {"content": None, "tool_calls": [{"function": {"arguments": "{}"}}]}}
    seen = await scripted(
        shared_client,
        shared_upstream,
        *serve_body(event({"choices": [call]}) + chunk(finish_reason="tool_calls") + DONE),
    )
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, "", "tool_calls")


async def test_only_the_first_choice_is_read(shared_client: Client, shared_upstream: Upstream) -> None:
    second = {"index": 1, "delta": {"content": "NO"}, "finish_reason": "length"}
    both = chunk("yes").replace(b'"choices": [', b'"choices": [' + json.dumps(second).encode() + b", ")
    seen = await scripted(shared_client, shared_upstream, *serve_body(both + chunk(finish_reason="stop") + DONE))
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, "yes", "stop")


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2)),
        ({"prompt_tokens": -3, "completion_tokens": 2}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 2}, None),
        ({"prompt_tokens": 3.5, "completion_tokens": "2"}, None),
        ({"prompt_tokens": float("inf"), "completion_tokens": 2}, None),
    ],
)
async def test_implausible_usage_is_dropped_and_fails_nothing(
    shared_client: Client, shared_upstream: Upstream, usage: Any, told: tuple[int, int] | None
) -> None:
    last = usage_chunk(usage).replace(b"Infinity", b"1e400")
    body = chunk("text") + chunk(finish_reason="stop") + last + DONE
    seen = await scripted(shared_client, shared_upstream, *serve_body(body))
    assert seen.ended == ("completed", None, "text")
    found = seen.run.get("usage")
    assert (found and (found["input_tokens"], found["output_tokens"])) == told


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
async def test_a_compressed_response_is_not_asked_for_and_not_taken(
    shared_client: Client, shared_upstream: Upstream, encoding: str
) -> None:
    head = Status(headers={"Content-Type": "text/event-stream", "Content-Encoding": encoding})
    seen = await scripted(shared_client, shared_upstream, head, Send(stream("said")))
    assert seen.ended == ("failed", "upstream_protocol", "")
    assert shared_upstream.requests[0].headers.all("Accept-Encoding") == ["identity"]
    assert shared_upstream.calls == 1


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_upstream_gets_the_history_then_the_message_with_the_defaults(
    shared_client: Client, shared_upstream: Upstream, module_serve: Serve
) -> None:
    history = [
        {"role": "user", "content": "안녕"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "Hello"},
    ]
    await outcome(shared_client, "And now?", history=history)
    request = shared_upstream.requests[0]
    asked = request.json
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.authorization == f"Bearer {module_serve.canary}"
    assert request.headers["Content-Type"] == "application/json"
    assert asked["messages"] == [history[0], history[2], {"role": "user", "content": "And now?"}]
    assert (asked["model"], asked["max_tokens"], asked["temperature"]) == ("gpt-3.5-turbo", 1000, 0.7)
    assert (asked["stream"], asked["stream_options"]) == (True, {"include_usage": True})


async def test_settings_decide_what_is_asked_and_nothing_else_in_the_environment_does(
    serve: Serve, upstream: Upstream
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), dead)
    asked = {"SYSTEM_PROMPT": "Be brief.", "MAX_TOKENS": 7, "TEMPERATURE": 0, "OPENAI_MODEL": "m-1"}
    server = await serve(**proxies, **asked, OPENAI_API_KEY=None, OPENAI_BASE_URL=upstream.url + "/")
    seen = await outcome(Client(server.port))
    assert seen.ended == ("completed", None, "Hello there")
    request = upstream.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.authorization is None
    assert request.json["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (request.json["model"], request.json["max_tokens"], request.json["temperature"]) == ("m-1", 7, 0)


@pytest.mark.parametrize("field", ["base_url", "api_key", "url"])
async def test_a_request_cannot_say_where_to_ask(shared_client: Client, shared_upstream: Upstream, field: str) -> None:
    async with Upstream() as other:
        body = {"message": "Well?", field: other.url}
        reply = await shared_client.request("POST", "/api/chat/stream", json=body)
        assert reply.status == 422
        assert (shared_upstream.calls, other.connections) == (0, 0)
