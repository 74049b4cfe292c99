"""When our own code breaks, in a request or in a run, people get a sentence, and the log gets no word of theirs."""

import secrets
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from tests.support.client import client_of
from tests.support.problems import refused
from tests.support.server import Server

# The service with three bugs in it: an answer that breaks, one that breaks half-way, and a provider that does.
BROKEN = """
import os
import uvicorn
from starlette.responses import StreamingResponse
from app.main import create_app
from app.providers.openai import OpenAIProvider

app = create_app()

@app.post("/broken")
async def broken(body: dict) -> None:
    raise ValueError(f"cannot use {body}")

@app.get("/half")
async def half(word: str) -> StreamingResponse:
    async def pieces():
        yield "half an answer"
        raise KeyError(word)
    return StreamingResponse(pieces())

async def answer(self, prompt, take):
    raise LookupError(prompt.turns[-1].content)

OpenAIProvider.answer = answer
uvicorn.run(app, port=int(os.environ["PORT"]))
"""


class Broken(Server):
    """A service with bugs."""

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", BROKEN]


@pytest.fixture
async def broken(tmp_path: Path) -> AsyncGenerator[Broken]:
    """It runs."""
    server = Broken(tmp_path, {"OPENAI_API_KEY": f"sk-{secrets.token_hex(8)}", "DRAIN_SECONDS": "1"})
    await server.start()
    yield server
    await server.close()


async def test_a_bug_of_ours_is_told_as_a_sentence_and_logged_without_anyone_s_words(broken: Broken) -> None:
    canary = f"canary{secrets.token_hex(8)}"
    async with client_of(broken.port) as client:
        problem = refused(await client.request("POST", "/broken", json={"message": canary}), 500)
        assert problem["code"] == "internal"
        assert canary not in str(problem)
        with_half = await client.open_stream("GET", "/half", query={"word": canary})
        reply = await with_half.read()
        assert (reply.text, with_half.over) == ("half an answer", "truncated")
        answer = await client.ask(canary)
        assert answer.error is not None
        assert answer.error["code"] == "internal"
        assert canary not in answer.body.decode()
        assert canary not in (await client.run(answer.run_id)).text
        assert (await client.request("GET", "/health")).status == 200
    await broken.close()
    assert "ValueError" in broken.log
    assert "Traceback" not in broken.log
    files = [path.name for path in broken.folder.rglob("*") if path.is_file() and canary.encode() in path.read_bytes()]
    assert files == []
