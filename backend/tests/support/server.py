"""The real service as a child process: started, killed, stopped, started again on the same port and data."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support import fork_server, sockets
from tests.support.client import Client
from tests.support.fork_server import Launcher, Process, Programs, Streams, run
from tests.support.waiting import until

BACKEND = fork_server.BACKEND
START_SECONDS = 30.0  # two cores and a cold disk
GRACEFUL = (0, -signal.SIGTERM)  # a polite end may be told as the signal that asked for it
LOG_TAIL = 4000  # characters shown when it does not start


class DidNotStart(AssertionError):
    """The service ended, or never became ready."""


class Server:
    """Our CLI, with blocking calls and warnings turned into errors (`launch`).

    Nothing of the outer environment reaches it except PATH and the like; everything it writes is under `folder`.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        self.folder = folder
        self.launcher = launcher or Programs()
        self.port = port if port is not None else sockets.free_port()
        self.database = folder / "chat.db"
        self.env: dict[str, str] = {
            "HOST": sockets.LOOPBACK,
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "MODELS_FILE": os.devnull,  # whatever this checkout has
            **(env or {}),
        }
        self._log_file = folder / "server.log"
        self._process: Process | None = None
        self._collector: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{sockets.LOOPBACK}:{self.port}"

    @property
    def log(self) -> str:
        """All that it wrote to stdout and stderr, of every start."""
        return self._log_file.read_text("utf-8", "replace") if self._log_file.exists() else ""

    @property
    def pid(self) -> int:
        """Of the process that runs, or ran last."""
        assert self._process is not None, "never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the last process; negative: the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def command(self) -> Sequence[str] | None:
        """What is run instead of our CLI under test conditions."""
        return None

    async def start(self, **env: str | None) -> "Server":
        """Run it and return once `GET /ready` is 200. `env` is merged into the environment, None takes out.

        Raises:
            DidNotStart: with the tail of the log.
        """
        self.spawn(**env)
        try:
            await until(self._is_ready, "GET /ready is 200", timeout=START_SECONDS, every=0.02)
        except AssertionError as why:
            await self.kill()
            raise DidNotStart(f"{why}; exit code {self.exit_code}; its log ends:\n{self.log[-LOG_TAIL:]}") from None
        return self

    def spawn(self, **env: str | None) -> None:
        """Run it and return at once, for starts that are meant to fail."""
        assert not self.running, "already running"
        for name, value in env.items():
            if value is None:
                self.env.pop(name, None)
            else:
                self.env[name] = value
        output, its_end = os.pipe()
        try:
            with Path(os.devnull).open("rb") as nothing:
                self._process = self._launch(Streams(nothing.fileno(), its_end, its_end))
        finally:
            os.close(its_end)
        self._keep_log(output)

    async def wait(self, timeout: float = 20) -> int:
        """Wait for its end; the exit code. The log is whole then."""
        await until(lambda: not self.running, "the service ends", timeout=timeout, every=0.005)
        if self._collector is not None:
            await asyncio.to_thread(self._collector.join, 2)
        code = self.exit_code
        assert code is not None, "never started"
        return code

    async def kill(self) -> None:
        """SIGKILL; returns when it is dead."""
        self.send_signal(signal.SIGKILL)
        await self.wait()

    async def terminate(self, timeout: float = 20) -> int:
        """SIGTERM; its exit code when it has ended. (`send_signal(SIGTERM)` and `wait()` do it in two steps.)"""
        self.send_signal(signal.SIGTERM)
        return await self.wait(timeout)

    async def restart(self, **env: str | None) -> "Server":
        """Start again on the same port and data; a process that still runs is killed first."""
        if self.running:
            await self.kill()
        return await self.start(**env)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; nothing happens if it is gone."""
        if self.running:
            os.kill(self.pid, number)

    def freeze(self) -> None:
        """SIGSTOP: it does nothing any more, its sockets stay open."""
        self.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.send_signal(signal.SIGCONT)

    async def fill_disk(self) -> None:
        """From now on its database gets no byte more (ENOSPC); returns when that holds."""
        await self._mark(signal.SIGUSR1, "disk: full")

    async def free_disk(self) -> None:
        """There is room again."""
        await self._mark(signal.SIGUSR2, "disk: room")

    async def close(self, grace: float = 20) -> int | None:
        """End it politely, check that it ended and left no process behind; its exit code, None if it never ran.

        Raises:
            AssertionError: it did not end within `grace`, or a child outlived it.
        """
        if self._process is None:
            return None
        try:
            self.thaw()
            running = self.running
            code = await self.terminate(grace) if running else await self.wait()
            assert not running or code in GRACEFUL, f"it ended with exit code {code} after SIGTERM"
            await until(lambda: not self._family(), "its child processes end with it", timeout=5)
            return code
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            await self.wait()

    async def resident_bytes(self) -> int:
        """Memory that the process itself holds (Linux)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def _is_ready(self) -> bool:
        if not self.running:
            raise AssertionError("the service ended while it started")
        client = Client(self.port, patience=5)
        try:
            return (await client.request("GET", "/ready")).status == 200
        except OSError:
            return False
        finally:
            client.close()

    def _launch(self, streams: Streams) -> Process:
        environment = clean_environment(self.folder) | self.env
        if (command := self.command()) is not None:
            return run(command, environment, streams)
        return self.launcher.start(["serve"], environment, streams)

    async def _mark(self, number: signal.Signals, word: str) -> None:
        before = self.log.count(word)
        self.send_signal(number)
        await until(lambda: self.log.count(word) > before, f"the service process says {word!r}")

    def _family(self) -> bool:
        """Whether a process of its group lives (Linux; a zombie that nobody collects is dead)."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group, *_ = stat.read_text().rpartition(")")[2].split()
                if int(group) == self.pid and state != "Z":
                    return True
        return False

    def _keep_log(self, output: int) -> None:
        """Take all that comes out of `output`, and close it at its end."""
        self._collector = threading.Thread(target=self._collect, args=(output,), name="server-log", daemon=True)
        self._collector.start()

    def _collect(self, output: int) -> None:
        with self._log_file.open("ab", buffering=0) as log:
            while data := os.read(output, 65536):
                log.write(data)
        os.close(output)


class PlainUvicorn(Server):
    """The document's own command, `uvicorn app.main:app`, without anything of ours around it."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "uvicorn", "app.main:app", "--host", self.env["HOST"], "--port", str(self.port)]


def clean_environment(folder: Path) -> dict[str, str]:
    """What a process of ours gets of the outer environment: nothing that changes what it does."""
    kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
    }
