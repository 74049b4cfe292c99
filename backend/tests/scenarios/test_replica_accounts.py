"""Accounts at several replicas: limits are shared, and what is taken back is taken back everywhere; by polling, too."""

import asyncio

from tests.support import postgres
from tests.support.client import Client
from tests.support.cluster import cluster
from tests.support.fixtures import Serve
from tests.support.people import Person, administrator
from tests.support.script import say
from tests.support.upstream import Upstream

WORDS = [f"{number}번째 " for number in range(6)]


def at(person: Person, port: int) -> Person:
    """The same person at another replica."""
    return Person(port, person.shown)


async def test_limits_are_shared_and_what_is_taken_back_ends_streams_everywhere(
    serve: Serve, upstream: Upstream
) -> None:
    async with cluster(serve, size=2, ACCOUNTS="1", REQUESTS_PER_MINUTE="10", MAX_RUNS_PER_USER="0") as two:
        ann = await administrator(two[0].port)
        bob = await ann.invited("bob")
        there = at(bob, two[1].port)
        asked = [who.ask(f"{number}?") for number in range(6) for who in (bob, there)]
        statuses = sorted(answer.status for answer in await asyncio.gather(*asked))
        assert statuses == [200] * 10 + [429] * 2

        program = await ann.program("chat", "read")
        upstream.script(*say(*WORDS, gate="word"))
        upstream.open("word", 2)
        reader = at(program, two[1].port)
        stream = await reader.open_chat("Stream.")
        await stream.read_until(when=lambda stream: WORDS[1].strip().encode() in stream.body)
        revoked = await ann.request("DELETE", f"/api/keys/{program.id}")
        assert revoked.status == 204
        await stream.read()
        assert stream.over != "complete", "it was cut off"
        assert (await reader.request("GET", "/api/conversations")).status == 401

        upstream.script(*say(*WORDS, gate="never"))
        carl, before = await ann.invited("carl"), upstream.calls
        away = at(carl, two[1].port)
        writing = await away.open_chat("Write.")
        call = await upstream.request(before + 1)
        suspended = await ann.request("PATCH", f"/api/admin/users/{carl.id}", json={"suspended": True})
        assert suspended.status == 200
        await call.is_closed(4)
        await writing.read()
        for person in (reader, away):
            person.close()


async def test_where_notices_are_not_heard_it_asks_again_and_again_and_says_so(
    serve: Serve, upstream: Upstream
) -> None:
    async with cluster(serve, size=2, DEAF="1") as two:
        for replica in two.replicas:
            assert "not heard" in (await Client(replica.port).request("GET", "/ready")).json["note"]
            assert "replicas.polling" in replica.log
        upstream.script(*say(*WORDS, gate="word"))
        upstream.open("word", 2)
        seen = await Client(two[0].port).ask("Tell me.", until=lambda answer: answer.text == "".join(WORDS[:2]))
        reader = asyncio.create_task(Client(two[1].port).follow(seen.run_id, seen.cursor))
        upstream.open("word", 2)
        await Client(two[1].port).follow(seen.run_id, until=lambda answer: answer.text == "".join(WORDS[:4]))
        await Client(two[1].port).cancel(seen.run_id)
        await upstream.requests[0].is_closed(2)
        rest = await reader
        assert (seen.text + rest.text, (rest.error or {}).get("code")) == ("".join(WORDS[:4]), "cancelled")
        kept = postgres.rows(two.url, "SELECT status FROM runs")
        assert kept == [{"status": "cancelled"}]
