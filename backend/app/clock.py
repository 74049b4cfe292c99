"""Time and new ids: the one place both come from, handed in so that a test can move time."""

import secrets
import time
from datetime import UTC, datetime

ID_LENGTH = 26  # 130 bits of base 32 hold the 128 bits of an id
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's alphabet: lower case, no i, l, o, u


class Clock:
    """Wall time for what is stored, monotonic time for waiting."""

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        return time.monotonic()

    def new_id(self) -> str:
        """A fresh id, `[0-9a-z]{26}`: 48 bits of time, then 80 random bits, so that ids sort by age."""
        value = (self.now() & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
        return "".join(_DIGITS[value >> shift & 31] for shift in range(125, -5, -5))


def time_of(id_: str) -> int:
    """When an id of `Clock.new_id` was made, in milliseconds since 1970."""
    value = 0
    for digit in id_:
        value = value << 5 | _DIGITS.index(digit)
    return value >> 80


def rfc3339(milliseconds: int) -> str:
    """A stored time as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
