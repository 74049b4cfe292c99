"""The contract of the replicas: one owner per run, for as long as its lease is kept, by the database's clock."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Renewal(msgspec.Struct, frozen=True):
    """What a replica hears when its lease is renewed."""

    now: int  # the database's time, in milliseconds since 1970
    others: int  # replicas that live, too


class Cut(msgspec.Struct, frozen=True):
    """Whose open streams end: of a user, or of one session or key."""

    id: str
    user_id: str | None
    credential: str | None


class Asked(msgspec.Struct, frozen=True):
    """What one replica wants to know of the others, all at once."""

    followed: Sequence[str]  # runs of others that somebody reads here
    owners: Sequence[str]  # of changes that somebody listens to here
    owned: Sequence[str]  # runs that are written here


class News(msgspec.Struct, frozen=True):
    """What it gets to hear."""

    models: Mapping[str, str]  # who writes each followed run that has not ended; the others have, or are gone
    numbers: Mapping[str, int]  # the last change of each owner's
    stopped: Sequence[str]  # owned runs that somebody wants to stop, or has deleted
    read: Sequence[str]  # owned runs that somebody reads elsewhere
    cuts: Sequence[Cut]  # by others, within the last half minute


class Replicas(Protocol):
    """This replica among the others."""

    async def join(self) -> Renewal:
        """Begin a life of its own: from now on what this process accepts is its own.

        Raises:
            StorageError: it cannot yet.
        """
        ...

    async def renew(self) -> Renewal:
        """Keep the lease.

        Raises:
            LeaseLost: others see to its runs by now. `join` begins another life.
            StorageError: nobody can say.
        """
        ...

    async def leave(self) -> None:
        """End this life; its runs have ended."""
        ...

    async def reap(self) -> int:
        """End some runs of replicas whose lease is over, each once, whoever else does the same; how many.

        Call again until it is 0.
        """
        ...

    async def news(self, asked: Asked) -> News:
        """What has happened elsewhere.

        Raises:
            StorageError: nobody can say.
        """
        ...

    async def reading(self, run_ids: Sequence[str]) -> None:
        """Tell the owners of these runs that somebody reads them here."""
        ...


class Wakeups(Protocol):
    """Tells when another replica has committed something."""

    polling: bool  # nothing tells, so it is asked for again and again

    async def wait(self) -> None:
        """Return once there may be news; after a second in any case."""
        ...
