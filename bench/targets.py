"""What this service is to reach, and whether a run shows that it does."""

from collections.abc import Callable, Iterator

from bench.job import Outcome
from bench.results import Figure, PeerResult, Results, figure
from bench.sizes import SIZES

TIMES_NGINX = 3.0  # CPU a token
TOKENS_A_SECOND = 25_000
TIMES_CHEAPER = {"litellm": 20.0, "document": 5.0}
LATER_THAN_NGINX = 25.0  # milliseconds: first text of 100 that ask at once, median
STREAM_KB = 40.0
REQUEST_MICROSECONDS = 1_000.0
START_SECONDS = 1.0
IDLE_MB = 90.0  # without the embedded model


def targets(results: Results) -> Iterator[tuple[str, str, bool]]:
    """What was to be reached, what was measured, and whether that is enough; without what was not measured."""
    service = results.peers.get("service")
    if service is None or not service.rounds:
        return
    cost = _of(service, "tokens", lambda one: one.cpu_per_token)
    nginx = _of(results.peers.get("nginx"), "tokens", lambda one: one.cpu_per_token)
    if cost and nginx:
        times = cost / nginx
        yield f"CPU a token at most {TIMES_NGINX:g} × nginx", f"{times:.1f} ×", times <= TIMES_NGINX
    for name, least in TIMES_CHEAPER.items():
        other = _of(results.peers.get(name), "tokens", lambda one: one.cpu_per_token)
        if cost and other:
            times = other / cost
            yield f"{name}: at least {least:g} × as much CPU a token", f"{times:.1f} ×", times >= least
    steady = Figure.of(one.steady for one in service.rounds)
    if steady:
        told = f"{TOKENS_A_SECOND:,} tokens/s on one core, pace kept"
        yield told, f"{steady.median:,.0f}", steady.median >= TOKENS_A_SECOND
    first = _of(service, "crowd-100", lambda one: one.first.p50)
    their_first = _of(results.peers.get("nginx"), "crowd-100", lambda one: one.first.p50)
    if first and their_first:
        later = first - their_first
        told = f"first text of 100 at once within {LATER_THAN_NGINX:g} ms of nginx's"
        yield told, f"{later:.0f} ms later", later <= LATER_THAN_NGINX
    yield from _weights(results, service)


def _weights(results: Results, service: PeerResult) -> Iterator[tuple[str, str, bool]]:
    size = SIZES[results.size]
    stream = _of(service, "open", lambda one: (one.rss_open - one.rss_before) / size.open / 1000)
    if stream:
        yield f"at most {STREAM_KB:g} kB an open stream", f"{stream:.0f} kB", stream <= STREAM_KB
    request = _of(service, "requests", lambda one: one.cpu_per_token)
    if request:
        told = f"at most {REQUEST_MICROSECONDS / 1000:g} ms of CPU a request"
        yield told, f"{request / 1000:.2f} ms", request <= REQUEST_MICROSECONDS
    start = Figure.of(one.start_seconds for one in service.rounds)
    if start:
        yield f"ready within {START_SECONDS:g} s", f"{start.median:.2f} s", start.median <= START_SECONDS
    idle = Figure.of(one.idle_bytes / 1e6 for one in service.rounds)
    if idle:
        yield f"at most {IDLE_MB:g} MB when idle", f"{idle.median:.0f} MB", idle.median <= IDLE_MB


def _of(peer: PeerResult | None, workload: str, of: Callable[[Outcome], float]) -> float | None:
    found = figure(peer, workload, of) if peer is not None else None
    return found.median if found is not None else None
