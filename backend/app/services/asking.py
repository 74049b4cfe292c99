"""Money (api.md): who is asked next, and when nobody is any more. It is decided here and nowhere else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from app.models import Prompt
from app.providers.base import Provider, Take, Unbilled

MAX_ATTEMPTS = 3  # in one run, over all models: whoever waits wants an answer or a sentence


class Candidate(msgspec.Struct, frozen=True):
    """A model that may write the answer, and what it is asked."""

    provider: Provider
    prompt: Prompt
    left_out: int = 0  # turns of the history that its window has no room for


Intent = Callable[[int, Candidate], Awaitable[None]]
"""Called with the number of the attempt and who is asked, before each further one; returns once that is durable."""


async def ask(candidates: Sequence[Candidate], intent: Intent, take: Take) -> None:
    """Give `take` what the first of `candidates` that answers says. The first attempt is covered by the run itself.

    After `Unbilled` the next candidate is asked at once. The last one is asked once more, after the pause that it
    wants. Nobody is asked after anything else: it may have been billed.

    Raises:
        ProviderError: the answer did not complete, or nobody gave one; the last one's is told.
        What `take`, or what it returns, raises.
    """
    attempt, place, again = 1, 0, True
    while True:
        candidate = candidates[place]
        try:
            await candidate.provider.answer(candidate.prompt, take)
        except Unbilled as unbilled:
            error, pause = unbilled.error, unbilled.pause
        else:
            return
        is_last = place + 1 == len(candidates)
        if attempt == MAX_ATTEMPTS or (is_last and (pause is None or not again)):
            raise error
        if is_last and pause is not None:
            again = False
            await asyncio.sleep(pause)
        else:
            place += 1
        attempt += 1
        await intent(attempt, candidates[place])
