"""Overload: twice as much as the service takes, for minutes, and whether anybody but those who are refused notices.

Answers come by the clock whatever becomes of those before, as people do. Before it a calm stretch tells what the pace
is without it, and right after it the first question tells whether the service is well again.
"""

import sys

from bench.environments import Installed, installed
from bench.job import Job, Outcome
from bench.peers.catalogue import SERVICE
from bench.results import Soak
from bench.sizes import Size
from bench.stage import Stage

SHARE = 0.7  # of what the cost of a token promises: as many answers at once are allowed
CALM = 0.8  # of those that are allowed, before the overload
OVERLOAD = 2.0
LEAST_RUNS = 4
WARM_UP = 20  # answers, one after the other


def measure(stage: Stage, size: Size, *, here: bool) -> Soak:
    """Calm, overload, and the first question after it."""
    there = installed(SERVICE, here=here)
    runs = size.runs or _allowed(stage, size, there)
    answer_seconds = size.tokens * size.gap / 1e6
    with stage.serve(SERVICE, there, env={"MAX_RUNS": str(runs)}) as served:

        def come(share: float, seconds: float, title: str) -> Outcome:
            rate = share * runs / answer_seconds
            answers = max(1, round(rate * seconds))
            told = title if sys.stderr.isatty() else ""
            limit = seconds + 10 * answer_seconds + 10
            outcome = stage.run(Job(served.target, size.tokens, size.gap, runs, answers, limit, rate=rate, title=told))
            sys.stdout.write(f"{title:<10} {_line(outcome)}\n")
            sys.stdout.flush()
            return outcome

        soak = Soak(runs, size.soak_seconds, OVERLOAD * runs / answer_seconds)
        stage.run(Job(served.target, 5, size.gap, 1, WARM_UP, size.limit))
        soak.before = come(CALM, size.calm_seconds, "calm")
        soak.during = come(OVERLOAD, size.soak_seconds, "overload")
        first = stage.run(Job(served.target, 1, 1_000, 1, 1, size.limit))
        soak.well_again = first.first.p50 / 1000
        soak.after = come(CALM, size.calm_seconds, "after")
    return soak


def _allowed(stage: Stage, size: Size, there: Installed) -> int:
    """How many answers at once leave the core some air."""
    with stage.serve(SERVICE, there) as served:
        cost = stage.run(
            Job(served.target, size.tokens, size.gap, size.streams, size.streams, size.limit)
        ).cpu_per_token
    return max(LEAST_RUNS, round(SHARE * 1e6 / cost * size.gap / 1e6)) if cost else LEAST_RUNS


def _line(outcome: Outcome) -> str:
    trouble = f"  WRONG {outcome.wrong}: {outcome.why[0] if outcome.why else ''}" if outcome.wrong else ""
    return (
        f"{outcome.answers:>7,} answers, {outcome.refused:,} refused in {outcome.refusal.p99:.1f} ms (p99);"
        f" gap p99 {outcome.gap.p99:.1f} ms, first p99 {outcome.first.p99:.0f} ms,"
        f" {max(outcome.rss, default=0) / 1e6:.0f} MB at most{trouble}"
    )
