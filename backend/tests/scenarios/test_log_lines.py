"""One line a request and one a run: enough to see what happened, and nothing that a client may write into it."""

import re
from pathlib import Path

import pytest

from tests.support.catalogue import serving, toml
from tests.support.client import CHAT, Client
from tests.support.fixtures import Serve
from tests.support.scrape import line_of, lines, scraped
from tests.support.script import error_status, say
from tests.support.server import Server
from tests.support.upstream import Upstream

OWN = re.compile(r"[0-9a-z]{26}")
NOBODY = "01kandgz1m5d9ryt3ek2yqv8p4"


async def test_a_run_s_line_says_who_answered_what_it_cost_and_how_long_it_took(
    server: Server, client: Client, upstream: Upstream
) -> None:
    answer = await client.ask("Hello?")
    line = await line_of(server, "run.ended", run=answer.run_id)
    usage = (await client.run(answer.run_id)).json["usage"]
    assert {name: line[name] for name in ("status", "code", "model", "asked", "attempts", "left_out", "chars")} == {
        "status": "completed",
        "code": None,
        "model": "openai/gpt-3.5-turbo",
        "asked": "openai/gpt-3.5-turbo",
        "attempts": 1,
        "left_out": 0,
        "chars": len(answer.text),
    }
    assert (line["input_tokens"], line["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])
    assert 0 <= line["first_text_seconds"] <= line["seconds"]
    assert (line["readers"], line["most_readers"]) == (1, 1)


async def test_a_run_s_line_tells_apart_who_was_asked_first_and_who_answered(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    async with Upstream() as second:
        text = toml('[models."a/m"]\nfallbacks = ["b/m"]\n[models."b/m"]\n', a=upstream, b=second)
        server = await serving(serve, tmp_path, text)
        client = Client(server.port)
        upstream.otherwise(*error_status(503))
        answer = await client.ask("Anyone?")
        line = await line_of(server, "run.ended", run=answer.run_id)
        assert (line["asked"], line["model"], line["attempts"]) == ("a/m", "b/m", 2)
        client.close()


async def test_a_run_that_failed_says_why_and_that_nothing_was_said(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*error_status(400))
    answer = await client.ask("Hello?")
    line = await line_of(server, "run.ended", run=answer.run_id)
    assert (line["status"], line["code"]) == ("failed", "upstream_rejected")
    assert (line["first_text_seconds"], line["input_tokens"], line["output_tokens"]) == (None, None, None)


async def test_readers_are_counted_at_the_end_and_at_most(server: Server, client: Client, upstream: Upstream) -> None:
    upstream.otherwise(*say("Hello", gate="word"))
    asker = await client.open_chat("Slowly")
    run = asker.headers["X-Run-Id"]
    others = [await client.open_events(run) for _ in range(2)]
    others[0].close()
    await line_of(server, "request", path=f"/api/runs/{run}/events")
    upstream.open("word")
    await asker.read()
    line = await line_of(server, "run.ended", run=run)
    assert (line["readers"], line["most_readers"]) == (2, 3)


async def test_a_request_s_line_has_the_id_that_its_response_names_and_the_run_that_it_read(
    server: Server, client: Client
) -> None:
    answer = await client.ask("Hello?")
    first = await line_of(server, "request", id=answer.headers["X-Request-Id"])
    assert (first["method"], first["path"], first["status"]) == ("POST", CHAT, 200)
    assert (first["run"], first["reading"]) == (answer.run_id, "started")
    again = await client.follow(answer.run_id, f"{answer.run_id}-0-2")
    line = await line_of(server, "request", id=again.headers["X-Request-Id"])
    assert (line["run"], line["reading"]) == (answer.run_id, "resumed")
    assert "code" not in line


async def test_the_doors_of_standard_clients_name_the_run_too_and_its_failure_is_no_refusal(
    server: Server, client: Client, upstream: Upstream
) -> None:
    question = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Hello?"}]}
    for stream in (False, True):
        reply = await client.request("POST", "/v1/chat/completions", json={**question, "stream": stream})
        line = await line_of(server, "request", run=reply.headers["X-Run-Id"])
        assert (line["path"], line["reading"], line["status"]) == ("/v1/chat/completions", "started", 200)
    upstream.otherwise(*error_status(400))
    for stream in (False, True):
        reply = await client.request("POST", "/v1/chat/completions", json={**question, "stream": stream})
        line = await line_of(server, "request", run=reply.headers["X-Run-Id"])
        assert (line["code"], line["status"]) == ("upstream_rejected", reply.status)
    numbers = await scraped(client)
    assert numbers.of("aichat_runs_total", code="upstream_rejected") == 2
    assert numbers["aichat_refusals_total"] == 0


async def test_a_refusal_s_line_has_its_code(server: Server, client: Client) -> None:
    refusals = {
        "run_not_found": await client.request("GET", f"/api/runs/{NOBODY}/events"),
        "bad_cursor": await client.request("GET", CHAT, headers={"Last-Event-ID": "no place"}),
        "wrong_host": await client.request("GET", "/", headers={"Host": "attacker.test"}),
        "invalid": await client.request("POST", CHAT, json={"message": ""}),
        "not_found": await client.request("GET", "/nothing"),
        "query_too_long": await client.request("GET", f"/?{'x' * 17_000}"),
    }
    for code, reply in refusals.items():
        line = await line_of(server, "request", id=reply.headers["X-Request-Id"])
        assert (line["code"], line["status"]) == (code, reply.status)


@pytest.mark.parametrize("name", ["X-Request-ID", "x-request-id", "X-Correlation-ID", "Traceparent"])
@pytest.mark.parametrize("value", ["a%0d%0aSet-Cookie:x", "x" * 10_000, '","event":"forged', "안녕".encode()])
async def test_an_id_that_a_client_sends_is_replaced_by_ours(
    server: Server, client: Client, name: str, value: str | bytes
) -> None:
    reply = await client.request("GET", "/api/models", headers=[(name, value)])
    given = reply.headers["X-Request-Id"]
    assert OWN.fullmatch(given)
    assert reply.headers.all("X-Request-Id") == [given]
    assert "Set-Cookie" not in reply.headers
    await line_of(server, "request", id=given)
    sent = value if isinstance(value, str) else value.decode()
    assert sent not in server.log
    assert sent not in repr(reply.headers)


async def test_every_response_has_an_id_of_its_own_and_probes_no_line(server: Server, client: Client) -> None:
    paths = ("/health", "/ready", "/metrics", "/", "/docs", "/nothing", "/docs/assets/swagger-ui.css", "/api/models")
    ids = [(await client.request("GET", path)).headers["X-Request-Id"] for path in paths]
    assert len(set(ids)) == len(paths)
    quiet = {"/health", "/ready", "/metrics"}
    for path, request_id in zip(paths, ids, strict=True):
        if path not in quiet:
            await line_of(server, "request", id=request_id, path=path)
    assert {line["path"] for line in lines(server, "request")} == set(paths) - quiet
