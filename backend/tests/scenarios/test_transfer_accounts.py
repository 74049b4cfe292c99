"""Whose conversations come in and go out, where there are accounts."""

import pytest

from tests.support.files import EXPORT, chain, document, exported, take
from tests.support.people import Person, administrator
from tests.support.problems import refused
from tests.support.server import Server

pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0)
LONG = document(chain("long", 60, "—" * 120_000))  # 20 MiB: more than sockets hold


async def two(server: Server) -> tuple[Person, Person]:
    ann = await administrator(server.port)
    return ann, await ann.invited("bob")


async def test_a_file_of_one_person_comes_in_for_another_under_other_ids_and_stays_apart(server: Server) -> None:
    ann, bob = await two(server)
    await take(ann, document(chain("a", 5)))
    file = (await ann.request("GET", EXPORT)).body
    assert await exported(bob) == []
    assert (await take(bob, file)).json == {"conversations": 1, "messages": 5, "skipped": []}
    assert (await take(bob, file)).json["messages"] == 0
    (anns,), (bobs,) = await exported(ann), await exported(bob)
    assert anns == chain("a", 5)
    assert [one["parts"] for one in bobs["messages"]] == [one["parts"] for one in anns["messages"]]
    assert {one["id"] for one in bobs["messages"]} & {one["id"] for one in anns["messages"]} == set()
    problem = refused(await bob.request("GET", f"/api/conversations/{anns['id']}/export"), 404)
    assert problem["code"] == "conversation_not_found"
    assert (await ann.request("DELETE", f"/api/conversations/{anns['id']}")).status == 204
    assert await exported(bob) == [bobs]


async def test_who_shows_nothing_is_refused_and_a_key_that_may_only_read_takes_nothing_in(server: Server) -> None:
    ann = await administrator(server.port)
    await take(ann, document(chain("a", 2)))
    nobody, reader = Person(server.port), await ann.program("read")
    refused(await take(nobody, document(chain("b", 2))), 401)
    refused(await nobody.request("GET", EXPORT), 401)
    refused(await take(reader, document(chain("b", 2))), 403)
    assert await exported(reader) == await exported(ann) == [chain("a", 2)]


async def test_who_signs_out_gets_no_more_of_a_file(server: Server) -> None:
    ann = await administrator(server.port)
    assert (await take(ann, LONG)).json["messages"] == 60
    stream = await ann.open_stream("GET", EXPORT, receive_buffer=64 * 1024)
    assert (await ann.request("POST", "/api/auth/sign-out")).status == 204
    reply = await stream.read()
    assert (reply.status, stream.over) == (200, "truncated")
    stream.close()
