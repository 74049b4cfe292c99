"""Much at once, and whatever is thrown at it: every answer exact, limits kept, the process alive and well."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.client import Client, read_answer
from tests.support.script import Cut, Gate, Send, Status, Step, chunk, say, serve_body, stream
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.upstream_connection import Seen
from tests.support.waiting import until

pytestmark = pytest.mark.alone  # what is told of a crowd is about the service, not about other tests
SHARED_SETTINGS = {"ABANDON_SECONDS": 60}
ALPHABET = ("plain ", "안녕 ", "😀", "नमस्ते ", "\n\n", "\u2028", '"\\', "data: x\r\n", "e\u0301")


def text_of(question: str) -> list[str]:
    """What the model says to a question, always the same."""
    chance = random.Random(question)
    return [chance.choice(ALPHABET) * chance.randint(1, 4) for _ in range(chance.randint(5, 60))]


def cut_anywhere(seen: Seen) -> Sequence[Step]:
    """Says it in one stream of bytes that is cut wherever chance will have it."""
    body = stream(*text_of(seen.question))
    chance = random.Random(seen.question + "!")
    places = sorted(chance.sample(range(1, len(body)), min(len(body) - 1, chance.randint(1, 40))))
    return serve_body(body, cut=Cut(places, lockstep=False))


async def test_two_hundred_streams_at_once_all_get_their_exact_text(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(answer=cut_anywhere)
    questions = [f"Question {number}" for number in range(200)]
    answers = await asyncio.gather(
        *(
            shared_client.ask(question, bare=number % 3 == 0, get=number % 3 == 1)
            for number, question in enumerate(questions)
        )
    )
    for question, answer in zip(questions, answers, strict=True):
        assert (answer.text, answer.done, answer.error) == ("".join(text_of(question)), True, None)
    assert len({answer.run_id for answer in answers}) == shared_upstream.calls == 200
    assert (await shared_client.request("GET", "/ready")).status == 200


async def test_two_hundred_streams_that_live_at_the_same_time_all_get_their_exact_text(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    def together(seen: Seen) -> Sequence[Step]:
        first, *rest = text_of(seen.question)
        return [Status(), Send(chunk(first)), Gate("all"), Send(stream(*rest))]

    shared_upstream.otherwise(answer=together)
    asking = [asyncio.create_task(shared_client.ask(f"Question {number}")) for number in range(200)]
    await shared_upstream.at_gate("all", 200)
    shared_upstream.open("all")
    for number, answer in enumerate(await asyncio.gather(*asking)):
        assert (answer.text, answer.done) == ("".join(text_of(f"Question {number}")), True)
    assert shared_upstream.calls == 200


@pytest.mark.settings(MAX_RUNS=20)
async def test_of_a_hundred_questions_at_once_twenty_are_taken_and_the_others_refused_and_not_bought(
    client: Client, upstream: Upstream
) -> None:
    upstream.otherwise(*say("one", gate="end"))
    opened = await asyncio.gather(*(client.open_chat(f"Question {number}") for number in range(100)))
    taken, refused = ([one for one in opened if one.status == status] for status in (200, 503))
    assert (len(taken), len(refused)) == (20, 80)
    for one in refused:
        reply = await one.read()
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert int(reply.headers["Retry-After"]) > 0
        assert (reply.json["code"], reply.json["retryable"]) == ("too_many_runs", True)
    upstream.open("end")
    assert [(await read_answer(one)).text for one in taken] == ["one"] * 20
    assert upstream.calls == 20
    assert (await client.ask("And now?")).text == "one"
    assert (await client.request("GET", "/ready")).status == 200


@pytest.mark.settings(MAX_RUNS=1)
async def test_who_reads_on_or_repeats_a_key_is_let_in_although_it_is_full(client: Client, upstream: Upstream) -> None:
    upstream.script(*say("one ", "two", gate="words"))
    upstream.open("words", 1)
    seen = await client.ask("Count.", key="first", until=1)
    assert (await client.ask("Another.", key="second")).status == 503
    again = await client.open_chat("Count.", key="first")
    rest = await client.open_events(seen.run_id, seen.cursor)
    upstream.open("words")
    assert (await read_answer(again)).text == "one two"
    assert (await read_answer(rest)).text == "two"
    assert upstream.calls == 1


def connections(server: Server) -> int:
    """Open sockets of the process (Linux)."""
    return sum(_is_socket(file) for file in Path(f"/proc/{server.pid}/fd").iterdir())


def _is_socket(file: Path) -> bool:
    try:
        return str(file.readlink()).startswith("socket:")
    except FileNotFoundError:  # closed since it was listed
        return False


async def test_a_hundred_readers_of_one_run_all_get_it_whole_and_leave_nothing_open(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    words = text_of("one run") * 3
    shared_upstream.script(*say(*words, gate="words"))
    shared_upstream.open("words", 1)
    first = await shared_client.ask("Question", until=1)
    before = connections(shared_server)
    chance = random.Random(7)
    readers = [
        asyncio.create_task(shared_client.follow(first.run_id, until=chance.choice([None, 1, 5, 20])))
        for _ in range(100)
    ]
    await until(lambda: connections(shared_server) > before, "they are there")
    shared_upstream.open("words")
    for answer in await asyncio.gather(*readers):
        assert "".join(words).startswith(answer.text)
        if answer.over:
            assert (answer.text, answer.done) == ("".join(words), True)
        else:
            rest = await shared_client.follow(first.run_id, answer.cursor)
            assert answer.text + rest.text == "".join(words)
    await until(lambda: connections(shared_server) <= before, "all connections are closed")
    assert shared_upstream.calls == 1


async def test_a_fast_model_is_told_in_fewer_frames_and_the_service_stays_responsive(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    words = [f"{number} " for number in range(2000)]
    shared_upstream.otherwise(*say(*words))
    asking = [asyncio.create_task(shared_client.ask(f"Question {number}")) for number in range(10)]
    waits: list[float] = []
    while not all(one.done() for one in asking):
        began = time.monotonic()
        assert (await shared_client.request("GET", "/health")).status == 200
        waits.append(time.monotonic() - began)
    for answer in await asyncio.gather(*asking):
        assert (answer.text, answer.done) == ("".join(words), True)
        assert answer.chunks < len(words) / 2
    assert max(waits) < 2.0


async def test_fifty_large_histories_at_once_do_not_stop_a_stream(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    history = [{"role": role, "content": "가나다라 " * 650} for _ in range(32) for role in ("user", "assistant")]

    def by_question(seen: Seen) -> Sequence[Step]:
        return say(*["."] * 200, pause=0.01) if seen.question == "Stream." else say("ok")

    shared_upstream.otherwise(answer=by_question)
    body = await shared_client.open_chat("Stream.")
    gaps: list[float] = []

    async def watch() -> None:
        last = time.monotonic()
        async for _ in body.pieces():
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    watching = asyncio.create_task(watch())
    answers = await asyncio.gather(*(shared_client.ask(f"Question {number}", history) for number in range(50)))
    assert [answer.text for answer in answers] == ["ok"] * 50
    await watching
    assert "".join(event.json.get("chunk", "") for event in body.events) == "." * 200
    assert max(gaps) < 3.0, "it was written every 10 ms"
    large = [seen for seen in shared_upstream.requests if seen.question.startswith("Question")]
    assert all(len(seen.json["messages"]) == 65 for seen in large)
