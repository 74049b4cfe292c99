"""Processes of our CLI that start at once: one process has it loaded, and forks for each.

A start costs most of a second of CPU, nearly all of it imports, and the tests start hundreds. What is forked goes on
in `launch.main`, as `python -m tests.support.launch` does, with an environment, a session, streams, memory and an exit
code of its own. What people type is tested as they type it: `PlainUvicorn`, `tests/house/test_set_up.py`.
"""

import gc
import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tests.support import launch

BACKEND = Path(__file__).resolve().parents[2]
MAX_ORDER_BYTES = 2**17  # an environment; the kernel would refuse a longer message


class Process(Protocol):
    """What `subprocess.Popen` also is."""

    @property
    def pid(self) -> int:
        """Also the number of its session."""
        ...

    def poll(self) -> int | None:
        """Its exit code, or the negative signal that ended it; None while it runs."""
        ...


class Streams(NamedTuple):
    """Open files, by number; whoever opened them closes them."""

    stdin: int
    stdout: int
    stderr: int


class Launcher(Protocol):
    """Starts our CLI under test conditions (`launch`)."""

    def start(self, arguments: Sequence[str], env: Mapping[str, str], streams: Streams) -> Process:
        """Run it with these arguments, and for the rest as `run` does."""
        ...


def run(command: Sequence[str], env: Mapping[str, str], streams: Streams) -> Process:
    """Run a command in `backend/`, in a session of its own and with nothing but this environment."""
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        list(command), cwd=BACKEND, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
    )


@contextmanager
def launcher() -> Generator[Launcher]:
    """The quick one on Linux; elsewhere a process that was only forked may not use the system's libraries."""
    if sys.platform != "linux":
        yield Programs()
        return
    server = ForkServer()
    try:
        yield server
    finally:
        server.close()


class Programs:
    """Starts the interpreter anew each time."""

    def start(self, arguments: Sequence[str], env: Mapping[str, str], streams: Streams) -> Process:
        """See `Launcher.start`."""
        return run([sys.executable, "-m", "tests.support.launch", *arguments], env, streams)


class ForkServer:
    """Its own process begins with the first start, and ends with whoever made it; so does all that it forked."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._line, self._their_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def start(self, arguments: Sequence[str], env: Mapping[str, str], streams: Streams) -> Process:
        """See `Launcher.start`."""
        if self._server is None:
            self._server = self._begin()
        return _Forked(self, self.ask({"arguments": list(arguments), "env": dict(env)}, streams))

    def ask(self, order: Any, files: Sequence[int] = ()) -> Any:
        """Its answer.

        Raises:
            AssertionError: it has ended; why stands on stderr.
        """
        socket.send_fds(self._line, [json.dumps(order).encode()], files)
        answer = self._line.recv(MAX_ORDER_BYTES)
        assert answer, "the fork server has ended"
        return json.loads(answer)

    def close(self) -> None:
        """End it."""
        self._line.close()
        self._their_end.close()
        if self._server is not None:
            self._server.wait()

    def _begin(self) -> subprocess.Popen[bytes]:
        # As each start has it; what of this is read once, by the interpreter and by imports, all of them share.
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
        command = [sys.executable, "-m", "tests.support.fork_server"]
        end = self._their_end.fileno()
        server = subprocess.Popen(command, cwd=BACKEND, env=env, stdin=end, start_new_session=True)
        self._their_end.close()
        return server


class _Forked:
    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._server.ask(self.pid)
        return self._code


def main() -> None:
    """Load the CLI, then do as told on stdin until it is closed. This returns in each process that is forked."""
    launch.load()
    importlib.import_module("uvicorn.loops.auto")
    importlib.import_module("uvicorn.protocols.http.auto")
    gc.freeze()  # what is loaded stays shared
    with socket.socket(fileno=os.dup(0)) as line:
        while True:
            message, files, *_ = socket.recv_fds(line, MAX_ORDER_BYTES, len(Streams._fields))
            if not message:
                raise SystemExit
            order = json.loads(message)
            if isinstance(order, int):
                pid, status = os.waitpid(order, os.WNOHANG)
                line.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            elif pid := os.fork():
                for file in files:
                    os.close(file)
                line.send(json.dumps(pid).encode())
            else:
                os.setsid()
                break
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv[1:] = order["arguments"]


if __name__ == "__main__":
    main()
    launch.main()
