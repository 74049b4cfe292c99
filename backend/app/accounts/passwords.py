"""Passwords: argon2id, in a bounded pool. It is made to be slow and large, so it must not be a lever for strangers."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.errors import TooManyAttempts

T = TypeVar("T")

AT_ONCE = 2  # each takes a core for a moment, and 64 MiB
MAX_WAITING = 32  # beyond it people would wait longer than they do
_NOBODY = (  # the hash of no password: whoever has no account waits as long as who has one
    "$argon2id$v=19$m=65536,t=3,p=4$MDAwMDAwMDAwMDAwMDAwMA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


class Passwords:
    """Hashes and checks, a few at a time, beside the event loop."""

    def __init__(self) -> None:
        self._hash = PasswordHash((Argon2Hasher(),))
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._waiting = 0

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hashed(self, password: str) -> str:
        """The hash to be kept.

        Raises:
            TooManyAttempts: too many people wait for theirs already.
        """
        return await self._run(self._hash.hash, password)

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Whether `password` is the one that was hashed. It takes as long where there is no hash.

        Raises:
            TooManyAttempts: too many people wait for theirs already.
        """
        fits = await self._run(self._hash.verify, password, hashed or _NOBODY)
        return bool(fits) and hashed is not None

    async def _run(self, function: Callable[..., T], *args: str) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyAttempts("Many people are signing in at the moment. Try again.", retry_after=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
        finally:
            self._waiting -= 1
