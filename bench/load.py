"""The load of the benchmark: many readers of streams in one thread, over raw sockets.

    python -m bench.load < job.json > outcome.json

While it measures it only notes times and keeps bytes. Every answer is parsed and compared with its text afterwards, or
when nothing waits to be read.
"""

import os
import select
import socket
import sys
import time
from collections import deque
from itertools import pairwise

import msgspec

from bench.answers import VARIANTS, Asked, question
from bench.job import PLACE, QUESTION, RUN, Job, Outcome, Spread
from bench.processes import busy_seconds, cpu_seconds, family, fetch, resident_bytes
from bench.reader import Answer, Reader
from bench.upstream import Stats
from bench.wire import FIRST_TEXT, Broken

READ_BYTES = 16 * 2**10  # a larger buffer is mapped anew for every read
REASONS = 5  # how many broken answers are told of
SETTLE_SECONDS = 0.1  # after the last answer: writing down how it ended is part of its cost
TURN_SECONDS = 0.1
CHECKED_AT_ONCE = 10  # answers, when nothing waits to be read
UNCHECKED_BYTES = 256 * 2**20  # then answers are checked although something waits


class Load:
    """Does one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._target = job.target
        self._first_text = FIRST_TEXT[job.target.wire].search
        self._poll = select.epoll()
        self._readers: dict[int, Reader] = {}
        self._began = 0.0
        self._asked = 0
        self._ended = 0
        self._begun = 0  # answers that have text
        self._ports = job.target.ports
        self._waiting: dict[int, list[Reader]] = {}  # by the answer that they are to follow, until its run has an id
        self._progress: dict[int, list[tuple[int, float]]] = {}  # of answers that are followed elsewhere
        self._unchecked: deque[Answer] = deque()
        self._unchecked_bytes = 0
        self._out = Outcome()
        self._firsts: list[float] = []
        self._gaps: list[float] = []
        self._refusals: list[float] = []
        self._behind: list[float] = []

    def run(self) -> Outcome:
        """Ask everything, read everything, check everything."""
        job, out = self._job, self._out
        crowd = [self._connect() for _ in range(0 if job.rate else job.streams)]
        while any(reader.connecting for reader in crowd):
            self._turn(TURN_SECONDS)
        pids = [pid for first in self._target.pids for pid in family(first)]
        out.rss_before = resident_bytes(pids)
        upstream = self._stats()
        busy, cpu, own = busy_seconds(job.server_core), cpu_seconds(pids), time.process_time()
        database = self._database()
        self._began = time.perf_counter()
        self._start(crowd)
        self._read_all(pids)
        out.seconds = time.perf_counter() - self._began
        self._leave()
        time.sleep(SETTLE_SECONDS)
        out.server_cpu, out.load_cpu = cpu_seconds(pids) - cpu, time.process_time() - own
        out.database_cpu = sum(used - database.get(pid, 0) for pid, used in self._database().items())
        took = time.perf_counter() - self._began
        out.others = max(0.0, (busy_seconds(job.server_core) - busy - out.server_cpu - out.database_cpu) / took)
        self._tell_upstream(upstream, self._stats())
        while self._unchecked:
            self._check()
        out.first, out.gap, out.refusal = Spread.of(self._firsts), Spread.of(self._gaps), Spread.of(self._refusals)
        out.behind = Spread.of(self._behind)
        return out

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> Answer:
        job = self._job
        asked = Asked(job.tokens, job.gap, self._source(self._asked) % VARIANTS)
        answer = Answer(self._asked, asked, time.perf_counter())
        self._asked += 1
        return answer

    def _source(self, number: int) -> int:
        """Of whom this is the answer: its own, or one that it follows."""
        if not self._job.follow:
            return number
        return number % (self._job.streams // 2) if self._job.elsewhere else 0

    def _connect(self) -> Reader:
        answer = self._next()
        source = self._source(answer.number)
        elsewhere = self._job.elsewhere and source != answer.number
        reader = Reader(self._ports[(source + elsewhere) % len(self._ports)], answer)
        self._readers[reader.descriptor] = reader
        self._poll.register(reader.descriptor, select.EPOLLOUT)
        return reader

    def _start(self, crowd: list[Reader]) -> None:
        if self._job.follow:
            askers = [reader for reader in crowd if self._source(reader.answer.number) == reader.answer.number]
            for reader in crowd[len(askers) :]:
                self._waiting.setdefault(self._source(reader.answer.number), []).append(reader)
            crowd = askers
        for reader in crowd:
            reader.answer.sent_at = time.perf_counter()
            self._ask(reader)

    def _ask(self, reader: Reader) -> None:
        target = self._target
        headers = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
        if reader.follows:
            line, body = f"GET {self._job.follow.replace(RUN, reader.follows)}", b""
        else:
            line, body = f"POST {target.path}", self._body(reader.answer)
            headers += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{reader.port}\r\n{headers}\r\n"
        try:
            reader.send(head.encode() + body)
        except OSError:
            self._end(reader, "the connection broke before it could ask")

    def _body(self, answer: Answer) -> bytes:
        places = self._job.places
        body = self._target.body.replace(QUESTION, question(answer.asked))
        return (body.replace(PLACE, places[answer.number % len(places)]) if places else body).encode()

    def _arrive(self, now: float) -> None:
        """Those who come by the clock, whatever became of those before. Connecting is part of what they wait for."""
        while self._asked < self._job.answers and self._began + self._asked / self._job.rate <= now:
            self._connect()

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read_all(self, pids: list[int]) -> None:
        job, second = self._job, 0
        while self._ended < job.answers and (passed := time.perf_counter() - self._began) < job.seconds:
            if job.rate:
                self._arrive(self._began + passed)
            if passed >= second:
                second += 1
                self._out.rss.append(resident_bytes(pids))
                self._tell(f"{job.title}: {passed:.0f} s, {len(self._readers):,} open, {self._ended:,} ended")
            something = self._turn(self._patience(passed))
            if not self._out.rss_open and self._begun >= job.streams:
                self._out.rss_open = resident_bytes(pids)
            if not something or self._unchecked_bytes > UNCHECKED_BYTES:
                for _ in range(min(len(self._unchecked), CHECKED_AT_ONCE)):
                    self._check()
        self._tell("")

    def _patience(self, passed: float) -> float:
        """Seconds to wait for something to read."""
        if self._unchecked:
            return 0
        if self._job.rate and self._asked < self._job.answers:
            return max(0.0, min(TURN_SECONDS, self._asked / self._job.rate - passed))
        return TURN_SECONDS

    def _turn(self, timeout: float) -> bool:
        """Read what is there; whether there was anything."""
        events = self._poll.poll(timeout)
        for descriptor, _ in events:
            reader = self._readers.get(descriptor)
            if reader is None:
                continue
            if reader.connecting:
                self._connected(reader)
            else:
                self._read(reader)
        return bool(events)

    def _connected(self, reader: Reader) -> None:
        reader.connecting = False
        self._poll.modify(reader.descriptor, select.EPOLLIN)
        if error := reader.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end(reader, f"it cannot connect: {os.strerror(error)}")
        elif self._began:
            self._ask(reader)

    def _read(self, reader: Reader) -> None:
        try:
            data = reader.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(reader, f"the connection broke: {error.strerror}")
            return
        answer = reader.answer
        if not data:
            self._end(reader, "the connection was closed before the end")
            return
        now = time.perf_counter()
        try:
            answer.take(data)
        except Broken as why:
            self._end(reader, str(why))
            return
        if answer.first:
            answer.times.append(now)
        elif self._first_text(data):
            answer.first = now
            answer.times.append(now)
            self._begun += 1
        if self._waiting and answer.head is not None:
            self._follow(answer.number, answer.head.run_id)
        if answer.over:
            self._end(reader)

    def _follow(self, number: int, run_id: str) -> None:
        for reader in self._waiting.pop(number, ()):
            reader.follows = run_id
            reader.answer.sent_at = time.perf_counter()
            self._ask(reader)

    def _end(self, reader: Reader, why: str = "") -> None:
        job, answer, out = self._job, reader.answer, self._out
        self._ended += 1
        answer.ended_at = time.perf_counter()
        out.bytes_read += answer.received
        out.reads += len(answer.chunks)
        if why:
            self._broke(why)
        else:
            self._unchecked.append(answer)
            self._unchecked_bytes += answer.received
        again = not job.rate and not job.follow and self._asked < job.answers
        if again and not why and answer.head is not None and not answer.head.closes:
            reader.answer = self._next()
            self._ask(reader)
            return
        del self._readers[reader.descriptor]
        reader.sock.close()
        if again:
            self._connect()

    def _leave(self) -> None:
        """Whoever has no answer by now does not wait for it."""
        self._out.unfinished = self._job.answers - self._ended
        for reader in self._readers.values():
            answer = reader.answer
            self._out.bytes_read += answer.received
            if answer.first:
                self._firsts.append(answer.first - answer.sent_at)
                self._gaps += (later - earlier for earlier, later in pairwise(answer.times))
            reader.sock.close()
        self._readers.clear()

    # ── Checking ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _check(self) -> None:
        """Count the next answer, if it is exactly what was asked for."""
        answer, out = self._unchecked.popleft(), self._out
        self._unchecked_bytes -= answer.received
        if answer.refused:
            out.refused += 1
            out.without_retry_after += answer.head is None or not answer.head.retry_after
            self._refusals.append(answer.ended_at - answer.sent_at)
            return
        try:
            answer.check(self._target.wire)
        except Broken as why:
            self._broke(str(why))
            return
        out.answers += 1
        out.tokens += answer.asked.tokens
        self._firsts.append(answer.first - answer.sent_at)
        self._gaps += (later - earlier for earlier, later in pairwise(answer.times))
        if self._job.elsewhere:
            self._compare(answer)

    def _compare(self, answer: Answer) -> None:
        """Once an answer is here as its asker and as its follower read it: how much later was it there?"""
        source = self._source(answer.number)
        if (other := self._progress.pop(source, None)) is None:
            self._progress[source] = answer.progress()
            return
        home, away = (other, answer.progress()) if source != answer.number else (answer.progress(), other)
        there = iter(away)
        made, at = next(there)
        for characters, read_at in home:
            while made < characters:
                made, at = next(there)
            self._behind.append(at - read_at)

    def _broke(self, why: str) -> None:
        self._out.wrong += 1
        if len(self._out.why) < REASONS:
            self._out.why = [*self._out.why, why]

    # ── The others ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _stats(self) -> Stats:
        told = fetch(self._job.upstream_port, "/stats")
        return msgspec.json.decode(told, type=Stats) if told else Stats()

    def _database(self) -> dict[int, float]:
        """What each process of the PostgreSQL has used."""
        pid = self._target.database
        return {one: cpu_seconds([one]) for one in family(pid)} if pid else {}

    def _tell_upstream(self, before: Stats, after: Stats) -> None:
        late = [now - then for now, then in zip(after.late, before.late, strict=True)]
        self._out.upstream_cpu = after.cpu - before.cpu
        self._out.upstream_late = Spread.of([(ms + 1) / 1000 for ms, count in enumerate(late) for _ in range(count)])

    def _tell(self, line: str) -> None:
        if self._job.title:
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()


def main() -> None:
    """Read a job, do it, and tell what came of it."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(Load(job).run()))


if __name__ == "__main__":
    main()
