"""What a collector gets to see: a span a request and a span a run, and nothing that somebody wrote."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from app import tracing
from app.tracing import Tracing
from tests.support.catalogue import serving, toml
from tests.support.client import Client
from tests.support.collector import Collector, values
from tests.support.fixtures import Serve
from tests.support.scrape import line_of
from tests.support.script import Fin, Send, Status, chunk, error_status, say
from tests.support.sockets import free_port
from tests.support.talk import Talk
from tests.support.upstream import Upstream

SOON: dict[str, Any] = {"OTEL_BSP_SCHEDULE_DELAY": "50"}  # milliseconds until a batch goes
CLIENT, SERVER = 3, 2  # kinds of spans
ERROR = 2
CHAT_SPAN = "chat openai/gpt-3.5-turbo"


@pytest.fixture
async def collector() -> AsyncGenerator[Collector]:
    """A collector that nobody has sent anything to yet."""
    async with Collector() as collector:
        yield collector


async def test_a_question_makes_a_span_of_its_request_and_a_span_of_its_run_which_is_linked_to_it(
    serve: Serve, upstream: Upstream, collector: Collector
) -> None:
    upstream.otherwise(*say(*["word "] * 200))
    server = await serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **SOON)
    client = Client(server.port)
    talk = await Talk.begin(client, title="Given")
    began = time.time_ns()
    answer = await talk.ask("Hello?")
    run, request = await collector.span(CHAT_SPAN), await collector.span("POST /api/chat/stream")
    kept = (await client.run(answer.run_id)).json
    told = values(run.attributes)
    assert (run.kind, request.kind, run.status.code) == (CLIENT, SERVER, 0)
    assert 0 < told.pop("gen_ai.response.time_to_first_chunk") < 10
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "openai/gpt-3.5-turbo",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "openai/gpt-3.5-turbo",
        "gen_ai.response.id": answer.run_id,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.output.type": "text",
        "gen_ai.conversation.id": talk.id,
        "gen_ai.usage.input_tokens": kept["usage"]["input_tokens"],
        "gen_ai.usage.output_tokens": kept["usage"]["output_tokens"],
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "aichat.run.status": "completed",
    }
    assert (run.parent_span_id, run.trace_id != request.trace_id) == (b"", True)
    assert [(link.trace_id, link.span_id) for link in run.links] == [(request.trace_id, request.span_id)]
    assert began - 10**9 < run.start_time_unix_nano <= run.end_time_unix_nano <= time.time_ns() + 10**9
    client.close()
    await server.close()
    names = sorted(span.name for span in collector.spans if "chat" in span.name)
    assert names == ["POST /api/chat/stream", CHAT_SPAN], "two, however many words there were"
    assert collector.resource["service.name"] == "ai-chat-service"


async def test_nothing_that_somebody_wrote_reaches_the_collector(
    serve: Serve, upstream: Upstream, collector: Collector
) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    server = await serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, SYSTEM_PROMPT=canary, METRICS_TOKEN=canary, **SOON)
    client = Client(server.port)
    upstream.otherwise(*say(f"{canary} said"))
    headers = {"User-Agent": canary, "Cookie": f"a={canary}", "Baggage": f"a={canary}", "X-Request-ID": canary}
    await client.ask(canary, get=True, headers=headers)
    await client.ask(canary, headers=headers)
    await client.request("GET", f"/{canary}?q={canary}", headers=headers)
    await client.request("GET", f"/api/runs/{canary}", headers=headers)
    await client.request("GET", "/", headers={"Host": f"{canary}.test"})
    upstream.otherwise(*error_status(500, {"X-Trouble": canary}, canary))
    await client.ask(f"{canary} in trouble")
    await collector.span("GET /api/chat/stream")
    client.close()
    await server.close()
    assert len([span for span in collector.spans if span.name == CHAT_SPAN]) == 3
    assert canary.encode() not in collector.bytes
    assert serve.canary.encode() not in collector.bytes


async def test_probes_and_scrapes_leave_no_span(serve: Serve, collector: Collector) -> None:
    server = await serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="another-name", **SOON)
    client = Client(server.port)
    for path in ("/health", "/ready", "/metrics", "/health/stream", "/api/models"):
        assert (await client.request("GET", path)).status == 200
    await collector.span("GET /api/models")
    client.close()
    await server.close()
    assert {span.name for span in collector.spans} == {"GET /api/models"}
    assert collector.resource["service.name"] == "another-name"


async def test_a_model_that_took_over_is_an_event_and_a_failure_is_an_error(
    serve: Serve, upstream: Upstream, collector: Collector, tmp_path: Path
) -> None:
    async with Upstream() as second:
        text = toml('[models."a/m"]\nfallbacks = ["b/m"]\n[models."b/m"]\n', a=upstream, b=second)
        server = await serving(serve, tmp_path, text, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **SOON)
        client = Client(server.port)
        upstream.otherwise(*error_status(503))
        second.otherwise(Status(), Send(chunk("Half")), Fin())
        await client.ask("Anyone?")
        run = await collector.span("chat a/m")
        told = values(run.attributes)
        assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == ("a/m", "b/m")
        assert (told["error.type"], run.status.code) == ("upstream_interrupted", ERROR)
        assert (told["aichat.run.status"], "gen_ai.usage.input_tokens" in told) == ("interrupted", False)
        (event,) = run.events
        assert (event.name, values(event.attributes)) == ("aichat.attempt", {"gen_ai.request.model": "b/m"})
        assert run.start_time_unix_nano <= event.time_unix_nano <= run.end_time_unix_nano
        client.close()


async def test_without_our_setting_nothing_is_sent_whatever_else_the_process_is_told(
    serve: Serve, collector: Collector
) -> None:
    told: dict[str, Any] = {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces",
    }
    server = await serve(**told, **SOON)
    client = Client(server.port)
    assert (await client.ask("Hello?", get=True)).done
    client.close()
    await server.close()
    assert collector.bytes == b""


async def test_a_collector_that_is_gone_harms_nothing_and_is_told_in_our_words(serve: Serve) -> None:
    port = free_port()
    server = await serve(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", **SOON)
    client = Client(server.port)
    assert (await client.ask("Hello?")).done
    line = await line_of(server, "tracing.trouble", level="warning")
    assert line["message"] == "Traces are not sent. Is the collector there?"
    client.close()
    began = time.monotonic()
    await server.close()
    assert time.monotonic() - began < 2 * tracing.EXPORT_SECONDS + 5
    assert str(port) not in "".join(line for line in server.log.splitlines() if "tracing.trouble" in line)


async def test_packages_that_are_missing_are_told_with_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tracing, "import_module", nothing)
    off = Tracing("http://127.0.0.1:4318", "1.0")
    assert not off.config.get("tracing")
    await off.start()
    await off.close()
    said = capsys.readouterr()
    assert "pip install -r requirements-otel.txt" in said.out + said.err


@pytest.mark.parametrize(
    "url", ["collector:4318", "ftp://collector", "http://user:secret@collector:4318", "http://a/?b"]
)
async def test_an_address_that_is_none_is_refused_at_start(serve: Serve, url: str) -> None:
    server = serve.make(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    server.spawn()
    assert await asyncio.wait_for(server.wait(), 20) == 1
    assert server.log.startswith("OTEL_EXPORTER_OTLP_ENDPOINT cannot be ")
    assert "secret" not in server.log
