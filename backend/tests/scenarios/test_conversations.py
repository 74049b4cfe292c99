"""Conversations are made, listed, changed and deleted; what is not theirs or not there is the same 404."""

import asyncio
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.invariants import Books, check
from tests.support.script import Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import CONVERSATIONS, Talk
from tests.support.upstream import Upstream

SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(**SHARED_SETTINGS)
NOWHERE = "0" * 26


async def listed(client: Client, **query: Any) -> list[dict[str, Any]]:
    """All pages of the list."""
    found: list[dict[str, Any]] = []
    before: str | None = None
    while True:
        asked = {name: str(value) for name, value in query.items()} | ({"before": before} if before else {})
        reply = await client.request("GET", CONVERSATIONS, query=asked)
        assert reply.status == 200, reply.text
        found += reply.json["items"]
        before = reply.json["next"]
        if before is None:
            return found


async def test_a_new_conversation_has_what_was_given_and_nothing_else(shared_client: Client) -> None:
    plain = await (await Talk.begin(shared_client)).body()
    assert {name: value for name, value in plain.items() if name not in ("id", "created_at", "updated_at")} == {
        "title": "",
        "model": None,
        "system": None,
        "temperature": None,
        "max_tokens": None,
        "temporary": False,
        "pinned": False,
        "archived": False,
        "head_id": None,
        "live": False,
    }
    given = {
        "title": "  서울\n 여행 ",
        "model": "openai/gpt-3.5-turbo",
        "system": "\x00Be kind.",
        "temperature": 1,
        "max_tokens": 5,
    }
    full = await (await Talk.begin(shared_client, **given)).body()
    assert {name: full[name] for name in given} == {**given, "title": "서울 여행", "system": "\ufffdBe kind."}
    assert (await Talk(shared_client, full["id"]).page()) == {"items": [], "next": None}


async def test_the_list_is_newest_first_in_pages_without_hole_or_double(client: Client, upstream: Upstream) -> None:
    talks = [await Talk.begin(client, title=f"Talk {number}") for number in range(7)]
    archived = await Talk.begin(client, title="Put away")
    await archived.change(archived=True)
    await talks[2].ask("Up again?")
    ids = [talk.id for talk in talks]
    order = [ids[2], *reversed([one for one in ids if one != ids[2]])]
    for limit in (1, 2, 3, 7, 100):
        assert [item["id"] for item in await listed(client, limit=limit)] == order
    assert [item["id"] for item in await listed(client, archived="true")] == [archived.id]
    await talks[0].change(pinned=True)
    assert [item["id"] for item in await listed(client, pinned="true")] == [ids[0]]
    assert ids[0] not in [item["id"] for item in await listed(client, pinned="false")]
    assert [item["id"] for item in await listed(client)] == order, "changing is no message"


async def test_the_list_says_where_an_answer_is_being_written(shared_client: Client, shared_upstream: Upstream) -> None:
    talk, quiet = await Talk.begin(shared_client), await Talk.begin(shared_client)
    shared_upstream.script(*say("one ", "two", gate="word"))
    shared_upstream.open("word", 1)
    running = await talk.ask("Well?", until=1)
    live = {item["id"]: item["live"] for item in await listed(shared_client)}
    assert (live[talk.id], live[quiet.id]) == (True, False)
    shared_upstream.open("word", 1)
    await shared_client.ended(running.run_id)
    assert not any(item["live"] for item in await listed(shared_client))


async def test_a_change_changes_what_it_names_and_null_means_the_default(shared_client: Client) -> None:
    talk = await Talk.begin(shared_client, title="Before", system="Be kind.", temperature=0.5)
    before = await talk.body()
    changed = await talk.change(title="After", archived=True, temperature=None)
    assert changed.json == {**before, "title": "After", "archived": True, "temperature": None}
    assert await talk.body() == changed.json
    assert (await talk.change()).json == changed.json


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": " \n "},
        {"title": "x" * 201},
        {"title": None},
        {"title": 7},
        {"pinned": "yes"},
        {"pinned": None},
        {"archived": 1},
        {"model": ""},
        {"temperature": -1},
        {"temperature": True},
        {"max_tokens": 1.5},
        {"system": "x" * 100_001},
        {"unknown": 1},
        {"live": True},
        {"owner_id": "bob"},
    ],
)
async def test_a_change_that_cannot_be_is_refused_whole(shared_client: Client, fields: dict[str, Any]) -> None:
    talk = await Talk.begin(shared_client, title="Before")
    before = await talk.body()
    reply = await talk.change(**{"pinned": True, **fields})
    assert (reply.status, reply.headers["Content-Type"]) == (422, "application/problem+json")
    assert await talk.body() == before


async def test_a_head_or_a_model_that_is_not_there_is_refused_whole(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk, other = await Talk.begin(shared_client), await Talk.begin(shared_client)
    await other.ask("Theirs?")
    before = await talk.body()
    for fields in (
        {"head_id": NOWHERE},
        {"head_id": (await other.branch())[0]["id"]},
        {"model": "openai/none"},
    ):
        reply = await talk.change(pinned=True, **fields)
        assert reply.status == 404
    assert await talk.body() == before


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": str(2**63)},
        {"limit": "x"},
        {"before": "x"},
        {"before": f"{2**70}-{NOWHERE}"},
        {"before": "1-" + "0" * 27},
        {"archived": "perhaps"},
    ],
)
async def test_a_page_that_cannot_be_is_refused(shared_client: Client, query: dict[str, str]) -> None:
    reply = await shared_client.request("GET", CONVERSATIONS, query=query)
    assert (reply.status, reply.json["code"]) == (422, "invalid")


async def test_what_is_not_there_is_the_same_404_for_everything(shared_client: Client) -> None:
    gone = await Talk.begin(shared_client)
    assert (await gone.delete()).status == 204
    told = set[tuple[int, str, str]]()
    for conversation_id in (gone.id, NOWHERE, "x", gone.id.upper()):
        path = f"{CONVERSATIONS}/{conversation_id}"
        for method, rest, body in (
            ("GET", "", None),
            ("PATCH", "", {"title": "x"}),
            ("DELETE", "", None),
            ("GET", "/messages", None),
        ):
            reply = await shared_client.request(method, path + rest, json=body)
            told.add((reply.status, reply.json["code"], reply.json["detail"]))
    assert told == {(404, "conversation_not_found", "There is no such conversation, or it was deleted.")}


async def test_a_branch_is_read_in_pages_from_its_end(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    for number in range(6):
        await talk.ask(f"{number}?")
    whole = await talk.branch()
    for limit in (1, 2, 5, 12, 100):
        assert await talk.branch(limit=limit) == whole
    newest = await talk.page(limit=4)
    assert (newest["items"], newest["next"]) == (whole[-4:], whole[-4]["id"])
    assert (await talk.page(limit=2, before=whole[2]["id"]))["items"] == whole[:2]
    assert (await talk.page(before=whole[0]["id"])) == {"items": [], "next": None}
    assert (await talk.page(leaf=whole[3]["id"]))["items"] == whole[:4]
    for query in ({"leaf": NOWHERE}, {"before": NOWHERE}, {"leaf": "x" * 65}):
        reply = await shared_client.request("GET", f"{talk.path}/messages", query=query)
        assert reply.status in (404, 422)


# ── Deleting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_deleting_takes_everything_and_stops_what_runs(
    server: Server, client: Client, upstream: Upstream
) -> None:
    talk = await Talk.begin(client, title="canary title", system="canary system")
    await talk.ask("canary question")
    upstream.script(Status(), Send(chunk("canary answer")), Hang())
    running = await talk.ask("canary again", until=1, key="canary-key")
    assert (await talk.delete()).status == 204
    await upstream.requests[-1].is_closed()
    for reply in (await client.run(running.run_id), await client.request("GET", talk.path)):
        assert reply.status == 404
    again = await talk.open("canary again", key="canary-key")
    assert again.status == 404
    await server.close()
    books = check(server.database)
    assert (books.runs, books.messages, books.conversations, books.keys) == ([], [], [], [])
    assert not books.holds("canary")
    assert books.search == 0


async def test_the_readers_of_a_deleted_answer_are_told(server: Server, client: Client, upstream: Upstream) -> None:
    talk = await Talk.begin(client)
    upstream.script(Status(), Send(chunk("half ")), Hang())
    stream = await talk.open("Well?")
    await stream.read_until(when=lambda stream: b"half " in stream.body)
    await talk.delete()
    await stream.read()
    assert [event.json.get("error", {}).get("code") for event in stream.events][-2:] == ["cancelled", None]
    assert stream.events[-1].json == {"done": True}


async def test_a_crash_while_it_deletes_brings_nothing_back(server: Server, client: Client, upstream: Upstream) -> None:
    talk = await Talk.begin(client)
    upstream.script(Status(), Send(chunk("canary")), Hang())
    await talk.ask("Well?", until=1)
    await server.kill()
    await server.start(FAILPOINT="app.services.run_engine:RunEngine.stopped")
    upstream.script(Status(), Send(chunk("canary")), Hang())
    await talk.ask("Well?", until=1)
    deleting = asyncio.create_task(talk.delete())
    await server.wait()
    await asyncio.gather(deleting, return_exceptions=True)
    await server.start(FAILPOINT=None)
    assert (await client.request("GET", talk.path)).status == 404
    await server.close()
    books = check(server.database)
    assert (books.runs, books.messages) == ([], [])


async def test_a_long_conversation_is_deleted_in_small_commits_and_its_text_is_gone(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*say("canary " * 5000))
    talk = await Talk.begin(client)
    for number in range(12):
        await talk.ask(f"{number}?")
    assert (await talk.delete()).status == 204
    await server.close()
    books = check(server.database)
    assert (books.messages, books.search) == ([], 0)
    assert not Books.read(server.database).holds("canary")


async def test_bodies_are_json_and_bounded_here_too(shared_client: Client) -> None:
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    replies = [
        await shared_client.request("POST", CONVERSATIONS, body=b"title=x", headers=form),
        await shared_client.request("POST", CONVERSATIONS, body=b"{", headers=[("Content-Type", "application/json")]),
        await shared_client.request("POST", CONVERSATIONS, json={"title": "x" * 5_000_000}),
        await shared_client.request("POST", CONVERSATIONS, json=[]),
        await shared_client.request("POST", CONVERSATIONS),
    ]
    assert [reply.status for reply in replies] == [415, 400, 413, 422, 415]
