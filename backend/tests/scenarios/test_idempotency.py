"""A request with a key can be sent as often as the network needs: it is one answer, paid once."""

import asyncio

import pytest

from tests.support.bad_line import text_in
from tests.support.client import CHAT, JSON, Client
from tests.support.script import Gate, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

HISTORY = [{"role": "user", "content": "Good day"}]


async def test_the_same_post_again_is_the_same_answer_from_the_start(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    first = await shared_client.ask("hi", HISTORY, key="again", until=1)
    second = await shared_client.ask("hi", HISTORY, key="again")
    third = await shared_client.ask("hi", HISTORY, key="again")
    assert not first.replayed
    for answer in (second, third):
        assert (answer.replayed, answer.run_id, answer.text) == (True, first.run_id, "Hello there")
        assert answer.body.startswith(b"retry: ")
        assert f"\nid: {first.run_id}-0-0\n".encode() in answer.body
    assert shared_upstream.calls == 1


async def test_a_post_whose_response_was_lost_attaches_to_the_answer_that_is_being_written(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(Gate("model"), *say("one ", "two", gate="word"))
    lost = await shared_client.open_chat("lost", key="lost")
    lost.drop()
    again = await shared_client.open_chat("lost", key="lost")
    shared_upstream.open("model")
    shared_upstream.open("word")
    await again.read()
    assert (text_in(again), again.headers["Idempotent-Replayed"]) == ("one two", "true")
    assert (again.headers["X-Run-Id"], shared_upstream.calls) == (lost.headers["X-Run-Id"], 1)


async def test_equal_posts_at_the_same_instant_are_one_call_and_all_get_the_whole_text(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    answers = await asyncio.gather(
        *(shared_client.ask("at once", key="at-once", bare=number % 2 == 0) for number in range(12))
    )
    assert {(answer.text, answer.done) for answer in answers} == {("Hello there", True)}
    assert len({answer.run_id for answer in answers}) == shared_upstream.calls == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_format_accept_and_method_do_not_make_it_another_request(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    first = await shared_client.ask("any way", key="any-way", bare=True)
    ui = await shared_client.open_chat("any way", key="any-way", format="ui")
    await ui.read()
    others = [
        await shared_client.ask("any way", key="any-way"),
        await shared_client.ask("any way", key="any-way", bare=True),
        await shared_client.ask("any way", key="any-way", get=True),
        await shared_client.ask("any way", [], key="any-way-2", get=True),
        await shared_client.ask("any way", [], key="any-way-2"),
    ]
    assert [answer.text for answer in others] == ["Hello there"] * 5
    assert [answer.replayed for answer in others] == [True, True, True, False, True]
    assert {answer.run_id for answer in others[:3]} == {first.run_id, ui.headers["X-Run-Id"]}
    assert ui.headers["Idempotent-Replayed"] == "true"
    assert shared_upstream.calls == 2


async def test_how_the_body_is_spelled_does_not_make_it_another_request(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    bodies = [
        b'{"message": "spelled", "history": [{"role": "user", "content": "\xea\xb0\x80"}]}',
        b'{"history":[{"content":"\\uac00","role":"user","id":7}],"message":"spelled"}',
    ]
    lines = [JSON, ("Idempotency-Key", "spelled")]
    replies = [await shared_client.request("POST", CHAT, body=body, headers=lines) for body in bodies]
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].headers["X-Run-Id"] == replies[1].headers["X-Run-Id"]
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("ended", [True, False])
async def test_the_same_key_with_another_body_is_refused_and_asks_nobody(
    shared_client: Client, shared_upstream: Upstream, ended: bool
) -> None:
    if not ended:
        shared_upstream.script(*say("Hello", gate="word"))
    key = f"reused-{ended}"
    stream = await shared_client.open_chat("one", HISTORY, key=key)
    if ended:
        await stream.read()
    for body in (
        {"message": "two", "history": HISTORY},
        {"message": "one"},
        {"message": "one", "history": [*HISTORY, {"role": "assistant", "content": "Good day!"}]},
        {"message": "one", "history": [{"role": "assistant", "content": "Good day"}]},
        {"message": "one ", "history": HISTORY},
    ):
        reply = await shared_client.request("POST", CHAT, json=body, headers={"Idempotency-Key": key})
        assert (reply.status, reply.json["code"], reply.json["retryable"]) == (422, "key_reused", False)
    await until(lambda: shared_upstream.calls, "the first one reaches the model")
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "a/b", "a" * 129, "키", "a\tb", "a,b", '"quoted"'])
async def test_a_key_that_is_none_is_refused(shared_client: Client, shared_upstream: Upstream, key: str) -> None:
    by_post = await shared_client.request("POST", CHAT, json={"message": "hi"}, headers={"Idempotency-Key": key})
    by_get = await shared_client.request("GET", CHAT, query={"message": "hi", "key": key})
    assert (by_post.status, by_get.status, shared_upstream.calls) == (422, 422, 0)
    assert by_post.headers["Content-Type"] == by_get.headers["Content-Type"] == "application/problem+json"


async def test_every_character_that_a_key_may_have_is_taken(shared_client: Client, shared_upstream: Upstream) -> None:
    keys = ["A", "0" * 128, "azAZ09._:-", "6f1c2d3e-0a1b-4c5d-8e9f-001122334455"]
    for key in keys:
        assert not (await shared_client.ask("hi", key=key)).replayed
        assert (await shared_client.ask("hi", key=key)).replayed
    assert shared_upstream.calls == len(keys)


async def test_keys_are_not_mixed_up_and_without_one_every_post_is_new(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    answers = [await shared_client.ask("same", key=key) for key in ("key-1", "KEY-1", "key-1.", None, None)]
    assert len({answer.run_id for answer in answers}) == shared_upstream.calls == 5


async def test_a_refused_request_does_not_use_its_key_up(shared_client: Client, shared_upstream: Upstream) -> None:
    refused = await shared_client.request("POST", CHAT, json={"message": " "}, headers={"Idempotency-Key": "later"})
    answer = await shared_client.ask("now it is right", key="later")
    assert (refused.status, answer.replayed, answer.text, shared_upstream.calls) == (422, False, "Hello there", 1)


@pytest.mark.settings(MAX_RUNS=1)
async def test_a_retry_attaches_although_the_service_is_full(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.script(*say("Hello", gate="word"))
    first = await client.open_chat("mine", key="mine")
    full = await client.request("POST", CHAT, json={"message": "more"}, headers={"Idempotency-Key": "more"})
    assert (full.status, full.json["code"], full.json["retryable"]) == (503, "too_many_runs", True)
    assert int(full.headers["Retry-After"]) > 0
    again = await client.open_chat("mine", key="mine")
    by_get = await client.open_chat("mine", key="mine", get=True)
    assert again.headers["X-Run-Id"] == by_get.headers["X-Run-Id"] == first.headers["X-Run-Id"]
    upstream.open("word")
    await again.read()
    await client.ended(first.headers["X-Run-Id"])
    later = await client.ask("more", key="more")  # it was not started, so its key is still good
    assert (text_in(again), later.replayed, later.text, upstream.calls) == ("Hello", False, "Hello there", 2)


async def test_a_key_is_known_after_a_restart_and_after_a_crash(
    server: Server, client: Client, upstream: Upstream
) -> None:
    whole = await client.ask("whole", key="whole")
    upstream.script(*say("half ", "never said", gate="word"))
    upstream.open("word", 1)
    half = await client.ask("half", key="half", until=1)
    await server.restart()
    again, other = await client.ask("whole", key="whole"), await client.ask("half", key="half")
    assert (again.run_id, again.replayed, again.text, again.error) == (whole.run_id, True, whole.text, None)
    assert (other.run_id, other.replayed, other.text) == (half.run_id, True, "half ")
    assert other.error is not None
    assert (other.error["code"], other.error["retryable"], other.done) == ("interrupted", True, True)
    reused = await client.request("POST", CHAT, json={"message": "new"}, headers={"Idempotency-Key": "whole"})
    assert (reused.status, upstream.calls) == (422, 2)
