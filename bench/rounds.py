"""The peers, side by side: in each repeat every one is started, measured and ended (A B C, A B C)."""

import sys
from collections.abc import Iterator, Sequence

import msgspec

from bench.environments import Installed, NotInstalled, installed
from bench.job import Job, Outcome, Target
from bench.peers.catalogue import DIRECT, Peer
from bench.processes import DidNotStart
from bench.results import PeerResult, Round
from bench.sizes import Size
from bench.stage import Served, Stage

SAME_PACE = 2.5  # the slowest hundredth of the gaps is at most so many gaps long: then every reader keeps its pace
WARM_UP = 20  # requests


def measure(stage: Stage, size: Size, peers: Sequence[Peer], *, here: bool) -> dict[str, PeerResult]:
    """All rounds of all peers; who cannot be had is told of with its reason."""
    results = {peer.name: PeerResult(peer.title) for peer in peers}
    environments: dict[str, Installed] = {}
    for peer in peers:
        try:
            there = environments[peer.name] = installed(peer, here=here)
        except NotInstalled as why:
            results[peer.name].missing = str(why)
        else:
            results[peer.name].packages, results[peer.name].megabytes = there.packages, there.megabytes
    for repeat in range(size.repeats):
        for peer in peers:
            result = results[peer.name]
            if result.missing:
                continue
            try:
                with stage.serve(peer, environments[peer.name]) as served:
                    result.rounds.append(_round(stage, size, peer, served, f"{repeat + 1}/{size.repeats} {peer.name}"))
            except DidNotStart as why:
                result.missing, _, said = str(why).partition("\n")
                _say(f"{peer.name}: {result.missing}\n{said}")
    return results


def _round(stage: Stage, size: Size, peer: Peer, served: Served, title: str) -> Round:
    one = Round(served.start_seconds, served.idle_bytes)
    stage.run(_named(Job(served.target, 5, size.gap, 1, WARM_UP, size.limit), f"{title} warm-up"))
    for name, job in _workloads(size, peer, served.target):
        outcome = one.outcomes[name] = stage.run(_named(job, f"{title} {name}"))
        _say(f"{title:<14} {name:<12} {_line(outcome)}")
    if peer is not DIRECT:
        one.steady = _steady(stage, size, served.target, one.outcomes["tokens"].cpu_per_token, title)
        _say(f"{title:<14} {'steady':<12} {one.steady:>9,.0f} tokens/s with their pace kept")
    return one


def _workloads(size: Size, peer: Peer, target: Target) -> Iterator[tuple[str, Job]]:
    """A name and a job each. Memory first, while the server is as it was started."""

    def job(streams: int, tokens: int, gap: int, answers: int = 0) -> Job:
        own = target.port if peer is DIRECT else 0
        return Job(target, tokens, gap, streams, answers or streams, size.limit, own)

    yield "open", job(size.open, size.crowd_tokens, size.paced(size.open))
    yield "tokens", job(size.streams, size.tokens, size.gap)
    yield "requests", job(size.requests_at_once, 1, 1_000, size.requests)
    for crowd in size.crowds:
        yield f"crowd-{crowd}", job(crowd, size.crowd_tokens, size.paced(crowd), max(crowd, 10))
    yield "ceiling", job(size.ceiling_streams, size.ceiling_tokens, 0)


def _steady(stage: Stage, size: Size, target: Target, cost: float, title: str) -> float:
    """The most tokens a second, of those that are tried, with which every reader gets its text at the upstream's pace.

    Answers are begun evenly and go on for `tokens` gaps each, as real ones do.
    """
    best = 0.0
    for share in size.shares if cost else ():
        per_second = share * 1e6 / cost / size.tokens  # answers
        answers = max(2, round(per_second * (size.steady_seconds + size.tokens * size.gap / 1e6)))
        job = Job(target, size.tokens, size.gap, answers, answers, size.limit, rate=per_second)
        outcome = stage.run(_named(job, f"{title} steady at {share:.0%}"))
        kept = outcome.answers == answers and outcome.gap.p99 <= SAME_PACE * size.gap / 1000
        if not kept:
            break
        best = per_second * size.tokens
    return best


def _named(job: Job, title: str) -> Job:
    return msgspec.structs.replace(job, title=title) if sys.stderr.isatty() else job


def _line(outcome: Outcome) -> str:
    trouble = f"  UNFINISHED {outcome.unfinished}" if outcome.unfinished else ""
    trouble += f"  WRONG {outcome.wrong}: {outcome.why[0] if outcome.why else ''}" if outcome.wrong else ""
    return (
        f"{outcome.rate:>9,.0f} tokens/s {outcome.cpu_per_token:>8.1f} µs/token  first {outcome.first.p50:>7.1f} ms"
        f"  gap p99 {outcome.gap.p99:>7.1f} ms{trouble}"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
