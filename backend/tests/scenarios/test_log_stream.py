"""The log cannot harm answers: its reader has gone, or has stopped reading, and questions are answered all the same."""

import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from tests.support.client import Client, client_of, read_answer
from tests.support.script import DONE, Gate, Send, Status, chunk
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until


class Piped(Server):
    """Its log goes into a pipe that only the test reads."""

    pipe = -1

    def _keep_log(self, output: int) -> None:
        self.pipe = output

    def deafen(self) -> None:
        """Nobody is left to read it."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


@asynccontextmanager
async def piped(folder: Path, upstream: Upstream, **env: str) -> AsyncGenerator[tuple[Piped, Client]]:
    """One that is ready, and who asks it. It ends politely in the end, whatever has become of its log."""
    server = Piped(folder, {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-x", "TITLES": "0", **env})
    await server.start()
    try:
        async with client_of(server.port) as client:
            yield server, client
        await server.close()
    finally:
        await server.kill()
        server.deafen()


async def test_without_a_reader_of_the_log_every_answer_gives_its_place_back(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with piped(tmp_path, upstream, MAX_RUNS="2") as (server, client):
        server.deafen()
        for number in range(5):
            answer = await client.ask(f"question {number}")
            assert (answer.status, answer.text, answer.done) == (200, "Hello there", True)
            await until(lambda: no_run(client), "the run is forgotten")


async def no_run(client: Client) -> bool:
    return "\naichat_runs_live 0" in (await client.request("GET", "/metrics")).text


async def test_without_a_reader_of_the_log_a_shutdown_tells_who_reads_an_answer(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with piped(tmp_path, upstream, DRAIN_SECONDS="0.5", SAVE_TIMEOUT_SECONDS="1") as (server, client):
        upstream.script(Status(), Send(chunk("one ")), Gate("never"))
        stream = await client.open_chat("Count.")
        await stream.read_until(when=lambda seen: b"one " in seen.body)
        server.deafen()
        server.send_signal(signal.SIGTERM)
        answer = await read_answer(stream)
        assert answer.error is not None
        assert (answer.text, answer.error["code"], answer.done) == ("one ", "interrupted", True)
        await server.wait()
        with closing(sqlite3.connect(server.database)) as database:
            assert database.execute("SELECT status FROM runs").fetchall() == [("interrupted",)]


async def test_an_ending_that_is_refused_once_is_told_without_a_reader_of_the_log(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with piped(tmp_path, upstream, SAVE_TIMEOUT_SECONDS="1") as (server, client):
        upstream.script(Status(), Send(chunk("one ")), Gate("on"), Send(chunk("two", finish_reason="stop") + DONE))
        stream = await client.open_chat("Count.")
        await stream.read_until(when=lambda seen: b"one " in seen.body)
        server.deafen()
        with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            upstream.open("on")
            answer = await read_answer(stream)
        assert answer.error is not None
        assert (answer.error["code"], answer.done) == ("not_saved", True)


async def test_a_log_that_nobody_reads_any_more_holds_nothing_up_and_says_later_what_is_missing(
    tmp_path: Path, upstream: Upstream
) -> None:
    async with piped(tmp_path, upstream) as (server, client):
        fill(server.pid)
        for number in range(5):
            assert (await client.ask(f"question {number}")).text == "Hello there"
        await until(lambda: no_run(client), "all are over")
        assert b"run.ended" not in read_out(server.pipe)
        assert (await client.ask("And now?")).text == "Hello there"
        await until(lambda: no_run(client), "it is over")
        lost, *lines = (json.loads(line) for line in read_out(server.pipe).splitlines())
        assert (lost["event"], lost["lines"]) in {("log.lost", number) for number in (9, 10)}, "a request's may be late"
        assert "run.ended" in [line["event"] for line in lines]
        fill(server.pid)
        await server.close()


def fill(pid: int) -> None:
    """Fill the pipe that is this process's stderr, until it takes nothing more."""
    descriptor = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
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
