"""Reading never buys: what each GET of the chat answers, and which of them may ask the model."""

import asyncio

import pytest

from tests.support.bad_line import text_in
from tests.support.client import CHAT, Client
from tests.support.script import Gate, Hang, Reset, Send, Status, chunk, say
from tests.support.upstream import Upstream
from tests.support.waiting import until

RUN = "01kandgz1m5d9ryt3ek2yqv8p4"  # nobody's
NO_CURSORS = [
    b"",
    b"abc",
    b"-1",
    b"0",
    b"1e3",
    b"' OR 1=1--",
    b"x" * 10_000,
    b"9" * 10_000,
    b"null",
    b"earliest",
    b"\xff\xfe",
    "안녕".encode(),
    f"{RUN}-0".encode(),
    f"{RUN}-0-0-0".encode(),
    f"{RUN}--1-0".encode(),
    f"{RUN}-0-1000000000".encode(),
    f"{RUN}-end-3".encode(),
    f"{RUN.upper()}-0-0".encode(),
]


@pytest.mark.parametrize("value", NO_CURSORS, ids=lambda value: repr(value[-20:]))
async def test_a_cursor_that_is_none_is_refused_and_starts_nothing(
    shared_client: Client, shared_upstream: Upstream, value: bytes
) -> None:
    lines = [("Last-Event-ID", value)]
    question = {"message": "hi", "key": "a-key"}
    for reply in (
        await shared_client.request("GET", CHAT, query=question, headers=lines),
        await shared_client.request("POST", CHAT, json={"message": "hi"}, headers=lines),
        await shared_client.request("GET", f"/api/runs/{RUN}/events", headers=lines),
    ):
        assert (reply.status, reply.headers["Content-Type"]) == (400, "application/problem+json")
        assert reply.json["code"] == "bad_cursor"
    if value.isascii():
        text = value.decode()
        reply = await shared_client.request("GET", CHAT, query=question | {"last_event_id": text})
        assert (reply.status, reply.json["code"]) == (400, "bad_cursor")
        reply = await shared_client.request("GET", f"/api/runs/{RUN}/events", query={"after": text})
        assert (reply.status, reply.json["code"]) == (400, "bad_cursor")
    assert shared_upstream.calls == 0


async def test_a_cursor_with_a_nul_gets_no_answer_and_starts_nothing(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    lines = [("Last-Event-ID", b"\0")]
    header = await shared_client.request("GET", CHAT, query={"message": "hi"}, headers=lines)
    query = await shared_client.request("GET", CHAT, query={"message": "hi", "last_event_id": "\0"})
    assert (header.status, query.status, shared_upstream.calls) == (400, 400, 0)


@pytest.mark.parametrize("place", ["0-0", "3-14", "end-1", "end-2"])
async def test_a_cursor_of_no_run_is_not_found_and_starts_nothing(
    shared_client: Client, shared_upstream: Upstream, place: str
) -> None:
    lines = {"Last-Event-ID": f"{RUN}-{place}"}
    for reply in (
        await shared_client.request("GET", CHAT, query={"message": "hi", "key": "b-key"}, headers=lines),
        await shared_client.request("POST", CHAT, json={"message": "hi"}, headers=lines | {"Idempotency-Key": "b-key"}),
        await shared_client.request("GET", f"/api/runs/{RUN}/events", headers=lines),
        await shared_client.request("GET", f"/api/runs/{RUN}/events"),
    ):
        assert (reply.status, reply.json["code"]) == (404, "run_not_found")
    assert shared_upstream.calls == 0


async def test_the_header_wins_over_the_query(shared_client: Client, shared_upstream: Upstream) -> None:
    run = (await shared_client.ask("both")).run_id
    header = {"Last-Event-ID": f"{run}-0-6"}
    chat = await shared_client.request("GET", CHAT, query={"last_event_id": f"{run}-0-1"}, headers=header)
    events = await shared_client.follow(run, f"{run}-0-6", headers=(), by="header")
    both = await shared_client.open_stream(
        "GET", f"/api/runs/{run}/events", query={"after": f"{run}-end-2"}, headers=header
    )
    query = await shared_client.open_stream("GET", CHAT, query={"last_event_id": f"{run}-0-1", "message": "both"})
    bad = await shared_client.request("GET", CHAT, query={"last_event_id": f"{run}-0-1"}, headers={"Last-Event-ID": ""})
    await both.read()
    await query.read()
    assert b'"there"' in chat.body
    assert (events.text, text_in(both), text_in(query), bad.status) == ("there", "there", "ello there", 400)
    assert shared_upstream.calls == 1


async def test_a_cursor_of_another_run_reads_that_run_or_is_refused_by_events(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say("first"))
    one, two = (await shared_client.ask("one")).run_id, (await shared_client.ask("two")).run_id
    events = await shared_client.request("GET", f"/api/runs/{two}/events", headers={"Last-Event-ID": f"{one}-0-0"})
    chat = await shared_client.ask("two", get=True, headers={"Last-Event-ID": f"{one}-0-0"})
    assert (events.status, chat.text, chat.run_id, shared_upstream.calls) == (400, "first", one, 2)


async def test_looks_that_are_no_question_start_nothing(shared_client: Client, shared_upstream: Upstream) -> None:
    question = {"message": "look"}
    head = await shared_client.request("HEAD", CHAT, query=question, headers={"Accept": "text/event-stream"})
    assert (head.status, head.body) == (200, b"")
    assert "X-Run-Id" not in head.headers
    foreign = {"Origin": "https://elsewhere.example"}
    for method in ("HEAD", "OPTIONS", "GET"):
        reply = await shared_client.request(method, CHAT, query=question, headers=foreign)
        assert reply.status == 403
    for headers in ({"Sec-Purpose": "prefetch;prerender"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = await shared_client.request("GET", CHAT, query=question, headers=headers)
        assert reply.status == 403
    assert (await shared_client.request("GET", CHAT, query=question, host="elsewhere.example")).status == 421
    assert (await shared_client.request("OPTIONS", CHAT, query=question)).status in (200, 204, 405)
    assert (await shared_client.request("GET", CHAT)).status == 422
    assert shared_upstream.calls == 0


async def test_a_get_without_key_attaches_while_the_same_question_is_being_answered(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*say("Hello", " there", gate="word"))
    history = [{"role": "user", "content": "Good day"}, {"role": "assistant", "content": "Good day!"}]
    first = await shared_client.open_chat("running", history, get=True)
    first.drop()
    again = await shared_client.open_chat("running", history, get=True)
    run = first.headers["X-Run-Id"]
    assert (again.headers["X-Run-Id"], again.headers["Idempotent-Replayed"]) == (run, "true")
    others = [
        await shared_client.open_chat("running", get=True),
        await shared_client.open_chat("running", history[:1], get=True),
        await shared_client.open_chat("running!", history, get=True),
        await shared_client.open_chat("running", history, get=True, key="with-a-key"),
        await shared_client.open_chat("running", history),
    ]
    assert len({run, *(other.headers["X-Run-Id"] for other in others)}) == 6
    shared_upstream.open("word")
    await again.read()
    assert text_in(again) == "Hello there"
    await until(lambda: shared_upstream.calls == 6, "all others are questions of their own")


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted"])
async def test_an_answer_that_ended_unheard_is_found_by_its_question_until_it_has_been_heard(
    shared_client: Client, shared_upstream: Upstream, status: str
) -> None:
    scripts = {
        "completed": [Gate("on"), *say("Hello there")],
        "failed": [Gate("on"), Status(), Send(chunk("Hello there") + b"data: no json\n\n")],
        "interrupted": [Gate("on"), Status(), Send(chunk("Hello there")), Reset()],
    }
    shared_upstream.script(*scripts[status])
    first = await shared_client.open_chat(status, get=True)
    first.drop()
    run = first.headers["X-Run-Id"]
    shared_upstream.open("on")
    assert (await shared_client.ended(run))["status"] == status
    heard = await shared_client.ask(status, get=True)
    assert (heard.run_id, heard.replayed, heard.text, heard.done) == (run, True, "Hello there", True)
    assert shared_upstream.calls == 1
    bought = await shared_client.ask(status, get=True)
    assert (bought.replayed, bought.text, shared_upstream.calls) == (False, "Hello there", 2)
    assert bought.run_id != run


async def test_an_answer_that_was_heard_by_any_reader_is_not_found_by_its_question(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Gate("on"), *say("Hello there"))
    first = await shared_client.open_chat("another device", get=True)
    first.drop()
    shared_upstream.open("on")
    heard = await shared_client.follow(first.headers["X-Run-Id"])
    bought = await shared_client.ask("another device", get=True)
    assert (heard.done, bought.run_id == heard.run_id, shared_upstream.calls) == (True, False, 2)


async def test_after_a_stop_the_same_question_is_a_new_one(shared_client: Client, shared_upstream: Upstream) -> None:
    shared_upstream.script(Hang())
    first = await shared_client.open_chat("stopped", get=True)
    first.drop()
    await shared_upstream.request()  # else the stop may come first, and the script is left for the next question
    await shared_client.cancel(first.headers["X-Run-Id"])
    assert (await shared_client.ended(first.headers["X-Run-Id"]))["status"] == "cancelled"
    again = await shared_client.ask("stopped", get=True)
    assert (again.replayed, again.text, again.run_id == first.headers["X-Run-Id"]) == (False, "Hello there", False)


@pytest.mark.parametrize("key", [None, "same-moment"])
async def test_equal_gets_at_the_same_instant_are_one_call(
    shared_client: Client, shared_upstream: Upstream, key: str | None
) -> None:
    answers = await asyncio.gather(
        *(shared_client.ask(f"at once with {key}", get=True, key=key) for _ in range(12)),
    )
    assert {answer.text for answer in answers} == {"Hello there"}
    assert len({answer.run_id for answer in answers}) == shared_upstream.calls == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_a_key_in_the_url_is_good_for_ever_and_after_the_end(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    first = await shared_client.ask("keyed", get=True, key="in-the-url")
    again = await shared_client.ask("keyed", get=True, key="in-the-url")
    other = await shared_client.request("GET", CHAT, query={"message": "other", "key": "in-the-url"})
    by_post = await shared_client.ask("keyed", key="in-the-url")
    assert (again.run_id, again.replayed, again.text, first.replayed) == (first.run_id, True, "Hello there", False)
    assert (other.status, other.json["code"]) == (422, "key_reused")
    assert (by_post.status, by_post.headers.get("X-Run-Id")) == (200, first.run_id)
    assert shared_upstream.calls == 1


async def test_reading_events_and_states_starts_nothing(shared_client: Client, shared_upstream: Upstream) -> None:
    answer = await shared_client.ask("once")
    for _ in range(3):
        assert (await shared_client.run(answer.run_id)).status == 200
        assert (await shared_client.follow(answer.run_id)).text == "Hello there"
        assert (await shared_client.follow(answer.run_id, answer.cursor)).status == 204
    assert (await shared_client.run(RUN)).status == 404
    assert shared_upstream.calls == 1
