"""The report's section on PostgreSQL and several replicas."""

from collections.abc import Iterator

from bench.cells import cell, pair, table, troubles
from bench.results import Figure, PeerResult, Results, figure
from bench.sizes import SIZES, Size


def section(results: Results) -> Iterator[str]:
    """What each setting costs, what readers see, what a reader elsewhere costs, and how much PostgreSQL takes."""
    size = SIZES[results.size]
    settings = [one for one in results.replicas.values() if one.rounds]
    yield "## Over PostgreSQL, with several replicas"
    yield ""
    yield "CPU of all replicas together, and PostgreSQL's beside it:"
    yield f"{size.streams} streams of {size.tokens} tokens, requests included;"
    yield f"and {size.requests} answers of one token, {size.requests_at_once} at once."
    yield "Questions go to each replica in turn. **All replicas and PostgreSQL share one core**, so what they use"
    yield "tells, and not how much comes through."
    for part in (_costs, _seen):
        yield ""
        yield from part(size, settings)
    yield ""
    yield "**Read elsewhere.** Half as many answers, each read where it was asked for and at the next replica, so as"
    yield "many tokens are read. *Later* is how much later a text was there than where it was asked for; with one"
    yield "process both are the same place."
    yield ""
    yield from _elsewhere(settings)
    if results.committing:
        yield ""
        yield "**Commits.** What this PostgreSQL takes in a second when nothing else is asked of it: a row of 200 bytes"
        yield "each, without a notice to the others and with one, as replicas commit."
        yield ""
        rows = [(f"{one.at_once} at once", f"{one.plain:,.0f}", f"{one.notified:,.0f}") for one in results.committing]
        yield from table(("connections", "commits/s", "with a notice"), rows)


def _costs(size: Size, settings: list[PeerResult]) -> Iterator[str]:
    rows = [
        (
            one.title,
            cell(figure(one, "tokens", lambda out: out.cpu_per_token)),
            cell(figure(one, "tokens", lambda out: out.database_per_token)),
            cell(figure(one, "requests", lambda out: out.cpu_per_token)),
            cell(figure(one, "requests", lambda out: out.database_per_token)),
            cell(figure(one, "tokens", lambda out: out.commits / max(out.seconds, 0.001))),
            cell(figure(one, "tokens", lambda out: out.log_bytes / max(out.tokens, 1))),
            troubles(one),
        )
        for one in settings
    ]
    titles = (
        "",
        "µs a token",
        "PostgreSQL's",
        "µs a request",
        "PostgreSQL's",
        f"commits/s, {size.streams} streams",
        "WAL bytes a token",
        "not whole",
    )
    yield from table(titles, rows)


def _seen(size: Size, settings: list[PeerResult]) -> Iterator[str]:
    rows = [
        (
            one.title,
            pair(one, "tokens", lambda out: out.first.p50, lambda out: out.first.p99),
            pair(one, "requests", lambda out: out.first.p50, lambda out: out.first.p99),
            pair(one, "tokens", lambda out: out.gap.p50, lambda out: out.gap.p99),
            cell(
                figure(one, "tokens", lambda out: 100 * (out.server_cpu + out.database_cpu) / max(out.seconds, 0.001))
            ),
            cell(Figure.of(life.idle_bytes / 1e6 for life in one.rounds)),
            cell(figure(one, "tokens", lambda out: (out.rss_open - out.rss_before) / size.streams / 1000)),
        )
        for one in settings
    ]
    titles = (
        "median · 99th percentile",
        f"first text of {size.streams} at once, ms",
        f"of {size.requests_at_once} at once, ms",
        "gap, ms",
        "core busy, %",
        "idle, MB in all",
        "kB a stream",
    )
    yield from table(titles, rows)


def _elsewhere(settings: list[PeerResult]) -> Iterator[str]:
    rows = [
        (
            one.title,
            cell(figure(one, "elsewhere", lambda out: out.cpu_per_token)),
            cell(figure(one, "elsewhere", lambda out: out.database_per_token)),
            pair(one, "elsewhere", lambda out: out.behind.p50, lambda out: out.behind.p99),
            pair(one, "elsewhere", lambda out: out.gap.p50, lambda out: out.gap.p99),
        )
        for one in settings
    ]
    yield from table(("median · 99th percentile", "µs a token read", "PostgreSQL's", "later, ms", "gap, ms"), rows)
