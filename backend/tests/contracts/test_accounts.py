"""The contract of the accounts where two things happen at once."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from app.accounts import sql
from app.accounts.base import Newcomer, Session, User
from app.accounts.sql import SqlAccounts
from app.clock import Clock
from app.errors import NameTaken, NotSignedIn
from tests.support.databases import ENGINES, migrated

NOW = 1_000
LATER = 10**15


@pytest.fixture(params=ENGINES)
async def accounts(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[SqlAccounts]:
    """Accounts over one engine."""
    async with migrated(tmp_path, request.param) as database:
        yield SqlAccounts(database, Clock().now)


async def somebody(accounts: SqlAccounts, name: str = "ann", subject: str | None = None) -> User:
    """A user, with a password or known to a provider."""
    issuer = "https://login.example.org" if subject else None
    newcomer = Newcomer(
        Clock().new_id(), name, None if subject else "hash", NOW, issuer=issuer, subject=subject, takes_over=False
    )
    return await accounts.sign_up(newcomer, is_open=True)


async def test_no_session_begins_with_a_password_that_was_changed_while_it_was_checked(accounts: SqlAccounts) -> None:
    ann = await somebody(accounts)
    await accounts.change_password(ann.id, "another hash")
    with pytest.raises(NotSignedIn):
        await accounts.begin(Session("token", ann.id, NOW, LATER), "hash")
    await accounts.begin(Session("token", ann.id, NOW, LATER), "another hash")
    assert await accounts.by_session("token", NOW)


async def test_no_session_begins_for_who_was_suspended_meanwhile_and_is_there_once_they_are_back(
    accounts: SqlAccounts,
) -> None:
    await somebody(accounts)
    bob = await somebody(accounts, "bob")
    await accounts.suspend(bob.id, NOW)
    with pytest.raises(NotSignedIn):
        await accounts.begin(Session("token", bob.id, NOW, LATER), "hash")
    await accounts.suspend(bob.id, None)
    assert await accounts.by_session("token", NOW) is None


async def test_of_very_many_sessions_the_oldest_end(accounts: SqlAccounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MAX_SESSIONS", 3)
    ann, bob = await somebody(accounts), await somebody(accounts, "bob")
    await accounts.begin(Session("bob's", bob.id, NOW, LATER), "hash")
    ended = [list(await accounts.begin(Session(f"{n}", ann.id, NOW + n, LATER), "hash")) for n in range(5)]
    assert ended == [[], [], [], ["0"], ["1"]]
    alive = [token for token in ("0", "1", "2", "3", "4", "bob's") if await accounts.by_session(token, NOW)]
    assert alive == ["2", "3", "4", "bob's"]


async def test_one_whom_a_provider_knows_has_one_account_and_a_taken_name_makes_none(accounts: SqlAccounts) -> None:
    ann = await somebody(accounts, "ann", subject="1")
    assert await somebody(accounts, "another", subject="1") == ann
    with pytest.raises(NameTaken):
        await somebody(accounts, "ANN", subject="2")
    assert await accounts.by_subject("https://login.example.org", "2") is None
    assert await accounts.count() == 1
