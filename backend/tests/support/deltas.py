"""What a provider gives, one after the other, for tests that stand between."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from app.models import Delta, Prompt
from app.providers.base import Provider


async def stream(provider: Provider, prompt: Prompt) -> AsyncGenerator[Sequence[Delta]]:
    """The deltas of an answer as they come. Closing it gives the answer up."""
    given: asyncio.Queue[Sequence[Delta] | None] = asyncio.Queue()
    answering = asyncio.create_task(provider.answer(prompt, given.put_nowait))
    answering.add_done_callback(lambda _: given.put_nowait(None))
    try:
        while (deltas := await given.get()) is not None:
            yield deltas
        await answering
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
