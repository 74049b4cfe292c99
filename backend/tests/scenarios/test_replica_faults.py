"""Replicas that die, freeze, are cut off or replaced, and a database that goes away: one ending each, nothing lost."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.client import Answer, Client
from tests.support.cluster import LEASE_SECONDS, Cluster, Gate, cluster
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.postgres import Postgres
from tests.support.script import Gate as Held
from tests.support.script import Sleep, say
from tests.support.upstream import Upstream
from tests.support.waiting import until

WORDS = [f"{number}번째 👋 " for number in range(12)]
TEXT = "".join(WORDS)
TWO_LEASES = 2 * LEASE_SECONDS + 3  # and what two busy cores take


@pytest.fixture
async def three(serve: Serve) -> AsyncGenerator[Cluster]:
    async with cluster(serve) as replicas:
        yield replicas


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder)).start()
        yield server
        server.stop(signal.SIGQUIT)


async def begun(upstream: Upstream, client: Client, words: int = 3) -> Answer:
    """An answer of which so many words were said and seen; the others wait at the gate `word`."""
    upstream.script(*say(*WORDS, gate="word"))
    upstream.open("word", words)
    return await client.ask("Tell me.", until=lambda answer: answer.text == "".join(WORDS[:words]))


async def ended(replicas: Cluster) -> Books:
    """Wait until nothing is left in the journal, and check what always holds."""
    await until(lambda: not Books.read(replicas.url).journal, "the journal is empty")
    return check(replicas.url)


def how(answer: Answer) -> tuple[str | None, bool]:
    return (answer.error or {}).get("code"), answer.done


async def test_killed_its_readers_elsewhere_get_the_rest_and_one_ending(three: Cluster, upstream: Upstream) -> None:
    seen = await begun(upstream, Client(three[0].port))
    readers = [asyncio.create_task(Client(three[number].port).follow(seen.run_id)) for number in (1, 2)]
    upstream.open("word", 3)
    wanted = "".join(WORDS[:6])
    await Client(three[1].port).follow(seen.run_id, until=lambda answer: answer.text == wanted)
    await three[0].kill()
    async with asyncio.timeout(TWO_LEASES):
        answers = await asyncio.gather(*readers)
    assert {(answer.text, how(answer)) for answer in answers} == {(wanted, ("interrupted", True))}
    rest = await Client(three.balancer.port).follow(seen.run_id, seen.cursor)
    assert (seen.text + rest.text, how(rest)) == (wanted, ("interrupted", True))
    assert (await ended(three)).text(seen.run_id) == wanted
    assert upstream.calls == 1
    await three[0].start()  # what it finds is none of its own
    assert (await Client(three[0].port).follow(seen.run_id)).text == wanted


async def test_many_runs_of_a_dead_replica_are_ended_once_though_all_others_reap(
    three: Cluster, upstream: Upstream
) -> None:
    steps = say(*WORDS)
    upstream.otherwise(*steps[:4], Held("rest"), *steps[4:])
    asking = [asyncio.create_task(Client(three[0].port).ask(f"{number}?")) for number in range(30)]
    await upstream.at_gate("rest", 30)
    await until(lambda: len(Books.read(three.url).journal) >= 30, "many have said something")
    await three[0].kill()
    await asyncio.gather(*asking, return_exceptions=True)

    def over() -> bool:
        return all(run["status"] == "interrupted" for run in Books.read(three.url).runs)

    await until(over, "all are interrupted", timeout=TWO_LEASES)
    assert len((await ended(three)).runs) == 30
    reaped = [replica.log.count('"replica.reaped"') for replica in three.replicas[1:]]
    assert sum(reaped) >= 2, "twenty a commit"
    assert upstream.calls == 30


async def test_a_frozen_owner_that_comes_back_writes_nothing_more_and_hangs_up(
    three: Cluster, upstream: Upstream
) -> None:
    seen = await begun(upstream, Client(three[0].port))
    reader = asyncio.create_task(Client(three[1].port).follow(seen.run_id))
    at_home = asyncio.create_task(Client(three[0].port).follow(seen.run_id))
    await asyncio.sleep(0.2)
    three[0].freeze()
    upstream.open("word", 3)
    told = await asyncio.wait_for(reader, TWO_LEASES + 6)
    assert (told.text, how(told)) == (seen.text, ("interrupted", True))
    three[0].thaw()
    await upstream.requests[0].is_closed(2)
    home = await at_home
    assert (home.text, how(home)) == (seen.text, ("interrupted", True))
    assert (await ended(three)).text(seen.run_id) == seen.text
    await until_ready(three[0].port)
    fresh = await Client(three[0].port).ask("And now?")  # it has begun another life
    assert (fresh.text, fresh.error) == ("Hello there", None)
    assert upstream.calls == 2


async def test_an_owner_that_alone_cannot_reach_the_database_loses_its_runs(serve: Serve, upstream: Upstream) -> None:
    async with cluster(serve, size=2) as others, Gate(postgres.port_of(others.url)) as gate:
        way = postgres.through(others.url, gate.port)
        alone = await serve(DATABASE_URL=way, LEASE_SECONDS=str(LEASE_SECONDS))
        seen = await begun(upstream, Client(alone.port))
        reader = asyncio.create_task(Client(others[0].port).follow(seen.run_id))
        await asyncio.sleep(0.2)
        gate.shut()
        upstream.open("word", 2)
        told = await asyncio.wait_for(reader, TWO_LEASES)
        assert (told.text, how(told)) == (seen.text, ("interrupted", True))
        assert (await Client(alone.port).request("GET", "/ready")).status == 503
        gate.reopen()
        await upstream.requests[0].is_closed(3)
        assert (await ended(others)).text(seen.run_id) == seen.text
        await until_ready(alone.port)
        assert (await Client(alone.port).ask("And now?")).text == "Hello there"
        await alone.close()


async def test_a_database_that_restarts_mid_stream_loses_nothing_and_nobody_is_taken_for_dead(
    serve: Serve, upstream: Upstream, own_server: Postgres
) -> None:
    async with cluster(serve, server=own_server.url, SAVE_TIMEOUT_SECONDS="20") as three:
        seen = await begun(upstream, Client(three[0].port))
        reader = asyncio.create_task(Client(three[1].port).follow(seen.run_id))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own_server.stop, signal.SIGQUIT)  # as if it had crashed
        upstream.open("word", 4)
        await asyncio.sleep(2 * LEASE_SECONDS)
        refused = await Client(three[2].port).ask("Now?")
        assert refused.status == 503
        await asyncio.to_thread(own_server.start)
        upstream.open("word")
        told = await reader
        assert (told.text, how(told)) == (TEXT, (None, True))
        assert (await ended(three)).run(seen.run_id)["status"] == "completed"
        assert upstream.calls == 1


async def test_a_database_that_stops_before_the_end_is_committed_keeps_done_back_until_it_is(
    serve: Serve, upstream: Upstream, own_server: Postgres
) -> None:
    async with cluster(serve, server=own_server.url, SAVE_TIMEOUT_SECONDS="20") as three:
        seen = await begun(upstream, Client(three[0].port), words=11)
        reader = asyncio.create_task(Client(three[0].port).follow(seen.run_id))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own_server.stop)
        upstream.open("word")
        await asyncio.sleep(1)
        assert not reader.done(), "done is not said before it is true"
        await asyncio.to_thread(own_server.start)
        told = await reader
        assert (told.text, how(told)) == (TEXT, (None, True))
        books = await ended(three)
        assert (books.run(seen.run_id)["status"], books.text(seen.run_id)) == ("completed", TEXT)


async def test_a_rolling_restart_under_load_loses_no_character(serve: Serve, upstream: Upstream) -> None:
    async with cluster(serve, DRAIN_SECONDS="15") as three:
        words = [f"{number} " for number in range(40)]
        paced = [step for word in words for step in (Sleep(0.1), *say(word)[1:-1])]
        upstream.otherwise(say(*words)[0], *paced, say(*words)[-1])
        asking = [asyncio.create_task(persistent(three.balancer.port, number)) for number in range(30)]
        await upstream.request(20)
        for replica in three.replicas:
            assert await replica.terminate(30) in (0, -signal.SIGTERM)
            await replica.start()
        assert {answer.text for answer in await asyncio.gather(*asking)} == {"".join(words)}
        assert upstream.calls == 30
        books = await ended(three)
        assert {run["status"] for run in books.runs} == {"completed"}


async def test_an_answer_that_is_read_elsewhere_is_not_abandoned(serve: Serve, upstream: Upstream) -> None:
    async with cluster(serve, size=2, ABANDON_SECONDS="4") as two:
        seen = await begun(upstream, Client(two[0].port))
        reader = asyncio.create_task(Client(two[1].port).follow(seen.run_id))
        await asyncio.sleep(6)  # longer than nobody's answer lives
        upstream.open("word")
        told = await reader
        assert (told.text, how(told)) == (TEXT, (None, True))
        await ended(two)


async def persistent(port: int, number: int) -> Answer:
    """What a client gets that comes back by key or cursor for as long as it is cut off or refused."""
    client, whole = Client(port), None
    while whole is None or not whole.done:
        try:
            if whole is None or not whole.cursor:
                part = await client.ask("Roll.", key=f"roll-{number}")
            else:
                part = await client.follow(whole.run_id, whole.cursor)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        if part.status != 200:
            await asyncio.sleep(0.2)
            continue
        if whole is not None:
            part.text = whole.text + part.text
            part.cursor = part.cursor or whole.cursor
        whole = part
        assert whole.error is None, whole.error
    return whole


async def until_ready(port: int) -> None:
    async def ready() -> bool:
        return (await Client(port).request("GET", "/ready")).status == 200

    await until(ready, "it is ready again")
