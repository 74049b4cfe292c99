"""The contract of the accounts: who there is, and by what they are known. No password and no token is ever kept."""

import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import msgspec

from app.models import NO_LIMITS, Limits

Role = Literal["user", "admin"]
Scope = Literal["read", "chat", "admin"]
AuditKind = Literal[
    "signed_up",
    "signed_in",
    "sign_in_failed",
    "signed_out",
    "password_changed",
    "key_created",
    "key_revoked",
    "invited",
    "invitation_revoked",
    "role_changed",
    "suspended",
    "restored",
    "limits_changed",
]

MAX_NAME = 64  # characters
_NOT_IN_NAMES = re.compile(r"[^\w.@+-]+")


def name_key(name: str) -> str:
    """What two spellings of one name have in common: neither case nor width makes another one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def names_for(told: Sequence[str]) -> Iterator[str]:
    """What somebody may be called whom others call `told`: the names that an account may have, the best first."""
    names = list(dict.fromkeys(name for one in told if (name := _NOT_IN_NAMES.sub("-", one).strip("-")[:MAX_NAME])))
    names = names or ["user"]
    yield from names
    yield from (f"{names[0][: MAX_NAME - 4]}-{number}" for number in range(2, 100))
    yield f"{names[0][: MAX_NAME - 9]}-{secrets.token_hex(4)}"


class User(msgspec.Struct, frozen=True):
    """A person with an account. Times are milliseconds since 1970."""

    id: str
    name: str
    role: Role
    created_at: int
    suspended_at: int | None = None
    limits: Limits = NO_LIMITS


class Session(msgspec.Struct, frozen=True):
    """A sign-in that has not ended. `id` is the digest of the token that the browser keeps."""

    id: str
    user_id: str
    created_at: int
    expires_at: int


class ApiKey(msgspec.Struct, frozen=True):
    """A key of a user's, for programs. `prefix` is its beginning, for people to know it by."""

    id: str
    user_id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: int
    used_at: int | None = None
    limits: Limits = NO_LIMITS


class Invitation(msgspec.Struct, frozen=True):
    """A way in for one person who has none yet."""

    id: str
    role: Role
    created_by: str
    created_at: int
    expires_at: int


class Newcomer(msgspec.Struct, frozen=True):
    """Somebody who wants an account. `password` is its argon2 hash, or None for who signs in elsewhere."""

    id: str
    name: str
    password: str | None
    created_at: int
    invitation: str | None = None  # the digest of its token
    issuer: str | None = None  # of an OpenID provider, with the subject it knows them by
    subject: str | None = None
    takes_over: bool = False  # the very first one: what `local` had is theirs from then on


class Deed(msgspec.Struct, frozen=True):
    """Something that is on the record: who did what to whom, never with what secret."""

    id: str
    at: int
    kind: AuditKind
    actor_id: str | None
    subject: str | None  # an id, a key's or an invitation's name: nothing that opens anything


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Who a credential stands for, as long as it does."""

    user: User
    scopes: tuple[Scope, ...]
    credential: str  # the id of the session or the key
    key_limits: Limits = NO_LIMITS
    expires_at: int | None = None  # a key does not


class Challenge(msgspec.Struct, frozen=True):
    """What an OpenID provider has to answer, so that its answer is to this browser and to this very question."""

    state: str
    nonce: str
    verifier: str  # PKCE: only who began can redeem the code
    redirect_uri: str


class Identity(msgspec.Struct, frozen=True):
    """Whom an OpenID provider has proved somebody to be. `names` are what they may be called, the best first."""

    issuer: str
    subject: str
    names: tuple[str, ...]


class Issuer(Protocol):
    """An OpenID provider. (A provider without more words is one of models.)"""

    async def address(self, challenge: Challenge) -> str:
        """Where the browser goes to sign in.

        Raises:
            IssuerUnavailable, IssuerUntrusted: nobody knows where.
        """
        ...

    async def identity(self, code: str, challenge: Challenge) -> Identity:
        """Who the browser came back as, with `code`.

        Raises:
            SignInExpired: the code is used, too old, or none.
            IssuerUnavailable, IssuerUntrusted: it does not say, or does not prove what it says.
        """
        ...


class Hasher(Protocol):
    """Passwords to what may be kept of them. Slow by intention, and bounded."""

    async def hashed(self, password: str) -> str:
        """The hash to be kept.

        Raises:
            TooManyAttempts: too many people wait for theirs already.
        """
        ...

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Whether `password` is the one that was hashed. It takes as long where there is no hash.

        Raises:
            TooManyAttempts: too many people wait for theirs already.
        """
        ...


class Accounts(Protocol):
    """Users, their sessions and keys, invitations, and the record. What is done is durable before it returns."""

    async def count(self) -> int:
        """How many users there are."""
        ...

    async def sign_up(self, newcomer: Newcomer, *, is_open: bool) -> User:
        """Make an account. The very first is the administrator's, also when two come at once.

        Whom an OpenID provider knows already gets the account that they have.

        Raises:
            InvitationNeeded: it is not the first, sign-up is not open, and no good invitation was shown.
            NameTaken: somebody has the name.
        """
        ...

    async def user(self, user_id: str) -> User | None:
        """One user."""
        ...

    async def users(self, limit: int, before: str | None) -> Sequence[User]:
        """Users, newest first, below the id `before`."""
        ...

    async def by_name(self, name: str) -> tuple[User, str | None] | None:
        """The user of that name, and the hash of the password if there is one. Case and width do not matter."""
        ...

    async def by_subject(self, issuer: str, subject: str) -> User | None:
        """The user whom that OpenID provider knows by that subject."""
        ...

    async def change_password(self, user_id: str, password: str) -> None:
        """Keep another hash, and end all of the user's sessions."""
        ...

    async def set_role(self, user_id: str, role: Role) -> User:
        """Give a role, and end all of the user's sessions.

        Raises:
            UserNotFound: there is no such user.
            LastAdministrator: nobody could undo it.
        """
        ...

    async def suspend(self, user_id: str, at: int | None) -> User:
        """Suspend a user from `at` on and end all of their sessions; None restores them.

        Raises:
            UserNotFound, LastAdministrator: as with `set_role`.
        """
        ...

    async def set_limits(self, user_id: str, limits: Limits) -> User:
        """Keep what the user may spend; their sessions go on.

        Raises:
            UserNotFound: there is no such user.
        """
        ...

    async def begin(self, session: Session, password: str | None) -> Sequence[str]:
        """Keep a session of a user whose password's hash was `password` when it was looked at (None: there is none).

        Returns the ids of their oldest sessions that ended for it: one user has so many at most.

        Raises:
            NotSignedIn: by now it is another one, or the user is suspended.
        """
        ...

    async def by_session(self, digest: str, now: int) -> Known | None:
        """Whom a session stands for: none that has expired, and nobody who is suspended."""
        ...

    async def end(self, digest: str) -> None:
        """End a session."""
        ...

    async def create_key(self, key: ApiKey, digest: str) -> None:
        """Keep a key by its digest."""
        ...

    async def keys(self, user_id: str) -> Sequence[ApiKey]:
        """The user's keys, newest first."""
        ...

    async def by_key(self, digest: str, now: int) -> Known | None:
        """Whom a key stands for, noting now and then that it was used; nobody who is suspended."""
        ...

    async def revoke_key(self, user_id: str, key_id: str) -> ApiKey | None:
        """Take a key of this user's away; None where there was none."""
        ...

    async def invite(self, invitation: Invitation, digest: str) -> None:
        """Keep an invitation by its digest."""
        ...

    async def invitations(self) -> Sequence[Invitation]:
        """Those that have neither been used nor expired, newest first."""
        ...

    async def revoke_invitation(self, invitation_id: str) -> bool:
        """Take an invitation away; whether there was one."""
        ...

    async def record(self, deed: Deed) -> None:
        """Put something on the record."""
        ...

    async def deeds(self, limit: int, before: str | None) -> Sequence[Deed]:
        """The record, newest first, below the id `before`."""
        ...

    async def sweep(self) -> bool:
        """Forget some sessions and invitations that have expired, and what has been on the record for a year."""
        ...
