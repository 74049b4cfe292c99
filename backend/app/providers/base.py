"""The contracts of a provider (a prompt in, deltas out: it translates and decides nothing) and of the catalogue."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from app.errors import ProviderError
from app.limits import Price
from app.models import Delta, Prompt


class ModelInfo(msgspec.Struct, frozen=True):
    """What is known of a model before it is asked. None: nobody said, so the settings decide."""

    id: str  # provider/model; the endpoint knows only the second half
    name: str  # for people
    provider: str
    context_window: int | None = None  # tokens it can read and write, together
    note: str | None = None  # what a person should know
    max_tokens: int | None = None  # longest answer asked of it
    temperature: float | None = None
    entitles: bool = True  # a title of its making says more than the first words of the question
    continues: bool = False  # it goes on from a last assistant turn instead of answering it


class Unbilled(Exception):
    """Nothing was answered and nothing can have been billed, so somebody may be asked again."""

    def __init__(self, error: ProviderError, pause: float | None) -> None:
        """`error`: what to tell if nobody is. `pause`: seconds until this same model may be asked; None: never."""
        super().__init__(error.message)
        error.unbilled = True
        self.error = error
        self.pause = pause


Take = Callable[[Sequence[Delta]], Awaitable[None] | None]
"""Is given deltas, in the loop, as they arrive. What it returns is waited for before there are more."""


class Provider(Protocol):
    """One model behind one endpoint."""

    @property
    def info(self) -> ModelInfo:
        """Who answers."""
        ...

    def expect(self, coming: int) -> None:
        """So many questions are about to be put, to this model or others: what takes time and costs nothing may begin.

        Whatever comes of it, nothing is raised.
        """
        ...

    async def answer(self, prompt: Prompt, take: Take) -> None:
        """Give the answer to `prompt` to `take`, as it arrives: valid text in deltas of at most `MAX_PIECE_CHARS`.

        It returns after a `FinishDelta`. However it ends, the socket to the endpoint is closed, or free, by then; so it
        is if `take`, or what it returns, raises, which is raised here. This is one attempt. Asking again with another
        parameter, after a 400 that named it, is no further one: nothing can have been billed.

        Raises:
            Unbilled: before any text, and only where nothing can have been billed: it could not be reached, or its
                status was 408, 429 or 5xx.
            ProviderError: the answer did not complete; what was given to `take` before counts.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and processes. Nothing may be streaming."""
        ...


class Prices(Protocol):
    """What models cost."""

    async def of(self, model_ids: Sequence[str]) -> Mapping[str, Price]:
        """The prices of those among `model_ids` that have a known one. Waits, but never long, for a first look."""
        ...


class Catalog(Protocol):
    """The models that can be asked."""

    @property
    def default(self) -> str:
        """The id of the model that answers when none is named."""
        ...

    def models(self) -> Sequence[ModelInfo]:
        """What is known now, the default first."""
        ...

    def info(self, model_id: str) -> ModelInfo | None:
        """What is known now of one model."""
        ...

    async def chain(self, name: str | None) -> Sequence[Provider]:
        """The model `name` (None: the default), then its fallbacks in their order.

        A name without its provider is enough where only one provider has it. Waits, but never long, only where the
        name may be on a list that has not come yet.

        Raises:
            ModelNotFound: nobody has a model of that name.
        """
        ...

    async def refresh(self) -> None:
        """Bring `models()` up to date in the background; wait, but never long, for lists that have never come."""
        ...
