"""What was measured, as a page: `report.json` to `report.md` and its plots.

python -m bench.report [FOLDER]
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import plot, replicas_section
from bench.cells import cell, pair, short, table, total, troubles, whole
from bench.job import Outcome
from bench.results import FLAT, Figure, Machine, PeerResult, Results, Soak, figure
from bench.sizes import SIZES
from bench.targets import targets

LEAST_SHARE = 0.001  # of a core that its clock, in hundredths of a second, can tell
NOISE = 0.05  # of the server's core taken by others: more, and the figures are of another machine


def write(results: Results, folder: Path) -> None:
    """Write `report.md`, and the plots that it shows."""
    (folder / "report.md").write_text("\n".join(_page(results)) + "\n", "utf-8")
    for name, drawn in plot.drawn(results).items():
        (folder / name).write_text(drawn, "utf-8")


def _page(results: Results) -> Iterator[str]:
    yield "# Speed, measured"
    yield ""
    yield "Made by `make bench`; [README.md](README.md) says how, and what it does not show. Figures are medians,"
    yield "with the least and the most of all repeats in brackets. **Compare rows, not machines**: a figure means"
    yield "something only beside another one of the same run."
    yield from _machines(results)
    if results.peers:
        for section in (_ratios, _targets, _costs, _readers, _weight, _instrument):
            yield ""
            yield from section(results)
    if results.curves:
        yield ""
        yield from _curves(results)
    if results.soak is not None:
        yield ""
        yield from _overload(results.soak)
    if any(one.rounds for one in results.replicas.values()):
        yield ""
        yield from replicas_section.section(results)


def _machines(results: Results) -> Iterator[str]:
    """Where each part was measured; in one line if it was the same place."""
    places: dict[Machine, list[str]] = {}
    for part, machine in results.machines.items():
        places.setdefault(machine, []).append(part)
    for machine, parts in places.items():
        yield ""
        yield (
            f"{machine.cores} cores, {machine.processor}, {machine.memory_gb:g} GB, {machine.system},"
            f" Python {machine.python}; {machine.placed}. Size: {results.size}."
            + (f" Measured there: {', '.join(parts)}." if len(places) > 1 else "")
        )


# ── Side by side ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _ratios(results: Results) -> Iterator[str]:
    yield "## Side by side"
    yield ""
    if any(one.rounds for one in results.peers.values()):
        yield f"![CPU of each server for each token, for what nginx takes]({plot.COSTS})"
        yield ""
    nginx, service = (_cost(results.peers.get(name)) for name in ("nginx", "service"))
    rows: list[tuple[str, ...]] = []
    for name, peer in results.peers.items():
        if name == "direct":
            continue
        cost = _cost(peer)
        if cost is None:
            rows.append((peer.title, f"not measured: {short(peer.missing)}", "", "", "", ""))
            continue
        rows.append(
            (
                peer.title,
                f"{cost.median / nginx.median:.1f}" if nginx else "–",
                f"{cost.median / service.median:.1f}" if service else "–",
                whole(Figure.of(one.steady for one in peer.rounds)),
                whole(figure(peer, "ceiling", lambda one: one.rate)),
                cell(figure(peer, "crowd-100", lambda one: one.first.p50)),
            )
        )
    heads = (
        "",
        "CPU a token, × nginx",
        "× this service",
        "tokens/s, pace kept",
        "tokens/s, unpaced",
        "first text of 100, ms",
    )
    yield from table(heads, rows)
    yield ""
    yield "*Pace kept*: the most steady traffic, of the steps tried, at which readers' gaps stay those of the upstream."
    yield "*Unpaced*: what comes through when the upstream never waits; a server that is behind may read much at once."


def _targets(results: Results) -> Iterator[str]:
    yield "## Targets of this service"
    yield ""
    rows = [(name, measured, "met" if met else "**not met**") for name, measured, met in targets(results)]
    yield from table(("", "measured", ""), rows)


def _costs(results: Results) -> Iterator[str]:
    size = SIZES[results.size]
    yield "## What a token and a request cost the server"
    yield ""
    yield f"CPU of its process and children: {size.streams} streams of {size.tokens} tokens, requests included;"
    yield f"and {size.requests} answers of one token, {size.requests_at_once} at once."
    yield ""
    rows = [
        (
            peer.title,
            cell(_cost(peer)),
            cell(figure(peer, "requests", lambda one: one.cpu_per_token)),
            cell(figure(peer, "tokens", lambda one: 100 * one.busy)),
            troubles(peer),
        )
        for peer in _measured(results)
    ]
    yield from table(("", "µs a token", "µs a request", "core busy, %", "answers that were not whole"), rows)


def _readers(results: Results) -> Iterator[str]:
    size = SIZES[results.size]
    yield "## What readers see"
    yield ""
    yield "From the question to the first text, and from one piece of text to the next, in milliseconds: median · 99th"
    yield "percentile. All ask in the same moment."
    for crowd in size.crowds:
        pace = size.paced(crowd) / 1000
        yield ""
        rows = [
            (
                peer.title,
                pair(peer, f"crowd-{crowd}", lambda one: one.first.p50, lambda one: one.first.p99),
                pair(peer, f"crowd-{crowd}", lambda one: one.gap.p50, lambda one: one.gap.p99),
                total(peer, f"crowd-{crowd}", lambda one: one.unfinished + one.wrong + one.refused),
            )
            for peer in _measured(results, direct=True)
        ]
        yield from table((f"{crowd:,} at once, a token each {pace:g} ms", "first text", "gap", "not whole"), rows)


def _weight(results: Results) -> Iterator[str]:
    size = SIZES[results.size]
    yield "## What each weighs"
    yield ""
    rows = [
        (
            peer.title,
            f"{peer.packages:,}" if peer.packages else "–",
            f"{peer.megabytes:,.0f}" if peer.megabytes else "–",
            cell(Figure.of(one.start_seconds for one in peer.rounds)),
            cell(Figure.of(one.idle_bytes / 1e6 for one in peer.rounds)),
            cell(figure(peer, "open", lambda one: (one.rss_open - one.rss_before) / size.open / 1000)),
        )
        for peer in _measured(results)
    ]
    heads = ("", "packages", "MB installed", "start to ready, s", "idle, MB", f"kB a stream, {size.open:,} open")
    yield from table(heads, rows)


def _instrument(results: Results) -> Iterator[str]:
    yield "## Is the instrument fast enough?"
    yield ""
    yield "What load and upstream themselves used, while they measured the first workload, and how late tokens left the"
    yield "upstream. *Others* is what other processes took of the server's core meanwhile."
    yield ""
    rows = [
        (
            peer.title,
            cell(figure(peer, "tokens", lambda one: 1e6 * one.load_cpu / max(1, one.tokens))),
            cell(figure(peer, "tokens", lambda one: 1e6 * one.upstream_cpu / max(1, one.tokens))),
            pair(peer, "tokens", lambda one: one.upstream_late.p50, lambda one: one.upstream_late.p99),
            cell(figure(peer, "tokens", lambda one: 100 * max(one.others, LEAST_SHARE))),
            whole(figure(peer, "ceiling", lambda one: one.rate)),
        )
        for peer in _measured(results, direct=True)
    ]
    heads = ("", "load, µs a token", "upstream, µs a token", "late, ms", "others, %", "tokens/s, unpaced")
    yield from table(heads, rows)
    noise = [one.outcomes["tokens"].others for peer in results.peers.values() for one in peer.rounds]
    if noise and max(noise) > NOISE:
        yield ""
        yield f"**Other processes took up to {max(noise):.0%} of the server's core: this run is not one to keep.**"


# ── One thing grows ──────────────────────────────────────────────────────────────────────────────────────────────────


def _curves(results: Results) -> Iterator[str]:
    yield "## While one thing grows"
    yield ""
    yield "What this service takes for each token (for each reader), its request left out; and for a request. A"
    yield f"curve is *flat* if the last size costs at most {FLAT:g} times what the first does."
    yield ""
    yield f"![Cost of a token while one thing grows]({plot.CURVES})"
    for curve in results.curves.values():
        points = [point for point in curve.points if point.per_token]
        if not points:
            continue
        yield ""
        rows = [
            (name, *(cell(Figure.of(values)) for values in figures), _verdict(figures))
            for name, figures in (
                ("µs a token", [point.per_token for point in points]),
                ("bytes on the wire a token", [point.bytes_per_token for point in points]),
                ("µs a request", [point.per_request for point in points]),
            )
        ]
        yield from table((curve.title, *(f"{point.size:,}" for point in points), ""), rows)


def _verdict(figures: list[list[float]]) -> str:
    first, last = Figure.of(figures[0]), Figure.of(figures[-1])
    if first is None or last is None:
        return "too small to tell"
    if len(figures) == 1:
        return "one size only"
    growth = last.median / first.median
    return f"{'flat' if growth <= FLAT else '**not flat**'}, ×{growth:.2g}"


def _overload(soak: Soak) -> Iterator[str]:
    yield "## Twice as much as it takes"
    yield ""
    yield f"{soak.runs:,} may be written at once; {soak.offered:,.0f} a second are asked for, for {soak.seconds:g} s."
    yield ""

    def row(name: str, of: Callable[[Outcome], str]) -> tuple[str, ...]:
        return (name, of(soak.before), of(soak.during), of(soak.after))

    rows = [
        row("whole answers", lambda one: f"{one.answers:,}"),
        row("refused", lambda one: f"{one.refused:,}"),
        row("… without `Retry-After`", lambda one: f"{one.without_retry_after:,}"),
        row("… in, ms (median · p99)", lambda one: f"{one.refusal.p50:.1f} · {one.refusal.p99:.1f}"),
        row("broken or not finished", lambda one: f"{one.wrong + one.unfinished:,}"),
        row("first text, ms (median · p99)", lambda one: f"{one.first.p50:.0f} · {one.first.p99:.0f}"),
        row("gap, ms (median · p99)", lambda one: f"{one.gap.p50:.1f} · {one.gap.p99:.1f}"),
        row("core busy", lambda one: f"{one.busy:.0%}"),
        row("memory, MB (first third · last third, most)", _thirds),
    ]
    yield from table(("", "calm before", "overload", "calm after"), rows)
    yield ""
    yield f"The first question after it had its text in {1000 * soak.well_again:.0f} ms."


def _thirds(outcome: Outcome) -> str:
    third = max(1, len(outcome.rss) // 3)
    return f"{max(outcome.rss[:third], default=0) / 1e6:.0f} · {max(outcome.rss[-third:], default=0) / 1e6:.0f}"


def _measured(results: Results, *, direct: bool = False) -> list[PeerResult]:
    return [peer for name, peer in results.peers.items() if peer.rounds and (direct or name != "direct")]


def _cost(peer: PeerResult | None) -> Figure | None:
    return figure(peer, "tokens", lambda one: one.cpu_per_token) if peer is not None else None


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    write(Results.kept(place), place)
