"""What /metrics counts: each thing once, what is held as it is, and never what somebody wrote."""

import asyncio
import secrets
from pathlib import Path

import pytest

from tests.support.catalogue import serving, toml
from tests.support.client import CHAT, Client
from tests.support.fixtures import Serve
from tests.support.scrape import METRICS, Numbers, scraped
from tests.support.script import Fin, Gate, Hang, Send, Status, Step, chunk, error_status, say
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until

SHARED_SETTINGS = {"SEND_TIMEOUT_SECONDS": 1, "MAX_OUTPUT_CHARS": 2_000_000}
MODEL = {"gen_ai_provider_name": "openai", "gen_ai_request_model": "openai/gpt-3.5-turbo"}
NOBODY = "01kandgz1m5d9ryt3ek2yqv8p4"


async def counted(client: Client, name: str, expected: float, **labels: str) -> Numbers:
    """Wait until a sample has that value: what ends a request is counted after its last byte."""
    seen: list[Numbers] = []

    async def found() -> bool:
        seen.append(await scraped(client))
        return seen[-1].of(name, **labels) == expected

    await until(found, f"{name}{labels} is {expected}")
    return seen[-1]


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("steps", "status", "code"),
    [
        (say("Hello"), "completed", "none"),
        (error_status(400), "failed", "upstream_rejected"),
        ([Status(), Send(chunk("Half")), Fin()], "interrupted", "upstream_interrupted"),
        ([Status(), Send(chunk("On")), Hang()], "cancelled", "cancelled"),
    ],
    ids=["completed", "failed", "interrupted", "cancelled"],
)
async def test_a_run_is_counted_once_by_how_it_ended(
    shared_client: Client, shared_upstream: Upstream, steps: list[Step], status: str, code: str
) -> None:
    before = await scraped(shared_client)
    shared_upstream.script(*steps)
    answer = await shared_client.ask("Count me.", until=1 if status == "cancelled" else None)
    if status == "cancelled":
        await shared_client.cancel(answer.run_id)
    assert (await shared_client.ended(answer.run_id))["status"] == status
    after = await scraped(shared_client)
    assert after.moved_since(before, "aichat_runs", "aichat_upstream") == {
        ("aichat_runs_total", (code, status)): 1,
        ("aichat_upstream_attempts_total", ("openai", "openai/gpt-3.5-turbo")): 1,
    }
    took, first = "gen_ai_client_operation_duration_seconds", "gen_ai_client_operation_time_to_first_chunk_seconds"
    kind = "" if code == "none" else code
    assert (
        after.of(f"{took}_count", **MODEL, error_type=kind) == before.of(f"{took}_count", **MODEL, error_type=kind) + 1
    )
    spoke = 0 if status == "failed" else 1
    assert after[f"{first}_count"] == before[f"{first}_count"] + spoke


async def test_what_a_crash_left_over_is_counted_as_interrupted(serve: Serve, upstream: Upstream) -> None:
    upstream.otherwise(Status(), Send(chunk("Half")), Hang())
    server = await serve()
    client = Client(server.port)
    for question in ("One", "Two"):
        await client.ask(question, until=1)
    await server.restart()
    numbers = await scraped(client)
    assert numbers.of("aichat_runs_total", status="interrupted", code="interrupted") == 2
    assert numbers.of("aichat_runs_total") == 2
    client.close()


async def test_tokens_are_counted_as_the_provider_said(shared_client: Client, shared_upstream: Upstream) -> None:
    before = await scraped(shared_client)
    shared_upstream.script(*say("No word of it", usage=False))
    await shared_client.ask("Silent?")
    assert (await scraped(shared_client))["gen_ai_client_token_usage_count"] == before[
        "gen_ai_client_token_usage_count"
    ]
    shared_upstream.script(*say("Hello"))
    answer = await shared_client.ask("Loud?")
    usage = (await shared_client.run(answer.run_id)).json["usage"]
    after = await scraped(shared_client)
    for kind in ("input", "output"):
        labels = {**MODEL, "gen_ai_token_type": kind, "gen_ai_operation_name": "chat"}
        spent = after.of("gen_ai_client_token_usage_sum", **labels) - before.of(
            "gen_ai_client_token_usage_sum", **labels
        )
        assert spent == usage[f"{kind}_tokens"] > 0


async def test_what_a_title_costs_is_counted_with_the_tokens_and_is_no_run(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    before = await scraped(shared_client)
    shared_upstream.otherwise(*say("A title"))
    await (await Talk.begin(shared_client)).ask("What is it called?")
    twice = before["gen_ai_client_token_usage_count"] + 4  # of the answer and of its title, in and out
    after = await counted(shared_client, "gen_ai_client_token_usage_count", twice)
    assert after["aichat_runs_total"] == before["aichat_runs_total"] + 1


async def test_every_attempt_is_counted_with_the_model_that_was_asked(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    async with Upstream() as second:
        text = toml('[models."a/m"]\nfallbacks = ["b/m"]\n[models."b/m"]\n', a=upstream, b=second)
        client = Client((await serving(serve, tmp_path, text)).port)
        upstream.otherwise(*error_status(503, {"Retry-After": "0"}))
        assert (await client.ask("Anyone?")).done
        numbers = await scraped(client)
        for provider in ("a", "b"):
            assert numbers.of("aichat_upstream_attempts_total", gen_ai_request_model=f"{provider}/m") == 1
        assert numbers.of("gen_ai_client_operation_duration_seconds_count", gen_ai_request_model="b/m") == 1
        assert numbers["gen_ai_client_operation_duration_seconds_count"] == 1
        client.close()


# ── Readers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_resume_is_counted_by_what_came_of_it(shared_client: Client) -> None:
    before = await scraped(shared_client)
    answer = await shared_client.ask("Hello?", key="one-key")
    await shared_client.ask("Hello?", key="one-key")
    run = answer.run_id
    await shared_client.follow(run)
    await shared_client.follow(run, f"{run}-0-2")
    await shared_client.follow(run, f"{run}-end-1")
    assert (await shared_client.follow(run, f"{run}-end-2")).status == 204
    assert (await shared_client.follow(NOBODY, f"{NOBODY}-0-2")).status == 404
    shared = {"Last-Event-ID": f"{run}-0-2"}
    assert (await shared_client.request("GET", CHAT, headers=shared)).status == 200
    assert (await scraped(shared_client)).moved_since(before, "aichat_stream_resumes") == {
        ("aichat_stream_resumes_total", ("replayed",)): 1,
        ("aichat_stream_resumes_total", ("from_start",)): 1,
        ("aichat_stream_resumes_total", ("resumed",)): 3,
        ("aichat_stream_resumes_total", ("nothing_left",)): 1,
        ("aichat_stream_resumes_total", ("not_found",)): 1,
    }


async def test_a_place_that_a_live_run_has_not_reached_is_counted_as_no_place(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Status(), Send(chunk("Half")), Gate("rest"), Send(chunk("whole", finish_reason="stop")))
    before = await scraped(shared_client)
    answer = await shared_client.ask("Slowly", until=1)
    assert (await shared_client.follow(answer.run_id, f"{answer.run_id}-0-99")).status == 400
    moved = (await scraped(shared_client)).moved_since(before, "aichat_stream", "aichat_refusals")
    assert moved == {
        ("aichat_stream_resumes_total", ("bad_cursor",)): 1,
        ("aichat_refusals_total", ("bad_cursor",)): 1,
    }
    shared_upstream.open("rest")
    await shared_client.ended(answer.run_id)


async def test_open_streams_and_live_runs_are_counted_while_they_are(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    await counted(shared_client, "aichat_stream_active", 0)
    shared_upstream.script(*say("Hello", gate="word"))
    asker = await shared_client.open_chat("Slowly")
    reader = await shared_client.open_events(asker.headers["X-Run-Id"])
    changes = await shared_client.open_stream("GET", "/api/events", headers=[("Accept", "text/event-stream")])
    numbers = await counted(shared_client, "aichat_stream_active", 2, kind="answer")
    assert numbers.of("aichat_stream_active", kind="changes") == 1
    assert numbers["aichat_runs_live"] == 1
    assert numbers["aichat_prompt_bytes"] == len("Slowly")
    reader.close()
    changes.close()
    await counted(shared_client, "aichat_stream_active", 1)
    shared_upstream.open("word")
    await asker.read()
    numbers = await counted(shared_client, "aichat_runs_live", 0)
    assert (numbers["aichat_live_bytes"], numbers["aichat_prompt_bytes"]) == (0, 0)


async def test_a_reader_that_is_cut_off_since_it_takes_nothing_is_counted_once(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    before = (await scraped(shared_client))["aichat_stream_dropped_slow_clients_total"]
    shared_upstream.script(*say(*["가" * 8000 for _ in range(200)]))
    slow = await shared_client.open_chat("A long one.", receive_buffer=4096)
    await shared_client.ended(slow.headers["X-Run-Id"])
    numbers = await counted(shared_client, "aichat_stream_dropped_slow_clients_total", before + 1)
    assert numbers["aichat_stream_active"] == 0
    slow.close()


# ── Refusals and commits ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_is_counted_once_by_its_code_and_probes_never(shared_client: Client) -> None:
    before = await scraped(shared_client)
    for body in ({"message": ""}, {"message": "Well?", "model": "nobody/nothing"}, [1]):
        await shared_client.request("POST", CHAT, json=body)
    await shared_client.request("GET", "/nothing")
    await shared_client.request("GET", "/", headers={"Host": "attacker.test"})
    await shared_client.request("GET", "/health", headers={"Host": "attacker.test"})
    await shared_client.request("GET", METRICS, headers={"Origin": "http://localhost:5173"})
    assert (await scraped(shared_client)).moved_since(before, "aichat_refusals") == {
        ("aichat_refusals_total", ("invalid",)): 2,
        ("aichat_refusals_total", ("model_not_found",)): 1,
        ("aichat_refusals_total", ("not_found",)): 2,
        ("aichat_refusals_total", ("wrong_host",)): 1,
    }


async def test_commits_are_timed_those_with_an_fsync_apart(shared_client: Client) -> None:
    before = await scraped(shared_client)
    await shared_client.ask("Keep it.")
    after = await scraped(shared_client)
    for fsync in ("no", "yes"):
        name = "aichat_journal_commit_seconds"
        assert after.of(f"{name}_count", fsync=fsync) > before.of(f"{name}_count", fsync=fsync)
        assert after.of(f"{name}_sum", fsync=fsync) > before.of(f"{name}_sum", fsync=fsync)
        assert after.of(f"{name}_bucket", fsync=fsync, le="+Inf") == after.of(f"{name}_count", fsync=fsync)


async def test_a_full_disk_is_seen(serve: Serve) -> None:
    server = await serve(SAVE_TIMEOUT_SECONDS="0.5")
    client = Client(server.port)
    assert (await scraped(client))["aichat_database_writable"] == 1
    await server.fill_disk()
    assert (await client.request("POST", CHAT, json={"message": "Keep me."})).status == 507
    numbers = await scraped(client)
    assert numbers["aichat_database_writable"] == 0
    assert numbers["aichat_journal_commit_failures_total"] >= 1
    await server.free_disk()
    client.close()


# ── Nothing private ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_that_somebody_wrote_and_no_id_is_among_the_numbers(serve: Serve, upstream: Upstream) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    server = await serve(SYSTEM_PROMPT=f"Never say {canary}")
    client = Client(server.port)
    upstream.otherwise(*say(f"{canary} said"))
    headers = {"X-Request-ID": canary, "Cookie": f"a={canary}", "User-Agent": canary, "Idempotency-Key": canary}
    talk = await Talk.begin(client, title=canary)
    answers = [
        await client.ask(canary, headers=headers),
        await client.ask(canary, get=True),
        await talk.ask(f"{canary} in a conversation"),
    ]
    for path in (f"/{canary}", f"/api/runs/{canary}", f"/api/conversations/{canary}", f"/metrics/{canary}"):
        await client.request("GET", path, headers=headers)
    await client.request("POST", CHAT, json={"message": "Well?", "model": canary})
    await client.request("POST", CHAT, json={"message": canary, canary: canary})
    numbers = await scraped(client)
    assert canary not in numbers.text
    assert serve.canary not in numbers.text
    for answer in answers:
        assert answer.run_id not in numbers.text
    assert talk.id not in numbers.text
    assert numbers.labels.isdisjoint({"local", CHAT})
    client.close()


# ── Who may look ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_programs_of_this_machine_may_look_and_nothing_keeps_what_they_see(shared_client: Client) -> None:
    for host in ("127.0.0.1:9", "localhost", "[::1]:8000", "127.0.0.2"):
        reply = await shared_client.request("GET", METRICS, headers={"Host": host})
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert reply.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in reply.headers
    assert METRICS not in (await shared_client.request("GET", "/openapi.json")).json["paths"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:5173"},
        {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-origin"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 a-proxy"},
    ],
    ids=["a listed page", "as a browser says", "our own page", "a peer", "https", "forwarded", "via"],
)
async def test_pages_and_what_came_through_a_proxy_find_nothing_there(
    shared_client: Client, headers: dict[str, str]
) -> None:
    reply = await shared_client.request("GET", METRICS, headers=headers)
    nothing = await shared_client.request("GET", "/nothing", headers=headers)
    assert (reply.status, reply.body) == (404, nothing.body)


async def test_a_foreign_host_is_refused_as_everywhere(shared_client: Client) -> None:
    for host in ("attacker.test", "127.0.0.1.attacker.test", "10.1.2.3", ""):
        assert (await shared_client.request("GET", METRICS, headers={"Host": host})).status == 421
    assert (await shared_client.request("GET", METRICS, host=None)).status == 421


async def test_with_a_token_only_its_bearer_may_look_from_wherever(serve: Serve) -> None:
    token = f"scrape-{secrets.token_hex(8)}"
    server = await serve(METRICS_TOKEN=token, plain=True)
    client = Client(server.port)
    bearer = {"Authorization": f"Bearer {token}"}
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": token},
        {"Authorization": f"Basic {token}"},
    ):
        reply = await client.request("GET", METRICS, headers=headers)
        assert (reply.status, reply.json["code"]) == (404, "not_found")
    for method in ("POST", "PUT", "OPTIONS"):
        assert (await client.request(method, METRICS)).status == 404
    for headers in (bearer, {"Authorization": f"bearer {token}"}):
        assert (await client.request("GET", METRICS, headers=headers)).status == 200
    far = {"X-Forwarded-For": "203.0.113.9", "Host": "192.168.0.5:8000"}
    assert (await client.request("GET", METRICS, headers=far | bearer)).status == 200
    assert (await client.request("GET", METRICS, headers=far)).status == 421
    named = {"Host": "attacker.test"}
    assert (await client.request("GET", METRICS, headers=named | bearer)).status == 421
    page = {"Origin": "http://localhost:5173"}
    assert (await client.request("GET", METRICS, headers=page | bearer)).status == 404
    assert (await client.request("GET", "/api/models", headers=far | bearer)).status == 421, "it opens nothing else"
    client.close()
    await server.close()
    assert token not in server.log


async def test_many_may_look_at_once_while_answers_are_written(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*say(*["word "] * 50))
    answers = asyncio.gather(*(shared_client.ask(f"Question {number}") for number in range(10)))
    numbers = [await scraped(shared_client) for _ in range(10)]
    assert all(answer.done for answer in await answers)
    counts = [scrape["aichat_journal_commit_seconds_count"] for scrape in numbers]
    assert counts == sorted(counts)
