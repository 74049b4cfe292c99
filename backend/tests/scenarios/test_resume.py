"""Readers go away and come back: each has the whole text exactly once, and it was paid once."""

import sqlite3

import pytest

from tests.support.answers import SAID, parts_of, text_of, think
from tests.support.bad_line import text_in
from tests.support.client import CHAT, Answer, Client
from tests.support.script import Fin, Gate, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream

WORDS = [f"{number}번째 👋 " for number in range(12)]
TEXT = "".join(WORDS)
FAILING = (Status(), Send(chunk("half")), Gate("cut"), Fin())


async def come_back(client: Client, first: Answer, by: str, message: str) -> Answer:
    """Go on from where `first` was dropped."""
    if by == "events":
        return await client.follow(first.run_id, first.cursor)
    if by == "events?after=":
        return await client.follow(first.run_id, first.cursor, by="query")
    return await client.ask(message, get=by == "GET", headers={"Last-Event-ID": first.cursor})


async def paced(upstream: Upstream, client: Client, message: str, words: int, get: bool = False) -> Answer:
    """Ask, see so many words one by one, and drop."""
    upstream.script(*say(*WORDS, gate="word"))
    upstream.open("word", words)
    return await client.ask(message, until=lambda answer: answer.text == "".join(WORDS[:words]), get=get)


@pytest.mark.parametrize("by", ["GET", "POST", "events", "events?after="])
async def test_a_reader_that_drops_mid_answer_gets_the_rest_exactly_once(
    shared_client: Client, shared_upstream: Upstream, by: str
) -> None:
    first = await paced(shared_upstream, shared_client, f"drop by {by}", 5, get=by == "GET")
    shared_upstream.open("word")
    rest = await come_back(shared_client, first, by, f"drop by {by}")
    assert first.text + rest.text == TEXT
    assert (rest.status, rest.done, rest.run_id) == (200, True, first.run_id)
    assert rest.body.startswith(b"retry: ")
    assert f'\nid: {first.cursor}\ndata: {{"chunk": ""}}\n\n'.encode() in rest.body
    assert shared_upstream.calls == 1


async def test_a_reader_that_drops_before_the_first_token_attaches_to_the_same_answer(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Gate("first"), *say(*WORDS))
    stream = await shared_client.open_chat("patience", get=True)
    await stream.read_until(events=1)
    stream.drop()
    run = stream.headers["X-Run-Id"]
    assert stream.sse.last_event_id == f"{run}-0-0"
    again = await shared_client.open_chat("patience", get=True, headers={"Last-Event-ID": f"{run}-0-0"})
    shared_upstream.open("first")
    await again.read()
    assert (text_in(again), again.headers["X-Run-Id"], shared_upstream.calls) == (TEXT, run, 1)


async def test_a_request_that_is_dropped_before_its_response_is_found_again_by_its_key(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Gate("first"), *say(*WORDS))
    line = f"GET {CHAT}?message=tunnel&key=tunnel-1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    (await shared_client.wire(line.encode())).drop()
    again = await shared_client.open_chat("tunnel", get=True, key="tunnel-1")
    shared_upstream.open("first")
    await again.read()
    assert (text_in(again), shared_upstream.calls) == (TEXT, 1)


async def test_a_tab_that_is_closed_early_and_opened_after_the_end_has_the_whole_answer(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    first = await paced(shared_upstream, shared_client, "close the tab", 2)
    shared_upstream.open("word")
    assert (await shared_client.ended(first.run_id))["status"] == "completed"
    again, rest = await shared_client.follow(first.run_id), await shared_client.follow(first.run_id, first.cursor)
    assert (again.text, again.done, first.text + rest.text, rest.done) == (TEXT, True, TEXT, True)
    assert shared_upstream.calls == 1


async def test_a_second_reader_that_joins_in_the_middle_ends_with_the_same_text(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say(*WORDS, gate="word"))
    one = await shared_client.open_chat("two tabs")
    shared_upstream.open("word", 6)
    await one.read_until(when=lambda stream: text_in(stream) == "".join(WORDS[:6]))
    two = await shared_client.open_events(one.headers["X-Run-Id"])
    await two.read_until(when=lambda stream: text_in(stream) == "".join(WORDS[:6]))
    shared_upstream.open("word")
    first, second = await one.read(), await two.read()
    assert text_in(one) == text_in(two) == TEXT
    assert one.events == two.events
    assert (first.status, second.status, shared_upstream.calls) == (200, 200, 1)


async def test_every_place_told_while_it_was_written_is_good_after_the_end_too(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think(gate="delta"))
    stream = await shared_client.open_chat("places")
    for number in range(len(SAID)):
        await stream.read_until(when=lambda stream: text_in(stream) == text_of(SAID[:number]))  # noqa: B023 - called before the loop goes on
        shared_upstream.open("delta", 1)
    await stream.read()
    run = stream.headers["X-Run-Id"]
    await shared_client.ended(run)
    places = {event.last_event_id for event in stream.events[:-1]}
    assert len(places) == sum(kind == "text" for kind, _ in SAID) + 1
    told = ""
    for event in stream.events[:-1]:
        told += event.json["chunk"]
        assert told + (await shared_client.follow(run, event.last_event_id)).text == text_of()


async def test_a_place_may_be_between_any_two_characters(shared_client: Client, shared_upstream: Upstream) -> None:
    said = SAID[:6]
    shared_upstream.script(*think(said))
    run = (await shared_client.ask("between")).run_id
    parts = parts_of(said)
    for number, (kind, text) in enumerate(parts):
        later = "".join(text for kind, text in parts[number + 1 :] if kind == "text")
        for offset in range(len(text) + 1):
            rest = await shared_client.follow(run, f"{run}-{number}-{offset}")
            assert rest.text == (text[offset:] if kind == "text" else "") + later


@pytest.mark.parametrize("by", ["GET", "POST", "events", "events?after="])
async def test_only_after_done_is_nothing_left(shared_client: Client, shared_upstream: Upstream, by: str) -> None:
    message = f"to the end by {by}"
    first = await shared_client.ask(message)
    assert first.cursor == f"{first.run_id}-end-2"
    calls = shared_upstream.calls
    for _ in range(2):
        nothing = await come_back(shared_client, first, by, message)
        assert (nothing.status, nothing.body) == (204, b"")
    assert shared_upstream.calls == calls == 1


async def test_a_failure_is_told_once_and_a_reader_who_knows_it_gets_done_alone(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*FAILING)
    shared_upstream.open("cut")
    first = await shared_client.ask("fail", until=lambda answer: answer.error is not None)
    assert first.cursor == f"{first.run_id}-end-1"
    for by in ("GET", "POST", "events"):
        rest = await come_back(shared_client, first, by, "fail")
        assert rest.frames == [{"chunk": ""}, {"done": True}]
        assert rest.cursor == f"{first.run_id}-end-2"
    again = await shared_client.follow(first.run_id, f"{first.run_id}-0-4")
    assert (again.text, again.error, again.done) == ("", first.error, True)
    assert shared_upstream.calls == 1


async def test_a_place_past_what_a_live_run_holds_is_refused_and_past_an_ended_one_s_text_is_its_end(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think([("reasoning", "hm"), ("text", "안녕")], last="end"))
    stream = await shared_client.open_chat("past")
    await stream.read_until(when=lambda stream: text_in(stream) == "안녕")
    run = stream.headers["X-Run-Id"]
    for place in ("0-3", "1-3", "2-0", "9999-99999", "end-1", "end-2"):
        for reply in (
            await shared_client.request("GET", CHAT, headers={"Last-Event-ID": f"{run}-{place}"}),
            await shared_client.request("GET", f"/api/runs/{run}/events", query={"after": f"{run}-{place}"}),
        ):
            assert (reply.status, reply.json["code"]) == (400, "bad_cursor"), place
    shared_upstream.open("end")
    await stream.read()
    await shared_client.ended(run)
    for place in ("1-2", "1-3", "2-0", "9999-99999"):
        rest = await shared_client.follow(run, f"{run}-{place}")
        assert rest.frames == [{"chunk": ""}, {"done": True}], place
        assert f"id: {run}-1-2\n".encode() in rest.body
    assert shared_upstream.calls == 1


async def test_a_reader_comes_back_to_a_service_that_was_killed_and_reads_what_was_kept(
    server: Server, client: Client, upstream: Upstream
) -> None:
    first = await paced(upstream, client, "killed", 4)
    ended = await client.ask("whole", key="whole-1")
    await server.restart()
    state = (await client.run(first.run_id)).json
    assert (state["status"], state["error"]["code"]) == ("interrupted", "interrupted")
    rest, again = await client.follow(first.run_id, first.cursor), await client.follow(first.run_id)
    for answer, text in ((rest, ""), (again, first.text)):
        assert (answer.text, answer.error, answer.done) == (text, {**state["error"], "run_id": first.run_id}, True)
    assert (await client.follow(ended.run_id, f"{ended.run_id}-0-2")).text == "llo there"
    assert (await client.follow(ended.run_id, ended.cursor)).status == 204
    assert upstream.calls == 2


async def test_a_run_whose_keeping_is_over_is_not_found_and_its_cursor_buys_nothing(
    server: Server, client: Client, upstream: Upstream
) -> None:
    old, new = await client.ask("old", key="old-1"), await client.ask("new", key="new-1")
    await server.terminate()
    with sqlite3.connect(server.database) as database:
        database.execute("UPDATE runs SET ended_at = ended_at - 24 * 3600 * 1000 - 60000 WHERE id = ?", (old.run_id,))
    database.close()
    await server.start()
    for reply in (
        await client.request("GET", CHAT, query={"message": "old"}, headers={"Last-Event-ID": old.cursor}),
        await client.request("POST", CHAT, json={"message": "old"}, headers={"Last-Event-ID": f"{old.run_id}-0-1"}),
        await client.request("GET", f"/api/runs/{old.run_id}/events"),
        await client.run(old.run_id),
        await client.cancel(old.run_id),
    ):
        assert (reply.status, reply.json["code"]) == (404, "run_not_found")
    assert (await client.follow(new.run_id)).text == "Hello there"
    assert upstream.calls == 2
    bought = await client.ask("old", key="old-1")  # the key went with its run
    assert (bought.replayed, bought.text, upstream.calls) == (False, "Hello there", 3)
