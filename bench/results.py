"""What was measured, as it is kept in `report.json`."""

import os
import platform
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bench.job import Outcome


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    cores: int
    processor: str
    memory_gb: float
    system: str
    python: str
    placed: str  # who ran on which core

    @classmethod
    def this(cls, placed: str) -> "Machine":
        """The machine that this runs on."""
        cores = len(os.sched_getaffinity(0))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        system = f"{platform.system()} {platform.release().partition('-')[0]}"
        return cls(cores, platform.machine(), round(memory, 1), system, platform.python_version(), placed)


class Round(msgspec.Struct):
    """One life of a server: its start, and what it was asked."""

    start_seconds: float
    idle_bytes: int
    outcomes: dict[str, Outcome] = {}
    steady: float = 0  # the most tokens a second with which every reader kept its pace


class PeerResult(msgspec.Struct):
    """All rounds of one peer, or why there is none."""

    title: str
    packages: int = 0
    megabytes: float = 0
    rounds: list[Round] = []
    missing: str = ""


class Point(msgspec.Struct):
    """A curve at one size. One figure a repeat."""

    size: int
    per_token: list[float] = []  # microseconds
    per_request: list[float] = []  # microseconds
    bytes_per_token: list[float] = []


class Curve(msgspec.Struct):
    """What a cost does while one thing grows."""

    title: str
    unit: str  # of the sizes
    points: list[Point] = []


class Soak(msgspec.Struct):
    """Overload, and what was before and after."""

    runs: int  # at once, as many as were allowed
    seconds: float
    offered: float  # answers a second
    before: Outcome = msgspec.field(default_factory=Outcome)
    during: Outcome = msgspec.field(default_factory=Outcome)
    after: Outcome = msgspec.field(default_factory=Outcome)
    well_again: float = 0  # seconds that the first question after it waited for its text


class Committing(msgspec.Struct, frozen=True):
    """What a PostgreSQL takes when nothing else is asked of it. Commits a second."""

    at_once: int  # connections
    plain: float
    notified: float  # each with a notice, as replicas commit


class Results(msgspec.Struct):
    """The whole report."""

    machines: dict[str, Machine] = {}  # by the part that was measured there
    size: str = ""
    peers: dict[str, PeerResult] = {}
    curves: dict[str, Curve] = {}
    soak: Soak | None = None
    replicas: dict[str, PeerResult] = {}
    committing: list[Committing] = []

    @classmethod
    def kept(cls, folder: Path) -> "Results":
        """What a folder's `report.json` holds; nothing, if there is none."""
        try:
            return msgspec.json.decode((folder / "report.json").read_bytes(), type=cls)
        except FileNotFoundError:
            return cls()

    def keep(self, folder: Path) -> None:
        """Write `report.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


class Figure(msgspec.Struct, frozen=True):
    """A median, and the least and the most of what it is the median of."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure | None":
        """Of one value a repeat; None: nothing was measured."""
        known = [value for value in values if value > 0]
        return cls(statistics.median(known), min(known), max(known)) if known else None


def figure(peer: PeerResult, workload: str, of: Callable[[Outcome], float]) -> Figure | None:
    """A figure of one workload, over a peer's rounds."""
    return Figure.of(of(one.outcomes[workload]) for one in peer.rounds if workload in one.outcomes)


FLAT = 1.25  # a curve is flat if its last size costs at most so many times what its first costs


def number(value: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
