"""What a token costs over PostgreSQL instead of SQLite, with one replica, two and three, and what PostgreSQL adds.

The same load goes to all replicas in turn, and all of them and PostgreSQL share one core: what they use in all is what
counts. Then half of the readers read at another replica than the one that writes: what that costs, and how much later
their text is there.
"""

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import LiteralString, NamedTuple, cast

import msgspec
import psycopg

from bench.environments import Installed, NotInstalled, installed
from bench.job import RUN, Job, Outcome, Target
from bench.peers.catalogue import BACKEND, SERVICE
from bench.processes import family, fetch
from bench.results import Committing, PeerResult, Round
from bench.sizes import Size
from bench.stage import Served, Stage
from tests.support import postgres

WARM_UP = 20  # questions to each replica
COMMITTERS = (1, 4, 16)  # connections that commit at once
_COMMITS = re.compile(rb"^aichat_journal_commit_seconds_count\{[^}]*\} ([\d.e+]+)$", re.MULTILINE)

SHARED = msgspec.structs.replace(
    SERVICE,
    name="replicas",
    locks=(*SERVICE.locks, BACKEND / "requirements-postgres.txt"),
    needs=(*SERVICE.needs, "psycopg"),
)


class Kept(NamedTuple):
    """Where a setting's replicas keep everything: the address, and PostgreSQL's first process."""

    url: str
    pid: int = 0


def measure(stage: Stage, size: Size, *, here: bool) -> tuple[dict[str, PeerResult], list[Committing]]:
    """All settings, one after the other and again (A B C, A B C); and how many commits PostgreSQL takes."""
    names = {0: "SQLite, one process"} | {count: f"PostgreSQL, {_plural(count)}" for count in size.replicas}
    results = {f"{count}": PeerResult(name) for count, name in names.items()}
    try:
        there = installed(SHARED, here=here)
    except NotInstalled as why:
        for result in results.values():
            result.missing = str(why)
        return results, []
    with _server(stage) as server:
        for repeat in range(size.repeats):
            for count, name in names.items():
                title = f"{repeat + 1}/{size.repeats} {name}"
                results[f"{count}"].rounds.append(_round(stage, size, there, count, server, title))
        return results, [_committing(server.url, at_once, size.commit_seconds) for at_once in COMMITTERS]


def _plural(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _server(stage: Stage) -> Iterator[Kept]:
    """A PostgreSQL on the server's core, as durable as it is when it is installed."""
    with tempfile.TemporaryDirectory(prefix="bench-postgres-") as folder:
        Path(folder).chmod(0o755)  # it does not run as root
        server = postgres.Postgres(Path(folder)).start(fsync="on")
        try:
            for pid in family(server.pid):
                with suppress(
                    ProcessLookupError
                ):  # a session that has just ended; those to come are where the first is
                    os.sched_setaffinity(pid, {stage.cores.server})
            yield Kept(server.url, server.pid)
        finally:
            server.stop()


def _written(url: str) -> int:
    """Bytes that it has written ahead so far."""
    return int(postgres.rows(url, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes")[0]["bytes"])


def _committing(url: str, at_once: int, seconds: float) -> Committing:
    """Commits a second of so many connections, each of a row as the journal has it; without a notice, and with one."""
    with postgres.database(url) as own:
        with psycopg.connect(own) as connection:
            connection.execute("CREATE TABLE said (run_id text, seq int, pieces bytea, PRIMARY KEY (run_id, seq))")
        plain, notified = (_commits(own, at_once, seconds, notice) for notice in ("", "NOTIFY bench, 'me'; "))
    sys.stdout.write(f"{at_once:>3} at once: {plain:,.0f} commits a second, {notified:,.0f} with a notice\n")
    return Committing(at_once, plain, notified)


def _commits(url: str, at_once: int, seconds: float, notice: str) -> float:
    until = time.perf_counter() + seconds
    done = [0] * at_once

    def work(number: int) -> None:
        insert = "INSERT INTO said VALUES ('{}', {}, decode(repeat('61', 200), 'hex'))"
        with psycopg.connect(url, autocommit=True) as connection:
            run = f"{notice[:1]}{number}"
            while time.perf_counter() < until:
                row = insert.format(run, done[number])
                connection.execute(cast(LiteralString, f"BEGIN; {row}; {notice}COMMIT"))
                done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


# ── A setting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _round(stage: Stage, size: Size, there: Installed, count: int, server: Kept, title: str) -> Round:
    with ExitStack() as stack:
        kept = None
        if count:
            kept = Kept(stack.enter_context(postgres.database(server.url)), server.pid)
        env = {"DATABASE_URL": kept.url} if kept else None
        served = [stack.enter_context(stage.serve(SHARED, there, env=env)) for _ in range(max(1, count))]
        target = _together(served, kept)
        one = Round(served[0].start_seconds, sum(replica.idle_bytes for replica in served))
        stage.run(Job(target, 5, size.gap, len(served), WARM_UP * len(served), size.limit))
        for name, job in _workloads(size, target):
            told = title if sys.stderr.isatty() else ""
            outcome = one.outcomes[name] = _counted(stage, msgspec.structs.replace(job, title=told), kept)
            time.sleep(size.idle if kept else 0)  # PostgreSQL's own chores for it
            sys.stdout.write(f"{title:<30} {name:<10} {_line(outcome)}\n")
            sys.stdout.flush()
    return one


def _together(served: Sequence[Served], kept: Kept | None) -> Target:
    first, *rest = (replica.target for replica in served)
    others = tuple((replica.port, replica.pid) for replica in rest)
    # What a reader can resume is what replicas are for; a GET needs it anyhow.
    headers = {"Accept": "text/event-stream"}
    return msgspec.structs.replace(first, others=others, database=kept.pid if kept else 0, headers=headers)


def _workloads(size: Size, target: Target) -> Iterator[tuple[str, Job]]:
    yield "tokens", Job(target, size.tokens, size.gap, size.streams, size.streams, size.limit)
    yield "requests", Job(target, 1, 1_000, size.requests_at_once, size.requests, size.limit)
    # Half as many answers, each read twice: as many tokens are read as before.
    both = size.streams // 2 * 2
    follow = f"/api/runs/{RUN}/events"
    yield "elsewhere", Job(target, size.tokens, size.gap, both, both, size.limit, follow=follow, elsewhere=True)


def _counted(stage: Stage, job: Job, kept: Kept | None) -> Outcome:
    """What came of it, with how often was committed for it and how much was written."""
    commits, written = _commits_of(job.target), _written(kept.url) if kept else 0
    outcome = stage.run(job)
    outcome.commits = _commits_of(job.target) - commits
    outcome.log_bytes = _written(kept.url) - written if kept else 0
    return outcome


def _commits_of(target: Target) -> int:
    return sum(int(float(count)) for port in target.ports for count in _COMMITS.findall(fetch(port, "/metrics") or b""))


def _line(outcome: Outcome) -> str:
    trouble = f"  UNFINISHED {outcome.unfinished}" if outcome.unfinished else ""
    trouble += f"  WRONG {outcome.wrong}: {outcome.why[0] if outcome.why else ''}" if outcome.wrong else ""
    return (
        f"{outcome.cpu_per_token:>8.1f} + {outcome.database_per_token:>7.1f} µs/token"
        f"  first {outcome.first.p50:>6.1f} ms  gap p99 {outcome.gap.p99:>6.1f} ms"
        f"  behind {outcome.behind.p99:>5.1f} ms  {outcome.commits:>6,} commits{trouble}"
    )
