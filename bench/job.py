"""What the load is told to do, and what it brings back."""

import math
from collections.abc import Sequence

import msgspec

from bench.wire import Wire

QUESTION = "@question@"  # stands in a body for the message
PLACE = "@place@"  # stands in a body for one of the job's places
RUN = "@run@"  # stands in a path for the run that is read


class Target(msgspec.Struct, frozen=True):
    """Whom to ask, and how. `pid`: the server's process, whose CPU and memory are read, with its children's.

    Of replicas it is the first one, and `others` are the ports and processes of the rest: questions go to each in turn.
    """

    port: int
    path: str
    body: str
    wire: Wire
    headers: dict[str, str] = {}
    pid: int = 0
    others: tuple[tuple[int, int], ...] = ()
    database: int = 0  # process of a PostgreSQL, whose CPU counts by itself

    @property
    def ports(self) -> list[int]:
        """Of all replicas."""
        return [self.port, *(port for port, _ in self.others)]

    @property
    def pids(self) -> list[int]:
        """Of all replicas."""
        return [pid for pid in (self.pid, *(pid for _, pid in self.others)) if pid]


class Job(msgspec.Struct, frozen=True):
    """One measured stretch of load. `gap` is in microseconds; 0 is unpaced.

    `streams` ask at once. With more answers than that, each asks again as soon as it has its answer; with a `rate`, new
    ones come at that many a second, whatever becomes of those before.
    """

    target: Target
    tokens: int
    gap: int
    streams: int
    answers: int
    seconds: float  # what is not finished by then counts as not finished
    upstream_port: int = 0  # of whom to ask how it fared; 0: the stage's
    rate: float = 0
    places: tuple[str, ...] = ()  # conversations: each question goes into another one
    follow: str = ""  # the path by which the others read the one run that is asked for
    elsewhere: bool = False  # half of the streams ask, each of the others follows one of them at the next replica
    title: str = ""  # told on stderr while it goes on
    server_core: int = -1


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50: float = 0
    p99: float = 0
    worst: float = 0

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Of durations in seconds."""
        if not seconds:
            return cls()
        ordered = sorted(seconds)
        p50, p99, worst = (1000 * ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99, 1.0))
        return cls(p50, p99, worst)


class Outcome(msgspec.Struct):
    """What came of a job. Only what came back whole counts: `tokens` are those of answers whose text is exact."""

    seconds: float = 0  # from the first question to the last answer's end
    answers: int = 0
    tokens: int = 0
    unfinished: int = 0
    refused: int = 0
    without_retry_after: int = 0
    wrong: int = 0
    why: list[str] = []  # of the first few that were wrong
    first: Spread = Spread()  # from the question to the first text
    gap: Spread = Spread()  # from one piece of text to the next
    refusal: Spread = Spread()
    behind: Spread = Spread()  # how much later a text is read elsewhere than where it is written
    reads: int = 0
    bytes_read: int = 0
    server_cpu: float = 0  # seconds
    database_cpu: float = 0
    commits: int = 0  # of all replicas
    log_bytes: int = 0  # that a PostgreSQL wrote ahead
    load_cpu: float = 0
    upstream_cpu: float = 0
    upstream_late: Spread = Spread()  # how long after it was due a token left the upstream
    rss_before: int = 0  # bytes
    rss_open: int = 0  # when the last of the first streams had its first text
    rss: list[int] = []  # once a second
    others: float = 0  # share of the server's core that other processes took

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds if self.seconds else 0

    @property
    def cpu_per_token(self) -> float:
        """Microseconds of the server."""
        return 1e6 * self.server_cpu / self.tokens if self.tokens else 0

    @property
    def database_per_token(self) -> float:
        """Microseconds of PostgreSQL."""
        return 1e6 * self.database_cpu / self.tokens if self.tokens else 0

    @property
    def busy(self) -> float:
        """Share of the time that the server ran."""
        return self.server_cpu / self.seconds if self.seconds else 0
