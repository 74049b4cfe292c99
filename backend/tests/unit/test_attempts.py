"""How often one may try: guessing is hopeless, nobody locks anybody out, and counting costs little memory."""

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from app.accounts import passwords
from app.errors import TooManyAttempts
from app.services import attempts
from app.services.attempts import Attempts, home_of


async def tries(counting: Attempts, times: int, *, peer: str, name: str | None = "ann") -> int:
    """How many of so many attempts were let through."""
    through = 0
    for _ in range(times):
        try:
            await counting.check(peer=peer, name=name)
        except TooManyAttempts:
            continue
        through += 1
    return through


async def test_nobody_is_locked_out_by_the_mistakes_of_somebody_elsewhere() -> None:
    counting = Attempts()
    assert await tries(counting, 40, peer="192.0.2.1") == 10
    assert await tries(counting, 1, peer="192.0.2.2") == 1


async def test_guessing_one_name_from_everywhere_has_a_limit_too() -> None:
    counting = Attempts()
    through = [await tries(counting, 10, peer=f"192.0.2.{number}") for number in range(30)]
    assert sum(through) == 200


async def test_a_customer_s_many_addresses_are_one_peer() -> None:
    assert home_of("2001:db8:1:2::1") == home_of("2001:db8:1:2:ffff::9") != home_of("2001:db8:1:3::1")
    assert home_of("::ffff:192.0.2.1") == home_of("192.0.2.1") == "192.0.2.1"
    assert home_of("fe80::1%eth0") == home_of("fe80::2")
    assert home_of("") == ""
    counting = Attempts()
    through = [await tries(counting, 1, peer=f"2001:db8::{number:x}", name=f"user{number}") for number in range(60)]
    assert sum(through) == 30


async def test_a_peer_that_is_over_its_limit_makes_no_more_counters() -> None:
    counting = Attempts()
    for number in range(100):
        await tries(counting, 1, peer="192.0.2.1", name=f"user{number}")
    assert len(counting._storage.expirations) <= 1 + 30 * 3


async def test_however_many_come_the_counters_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_COUNTED", 100)
    counting = Attempts()
    for number in range(500):
        await tries(counting, 1, peer=f"192.0.{number // 250}.{number % 250}", name=f"user{number}")
    assert len(counting._storage.expirations) <= 104
    assert len(counting._storage.storage) <= 104
    assert len(counting._storage.locks) <= 104


async def test_failures_on_the_record_are_few_whoever_they_are_about() -> None:
    counting = Attempts()
    for name in ("ann", "nobody"):
        assert [await counting.worth_noting(name) for _ in range(20)].count(True) == 10
    noted = [await counting.worth_noting(f"user{number}") for number in range(400)]
    assert noted.count(True) == 280


def test_who_has_no_account_waits_as_long_as_who_has_one() -> None:
    """The hash that stands in is a whole one, of the same costs."""
    hasher = PasswordHasher()
    assert not hasher.check_needs_rehash(passwords._NOBODY)
    with pytest.raises(VerifyMismatchError):
        hasher.verify(passwords._NOBODY, "any password")
