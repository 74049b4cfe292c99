"""`kill -9` at random moments, again and again: what was seen is kept, nothing is called twice or left half alive."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.support.client import Answer, Client, read_answer
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import DONE, Send, Sleep, Status, Step, chunk
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.upstream_connection import Seen

ASKERS = 8  # in each life of the service
LIFE_SECONDS = 0.7  # from the first question to the kill, at most: answers take about half of that
SYLLABLES = ("one ", "둘", "😀", "\n\n", "e\u0301", "\u2028", '"\\', "data: ", "long " * 40)


@dataclass
class Asker:
    """Somebody who asks once, and what came of it."""

    question: str
    how: str  # "bare", "post" or "get", all three with a key
    after: float  # seconds
    answer: Answer | None = None  # None: not even a head came back

    async def ask(self, client: Client) -> None:
        """Read until the end, or until the service dies."""
        await asyncio.sleep(self.after)
        try:
            self.answer = await self._ask(client)
        except ConnectionError:
            self.answer = None

    async def ask_again(self, client: Client) -> Answer:
        """The same request, to the letter."""
        return await self._ask(client)

    async def _ask(self, client: Client) -> Answer:
        bare, get = self.how == "bare", self.how == "get"
        stream = await client.open_chat(self.question, key=self.question, resumable=not bare, get=get)
        return await read_answer(stream, bare=bare)


def words(question: str) -> list[str]:
    """What the model says to a question, always the same."""
    chance = random.Random(question)
    return [chance.choice(SYLLABLES) + f"{number} " for number in range(chance.randint(1, 60))]


def script(question: str) -> Sequence[Step]:
    """How it says it: now quick, now slow, sometimes thinking first."""
    chance = random.Random(question)
    steps: list[Step] = [Status(), Sleep(chance.choice([0, 0, 0.05, 0.2]))]
    if chance.random() < 0.3:
        steps.append(Send(chunk(reasoning_content="흠… ")))
    for word in words(question):
        steps += [Send(chunk(word)), *([Sleep(chance.random() * 0.02)] if chance.random() < 0.5 else [])]
    return [*steps, Send(chunk(finish_reason="stop") + DONE)]


async def one_life(server: Server, upstream: Upstream, seed: int) -> int:
    """Ask, kill, start again, and look at everything; how many answers the kill interrupted."""
    chance = random.Random(seed)
    client = Client(server.port)
    askers = [
        Asker(f"{seed}-{number}", chance.choice(["bare", "post", "get"]), chance.random() * LIFE_SECONDS / 2)
        for number in range(ASKERS)
    ]
    asking = [asyncio.create_task(asker.ask(client)) for asker in askers]
    await asyncio.sleep(chance.random() * LIFE_SECONDS)
    await server.kill()
    await asyncio.gather(*asking)
    if chance.random() < 0.3:  # and once more, at any moment of the start
        server.spawn()
        await asyncio.sleep(chance.random())
        await server.kill()
    await server.start()
    books = check(server.database)
    await asyncio.gather(*(look_at(asker, client, books, upstream) for asker in askers))
    client.close()
    mine = {asker.answer.run_id for asker in askers if asker.answer is not None}
    return sum(run["id"] in mine and run["status"] == "interrupted" for run in books.runs)


async def look_at(asker: Asker, client: Client, books: Books, upstream: Upstream) -> None:
    """What this one saw, sees on resuming, and sees on asking again, is one and the same answer, bought once."""
    whole = "".join(words(asker.question))
    bought = asked(upstream)[asker.question]
    again = await asker.ask_again(client)
    assert again.done
    assert again.over == "complete"
    if asker.answer is None and not again.replayed:
        assert bought == 0, "it was called although the run was never kept"
        assert again.text == whole
        return
    assert again.replayed
    assert asked(upstream)[asker.question] == bought, "it was called again"
    run, kept = books.run(again.run_id), books.text(again.run_id)
    assert run["status"] in ("completed", "interrupted")
    assert whole.startswith(kept)
    assert again.text == kept
    assert (again.error or {"code": "completed"})["code"] == run["status"]
    assert run["status"] == "interrupted" or kept == whole
    if (seen := asker.answer) is None:
        return
    assert seen.run_id == again.run_id
    assert kept.startswith(seen.text), "a reader saw more than was kept"
    if seen.done:
        assert (run["status"], seen.text, seen.error) == ("completed", whole, None)
    if seen.cursor:
        await resumes(seen, run["status"], kept, client)


async def resumes(seen: Answer, status: str, kept: str, client: Client) -> None:
    """By cursor it gets the rest, then the truth about the end."""
    rest = await client.follow(seen.run_id, seen.cursor)
    if seen.done:
        assert rest.status == 204
        return
    assert seen.text + rest.text == kept
    assert rest.done
    assert (rest.error or {"code": "completed"})["code"] == status


def asked(upstream: Upstream) -> Counter[str]:
    """How often each question reached the upstream."""
    return Counter(seen.question for seen in upstream.requests)


async def lives(serve: Serve, upstream: Upstream, number: int) -> None:
    """So many of them, on one database."""
    upstream.otherwise(answer=answer)
    server = await serve()
    interrupted = 0
    for life in range(number):
        seed = random.SystemRandom().randrange(10**9)
        print(f"life {life + 1} of {number}: seed {seed}")
        try:
            interrupted += await one_life(server, upstream, seed)
        except AssertionError as why:
            raise AssertionError(f"with seed {seed}: {why}") from why
        twice = {question: times for question, times in asked(upstream).items() if times > 1}
        assert not twice, f"with seed {seed}: called twice: {twice}"
    assert interrupted >= number / 5, "the kills came too late to interrupt anything"


def answer(seen: Seen) -> Sequence[Step]:
    """What the upstream does with a request."""
    return script(seen.question)


async def test_killed_ten_times_at_random_moments_everything_seen_is_kept_and_nothing_is_called_twice(
    serve: Serve, upstream: Upstream
) -> None:
    await lives(serve, upstream, 10)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_killed_two_hundred_times_at_random_moments_everything_seen_is_kept_and_nothing_is_called_twice(
    serve: Serve, upstream: Upstream
) -> None:
    await lives(serve, upstream, 200)
