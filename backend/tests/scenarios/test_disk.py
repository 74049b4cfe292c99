"""A disk that is full, or a file that somebody holds: nothing is shown that is not kept, and it heals by itself."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncGenerator, Generator

import pytest

from tests.support.client import CHAT, Answer, Client, read_answer
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import Gate, Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

SAVE_SECONDS = 1.0
SHARED_SETTINGS = {"SAVE_TIMEOUT_SECONDS": SAVE_SECONDS}


@pytest.fixture
async def full_disk(shared_server: Server) -> AsyncGenerator[Server]:
    """The shared service; whatever the test did to its disk is over afterwards."""
    yield shared_server
    await shared_server.free_disk()
    await until(lambda: is_ready(Client(shared_server.port)), "it is ready again")


async def is_ready(client: Client) -> bool:
    return (await client.request("GET", "/ready")).status == 200


async def first_word(client: Client) -> tuple[str, asyncio.Task[Answer]]:
    """Ask; the run, and its reader, who has seen the first word."""
    stream = await client.open_chat("Count.")
    await stream.read_until(when=lambda stream: b"one " in stream.body)
    return stream.headers["X-Run-Id"], asyncio.create_task(read_answer(stream))


@contextlib.contextmanager
def held(server: Server) -> Generator[None]:
    """Another process (a backup, a shell) keeps the file for itself."""
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_question_that_cannot_be_kept_is_refused_and_never_bought(
    full_disk: Server, shared_client: Client, shared_upstream: Upstream, method: str
) -> None:
    await full_disk.fill_disk()
    get = method == "GET"
    body = None if get else {"message": "Keep me."}
    query = {"message": "Keep me."} if get else None
    reply = await shared_client.request(method, CHAT, json=body, query=query)
    assert (reply.status, reply.headers["Content-Type"]) == (507, "application/problem+json")
    assert (reply.json["code"], reply.json["status"], reply.json["retryable"]) == ("no_room", 507, True)
    assert shared_upstream.calls == 0
    await full_disk.free_disk()
    assert (await shared_client.ask("Keep me.", get=get)).text == "Hello there"
    assert shared_upstream.calls == 1


async def test_a_key_refused_for_want_of_room_buys_once_there_is_room(
    full_disk: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    await full_disk.fill_disk()
    assert (await shared_client.ask("Keep me.", key="my-click")).status == 507
    await full_disk.free_disk()
    first = await shared_client.ask("Keep me.", key="my-click")
    again = await shared_client.ask("Keep me.", key="my-click")
    assert (first.text, first.replayed, again.text, again.replayed) == ("Hello there", False, "Hello there", True)
    assert shared_upstream.calls == 1


async def test_ready_tells_the_reason_while_the_disk_is_full_and_recovers(
    full_disk: Server, shared_client: Client
) -> None:
    await full_disk.fill_disk()
    assert (await shared_client.ask("Keep me.")).status == 507
    reply = await shared_client.request("GET", "/ready")
    assert (reply.status, reply.json["code"]) == (503, "no_room")
    assert "room" in reply.json["detail"]
    assert (await shared_client.request("GET", "/health")).json["status"] == "healthy"
    await full_disk.free_disk()
    assert await is_ready(shared_client)


async def test_what_is_kept_can_be_read_while_the_disk_is_full(full_disk: Server, shared_client: Client) -> None:
    kept = await shared_client.ask("Keep me.", key="kept-before")
    await full_disk.fill_disk()
    assert (await shared_client.follow(kept.run_id)).text == "Hello there"
    assert (await shared_client.ask("Keep me.", key="kept-before")).text == "Hello there"
    assert (await shared_client.run(kept.run_id)).json["status"] == "completed"


async def test_a_full_disk_mid_answer_stops_the_stream_and_then_says_not_saved(
    full_disk: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Status(), Send(chunk("one ")), Gate("go on"), Send(chunk("two ")), Hang())
    run_id, reader = await first_word(shared_client)
    await full_disk.fill_disk()
    shared_upstream.open("go on")
    answer = await reader
    assert (answer.text, answer.done, answer.over) == ("one ", True, "complete"), "what is not kept is not shown"
    assert answer.error is not None
    assert (answer.error["code"], answer.error["retryable"]) == ("not_saved", True)
    await (await shared_upstream.request()).is_closed()
    run = (await shared_client.run(run_id)).json
    assert (run["status"], run["error"]["code"]) == ("failed", "not_saved")
    assert full_disk.running
    await full_disk.free_disk()
    assert (await shared_client.ask("And now?")).text == "Hello there"
    books = await until(lambda: written_down(full_disk, run_id), "the end of the run is written down")
    assert (books.run(run_id)["error_code"], books.text(run_id)) == ("not_saved", "one ")
    rest = await shared_client.follow(run_id, answer.cursor)
    assert rest.status == 204
    whole = await shared_client.follow(run_id)
    assert (whole.text, (whole.error or {})["code"], whole.done) == ("one ", "not_saved", True)
    assert shared_upstream.calls == 2


async def test_a_disk_that_is_full_for_a_moment_loses_nothing(
    full_disk: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    words = ["one ", *(f"{number} " for number in range(50)), "end"]
    shared_upstream.script(*say(*words, gate="words"))
    shared_upstream.open("words", 1)
    run_id, reader = await first_word(shared_client)
    await full_disk.fill_disk()
    shared_upstream.open("words")
    seen = await shared_upstream.request()
    await until(seen.answered.is_set, "the model has said everything")
    assert not reader.done()
    await full_disk.free_disk()
    answer = await reader
    assert (answer.text, answer.done, answer.error) == ("".join(words), True, None)
    assert (await shared_client.run(run_id)).json["status"] == "completed"
    assert shared_upstream.calls == 1


async def test_an_end_that_is_not_kept_yet_is_told_to_nobody(
    full_disk: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    """Neither by the stream nor by the run's state: it could still turn out otherwise, and does."""
    shared_upstream.script(*say("one ")[:-1], Gate("end"), Send(chunk(finish_reason="stop")))
    run_id, reader = await first_word(shared_client)
    await full_disk.fill_disk()
    shared_upstream.open("end")
    told: set[str] = set()
    while not reader.done():
        told.add((await shared_client.run(run_id)).json["status"])
        await asyncio.sleep(0.02)
    told.add((await shared_client.run(run_id)).json["status"])
    answer = await reader
    assert (answer.text, (answer.error or {})["code"]) == ("one ", "not_saved")
    assert told == {"running", "failed"}
    await full_disk.free_disk()
    books = await until(lambda: written_down(full_disk, run_id), "the end of the run is written down")
    assert books.run(run_id)["status"] == "failed"


async def test_killed_while_the_disk_is_full_what_was_seen_is_there(serve: Serve, upstream: Upstream) -> None:
    upstream.script(Status(), Send(chunk("one ")), Gate("go on"), Send(chunk("two ")), Hang())
    server = await serve(SAVE_TIMEOUT_SECONDS=30)
    client = Client(server.port)
    run_id, reader = await first_word(client)
    await server.fill_disk()
    upstream.open("go on")
    await until(lambda: refused(client), "a write has failed")
    await server.restart()
    answer = await reader
    books = check(server.database)
    assert answer.text == books.text(run_id) == "one "
    assert books.run(run_id)["status"] == "interrupted"


async def refused(client: Client) -> bool:
    return (await client.ask("Keep me.")).status == 507


async def test_while_another_process_holds_the_file_everything_else_answers_and_nothing_is_lost(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    kept = await shared_client.ask("Keep me.")
    words = ["one ", *(f"{number} " for number in range(50)), "end"]
    shared_upstream.script(*say(*words, gate="words"))
    shared_upstream.open("words", 1)
    run_id, reader = await first_word(shared_client)
    with held(shared_server):
        shared_upstream.open("words")
        late = asyncio.create_task(shared_client.ask("And now?"))
        await (await shared_upstream.request(2)).answered.wait()
        began = time.monotonic()
        for _ in range(10):
            assert (await shared_client.request("GET", "/health")).status == 200
            assert (await shared_client.follow(kept.run_id)).text == "Hello there"
            assert (await shared_client.run(run_id)).json["status"] == "running"
        assert time.monotonic() - began < 1.0, "30 requests in the time in which the file is held"
        await asyncio.sleep(max(0.0, began + 1.0 - time.monotonic()))
        assert not reader.done()
        assert not late.done()
    answer = await reader
    assert (answer.text, answer.done, answer.error) == ("".join(words), True, None)
    assert (await late).text == "Hello there"
    assert shared_upstream.calls == 3


@pytest.mark.long
async def test_a_file_that_is_held_for_long_refuses_questions_with_a_reason_and_loses_nothing(
    serve: Serve, upstream: Upstream
) -> None:
    upstream.script(*say("one ", "two", gate="words"))
    upstream.open("words", 1)
    server = await serve(SAVE_TIMEOUT_SECONDS=30)
    client = Client(server.port)
    run_id, reader = await first_word(client)
    with held(server):
        reply = await client.request("POST", CHAT, json={"message": "And now?"})
        assert (reply.status, reply.json["code"]) == (503, "storage_unavailable")
        assert int(reply.headers["Retry-After"]) > 0
        upstream.open("words")
        assert upstream.calls == 1
    assert (await reader).text == "one two"
    assert (await client.run(run_id)).json["status"] == "completed"
    assert (await client.request("GET", "/ready")).status == 200
    assert (await client.ask("And now?")).text == "Hello there"


def written_down(server: Server, run_id: str) -> Books | None:
    """The books, once the run's end is in them."""
    books = Books.read(server.database)
    return books if books.run(run_id)["ended_at"] is not None else None
