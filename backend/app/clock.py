"""Time and new ids: the one place both come from, handed in so that a test can move time."""

import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

ID_LENGTH = 26  # 130 bits of base 32 hold the 128 bits of an id
MOST_STEP = 2**64  # between two ids of a millisecond: nobody guesses the next one, and 65,000 of them fit
LATEST = 7_258_118_400_000  # the year 2200: from where on the floats of `rfc3339` would lose milliseconds
NOTICED_MILLISECONDS = 1000
WRONG_MILLISECONDS = 5000  # more is nobody's network
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's alphabet: lower case, no i, l, o, u
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]  # two at a time: an id is spelled in half the time
_LOW, _SHIFTS = 2**80 - 1, range(70, -10, -10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Clock:
    """Wall time for what is stored, monotonic time for waiting."""

    _newest = 0  # id that was made here, as a number

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        return time.monotonic()

    def new_id(self) -> str:
        """A fresh id, `[0-9a-z]{26}`: 48 bits of time, then 80 random ones. Each sorts after all that were made here.

        Of one millisecond, each is the last one and a random step (ULID, Monotonicity): a question and its answer are
        made in one, and whoever reads them by their ids must find them in their order.
        """
        fresh = _number(self.now(), secrets.randbits(80))
        step = 1 + fresh % MOST_STEP
        self._newest = fresh if fresh >> 80 > self._newest >> 80 else self._newest + step
        return _spelled(self._newest)


class SharedClock(Clock):
    """The time of a database that several machines share, so that all of them mean the same by now."""

    def __init__(self) -> None:
        self._ahead = 0  # milliseconds that this machine's clock goes before the database's

    def set(self, now: int) -> None:
        """The database says what time it is."""
        ahead = super().now() - now
        if abs(ahead - self._ahead) >= NOTICED_MILLISECONDS:  # less is the way to the database and back
            self._ahead = ahead
            self._newest = 0  # what was made by the wrong clock may lie minutes ahead

    @property
    def note(self) -> str | None:
        """What whoever runs the service should know of this machine's clock."""
        if abs(self._ahead) < WRONG_MILLISECONDS:
            return None
        way = "ahead of" if self._ahead > 0 else "behind"
        return (
            f"This machine's clock is {abs(self._ahead) / 1000:.0f} seconds {way} the database's, whose time is taken. "
            "Set it by the network: timedatectl set-ntp true."
        )

    def now(self) -> int:
        """See `Clock.now`."""
        return super().now() - self._ahead


def derived_id(at: int, *words: str) -> str:
    """An id for something of `at` (milliseconds since 1970): always the same for the same words, and for no others."""
    digest = blake2b("\0".join(words).encode(), digest_size=10).digest()
    return _spelled(_number(at, int.from_bytes(digest)))


def time_of(id_: str) -> int:
    """When an id of `Clock.new_id` was made, in milliseconds since 1970."""
    value = 0
    for digit in id_:
        value = value << 5 | _DIGITS.index(digit)
    return value >> 80


def rfc3339(milliseconds: int) -> str:
    """A stored time as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str) -> int:
    """A time as RFC 3339 spells it, in any zone; what is finer than a millisecond is left out.

    Raises:
        ValueError: it is none, or is not between 1970 and `LATEST`.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(text)
    at = (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= at < LATEST:
        raise ValueError(text)
    return at


def _number(at: int, low: int) -> int:
    return (at & 0xFFFF_FFFF_FFFF) << 80 | low


def _spelled(value: int) -> str:
    low = value & _LOW
    return _time(value >> 80) + "".join([_PAIRS[low >> shift & 1023] for shift in _SHIFTS])


@lru_cache(16)  # of a crowd, many have the same millisecond
def _time(at: int) -> str:
    return "".join([_PAIRS[at >> shift & 1023] for shift in range(40, -10, -10)])
