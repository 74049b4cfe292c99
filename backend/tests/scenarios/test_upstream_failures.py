"""However upstream fails: what was said is kept, the row and the frame say why in our words, and the key stays here."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import closing

import pytest

from tests.support.client import Client, read_answer
from tests.support.crowd import Crowd
from tests.support.fixtures import Serve
from tests.support.outcome import looked_at, outcome, parts, scripted
from tests.support.script import (
    DONE,
    Fin,
    Gate,
    Hang,
    Raw,
    Reset,
    Send,
    Sleep,
    Status,
    Step,
    chunk,
    error_status,
    event,
    json_status,
    serve_body,
    usage_chunk,
)
from tests.support.server import Server
from tests.support.sockets import free_port
from tests.support.upstream import Upstream

SAID = [f"{number} " for number in range(5)]
FIVE = b"".join(map(chunk, SAID))
TEXT = "".join(SAID)
FINISH = chunk(finish_reason="stop")
SECRET = "words of the provider"
HTML = f"<!doctype html><title>Log in</title><p>{SECRET}".encode()


def broken_off(*ending: Step, after: bytes = FIVE) -> Sequence[Step]:
    """A stream that is left in this way."""
    return (Status(), Send(after), *ending)


def in_band(error: object) -> Sequence[Step]:
    return serve_body(FIVE + event({"error": error}) + chunk("never") + FINISH + DONE)


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────

COMPLETED = {
    "stop": (serve_body(FIVE + FINISH + DONE), "stop"),
    "length": (serve_body(FIVE + chunk(finish_reason="length") + DONE), "length"),
    "content filter": (serve_body(FIVE + chunk(finish_reason="content_filter") + DONE), "content_filter"),
    "no [DONE]": (serve_body(FIVE + FINISH), "stop"),
    "no [DONE], but usage": (serve_body(FIVE + FINISH + usage_chunk()), "stop"),
    "only [DONE]": (serve_body(FIVE + DONE), "stop"),
    "[DONE] without a line end": (serve_body(FIVE + DONE.rstrip()), "stop"),
    "reset after the finish": (broken_off(Send(FINISH), Reset()), "stop"),
    "truncated after the finish": (broken_off(Send(FINISH), Fin()), "stop"),
    "reset after [DONE]": (broken_off(Send(FINISH + DONE), Reset()), "stop"),
    "rubbish after the finish": (serve_body(FIVE + FINISH + b"data: {bad\n\n"), "stop"),
    "an error after the finish": (serve_body(FIVE + FINISH + event({"error": {"code": 500}})), "stop"),
}


@pytest.mark.parametrize("how", COMPLETED)
async def test_an_answer_that_said_why_it_stopped_is_complete(
    shared_client: Client, shared_upstream: Upstream, how: str
) -> None:
    steps, reason = COMPLETED[how]
    seen = await scripted(shared_client, shared_upstream, *steps)
    assert (*seen.ended, seen.run["finish_reason"]) == ("completed", None, TEXT, reason)
    assert (shared_upstream.calls, seen.run["attempts"]) == (1, 1)


INTERRUPTED = {
    "a clean end with neither finish nor [DONE]": serve_body(FIVE),
    "a clean end inside a frame": serve_body(FIVE + b'data: {"choices": [{"index": 0, "delta": {"content": "lost'),
    "a truncated chunked body": broken_off(Fin()),
    "a reset": broken_off(Reset()),
    "a reset after a usage": broken_off(Send(usage_chunk()), Reset()),
    "a body shorter than its length": (
        Status(headers={"Content-Type": "text/event-stream", "Content-Length": "100000"}, framing="length"),
        Send(FIVE),
        Fin(),
    ),
}


@pytest.mark.parametrize("how", INTERRUPTED)
async def test_an_answer_that_broke_off_is_interrupted_and_what_came_is_kept(
    shared_client: Client, shared_upstream: Upstream, how: str
) -> None:
    seen = await scripted(shared_client, shared_upstream, *INTERRUPTED[how])
    assert seen.ended == ("interrupted", "upstream_interrupted", TEXT)
    assert seen.answer.error is not None
    assert seen.answer.error["retryable"] is True
    assert "finish_reason" not in seen.run
    assert shared_upstream.calls == 1


FAILED: dict[str, tuple[Sequence[Step], str, str, bool]] = {
    "in-band, overloaded": (in_band({"code": 429, "message": SECRET}), "upstream_rate_limited", TEXT, True),
    "in-band, refused": (in_band({"code": 403, "message": SECRET}), "upstream_rejected", TEXT, False),
    "in-band, broken": (in_band({"code": "server_error", "message": SECRET}), "upstream_unavailable", TEXT, True),
    "in-band, only words": (in_band(SECRET), "upstream_unavailable", TEXT, True),
    "in-band, with words and a finish reason": (
        serve_body(
            FIVE
            + event(
                {
                    "error": {"code": 502, "message": SECRET},
                    "choices": [{"index": 0, "delta": {"content": "last"}, "finish_reason": "error"}],
                }
            )
        ),
        "upstream_unavailable",
        TEXT + "last",
        True,
    ),
    "a document that is an error": (
        json_status(200, {"error": {"message": SECRET, "code": 503}}),
        "upstream_unavailable",
        "",
        True,
    ),
    "a frame that is no JSON": (
        serve_body(FIVE + f"data: {{bad {SECRET}\n\n".encode() + chunk("never") + FINISH + DONE),
        "upstream_protocol",
        TEXT,
        False,
    ),
    "a document that is no JSON": (serve_body(b'{"choices": [' + SECRET.encode()), "upstream_protocol", "", False),
    "HTML": (serve_body(HTML, content_type="text/html"), "upstream_protocol", "", False),
    "HTML, named in full": (serve_body(HTML, content_type="text/html; charset=utf-8"), "upstream_protocol", "", False),
    "HTML called text": (serve_body(HTML, content_type="text/plain"), "upstream_protocol", "", False),
    "another protocol": ((Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), Fin()), "upstream_protocol", "", False),
    "a status without sense": ((Raw(b"HTTP/1.1 twohundred OK\r\n\r\n"), Fin()), "upstream_protocol", "", False),
    "no content": ((Status(204, framing="close"),), "upstream_protocol", "", False),
    "a reset before the status": ((Reset(),), "upstream_unavailable", "", True),
    "an end before the status": ((Fin(),), "upstream_unavailable", "", True),
    "a reset inside the head": ((Raw(b"HTTP/1.1 200 OK\r\nContent-"), Reset()), "upstream_unavailable", "", True),
    "refused: the request": (error_status(400, message=SECRET), "upstream_rejected", "", False),
    "refused: the key": (error_status(401, message=SECRET), "upstream_rejected", "", False),
    "refused: the model": (error_status(404, message=SECRET), "upstream_rejected", "", False),
    "refused: the length": (error_status(413, message=SECRET), "upstream_rejected", "", False),
    "refused, without an end": ((Status(400), Send(HTML), Hang()), "upstream_rejected", "", False),
}


@pytest.mark.parametrize("how", FAILED)
async def test_a_failure_is_told_in_our_words_and_asked_once(
    shared_client: Client, shared_upstream: Upstream, shared_server: Server, how: str
) -> None:
    steps, code, text, retryable = FAILED[how]
    seen = await scripted(shared_client, shared_upstream, *steps)
    assert seen.ended == ("failed", code, text)
    assert seen.answer.error is not None
    assert seen.answer.error["retryable"] is retryable
    assert "finish_reason" not in seen.run
    assert (shared_upstream.calls, seen.run["attempts"]) == (1, 1)
    assert SECRET.encode() not in seen.answer.body
    assert SECRET not in json.dumps(seen.run) + shared_server.log


async def test_framing_that_breaks_in_the_middle_is_told_at_once(
    shared_server: Server, shared_upstream: Upstream
) -> None:
    with closing(Client(shared_server.port, patience=3)) as impatient:
        shared_upstream.script(*broken_off(Gate("break"), Raw(b"this is no size\r\n"), Hang()))
        reading = await impatient.open_chat("Well?")
        await reading.read_until(when=lambda stream: len(stream.events) > 1)
        shared_upstream.open("break")
        seen = await looked_at(impatient, await read_answer(reading))
    assert seen.code in ("upstream_interrupted", "upstream_protocol")
    assert seen.text == TEXT


async def test_what_came_while_the_disk_was_slow_is_kept_though_upstream_broke_off(
    client: Client, server: Server, upstream: Upstream
) -> None:
    words = [chr(ord("가") + number) * 4000 for number in range(95)]
    upstream.script(Status(), Send(chunk("0")), Gate("flood"), Send(b"".join(map(chunk, words))), Fin())
    reading = await client.open_chat("Well?")
    await reading.read_until(events=2)
    await server.fill_disk()
    upstream.open("flood")
    await (await upstream.request()).answered.wait()
    await asyncio.sleep(0.5)  # the end of the connection has no other sign
    await server.free_disk()
    seen = await looked_at(client, await read_answer(reading))
    assert seen.ended == ("interrupted", "upstream_interrupted", "0" + "".join(words))


@pytest.mark.parametrize("after", [b"", b": still here\n\n"], ids=["silence", "comments"])
async def test_an_answer_that_is_finished_waits_two_seconds_for_the_rest(
    shared_client: Client, shared_upstream: Upstream, after: bytes
) -> None:
    noise: list[Step] = [step for _ in range(40) for step in (Send(after), Sleep(0.2))]
    started = time.monotonic()
    seen = await scripted(shared_client, shared_upstream, *broken_off(Send(FINISH), *noise, Hang()))
    assert seen.ended == ("completed", None, TEXT)
    assert time.monotonic() - started < 6
    await (await shared_upstream.request()).is_closed()


async def test_reasoning_before_a_failure_is_kept_too(shared_client: Client, shared_upstream: Upstream) -> None:
    steps = broken_off(Reset(), after=chunk(reasoning="so far") + chunk("Well"))
    seen = await scripted(shared_client, shared_upstream, *steps)
    assert await parts(shared_client, seen.answer.run_id) == [("reasoning", "so far"), ("text", "Well")]


# ── where the key goes ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(shared_client: Client, shared_upstream: Upstream, code: int) -> None:
    async with Upstream() as other:
        away = Status(code, {"Location": f"{other.url}/chat/completions", "Content-Length": "0"}, framing="length")
        seen = await scripted(shared_client, shared_upstream, away)
        assert seen.ended == ("failed", "upstream_protocol", "")
        assert (shared_upstream.calls, other.connections) == (1, 0)


async def test_a_key_that_upstream_echoes_goes_no_further(
    shared_client: Client, shared_upstream: Upstream, shared_server: Server, module_serve: Serve
) -> None:
    key = module_serve.canary
    words = f"Incorrect API key provided: {key}, temperature max_tokens"
    echoes = [
        error_status(401, {"WWW-Authenticate": f"Bearer {key}", "X-Request-Id": key}, words),
        error_status(429, {"Retry-After": key}, words),
        error_status(500, message=words),
        json_status(200, {"error": {"message": words, "code": key}}),
        [Status(403, reason=key), Send(key.encode())],
        [Raw(f"{key}\r\n\r\n".encode()), Fin()],
        in_band({"message": words, "type": key}),
        serve_body(FIVE + f"data: {key}\n\n".encode()),
    ]
    for steps in echoes:
        shared_upstream.otherwise(*steps)
        seen = await outcome(shared_client)
        ui = await (await shared_client.open_events(seen.answer.run_id, format="ui")).read()
        assert seen.status == "failed"
        assert key.encode() not in seen.answer.body + ui.body
        assert key not in json.dumps(seen.run)
    assert key not in shared_server.log
    assert all(request.authorization == f"Bearer {key}" for request in shared_upstream.requests)
    folder = shared_server.database.parent
    assert not any(key.encode() in path.read_bytes() for path in folder.glob("chat.db*"))


# ── nobody there ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_endpoint_that_refuses_connections_is_told_at_once(serve: Serve) -> None:
    server = await serve(OPENAI_BASE_URL=f"http://127.0.0.1:{free_port()}/v1")
    seen = await outcome(Client(server.port))
    assert seen.ended == ("failed", "upstream_unavailable", "")
    assert seen.run["attempts"] == 2


async def test_an_endpoint_that_does_not_take_connections_is_given_up_in_time(serve: Serve) -> None:
    with Crowd() as crowd:
        server = await serve(OPENAI_BASE_URL=f"http://127.0.0.1:{crowd.port}/v1", CONNECT_TIMEOUT_SECONDS=0.3)
        seen = await outcome(Client(server.port, patience=4))
    assert seen.ended == ("failed", "upstream_unavailable", "")
    assert seen.run["attempts"] == 2


async def test_a_failed_answer_is_read_from_where_the_reader_was(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*broken_off(Gate("fail"), Reset()))
    seen = await shared_client.ask("Well?", until=lambda answer: answer.text == TEXT)
    shared_upstream.open("fail")
    rest = await shared_client.follow(seen.run_id, seen.cursor)
    assert (rest.text, rest.done) == ("", True)
    assert rest.error is not None
    assert rest.error["code"] == "upstream_interrupted"
    again = await shared_client.follow(seen.run_id, f"{seen.run_id}-end-1")
    assert (again.error, again.done) == (None, True)
