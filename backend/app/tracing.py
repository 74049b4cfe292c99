"""Traces for OpenTelemetry: a span a request, made by FastAPI, and a span a run. Never what somebody wrote.

The names are those of its GenAI conventions. Nothing is traced unless `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, TracerProvider
from starlette.types import Scope

from app.telemetry import RunReport, log

EXPORT_SECONDS = 5.0  # for a batch, retries and all: as long as a stop may wait for a collector that is gone
TROUBLE_SECONDS = 60.0  # between two lines about spans that could not be sent

_MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but what sends traces is not installed, so there are none. "
    "Type: pip install -r requirements-otel.txt"
)
_QUIET = ("/health", "/health/stream", "/ready", "/metrics")
# FastAPI also knows the query, where a GET has its question, the path as it was typed, and the host as it was claimed.
_KEPT = {"http.request.method", "url.scheme", "network.protocol.version"}


class Tracing:
    """The spans of one application, and where they go."""

    def __init__(self, endpoint: str, version: str) -> None:
        """`endpoint`: the collector's address, by OTLP over HTTP. Empty: nothing is traced."""
        self._endpoint = endpoint
        self._sdk = _sdk(version) if endpoint else None
        self._tracer = self._sdk.get_tracer("ai-chat-service", version) if self._sdk is not None else None

    @property
    def config(self) -> TelemetryConfig:
        """What FastAPI is to do: requests alone, once a response and never once a frame.

        What else a process may have set up for tracing is left alone: it would be told what people ask.
        """
        off: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
        if self._sdk is None:
            return off
        return {
            **off,
            "tracing": True,
            "tracer_provider": _Discreet(self._sdk),
            "operation_spans": False,
            "exclude": _is_quiet,
        }

    async def start(self) -> None:
        """Begin to send; say so where that cannot be."""
        if self._sdk is not None:
            await asyncio.to_thread(_send, self._sdk, f"{self._endpoint}/v1/traces")
            log.info("tracing.started")
        elif self._endpoint:
            log.warning("tracing.missing", message=_MISSING)

    async def close(self) -> None:
        """Send what is left, and stop."""
        if self._sdk is not None:
            await asyncio.to_thread(self._sdk.shutdown)

    def routed(self, method: str, path: str) -> None:
        """Which route the request at hand has come to: what its span is called by, as FastAPI's routing would."""
        if self._tracer is not None:
            span = trace.get_current_span()
            span.set_attribute("http.route", path)
            span.update_name(f"{method} {path}")

    def ended(self, report: RunReport) -> None:
        """A run has ended: its span, linked to the request that started it, which it may have outlived."""
        if self._tracer is None:
            return
        run = report.run
        ended_at = (run.ended_at or 0) * 1_000_000
        started_at = ended_at - int(report.seconds * 1e9)
        asked = report.attempts[0].model if report.attempts else run.model
        request = trace.get_current_span().get_span_context()  # a run's task has the context that it was started in
        span = self._tracer.start_span(
            f"chat {asked}",
            context=Context(),
            kind=SpanKind.CLIENT,
            links=[Link(request)] if request.is_valid else [],
            start_time=started_at,
            attributes={"gen_ai.request.model": asked, **_attributes(report)},
        )
        for attempt in report.attempts[1:]:
            told = {"gen_ai.request.model": attempt.model}
            span.add_event("aichat.attempt", told, timestamp=started_at + int(attempt.seconds * 1e9))
        if run.status in ("failed", "interrupted"):
            span.set_status(StatusCode.ERROR)
        span.end(ended_at)


def _attributes(report: RunReport) -> dict[str, Any]:
    run, usage = report.run, report.usage
    known: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": report.provider,
        "gen_ai.request.stream": True,
        "gen_ai.output.type": "text",
        "gen_ai.conversation.id": run.conversation_id,
        "gen_ai.response.id": run.id,
        "gen_ai.response.model": run.model,
        "gen_ai.response.finish_reasons": [run.finish_reason] if run.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": report.first_text_seconds,
        "gen_ai.usage.input_tokens": usage.input_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if usage else None,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens if usage else None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens if usage else None,
        "error.type": report.code if run.status in ("failed", "interrupted") else None,
        "aichat.run.status": run.status,
    }
    return {name: value for name, value in known.items() if value is not None}


def _is_quiet(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.endswith(_QUIET)


class _Discreet(TracerProvider):
    """Keeps from FastAPI's spans what somebody may have written."""

    def __init__(self, inner: TracerProvider) -> None:
        self._inner = inner

    def get_tracer(self, *args: Any, **more: Any) -> Tracer:
        return _DiscreetTracer(self._inner.get_tracer(*args, **more))


class _DiscreetTracer(Tracer):
    def __init__(self, inner: Tracer) -> None:
        self._inner = inner

    def start_span(self, name: str, *args: Any, attributes: Mapping[str, Any] | None = None, **more: Any) -> Span:
        return self._inner.start_span(name, *args, attributes=_kept(attributes), **more)

    def start_as_current_span(
        self, name: str, *args: Any, attributes: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        return self._inner.start_as_current_span(name, *args, attributes=_kept(attributes), **more)


def _kept(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in _KEPT}


# ── The optional packages ────────────────────────────────────────────────────────────────────────────────────────────


def _sdk(version: str) -> Any:
    """What makes spans; None where it is not installed. Names of the environment go before ours."""
    try:
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        resources = import_module("opentelemetry.sdk.resources")
        sdk = import_module("opentelemetry.sdk.trace")
    except ImportError:
        return None
    ours = resources.Resource.create({"service.name": "ai-chat-service", "service.version": version})
    told = resources.OTELResourceDetector().detect()
    return sdk.TracerProvider(resource=ours.merge(told), shutdown_on_exit=False)


def _send(sdk: Any, endpoint: str) -> None:
    """Have spans sent in batches by a thread of their own."""
    exporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter
    processor = import_module("opentelemetry.sdk.trace.export").BatchSpanProcessor
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [_Trouble()], False
    sdk.add_span_processor(processor(exporter(endpoint, timeout=EXPORT_SECONDS)))


class _Trouble(logging.Handler):
    """What the packages complain of, as a line of ours, now and then: without their words, which a collector wrote."""

    _due = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING and time.monotonic() >= self._due:
            self._due = time.monotonic() + TROUBLE_SECONDS
            log.warning("tracing.trouble", source=record.name, message="Traces are not sent. Is the collector there?")
