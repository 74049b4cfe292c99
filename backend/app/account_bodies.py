"""The bodies of requests and responses about accounts: their public face."""

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.base import ApiKey, Deed, Invitation, Role, Scope, User
from app.clock import rfc3339
from app.models import NO_LIMITS, Limits

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[\w.@+-]+$",
        description="Letters of any writing, digits and . @ + - _; case and width make no other name.",
        examples=["ann"],
    ),
]
Password = Annotated[str, Field(min_length=8, max_length=256, description="8 to 256 characters, of any kind.")]


class LimitsBody(BaseModel):
    """What may be spent. A field that is not there stays as it is; null: as the settings say; 0: no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: int | None = Field(None, ge=0, le=100_000, strict=True, description="Answers being written at once.")
    requests_per_minute: int | None = Field(None, ge=0, le=10**9, strict=True, description="Questions within a minute.")
    tokens_per_minute: int | None = Field(None, ge=0, le=10**12, strict=True, description="Read and written.")
    tokens_per_day: int | None = Field(None, ge=0, le=10**12, strict=True, description="In a day of UTC.")
    budget_per_month: float | None = Field(
        None, ge=0, le=1_000_000, strict=True, allow_inf_nan=False, description="In a month of UTC, in US dollars."
    )

    @classmethod
    def of(cls, limits: Limits) -> "LimitsBody":
        """The public face of `limits`."""
        budget = limits.budget_per_month
        return cls(
            runs=limits.runs,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            tokens_per_day=limits.tokens_per_day,
            budget_per_month=budget / 1e6 if budget is not None else None,
        )

    def over(self, limits: Limits) -> Limits:
        """`limits` with what this says in their place."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        if said.get("budget_per_month") is not None:
            said["budget_per_month"] = round(said["budget_per_month"] * 1e6)
        return msgspec.structs.replace(limits, **said)


class SignUp(BaseModel):
    """Somebody who wants an account."""

    model_config = _STRICT

    name: Name
    password: Password
    invitation: str | None = Field(None, max_length=100, description="Needed, unless sign-up is open.")
    take_over: bool = Field(
        True, description="With the very first account: what was there without accounts is theirs from now on."
    )


class SignIn(BaseModel):
    """Somebody who has one."""

    model_config = _STRICT

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class PasswordChange(BaseModel):
    """Another password."""

    model_config = _STRICT

    old: str = Field(min_length=1, max_length=256)
    new: Password


class UserBody(BaseModel):
    """A person with an account."""

    id: str
    name: str
    role: Role
    suspended: bool
    created_at: str = Field(description="RFC 3339, UTC.")
    limits: LimitsBody = Field(description="Where they are not those of the settings.")

    @classmethod
    def of(cls, user: User) -> "UserBody":
        """The public face of `user`."""
        return cls(
            id=user.id,
            name=user.name,
            role=user.role,
            suspended=user.suspended_at is not None,
            created_at=rfc3339(user.created_at),
            limits=LimitsBody.of(user.limits),
        )


class WayIn(BaseModel):
    """How one comes in."""

    accounts: bool = Field(description="Whether there are accounts at all.")
    sign_up: Literal["first", "invitation", "open", "none"] = Field(
        description="`first`: nobody has an account yet, and whoever makes it is the administrator."
    )
    oidc: str | None = Field(
        description="The OpenID provider's name, if there is one: `/api/auth/oidc/start?next=/` leads there and back. "
        "Add `invitation=` where sign-up needs one."
    )


class UserList(BaseModel):
    """Users, newest first."""

    items: list[UserBody]
    next: str | None = Field(None, description="`before` of the next page; none on the last one.")


class UserChange(BaseModel):
    """What is to be different about a user. A field that is not there stays as it is."""

    model_config = _STRICT

    role: Role | None = None
    suspended: bool | None = None
    limits: LimitsBody | None = None


class NewKey(BaseModel):
    """A key to be."""

    model_config = _STRICT

    name: str = Field(min_length=1, max_length=100, description="What it is for.", examples=["laptop"])
    scopes: list[Scope] = Field(
        ["read", "chat"], min_length=1, max_length=3, description="What it opens; `admin` only for administrators."
    )
    limits: LimitsBody | None = Field(
        None, description="What it may spend of what its user may. A limit above the user's changes nothing."
    )

    @property
    def limited(self) -> Limits:
        """Its limits as a value."""
        return self.limits.over(NO_LIMITS) if self.limits is not None else NO_LIMITS


class KeyBody(BaseModel):
    """A key, without what opens anything."""

    id: str
    name: str
    prefix: str = Field(description="How it begins.")
    scopes: list[Scope]
    created_at: str
    used_at: str | None = Field(description="To the minute.")
    limits: LimitsBody = Field(description="Of its own; its user's hold, too.")

    @classmethod
    def of(cls, key: ApiKey) -> "KeyBody":
        """The public face of `key`."""
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=list(key.scopes),
            created_at=rfc3339(key.created_at),
            used_at=rfc3339(key.used_at) if key.used_at is not None else None,
            limits=LimitsBody.of(key.limits),
        )


class MadeKey(KeyBody):
    """A new key: the only time that it is shown."""

    key: str


class KeyList(BaseModel):
    """All of a user's keys, newest first."""

    items: list[KeyBody]
    next: str | None = None


class NewInvitation(BaseModel):
    """An invitation to be."""

    model_config = _STRICT

    role: Role = "user"
    days: int = Field(7, ge=1, le=90, description="How long it is good.")


class InvitationBody(BaseModel):
    """A way in for one person, without what opens it."""

    id: str
    role: Role
    created_at: str
    expires_at: str

    @classmethod
    def of(cls, invitation: Invitation) -> "InvitationBody":
        """The public face of `invitation`."""
        return cls(
            id=invitation.id,
            role=invitation.role,
            created_at=rfc3339(invitation.created_at),
            expires_at=rfc3339(invitation.expires_at),
        )


class MadeInvitation(InvitationBody):
    """A new invitation: the only time that it is shown."""

    invitation: str


class InvitationList(BaseModel):
    """Invitations that have neither been used nor expired, newest first."""

    items: list[InvitationBody]
    next: str | None = None


class DeedBody(BaseModel):
    """Something that is on the record."""

    id: str
    at: str
    kind: str
    actor_id: str | None
    subject: str | None

    @classmethod
    def of(cls, deed: Deed) -> "DeedBody":
        """The public face of `deed`."""
        return cls(id=deed.id, at=rfc3339(deed.at), kind=deed.kind, actor_id=deed.actor_id, subject=deed.subject)


class DeedList(BaseModel):
    """The record, newest first."""

    items: list[DeedBody]
    next: str | None = Field(None, description="`before` of the next page; none on the last one.")
