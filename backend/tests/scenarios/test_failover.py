"""When a model cannot be asked, the next on its list is: at once, on the record, three times in all, never in doubt."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.catalogue import serving, toml
from tests.support.client import Client, read_answer
from tests.support.fixtures import Serve
from tests.support.invariants import Books
from tests.support.outcome import Outcome, looked_at, outcome
from tests.support.script import Fin, Gate, Hang, Reset, Send, Status, Step, chunk, error_status, event, say, serve_body
from tests.support.server import Server
from tests.support.sockets import free_port
from tests.support.upstream import Upstream
from tests.support.waiting import until

NOW = {"Retry-After": "0"}
LATER = {"Retry-After": "99"}
CHAIN = """
[models."a/m"]
fallbacks = ["b/m"]
[models."b/m"]
note = "A stand-in."
"""
THREE = """
[models."a/m"]
fallbacks = ["b/m", "c/m"]
[models."b/m"]
[models."c/m"]
"""


class Kit:
    """Three endpoints, and services that know them."""

    def __init__(self, serve: Serve, folder: Path, a: Upstream, b: Upstream, c: Upstream) -> None:
        self.a, self.b, self.c = a, b, c
        self._serve = serve
        self._folder = folder
        self._clients: list[Client] = []

    async def server(self, models: str = CHAIN, *, a: str | None = None, **env: Any) -> Server:
        text = toml(models, a=a or self.a, b=self.b, c=self.c)
        return await serving(self._serve, self._folder, text, **env)

    async def client(self, models: str = CHAIN, *, a: str | None = None, **env: Any) -> Client:
        return self.of(await self.server(models, a=a, **env))

    def of(self, server: Server) -> Client:
        client = Client(server.port)
        self._clients.append(client)
        return client

    @property
    def calls(self) -> tuple[int, int, int]:
        return self.a.calls, self.b.calls, self.c.calls

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
async def kit(serve: Serve, tmp_path: Path) -> AsyncGenerator[Kit]:
    async with AsyncExitStack() as stack:
        a, b, c = [await stack.enter_async_context(Upstream()) for _ in range(3)]
        b.otherwise(*say("from b"))
        c.otherwise(*say("from c"))
        made = Kit(serve, tmp_path, a, b, c)
        yield made
        made.close()
        for one in (a, b, c):
            one.hang_up()


def wrote(seen: Outcome) -> tuple[str, str, int]:
    """The text, who wrote it, and how often somebody was asked."""
    return seen.text, seen.run["model"], seen.run["attempts"]


# ── It hands over ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 529])
async def test_after_a_status_that_cannot_be_billed_the_next_is_asked_at_once(kit: Kit, code: int) -> None:
    kit.a.otherwise(*error_status(code, LATER))
    client = await kit.client()
    seen = await outcome(client)
    assert wrote(seen) == ("from b", "b/m", 2)
    assert kit.calls == (1, 1, 0)
    assert kit.b.requests[0].at - kit.a.requests[0].at < 5, "nobody waits for a Retry-After of another model"
    assert kit.b.requests[0].json["model"] == "m"


async def test_an_endpoint_that_cannot_be_reached_hands_over(kit: Kit) -> None:
    client = await kit.client(a=f"http://127.0.0.1:{free_port()}/v1")
    assert wrote(await outcome(client)) == ("from b", "b/m", 2)


async def test_a_model_that_is_not_there_hands_over_before_anything_else_happened(kit: Kit, tmp_path: Path) -> None:
    """It refuses without any wait: the run's own marks must not overtake each other."""
    text = '[providers.small]\nembedded = true\n[models."small/none"]\nfallbacks = ["b/m"]\n[models."b/m"]'
    server = await kit.server(text, LOCAL_MODEL_PATH=tmp_path / "none.gguf")
    client = kit.of(server)
    kit.b.script(Gate("later"), *say("from b"))
    stream = await client.open_chat("Well?")
    run_id = stream.headers["X-Run-Id"]
    await kit.b.at_gate("later")

    def kept() -> bool:
        run = Books.read(server.database).run(run_id)
        return (run["model"], run["attempts"], run["status"]) == ("b/m", 2, "running")

    await until(kept, "the row says who is asked")
    kit.b.open("later")
    assert wrote(await looked_at(client, await read_answer(stream))) == ("from b", "b/m", 2)


@pytest.mark.alone
async def test_the_embedded_model_stands_in_for_an_endpoint(kit: Kit) -> None:
    smol = "embedded/smollm2-135m-instruct"
    text = f'[providers.embedded]\nembedded = true\n[models."a/m"]\nfallbacks = ["{smol}"]'
    kit.a.otherwise(*error_status(503))
    client = await kit.client(text, MAX_TOKENS="8")
    seen = await outcome(client, "Say hello.")
    assert (seen.status, seen.run["model"], seen.run["attempts"]) == ("completed", smol, 2)
    assert seen.text
    assert "often wrong" in seen.run["note"]


async def test_each_model_is_asked_with_its_own_parameters_and_the_request_s_win(kit: Kit) -> None:
    text = CHAIN.replace('note = "A', 'max_tokens = 77\ntemperature = 0.25\nnote = "A')
    kit.a.otherwise(*error_status(503))
    client = await kit.client(text)
    await outcome(client)
    body = {"message": "Well?", "temperature": 1.5, "max_tokens": 5}
    await client.request("POST", "/api/chat/stream", json=body)
    asked = [
        (seen.json["max_tokens"], seen.json["temperature"]) for one in (kit.a, kit.b) for seen in (one.requests[:2])
    ]
    assert asked == [(1000, 0.7), (5, 1.5), (77, 0.25), (5, 1.5)]


# ── Three attempts in all ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_last_one_is_asked_once_more_after_its_pause(kit: Kit) -> None:
    kit.a.otherwise(*error_status(503, NOW))
    kit.b.script(*error_status(503, {"Retry-After": "0.5"}))
    client = await kit.client()
    assert wrote(await outcome(client)) == ("from b", "b/m", 3)
    assert kit.calls == (1, 2, 0)
    assert kit.b.requests[1].at - kit.b.requests[0].at >= 0.5


async def test_there_are_three_attempts_in_all_and_the_last_one_s_error_is_told(kit: Kit) -> None:
    for one, code in ((kit.a, 503), (kit.b, 503), (kit.c, 429)):
        one.otherwise(*error_status(code, NOW))
    client = await kit.client(THREE)
    seen = await outcome(client)
    assert seen.ended == ("failed", "upstream_rate_limited", "")
    assert (kit.calls, seen.run["model"], seen.run["attempts"]) == ((1, 1, 1), "c/m", 3)


async def test_with_two_models_the_third_attempt_is_the_last(kit: Kit) -> None:
    for one in (kit.a, kit.b):
        one.otherwise(*error_status(503, NOW))
    client = await kit.client()
    seen = await outcome(client)
    assert seen.ended == ("failed", "upstream_unavailable", "")
    assert (kit.calls, seen.run["attempts"]) == ((1, 2, 0), 3)


async def test_the_last_one_is_not_asked_again_when_it_wants_too_long_a_pause(kit: Kit) -> None:
    for one in (kit.a, kit.b):
        one.otherwise(*error_status(429, LATER))
    client = await kit.client()
    seen = await outcome(client)
    assert seen.ended == ("failed", "upstream_rate_limited", "")
    assert (kit.calls, seen.run["attempts"]) == ((1, 1, 0), 2)


# ── It never hands over ──────────────────────────────────────────────────────────────────────────────────────────────

HALF = [Status(), Send(chunk("Half"))]


@pytest.mark.parametrize(
    ("steps", "ended"),
    [
        (error_status(400), ("failed", "upstream_rejected", "")),
        (error_status(401), ("failed", "upstream_rejected", "")),
        (error_status(404), ("failed", "upstream_rejected", "")),
        (error_status(422), ("failed", "upstream_rejected", "")),
        ([Status(302, {"Location": "/", "Content-Length": "0"}, "length")], ("failed", "upstream_protocol", "")),
        ([Reset()], ("failed", "upstream_unavailable", "")),
        ([Status(), Reset()], ("interrupted", "upstream_interrupted", "")),
        ([*HALF, Fin()], ("interrupted", "upstream_interrupted", "Half")),
        (serve_body(b"<html>", content_type="text/html"), ("failed", "upstream_protocol", "")),
        (serve_body(event({"error": {"message": "x", "code": 503}})), ("failed", None, "")),
        ([Hang()], ("failed", "upstream_timeout", "")),
        ([Status(), Hang()], ("failed", "upstream_timeout", "")),
        ([*HALF, Hang()], ("failed", "upstream_timeout", "Half")),
    ],
    ids=[
        "400",
        "401",
        "404",
        "422",
        "302",
        "reset",
        "reset-after-200",
        "half",
        "page",
        "in-band",
        "silence",
        "silence-after-200",
        "silence-after-half",
    ],
)
async def test_what_may_have_been_billed_is_never_asked_of_another(
    kit: Kit, steps: Sequence[Step], ended: tuple[str, str | None, str]
) -> None:
    kit.a.otherwise(*steps)
    patience = "0.6" if ended[1] == "upstream_timeout" else "30"  # only silence has to be waited for
    client = await kit.client(FIRST_TOKEN_TIMEOUT_SECONDS=patience, IDLE_TIMEOUT_SECONDS=patience)
    seen = await outcome(client)
    assert (seen.status, ended[1] and seen.code, seen.text) == ended
    assert (kit.calls, seen.run["model"], seen.run["attempts"]) == ((1, 0, 0), "a/m", 1)


async def test_a_run_that_is_stopped_in_a_pause_asks_nobody(kit: Kit) -> None:
    kit.a.otherwise(*error_status(503))
    kit.b.otherwise(*error_status(503, {"Retry-After": "1"}))
    client = await kit.client()
    stream = await client.open_chat("Well?")
    await (await kit.b.request()).answered.wait()
    await client.cancel(stream.headers["X-Run-Id"])
    seen = await looked_at(client, await read_answer(stream))
    assert seen.ended == ("cancelled", "cancelled", "")
    await asyncio.sleep(1.2)  # that pause
    assert kit.calls == (1, 1, 0)


async def test_closing_the_one_that_took_over_stops_it(kit: Kit) -> None:
    kit.a.otherwise(*error_status(503))
    kit.b.otherwise(*HALF, Hang())
    client = await kit.client()
    stream = await client.open_chat("Well?")
    await until(lambda: b"Half" in stream.body or _more(stream), "b has begun")
    began = time.monotonic()
    await client.cancel(stream.headers["X-Run-Id"])
    assert await kit.b.requests[0].is_closed() - began < 2


async def _more(stream: Any) -> bool:
    await anext(stream.pieces(), None)
    return b"Half" in stream.body


# ── On the record ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_early_readers_of_format_ui_are_told_at_the_end_who_wrote_it_and_late_ones_at_the_start(kit: Kit) -> None:
    kit.a.otherwise(Gate("late"), *error_status(503))
    client = await kit.client()
    stream = await client.open_chat("Well?", format="ui")
    await kit.a.at_gate("late")
    pieces = stream.pieces()
    while not stream.events:
        await anext(pieces)
    kit.a.open("late")
    await stream.read()
    frames = [one.json for one in stream.events if one.data != "[DONE]"]
    assert frames[0]["messageMetadata"]["model"] == "a/m"
    assert frames[-1] == {
        "type": "finish",
        "finishReason": "stop",
        "messageMetadata": {"model": "b/m", "note": "A stand-in."},
    }
    late = await client.open_events(stream.headers["X-Run-Id"], format="ui")
    await late.read()
    assert late.events[0].json["messageMetadata"]["model"] == "b/m"
    assert late.events[0].json["messageMetadata"]["note"] == "A stand-in."
    run = (await client.run(stream.headers["X-Run-Id"])).json
    assert (run["model"], run["note"]) == ("b/m", "A stand-in.")


async def test_without_a_failover_the_end_says_nothing_of_models(kit: Kit) -> None:
    client = await kit.client()
    stream = await client.open_chat("Well?", format="ui")
    await stream.read()
    assert stream.events[-2].json == {"type": "finish", "finishReason": "stop"}


@pytest.mark.trouble_expected
@pytest.mark.parametrize(
    ("moment", "kept"),
    [("app.store.sql:SqlStore.mark", ("a/m", 1)), ("app.providers.openai:OpenAIProvider.answer@2", ("b/m", 2))],
    ids=["before the intent", "after the intent"],
)
async def test_killed_while_it_hands_over_it_asks_nobody_after_that(
    kit: Kit, moment: str, kept: tuple[str, int]
) -> None:
    kit.a.otherwise(Gate("marked"), *error_status(503))
    server = await kit.server(FAILPOINT=moment)
    client = kit.of(server)
    stream = await client.open_chat("Well?", key="once")
    run_id = stream.headers["X-Run-Id"]
    await until(lambda: Books.read(server.database).run(run_id)["status"] == "running", "it is accepted")
    kit.a.open("marked")
    with suppress(ConnectionError):
        await stream.read()
    await server.wait()
    assert server.exit_code == -9
    row = Books.read(server.database).run(run_id)
    assert (row["model"], row["attempts"]) == kept
    await server.start(FAILPOINT=None)
    again = await client.ask("Well?", key="once")
    assert again.error is not None
    assert (again.replayed, again.error["code"]) == (True, "interrupted")
    run = (await client.run(run_id)).json
    assert (run["status"], run["model"], run["attempts"]) == ("interrupted", *kept)
    assert kit.calls == (1, 0, 0)
