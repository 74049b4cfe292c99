"""An answer that was cut short is gone on with, in an answer of its own that begins with what was said."""

from typing import Any

import pytest

from tests.support.client import Client, client_of
from tests.support.fixtures import Serve
from tests.support.invariants import check
from tests.support.script import Hang, Reset, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import Talk, prompt_of
from tests.support.upstream import Upstream

SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(**SHARED_SETTINGS)


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
    prompt = prompt_of(shared_upstream)
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
    assert prompt_of(shared_upstream) == [("user", "Well?")]


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


@pytest.mark.parametrize(
    ("style", "last", "more"),
    [
        ("assistant", {"role": "assistant", "content": "one "}, {}),
        (
            "vllm",
            {"role": "assistant", "content": "one "},
            {"continue_final_message": True, "add_generation_prompt": False},
        ),
        ("prefix", {"role": "assistant", "content": "one ", "prefix": True}, {}),
    ],
)
async def test_an_endpoint_that_takes_a_prefix_is_given_it_in_its_own_way(
    serve: Serve, upstream: Upstream, style: str, last: dict[str, Any], more: dict[str, Any]
) -> None:
    server = serve.make()
    models = server.folder / "models.toml"
    models.write_text(
        f"""
        default = "scripted/m"
        [providers.scripted]
        base_url = "{upstream.url}"
        discover = false
        [models."scripted/m"]
        continues = "{style}"
        """,
        "utf-8",
    )
    await server.start(MODELS_FILE=str(models))
    talk = await Talk.begin(Client(server.port))
    upstream.script(Status(), Send(chunk("one ")), Reset())
    await talk.ask("Count.")
    upstream.script(*say("two"))
    whole = await talk.go_on((await talk.branch())[-1]["id"])
    assert whole.text == "one two"
    body = upstream.requests[-1].json
    assert body["messages"] == [{"role": "user", "content": "Count."}, last]
    assert {name: body.get(name) for name in more} == more
    plain = upstream.requests[0].json
    assert not {"continue_final_message", "add_generation_prompt"} & plain.keys()


async def test_an_answer_as_long_as_an_answer_may_be_is_not_gone_on_with(serve: Serve, upstream: Upstream) -> None:
    server = await serve(MAX_OUTPUT_CHARS=10)
    async with client_of(server.port) as client:
        talk = await Talk.begin(client)
        upstream.script(*say("12345", "67890", "more"))
        await talk.ask("Count.")
        refused = await (await talk.act((await talk.branch())[-1]["id"], "continue")).read()
    assert (refused.status, refused.json["code"], upstream.calls) == (422, "invalid", 1)


async def test_what_an_answer_begins_with_counts_towards_its_length(serve: Serve, upstream: Upstream) -> None:
    server = await serve(MAX_OUTPUT_CHARS=10)
    talk = await Talk.begin(Client(server.port))
    upstream.script(Status(), Send(chunk("12345")), Reset())
    await talk.ask("Count.")
    upstream.script(*say("67890 and more"))
    whole = await talk.go_on((await talk.branch())[-1]["id"])
    answer = (await talk.branch())[-1]
    assert (whole.text, answer["finish_reason"]) == ("1234567890", "length")


EMPTY = {"type": "reasoning", "text": ""}


async def imported(client: Client, *parts: dict[str, str]) -> tuple[Talk, str]:
    """A conversation from a file, whose answer was cut short and has these parts; and that answer's id."""
    conversation_id, question_id, answer_id = (f"01kandgz1m5d9ryt3ek2yqv8p{number}" for number in (1, 2, 3))
    at = "2026-01-01T00:00:00Z"
    asked = [{"type": "text", "text": "Count."}]
    question = {"id": question_id, "role": "user", "parent_id": None, "parts": asked, "created_at": at}
    answer = {"id": answer_id, "role": "assistant", "parent_id": question_id, "parts": parts, "created_at": at}
    conversation: dict[str, Any] = {
        "id": conversation_id,
        "title": "t",
        "created_at": at,
        "updated_at": at,
        "head_id": answer_id,
    }
    conversation["messages"] = [question, {**answer, "finish_reason": "length"}]
    file = {"format": "ai-chat-service", "version": 1, "conversations": [conversation]}
    assert (await client.request("POST", "/api/import", json=file)).status == 200
    return Talk(client, conversation_id), answer_id


async def test_parts_without_text_of_an_imported_answer_shift_no_place_and_lose_nothing_in_a_crash(
    server: Server, client: Client, upstream: Upstream
) -> None:
    talk, answer_id = await imported(client, EMPTY, EMPTY, {"type": "text", "text": "one "})
    upstream.script(Status(), Send(chunk("two ")), Hang())
    seen = await talk.go_on(answer_id, until=lambda answer: answer.text == "one two ")
    run_id, part, _ = seen.cursor.rsplit("-", 2)
    after_one = f"{run_id}-{part}-4"
    assert (await client.follow(run_id, after_one, until=lambda answer: answer.text == "two ")).text == "two "
    await server.restart()
    assert await talk.said() == ["Count.", "one two "]
    assert (await client.follow(run_id, after_one)).text == "two "
