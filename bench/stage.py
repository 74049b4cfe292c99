"""Where a measurement takes place: the upstream, servers one at a time, and the load."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.environments import Installed
from bench.job import Job, Outcome, Target
from bench.peers.catalogue import Peer, Place
from bench.processes import ROOT, Cores, Process, family, fetch, free_port, resident_bytes

GRACE_SECONDS = 120  # beyond a job's own limit: to check what it read
_KEPT = ("PATH", "LD_LIBRARY_PATH")  # of the outer environment: nothing that changes what a server does


class LoadBroke(Exception):
    """The load itself failed: nothing was measured."""


class Served(msgspec.Struct):
    """A server that is up."""

    target: Target
    start_seconds: float
    idle_bytes: int


class Stage:
    """The upstream, and who runs on which core. Nothing that it started is left when its `with` ends."""

    def __init__(self, idle: float) -> None:
        """`idle`: seconds from when a server is ready until its memory is read."""
        self._idle = idle
        self.cores = Cores.of_this_machine()
        self.port = free_port()

    def __enter__(self) -> "Stage":
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = Path(self._scratch.name)
        command = [sys.executable, "-m", "bench.upstream", str(self.port)]
        self._upstream = Process(command, self.cores.upstream, self.folder / "upstream.log", env=environment())
        try:
            self._upstream.until(lambda: fetch(self.port, "/stats") is not None)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._upstream.end()
        self._scratch.cleanup()

    @contextmanager
    def serve(
        self,
        peer: Peer,
        installed: Installed,
        *,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Served]:
        """A server of `peer`, from its start to its end.

        Raises:
            DidNotStart: with the end of its log.
        """
        with tempfile.TemporaryDirectory(prefix=f"{peer.name}-", dir=self.folder) as folder:
            place = Place(installed.python, free_port(), self.port, Path(folder))
            whole = environment() | {"HOME": folder, "TMPDIR": folder} | peer.env(place) | dict(env or {})
            cwd = peer.cwd or place.folder
            log = place.folder / "server.log"
            if peer.keeps:
                with Process(peer.command(place), self.cores.server, log, cwd=cwd, env=whole) as process:
                    process.until(lambda: fetch(place.port, peer.ready) is not None)
            with Process(peer.command(place), self.cores.server, log, cwd=cwd, env=whole) as process:
                took = process.until(lambda: fetch(place.port, peer.ready) is not None)
                time.sleep(self._idle)
                yield Served(peer.target(place, process.pid), took, resident_bytes(family(process.pid)))

    def run(self, job: Job) -> Outcome:
        """Do a job.

        Raises:
            LoadBroke: the load's own process failed.
        """
        port = job.upstream_port or self.port
        job = msgspec.structs.replace(job, upstream_port=port, server_core=self.cores.server)
        pinned = [sys.executable, "-ISs", str(ROOT / "bench" / "pinned.py"), str(self.cores.load)]
        done = subprocess.run(  # noqa: S603 - the command is the benchmark's own
            [*pinned, sys.executable, "-m", "bench.load"],
            input=msgspec.json.encode(job),
            stdout=subprocess.PIPE,
            stderr=None,  # it tells how far it is
            cwd=ROOT,
            env=environment(),
            timeout=job.seconds + GRACE_SECONDS,
            start_new_session=True,  # Ctrl+C is for whoever started it, who ends it
            check=False,
        )
        if done.returncode:
            raise LoadBroke(f"the load ended with exit code {done.returncode}")
        return msgspec.json.decode(done.stdout, type=Outcome)


def environment() -> dict[str, str]:
    """What every process of the benchmark gets."""
    outer = os.environ  # noqa: TID251 - of the benchmark, not of the service
    kept = {name: outer[name] for name in _KEPT if name in outer}
    return kept | {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
