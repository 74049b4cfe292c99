"""Waiting for facts instead of for time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

PATIENCE = 15.0  # seconds; far more than any fact needs, so that only a hang reaches it


@overload
async def until(
    fact: Callable[[], Awaitable[T | None]], what: str, timeout: float = PATIENCE, every: float = 0.01
) -> T: ...
@overload
async def until(fact: Callable[[], T | None], what: str, timeout: float = PATIENCE, every: float = 0.01) -> T: ...
async def until(fact: Callable[[], Any], what: str, timeout: float = PATIENCE, every: float = 0.01) -> Any:
    """The first truthy value of `fact()`, which may be a coroutine function.

    Raises:
        AssertionError: it did not become true within `timeout` seconds; the message says `what` was waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = fact()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what}")
        await asyncio.sleep(every)


async def happens(event: asyncio.Event, what: str, timeout: float = PATIENCE) -> None:
    """Return once `event` is set.

    Raises:
        AssertionError: it was not set within `timeout` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        raise AssertionError(f"waited {timeout} s in vain: {what}") from None
