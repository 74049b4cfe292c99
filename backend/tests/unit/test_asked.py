"""For how long a GET without key finds what the same question started."""

import pytest

from app.clock import Clock
from app.models import RunStatus
from app.services.asked import ATTACH_SECONDS, MAX_QUESTIONS, Asked, Question

QUESTION = Question("local", "fingerprint")


class StoppedClock(Clock):
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


class Memory:
    """What is under test, with a question that a run has been started for."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.asked = Asked(self.clock)

    async def start(self, question: Question = QUESTION, run_id: str = "run") -> None:
        self.asked.started(self.asked.claim(question), run_id)
        assert await self.found(question) == run_id

    async def found(self, question: Question = QUESTION) -> str | None:
        found = self.asked.find(question)
        return None if found is None else await found


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted"])
async def test_an_answer_that_nobody_heard_is_found_for_a_minute_after_its_end(
    memory: Memory, status: RunStatus
) -> None:
    await memory.start()
    memory.clock.at += 10_000
    assert await memory.found() == "run"  # it runs: however long
    memory.asked.ended("run", status)
    memory.clock.at += ATTACH_SECONDS
    assert await memory.found() == "run"
    memory.clock.at += 0.001
    assert ATTACH_SECONDS == 60
    assert await memory.found() is None


async def test_a_stopped_one_is_not_found_and_one_that_was_heard_neither(memory: Memory) -> None:
    await memory.start()
    memory.asked.ended("run", "cancelled")
    assert await memory.found() is None
    await memory.start(run_id="next")
    memory.asked.ended("next", "completed")
    memory.asked.delivered("next")
    assert await memory.found() is None


async def test_it_belongs_to_who_asked(memory: Memory) -> None:
    await memory.start()
    assert await memory.found(Question("another", "fingerprint")) is None
    assert await memory.found(Question("local", "another")) is None


async def test_who_waits_for_a_question_that_could_not_be_started_is_refused_as_well(memory: Memory) -> None:
    claim = memory.asked.claim(QUESTION)
    waiting = memory.asked.find(QUESTION)
    assert waiting is not None
    memory.asked.release(claim, ValueError("no room"))
    with pytest.raises(ValueError, match="no room"):
        await waiting
    assert await memory.found() is None


async def test_only_so_many_questions_are_kept_and_the_oldest_goes_first(memory: Memory) -> None:
    for number in range(MAX_QUESTIONS + 1):
        await memory.start(Question("local", str(number)), f"run-{number}")
    assert await memory.found(Question("local", "0")) is None
    assert await memory.found(Question("local", "1")) == "run-1"
    memory.asked.ended("run-0", "completed")  # its end is nobody's business any more
