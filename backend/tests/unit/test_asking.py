"""Money, as a function: for everything that models may do, who is asked, how often, and what is told."""

import asyncio
from collections.abc import Sequence
from itertools import product

import pytest

from app.errors import ProviderError, UpstreamInterrupted, UpstreamRejected, UpstreamUnavailable
from app.models import Delta, FinishDelta, Prompt, TextDelta, Turn
from app.providers.base import ModelInfo, Take, Unbilled
from app.services.asking import MAX_ATTEMPTS, Candidate, ask

PROMPT = Prompt((Turn("user", "Well?"),), 10, 0.7)
DEEDS = ("answers", "breaks", "refuses", "unbilled", "unbilled for long")


class Scripted:
    """Does the same whenever it is asked."""

    def __init__(self, number: int, deed: str, asked: list[int]) -> None:
        self.info = ModelInfo(f"p/{number}", f"{number}", "p")
        self.number, self.deed, self.asked = number, deed, asked

    def expect(self, coming: int) -> None: ...

    async def answer(self, prompt: Prompt, take: Take) -> None:
        self.asked.append(self.number)
        match self.deed:
            case "answers":
                take([TextDelta("said"), FinishDelta("stop")])
            case "breaks":
                take([TextDelta("half")])
                raise UpstreamInterrupted(f"{self.number} broke")
            case "refuses":
                raise UpstreamRejected(f"{self.number} refused")
            case "unbilled":
                raise Unbilled(UpstreamUnavailable(f"{self.number} is away"), 0)
            case _:
                raise Unbilled(UpstreamUnavailable(f"{self.number} is away"), None)

    async def close(self) -> None: ...


async def asked(*deeds: str) -> tuple[list[int], list[tuple[int, str]], str]:
    """Who was asked, what was intended, and the text or the error's sentence."""
    order: list[int] = []
    intents: list[tuple[int, str]] = []

    async def intend(attempt: int, candidate: Candidate) -> None:
        assert len(order) == attempt - 1, "the intent comes before the question"
        intents.append((attempt, candidate.provider.info.id))

    candidates = [Candidate(Scripted(number, deed, order), PROMPT) for number, deed in enumerate(deeds)]
    text = ""

    def take(deltas: Sequence[Delta]) -> None:
        nonlocal text
        text += "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    try:
        await ask(candidates, intend, take)
    except ProviderError as error:
        return order, intents, error.message
    return order, intents, text


@pytest.mark.parametrize(
    ("deeds", "order", "told"),
    [
        (["answers"], [0], "said"),
        (["unbilled"], [0, 0], "0 is away"),
        (["unbilled for long"], [0], "0 is away"),
        (["unbilled", "answers"], [0, 1], "said"),
        (["unbilled for long", "answers"], [0, 1], "said"),
        (["unbilled", "unbilled"], [0, 1, 1], "1 is away"),
        (["unbilled", "unbilled for long"], [0, 1], "1 is away"),
        (["unbilled", "refuses"], [0, 1], "1 refused"),
        (["refuses", "answers"], [0], "0 refused"),
        (["breaks", "answers"], [0], "0 broke"),
        (["unbilled", "unbilled for long", "unbilled"], [0, 1, 2], "2 is away"),
        (["unbilled", "unbilled", "answers"], [0, 1, 2], "said"),
        (["unbilled", "unbilled", "unbilled", "answers"], [0, 1, 2], "2 is away"),
    ],
)
async def test_who_is_asked(deeds: list[str], order: list[int], told: str) -> None:
    found, _, said = await asked(*deeds)
    assert (found, said) == (order, told)


async def test_whatever_they_do_the_rules_hold() -> None:
    for length in (1, 2, 3):
        for deeds in product(DEEDS, repeat=length):
            order, intents, _ = await asked(*deeds)
            assert len(order) <= MAX_ATTEMPTS
            assert order == sorted(order), "never back to one that was given up"
            assert len(order) - len(set(order)) <= 1, "one same model again, once"
            assert intents == [(number + 1, f"p/{who}") for number, who in enumerate(order)][1:]
            assert all(deeds[who].startswith("unbilled") for who in order[:-1]), "nobody after what may be billed"


async def test_an_intent_that_is_not_durable_asks_nobody() -> None:
    order: list[int] = []

    async def fails(attempt: int, candidate: Candidate) -> None:
        raise OSError

    candidates = [Candidate(Scripted(number, "unbilled", order), PROMPT) for number in range(2)]
    with pytest.raises(OSError):  # noqa: PT011 - it is the test's own
        await ask(candidates, fails, lambda _: None)
    assert order == [0]


async def test_whoever_is_cancelled_in_a_pause_asks_nobody() -> None:
    order: list[int] = []
    slow = Scripted(0, "unbilled", order)

    async def answer(prompt: Prompt, take: Take) -> None:
        order.append(0)
        raise Unbilled(UpstreamUnavailable("away"), 5)

    slow.answer = answer

    async def intend(attempt: int, candidate: Candidate) -> None: ...

    task = asyncio.create_task(ask([Candidate(slow, PROMPT)], intend, lambda _: None), name="asking")
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert order == [0]
