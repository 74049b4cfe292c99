"""The embedded model keeps the contract of a provider, and its process never outlives its use."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import aiohttp
import psutil
import pytest

from app.errors import ModelNotConfigured, ProviderError, UpstreamInterrupted, UpstreamRejected, UpstreamUnavailable
from app.models import Delta, FinishDelta, NoteDelta, Prompt, TextDelta, Turn, UsageDelta
from app.providers.base import Unbilled
from app.providers.local import LocalProvider, problem
from app.settings import BACKEND
from tests.support.deltas import stream
from tests.support.waiting import until

pytestmark = pytest.mark.alone  # the model's threads wait for each other by spinning, one on each core
ONE_WORD = Prompt((Turn("user", "Say hello."),), max_tokens=8, temperature=0)
LONG = Prompt((Turn("user", "Tell a very long story about the sea."),), max_tokens=1000, temperature=0.7)


def processes() -> list[psutil.Process]:
    """The model's processes that this one has started and that still live."""
    return [child for child in psutil.Process().children() if is_model(child)]


def is_model(process: psutil.Process) -> bool:
    try:
        return "app.providers.local_worker" in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended while we looked
        return False


async def ask(model: LocalProvider, prompt: Prompt = ONE_WORD) -> list[Delta]:
    async with aclosing(stream(model, prompt)) as answer:
        try:
            return await rest(answer)
        except Unbilled as unbilled:
            raise unbilled.error from unbilled


async def rest(answer: AsyncIterator[Sequence[Delta]]) -> list[Delta]:
    return [delta async for deltas in answer for delta in deltas]


@pytest.fixture
async def model() -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(None, idle_seconds=60)
    yield provider
    await provider.close()
    assert not processes()


async def test_the_first_answer_says_that_the_model_is_loading_and_the_second_does_not(model: LocalProvider) -> None:
    assert not processes(), "nothing runs before the first use"
    first, second = await ask(model), await ask(model)
    assert first[:2] == [NoteDelta("The embedded model is loading."), NoteDelta(None)]
    assert not any(isinstance(delta, NoteDelta) for delta in second)
    for answer in (first, second):
        assert any(isinstance(delta, TextDelta) for delta in answer)
        assert any(isinstance(delta, FinishDelta) for delta in answer)
        assert any(isinstance(delta, UsageDelta) for delta in answer)


async def test_answers_asked_together_share_one_start(model: LocalProvider) -> None:
    answers = await asyncio.gather(*(ask(model) for _ in range(6)))
    assert all(any(isinstance(delta, FinishDelta) for delta in answer) for answer in answers)
    assert len(processes()) == 1


async def test_only_who_has_the_key_is_answered_and_nobody_sees_the_key(model: LocalProvider) -> None:
    await ask(model)
    (process,) = processes()
    (socket,) = [one for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
    assert socket.laddr.ip == "127.0.0.1"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{socket.laddr.port}") as stranger:
        for path in ("/v1/chat/completions", "/completion", "/tokenize"):
            async with stranger.post(path, json={"prompt": "x", "messages": [], "content": "x"}) as response:
                assert response.status == 401
        async with stranger.get("/slots") as response:
            assert response.status == 401
    secret = next(word for word in process.cmdline() if word.endswith(".gguf"))
    assert process.cmdline()[-3:] == [secret, "4", "4096"], "the arguments hold the file and two numbers, no key"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_what_the_process_prints_goes_nowhere(model: LocalProvider) -> None:
    await ask(model)
    (process,) = processes()
    assert [Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in (1, 2)] == [Path(os.devnull)] * 2


async def test_a_prompt_that_does_not_fit_is_refused_with_a_sentence(model: LocalProvider) -> None:
    with pytest.raises(UpstreamRejected) as refusal:
        await ask(model, Prompt((Turn("user", "word " * 6000),), max_tokens=8, temperature=0))
    assert "too long for the embedded model" in refusal.value.message
    assert await ask(model), "the next answer is not affected"


async def test_it_goes_on_from_a_last_assistant_turn(model: LocalProvider) -> None:
    assert model.info.continues
    turns = (
        Turn("user", "Count from one to ten in words, separated by commas."),
        Turn("assistant", "One, two, three,"),
    )
    said = await ask(model, Prompt(turns, max_tokens=12, temperature=0, continues=True))
    text = "".join(delta.text for delta in said if isinstance(delta, TextDelta))
    assert text.startswith((" four", "four")), text


async def test_closing_an_answer_stops_the_writing(model: LocalProvider) -> None:
    async with aclosing(stream(model, LONG)) as answer:
        async for deltas in answer:
            if any(isinstance(delta, TextDelta) for delta in deltas):
                break
    (process,) = processes()

    async def rests() -> bool:
        before = process.cpu_times().user
        await asyncio.sleep(0.3)
        return process.cpu_times().user - before < 0.1

    await until(rests, "the process rests", timeout=3)  # the story alone takes ten seconds


async def test_a_crash_in_an_answer_ends_that_answer_and_the_next_one_starts_anew(model: LocalProvider) -> None:
    async with aclosing(stream(model, LONG)) as answer:
        async for deltas in answer:
            if any(isinstance(delta, TextDelta) for delta in deltas):
                break
        processes()[0].kill()
        with pytest.raises(UpstreamInterrupted):
            await rest(answer)
    assert (await ask(model))[0] == NoteDelta("The embedded model is loading.")


async def test_a_crash_between_answers_costs_at_most_one(model: LocalProvider) -> None:
    await ask(model)
    processes()[0].kill()
    try:
        await ask(model)
    except UpstreamUnavailable:  # it was asked before its end was known
        await ask(model)


async def test_it_leaves_memory_when_idle_and_never_during_an_answer() -> None:
    model = LocalProvider(None, idle_seconds=0.2)
    await ask(model, Prompt(LONG.turns, max_tokens=150, temperature=0.7))  # takes longer than the idle time
    await until(lambda: not processes(), "the idle process is stopped")
    assert (await ask(model))[0] == NoteDelta("The embedded model is loading.")
    await model.close()


async def test_closing_while_it_starts_leaves_no_process() -> None:
    model = LocalProvider(None, idle_seconds=60)
    waiting = asyncio.create_task(ask(model), name="waiting")
    await until(processes, "the process is there")
    await model.close()
    assert not processes()
    with pytest.raises(UpstreamUnavailable):
        await waiting


PARENT = """
import asyncio, sys
from app.models import Prompt, Turn
from app.providers.base import Unbilled
from app.providers.local import LocalProvider

async def main():
    prompt = Prompt((Turn("user", "Tell a story."),), 1000, 0.7)
    await LocalProvider(None, 60).answer(prompt, lambda deltas: print(deltas, flush=True))

asyncio.run(main())
"""


@pytest.mark.parametrize("said", [b"loading", b"TextDelta"])
async def test_the_process_dies_with_a_parent_that_is_killed(said: bytes) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=BACKEND, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        while said not in parent.stdout.readline():
            assert parent.poll() is None
        (child,) = await until(psutil.Process(parent.pid).children, "the model's process is there")
        # It is a child from its fork on, and on its own a moment later.
        await until(lambda: os.getsid(child.pid) == child.pid, "Ctrl-C does not reach it")
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "it is gone", timeout=5)


async def test_a_file_that_is_no_model_fails_the_answer_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(b"GGUF but not really")
    model = LocalProvider(tmp_path / "own.gguf", idle_seconds=60)
    assert model.info.id == "embedded/own"
    for _ in range(2):
        with pytest.raises(ProviderError) as failure:
            await ask(model)
        assert failure.value.code == ("upstream_unavailable" if problem(None) is None else "model_not_configured")
    await model.close()
    assert not processes()


async def test_a_model_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    missing = tmp_path / "missing.gguf"
    assert problem(missing) is not None
    with pytest.raises(ModelNotConfigured):
        await ask(LocalProvider(missing, idle_seconds=60))
