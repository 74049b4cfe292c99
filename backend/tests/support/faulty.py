"""The service with something broken inside its process: Python code that runs before it does."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from tests.support.fixtures import Serve
from tests.support.server import Server

# The garbage collector never rests.
COLLECT = """
import gc, threading, time

def collect():
    while True:
        gc.collect()
        time.sleep(0.05)

threading.Thread(target=collect, daemon=True).start()
"""

# A mistake of ours in the middle of an answer to "Break the run.", and in every look at a run's state.
BREAK = """
from app.providers.openai import OpenAIProvider
from app.services.ai_service import AIService

answer = OpenAIProvider.answer

async def broken_answer(self, prompt, take):
    def take_and_break(deltas):
        take(deltas)
        if prompt.turns[-1].content == "Break the run.":
            raise ZeroDivisionError("private words")
    await answer(self, prompt, take_and_break)

async def broken_run(self, principal, run_id):
    raise ZeroDivisionError("private words")

OpenAIProvider.answer = broken_answer
AIService.run = broken_run
"""


class _Faulty(Server):
    fault = ""

    def command(self) -> Sequence[str]:
        code = f"{self.fault}\nfrom tests.support.launch import main\nmain()"
        return [sys.executable, "-c", code, "serve"]


@asynccontextmanager
async def faulty(serve: Serve, fault: str) -> AsyncGenerator[Server]:
    """A running service with that fault."""
    made = serve.make()
    server = _Faulty(made.folder, made.env, made.port)
    server.fault = fault
    try:
        yield await server.start()
    finally:
        await server.close()
