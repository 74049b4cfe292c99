"""`python -m app.cli doctor`, and what it said."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from tests.support.fork_server import Streams
from tests.support.server import Server, clean_environment
from tests.support.waiting import until

MAX_BYTES = 2**20  # of what it says: far more than there are lines
SECONDS = 60.0  # it may look at a file for ten, and wait for an endpoint as long


@dataclass(frozen=True)
class Diagnosis:
    """Its lines and its exit code."""

    code: int
    lines: list[str]

    @property
    def wrong(self) -> list[str]:
        """What is wrong, without the mark."""
        return self._marked("WRONG ")

    @property
    def unclear(self) -> list[str]:
        """What it could not tell."""
        return self._marked("?     ")

    def of(self, subject: str) -> list[str]:
        """All lines about something, marks and all."""
        return [line for line in self.lines if line[6:].startswith(f"{subject}: ")]

    def _marked(self, mark: str) -> list[str]:
        return [line.removeprefix(mark) for line in self.lines if line.startswith(mark)]


async def examined(server: Server, *arguments: str, env: Mapping[str, str] | None = None) -> Diagnosis:
    """What the doctor says in the place, and with the settings, of a service that runs or not."""
    environment = clean_environment(server.folder) | server.env | dict(env or {})
    with Path(os.devnull).open("rb") as nothing, TemporaryFile() as out, TemporaryFile() as err:
        streams = Streams(nothing.fileno(), out.fileno(), err.fileno())
        process = server.launcher.start(["doctor", *arguments], environment, streams)
        await until(lambda: process.poll() is not None, "the doctor is done", timeout=SECONDS)
        said, complaints = (os.pread(file.fileno(), MAX_BYTES, 0).decode() for file in (out, err))
    assert complaints == ""
    code = process.poll()
    assert code is not None
    return Diagnosis(code, said.splitlines())
