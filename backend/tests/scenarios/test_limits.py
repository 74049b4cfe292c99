"""Limits and budgets: what is refused before the call, what ends in mid-stream, and what counts."""

import asyncio
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.invariants import check
from tests.support.people import Person, administrator
from tests.support.script import Gate, Hang, Send, Status, chunk, error_status, say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until

pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0)

WORDS = "word " * 20  # 100 bytes, which count as 25 tokens


def words(times: int) -> list[Any]:
    """An answer of that many times 25 tokens that never ends by itself."""
    return [Status(), *(Send(chunk(WORDS)) for _ in range(times)), Hang()]


async def limited(ann: Person, who: Person, **limits: Any) -> None:
    """The administrator gives somebody limits."""
    reply = await ann.request("PATCH", f"/api/admin/users/{who.id}", json={"limits": limits})
    assert reply.status == 200, reply.text


async def usage(who: Person) -> dict[str, Any]:
    """What somebody is told of their use."""
    reply = await who.request("GET", "/api/usage")
    assert reply.status == 200, reply.text
    return reply.json


async def refused(who: Person, code: str, message: str = "Well?") -> tuple[str, int]:
    """Asking is refused with that code; the sentence, and the seconds to wait."""
    async with await who.open_chat(message) as stream:
        reply = await stream.read()
    assert (reply.status, reply.json["code"], reply.json["retryable"]) == (429, code, True), reply.text
    return reply.json["detail"], int(reply.headers["Retry-After"])


# ── Before the call ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.settings(REQUESTS_PER_MINUTE=2)
async def test_questions_of_a_minute_are_counted_for_each_user_and_replays_are_free(
    server: Server, upstream: Upstream
) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    first = await bob.ask("One?", key="one")
    await bob.ask("Two?")
    sentence, wait = await refused(bob, "too_many_requests")
    assert ("2 times within a minute, of 2" in sentence, 1 <= wait <= 60) == (True, True)
    again = await bob.ask("One?", key="one")
    assert (again.replayed, again.run_id, again.text) == (True, first.run_id, "Hello there")
    assert (await ann.ask("Me?")).text == "Hello there"
    assert (await bob.request("GET", "/api/conversations")).status == 200, "reading is not asking"
    assert upstream.calls == 3


@pytest.mark.settings(MAX_RUNS_PER_USER=2)
async def test_ten_at_once_get_as_many_answers_as_may_be_written_at_once(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    upstream.otherwise(Status(), Send(chunk("one ")), Gate("go"), *say("two")[1:])
    streams = await asyncio.gather(*(bob.open_chat(f"Number {number}?") for number in range(10)))
    assert sorted(stream.status for stream in streams) == [200, 200, *[429] * 8]
    bodies = [(await stream.read()).json for stream in streams if stream.status == 429]
    assert {body["code"] for body in bodies} == {"too_many_runs_of_yours"}
    left = (await usage(bob))["left"]["runs"]
    assert left == {"limit": 2, "spent": 2, "left": 0, "renewed_at": None}
    upstream.open("go")
    for stream in streams:
        async with stream:
            await stream.read()
    assert (await bob.ask("And now?")).done
    assert upstream.calls == 3


async def test_limits_are_changed_by_the_administrator_and_put_on_the_record(
    server: Server, upstream: Upstream
) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await limited(ann, bob, tokens_per_day=50, budget_per_month=1.5)
    (shown,) = [user for user in (await ann.request("GET", "/api/admin/users")).json["items"] if user["id"] == bob.id]
    assert (shown["limits"]["tokens_per_day"], shown["limits"]["budget_per_month"]) == (50, 1.5)
    assert (await bob.ask("Well?")).done, "the session goes on"
    left = (await usage(bob))["left"]
    assert (left["tokens_per_day"]["left"], left["budget_per_month"]["limit"]) == (35, 1.5)
    await limited(ann, bob, tokens_per_day=20)
    sentence, wait = await refused(bob, "tokens_spent")
    assert ("spent 15 of 20 tokens today" in sentence, wait <= 24 * 3600) == (True, True)
    await limited(ann, bob, tokens_per_day=None)
    assert (await bob.ask("Well?")).done
    kinds = [deed["kind"] for deed in (await ann.request("GET", "/api/admin/audit")).json["items"]]
    assert kinds[:3] == ["limits_changed"] * 3
    for wrong in ({"tokens_per_day": -1}, {"tokens": 5}, {"budget_per_month": "much"}, {"runs": 1.5}):
        reply = await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"limits": wrong})
        assert reply.status == 422, wrong
    assert (await bob.request("PATCH", f"/api/admin/users/{bob.id}", json={"limits": {}})).status == 403


async def test_a_key_has_its_own_limits_inside_its_user_s(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    body = {"name": "narrow", "limits": {"requests_per_minute": 1, "tokens_per_day": 10**9}}
    made = (await bob.request("POST", "/api/keys", json=body)).json
    assert made["limits"]["requests_per_minute"] == 1
    program = Person(server.port, ("X-API-Key", made["key"]))
    assert (await program.ask("One?")).done
    sentence, _ = await refused(program, "too_many_requests")
    assert sentence.startswith("This key has")
    assert (await bob.ask("Two?")).done
    assert (await usage(program))["left_of_key"]["requests_per_minute"]["left"] == 0
    await limited(ann, bob, tokens_per_day=30)
    made = (await bob.request("POST", "/api/keys", json=body)).json
    sentence, _ = await refused(Person(server.port, ("X-API-Key", made["key"])), "tokens_spent")
    assert sentence.startswith("You have")


# ── During the stream ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_whose_budget_is_reached_ends_and_keeps_its_text(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await limited(ann, bob, tokens_per_day=100)
    talk = await Talk.begin(bob)
    upstream.script(*words(10))
    answer = await talk.ask("Count.")
    assert answer.error is not None
    assert (answer.error["code"], answer.done) == ("budget_spent", True)
    assert "100 tokens today" in answer.error["message"]
    await upstream.requests[-1].is_closed()
    assert 300 < len(answer.text) <= 1000
    shown = (await talk.branch())[-1]
    assert (shown["parts"][0]["text"], shown["error"]["code"]) == (answer.text, "budget_spent")
    run = (await bob.run(answer.run_id)).json
    assert (run["status"], run["error"]["code"]) == ("failed", "budget_spent")
    (today,) = (await usage(bob))["items"]
    assert (today["estimated"], today["output_tokens"]) == (True, len(answer.text) // 4)
    await refused(bob, "tokens_spent")


async def test_a_budget_in_money_is_counted_by_the_price_of_the_model(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await limited(ann, bob, budget_per_month=0.0002)  # 200 millionths: 133 tokens of gpt-3.5-turbo's at $1.5 a million
    upstream.script(*say("Hello", usage=True))
    await bob.ask("Well?")
    (today,) = (await usage(bob))["items"]
    assert (today["cost"], today["priced"], today["estimated"]) == (pytest.approx(1e-5, abs=1e-6), True, False)
    upstream.script(*words(20))
    answer = await bob.ask("Count.")
    assert answer.error is not None
    assert (answer.error["code"], "of $0.0002 this month" in answer.error["message"]) == ("budget_spent", True)
    sentence, wait = await refused(bob, "budget_spent")
    assert ("UTC" in sentence, wait <= 31 * 24 * 3600) == (True, True)


async def test_an_answer_goes_on_with_what_another_one_gave_back(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await limited(ann, bob, tokens_per_day=1100)  # the first sets 1000 aside, so the second begins with a handful
    upstream.script(Status(), Send(chunk("one ")), Gate("first"), *say("two")[2:])
    first = await bob.open_chat("One?")
    await first.read_until(when=lambda stream: b"one " in stream.body)
    upstream.script(Status(), Send(chunk("two ")), Gate("second"), *say(*[WORDS] * 8)[1:])
    second = await bob.open_chat("Two?")
    await second.read_until(when=lambda stream: b"two " in stream.body)
    upstream.open("first")
    async with first:
        await first.read()
    upstream.open("second")
    async with second:
        await second.read()
    assert (b'"error"' in second.body, second.body.count(b"word ") >= 160) == (False, True)


# ── What counts ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_limits_survive_a_crash_and_what_was_said_until_then_is_counted(
    server: Server, upstream: Upstream
) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await limited(ann, bob, tokens_per_day=60)
    upstream.script(*words(1))
    stream = await bob.open_chat("Count.")
    await stream.read_until(when=lambda stream: stream.body.count(b"word ") == 20)
    await server.restart()
    stream.close()
    (today,) = (await usage(bob))["items"]
    assert (today["output_tokens"], today["estimated"], today["requests"]) == (25, True, 1)
    await limited(ann, bob, tokens_per_day=today["input_tokens"] + 25)
    await refused(bob, "tokens_spent")
    await server.close()
    assert [row["tariff"] for row in check(server.database).usages] == [None]


async def test_deleting_a_conversation_gives_nothing_back(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await limited(ann, bob, tokens_per_day=40)
    talk = await Talk.begin(bob)
    await talk.ask("Well?")
    await talk.delete()
    assert (await usage(bob))["left"]["tokens_per_day"]["spent"] == 15
    await limited(ann, bob, tokens_per_day=15)
    await refused(bob, "tokens_spent")


async def test_an_endpoint_that_refuses_costs_a_request_and_no_tokens(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    upstream.script(*error_status(401))
    assert (await ann.ask("Well?")).error is not None
    (today,) = (await usage(ann))["items"]
    assert (today["requests"], today["input_tokens"], today["output_tokens"]) == (1, 0, 0)


@pytest.mark.settings(TITLES=1)
async def test_titles_count_and_are_not_bought_when_nothing_is_left(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    talk = await Talk.begin(bob)
    await talk.ask("Well?")
    await until(lambda: upstream.calls == 2, "a title is asked for")

    async def counted() -> bool:
        return (await usage(bob))["items"][0]["input_tokens"] == 24

    await until(counted, "it is counted")
    assert (await usage(bob))["items"][0]["requests"] == 1
    await limited(ann, bob, tokens_per_day=90)
    await (await Talk.begin(bob)).ask("And then?")
    await until(lambda: "title.unaffordable" in server.log, "a title is done without")
    await limited(ann, bob, tokens_per_day=0)
    await bob.ask("Alone?")
    assert upstream.calls == 4


async def test_each_sees_their_own_use_and_the_administrator_everybody_s(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob, carl = await ann.invited("bob"), await ann.invited("carl")
    for person in (bob, bob, carl):
        await person.ask("Well?")
    (mine,) = (await usage(bob))["items"]
    assert (mine["model"], mine["requests"], mine["input_tokens"]) == ("openai/gpt-3.5-turbo", 2, 24)
    everyone = (await ann.request("GET", "/api/admin/usage")).json
    assert sorted((item["user_id"], item["requests"]) for item in everyone["items"]) == sorted(
        [(bob.id, 2), (carl.id, 1)]
    )
    one = (await ann.request("GET", "/api/admin/usage", query={"limit": "1"})).json
    rest = (await ann.request("GET", "/api/admin/usage", query={"before": one["next"]})).json
    assert one["items"] + rest["items"] == everyone["items"]
    his = (await ann.request("GET", "/api/admin/usage", query={"user": carl.id})).json["items"]
    assert [item["user_id"] for item in his] == [carl.id]
    assert (await bob.request("GET", "/api/admin/usage")).status == 403
    for query in ({"days": "0"}, {"days": "400"}, {"before": "x"}, {"before": "1"}):
        assert (await bob.request("GET", "/api/usage", query=query)).status == 422, query


async def test_without_accounts_nothing_is_limited_and_all_is_counted(serve: Serve, upstream: Upstream) -> None:
    server = await serve(
        ACCOUNTS=0, MAX_RUNS_PER_USER=1, REQUESTS_PER_MINUTE=1, TOKENS_PER_DAY=1, BUDGET_PER_MONTH="0.000001"
    )
    client = Client(server.port)
    answers = await asyncio.gather(*(client.ask(f"Number {number}?") for number in range(5)))
    assert {answer.text for answer in answers} == {"Hello there"}
    told = (await client.request("GET", "/api/usage")).json
    assert [(item["requests"], item["priced"]) for item in told["items"]] == [(5, False)]
    assert {share["limit"] for share in told["left"].values()} == {None}
