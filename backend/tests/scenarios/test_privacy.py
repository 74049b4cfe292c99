"""What people write, and the keys of those who pay, are in no log line, no refusal, and no file but the answer kept."""

import secrets
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.client import CHAT, JSON, Answer, Client
from tests.support.fixtures import Serve
from tests.support.http import Given
from tests.support.script import Fin, Hang, Send, Status, Step, chunk, error_status, event, say, serve_body
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.wire_client import Reply

ENDPOINTS = ("/openapi.json", "/api/models", "/health", "/ready", "/docs", "/redoc", "/metrics")


@pytest.fixture
def canary() -> str:
    """A word that stands nowhere else."""
    return f"canary{secrets.token_hex(8)}"


def kept_in(server: Server, word: str) -> list[str]:
    """The files of the service, its log among them, that hold the word."""
    files = sorted(path for path in server.folder.rglob("*") if path.is_file())
    return [path.name for path in files if word.encode() in path.read_bytes()]


async def stop(server: Server) -> None:
    """End it, so that all that it would write is written."""
    assert await server.close() == 0 or server.exit_code is not None


def history_of(canary: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{canary} earlier"}, {"role": "assistant", "content": f"{canary} reply"}]


async def ask_in_every_way(client: Client, canary: str) -> list[Answer]:
    history = history_of(canary)
    return [
        await client.ask(canary, history),
        await client.ask(f"{canary} bare", history, bare=True),
        await client.ask(f"{canary} get", history, get=True),
        await client.ask(f"{canary} keys", history, key="a-key"),
        await client.ask(f"{canary} get keys", history, get=True, key="a-get-key"),
        await client.ask(f"{canary} ui", history, until=lambda _: True, format="ui"),
        await client.ask(f"{canary} dropped", history, until=1),
    ]


# ── Questions ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("plain", "env"),
    [(False, {}), (True, {}), (True, {"UVICORN_LOG_LEVEL": "trace"}), (True, {"UVICORN_ACCESS_LOG": "1"})],
    ids=["our command", "the document's command", "and every log line", "and an access log"],
)
async def test_a_question_is_in_no_log_and_no_file(
    serve: Serve, upstream: Upstream, canary: str, plain: bool, env: dict[str, str]
) -> None:
    server = await serve(plain=plain, **env)
    client = Client(server.port)
    answers = await ask_in_every_way(client, canary)
    assert all(answer.status == 200 for answer in answers)
    for answer in answers:
        await client.ended(answer.run_id)
        assert canary not in (await client.run(answer.run_id)).text
    for path in ENDPOINTS:
        assert canary not in (await client.request("GET", path)).text
    assert kept_in(server, canary) == []
    client.close()
    await stop(server)
    assert kept_in(server, canary) == []
    assert upstream.calls == len(answers)
    assert all(canary in request.question for request in upstream.requests)


async def test_an_answer_is_kept_in_the_database_alone(serve: Serve, upstream: Upstream, canary: str) -> None:
    upstream.otherwise(*say(f"{canary} said", " and done"))
    server = await serve()
    client = Client(server.port)
    answer = await client.ask("Say it")
    assert answer.text == f"{canary} said and done"
    await client.follow(answer.run_id)
    assert canary not in (await client.run(answer.run_id)).text
    client.close()
    await stop(server)
    assert kept_in(server, canary) == ["chat.db"]


async def test_the_system_prompt_goes_to_the_model_alone(serve: Serve, upstream: Upstream, canary: str) -> None:
    server = await serve(SYSTEM_PROMPT=f"Never say {canary}")
    client = Client(server.port)
    answer = await client.ask("What are your orders?")
    for path in (*ENDPOINTS, f"/api/runs/{answer.run_id}", f"/api/runs/{answer.run_id}/events"):
        assert canary not in (await client.request("GET", path)).text
    client.close()
    await stop(server)
    assert kept_in(server, canary) == []
    assert upstream.requests[0].json["messages"][0] == {"role": "system", "content": f"Never say {canary}"}


async def test_the_system_text_of_a_request_goes_to_the_model_alone(
    serve: Serve, upstream: Upstream, canary: str
) -> None:
    server = await serve()
    client = Client(server.port)
    for key in (None, "a-key"):
        headers: Given = [("Idempotency-Key", key)] if key else []
        body = {"message": "What are your orders?", "system": f"Never say {canary}"}
        reply = await client.request("POST", CHAT, json=body, headers=headers)
        assert reply.status == 200
        assert canary not in reply.text + (await client.run(reply.headers["X-Run-Id"])).text
    client.close()
    await stop(server)
    assert kept_in(server, canary) == []
    assert upstream.requests[0].json["messages"][0] == {"role": "system", "content": f"Never say {canary}"}


async def test_cookies_and_credentials_of_a_client_go_nowhere(serve: Serve, upstream: Upstream, canary: str) -> None:
    server = await serve(plain=True, UVICORN_LOG_LEVEL="trace")
    client = Client(server.port)
    headers = {
        "Cookie": f"session={canary}",
        "Authorization": f"Bearer {canary}",
        "X-API-Key": canary,
        "User-Agent": canary,
        "Referer": f"http://127.0.0.1/?{canary}",
        "Idempotency-Key": "a-key",
        "X-Forwarded-For": "127.0.0.1",
    }
    assert (await client.ask("Who am I?", headers=headers)).done
    await client.request("GET", "/nothing", headers=headers)
    client.close()
    await stop(server)
    assert kept_in(server, canary) == []
    assert canary not in repr(upstream.requests[0].headers) + upstream.requests[0].body.decode()


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def refuse_in_every_way(client: Client, canary: str) -> list[Reply]:
    bodies: Sequence[Any] = (
        {"message": canary * 4000},
        {"message": [canary]},
        {"message": {"text": canary}},
        {"message": " ", "history": history_of(canary)},
        {"message": canary, "history": canary},
        {"message": canary, "history": [canary]},
        {"message": canary, "history": [{"role": canary, "content": canary}]},
        {"message": canary, "history": [{"role": "user", "content": [canary]}]},
        {"message": canary, "history": [{"role": "assistant", "content": canary * 30_000}]},
        {"message": canary, "history": history_of(canary) * 300},
        {"message": canary, "unknown": canary},
        {"message": "Well?", "model": canary},
        {"message": "Well?", "model": f"openai/{canary}"},
        {"message": "Well?", "model": [canary]},
        {"message": "Well?", "system": [canary]},
        {"message": "Well?", "system": canary * 5000},
        {"message": "Well?", "temperature": canary},
        [canary],
        canary,
    )
    replies = [await client.request("POST", CHAT, json=body) for body in bodies]
    raw: Sequence[tuple[bytes, Given]] = (
        (f'{{"message": "{canary}"'.encode(), [JSON]),
        (f'{{"message": "{canary}", "history": NaN}}'.encode(), [JSON]),
        (f'{{"message": "{canary}\xff"}}'.encode("latin-1"), [JSON]),
        (f'{{"message": {canary}}}'.encode(), [JSON]),
        (f'{{"message": "{canary}"}}'.encode(), [("Content-Type", f"text/{canary}")]),
        (f'{{"message": "{canary}"}}'.encode(), [JSON, ("Origin", f"https://{canary}.test")]),
        (f'{{"message": "{canary}"}}'.encode(), [JSON, ("Host", f"{canary}.test")]),
        (f'{{"message": "{canary}"}}'.encode(), [JSON, ("Idempotency-Key", f"{canary} !")]),
        (f'{{"message": "{canary}"}}'.encode(), [JSON, ("Last-Event-ID", canary)]),
        (f'{{"message": "{canary * 300_000}"}}'.encode(), [JSON]),
    )
    replies += [await client.request("POST", CHAT, body=body, headers=headers) for body, headers in raw]
    queries = (
        f"message={canary}&history={canary}",
        f"message={canary}&history=[7]&x={canary}",
        f"message=%20&x={canary}",
        f"message={canary}%ff",
        f"message={canary}&key=%20{canary}",
        f"message={canary}&last_event_id={canary}",
        f"message={canary * 2000}",
        f"x={canary}",
    )
    replies += [await client.request("GET", f"{CHAT}?{query}") for query in queries]
    replies.append(await client.request("POST", CHAT, query={"format": canary}, json={"message": canary}))
    replies.append(await client.request("PUT", f"{CHAT}?message={canary}", json={"message": canary}))
    replies.append(await client.request("POST", f"/nothing?message={canary}", json={"message": canary}))
    return replies


@pytest.mark.parametrize("plain", [False, True], ids=["our command", "the document's command"])
async def test_a_refusal_repeats_nothing_of_what_was_sent_and_is_logged_without_it(
    serve: Serve, upstream: Upstream, canary: str, plain: bool
) -> None:
    server = await serve(plain=plain)
    client = Client(server.port)
    replies = await refuse_in_every_way(client, canary)
    assert {reply.status for reply in replies} == {400, 403, 404, 405, 413, 414, 415, 421, 422}
    for reply in replies:
        assert canary not in reply.text + repr(reply.headers)
    stream = await client.wire(f"GET {CHAT}?message={canary} HTTP/1.1\nHost: {canary}\n\n".encode())
    assert canary not in (await (await stream.opened()).read()).text  # the server's own refusal
    client.close()
    await stop(server)
    assert kept_in(server, canary) == []
    assert upstream.calls == 0


# ── Providers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def troubles(canary: str) -> list[list[Step]]:
    """Ways of an upstream to go wrong with `canary` in its mouth."""
    spoken = {"X-Request-Id": canary, "Set-Cookie": f"a={canary}"}
    return [
        *(error_status(code, spoken, f"{canary} is wrong", param=canary) for code in (400, 401, 403, 404, 413, 422)),
        *(error_status(code, spoken | {"Retry-After": "99"}, canary) for code in (408, 429, 500, 502, 503)),
        [Status(302, {"Location": f"http://127.0.0.1:1/{canary}", "Content-Length": "0"}, framing="length")],
        serve_body(f"<html>{canary}</html>".encode(), content_type="text/html"),
        serve_body(f"<html>{canary}</html>".encode(), content_type=f"text/{canary}"),
        serve_body(f"data: {canary}\n\n".encode()),
        serve_body(f'data: {{"choices": "{canary}"}}\n\n'.encode()),
        serve_body(f'data: {{"choices": [{{"index": 0, "delta": {{"content": 7, "x": "{canary}"}}}}]}}\n\n'.encode()),
        serve_body(event({"error": {"message": canary, "type": canary, "code": canary}})),
        serve_body(event({"error": canary})),
        serve_body(b"data: " + canary.encode() * 70_000),
        [Status(reason=canary), Send(chunk("Half", system_fingerprint=canary)), Fin()],
        [Status(), Send(chunk("Half")), Send(f'data: {{"choices": [{{"delta": {{"{canary}'.encode()), Fin()],
        [Status(), Send(f": {canary}\n\n".encode()), Hang()],
    ]


async def test_nothing_that_a_provider_says_about_its_trouble_is_passed_on_or_logged(
    serve: Serve, upstream: Upstream, canary: str
) -> None:
    server = await serve(FIRST_TOKEN_TIMEOUT_SECONDS="0.5")
    client = Client(server.port)
    for steps in troubles(canary):
        upstream.otherwise(*steps)
        answer = await client.ask("Go on")
        assert answer.error is not None, steps
        assert canary not in answer.body.decode() + repr(answer.headers), steps
        assert canary not in (await client.run(answer.run_id)).text
        assert canary not in (await client.request("GET", f"/api/runs/{answer.run_id}/events?format=ui")).text
    client.close()
    await stop(server)
    assert kept_in(server, canary) == []


async def test_nothing_but_text_of_an_upstream_reaches_a_reader(
    shared_client: Client, shared_upstream: Upstream, canary: str
) -> None:
    commands = (
        f"id: {canary}\nretry: 1\n: {canary}\nx: {canary}\n".encode()
        + chunk("Only ", type="execute", code=f"alert('{canary}')", html=canary),
        f'event: error\ndata: {{"type": "execute", "code": "{canary}"}}\n\n'.encode(),
        chunk("text", name=canary),
        event({"choices": [{"index": 0, "delta": {"content": "", "html": canary, "tool_calls": [{"id": canary}]}}]}),
        event({"choices": [{"index": 1, "delta": {"content": canary}}]}),
        event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": canary}], "done": canary}),
        b"data: [DONE]\n\n",
        f"event: execute\ndata: {canary}\n\n".encode(),
    )
    shared_upstream.otherwise(*serve_body(b"".join(commands)))
    bare = await shared_client.ask("Run this", bare=True)
    resumable = await shared_client.ask("Run this")
    ui = await (await shared_client.open_chat("Run this", format="ui")).read()
    for answer in (bare, resumable):
        assert (answer.text, answer.done, answer.error) == ("Only text", True, None)
        assert canary not in answer.body.decode()
    assert canary not in ui.text
    assert '"Only ' in ui.text
    assert "execute" not in ui.text + resumable.body.decode()


async def test_the_provider_s_key_is_in_no_frame_no_log_and_no_file(serve: Serve, upstream: Upstream) -> None:
    """The fixture looks for the key in every log and file; here it is thrown back in every way, and cannot be used."""
    for base_url in (upstream.url, "http://127.0.0.1:1/v1", "https://127.0.0.1:{own_port}/v1"):  # 401, nobody, no TLS
        upstream.otherwise(*error_status(401, {"X-Key": serve.canary}, f"Incorrect API key: {serve.canary}"))
        server = serve.make()
        await server.start(OPENAI_BASE_URL=base_url.format(own_port=server.port))
        client = Client(server.port)
        answer = await client.ask("Anyone there?")
        assert answer.error is not None
        for text in (answer.body.decode(), (await client.run(answer.run_id)).text):
            assert serve.canary not in text
        for path in ENDPOINTS:
            assert serve.canary not in (await client.request("GET", path)).text
        client.close()
        await stop(server)
    assert upstream.requests[0].authorization == f"Bearer {serve.canary}"
