"""A `kill -9` at every moment that matters: what was seen is kept, and nothing is bought a second time."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence

import pytest

from tests.support.client import Answer, Client
from tests.support.fixtures import Serve
from tests.support.invariants import check
from tests.support.script import Hang, Send, Status, Step, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.upstream_connection import Seen
from tests.support.waiting import until

KEY = "one-click"


def told(answer: Answer) -> tuple[str | None, bool, str]:
    """How it ended, as a reader was told."""
    return (answer.error or {}).get("code"), answer.done, answer.over


def unfinished(*words: str) -> list[Step]:
    """An answer that stops in the middle and stays there."""
    return [Status(), *(Send(chunk(word)) for word in words), Hang()]


def status_of(answer: Answer, server: Server) -> str:
    """What is kept, now."""
    return check(server.database, crashed=True).run(answer.run_id)["status"]


async def dies(server: Server) -> None:
    await server.wait()
    assert server.exit_code == -9


@pytest.mark.parametrize(
    "moment", ["app.services.run_engine:RunEngine.start", "app.providers.openai:OpenAIProvider.answer"]
)
async def test_killed_between_accept_and_upstream_the_run_is_interrupted_and_never_bought(
    serve: Serve, upstream: Upstream, moment: str
) -> None:
    server = await serve(FAILPOINT=moment)
    client = Client(server.port)
    with contextlib.suppress(ConnectionError):
        await client.ask("Tell me.", key=KEY)
    await dies(server)
    assert [run["status"] for run in check(server.database, crashed=True).runs] == ["running"]
    await server.start(FAILPOINT=None)
    again = await client.ask("Tell me.", key=KEY)
    assert (again.replayed, again.text, told(again)) == (True, "", ("interrupted", True, "complete"))
    assert [run["id"] for run in check(server.database).runs] == [again.run_id]
    assert upstream.calls == 0
    retried = await client.ask("Tell me.", key="another-click")
    assert (retried.replayed, retried.text, upstream.calls) == (False, "Hello there", 1)


async def test_killed_before_the_end_is_committed_the_answer_is_interrupted_and_not_done(
    serve: Serve, upstream: Upstream
) -> None:
    server = await serve(FAILPOINT="app.store.sql:_end")
    client = Client(server.port)
    seen = await client.ask("Tell me.", key=KEY)
    assert not seen.done
    await dies(server)
    await server.start(FAILPOINT=None)
    kept = check(server.database).text(seen.run_id)
    assert "Hello there".startswith(kept)
    rest = await client.follow(seen.run_id, seen.cursor)
    assert (seen.text + rest.text, told(rest)) == (kept, ("interrupted", True, "complete"))
    assert (await client.run(seen.run_id)).json["status"] == "interrupted"
    assert upstream.calls == 1


async def test_killed_after_the_end_is_committed_the_answer_is_whole_though_nobody_was_told(
    serve: Serve, upstream: Upstream
) -> None:
    server = await serve(FAILPOINT="app.eventlog.memory:LiveLog.end")
    client = Client(server.port)
    seen = await client.ask("Tell me.")
    assert not seen.done
    await dies(server)
    await server.start(FAILPOINT=None)
    rest = await client.follow(seen.run_id, seen.cursor)
    assert (seen.text + rest.text, told(rest)) == ("Hello there", (None, True, "complete"))
    assert (await client.run(seen.run_id)).json["status"] == "completed"
    assert upstream.calls == 1


async def test_killed_while_it_cancels_the_run_is_cancelled_and_nothing_follows(
    serve: Serve, upstream: Upstream
) -> None:
    upstream.script(*unfinished("one "))
    server = await serve(FAILPOINT="app.store.sql:_end")
    client = Client(server.port)
    seen = await client.ask("Count.", until=1)
    # While anything is being written, the cancel mark would share a commit with the end: the kill would lose both.
    await until(lambda: status_of(seen, server) == "running", "it is kept that it runs")
    assert (await client.request("POST", "/api/conversations", json={})).status == 201  # a later commit is over
    with contextlib.suppress(ConnectionError):
        await client.cancel(seen.run_id)
    await dies(server)
    await server.start(FAILPOINT=None)
    rest = await client.follow(seen.run_id, seen.cursor)
    assert (rest.text, told(rest)) == ("", ("cancelled", True, "complete"))
    assert (await client.run(seen.run_id)).json["status"] == "cancelled"


async def test_killed_while_it_recovers_the_next_start_finishes_it(serve: Serve, upstream: Upstream) -> None:
    thinking = [Send(chunk(reasoning_content="let me ")), Send(chunk(reasoning_content="see"))]
    upstream.script(Status(), *thinking, Send(chunk("one ")), Hang())
    server = await serve()
    client = Client(server.port)
    seen = await client.ask("Count.", until=1)
    assert seen.cursor == f"{seen.run_id}-1-4", "reasoning is a part of its own"
    await server.kill()
    for moment in ("sql:recover", "sql:_end"):
        server.spawn(FAILPOINT=f"app.store.{moment}")
        await dies(server)
    server.spawn(FAILPOINT="app.eventlog.sqlite:clear")
    await dies(server)
    assert check(server.database, crashed=True).run(seen.run_id)["status"] == "running"
    await server.start(FAILPOINT=None)
    rest = await client.follow(seen.run_id, seen.cursor)
    assert (rest.text, told(rest)) == ("", ("interrupted", True, "complete"))
    books = check(server.database)
    assert (books.text(seen.run_id, "reasoning"), books.text(seen.run_id)) == ("let me see", "one ")
    assert upstream.calls == 1


async def test_killed_in_its_very_first_start_the_next_one_makes_everything(serve: Serve) -> None:
    server = serve.make()
    for moment in ("schema:migrate", "sql:recover"):
        server.spawn(FAILPOINT=f"app.store.{moment}")
        await dies(server)
    await server.start(FAILPOINT=None)
    assert (await Client(server.port).ask("Hello?")).text == "Hello there"


async def test_a_crash_loop_sends_nothing_again(serve: Serve, upstream: Upstream) -> None:
    upstream.otherwise(*unfinished("one "))
    server = await serve()
    client = Client(server.port)
    seen = [await client.ask(f"Question {number}", until=1, key=f"key-{number}") for number in range(3)]
    for _ in range(2):
        await server.kill()
        await server.start()
    for number, one in enumerate(seen):
        again = await client.ask(f"Question {number}", key=f"key-{number}")
        assert (again.replayed, again.run_id, again.text) == (True, one.run_id, "one ")
        assert told(again) == ("interrupted", True, "complete")
    assert upstream.calls == 3


async def test_a_reader_that_retries_meets_a_closed_port_and_then_the_recovered_answer(
    serve: Serve, upstream: Upstream
) -> None:
    """A native EventSource gives up for good on any status but 200, so until recovery is done there must be none."""
    upstream.otherwise(*unfinished(*["가나다라" * 2500] * 10))
    server = await serve(MAX_OUTPUT_CHARS=200_000)
    client = Client(server.port)
    whole = [
        await client.ask(f"{number}", get=True, until=lambda answer: len(answer.text) == 100_000)
        for number in range(10)  # so much that recovery takes its time
    ]
    await server.kill()
    seen, refused = whole[-1], 0
    starting: asyncio.Task[Server] | None = None
    while True:
        try:
            rest = await client.ask("9", get=True, headers={"Last-Event-ID": seen.cursor})
            break
        except ConnectionRefusedError:
            refused += 1
            starting = starting or asyncio.create_task(server.start())
            await asyncio.sleep(0.001)
    states = [(await client.run(one.run_id)).json["status"] for one in whole]
    assert states == ["interrupted"] * 10
    assert starting is not None
    await starting
    assert refused > 10, "it was down for a while"
    assert (rest.status, rest.run_id, rest.text) == (200, seen.run_id, "")
    assert (told(rest), rest.cursor) == (("interrupted", True, "complete"), f"{seen.run_id}-end-2")
    gone = await client.ask("9", get=True, headers={"Last-Event-ID": rest.cursor})
    assert (gone.status, upstream.calls) == (204, 10)
    assert all(one["parts"].count("가") == 25_000 for one in check(server.database).messages)


async def test_the_run_is_in_the_database_before_the_upstream_sees_it_and_word_for_word_there_once_done_was_seen(
    serve: Serve, upstream: Upstream
) -> None:
    server = serve.make()
    words = ["안녕 ", "😀 ", "line\nline\u2028 ", "e\u0301 "]
    found: list[tuple[str, int]] = []

    def look(_: Seen) -> Sequence[Step]:
        with contextlib.closing(sqlite3.connect(f"{server.database.as_uri()}?mode=ro", uri=True)) as other:
            found.extend(other.execute("SELECT status, attempts FROM runs ORDER BY id DESC LIMIT 1"))
        return say(*words)

    upstream.otherwise(answer=look)
    await server.start()
    client = Client(server.port)
    answers: list[Answer] = []
    for number in range(5):
        answers.append(await client.ask(f"Question {number}", bare=number % 2 == 0))
        assert len(found) == number + 1, "no row when the request arrived"
        assert (found[-1][0] in ("queued", "running"), found[-1][1]) == (True, 1)
    await server.restart()  # after a kill
    books = check(server.database)
    for answer in answers:
        assert answer.done
        assert books.run(answer.run_id)["status"] == "completed"
        assert answer.text == books.text(answer.run_id) == "".join(words)
        assert (await client.follow(answer.run_id)).text == "".join(words)
