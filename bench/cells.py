"""The cells and tables of the report."""

from collections.abc import Callable, Iterator

from bench.job import Outcome
from bench.results import Figure, PeerResult, figure, number


def troubles(peer: PeerResult) -> str:
    """Answers that were not whole, of all workloads."""
    bad = sum(one.unfinished + one.wrong + one.refused for life in peer.rounds for one in life.outcomes.values())
    return f"{bad:,}" if bad else "–"


def total(peer: PeerResult, workload: str, of: Callable[[Outcome], int]) -> str:
    """The sum of a count, over all rounds."""
    found = sum(of(one.outcomes[workload]) for one in peer.rounds if workload in one.outcomes)
    return f"{found:,}" if found else "–"


def pair(peer: PeerResult, workload: str, *of: Callable[[Outcome], float]) -> str:
    """Medians of two figures."""
    figures = [figure(peer, workload, one) for one in of]
    return " · ".join(number(one.median) if one else "–" for one in figures)


def cell(one: Figure | None) -> str:
    """A median, with the least and the most."""
    if one is None:
        return "–"
    if one.low == one.high:
        return number(one.median)
    return f"{number(one.median)} ({number(one.low)}–{number(one.high)})"


def whole(one: Figure | None) -> str:
    """A median as a whole number."""
    return "–" if one is None else f"{one.median:,.0f}"


def short(reason: str) -> str:
    """A reason, as a cell can hold it."""
    return " ".join(reason.split())[:120].replace("|", "/")


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A table of Markdown."""
    yield f"| {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(heads) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
