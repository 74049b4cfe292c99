"""Several replicas, one truth: an answer is written by one, read, stopped and found again through any other."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.support import postgres
from tests.support.answers import SAID, text_of, think
from tests.support.client import Answer, Client, client_of
from tests.support.cluster import LEASE_SECONDS, Cluster, cluster
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import say
from tests.support.upstream import Upstream
from tests.support.waiting import until

WORDS = [f"{number}번째 👋 " for number in range(12)]
TEXT = "".join(WORDS)


@pytest.fixture(scope="module")
async def replicas(module_serve: Serve) -> AsyncGenerator[Cluster]:
    async with cluster(module_serve) as replicas:
        yield replicas
    assert replicas.leases == 0, "a lease is left over"


@pytest.fixture
async def upstream(shared_upstream: Upstream) -> Upstream:
    return shared_upstream


@pytest.fixture
async def three(replicas: Cluster, shared_upstream: Upstream) -> Cluster:
    assert all(replica.running for replica in replicas.replicas)
    return replicas


async def begun(upstream: Upstream, client: Client, words: int = 3, message: str = "Tell me.") -> Answer:
    """An answer of which so many words were said and seen; the others wait at the gate `word`."""
    upstream.script(*say(*WORDS, gate="word"))
    upstream.open("word", words)
    return await client.ask(message, until=lambda answer: answer.text == "".join(WORDS[:words]))


async def test_started_on_one_resumed_on_others_it_is_one_text_and_one_call(three: Cluster, upstream: Upstream) -> None:
    seen = await begun(upstream, Client(three[0].port))
    for number, words in ((1, 6), (2, 9)):
        upstream.open("word", 3)
        wanted = "".join(WORDS[:words])
        more = await Client(three[number].port).follow(
            seen.run_id, seen.cursor, until=lambda answer, wanted=wanted, text=seen.text: text + answer.text == wanted
        )
        seen.text, seen.cursor = seen.text + more.text, more.cursor
    upstream.open("word")
    rest = await Client(three.balancer.port).follow(seen.run_id, seen.cursor)
    assert (seen.text + rest.text, rest.done, rest.error) == (TEXT, True, None)
    for replica in three.replicas:
        again = await Client(replica.port).follow(seen.run_id)
        assert (again.text, again.done) == (TEXT, True)
        assert (await Client(replica.port).run(seen.run_id)).json["status"] == "completed"
    assert upstream.calls == 1
    await ended(three)


async def test_parts_that_alternate_are_the_same_live_at_another_replica(three: Cluster, upstream: Upstream) -> None:
    upstream.script(*think(gate="delta"))
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(Client(three[0].port).ask("Think."))
        await upstream.at_gate("delta")
        run_id = await until(lambda: running(three), "the run is kept")
        readers = [group.create_task(Client(three[number].port).follow(run_id)) for number in (1, 2, 1)]
        for _ in range(20):
            upstream.open("delta", 1)
            await asyncio.sleep(0.01)
        upstream.open("delta")
    assert {task.result().text for task in (asking, *readers)} == {text_of()}
    books = await ended(three)
    assert (books.text(run_id), books.text(run_id, "reasoning")) == (text_of(), thought_of())


async def test_a_stop_at_another_replica_closes_the_upstream_and_nothing_follows(
    three: Cluster, upstream: Upstream
) -> None:
    seen = await begun(upstream, Client(three[0].port))
    reply = await Client(three[2].port).cancel(seen.run_id)
    assert reply.status == 202
    await upstream.requests[0].is_closed(2)
    body = await Client(three[1].port).ended(seen.run_id)
    assert body["status"] == "cancelled"
    rest = await Client(three[1].port).follow(seen.run_id, seen.cursor)
    assert (rest.text, (rest.error or {}).get("code"), rest.done) == ("", "cancelled", True)
    assert (await ended(three)).text(seen.run_id) == seen.text


async def test_the_same_key_at_two_replicas_at_once_is_one_run(three: Cluster, upstream: Upstream) -> None:
    upstream.otherwise(*say(*WORDS, gate="word"))
    asking = [
        asyncio.create_task(Client(replica.port).ask("Once.", key="one-click"))
        for replica in (*three.replicas, *three.replicas)
    ]
    await upstream.at_gate("word")
    upstream.open("word")
    answers = await asyncio.gather(*asking)
    assert len({answer.run_id for answer in answers}) == 1
    assert {answer.text for answer in answers} == {TEXT}
    assert sorted(answer.replayed for answer in answers) == [False, True, True, True, True, True]
    assert upstream.calls == 1
    await ended(three)


async def test_a_run_ten_leases_long_is_left_alone(three: Cluster, upstream: Upstream) -> None:
    seen = await begun(upstream, Client(three[0].port))
    for _ in range(5):
        await asyncio.sleep(2 * LEASE_SECONDS / 2)
        assert (await Client(three[1].port).run(seen.run_id)).json["status"] == "running"
    upstream.open("word")
    rest = await Client(three[1].port).follow(seen.run_id, seen.cursor)
    assert (seen.text + rest.text, rest.error) == (TEXT, None)
    await ended(three)


async def test_many_readers_of_one_run_share_one_log_and_one_listener(three: Cluster, upstream: Upstream) -> None:
    seen = await begun(upstream, Client(three[0].port))
    readers = [asyncio.create_task(Client(three[1].port).follow(seen.run_id)) for _ in range(100)]
    await asyncio.sleep(0.5)
    sessions = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert postgres.rows(three.url, sessions)[0]["n"] <= 3 * 6 + 1, "a writer, a listener and four readers each, and we"
    upstream.open("word")
    assert {answer.text for answer in await asyncio.gather(*readers)} == {TEXT}
    await ended(three)


async def test_the_live_list_hears_what_happens_at_other_replicas(three: Cluster, upstream: Upstream) -> None:
    async with client_of(three[1].port) as listener:
        stream = await listener.open_stream("GET", "/api/events")
        await stream.read_until(events=1)
        made = await Client(three[0].port).request("POST", "/api/conversations", json={"title": "여기"})
        assert made.status == 201
        await stream.read_until(when=lambda stream: b"conversation.created" in stream.body)
    await ended(three)


def thought_of() -> str:
    return "".join(text for kind, text in SAID if kind == "reasoning")


def running(three: Cluster) -> str:
    """The run that is being written."""
    rows = postgres.rows(three.url, "SELECT id FROM runs WHERE status = 'running'")
    return rows[0]["id"] if rows else ""


async def ended(replicas: Cluster) -> Books:
    """Wait until nothing is left in the journal, and check what always holds."""
    await until(lambda: not Books.read(replicas.url).journal, "the journal is empty")
    return check(replicas.url)
