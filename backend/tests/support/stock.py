"""Stock clients of the standard doors, as their own documentation sets them up."""

from typing import Any

import openai

from tests.support.server import Server

COMPLETIONS = "/v1/chat/completions"
MODEL = "gpt-3.5-turbo"


def asynchronous(server: Server, **more: Any) -> openai.AsyncOpenAI:
    """OpenAI's own client for coroutines; it asks once unless `max_retries` says more."""
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="not-looked-at", **{"max_retries": 0, **more})


def synchronous(server: Server, **more: Any) -> openai.OpenAI:
    """OpenAI's own client for threads."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="not-looked-at", **{"max_retries": 0, **more})


def user(text: str) -> list[Any]:
    """The messages of one question."""
    return [{"role": "user", "content": text}]
