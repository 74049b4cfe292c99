"""PostgreSQL, looked at as the service would use it; nothing is written."""

import time
from collections.abc import Iterator

from sqlalchemy import Connection

from app.doctor.findings import Finding, duration, ok, wrong
from app.engines import choice
from app.errors import StartRefused
from app.settings import Settings
from app.store import schema

SUBJECT = "database"
CLOCK_SECONDS = 5.0  # more than the way there and back


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything about the database that the settings name."""
    try:
        database = choice.database(settings)
        database.open()
    except StartRefused as refusal:
        yield wrong(SUBJECT, refusal.message)
        return
    try:
        yield ok(SUBJECT, f"PostgreSQL answers at {database.name}, and lets this user in.")
        yield from database.look(_content)
    finally:
        database.let_go()


def _content(connection: Connection) -> list[Finding]:
    there = connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is not None
    current = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if there else None
    theirs: float = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one()
    findings = [_schema(current), _clock(time.time() - theirs)]
    if there:
        replicas = connection.exec_driver_sql("SELECT count(*) FROM replicas WHERE lease_until > now()").scalar()
        findings.append(ok("replicas", f"{replicas} are serving from it."))
    return findings


def _schema(current: str | None) -> Finding:
    known = schema.revisions()
    if current == known[0]:
        return ok("schema", f"it is {current}, as this version has it.")
    if current is None or current in known:
        return ok("schema", f"it is {current or 'empty'}; the next start brings it to {known[0]}.")
    return wrong(
        "schema", f"it is {current}, of a newer version of this service. Start that version, or restore a backup."
    )


def _clock(ahead: float) -> Finding:
    if abs(ahead) < CLOCK_SECONDS:
        return ok("clock", "it agrees with the database's.")
    way = "ahead of" if ahead > 0 else "behind"
    return wrong(
        "clock",
        f"it is {duration(abs(ahead))} {way} the database's, whose time is taken. "
        "Set it by the network (timedatectl set-ntp true).",
    )
