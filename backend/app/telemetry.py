"""What can be seen from outside: events as log lines, and numbers. Never a user's text, a key or a query.

Numbers come from where they are already. A counter is touched once a request, a run or a commit, never once a delta;
what is held anyway (open streams, live text, what waits to be written) is read when somebody looks.
"""

import logging
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.log_stream import log_stream
from app.models import Run, Usage
from app.plain_structlog import structlog

MAX_DISCOVERED = 50  # models that only an endpoint's list named, as labels of their own; an aggregator has hundreds
OTHER = "other"  # the label of the rest
NO_CODE = "none"  # the label of a run that did not fail

# OpenTelemetry's buckets for a model's answer, and four more: a long answer takes minutes.
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84)
_LONG_SECONDS = (*_SECONDS, 327.68, 655.36, 1310.72)
_TOKENS = tuple(4**power for power in range(12))
_COMMIT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_MODEL = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
RESUMES = ("resumed", "from_start", "replayed", "nothing_left", "not_found", "bad_cursor")

M = TypeVar("M", Counter, Histogram)

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chat")


def set_up() -> None:
    """Send the service's events to stderr, and silence what would write prompts down.

    uvicorn's access log prints query strings, where `GET /api/chat/stream` has its message; ours does not.
    """
    vars(log).pop("bind", None)  # where it was set up before
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(log_stream(sys.stderr)),  # a line in one write; printing takes two
        cache_logger_on_first_use=True,
    )
    for name in ("uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = False
        logger.disabled = True


def where(error: BaseException) -> str:
    """File, line and function of each frame of `error`: a traceback that holds no value, so nobody's text."""
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return " > ".join(frames)


# ── A run that has ended ─────────────────────────────────────────────────────────────────────────────────────────────


class Attempt(msgspec.Struct, frozen=True):
    """Somebody was asked."""

    model: str
    seconds: float  # after the run had started


class RunReport(msgspec.Struct, frozen=True):
    """What is worth knowing of a run that has ended, beside its text."""

    run: Run
    attempts: Sequence[Attempt]
    usage: Usage | None
    chars: int
    seconds: float
    first_text_seconds: float | None  # None: nothing was said
    readers: int  # when it ended
    most_readers: int  # at once

    @property
    def provider(self) -> str:
        """Whose model it was."""
        return self.run.model.partition("/")[0]

    @property
    def code(self) -> str | None:
        """Why it did not complete."""
        return self.run.failure.code if self.run.failure is not None else None


def tell(report: RunReport, listeners: Iterable[Callable[[RunReport], None]]) -> None:
    """Write the one line of a run, and let those who count hear of it. Whatever breaks there, the run has ended."""
    run, usage = report.run, report.usage
    log.info(
        "run.ended",
        run=run.id,
        status=run.status,
        code=report.code,
        model=run.model,
        asked=report.attempts[0].model if report.attempts else run.model,
        attempts=run.attempts,
        left_out=run.left_out,
        chars=report.chars,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        readers=report.readers,
        most_readers=report.most_readers,
        first_text_seconds=_rounded(report.first_text_seconds),
        seconds=_rounded(report.seconds),
    )
    for listener in listeners:
        try:
            listener(report)
        except Exception as error:  # noqa: BLE001 - who watches must not harm what is watched
            log.warning("run.not_counted", run=run.id, error=type(error).__name__, where=where(error))


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 3) if seconds is not None else None


# ── Numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Timings:
    """How often something took how long. One thread adds, without a lock; whoever reads may miss the newest."""

    def __init__(self, bounds: Sequence[float] = _COMMIT_SECONDS) -> None:
        """`bounds`: the upper ends of the buckets, in seconds."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """It took so long, once more."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """How often it took at most so long, as Prometheus counts."""
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


class Held(msgspec.Struct, frozen=True):
    """What is held at this moment, and what was counted by those who hold it."""

    answer_streams: int
    change_streams: int
    slow_readers_cut: int
    runs: int
    max_runs: int
    live_bytes: int
    prompt_bytes: int
    max_live_bytes: int
    writable: bool
    writes_waiting: int
    commits: Timings
    durable_commits: Timings
    failed_commits: int


class Metrics:
    """Every number of one application. The names of `gen_ai_*` are OpenTelemetry's, ours begin with `aichat_`."""

    def __init__(self, version: str, models: Iterable[str]) -> None:
        """`models`: those that the operator named; of others, only `MAX_DISCOVERED` get a label of their own."""
        disable_created_metrics()  # a second line for each, which nobody asks for
        self._models = set(models)
        self._series: dict[tuple[Counter | Histogram, tuple[str, ...]], Any] = {}
        self._room = MAX_DISCOVERED
        self._registry = registry = CollectorRegistry()
        self._duration = Histogram(
            "gen_ai_client_operation_duration_seconds",
            "How long an answer took, from its acceptance to its end.",
            (*_MODEL, "error_type"),
            registry=registry,
            buckets=_LONG_SECONDS,
        )
        self._first_text = Histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "How long the first text of an answer took.",
            _MODEL,
            registry=registry,
            buckets=_SECONDS,
        )
        self._tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of an answer or a title, where the provider said.",
            (*_MODEL, "gen_ai_token_type"),
            registry=registry,
            buckets=_TOKENS,
        )
        self._runs = Counter("aichat_runs", "Runs by how they ended.", ("status", "code"), registry=registry)
        self._attempts = Counter(
            "aichat_upstream_attempts",
            "How often a model was asked for an answer.",
            ("gen_ai_provider_name", "gen_ai_request_model"),
            registry=registry,
        )
        self._resumes = Counter(
            "aichat_stream_resumes", "Requests for what a run has said already.", ("outcome",), registry=registry
        )
        self._refusals = Counter("aichat_refusals", "Requests that were refused.", ("code",), registry=registry)
        self._runs.labels("completed", NO_CODE)
        for outcome in RESUMES:
            self._resumes.labels(outcome)
        self._state = _StateCollector(version)
        registry.register(self._state)
        ProcessCollector(registry=registry)

    def watch(self, read: Callable[[], Held]) -> None:
        """Call `read` whenever somebody looks; it may be called in any thread."""
        self._state.read = read

    def ended(self, report: RunReport) -> None:
        """A run has ended."""
        run = report.run
        self._one(self._runs, run.status, report.code or NO_CODE).inc()
        for attempt in report.attempts:
            self._one(self._attempts, *self._named(attempt.model)).inc()
        model = ("chat", *self._named(run.model))
        self._one(self._duration, *model, report.code or "").observe(report.seconds)
        if report.first_text_seconds is not None:
            self._one(self._first_text, *model).observe(report.first_text_seconds)
        if report.usage is not None:
            self.spent(run.model, report.usage)

    def spent(self, model: str, usage: Usage) -> None:
        """The provider said what something has cost."""
        labels = ("chat", *self._named(model))
        self._one(self._tokens, *labels, "input").observe(usage.input_tokens)
        self._one(self._tokens, *labels, "output").observe(usage.output_tokens)

    def recovered(self, runs: int) -> None:
        """A crash had left so many runs in the middle; they are interrupted now."""
        self._runs.labels("interrupted", "interrupted").inc(runs)

    def resumed(self, outcome: str) -> None:
        """Somebody came for what a run has said; `outcome` is one of `RESUMES`."""
        self._resumes.labels(outcome).inc()

    def refused(self, code: str) -> None:
        """A request was refused."""
        self._refusals.labels(code).inc()

    def exposed(self) -> bytes:
        """All of it in Prometheus' text format. Reads files of the system; not for the loop's thread."""
        return generate_latest(self._registry)

    def _one(self, metric: M, *labels: str) -> M:
        """`metric.labels(…)`, which looks at each label of a series that it knows, every time."""
        series: M | None = self._series.get((metric, labels))
        if series is None:
            self._series[metric, labels] = series = metric.labels(*labels)
        return series

    def _named(self, model: str) -> tuple[str, str]:
        """Provider and model as labels: a bounded number of them, whatever endpoints list and clients ask for."""
        if model not in self._models and self._room > 0:
            self._room -= 1
            self._models.add(model)
        return model.partition("/")[0], model if model in self._models else OTHER


class _StateCollector(Collector):
    """Draws what is held at the moment of a scrape."""

    def __init__(self, version: str) -> None:
        self._version = version
        self.read: Callable[[], Held] | None = None

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("aichat_build_info", "What runs here.", labels=("version",))
        build.add_metric([self._version], 1)
        yield build
        if self.read is not None:
            yield from _drawn(self.read())


def _drawn(held: Held) -> Iterator[Metric]:
    streams = GaugeMetricFamily("aichat_stream_active", "Open streams, by what they carry.", labels=("kind",))
    streams.add_metric(["answer"], held.answer_streams)
    streams.add_metric(["changes"], held.change_streams)
    yield streams
    gauges: tuple[tuple[str, str, float], ...] = (
        ("aichat_runs_live", "Answers being written.", held.runs),
        ("aichat_runs_limit", "How many may be: MAX_RUNS.", held.max_runs),
        ("aichat_live_bytes", "Answers being written, in memory: text, and many parts.", held.live_bytes),
        ("aichat_prompt_bytes", "Text of their questions, in memory.", held.prompt_bytes),
        ("aichat_live_bytes_limit", "How much both may be: MAX_LIVE_BYTES.", held.max_live_bytes),
        ("aichat_writes_waiting", "Writes that wait for the next commit.", held.writes_waiting),
        ("aichat_database_writable", "1: the last commit succeeded.", held.writable),
    )
    for name, about, value in gauges:
        yield GaugeMetricFamily(name, about, float(value))
    yield CounterMetricFamily(
        "aichat_stream_dropped_slow_clients",
        "Readers that were cut off since their socket took nothing.",
        held.slow_readers_cut,
    )
    yield CounterMetricFamily("aichat_journal_commit_failures", "Commits that failed.", held.failed_commits)
    commits = HistogramMetricFamily("aichat_journal_commit_seconds", "How long a commit took.", labels=("fsync",))
    for fsync, timings in (("no", held.commits), ("yes", held.durable_commits)):
        commits.add_metric([fsync], timings.buckets(), timings.total)
    yield commits
