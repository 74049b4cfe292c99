"""The search, through the door: words and syllables, titles and messages, newest first, page by page."""

from typing import Any

import pytest

from tests.support.client import Client
from tests.support.invariants import check
from tests.support.script import Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream

SEARCH = "/api/search"
SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(**SHARED_SETTINGS)


async def found(client: Client, query: str, limit: int = 100) -> list[dict[str, Any]]:
    """All that is found, over all pages."""
    items: list[dict[str, Any]] = []
    before: str | None = None
    while True:
        asked = {"q": query, "limit": str(limit)} | ({"before": before} if before else {})
        reply = await client.request("GET", SEARCH, query=asked)
        assert reply.status == 200, reply.text
        items += reply.json["items"]
        before = reply.json["next"]
        if before is None:
            return items


async def test_what_was_said_is_found_as_soon_as_it_is_done(client: Client, upstream: Upstream) -> None:
    talk = await Talk.begin(client, title="Trip to Busan")
    upstream.script(*say("경복궁은 서울에 있는 궁궐입니다."))
    await talk.ask("What palaces are there in Seoul?")
    question, answer = await talk.branch()
    for query, places in {
        "palaces": [question["id"]],
        "SEOUL palaces": [question["id"]],
        "궁": [answer["id"]],
        "서울": [answer["id"]],
        "복궁은": [answer["id"]],
        "busan": [None],
        "palaces busan": [],
        "nothing": [],
    }.items():
        assert [item["message_id"] for item in await found(client, query)] == places, query
    (item,) = await found(client, "서울에")
    assert item == {
        "conversation_id": talk.id,
        "title": "Trip to Busan",
        "message_id": answer["id"],
        "snippet": "경복궁은 서울에 있는 궁궐입니다.",
        "created_at": answer["created_at"],
    }


async def test_pages_are_newest_first_without_hole_or_double(client: Client, upstream: Upstream) -> None:
    talk = await Talk.begin(client)
    for number in range(7):
        await talk.ask(f"needle {number}")
    whole = await found(client, "needle")
    newest_first = [f"needle {number}" for number in reversed(range(7))]
    assert [item["snippet"] for item in whole] == [*newest_first, "needle 0"]  # the last one is the title
    for limit in (1, 3):
        assert await found(client, "needle", limit) == whole


async def test_thoughts_and_what_is_not_said_yet_are_not_found(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(Status(), Send(chunk(reasoning_content="secretly")), Send(chunk("openly")), Hang())
    seen = await talk.ask("Well?", until=1)
    assert await found(shared_client, "openly") == []
    await shared_client.cancel(seen.run_id)
    await shared_client.ended(seen.run_id)
    assert len(await found(shared_client, "openly")) == 1
    assert await found(shared_client, "secretly") == []


SYNTAX = (
    '"',
    '""',
    "*",
    "a*",
    "NEAR(a b)",
    "a AND b OR",
    "-a",
    "owner:x",
    "(",
    "\x00",
    "\ud83d",
    "😀",
    "'; DROP",
    "%",
    "_",
)


@pytest.mark.parametrize("query", SYNTAX)
async def test_any_query_is_text(shared_client: Client, query: str) -> None:
    reply = await shared_client.request("GET", SEARCH, query={"q": query.encode("utf-8", "replace").decode()})
    assert (reply.status, reply.json) == (200, {"items": [], "next": None})


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": ""},
        {"q": " \n"},
        {"q": "x" * 201},
        {"q": "x", "limit": "0"},
        {"q": "x", "before": "y"},
        {"q": "x", "before": "9" * 20},
    ],
)
async def test_a_search_that_cannot_be_is_refused(shared_client: Client, query: dict[str, str]) -> None:
    reply = await shared_client.request("GET", SEARCH, query=query)
    assert (reply.status, reply.json["code"]) == (422, "invalid")


async def test_what_is_renamed_archived_deleted_or_temporary_is_found_or_not_accordingly(
    server: Server, client: Client, upstream: Upstream
) -> None:
    kept, gone = await Talk.begin(client, title="oldname"), await Talk.begin(client, title="canary")
    passing = await Talk.begin(client, title="canary", temporary=True)
    for talk in (kept, gone, passing):
        await talk.ask("canary")
    await kept.change(title="newname", archived=True)
    await gone.delete()
    assert {item["conversation_id"] for item in await found(client, "canary")} == {kept.id}
    assert (len(await found(client, "newname")), await found(client, "oldname")) == (1, [])
    await kept.delete()
    await passing.delete()
    assert await found(client, "canary") == []
    await server.close()
    assert check(server.database).search == 0


async def test_both_versions_of_an_edited_question_are_found_and_a_crash_loses_no_entry(
    server: Server, client: Client, upstream: Upstream
) -> None:
    talk = await Talk.begin(client)
    await talk.ask("needle one")
    await talk.edit((await talk.branch())[0]["id"], "needle two")
    upstream.script(Status(), Send(chunk("needle three")), Hang())
    await talk.ask("And?", until=1)
    await server.restart()
    snippets = [item["snippet"] for item in await found(client, "needle")]
    assert snippets == ["needle three", "needle two", "needle one", "needle one"]
