"""How much is measured: all of it, a minute's worth, or just enough to see that it works."""

import msgspec


class Size(msgspec.Struct, frozen=True):
    """The numbers of one run. `gap` is in microseconds."""

    name: str
    repeats: int = 5
    idle: float = 1.0  # seconds after a server is ready: then it has nothing more to set up
    limit: float = 60  # seconds for one workload; whoever is slower has unfinished answers
    gap: int = 20_000
    # What a token and a request cost.
    streams: int = 200
    tokens: int = 100
    requests: int = 500
    requests_at_once: int = 20
    # The limit, unpaced.
    ceiling_streams: int = 100
    ceiling_tokens: int = 500
    # First text and gaps, with so many at once; never more tokens a second than `rate` are offered.
    crowds: tuple[int, ...] = (1, 100, 500, 2000)
    crowd_tokens: int = 30
    rate: int = 10_000
    # Memory.
    open: int = 1000
    # Steady traffic: shares of the limit that the cost of a token promises.
    shares: tuple[float, ...] = (0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
    steady_seconds: float = 6
    # Curves.
    curve_repeats: int = 3
    lengths: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    histories: tuple[int, ...] = (1, 10, 100, 400)
    stored: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    readers: tuple[int, ...] = (1, 10, 100, 1_000)
    parallel: tuple[int, ...] = (1, 10, 100, 500, 1_000, 2_000, 5_000)
    # Overload. `runs`: answers that may be written at once; 0: as many as the cost of a token promises.
    runs: int = 0
    soak_seconds: float = 180
    calm_seconds: float = 10
    # Replicas.
    replicas: tuple[int, ...] = (1, 2, 3)
    commit_seconds: float = 5

    def paced(self, streams: int) -> int:
        """The gap with which so many streams offer no more than `rate`."""
        return max(self.gap, 1_000_000 * streams // self.rate)


SIZES = {
    size.name: size
    for size in (
        Size("full"),
        Size(
            "smoke",
            repeats=1,
            idle=0.2,
            limit=5,
            streams=50,
            tokens=20,
            requests=40,
            ceiling_streams=50,
            ceiling_tokens=40,
            crowds=(100,),
            crowd_tokens=5,
            open=50,
            shares=(0.3,),
            steady_seconds=0.5,
            curve_repeats=1,
            lengths=(100, 500),
            histories=(1, 100),
            stored=(1_000,),
            readers=(1, 50),
            parallel=(1, 50),
            soak_seconds=4,
            calm_seconds=1,
            commit_seconds=0.5,
        ),
        Size(
            "tiny",
            repeats=1,
            idle=0.05,
            limit=30,  # a machine that does much else is no failure
            gap=2_000,
            streams=5,
            tokens=5,
            requests=5,
            requests_at_once=2,
            ceiling_streams=3,
            ceiling_tokens=20,
            crowds=(3,),
            crowd_tokens=4,
            open=3,
            shares=(),
            curve_repeats=1,
            lengths=(10, 20),
            histories=(1, 3),
            stored=(10,),
            readers=(1, 3),
            parallel=(1, 3),
            runs=4,
            soak_seconds=0.5,
            calm_seconds=0.2,
            replicas=(2,),
            commit_seconds=0.1,
        ),
    )
}
