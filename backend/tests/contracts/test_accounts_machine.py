"""Whatever is signed up, in, out, revoked, suspended or changed, wherever it crashes: exactly what should open opens.

A machine does any of it in any order with the real accounts on a real file, beside a model in memory. After every step
each credential that there ever was opens what it should and no more, and exactly those streams are cut that should be.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import Phase, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.account_bodies import NewInvitation, NewKey, PasswordChange, SignIn, SignUp, UserChange
from app.accounts.base import Role
from app.accounts.sql import SqlAccounts
from app.clock import Clock
from app.engines.sqlite import SqliteDatabase
from app.errors import LastAdministrator, NotAllowed, NotSignedIn, WrongPassword
from app.models import Principal
from app.services.account_service import AccountService
from app.services.attempts import Attempts
from app.services.gatekeeper import Gatekeeper
from app.services.run_engine import RunEngine
from app.settings import Settings
from app.store import schema

T = TypeVar("T")
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
PASSWORDS = ("password one", "password two")
NUMBERS = st.integers(min_value=0, max_value=10**6)


class Plain:
    """A hasher that is quick."""

    async def hashed(self, password: str) -> str:
        return f"hash of {password}"

    async def fits(self, password: str, hashed: str | None) -> bool:
        return hashed == f"hash of {password}"


class Patient(Attempts):
    """Nobody is slowed down here."""

    async def check(self, *, peer: str, name: str | None = None) -> None:
        return


class NoRuns:
    """An engine that writes nothing."""

    def lives_of(self, owner_id: str) -> list[Any]:
        return []

    async def ask_all_to_stop(self, owner_id: str) -> None:
        pass


@dataclass
class Somebody:
    """A user, as they should be."""

    id: str
    name: str
    role: Role
    password: str
    suspended: bool = False


@dataclass
class Credential:
    """A session or a key, as it should be."""

    shown: str
    user: Somebody
    scopes: tuple[str, ...] | None  # None: a session, which opens what its user may
    alive: bool = True
    id: str = ""

    @property
    def opens(self) -> frozenset[str]:
        """What it should open."""
        if not self.alive or self.user.suspended:
            return frozenset()
        all_of_it = {"read", "chat", "admin"} if self.user.role == "admin" else {"read", "chat"}
        return frozenset(all_of_it if self.scopes is None else all_of_it & set(self.scopes))


@dataclass
class Stream:
    """A request that somebody made: looked up, then perhaps being read."""

    principal: Principal
    credential: Credential
    over: bool = False  # as it should be
    reading: bool = False
    cut: bool = False  # as it is


class Doors(RuleBasedStateMachine):
    """The accounts and the gatekeeper, and beside them what they should say."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.crashes = 0
        self.users: list[Somebody] = []
        self.credentials: list[Credential] = []
        self.streams: list[Stream] = []

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        """An administrator and a user, so that every step may matter."""
        self.do(self._open())
        for role in ("admin", "user"):
            self.join(0, role)

    async def _open(self) -> None:
        self.database = SqliteDatabase(self.folder / f"{self.crashes}.db")
        self.database.open()
        self.database.alone(schema.migrate)
        self.database.start()
        accounts = SqlAccounts(self.database, self.clock.now)
        self.gatekeeper = Gatekeeper(accounts, self.clock)
        self.service = AccountService(
            accounts,
            Plain(),
            self.gatekeeper,
            cast(RunEngine, NoRuns()),
            Patient(),
            Settings(_env_file=None, accounts=True),  # pyright: ignore[reportCallIssue] - pydantic-settings takes it
            self.clock,
        )

    def teardown(self) -> None:
        self.do(self.database.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    # ── The model ───────────────────────────────────────────────────────────────────────────────────────────────────

    def some(self, number: int, of: list[T]) -> T:
        return of[number % len(of)]

    @property
    def sessions(self) -> list[Credential]:
        return [one for one in self.credentials if one.scopes is None and one.opens]

    @property
    def rulers(self) -> list[Credential]:
        return [one for one in self.sessions if "admin" in one.opens]

    def principal(self, credential: Credential) -> Principal:
        return self.do(self.gatekeeper.principal(credential.shown))

    def cut(self, *, user: Somebody | None = None, credential: Credential | None = None) -> None:
        for stream in self.streams:
            if stream.credential is credential or stream.credential.user is user:
                stream.over = True

    def end_sessions(self, user: Somebody) -> None:
        for credential in self.credentials:
            if credential.user is user and credential.scopes is None:
                credential.alive = False
        self.cut(user=user)

    def entered(self, user: Somebody, token: str) -> None:
        self.credentials.append(Credential(token, user, None))

    # ── In and out ──────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: len(self.users) < 4)
    @rule(number=NUMBERS, role=st.sampled_from(["user", "admin"]))
    def sign_up(self, number: int, role: Role) -> None:
        self.join(number, role)

    def join(self, number: int, role: Role) -> None:
        name, invitation = f"user{len(self.users)}", None
        if self.users:
            if not self.rulers:
                return
            ruler = self.principal(self.some(number, self.rulers))
            invitation = self.do(self.service.invite(ruler, NewInvitation(role=role, days=7))).invitation
        request = SignUp(name=name, password=PASSWORDS[0], invitation=invitation, take_over=True)
        made = self.do(self.service.sign_up(request, "peer"))
        assert made.body.role == (role if self.users else "admin")
        self.users.append(Somebody(made.body.id, name, made.body.role, PASSWORDS[0]))
        self.entered(self.users[-1], made.token)

    @precondition(lambda self: self.users)
    @rule(number=NUMBERS, password=st.sampled_from(PASSWORDS))
    def sign_in(self, number: int, password: str) -> None:
        user = self.some(number, self.users)
        try:
            made = self.do(self.service.sign_in(SignIn(name=user.name.upper(), password=password), "peer"))
        except WrongPassword:
            assert user.suspended or password != user.password
        else:
            assert not user.suspended
            assert password == user.password
            self.entered(user, made.token)

    @precondition(lambda self: self.sessions)
    @rule(number=NUMBERS)
    def sign_out(self, number: int) -> None:
        session = self.some(number, self.sessions)
        self.do(self.service.sign_out(self.principal(session)))
        session.alive = False
        self.cut(credential=session)

    @precondition(lambda self: self.sessions)
    @rule(number=NUMBERS, old=st.sampled_from(PASSWORDS), new=st.sampled_from(PASSWORDS))
    def change_password(self, number: int, old: str, new: str) -> None:
        session = self.some(number, self.sessions)
        try:
            made = self.do(self.service.change_password(self.principal(session), PasswordChange(old=old, new=new)))
        except WrongPassword:
            assert old != session.user.password
        else:
            assert old == session.user.password
            session.user.password = new
            self.end_sessions(session.user)
            self.entered(session.user, made.token)

    # ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.sessions)
    @rule(number=NUMBERS, scopes=st.lists(st.sampled_from(["read", "chat", "admin"]), min_size=1, unique=True))
    def create_key(self, number: int, scopes: list[Any]) -> None:
        session = self.some(number, self.sessions)
        try:
            made = self.do(
                self.service.create_key(self.principal(session), NewKey(name="key", scopes=scopes, limits=None))
            )
        except NotAllowed:
            assert "admin" in scopes
            assert session.user.role != "admin"
        else:
            self.credentials.append(Credential(made.key, session.user, tuple(scopes), id=made.id))

    @precondition(lambda self: self.sessions and any(one.scopes for one in self.credentials))
    @rule(number=NUMBERS)
    def revoke_key(self, number: int) -> None:
        key = self.some(number, [one for one in self.credentials if one.scopes])
        mine = [session for session in self.sessions if session.user is key.user]
        if not mine or not key.alive:
            return
        self.do(self.service.revoke_key(self.principal(mine[0]), key.id))
        key.alive = False
        self.cut(credential=key)

    # ── Administration ──────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.rulers)
    @rule(
        number=NUMBERS,
        whom=NUMBERS,
        role=st.sampled_from([None, "user", "admin"]),
        suspended=st.sampled_from([None, True, False]),
    )
    def change_user(self, number: int, whom: int, role: Role | None, suspended: bool | None) -> None:
        ruler, user = self.some(number, self.rulers), self.some(whom, self.users)
        alone = user.role == "admin" and not user.suspended and sum(u.role == "admin" for u in self.active()) == 1
        change = UserChange(role=role, suspended=suspended)
        try:
            self.do(self.service.change_user(self.principal(ruler), user.id, change))
        except LastAdministrator:
            assert alone
            assert role == "user" or suspended
            return
        assert not (alone and (role == "user" or suspended))
        if (role or user.role) != user.role or (suspended is not None and suspended != user.suspended):
            user.role = role or user.role
            user.suspended = user.suspended if suspended is None else suspended
            self.end_sessions(user)

    def active(self) -> list[Somebody]:
        return [user for user in self.users if not user.suspended]

    # ── Streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: any(one.opens for one in self.credentials))
    @rule()
    def ask(self) -> None:
        """Everybody who may is looked up; their streams open later, or never."""
        asking = [one for one in self.credentials if one.opens]
        self.streams += [Stream(self.principal(credential), credential) for credential in asking]

    @precondition(lambda self: any(not stream.reading for stream in self.streams))
    @rule(every=st.integers(min_value=1, max_value=2))
    def read(self, every: int) -> None:
        for stream in [stream for stream in self.streams if not stream.reading][::every]:
            self.open(stream)

    def open(self, stream: Stream) -> None:
        def cut() -> None:
            stream.cut = True

        async def watch() -> None:
            self.gatekeeper.watch(stream.principal, cut)

        self.do(watch())
        stream.reading = True

    @rule()
    def crash(self) -> None:
        """A `kill -9`: another process opens what it left. Nobody is connected to it."""
        self.crashes += 1
        for ending in ("", "-wal"):
            left = self.folder / f"{self.crashes - 1}.db{ending}"
            if left.exists():
                shutil.copy(left, self.folder / f"{self.crashes}.db{ending}")
        self.do(self.database.close())
        self.streams.clear()
        self.do(self._open())

    # ── What always holds ───────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def exactly_what_should_open_opens(self) -> None:
        for credential in self.credentials:
            try:
                principal = self.principal(credential)
            except NotSignedIn:
                assert not credential.opens, credential
                continue
            assert credential.alive
            assert not credential.user.suspended
            assert principal.scopes == credential.opens
            assert (principal.id, principal.role) == (credential.user.id, credential.user.role)

    @invariant()
    def exactly_those_streams_are_cut_that_should_be(self) -> None:
        for stream in self.streams:
            assert self.gatekeeper.is_cut(stream.principal) == stream.over
            if stream.reading:
                assert stream.cut == stream.over


@pytest.mark.timeout(300)
def test_exactly_what_should_open_opens() -> None:
    stateful.run_state_machine_as_test(Doors, settings=settings(max_examples=25, stateful_step_count=30, phases=PHASES))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_also_after_many_more_steps() -> None:
    stateful.run_state_machine_as_test(
        Doors, settings=settings(max_examples=1000, stateful_step_count=60, phases=PHASES)
    )
