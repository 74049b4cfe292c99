"""`GET /api/events`: a second tab shows the same list without asking, and gets what it missed."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page

from tests.support.browser import listen, stand_on
from tests.support.client import SSE, Client
from tests.support.http import Given
from tests.support.script import Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.wire_client import Stream

EVENTS = "/api/events"
SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(**SHARED_SETTINGS)


class Tab:
    """A tab that hears of changes."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._taken = 1  # the first event says only that it hears

    @property
    def told(self) -> list[str]:
        """The kinds of what it heard."""
        return [event.json["type"] for event in self.stream.events]

    @property
    def places(self) -> list[int]:
        """The ids of what it heard."""
        return [int(event.last_event_id) for event in self.stream.events]

    async def hears(self, number: int) -> list[dict[str, Any]]:
        """Wait for so many more events; what they are."""
        start, self._taken = self._taken, self._taken + number
        await self.stream.read_until(events=self._taken)
        return [event.json for event in self.stream.events[start : self._taken]]


async def listening(client: Client, after: int | None = None, *, by: str = "header") -> Tab:
    """A tab that hears of changes from now, or after a place."""
    headers: Given = [SSE, *([("Last-Event-ID", str(after))] if after is not None and by == "header" else [])]
    query = {"after": str(after)} if after is not None and by == "query" else {}
    stream = await client.open_stream("GET", EVENTS, headers=headers, query=query)
    assert stream.status == 200
    return Tab(await stream.read_until(events=1))


async def test_a_second_tab_hears_of_everything_that_changes_the_list(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    tab = await listening(shared_client)
    assert (tab.stream.headers["Content-Type"].partition(";")[0], tab.told) == ("text/event-stream", ["ready"])
    talk = await Talk.begin(shared_client)
    answer = await talk.ask("What is it?")
    await talk.change(title="Renamed", pinned=True)
    final = await talk.body()
    await talk.delete()
    created, started, ended, updated, deleted = await tab.hears(5)
    kinds = [event["type"] for event in (created, started, ended, updated, deleted)]
    assert kinds == ["conversation.created", "run.started", "run.ended", "conversation.updated", "conversation.deleted"]
    assert {event["conversation_id"] for event in (created, started, ended, updated, deleted)} == {talk.id}
    assert (started["run"]["id"], ended["run"]["status"]) == (answer.run_id, "completed")
    assert updated["conversation"] == final
    assert "conversation" not in deleted
    assert tab.places == list(range(tab.places[0], tab.places[0] + 6))


async def test_a_started_run_is_told_while_it_is_written(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    tab = await listening(shared_client)
    shared_upstream.script(*say("one ", "two", gate="word"))
    shared_upstream.open("word", 1)
    running = await talk.ask("Count.", until=1)
    (started,) = await tab.hears(1)
    assert (started["run"]["id"], started["conversation"]["live"]) == (running.run_id, True)
    assert started["conversation"]["title"] == "Count."
    shared_upstream.open("word", 1)
    (ended,) = await tab.hears(1)
    assert (ended["type"], ended["conversation"]["live"]) == ("run.ended", False)


@pytest.mark.parametrize("by", ["header", "query"])
async def test_a_reconnect_gets_what_changed_since(shared_client: Client, by: str) -> None:
    tab = await listening(shared_client)
    place = tab.places[-1]
    tab.stream.drop()
    talks = [await Talk.begin(shared_client, title=f"{number}") for number in range(3)]
    again = await listening(shared_client, place, by=by)
    missed = await again.hears(3)
    assert [event["conversation_id"] for event in missed] == [talk.id for talk in talks]
    await Talk.begin(shared_client)
    assert [event["type"] for event in await again.hears(1)] == ["conversation.created"]
    once_more = await listening(shared_client, again.places[1])
    assert [event["conversation_id"] for event in await once_more.hears(2)] == [talk.id for talk in talks[1:]]


async def test_many_missed_changes_come_in_their_order(shared_client: Client) -> None:
    tab = await listening(shared_client)
    place = tab.places[-1]
    talk = await Talk.begin(shared_client)
    for number in range(250):
        await talk.change(title=f"{number}")
    again = await listening(shared_client, place)
    await again.hears(251)
    assert again.places == list(range(place, place + 252))


async def test_a_place_that_is_no_longer_or_not_yet_kept_says_to_read_the_list_anew(shared_client: Client) -> None:
    await Talk.begin(shared_client)
    newest = (await listening(shared_client)).places[0]
    tab = await listening(shared_client, 10**17)
    await tab.hears(1)
    assert (tab.told, tab.places[-1]) == (["ready", "reset"], newest)
    for wrong in ("x", "-1", "1.5", "9" * 19, ""):
        reply = await shared_client.request("GET", EVENTS, headers=[("Last-Event-ID", wrong)])
        assert (reply.status, reply.json["code"]) == (400, "malformed")


async def test_changes_survive_a_crash_and_are_told_after_it(
    server: Server, client: Client, upstream: Upstream
) -> None:
    tab = await listening(client)
    place = tab.places[-1]
    talk = await Talk.begin(client)
    upstream.script(Status(), Send(chunk("one ")), Hang())
    await talk.ask("Count.", until=1)
    await server.restart()
    again = await listening(client, place)
    events = await again.hears(3)
    assert [event["type"] for event in events] == ["conversation.created", "run.started", "run.ended"]
    assert events[-1]["run"]["status"] == "interrupted"


async def test_temporary_conversations_and_questions_without_one_are_not_told(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    tab = await listening(shared_client)
    passing = await Talk.begin(shared_client, temporary=True)
    await passing.ask("Who goes there?")
    await shared_client.ask("And without any?")
    await passing.delete()
    talk = await Talk.begin(shared_client)
    (only,) = await tab.hears(1)
    assert (only["type"], only["conversation_id"]) == ("conversation.created", talk.id)


async def test_it_ends_at_once_when_the_service_drains(server: Server, client: Client, upstream: Upstream) -> None:
    await server.restart(DRAIN_SECONDS="10")
    tab = await listening(client)
    talk = await Talk.begin(client)
    upstream.script(*say("one ", "two", gate="word"))
    upstream.open("word", 1)
    running = await talk.open("Count.")
    await running.read_until(when=lambda stream: b"one " in stream.body)
    stopping = asyncio.create_task(server.terminate())
    await tab.stream.read()
    assert tab.stream.over == "complete"
    assert server.running, "the answer is still being written"
    upstream.open("word", 1)
    await running.read()
    assert running.events[-1].json == {"done": True}
    await stopping


@pytest.mark.settings(KEEPALIVE_SECONDS="0.2")
async def test_silence_is_filled_and_a_reader_that_has_gone_leaves_nothing(client: Client, server: Server) -> None:
    tab = await listening(client)
    await tab.stream.read_until(when=lambda stream: stream.body.count(b": keepalive\n\n") >= 2)
    tab.stream.drop()
    await Talk.begin(client)
    assert (await client.request("GET", "/ready")).status == 200


async def test_an_event_source_in_a_browser_hears_and_comes_back(
    server: Server, client: Client, browser_page: Page
) -> None:
    await stand_on(browser_page, server.url)
    source = await listen(browser_page, f"{server.url}{EVENTS}")
    await source.events(1)
    await Talk.begin(client)
    await source.events(2)
    await server.kill()
    await server.start()
    await Talk.begin(client)
    heard = [json.loads(event["data"])["type"] for event in await source.events(4)]
    assert heard == ["ready", "conversation.created", "ready", "conversation.created"]


async def test_a_hundred_tabs_all_hear_the_same(shared_client: Client) -> None:
    tabs = await asyncio.gather(*(listening(shared_client) for _ in range(100)))
    talk = await Talk.begin(shared_client)
    await asyncio.gather(*(talk.change(title=f"{number}") for number in range(10)))
    await asyncio.gather(*(tab.hears(11) for tab in tabs))
    assert len({tuple(tab.places) for tab in tabs}) == 1
    assert {tab.told.count("conversation.updated") for tab in tabs} == {10}
