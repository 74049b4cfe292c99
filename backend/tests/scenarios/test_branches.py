"""A conversation is a tree: nothing is overwritten, and it remembers the branch that is shown."""

import asyncio
from typing import Any

import pytest

from tests.support.answers import parts_of, think
from tests.support.client import Client
from tests.support.invariants import check
from tests.support.script import Gate, Hang, Reset, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import Talk, text_of
from tests.support.upstream import Upstream
from tests.support.waiting import until

SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(**SHARED_SETTINGS)
NOWHERE = "0" * 26


def seen_by_the_model(upstream: Upstream, number: int = -1) -> list[tuple[str, str]]:
    """The prompt of a call."""
    return [(turn["role"], turn["content"]) for turn in upstream.requests[number].json["messages"]]


def siblings(branch: list[dict[str, Any]]) -> list[list[str]]:
    return [message["siblings"] for message in branch]


async def test_what_is_said_is_kept_and_is_the_history_of_what_follows(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(*say("안녕", "하세요"))
    first = await talk.ask("Hello in Korean?")
    shared_upstream.script(*say("Bonjour"))
    await talk.ask("And in French?")
    assert seen_by_the_model(shared_upstream) == [
        ("user", "Hello in Korean?"),
        ("assistant", "안녕하세요"),
        ("user", "And in French?"),
    ]
    question, answer, *_ = branch = await talk.branch()
    assert [text_of(message) for message in branch] == ["Hello in Korean?", "안녕하세요", "And in French?", "Bonjour"]
    assert [message["parent_id"] for message in branch] == [None, *(message["id"] for message in branch[:-1])]
    assert siblings(branch) == [[message["id"]] for message in branch]
    assert (question["run_id"], question["model"], answer["run_id"]) == (None, None, first.run_id)
    assert (answer["model"], answer["finish_reason"], answer["status"]) == (
        "openai/gpt-3.5-turbo",
        "stop",
        "completed",
    )
    assert answer["usage"] == {"input_tokens": 12, "output_tokens": 3, "reasoning_tokens": 0, "cached_tokens": 0}
    run = (await shared_client.run(first.run_id)).json
    assert (run["conversation_id"], run["message_id"]) == (talk.id, answer["id"])
    assert (await talk.body())["head_id"] == branch[-1]["id"]


async def test_whoever_sees_done_finds_the_message(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    for number in range(5):
        await talk.ask(f"{number}?")
        assert len(await talk.branch()) == 2 * number + 2


async def test_all_parts_of_an_answer_are_kept_in_their_order(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(*think())
    await talk.ask("Think.")
    answer = (await talk.branch())[-1]
    assert [(part["type"], part["text"]) for part in answer["parts"]] == parts_of()
    await talk.ask("And?")
    assert seen_by_the_model(shared_upstream)[1] == ("assistant", text_of(answer)), "thoughts are not given back"


async def test_regenerating_makes_a_sibling_and_shows_it(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(*say("one"))
    await talk.ask("Say something.")
    question, first = await talk.branch()
    shared_upstream.script(*say("two"))
    again = await talk.regenerate(first["id"])
    assert again.text == "two"
    assert seen_by_the_model(shared_upstream) == [("user", "Say something.")]
    shown_question, second = await talk.branch()
    assert shown_question == question, "the question is the same row"
    assert second["id"] != first["id"]
    assert second["siblings"] == [first["id"], second["id"]]
    assert await talk.said(first["id"]) == ["Say something.", "one"]
    shared_upstream.script(*say("three"))
    await talk.regenerate(question["id"])
    assert await talk.said() == ["Say something.", "three"]
    assert len((await talk.branch())[-1]["siblings"]) == 3


async def test_editing_makes_a_sibling_of_the_question_with_an_answer_of_its_own(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    await talk.ask("First?")
    await talk.ask("Second?")
    before = await talk.branch()
    shared_upstream.script(*say("edited"))
    await talk.edit(before[2]["id"], "Second, in other words?")
    assert seen_by_the_model(shared_upstream) == [
        ("user", "First?"),
        ("assistant", "Hello there"),
        ("user", "Second, in other words?"),
    ]
    after = await talk.branch()
    assert [text_of(message) for message in after[2:]] == ["Second, in other words?", "edited"]
    assert after[2]["siblings"] == [before[2]["id"], after[2]["id"]]
    shared_upstream.script(*say("from the start"))
    await talk.edit(before[0]["id"], "Another first?")
    assert seen_by_the_model(shared_upstream) == [("user", "Another first?")]
    roots = await talk.branch()
    assert roots[0]["parent_id"] is None
    assert roots[0]["siblings"] == [before[0]["id"], roots[0]["id"]]
    assert await talk.said(before[3]["id"]) == ["First?", "Hello there", "Second?", "Hello there"]


async def test_the_branch_shown_is_remembered_and_goes_down_to_its_newest_answer(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    await talk.ask("First?")
    await talk.ask("Second?")
    old = await talk.branch()
    await talk.edit(old[0]["id"], "Another first?")
    assert (await talk.said())[0] == "Another first?"
    changed = await talk.change(head_id=old[0]["id"])
    assert (changed.status, changed.json["head_id"]) == (200, old[3]["id"])
    assert await talk.branch() == [
        {**message, "siblings": fresh["siblings"]}
        for message, fresh in zip(old, await talk.branch(old[3]["id"]), strict=True)
    ]
    shared_upstream.script(*say("there"))
    await talk.ask("Third?")
    assert (await talk.said())[:3] == ["First?", "Hello there", "Second?"]


async def test_another_branch_is_answered_by_its_message(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    await talk.ask("First?")
    await talk.ask("Second?")
    branch = await talk.branch()
    await talk.ask("Instead of the second?", parent_id=branch[1]["id"])
    shown = await talk.branch()
    assert shown[2]["siblings"] == [branch[2]["id"], shown[2]["id"]]
    assert text_of(shown[2]) == "Instead of the second?"


async def test_two_tabs_that_answer_the_same_message_at_once_make_two_siblings(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    await talk.ask("First?")
    first = await talk.branch()
    shared_upstream.otherwise(*say("Yes ", "and no", gate="word"))
    by_default = [await talk.open("Tab 1?"), await talk.open("Tab 2?")]
    by_name = await asyncio.gather(*(talk.open(f"Tab {number}?", parent_id=first[1]["id"]) for number in (3, 4)))
    shared_upstream.open("word", 8)
    await asyncio.gather(*(stream.read() for stream in (*by_default, *by_name)))
    shown = await talk.branch()
    tabs = shown[2]["siblings"]
    assert len(tabs) == 4
    said = [(await talk.said(tab))[-1] for tab in tabs]
    assert sorted(said) == ["Tab 1?", "Tab 2?", "Tab 3?", "Tab 4?"]
    assert shared_upstream.calls == 5


async def test_an_answer_that_is_still_being_written_cannot_be_answered_or_gone_on_with(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(*say("half ", "whole", gate="word"))
    shared_upstream.open("word", 1)
    running = await talk.ask("Well?", until=1)
    answer = (await talk.branch())[-1]
    assert (answer["status"], answer["run_id"], answer["parts"]) == ("running", running.run_id, [])
    assert (await talk.body())["live"] is True
    for refused in (await talk.open("Then?", parent_id=answer["id"]), await talk.act(answer["id"], "continue")):
        reply = await refused.read()
        assert (reply.status, reply.json["code"], reply.json["retryable"]) == (409, "still_writing", True)
    shared_upstream.open("word", 1)
    rest = await shared_client.follow(running.run_id, running.cursor)
    assert running.text + rest.text == "half whole"
    assert (await talk.body())["live"] is False
    assert shared_upstream.calls == 1


async def test_a_stopped_answer_keeps_exactly_what_was_seen(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(Status(), Send(chunk("one ")), Send(chunk("two ")), Hang())
    seen = await talk.ask("Count.", until=lambda answer: answer.text == "one two ")
    await shared_client.cancel(seen.run_id)
    await shared_client.ended(seen.run_id)
    answer = (await talk.branch())[-1]
    assert (text_of(answer), answer["status"], answer["error"]["code"]) == ("one two ", "cancelled", "cancelled")


# ── Going on ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["interrupted", "cancelled", "length"])
async def test_an_answer_that_was_cut_short_is_gone_on_with_in_a_sibling_that_begins_with_it(
    shared_client: Client, shared_upstream: Upstream, how: str
) -> None:
    talk = await Talk.begin(shared_client)
    end = {"interrupted": (Reset(),), "cancelled": (Hang(),), "length": (Send(chunk(finish_reason="length")),)}[how]
    thought = Send(chunk(reasoning_content="흠… "))
    shared_upstream.script(Status(), thought, Send(chunk("한 둘 ")), *end)
    seen = await talk.ask("Count.", until=1)
    if how == "cancelled":
        await shared_client.cancel(seen.run_id)
    await shared_client.ended(seen.run_id)
    cut = (await talk.branch())[-1]
    shared_upstream.script(*say("셋", " 넷"))
    whole = await talk.go_on(cut["id"])
    assert (whole.text, whole.error, whole.run_id == seen.run_id) == ("한 둘 셋 넷", None, False)
    answer = (await talk.branch())[-1]
    assert [part["text"] for part in answer["parts"]] == ["흠… ", "한 둘 셋 넷"]
    assert answer["joint"] == {"message_id": cut["id"], "part": 1, "offset": 4}
    assert answer["siblings"] == [cut["id"], answer["id"]]
    assert await talk.said(cut["id"]) == ["Count.", "한 둘 "], "nothing is overwritten"
    prompt = seen_by_the_model(shared_upstream)
    assert prompt[:2] == [("user", "Count."), ("assistant", "한 둘 ")]
    assert prompt[2][0] == "user", "an endpoint that takes no prefix is asked in words"
    replay = await shared_client.follow(whole.run_id)
    assert replay.text == whole.text
    rest = await shared_client.follow(whole.run_id, f"{whole.run_id}-1-4")
    assert rest.text == "셋 넷"


async def test_an_answer_that_never_began_is_gone_on_with_from_its_start(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(Status(), Reset())
    await talk.ask("Well?")
    cut = (await talk.branch())[-1]
    whole = await talk.go_on(cut["id"])
    assert whole.text == "Hello there"
    assert seen_by_the_model(shared_upstream) == [("user", "Well?")]


async def test_an_answer_that_had_come_to_its_end_is_not_gone_on_with(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    await talk.ask("Well?")
    question, answer = await talk.branch()
    for message in (question, answer):
        reply = await (await talk.act(message["id"], "continue")).read()
        assert (reply.status, reply.json["code"]) == (422, "invalid")
    assert (await talk.branch(), shared_upstream.calls) == ([question, answer], 1)


async def test_a_crash_keeps_what_an_answer_began_with(server: Server, client: Client, upstream: Upstream) -> None:
    talk = await Talk.begin(client)
    upstream.script(Status(), Send(chunk("one ")), Reset())
    await talk.ask("Count.")
    cut = (await talk.branch())[-1]
    upstream.script(Status(), Send(chunk("two ")), Hang())
    seen = await talk.go_on(cut["id"], until=lambda answer: answer.text == "one two ")
    await server.restart()
    rest = await client.follow(seen.run_id, seen.cursor)
    assert rest.error is not None
    assert (rest.text, rest.error["code"], rest.done) == ("", "interrupted", True)
    assert await talk.said() == ["Count.", "one two "]
    upstream.script(*say("three"))
    assert (await talk.go_on((await talk.branch())[-1]["id"])).text == "one two three"
    await server.close()
    check(server.database)


# ── Once ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_key_makes_every_way_of_asking_repeatable(shared_client: Client, shared_upstream: Upstream) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(Status(), Send(chunk("half ")), Reset())
    first = [await talk.ask("Well?", key="ask") for _ in range(2)]
    question, cut = await talk.branch()
    ways = {
        "go on": lambda: talk.go_on(cut["id"], key="go-on"),
        "regenerate": lambda: talk.regenerate(cut["id"], key="regenerate"),
        "edit": lambda: talk.edit(question["id"], "Well, well?", key="edit"),
    }
    for name, way in ways.items():
        calls = shared_upstream.calls
        one, other = await way(), await way()
        assert (other.replayed, other.run_id, other.text) == (True, one.run_id, one.text), name
        assert shared_upstream.calls == calls + 1
    assert first[0].run_id == first[1].run_id
    reused = await (await talk.act(question["id"], "edit", {"message": "other"}, key="edit")).read()
    elsewhere = await (await talk.act(question["id"], "regenerate", key="regenerate")).read()
    assert (reused.json["code"], elsewhere.json["code"]) == ("key_reused", "key_reused")


@pytest.mark.parametrize("what", ["regenerate", "continue"])
@pytest.mark.parametrize("body", [None, {}])
async def test_a_body_is_not_needed_where_there_is_nothing_to_say(
    shared_client: Client, shared_upstream: Upstream, what: str, body: Any
) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(Status(), Send(chunk("half ")), Reset())
    await talk.ask("Well?")
    cut = (await talk.branch())[-1]
    stream = await talk.act(cut["id"], what, body)
    await stream.read()
    assert stream.status == 200
    refused = await (await talk.act(cut["id"], what, {"message": "no"})).read()
    assert refused.status == 422


async def test_a_closed_tab_ends_nothing(server: Server, client: Client, upstream: Upstream) -> None:
    await server.restart(ABANDON_SECONDS="0.2")
    talk = await Talk.begin(client)
    upstream.script(*say("one ", "two", gate="word"))
    upstream.open("word", 1)
    seen = await talk.ask("Count.", until=1)
    alone = await client.ask("Nobody reads this.", until=0)
    await until(lambda: upstream.calls == 2, "both reach the model")
    await client.ended(alone.run_id)
    upstream.open("word", 1)
    assert (await client.ended(seen.run_id))["status"] == "completed"
    assert await talk.said() == ["Count.", "one two"]


# ── What is not there ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_does_not_go_together_is_refused_and_nothing_is_stored(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk, other = await Talk.begin(shared_client), await Talk.begin(shared_client)
    await talk.ask("Mine?")
    await other.ask("Theirs?")
    mine, theirs = await talk.branch(), await other.branch()
    calls = shared_upstream.calls
    asked = [
        ({"history": []}, 422, "invalid"),
        ({"history": [{"role": "user", "content": "hi"}]}, 422, "invalid"),
        ({"conversation_id": NOWHERE}, 404, "conversation_not_found"),
        ({"conversation_id": "../../etc"}, 404, "conversation_not_found"),
        ({"conversation_id": talk.id.upper()}, 404, "conversation_not_found"),
        ({"parent_id": NOWHERE}, 404, "message_not_found"),
        ({"parent_id": theirs[1]["id"]}, 404, "message_not_found"),
        ({"model": "openai/none"}, 404, "model_not_found"),
        ({"conversation_id": None, "parent_id": mine[1]["id"]}, 422, "invalid"),
        ({"temperature": 3}, 422, "invalid"),
        ({"max_tokens": 0}, 422, "invalid"),
        ({"max_tokens": 10**12}, 422, "invalid"),
        ({"conversation_id": 7}, 422, "invalid"),
    ]
    for fields, status, code in asked:
        reply = await (await talk.open("Well?", **fields)).read()
        assert (reply.status, reply.json["code"]) == (status, code), fields
    acts = [
        (talk, theirs[1]["id"], "regenerate", None, 404),
        (talk, NOWHERE, "continue", None, 404),
        (talk, theirs[0]["id"], "edit", {"message": "hi"}, 404),
        (talk, mine[1]["id"], "edit", {"message": "hi"}, 422),
        (talk, mine[0]["id"], "edit", {"message": " "}, 422),
        (talk, mine[0]["id"], "edit", {"message": "x" * 32_001}, 422),
        (talk, mine[0]["id"], "edit", {}, 422),
        (Talk(shared_client, NOWHERE), mine[1]["id"], "regenerate", None, 404),
    ]
    for where, message_id, what, body, status in acts:
        reply = await (await where.act(message_id, what, body)).read()
        assert reply.status == status, (what, body, reply.text)
    assert (await talk.branch(), await other.branch()) == (mine, theirs)
    assert shared_upstream.calls == calls


async def test_a_request_s_own_way_goes_before_the_conversation_s_and_that_before_the_settings(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client, system="Be kind.", temperature=0.25, max_tokens=99)
    await talk.ask("One?")
    await talk.ask("Two?", system="Be brief.", temperature=0, max_tokens=5)
    await talk.change(system=None, temperature=None, max_tokens=None)
    await talk.ask("Three?")
    ways = [
        (request.json["messages"][0]["content"], request.json["temperature"], request.json["max_tokens"])
        for request in shared_upstream.requests
    ]
    assert ways == [("Be kind.", 0.25, 99), ("Be brief.", 0, 5), ("One?", 0.7, 1000)]


async def test_an_early_gate_does_not_lose_a_question(shared_client: Client, shared_upstream: Upstream) -> None:
    """The client goes before the answer begins; the question and its answer are there all the same."""
    talk = await Talk.begin(shared_client)
    shared_upstream.script(Gate("model"), *say("there"))
    stream = await talk.open("Still here?")
    stream.drop()
    shared_upstream.open("model")
    await shared_client.ended(stream.headers["X-Run-Id"])
    assert await talk.said() == ["Still here?", "there"]
