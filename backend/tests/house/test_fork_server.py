"""What is forked is a process like any other, and none outlives the one that forked it."""

import os
import signal
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryFile

import psutil
import pytest

from tests.support.fork_server import ForkServer, Process, Streams
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until


@pytest.fixture
def forks() -> Generator[ForkServer]:
    """A fork server of the test's own."""
    server = ForkServer()
    yield server
    server.close()


async def exit_code(process: Process) -> int:
    await until(lambda: process.poll() is not None, "it ends")
    code = process.poll()
    assert code is not None
    return code


@pytest.mark.parametrize(
    ("arguments", "code", "word"), [(["--help"], 0, "serve"), (["serve", "--port", "none"], 2, "Invalid value")]
)
async def test_each_has_arguments_streams_and_an_exit_code_of_its_own(
    forks: ForkServer, arguments: list[str], code: int, word: str
) -> None:
    with Path(os.devnull).open("rb") as nothing, TemporaryFile() as said:
        streams = Streams(nothing.fileno(), said.fileno(), said.fileno())
        process = forks.start(arguments, {"COLUMNS": "200"}, streams)
        assert await exit_code(process) == code
        assert word in os.pread(said.fileno(), 100_000, 0).decode()


async def test_each_is_alone_in_its_session_and_ends_by_its_own_signal(
    forks: ForkServer, upstream: Upstream, tmp_path: Path
) -> None:
    servers = [Server(tmp_path / name, {"OPENAI_BASE_URL": upstream.url}, launcher=forks) for name in ("one", "two")]
    for server in servers:
        server.folder.mkdir()
        await server.start()
        assert os.getsid(server.pid) == server.pid
    await servers[0].kill()
    assert (servers[0].exit_code, servers[1].running) == (-signal.SIGKILL, True)
    await servers[1].close()


async def test_they_end_with_the_process_that_forked_them(
    forks: ForkServer, upstream: Upstream, tmp_path: Path
) -> None:
    server = await Server(tmp_path, {"OPENAI_BASE_URL": upstream.url}, launcher=forks).start()
    process = psutil.Process(server.pid)
    forks.close()
    await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it ends too")
