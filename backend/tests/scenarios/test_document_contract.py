"""What the user's document writes down holds, byte for byte."""

import json
from typing import Any, get_args

import pytest

from tests.support.client import CHAT, Client
from tests.support.script import say
from tests.support.upstream import Upstream

DEVELOPMENT = ("http://localhost:5173", "http://127.0.0.1:5173")
HISTORY = [{"role": "user", "content": "내 이름은 민수야"}, {"role": "assistant", "content": "반가워요, 민수 님!"}]
BARE = 'data: {"chunk": "안녕"}\n\ndata: {"chunk": "하세요"}\n\ndata: {"chunk": "!"}\n\ndata: {"done": true}\n\n'


def prompt(upstream: Upstream) -> list[dict[str, str]]:
    return upstream.requests[-1].json["messages"]


# ── The small endpoints ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_root_says_who_is_there(shared_client: Client) -> None:
    reply = await shared_client.request("GET", "/")
    assert (reply.status, reply.json) == (200, {"message": "AI Chat Service API"})
    assert reply.headers["content-type"] == "application/json"


async def test_health_says_healthy(shared_client: Client) -> None:
    reply = await shared_client.request("GET", "/health")
    assert (reply.status, reply.json["status"]) == (200, "healthy")
    assert reply.headers["content-type"] == "application/json"


async def test_a_program_gets_the_root_s_json_and_caches_know_that_accept_decides(shared_client: Client) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        reply = await shared_client.request("GET", "/", headers={"Accept": accept})
        assert reply.json == {"message": "AI Chat Service API"}
        assert "accept" in reply.headers["vary"].lower()


async def test_the_schema_has_the_document_s_title(shared_client: Client) -> None:
    assert (await shared_client.request("GET", "/openapi.json")).json["info"]["title"] == "AI Chat Service"


async def test_probes_may_ask_for_the_head_alone(shared_client: Client) -> None:
    for path in ("/", "/health"):
        reply = await shared_client.request("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")


# ── The stream ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_post_streams_the_document_s_frames_byte_for_byte(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say("안녕", "하세요", "!", gate="token"))
    async with await shared_client.open_chat("인사해 줘", resumable=False) as stream:
        for tokens in (1, 2, 3):  # one at a time, so that none are written as one
            shared_upstream.open("token", times=1)
            await stream.read_until(when=lambda read, n=tokens: read.body.count(b"\n\n") >= n)
        reply = await stream.read()
    assert reply.text == BARE
    assert reply.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert shared_upstream.calls == 1


async def test_a_client_that_splits_on_blank_lines_and_strips_the_prefix_reads_the_answer(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    text = 'Zeile eins\n\nline two\r\n\r\ndata: {"done": true}\n\n\u2028\x85 끝 "\\"'
    shared_upstream.script(*say(*text))
    reply = await shared_client.request("POST", CHAT, json={"message": "Be difficult"}, headers={"Accept": "*/*"})
    *frames, rest = reply.text.split("\n\n")
    parsed = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    assert rest == ""
    assert "".join(frame["chunk"] for frame in parsed[:-1]) == text
    assert parsed[-1] == {"done": True}


async def test_a_get_streams_the_same_frames_for_an_event_source(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say("안녕", "하세요"))
    stream = await shared_client.open_stream("GET", CHAT, query={"message": "인사해 줘", "history": "[]"})
    reply = await stream.read()
    frames = [event.json for event in stream.events]
    assert "".join(frame.get("chunk", "") for frame in frames) == "안녕하세요"
    assert frames[-1] == {"done": True}
    assert all(event.type == "message" for event in stream.events)
    assert '"chunk": "안녕' in reply.text
    assert prompt(shared_upstream) == [{"role": "user", "content": "인사해 줘"}]


async def test_the_stream_has_the_headers_that_keep_it_a_stream(shared_client: Client) -> None:
    for get in (False, True):
        answer = await shared_client.ask(f"Headers please {get}", get=get, headers={"Accept-Encoding": "gzip, br"})
        assert answer.headers["cache-control"] == "no-cache, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        assert len(answer.headers["x-run-id"]) == 26
        assert answer.headers.all("access-control-allow-origin") == []


# ── What is asked of the model ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_model_gets_the_history_then_the_message_with_the_document_s_parameters(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    await shared_client.ask("내 이름이 뭐야?", HISTORY, bare=True)
    asked = shared_upstream.requests[-1]
    assert asked.path == "/v1/chat/completions"
    assert asked.json["messages"] == [*HISTORY, {"role": "user", "content": "내 이름이 뭐야?"}]
    assert (asked.json["model"], asked.json["stream"]) == ("gpt-3.5-turbo", True)
    assert (asked.json["max_tokens"], asked.json["temperature"]) == (1000, 0.7)


@pytest.mark.parametrize("body", [{}, {"history": None}, {"history": []}], ids=["missing", "null", "empty"])
async def test_the_history_may_be_missing_null_or_empty(
    shared_client: Client, shared_upstream: Upstream, body: dict[str, Any]
) -> None:
    reply = await shared_client.request("POST", CHAT, json={"message": "No past", **body})
    assert reply.text.endswith('data: {"done": true}\n\n')
    assert prompt(shared_upstream) == [{"role": "user", "content": "No past"}]


async def test_a_get_takes_the_history_as_a_json_string(shared_client: Client, shared_upstream: Upstream) -> None:
    answer = await shared_client.ask("내 이름이 뭐야?", HISTORY, get=True)
    assert (answer.text, answer.done) == ("Hello there", True)
    assert prompt(shared_upstream) == [*HISTORY, {"role": "user", "content": "내 이름이 뭐야?"}]


@pytest.mark.parametrize("history", [None, "[]", "null"])
async def test_a_get_may_leave_the_history_out(
    shared_client: Client, shared_upstream: Upstream, history: str | None
) -> None:
    query = {"message": f"No past, by GET: {history}"} | ({} if history is None else {"history": history})
    reply = await shared_client.request("GET", CHAT, query=query)
    assert reply.status == 200
    assert prompt(shared_upstream) == [{"role": "user", "content": query["message"]}]


async def test_empty_answers_in_the_history_are_left_out_of_the_prompt(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    empty = {"role": "assistant", "content": ""}
    await shared_client.ask("Again", [{"role": "user", "content": "First"}, empty], bare=True)
    assert prompt(shared_upstream) == [{"role": "user", "content": "First"}, {"role": "user", "content": "Again"}]


async def test_plus_and_percent_20_in_a_query_are_both_a_space(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    for written in ("plus+and%20space", "plus%20and+space"):
        assert (await shared_client.request("GET", f"{CHAT}?message={written}")).status == 200
        assert prompt(shared_upstream)[-1]["content"] == "plus and space"


async def test_an_error_reaches_a_client_of_the_document_as_a_chunk_and_then_done(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*say("Half an", finish_reason=None, usage=False)[:3])
    reply = await shared_client.request("POST", CHAT, json={"message": "Break"})
    *frames, _ = reply.text.split("\n\n")
    chunk, error, done = (json.loads(frame.removeprefix("data: ")) for frame in frames)
    assert chunk == {"chunk": "Half an"}
    assert error["chunk"].startswith("Error: ")
    assert done == {"done": True}


# ── CORS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("origin", DEVELOPMENT)
async def test_the_development_page_may_ask_and_read_with_credentials(shared_client: Client, origin: str) -> None:
    for get in (False, True):
        answer = await shared_client.ask(f"From {origin}, {get}", get=get, headers={"Origin": origin})
        assert (answer.status, answer.done) == (200, True)
        assert answer.headers.all("access-control-allow-origin") == [origin]
        assert answer.headers["access-control-allow-credentials"] == "true"
        exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert exposed == {"X-Run-Id", "X-Request-Id", "X-Should-Retry", "Idempotent-Replayed", "Retry-After"}
        assert "origin" in answer.headers["vary"].lower()


async def test_the_development_page_can_read_why_it_was_refused(shared_client: Client) -> None:
    reply = await shared_client.request("POST", CHAT, json={"message": " "}, headers={"Origin": DEVELOPMENT[0]})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (422, DEVELOPMENT[0])


@pytest.mark.parametrize("origin", DEVELOPMENT)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_a_preflight_may_name_any_header_and_method(shared_client: Client, origin: str, method: str) -> None:
    asked = "content-type, idempotency-key, x-anything-at-all"
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": asked,
    }
    reply = await shared_client.request("OPTIONS", CHAT, headers=headers)
    assert reply.status in (200, 204)
    assert reply.headers.all("access-control-allow-origin") == [origin]
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert method in reply.headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in reply.headers["access-control-allow-headers"].split(",")}
    assert allowed >= {"content-type", "idempotency-key", "x-anything-at-all"}


# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_document_s_names_are_where_it_has_them() -> None:
    from app.models import ChatMessage, ChatRequest
    from app.routers.chat import router
    from app.services.ai_service import AIService

    message = ChatMessage(role="user", content="안녕")
    request = ChatRequest(message="반가워", history=[message])
    assert (request.message, request.history) == ("반가워", [message])
    assert ChatRequest.model_validate({"message": "혼자"}).history in (None, [])
    assert set(get_args(ChatMessage.model_fields["role"].annotation)) == {"user", "assistant"}
    assert AIService.__module__ == "app.services.ai_service"
    assert router.prefix == "/api/chat"


def test_the_application_is_where_the_document_s_command_looks_for_it() -> None:
    import app.main

    assert callable(app.main.create_app)
    assert app.main.app.title == "AI Chat Service"
