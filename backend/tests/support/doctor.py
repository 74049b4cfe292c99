"""`python -m app.cli doctor`, run as somebody would, and what it said."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.server import BACKEND, Server, clean_environment

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
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.launch", "doctor", *arguments),
        cwd=BACKEND,
        env=clean_environment(server.folder) | server.env | dict(env or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert err == b"", err.decode()
    assert process.returncode is not None
    return Diagnosis(process.returncode, out.decode().splitlines())
