"""A conversation's title: its first words at once, then what a model makes of it, once, in the background."""

import signal
import sqlite3
from contextlib import closing

import pytest

from tests.support.client import Client, client_of
from tests.support.fixtures import Serve
from tests.support.invariants import check
from tests.support.script import Gate, Hang, Reset, Send, Status, Step, chunk, error_status, say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Seen, Upstream
from tests.support.waiting import until

QUESTION = "서울에서 하루 동안 무엇을 보면 좋을까요?\n아이와 함께 갑니다."


async def titled(talk: Talk, title: str) -> None:
    """Wait until it has this title."""

    async def found() -> bool:
        return (await talk.body())["title"] == title

    await until(found, f"the title is {title!r}")


def how_titled(server: Server) -> str:
    """Where the title of the only conversation is from."""
    with closing(sqlite3.connect(server.database)) as database:
        return database.execute("SELECT titled FROM conversations").fetchone()[0]


async def test_the_first_words_are_the_title_until_a_model_has_made_one(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk = await Talk.begin(shared_client)
    shared_upstream.script(*say("경복궁과 ", "남산", gate="word"))
    shared_upstream.script(*say("서울 하루 ", "여행", gate="title"))
    shared_upstream.open("word", 1)
    running = await talk.ask(QUESTION, until=1)
    words = (await talk.body())["title"]
    assert words == "서울에서 하루 동안 무엇을 보면 좋을까요? 아이와 함께 갑니다."
    shared_upstream.open("word", 1)
    await shared_client.ended(running.run_id)
    asked = await shared_upstream.request(2)
    assert (await talk.body())["title"] == words, "nobody waits for the title"
    shared_upstream.open("title", 2)
    await titled(talk, "서울 하루 여행")
    assert "경복궁과 남산" in asked.question
    assert asked.json["max_tokens"] <= 64
    await talk.ask("And then?")
    assert shared_upstream.calls == 3, "one title a conversation"


async def test_a_title_costs_what_it_costs_and_that_is_counted(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*say("A title"))
    talk = await Talk.begin(client)
    await talk.ask("Well, what about it?")
    await titled(talk, "A title")
    await server.close()
    columns = ("purpose", "model", "input_tokens", "output_tokens")
    spent = [tuple(row[column] for column in columns) for row in check(server.database).usages]
    assert spent == [("answer", "openai/gpt-3.5-turbo", 12, 3), ("title", "openai/gpt-3.5-turbo", 12, 3)]


@pytest.mark.parametrize(
    "steps",
    [
        error_status(500),
        error_status(401),
        [Reset()],
        say(""),
        say("x" * 300),
        [Status(), Send(chunk("half a ti")), Reset()],
    ],
    ids=["500", "401", "reset", "nothing", "a whole essay", "broken off"],
)
async def test_a_failed_title_leaves_the_first_words_and_is_never_asked_for_again(
    server: Server, client: Client, upstream: Upstream, steps: list[Step]
) -> None:
    upstream.script(*say("An answer"))
    upstream.script(*steps)
    talk = await Talk.begin(client)
    answer = await talk.ask("What is it?")
    assert (answer.text, answer.error) == ("An answer", None)
    await (await upstream.request(2)).answered.wait()
    await talk.ask("And then?")
    assert ((await talk.body())["title"], upstream.calls) == ("What is it?", 3)
    await server.close()
    assert how_titled(server) == "asked"


async def test_a_crash_while_a_title_is_made_does_not_buy_it_twice(
    server: Server, client: Client, upstream: Upstream
) -> None:
    upstream.script(*say("An answer"))
    upstream.script(Status(), Send(chunk("half a ti")), Hang())
    talk = await Talk.begin(client)
    await talk.ask("What is it?")
    await upstream.request(2)
    await server.restart()
    await talk.ask("And then?")
    await talk.ask("And then?")
    assert ((await talk.body())["title"], upstream.calls) == ("What is it?", 4)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_no_title_is_bought_once_the_service_is_shutting_down(
    serve: Serve, upstream: Upstream, number: signal.Signals
) -> None:
    server = await serve(TITLES=1, DRAIN_SECONDS=10)

    def answer(seen: Seen) -> list[Step]:
        if seen.json["messages"][0]["role"] == "system":
            return [Status(), Send(chunk("A title")), Hang()]
        return [Status(), Send(chunk("x ")), Gate(seen.json["messages"][-1]["content"]), *say("y")[1:]]

    upstream.otherwise(answer=answer)
    async with client_of(server.port) as client:
        for name in ("first", "last"):
            await (await Talk.begin(client)).ask(name, until=1)
            await upstream.at_gate(name)
        server.send_signal(number)
        await until(lambda: "drain.started" in server.log, "it drains")
        upstream.open("first")
        await until(lambda: "run.ended" in server.log, "one has ended")
        upstream.open("last")
        await server.wait()
    assert upstream.calls == 2
    assert server.log.count("run.ended") == 2
    assert how_titled(server) == "words", "a later answer may see to it"


async def test_a_title_that_a_person_gave_is_never_replaced(shared_client: Client, shared_upstream: Upstream) -> None:
    given = await Talk.begin(shared_client, title="Mine")
    await given.ask("What is it?")
    assert ((await given.body())["title"], shared_upstream.calls) == ("Mine", 1)
    late = await Talk.begin(shared_client)
    shared_upstream.script(*say("An answer"))
    shared_upstream.script(*say("Theirs", gate="title"))
    await late.ask("What is it?")
    asked = await shared_upstream.request(3)
    await late.change(title="Mine, too")
    shared_upstream.open("title")
    await asked.answered.wait()
    await late.ask("And then?")
    assert (await late.body())["title"] == "Mine, too"


async def test_a_setting_turns_it_off(serve: Serve, upstream: Upstream) -> None:
    server = await serve(TITLES=0)
    talk = await Talk.begin(Client(server.port))
    await talk.ask("What is it?")
    await talk.ask("And then?")
    assert ((await talk.body())["title"], upstream.calls) == ("What is it?", 2)


async def test_the_first_whole_answer_counts_and_a_temporary_conversation_has_no_title_made(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    talk, passing = await Talk.begin(shared_client), await Talk.begin(shared_client, temporary=True)
    await passing.ask("Who goes there?")
    await passing.ask("And then?")
    shared_upstream.script(Status(), Send(chunk("half")), Reset())
    await talk.ask("What is it?")
    assert shared_upstream.calls == 3
    shared_upstream.script(*say("whole"))
    shared_upstream.script(*say("A title"))
    await talk.ask("Again?")
    await titled(talk, "A title")
    assert (await passing.body())["title"] == "Who goes there?"


async def test_the_packaged_model_is_not_asked_for_titles(serve: Serve) -> None:
    """It is too small for them: the first words say more."""
    server = await serve(OPENAI_BASE_URL=None, OPENAI_API_KEY=None)
    talk = await Talk.begin(Client(server.port))
    for _ in range(2):
        answer = await talk.ask("Name three colours.", max_tokens=3)
        assert (answer.done, answer.error) == (True, None)
    assert (await talk.body())["title"] == "Name three colours."
    await server.close()
    assert how_titled(server) == "words"
