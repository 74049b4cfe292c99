"""The contract of a provider: a prompt in, deltas out. It translates; it decides nothing."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from app.models import Delta, Prompt

Intent = Callable[[int], Awaitable[None]]
"""Called with the number of the attempt before the endpoint is asked again; returns once that intent is durable."""


class ModelInfo(msgspec.Struct, frozen=True):
    """What a person should know of a model before asking it."""

    id: str
    name: str
    provider: str
    context_window: int | None = None
    note: str | None = None


class Provider(Protocol):
    """One model behind one endpoint."""

    @property
    def info(self) -> ModelInfo:
        """Who answers."""
        ...

    def stream(self, prompt: Prompt, intent: Intent) -> AsyncGenerator[Sequence[Delta]]:
        """The answer to `prompt`, as it arrives: valid, storable text in deltas of at most `MAX_PIECE_CHARS`.

        It ends after a `FinishDelta`. Closing the generator closes the socket to the endpoint before `aclose()`
        returns.
        The first call is covered by the run itself; `intent` is awaited before each further attempt. Asking again with
        another parameter, after a 400 that named it, is no further attempt: nothing can have been billed.

        Raises:
            ProviderError: the answer did not complete; what was yielded before counts.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and processes. Nothing may be streaming."""
        ...
