"""Processes of the benchmark: started on their core, measured, ended; they die with whoever started them (Linux)."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 120.0  # a peer with many packages, on a cold disk
ENDING_SECONDS = 10.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOG_TAIL = 2000  # characters that are shown when one does not start


class DidNotStart(Exception):
    """A server ended, or was not ready in time."""


class Cores(NamedTuple):
    """Who runs where. On one core all share it, and the report says so."""

    server: int
    upstream: int
    load: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The last core for the server; upstream and load on others, on one if there are only two."""
        cores = sorted(os.sched_getaffinity(0))
        others = cores[:-1] or cores
        return cls(cores[-1], others[-1], others[0])

    def __str__(self) -> str:
        if self.server == self.load:
            return "one core for everything: the figures hold the load's own interference"
        together = "together on another" if self.upstream == self.load else "each on its own"
        return f"the server on one core, upstream and load {together}"


class Process:
    """A program on one core. Everything it says goes into `log`."""

    def __init__(
        self,
        command: Sequence[str],
        core: int,
        log: Path,
        *,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.started = time.perf_counter()
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the benchmark's own
                [sys.executable, "-ISs", str(ROOT / "bench" / "pinned.py"), str(core), *command],
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the program itself."""
        return self._process.pid

    def until(self, ready: Callable[[], bool]) -> float:
        """Wait until it is ready; the seconds since it was started.

        Raises:
            DidNotStart: it ended, or was not ready in time. Its log's end is told.
        """
        while not ready():
            took = time.perf_counter() - self.started
            if self._process.poll() is not None or took > READY_SECONDS:
                said = self._log.read_text("utf-8", "replace")[-LOG_TAIL:]
                raise DidNotStart(f"not ready after {took:.0f} s (exit code {self._process.returncode})\n{said}")
            time.sleep(0.005)
        return time.perf_counter() - self.started

    def end(self) -> None:
        """End it and all that it started: politely, then by force."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


# ── What they use ────────────────────────────────────────────────────────────────────────────────────────────────────


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:  # which grows meanwhile
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """What processes have used, in nanoseconds' resolution: `/proc/PID/stat` counts in hundredths of a second."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~pid << 3 | 2)  # the kernel's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
    return total


def resident_bytes(pids: Sequence[int]) -> int:
    """Memory that processes hold."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    return total


def busy_seconds(core: int) -> float:
    """What a core has worked, for whomever."""
    with Path("/proc/stat").open() as stat:
        for line in stat:
            name, *ticks = line.split()
            if name == f"cpu{core}":
                user, nice, system, _idle, _waiting, interrupts, soft, *rest = map(int, ticks)
                return (user + nice + system + interrupts + soft + sum(rest[:1])) / os.sysconf("SC_CLK_TCK")
    return 0.0


# ── Ports ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def fetch(port: int, path: str, timeout: float = 5) -> bytes | None:
    """The body of a GET that is answered by a 200; else None."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as sock:
            sock.sendall(request)
            response = b""
            while not _whole(response) and (data := sock.recv(65536)):
                response += data
    except OSError:
        return None
    head, _, body = response.partition(b"\r\n\r\n")
    return body if b" 200 " in head.partition(b"\r\n")[0] else None


def _whole(response: bytes) -> bool:
    head, separator, body = response.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    return bool(separator) and length.isdigit() and len(body) >= int(length)
