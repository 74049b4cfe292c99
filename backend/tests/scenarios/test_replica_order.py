"""What becomes visible out of order: readers elsewhere wait at the hole, and nothing is skipped or told twice."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import LiteralString, cast

import msgspec
import psycopg
import pytest

from app.models import Piece
from tests.support import postgres
from tests.support.client import Answer, Client, client_of
from tests.support.cluster import Cluster, cluster
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import Gate, say
from tests.support.upstream import Upstream
from tests.support.waiting import until

WORDS = [f"{number}번째 👋 " for number in range(8)]
OTHERS = ["하나 ", "둘 ", "셋 "]
ENDED = "SELECT id FROM runs WHERE id = %s AND status = 'completed'"
HOLD = 4711  # the advisory lock that a commit is held by
WAITING = (
    "SELECT count(*) AS n FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = %s"
)


@pytest.fixture
async def three(serve: Serve) -> AsyncGenerator[Cluster]:
    # No commit is held for longer than this: what is tried is the order, not the lease.
    async with cluster(serve, LEASE_SECONDS="20", TITLES="0") as replicas:
        yield replicas


@asynccontextmanager
async def held(url: str, table: str, when: str) -> AsyncGenerator[psycopg.AsyncConnection]:
    """In here a commit that writes such a row waits before its end; the connection is one that may write beside it."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as beside:
        wait = f"BEGIN PERFORM pg_advisory_xact_lock({HOLD}); RETURN NULL; END"
        await told(beside, f"CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ {wait} $$")
        trigger = f"CREATE TRIGGER hold AFTER INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({when})"
        await told(beside, f"{trigger} EXECUTE FUNCTION hold()")
        await told(beside, f"SELECT pg_advisory_lock({HOLD})")
        yield beside
        await told(beside, f"SELECT pg_advisory_unlock({HOLD})")


async def told(connection: psycopg.AsyncConnection, statement: str) -> None:
    await connection.execute(cast(LiteralString, statement))


async def waiting(url: str, sessions: int, lock: str = "advisory") -> None:
    await until(lambda: postgres.rows(url, WAITING, lock)[0]["n"] >= sessions, f"{sessions} sessions wait")


class Reading:
    """A reader, and what it has seen so far."""

    def __init__(self, port: int, run_id: str, after: str | None = None) -> None:
        self.text = ""
        self.cursor = after or ""
        self.task = asyncio.create_task(Client(port).follow(run_id, after, until=self._look))

    async def sees(self, text: str) -> None:
        """Wait until it has seen this."""
        await until(lambda: self.text == text, f"a reader has {text!r}")

    def _look(self, answer: Answer) -> bool:
        self.text, self.cursor = answer.text, answer.cursor or self.cursor
        return False


async def test_what_is_committed_before_what_comes_before_it_waits_at_every_reader(
    three: Cluster, upstream: Upstream
) -> None:
    said = "".join(WORDS[:3])
    upstream.script(*say(*WORDS, gate="word"))
    upstream.script(*say(*OTHERS, gate="other"))
    upstream.open("word", 3)
    seen = await Client(three[0].port).ask("Tell me.", until=lambda answer: answer.text == said)
    reader = Reading(three[1].port, seen.run_id)
    await reader.sees(said)
    upstream.open("other", 1)
    second = await Client(three[2].port).ask("And you?", until=1)
    beside_it = Reading(three[1].port, second.run_id)
    await beside_it.sees(OTHERS[0])

    (newest,) = postgres.rows(three.url, "SELECT max(seq) AS seq FROM run_journal WHERE run_id = %s", seen.run_id)
    place = newest["seq"] + 1
    async with held(three.url, "run_journal", f"NEW.run_id = '{seen.run_id}' AND NEW.seq = {place}") as beside:
        upstream.open("word", 1)
        await waiting(three.url, 1)
        later = msgspec.msgpack.encode([Piece(0, "text", len("".join(WORDS[:4])), WORDS[4])])
        row = (seen.run_id, place + 1, later)
        await beside.execute("INSERT INTO run_journal (run_id, seq, pieces) VALUES (%s, %s, %s)", row)
        await beside.execute("NOTIFY ai_chat, 'another'")
        upstream.open("other", 1)
        await beside_it.sees("".join(OTHERS[:2]))  # what it looked at then was the journal of both runs
        fresh, again = Reading(three[2].port, seen.run_id), Reading(three[2].port, seen.run_id, reader.cursor)
        await fresh.sees(said)
        assert (reader.text, fresh.text, again.text, fresh.cursor) == (said, said, "", reader.cursor)
    for one, text in ((reader, WORDS[:5]), (fresh, WORDS[:5]), (again, WORDS[3:5])):
        await one.sees("".join(text))
    for gate in ("word", "other"):
        upstream.open(gate)
    answers = [await one.task for one in (reader, fresh, again, beside_it)]
    texts = ["".join(words) for words in (WORDS, WORDS, WORDS[3:], OTHERS)]
    assert [(answer.text, answer.done, answer.error) for answer in answers] == [(text, True, None) for text in texts]
    await until(lambda: not Books.read(three.url).journal, "the journal is empty")
    assert check(three.url).text(seen.run_id) == "".join(WORDS)
    assert upstream.calls == 2


async def test_a_reader_who_comes_from_elsewhere_the_moment_the_answer_ends_is_told_of_its_end(
    three: Cluster, upstream: Upstream
) -> None:
    *said, end = say(*WORDS)
    upstream.script(*said, Gate("end"), end)
    whole = "".join(WORDS)
    seen = await Client(three[0].port).ask("Tell me.", until=lambda answer: answer.text == whole)
    async with await psycopg.AsyncConnection.connect(three.url) as beside:
        await told(beside, "LOCK TABLE run_journal IN ACCESS EXCLUSIVE MODE")
        reader = asyncio.create_task(Client(three[1].port).follow(seen.run_id, seen.cursor))
        await waiting(three.url, 1, "relation")  # it has found that the run is being written, and asks for its text
        upstream.open("end")
        await until(lambda: postgres.rows(three.url, ENDED, seen.run_id), "the run is over")
        await told(beside, "DELETE FROM run_journal")
    answer = await reader
    assert (answer.status, answer.text, answer.done, answer.error) == (200, "", True, None)
    assert (await Client(three[1].port).follow(seen.run_id)).text == whole
    check(three.url)


async def test_a_change_of_the_list_is_never_told_before_the_one_with_the_number_before(three: Cluster) -> None:
    async def made(number: int, title: str) -> str:
        reply = await Client(three[number].port).request("POST", "/api/conversations", json={"title": title})
        return f"/api/conversations/{reply.json['id']}"

    def rename(number: int, path: str, title: str) -> asyncio.Task[int]:
        async def work() -> int:
            return (await Client(three[number].port).request("PATCH", path, json={"title": title})).status

        return asyncio.create_task(work())

    paths = [await made(0, "first"), await made(1, "second")]
    async with client_of(three[2].port) as listener:
        stream = await (await listener.open_stream("GET", "/api/events")).read_until(events=1)
        async with held(three.url, "conversations", "NEW.title = 'held'"):
            slow = rename(0, paths[0], "held")
            await waiting(three.url, 1)
            quick = rename(1, paths[1], "quick")
            await waiting(three.url, 2)  # for its owner's turn: the number after one that nobody sees is not given
            other = await Client(three[2].port).request("GET", "/api/conversations")
            assert {item["title"] for item in other.json["items"]} == {"first", "second"}
            assert (len(stream.events), slow.done(), quick.done()) == (1, False, False)
        assert [await slow, await quick] == [200, 200]
        await stream.read_until(events=3)
        _, *told_of = stream.events
        assert [f"/api/conversations/{event.json['conversation_id']}" for event in told_of] == paths
        assert [int(event.last_event_id) for event in told_of] == [3, 4]
