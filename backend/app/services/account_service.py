"""Accounts: who comes in, with which keys, and who may change that. Everything of weight is put on the record."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from app.account_bodies import (
    DeedBody,
    DeedList,
    InvitationBody,
    InvitationList,
    KeyBody,
    KeyList,
    MadeInvitation,
    MadeKey,
    NewInvitation,
    NewKey,
    PasswordChange,
    SignIn,
    SignUp,
    UserBody,
    UserChange,
    UserList,
    WayIn,
)
from app.accounts.base import (
    Accounts,
    ApiKey,
    AuditKind,
    Deed,
    Hasher,
    Identity,
    Invitation,
    Newcomer,
    Session,
    User,
    names_for,
)
from app.clock import Clock
from app.errors import (
    InvitationNotFound,
    KeyNotFound,
    NameTaken,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Suspended,
    UserNotFound,
    WrongPassword,
)
from app.models import Principal
from app.services.endings import CANCELLED
from app.services.gatekeeper import KEY_PREFIX, Gatekeeper, digest
from app.services.run_engine import RunEngine
from app.settings import Settings

if TYPE_CHECKING:
    from app.services.attempts import Attempts

T = TypeVar("T")

_NONE = "There are no accounts here. ACCOUNTS=1 turns them on."
DAY_MILLISECONDS = 24 * 3600 * 1000
SHOWN_CHARS = len(KEY_PREFIX) + 4  # of a key: enough to know it by
MAX_KEYS = 100  # of one user


class SignedIn:
    """A user, and the token by which the browser is known from now on; `seconds` is how long it is good."""

    def __init__(self, user: User, token: str, seconds: int) -> None:
        self.body = UserBody.of(user)
        self.token = token
        self.seconds = seconds


class AccountService:
    """What people do with accounts, theirs and, as administrators, others'."""

    def __init__(
        self,
        accounts: Accounts | None,
        hasher: Hasher,
        gatekeeper: Gatekeeper,
        engine: RunEngine,
        attempts: "Attempts | None",
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Without `accounts` and `attempts` there are none: every address here says so."""
        self._kept = accounts
        self._hasher = hasher
        self._gatekeeper = gatekeeper
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._counted = attempts

    @property
    def _accounts(self) -> Accounts:
        if self._kept is None:
            raise NotFound(_NONE)
        return self._kept

    @property
    def _attempts(self) -> "Attempts":
        if self._counted is None:
            raise NotFound(_NONE)
        return self._counted

    # ── In and out ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def way_in(self) -> WayIn:
        """How one comes in, for whoever stands before the door."""
        if self._kept is None:
            return WayIn(accounts=False, sign_up="none", oidc=None)
        first = await self._kept.count() == 0
        oidc = self._settings.oidc_name if self._settings.oidc_issuer else None
        return WayIn(accounts=True, sign_up="first" if first else self._settings.sign_up, oidc=oidc)

    async def sign_up(self, request: SignUp, peer: str) -> SignedIn:
        """Make an account and sign in to it.

        Raises:
            InvitationNeeded, NameTaken: it is not to be had so.
            TooManyAttempts: from this peer, or in all.
        """
        await self._attempts.check(peer=peer)
        hashed = await self._hasher.hashed(request.password)
        newcomer = Newcomer(
            id=self._clock.new_id(),
            name=request.name,
            password=hashed,
            created_at=self._clock.now(),
            invitation=digest(request.invitation) if request.invitation else None,
            takes_over=request.take_over,
        )
        user = await self._accounts.sign_up(newcomer, is_open=self._settings.sign_up == "open")
        await self._note("signed_up", user.id, user.id)
        return await self._begin(user, hashed)

    async def sign_in(self, request: SignIn, peer: str) -> SignedIn:
        """Sign in. It takes as long, and says the same, whatever is wrong.

        Raises:
            WrongPassword: the name, the password, or the account is suspended.
            TooManyAttempts: for this name, from this peer, or in all.
        """
        await self._attempts.check(peer=peer, name=request.name)
        found = await self._accounts.by_name(request.name)
        user, hashed = found if found is not None else (None, None)
        fits = await self._hasher.fits(request.password, hashed)
        if user is None or not fits or user.suspended_at is not None:
            if await self._attempts.worth_noting(request.name):
                await self._note("sign_in_failed", None, user.id if user is not None else None)
            raise WrongPassword
        await self._attempts.forget(peer=peer, name=request.name)
        try:
            signed_in = await self._begin(user, hashed)
        except NotSignedIn as error:
            raise WrongPassword from error  # suspended, or with another password, while this one was checked
        await self._note("signed_in", user.id, user.id)
        return signed_in

    async def come_in(self, identity: Identity, *, invitation: str | None, takes_over: bool) -> SignedIn:
        """Sign in whom an OpenID provider has proved, with an account made now if they have none: as with `sign_up`.

        Raises:
            Suspended: they may not.
            InvitationNeeded: they have none, and it is not to be had so.
        """
        user = await self._accounts.by_subject(identity.issuer, identity.subject)
        kind: AuditKind = "signed_in"
        if user is None:
            kind, user = "signed_up", await self._newcomer(identity, invitation, takes_over=takes_over)
        try:
            signed_in = await self._begin(user, None)
        except NotSignedIn as error:
            if await self._attempts.worth_noting(user.name):
                await self._note("sign_in_failed", None, user.id)
            raise Suspended from error
        await self._note(kind, user.id, user.id)
        return signed_in

    async def _newcomer(self, identity: Identity, invitation: str | None, *, takes_over: bool) -> User:
        name = ""
        for name in names_for(identity.names):
            newcomer = Newcomer(
                id=self._clock.new_id(),
                name=name,
                password=None,
                created_at=self._clock.now(),
                invitation=digest(invitation) if invitation else None,
                issuer=identity.issuer,
                subject=identity.subject,
                takes_over=takes_over,
            )
            with suppress(NameTaken):
                return await self._accounts.sign_up(newcomer, is_open=self._settings.sign_up == "open")
        raise NameTaken(name)

    async def sign_out(self, principal: Principal) -> None:
        """End the session that `principal` came with; its open streams end, too."""
        accounts = self._accounts
        if principal.credential is None or principal.by_key:
            return
        await accounts.end(principal.credential)
        self._gatekeeper.cut(credential=principal.credential)
        await self._note("signed_out", principal.id, principal.id)

    async def me(self, principal: Principal) -> UserBody:
        """Who asks."""
        return UserBody.of(await self._user(principal.id))

    async def change_password(self, principal: Principal, request: PasswordChange) -> SignedIn:
        """Another password; every other session ends.

        Raises:
            WrongPassword: the old one is not the old one.
            TooManyAttempts: for this name.
        """
        user = await self._user(principal.id)
        await self._attempts.check(peer="", name=f"the password of {user.id}")  # nobody's mistakes but theirs count
        found = await self._accounts.by_name(user.name)
        if not await self._hasher.fits(request.old, found[1] if found is not None else None):
            raise WrongPassword
        hashed = await self._hasher.hashed(request.new)
        await self._accounts.change_password(user.id, hashed)
        self._gatekeeper.cut(user_id=user.id)
        await self._note("password_changed", user.id, user.id)
        return await self._begin(user, hashed)

    async def _begin(self, user: User, hashed: str | None) -> SignedIn:
        token, now = secrets.token_urlsafe(32), self._clock.now()
        lasts = self._settings.session_days * DAY_MILLISECONDS
        for ended in await self._accounts.begin(Session(digest(token), user.id, now, now + lasts), hashed):
            self._gatekeeper.cut(credential=ended)
        return SignedIn(user, token, lasts // 1000)

    # ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def create_key(self, principal: Principal, request: NewKey) -> MadeKey:
        """A key, shown this once.

        Raises:
            NotAllowed: it would open more than its user may, or there are too many.
        """
        if "admin" in request.scopes and "admin" not in principal.scopes:
            raise NotAllowed("Only an administrator's key may have the scope admin.")
        if len(await self._accounts.keys(principal.id)) >= MAX_KEYS:
            raise NotAllowed(f"You have {MAX_KEYS} keys, and there may be no more. Revoke one first.")
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            id=self._clock.new_id(),
            user_id=principal.id,
            name=request.name,
            prefix=secret[:SHOWN_CHARS],
            scopes=tuple(dict.fromkeys(request.scopes)),
            created_at=self._clock.now(),
            limits=request.limited,
        )
        await self._accounts.create_key(key, digest(secret))
        await self._note("key_created", principal.id, key.id)
        return MadeKey(**KeyBody.of(key).model_dump(), key=secret)

    async def keys(self, principal: Principal) -> KeyList:
        """The asker's keys."""
        return KeyList(items=[KeyBody.of(key) for key in await self._accounts.keys(principal.id)], next=None)

    async def revoke_key(self, principal: Principal, key_id: str) -> None:
        """Take a key away; its open streams end.

        Raises:
            KeyNotFound: it is none of the asker's.
        """
        if await self._accounts.revoke_key(principal.id, key_id) is None:
            raise KeyNotFound
        self._gatekeeper.cut(credential=key_id)
        await self._note("key_revoked", principal.id, key_id)

    # ── Administration ──────────────────────────────────────────────────────────────────────────────────────────────

    async def users(self, limit: int, before: str | None) -> UserList:
        """Everyone, newest first."""
        found = await self._accounts.users(limit + 1, before)
        items, following = _page([UserBody.of(user) for user in found], limit)
        return UserList(items=items, next=following.id if following is not None else None)

    async def change_user(self, principal: Principal, user_id: str, request: UserChange) -> UserBody:
        """Give a role, suspend or restore: sessions and open streams end at once, and a suspended user's runs, too.

        Limits hold from the next question on.

        Raises:
            UserNotFound, LastAdministrator: nothing was changed.
        """
        user = await self._user(user_id)
        if request.role is not None and request.role != user.role:
            user = await self._accounts.set_role(user_id, request.role)
            self._gatekeeper.cut(user_id=user_id)  # at once: what follows may fail
            await self._note("role_changed", principal.id, user_id)
        if request.suspended is not None and request.suspended != (user.suspended_at is not None):
            user = await self._accounts.suspend(user_id, self._clock.now() if request.suspended else None)
            self._gatekeeper.cut(user_id=user_id)
            await self._note("suspended" if request.suspended else "restored", principal.id, user_id)
        if request.limits is not None and (limits := request.limits.over(user.limits)) != user.limits:
            user = await self._accounts.set_limits(user_id, limits)
            await self._note("limits_changed", principal.id, user_id)
        if user.suspended_at is not None:
            for live in self._engine.lives_of(user_id):
                self._engine.stop(live, CANCELLED)
            await self._engine.ask_all_to_stop(user_id)
        return UserBody.of(user)

    async def invite(self, principal: Principal, request: NewInvitation) -> MadeInvitation:
        """A way in for one person, shown this once."""
        token, now = secrets.token_urlsafe(24), self._clock.now()
        expires_at = now + request.days * DAY_MILLISECONDS
        invitation = Invitation(self._clock.new_id(), request.role, principal.id, now, expires_at)
        await self._accounts.invite(invitation, digest(token))
        await self._note("invited", principal.id, invitation.id)
        return MadeInvitation(**InvitationBody.of(invitation).model_dump(), invitation=token)

    async def invitations(self) -> InvitationList:
        """Those that are good."""
        found = await self._accounts.invitations()
        return InvitationList(items=[InvitationBody.of(one) for one in found], next=None)

    async def revoke_invitation(self, principal: Principal, invitation_id: str) -> None:
        """Take an invitation away.

        Raises:
            InvitationNotFound: there is none.
        """
        if not await self._accounts.revoke_invitation(invitation_id):
            raise InvitationNotFound
        await self._note("invitation_revoked", principal.id, invitation_id)

    async def audit(self, limit: int, before: str | None) -> DeedList:
        """The record, newest first."""
        found = await self._accounts.deeds(limit + 1, before)
        items, following = _page([DeedBody.of(deed) for deed in found], limit)
        return DeedList(items=items, next=following.id if following is not None else None)

    async def _user(self, user_id: str) -> User:
        user = await self._accounts.user(user_id)
        if user is None:
            raise UserNotFound
        return user

    async def _note(self, kind: AuditKind, actor_id: str | None, subject: str | None) -> None:
        await self._accounts.record(Deed(self._clock.new_id(), self._clock.now(), kind, actor_id, subject))


def _page(items: Sequence[T], limit: int) -> tuple[list[T], T | None]:
    return list(items[:limit]), items[limit - 1] if len(items) > limit else None
