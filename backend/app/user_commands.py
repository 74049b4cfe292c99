"""`python -m app.cli users …`: accounts from the command line, on the database of a service that does not run.

With SQLite it takes the service's own lock, so it says a sentence where the service runs; the API under /api/admin does
all of this there. What only this can do is give a new password to an administrator who has forgotten theirs.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from app.account_bodies import LimitsBody, Password
from app.accounts.base import AuditKind, Deed, Invitation, Role, User
from app.accounts.passwords import Passwords
from app.accounts.sql import SqlAccounts
from app.clock import Clock, rfc3339
from app.engines import choice
from app.errors import ChatError, StartRefused, UserNotFound
from app.services.gatekeeper import digest
from app.settings import load
from app.store import schema

T = TypeVar("T")

DAY_MILLISECONDS = 24 * 3600 * 1000
PAGE = 100  # users read at once

cli = typer.Typer(no_args_is_help=True, help="See to accounts, while the service does not run.")

_Who = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class Office:
    """The accounts of a database that is held by this process."""

    def __init__(self, accounts: SqlAccounts, clock: Clock) -> None:
        self.accounts = accounts
        self.clock = clock

    async def find(self, name: str) -> User:
        """The user of that name.

        Raises:
            UserNotFound: there is none.
        """
        found = await self.accounts.by_name(name)
        if found is None:
            raise UserNotFound
        return found[0]

    async def note(self, kind: AuditKind, subject: str) -> None:
        """Put it on the record: done by nobody who signed in."""
        await self.accounts.record(Deed(self.clock.new_id(), self.clock.now(), kind, None, subject))


@cli.command("list")
def list_users() -> None:
    """Show everyone: name, role, whether they are suspended, and limits of their own."""

    async def show(office: Office) -> None:
        before: str | None = None
        while page := await office.accounts.users(PAGE, before):
            for user in page:
                limits = LimitsBody.of(user.limits).model_dump(exclude_none=True)
                told = " ".join(f"{name}={value:g}" for name, value in limits.items())
                state = "suspended" if user.suspended_at is not None else "active"
                typer.echo(f"{user.name}\t{user.role}\t{state}\t{rfc3339(user.created_at)}\t{told}".rstrip())
            before = page[-1].id

    _run(show)


@cli.command()
def invite(
    role: Annotated[str, typer.Option(help="user or admin.")] = "user",
    days: Annotated[int, typer.Option(min=1, max=90, help="How long it is good.")] = 7,
) -> None:
    """Make an invitation, which is shown this once."""
    given, token = _role(role), secrets.token_urlsafe(24)

    async def make(office: Office) -> None:
        now = office.clock.now()
        invitation = Invitation(office.clock.new_id(), given, "", now, now + days * DAY_MILLISECONDS)
        await office.accounts.invite(invitation, digest(token))
        await office.note("invited", invitation.id)

    _run(make)
    typer.echo(token)


@cli.command()
def role(name: _Who, role: Annotated[str, typer.Argument(help="user or admin.")], yes: _Yes = False) -> None:
    """Give a role. Their sessions end."""
    given = _role(role)
    _sure(yes, f"Make {name} {given}? Their sessions end.")

    async def change(office: Office) -> None:
        user = await office.find(name)
        await office.accounts.set_role(user.id, given)
        await office.note("role_changed", user.id)

    _run(change)


@cli.command()
def suspend(name: _Who, yes: _Yes = False) -> None:
    """Let somebody in no longer. Their sessions end; what they have is kept."""
    _sure(yes, f"Suspend {name}? Their sessions end.")

    async def change(office: Office) -> None:
        user = await office.find(name)
        await office.accounts.suspend(user.id, office.clock.now())
        await office.note("suspended", user.id)

    _run(change)


@cli.command()
def restore(name: _Who) -> None:
    """Let somebody in again."""

    async def change(office: Office) -> None:
        user = await office.find(name)
        await office.accounts.suspend(user.id, None)
        await office.note("restored", user.id)

    _run(change)


@cli.command()
def limits(
    name: _Who,
    set_to: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE]…", help="Such as tokens_per_day=100000; 0: none; empty: the settings'."),
    ] = None,
) -> None:
    """Show or change what somebody may spend: runs, requests_per_minute, tokens_per_minute, tokens_per_day,
    budget_per_month (US dollars)."""
    body = _checked(LimitsBody, dict(_assignment(one) for one in set_to or []))

    async def change(office: Office) -> User:
        user = await office.find(name)
        if not body.model_fields_set:
            return user
        user = await office.accounts.set_limits(user.id, body.over(user.limits))
        await office.note("limits_changed", user.id)
        return user

    known = LimitsBody.of(_run(change).limits).model_dump()
    for field, value in known.items():
        typer.echo(f"{field}\t{'as the settings say' if value is None else f'{value:,}'}")


@cli.command()
def password(name: _Who, yes: _Yes = False) -> None:
    """Give a new password, for who has forgotten theirs. Their sessions end. It is read from a prompt, never shown."""
    _sure(yes, f"Give {name} a new password? Their sessions end.")
    given = _checked(Password, typer.prompt("New password", hide_input=True, confirmation_prompt=True))

    async def change(office: Office) -> None:
        user = await office.find(name)
        passwords = Passwords()
        try:
            await office.accounts.change_password(user.id, await passwords.hashed(given))
        finally:
            passwords.close()
        await office.note("password_changed", user.id)

    _run(change)


def _run(work: Callable[[Office], Awaitable[T]]) -> T:
    try:
        return asyncio.run(_held(work))
    except StartRefused as refusal:
        hint = " While the service runs, use its API: /api/admin/users." if "Another process" in refusal.message else ""
        typer.echo(f"{refusal.message}{hint}", err=True)
    except ChatError as error:
        typer.echo(error.message, err=True)
    raise typer.Exit(1)


async def _held(work: Callable[[Office], Awaitable[T]]) -> T:
    settings = load()
    if not settings.is_shared and not settings.database_path.exists():
        raise StartRefused(
            f"There is no database {settings.database_path}. Start the service once, or check DATABASE_URL."
        )
    database, clock = choice.database(settings), Clock()
    try:
        database.open()
        database.alone(schema.migrate)
        database.start()
        return await work(Office(SqlAccounts(database, clock.now), clock))
    finally:
        await database.close()


def _sure(yes: bool, question: str) -> None:
    if not yes:
        typer.confirm(question, abort=True)


def _role(word: str) -> Role:
    return _checked(Role, word)


def _assignment(text: str) -> tuple[str, Any]:
    field, _, value = text.partition("=")
    if not value:
        return field, None
    try:
        return field, float(value) if "." in value else int(value)
    except ValueError:
        return field, value  # the body refuses it by name


def _checked(kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = f"{'.'.join(map(str, first['loc']))}: " if first["loc"] else ""
        typer.echo(f"{place}{first['msg']}.", err=True)
        raise typer.Exit(2) from None
