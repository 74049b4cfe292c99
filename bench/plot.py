"""The report's plots as SVG, which look right on a light page and on a dark one. They are lines and text."""

import math
from collections.abc import Iterator
from html import escape

from bench.results import Curve, Figure, Results, figure, number

COSTS, CURVES = "report-costs.svg", "report-curves.svg"
WIDTH = 760
ROW = 34
LABEL = 300  # what names take, left of the bars
PANEL_WIDTH, PANEL_HEIGHT = 240, 190
COLUMNS = 3

# The colours follow the page's scheme, also where the picture is shown by an <img>.
_STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .quiet { fill: #57606a; font-size: 11px }
.bar { fill: #8c959f } .ours { fill: #0969da } .grid { stroke: #d0d7de } .range { stroke: #24292f; stroke-width: 1.5 }
.line { fill: none; stroke: #0969da; stroke-width: 2 } .strong { font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .bar { fill: #6e7681 } .ours { fill: #58a6ff } .grid { stroke: #3d444d }
.range { stroke: #e6edf3 } .line { stroke: #58a6ff } }
</style>"""


def drawn(results: Results) -> dict[str, str]:
    """The plots, by their files' names."""
    made: dict[str, str] = {}
    costs = {
        name: cost
        for name, peer in results.peers.items()
        if name != "direct" and (cost := figure(peer, "tokens", lambda one: one.cpu_per_token)) is not None
    }
    if costs:
        made[COSTS] = _bars({results.peers[name].title: (cost, name == "service") for name, cost in costs.items()})
    curves = [curve for curve in results.curves.values() if sum(bool(point.per_token) for point in curve.points) > 1]
    if curves:
        made[CURVES] = _panels(curves)
    return made


def _svg(width: int, height: int, parts: Iterator[str], title: str) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">\n{_STYLE}\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


# ── Bars ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bars(costs: dict[str, tuple[Figure, bool]]) -> str:
    """Cost of a token, on a logarithmic scale, cheapest first."""
    ordered = sorted(costs.items(), key=lambda item: item[1][0].median)
    least = 10 ** math.floor(math.log10(min(cost.low for cost, _ in costs.values())))
    most = max(cost.high for cost, _ in costs.values()) * 2  # room for the figure beside the longest bar
    room = WIDTH - LABEL - 20

    def place(value: float) -> float:
        return LABEL + room * math.log(value / least) / math.log(most / least)

    def parts() -> Iterator[str]:
        bottom = 40 + ROW * len(ordered)
        yield _text(
            0, 16, "CPU of the server for each token, µs (logarithmic; the thin line: least to most)", kind="strong"
        )
        for power in range(round(math.log10(least)), math.ceil(math.log10(most))):
            for step in (1, 3):
                if least <= (value := step * 10**power) < most:
                    yield _line(place(value), 30, place(value), bottom, "grid")
                    yield _text(place(value), bottom + 16, f"{value:g}", anchor="middle", kind="quiet")
        for row, (title, (cost, ours)) in enumerate(ordered):
            y = 36 + ROW * row
            end = place(cost.median)
            yield _text(LABEL - 10, y + 17, _plain(title), anchor="end", kind="strong" if ours else "")
            shape = f'x="{LABEL}" y="{y}" width="{end - LABEL:.1f}" height="{ROW - 12}" rx="2"'
            yield f'<rect {shape} class="{"ours" if ours else "bar"}"/>'
            yield _line(place(cost.low), y + 11, place(cost.high), y + 11, "range")
            yield _text(place(cost.high) + 8, y + 16, number(cost.median))

    return _svg(WIDTH, 64 + ROW * len(ordered), parts(), "CPU of each server for each token")


def _plain(title: str) -> str:
    """A title without Markdown, and without what follows its colon or comma: there is no room."""
    bare = title.replace("*", "").replace("`", "")
    name, colon, rest = bare.partition(": ")
    return (f"{name}: {rest}" if colon and len(bare) <= 44 else name)[:44]


# ── Curves ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _panels(curves: list[Curve]) -> str:
    rows = math.ceil(len(curves) / COLUMNS)

    def parts() -> Iterator[str]:
        yield _text(0, 16, "Cost of a token while one thing grows, for what it costs at the first size", kind="strong")
        for place, curve in enumerate(curves):
            x, y = PANEL_WIDTH * (place % COLUMNS), 30 + PANEL_HEIGHT * (place // COLUMNS)
            yield f'<g transform="translate({x} {y})">'
            yield from _panel(curve)
            yield "</g>"

    return _svg(PANEL_WIDTH * COLUMNS, 40 + PANEL_HEIGHT * rows, parts(), "Cost of a token while one thing grows")


def _panel(curve: Curve) -> Iterator[str]:
    known = [(point.size, cost) for point in curve.points if (cost := Figure.of(point.per_token)) is not None]
    base = known[0][1].median
    first, last = math.log10(known[0][0]), math.log10(known[-1][0])
    top = max(2.0, 1.15 * max(cost.high for _, cost in known) / base)

    def across(size: int) -> float:
        return 34 + (PANEL_WIDTH - 64) * (math.log10(size) - first) / ((last - first) or 1)

    def down(cost: float) -> float:
        return 24 + (PANEL_HEIGHT - 74) * (1 - cost / base / top)

    yield _text(34, 14, curve.title)
    for times in sorted({0, 1, math.floor(top)}):
        yield _line(34, down(times * base), PANEL_WIDTH - 20, down(times * base), "grid")
        yield _text(28, down(times * base) + 4, f"×{times}", anchor="end", kind="quiet")
    for size, cost in known:
        yield _line(across(size), down(cost.low), across(size), down(cost.high), "range")
        yield f'<circle cx="{across(size):.1f}" cy="{down(cost.median):.1f}" r="3.5" class="ours"/>'
        yield _text(across(size), PANEL_HEIGHT - 34, _size(size), anchor="middle", kind="quiet")
    places = " ".join(f"{across(size):.1f},{down(cost.median):.1f}" for size, cost in known)
    yield f'<polyline points="{places}" class="line"/>'
    yield _text((PANEL_WIDTH + 14) / 2, PANEL_HEIGHT - 18, curve.unit, anchor="middle", kind="quiet")


def _size(size: int) -> str:
    for step, name in ((1_000_000, "M"), (1_000, "k")):
        if size >= step:
            return f"{size / step:g}{name}"
    return str(size)
