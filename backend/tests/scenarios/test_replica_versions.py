"""Two versions side by side, as while one replica after the other is replaced: both serve, and nothing is lost."""

import asyncio
from collections.abc import AsyncGenerator
from typing import NamedTuple

import psycopg
import pytest

from app.store import schema
from tests.support import postgres
from tests.support.client import Answer, Client
from tests.support.cluster import Cluster, cluster
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import say
from tests.support.upstream import Upstream
from tests.support.versions import REVISION, Newer
from tests.support.waiting import until

WORDS = [f"{number}번째 👋 " for number in range(12)]
TEXT = "".join(WORDS)
SCHEMA = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
    "WHERE table_schema = 'public' ORDER BY table_name, column_name"
)
VERSION = "SELECT version_num FROM alembic_version"


class Mixed(NamedTuple):
    """Two replicas of this version, and one of a newer one that is not started yet."""

    old: Cluster
    new: Newer


@pytest.fixture
async def mixed(serve: Serve) -> AsyncGenerator[Mixed]:
    async with cluster(serve, size=2) as old:
        new = Newer(serve.make(DATABASE_URL=old.url, LEASE_SECONDS="1.5"))
        yield Mixed(old, new)
        await new.close()


async def begun(upstream: Upstream, client: Client, words: int = 3) -> Answer:
    """An answer of which so many words were said and seen; the others wait at the gate `word`."""
    upstream.script(*say(*WORDS, gate="word"))
    upstream.open("word", words)
    return await client.ask("Tell me.", until=lambda answer: answer.text == "".join(WORDS[:words]))


async def test_a_newer_version_joins_in_mid_answer_and_each_reads_and_stops_what_the_other_writes(
    mixed: Mixed, upstream: Upstream
) -> None:
    old, new = mixed
    earlier = await begun(upstream, Client(old[0].port))
    readers = [asyncio.create_task(Client(old[1].port).follow(earlier.run_id))]
    await new.start()
    assert postgres.rows(old.url, VERSION) == [{"version_num": REVISION}]
    readers += [asyncio.create_task(Client(port).follow(earlier.run_id)) for port in (new.port, old[0].port)]
    upstream.open("word", 3)
    wanted = "".join(WORDS[:6])
    await Client(new.port).follow(earlier.run_id, until=lambda answer: answer.text == wanted)

    upstream.script(*say(*WORDS, gate="newer"))
    upstream.open("newer", 2)
    later = await Client(new.port).ask("And you?", until=lambda answer: answer.text == "".join(WORDS[:2]))
    seen = await Client(old[1].port).follow(later.run_id, until=lambda answer: answer.text == later.text)
    assert (await Client(old[0].port).cancel(later.run_id)).status == 202
    await upstream.requests[1].is_closed(3)
    rest = await Client(old[1].port).follow(later.run_id, seen.cursor)
    assert (rest.text, (rest.error or {}).get("code"), rest.done) == ("", "cancelled", True)

    upstream.open("word")
    answers = await asyncio.gather(*readers)
    assert [(answer.text, answer.done, answer.error) for answer in answers] == [(TEXT, True, None)] * 3
    upstream.script(*say(*WORDS))
    once = await asyncio.gather(*(Client(port).ask("Once.", key="one") for port in (old[0].port, new.port)))
    assert [(answer.text, answer.run_id) for answer in once] == [(TEXT, once[0].run_id)] * 2
    await until(lambda: not Books.read(old.url).journal, "the journal is empty")
    assert check(old.url).text(earlier.run_id) == TEXT
    assert upstream.calls == 3


async def test_an_older_version_that_starts_later_is_refused_with_a_sentence_and_those_that_run_go_on(
    mixed: Mixed, upstream: Upstream
) -> None:
    old, new = mixed
    seen = await begun(upstream, Client(old[1].port))
    await new.start()
    before = postgres.rows(old.url, SCHEMA)
    await old[0].terminate()
    old[0].spawn()
    assert await old[0].wait() != 0
    assert f"The database was written by a newer version of this service (schema {REVISION})." in old[0].log
    assert "Start that version again" in old[0].log
    assert postgres.rows(old.url, SCHEMA) == before
    upstream.open("word")
    rest = await Client(new.port).follow(seen.run_id, seen.cursor)
    assert (seen.text + rest.text, rest.done, rest.error) == (TEXT, True, None)
    assert (await Client(old[1].port).ask("Still there?")).text == "Hello there"
    check(old.url)


async def test_a_migration_that_a_backup_stands_in_the_way_of_gives_up_before_anybody_misses_anything(
    mixed: Mixed, upstream: Upstream
) -> None:
    old, new = mixed
    seen = await begun(upstream, Client(old[0].port))
    async with await psycopg.AsyncConnection.connect(old.url) as backup:
        await backup.execute(
            "SELECT count(*) FROM runs"
        )  # held until its transaction ends, as pg_dump holds all tables
        new.spawn()
        upstream.open("word")
        assert await new.wait() != 0
        assert "while another program reads them for long, such as pg_dump" in new.log
        rest = await Client(old[1].port).follow(seen.run_id, seen.cursor)
        assert (seen.text + rest.text, rest.done, rest.error) == (TEXT, True, None)
    await new.start()
    assert (await Client(new.port).follow(seen.run_id)).text == TEXT
    check(old.url)


async def test_replicas_are_replaced_by_a_newer_version_under_load_without_a_lost_character(
    mixed: Mixed, upstream: Upstream
) -> None:
    old, new = mixed
    upstream.otherwise(*say(*WORDS, pause=0.05))
    asking = [asyncio.create_task(Client(old[number % 2].port).ask(f"{number}?")) for number in range(20)]
    await upstream.request(20)
    await new.start()
    asking += [asyncio.create_task(Client(new.port).ask(f"{number}?")) for number in range(20, 30)]
    answers = await asyncio.gather(*asking)
    assert {(answer.text, answer.done) for answer in answers} == {(TEXT, True)}
    for replica in old.replicas:
        await replica.terminate()
    again = [await Client(new.port).follow(answer.run_id) for answer in answers]
    assert {(answer.text, answer.done) for answer in again} == {(TEXT, True)}
    assert postgres.rows(old.url, VERSION) != [{"version_num": schema.revisions()[0]}]
    assert upstream.calls == 30
    check(old.url)
