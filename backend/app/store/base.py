"""The contract of the store: what is kept, and whose it is. Every read takes the owner; there is no other way in."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from app.models import Part, Run


class Key(msgspec.Struct, frozen=True):
    """A client's idempotency key, and what it was used for."""

    value: str
    fingerprint: str  # of path and body; the same key with another one is a mistake of the client's


class Kept(msgspec.Struct, frozen=True):
    """A run as it is kept, with the parts of its answer."""

    run: Run
    parts: tuple[Part, ...]


class Store(Protocol):
    """Runs and the messages they write."""

    async def accept(self, run: Run, key: Key | None) -> Run:
        """Keep `run`, its empty message and `key`, in one fsynced commit.

        If `key` is known already, nothing is written and the run it stands for is returned instead.

        Raises:
            KeyReused: `key` was used for another request.
            StorageFull, StorageError: nothing was written.
        """
        ...

    async def find(self, owner_id: str, key: Key) -> Run | None:
        """The run that `key` stands for.

        Raises:
            KeyReused: `key` was used for another request.
        """
        ...

    async def run(self, owner_id: str, run_id: str) -> Kept | None:
        """A run of this owner that is still kept."""
        ...

    async def mark(self, run: Run) -> None:
        """Keep the status of a live run, its attempts, and the model that is asked."""
        ...

    async def ask_cancel(self, run: Run, at: int) -> None:
        """Keep that somebody asked for the run to stop."""
        ...

    async def finish(self, run: Run, parts: Sequence[Part]) -> bool:
        """Keep the end of a run and its whole answer, in one fsynced commit; False if it had ended already.

        Raises:
            StorageFull, StorageError: nothing was written.
        """
        ...

    async def sweep(self) -> int:
        """Forget some of what is no longer to be kept; how many runs. Call again until it is 0."""
        ...


class Found(msgspec.Struct, frozen=True):
    """A message, or a conversation by its title, in which everything that was looked for occurs."""

    number: int  # its place in the order of what is found; only "less is older" means anything
    conversation_id: str
    message_id: str | None  # None: the title
    text: str  # a piece of it around the first hit, white space folded, `…` where it is cut
    created_at: int  # of the message, or of the conversation


class FoundPage(msgspec.Struct, frozen=True):
    """Some of what was found, newest first."""

    items: tuple[Found, ...]
    next: int | None  # `before` for the page after this one; None: that is all


class Search(Protocol):
    """Full text over titles and messages."""

    async def find(self, owner_id: str, query: str, limit: int, before: int | None = None) -> FoundPage:
        """The newest `limit` messages and titles of this owner in which each word of `query` occurs, below `before`.

        Case, accents and width do not matter. Words of alphabetic scripts are found whole, the last one also by how it
        begins (from 3 letters); Korean, Chinese, Japanese and Thai by any part, from one character on. What stands
        without white space in `query` stands together in the text. No query is syntax; one without letters, digits
        or pictures finds nothing. Archived conversations are searched, temporary and deleted ones never.

        Raises:
            StorageError: the database cannot be read.
        """
        ...
