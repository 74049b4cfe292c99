"""The log cannot harm answers: its reader has gone, or has stopped reading, and questions are answered all the same."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import NamedTuple

from tests.support.client import Client, client_of, read_answer
from tests.support.script import DONE, Gate, Send, Status, chunk
from tests.support.server import BACKEND, Server, clean_environment
from tests.support.upstream import Upstream
from tests.support.waiting import until

EXIT_SECONDS = 20.0


class Logging(NamedTuple):
    """A service whose stderr is a pipe that only the test reads."""

    server: Server
    client: Client
    process: "subprocess.Popen[bytes]"

    @property
    def pipe(self) -> int:
        """The end of the pipe that is read."""
        assert self.process.stderr is not None
        return self.process.stderr.fileno()


@asynccontextmanager
async def logging(folder: Path, upstream: Upstream, **env: str) -> AsyncGenerator[Logging]:
    """One that is ready."""
    server = Server(folder, {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-x", "TITLES": "0", **env})
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=BACKEND,
        env=clean_environment(folder) | server.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        async with client_of(server.port) as client:
            await until(lambda: is_ready(client), "it is ready", every=0.05)
            yield Logging(server, client, process)
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


async def is_ready(client: Client) -> bool:
    with contextlib.suppress(OSError):
        return (await client.request("GET", "/ready")).status == 200
    return False


async def exit_code(process: "subprocess.Popen[bytes]") -> int:
    await until(lambda: process.poll() is not None, "it exits", timeout=EXIT_SECONDS, every=0.05)
    return process.returncode


async def test_without_a_reader_of_the_log_every_answer_gives_its_place_back(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with logging(tmp_path, upstream, MAX_RUNS="2") as it:
        assert it.process.stderr is not None
        it.process.stderr.close()
        for number in range(5):
            answer = await it.client.ask(f"question {number}")
            assert (answer.status, answer.text, answer.done) == (200, "Hello there", True)
            await until(lambda: no_run(it.client), "the run is forgotten")


async def no_run(client: Client) -> bool:
    return "\naichat_runs_live 0" in (await client.request("GET", "/metrics")).text


async def test_without_a_reader_of_the_log_a_shutdown_tells_who_reads_an_answer(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with logging(tmp_path, upstream, DRAIN_SECONDS="0.5", SAVE_TIMEOUT_SECONDS="1") as it:
        upstream.script(Status(), Send(chunk("one ")), Gate("never"))
        stream = await it.client.open_chat("Count.")
        await stream.read_until(when=lambda seen: b"one " in seen.body)
        assert it.process.stderr is not None
        it.process.stderr.close()
        it.process.terminate()
        answer = await read_answer(stream)
        assert answer.error is not None
        assert (answer.text, answer.error["code"], answer.done) == ("one ", "interrupted", True)
        await exit_code(it.process)
        with closing(sqlite3.connect(it.server.database)) as database:
            assert database.execute("SELECT status FROM runs").fetchall() == [("interrupted",)]


async def test_an_ending_that_is_refused_once_is_told_without_a_reader_of_the_log(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with logging(tmp_path, upstream, SAVE_TIMEOUT_SECONDS="1") as it:
        upstream.script(Status(), Send(chunk("one ")), Gate("on"), Send(chunk("two", finish_reason="stop") + DONE))
        stream = await it.client.open_chat("Count.")
        await stream.read_until(when=lambda seen: b"one " in seen.body)
        assert it.process.stderr is not None
        it.process.stderr.close()
        with closing(sqlite3.connect(it.server.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            upstream.open("on")
            answer = await read_answer(stream)
        assert answer.error is not None
        assert (answer.error["code"], answer.done) == ("not_saved", True)


async def test_a_log_that_nobody_reads_any_more_holds_nothing_up_and_says_later_what_is_missing(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with logging(tmp_path, upstream) as it:
        fill(it.process)
        for number in range(5):
            assert (await it.client.ask(f"question {number}")).text == "Hello there"
        await until(lambda: no_run(it.client), "all are over")
        assert b"run.ended" not in read_out(it.pipe)
        assert (await it.client.ask("And now?")).text == "Hello there"
        await until(lambda: no_run(it.client), "it is over")
        lost, *lines = (json.loads(line) for line in read_out(it.pipe).splitlines())
        assert (lost["event"], lost["lines"]) in {("log.lost", number) for number in (9, 10)}, "a request's may be late"
        assert "run.ended" in [line["event"] for line in lines]
        fill(it.process)
        it.process.terminate()
        await exit_code(it.process)


def fill(process: "subprocess.Popen[bytes]") -> None:
    """Fill the pipe that is this process's stderr, until it takes nothing more."""
    descriptor = os.open(f"/proc/{process.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x" * 100 + b"\n")
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x")
    os.close(descriptor)


def read_out(pipe: int) -> bytes:
    """All that is in a pipe."""
    os.set_blocking(pipe, False)
    found = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            found += os.read(pipe, 65536)
    return found
