"""The accounts over SQLAlchemy Core, for both dialects."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from app.accounts.base import ApiKey, Deed, Invitation, Known, Newcomer, Role, Scope, Session, User, name_key
from app.accounts.tables import api_keys, audit, invitations, sessions, users
from app.database import Database
from app.errors import InvitationNeeded, LastAdministrator, NameTaken, NotSignedIn, UserNotFound
from app.models import LOCAL, NO_LIMITS, Limits
from app.telemetry import log

T = TypeVar("T")

MAX_SESSIONS = 100  # of one user: more browsers than anybody signs in from in a month
USED_MILLISECONDS = 60_000  # a key's last use is noted this often at most
KEPT_MILLISECONDS = 365 * 24 * 3600 * 1000  # of the record
EVERYONE = "*"  # who may be the first, or the last administrator, is decided about all of them at once
SWEEP_ROWS = 500  # in one commit, so that live answers do not wait

_CUT = text(
    "INSERT INTO cuts (id, user_id, credential, replica_id, made_at) "
    "VALUES (:id, :user, :credential, :me, clock_timestamp())"
)
_decoder = msgspec.json.Decoder(Limits)


class SqlAccounts:
    """Satisfies `accounts.base.Accounts`."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    async def count(self) -> int:
        """See `Accounts.count`."""
        return await self._database.read(_count)

    async def sign_up(self, newcomer: Newcomer, *, is_open: bool) -> User:
        """See `Accounts.sign_up`."""
        now = self._now()

        def write(connection: Connection) -> User:
            if newcomer.subject is not None:
                same = (users.c.issuer == newcomer.issuer, users.c.subject == newcomer.subject)
                if (row := connection.execute(select(users).where(*same)).one_or_none()) is not None:
                    return user_of(row)  # they came twice at once
            role: Role = "user"
            user_id = newcomer.id
            if _count(connection) == 0:
                role = "admin"
                user_id = LOCAL.id if newcomer.takes_over else user_id
            elif newcomer.invitation is not None:
                role = _accept_invitation(connection, newcomer.invitation, now)
            elif not is_open:
                raise InvitationNeeded
            key = name_key(newcomer.name)
            if connection.scalar(select(users.c.id).where(users.c.name_key == key)) is not None:
                raise NameTaken(newcomer.name)
            connection.execute(
                insert(users).values(
                    id=user_id,
                    name=newcomer.name,
                    name_key=key,
                    role=role,
                    password=newcomer.password,
                    issuer=newcomer.issuer,
                    subject=newcomer.subject,
                    created_at=newcomer.created_at,
                )
            )
            return User(user_id, newcomer.name, role, newcomer.created_at)

        return await self._write(write)

    async def user(self, user_id: str) -> User | None:
        """See `Accounts.user`."""
        return await self._database.read(lambda connection: _user(connection, user_id))

    async def users(self, limit: int, before: str | None) -> Sequence[User]:
        """See `Accounts.users`."""
        statement = select(users).order_by(users.c.created_at.desc(), users.c.id.desc()).limit(limit)
        if before is not None:
            youngest = select(users.c.created_at).where(users.c.id == before).scalar_subquery()
            statement = statement.where(
                (users.c.created_at < youngest) | ((users.c.created_at == youngest) & (users.c.id < before))
            )
        return await self._database.read(lambda connection: [user_of(row) for row in connection.execute(statement)])

    async def by_name(self, name: str) -> tuple[User, str | None] | None:
        """See `Accounts.by_name`."""
        statement = select(users).where(users.c.name_key == name_key(name))

        def look(connection: Connection) -> tuple[User, str | None] | None:
            row = connection.execute(statement).one_or_none()
            return (user_of(row), row.password) if row is not None else None

        return await self._database.read(look)

    async def by_subject(self, issuer: str, subject: str) -> User | None:
        """See `Accounts.by_subject`."""
        statement = select(users).where(users.c.issuer == issuer, users.c.subject == subject)

        def look(connection: Connection) -> User | None:
            row = connection.execute(statement).one_or_none()
            return user_of(row) if row is not None else None

        return await self._database.read(look)

    async def change_password(self, user_id: str, password: str) -> None:
        """See `Accounts.change_password`."""

        def write(connection: Connection) -> None:
            connection.execute(update(users).where(users.c.id == user_id).values(password=password))
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
            self._cut(connection, user_id=user_id)

        await self._write(write)

    async def set_role(self, user_id: str, role: Role) -> User:
        """See `Accounts.set_role`."""
        return await self._change(user_id, {"role": role}, keeps_power=role == "admin")

    async def suspend(self, user_id: str, at: int | None) -> User:
        """See `Accounts.suspend`."""
        return await self._change(user_id, {"suspended_at": at}, keeps_power=at is None)

    async def set_limits(self, user_id: str, limits: Limits) -> User:
        """See `Accounts.set_limits`."""
        statement = update(users).where(users.c.id == user_id).values(limits=_written(limits))

        def write(connection: Connection) -> User:
            connection.execute(statement)
            user = _user(connection, user_id)
            if user is None:
                raise UserNotFound
            return user

        return await self._write(write)

    async def _change(self, user_id: str, values: dict[str, Any], *, keeps_power: bool) -> User:
        def write(connection: Connection) -> User:
            user = _user(connection, user_id)
            if user is None:
                raise UserNotFound
            if not keeps_power and _is_last_administrator(connection, user):
                raise LastAdministrator
            connection.execute(update(users).where(users.c.id == user_id).values(**values))
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
            self._cut(connection, user_id=user_id)
            return user_of(connection.execute(select(users).where(users.c.id == user_id)).one())

        return await self._write(write)

    # ── Sessions and keys ───────────────────────────────────────────────────────────────────────────────────────────

    async def begin(self, session: Session, password: str | None) -> Sequence[str]:
        """See `Accounts.begin`."""
        mine = sessions.c.user_id == session.user_id
        values = {name: getattr(session, name) for name in session.__struct_fields__}

        def write(connection: Connection) -> Sequence[str]:
            user = connection.execute(select(users).where(users.c.id == session.user_id)).one_or_none()
            if user is None or user.suspended_at is not None or user.password != password:
                raise NotSignedIn
            newest_first = sessions.c.created_at.desc(), sessions.c.id
            left = select(sessions.c.id).where(mine).order_by(*newest_first).offset(MAX_SESSIONS - 1)
            ended = list(connection.scalars(left))
            connection.execute(delete(sessions).where(sessions.c.id.in_(ended)))
            connection.execute(insert(sessions).values(**values))
            for gone in ended:
                self._cut(connection, credential=gone)
            return ended

        return await self._write(write)

    async def by_session(self, digest: str, now: int) -> Known | None:
        """See `Accounts.by_session`."""
        statement = (
            select(users, sessions.c.id.label("credential"), sessions.c.expires_at)
            .join(sessions, sessions.c.user_id == users.c.id)
            .where(sessions.c.id == digest, sessions.c.expires_at > now, users.c.suspended_at.is_(None))
        )

        def look(connection: Connection) -> Known | None:
            row = connection.execute(statement).one_or_none()
            if row is None:
                return None
            user = user_of(row)
            scopes = ("read", "chat", "admin") if user.role == "admin" else ("read", "chat")
            return Known(user=user, scopes=scopes, credential=row.credential, expires_at=row.expires_at)

        return await self._database.read(look)

    async def end(self, digest: str) -> None:
        """See `Accounts.end`."""

        def write(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.id == digest))
            self._cut(connection, credential=digest)

        await self._write(write)

    async def create_key(self, key: ApiKey, digest: str) -> None:
        """See `Accounts.create_key`."""
        values = {name: getattr(key, name) for name in key.__struct_fields__}
        row = {**values, "scopes": " ".join(key.scopes), "digest": digest, "limits": _written(key.limits)}
        await self._write(lambda connection: connection.execute(insert(api_keys).values(**row)))

    async def keys(self, user_id: str) -> Sequence[ApiKey]:
        """See `Accounts.keys`."""
        statement = select(api_keys).where(api_keys.c.user_id == user_id).order_by(api_keys.c.id.desc())
        return await self._database.read(lambda connection: [_key(row) for row in connection.execute(statement)])

    async def by_key(self, digest: str, now: int) -> Known | None:
        """See `Accounts.by_key`."""
        statement = (
            select(
                users,
                api_keys.c.id.label("credential"),
                api_keys.c.scopes,
                api_keys.c.used_at,
                api_keys.c.limits.label("key_limits"),
            )
            .join(api_keys, api_keys.c.user_id == users.c.id)
            .where(api_keys.c.digest == digest, users.c.suspended_at.is_(None))
        )
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            return None
        if row.used_at is None or now - row.used_at >= USED_MILLISECONDS:
            used = update(api_keys).where(api_keys.c.id == row.credential).values(used_at=now)
            # Nobody waits for it, and where there is no room for it the key opens all the same.
            self._database.submit(lambda connection: connection.execute(used), durable=False).add_done_callback(_noted)
        user = user_of(row)
        # A key never opens more than its user may: an administrator's key does not outlive the role.
        scopes = _scopes(row.scopes if user.role == "admin" else row.scopes.replace("admin", ""))
        limits = _limits(row.key_limits)
        return Known(user=user, scopes=scopes, credential=row.credential, key_limits=limits)

    async def revoke_key(self, user_id: str, key_id: str) -> ApiKey | None:
        """See `Accounts.revoke_key`."""

        def write(connection: Connection) -> ApiKey | None:
            mine = (api_keys.c.id == key_id, api_keys.c.user_id == user_id)
            row = connection.execute(select(api_keys).where(*mine)).one_or_none()
            connection.execute(delete(api_keys).where(*mine))
            if row is not None:
                self._cut(connection, credential=key_id)
            return _key(row) if row is not None else None

        return await self._write(write)

    # ── Invitations and the record ──────────────────────────────────────────────────────────────────────────────────

    async def invite(self, invitation: Invitation, digest: str) -> None:
        """See `Accounts.invite`."""
        values = {name: getattr(invitation, name) for name in invitation.__struct_fields__}
        await self._write(lambda connection: connection.execute(insert(invitations).values(**values, digest=digest)))

    async def invitations(self) -> Sequence[Invitation]:
        """See `Accounts.invitations`."""
        statement = select(invitations).where(invitations.c.expires_at > self._now()).order_by(invitations.c.id.desc())
        return await self._database.read(
            lambda connection: [
                Invitation(row.id, row.role, row.created_by, row.created_at, row.expires_at)
                for row in connection.execute(statement)
            ]
        )

    async def revoke_invitation(self, invitation_id: str) -> bool:
        """See `Accounts.revoke_invitation`."""
        statement = delete(invitations).where(invitations.c.id == invitation_id)
        return await self._write(lambda connection: connection.execute(statement).rowcount == 1)

    async def record(self, deed: Deed) -> None:
        """See `Accounts.record`."""
        row = {"id": deed.id, "kind": deed.kind, "actor_id": deed.actor_id, "subject": deed.subject}
        await self._write(lambda connection: connection.execute(insert(audit).values(**row, created_at=deed.at)))

    async def deeds(self, limit: int, before: str | None) -> Sequence[Deed]:
        """See `Accounts.deeds`."""
        statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(audit.c.id < before)
        return await self._database.read(
            lambda connection: [
                Deed(row.id, row.created_at, row.kind, row.actor_id, row.subject)
                for row in connection.execute(statement)
            ]
        )

    async def sweep(self) -> bool:
        """See `Accounts.sweep`."""
        now = self._now()
        old = [
            (sessions, sessions.c.expires_at < now),
            (invitations, invitations.c.expires_at < now),
            (audit, audit.c.created_at < now - KEPT_MILLISECONDS),
        ]

        def forget(connection: Connection) -> bool:
            gone = 0
            for table, is_over in old:
                ids = select(table.c.id).where(is_over).limit(SWEEP_ROWS)
                gone += connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount
            return gone > 0

        return await self._database.submit(forget, durable=False)

    def _cut(self, connection: Connection, *, user_id: str | None = None, credential: str | None = None) -> None:
        """Tell other replicas, in the same commit, whose open streams end."""
        me = self._database.replica
        if me is not None:
            connection.execute(_CUT, {"id": secrets.token_hex(13), "me": me, "user": user_id, "credential": credential})

    async def _write(self, function: Callable[[Connection], T]) -> T:
        return await self._database.submit(function, durable=True, owner_id=EVERYONE)


def user_of(row: Row[Any]) -> User:
    """A row of `users` as a user."""
    return User(row.id, row.name, row.role, row.created_at, row.suspended_at, _limits(row.limits))


def _noted(write: "asyncio.Future[Any]") -> None:
    if not write.cancelled() and (error := write.exception()) is not None:
        log.warning("key.use_not_noted", error=type(error).__name__)


def _count(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(users)) or 0


def _user(connection: Connection, user_id: str) -> User | None:
    row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
    return user_of(row) if row is not None else None


def _key(row: Row[Any]) -> ApiKey:
    limits = _limits(row.limits)
    return ApiKey(row.id, row.user_id, row.name, row.prefix, _scopes(row.scopes), row.created_at, row.used_at, limits)


def _limits(column: str | None) -> Limits:
    return _decoder.decode(column) if column else NO_LIMITS


def _written(limits: Limits) -> str | None:
    return msgspec.json.encode(limits).decode() if limits != NO_LIMITS else None


def _scopes(column: str) -> tuple[Scope, ...]:
    return tuple(cast(Scope, scope) for scope in column.split())


def _accept_invitation(connection: Connection, digest: str, now: int) -> Role:
    good = (invitations.c.digest == digest, invitations.c.expires_at > now)
    role = connection.scalar(select(invitations.c.role).where(*good))
    if role is None:
        raise InvitationNeeded
    connection.execute(delete(invitations).where(invitations.c.digest == digest))
    return role


def _is_last_administrator(connection: Connection, user: User) -> bool:
    if user.role != "admin" or user.suspended_at is not None:
        return False
    others = (
        select(func.count())
        .select_from(users)
        .where(users.c.role == "admin", users.c.suspended_at.is_(None), users.c.id != user.id)
    )
    return connection.scalar(others) == 0
