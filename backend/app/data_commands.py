"""`python -m app.cli backup`, `restore` and `migrate-data`: what is kept, as a whole."""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from app.clock import Clock
from app.database import Database
from app.engines import choice
from app.engines.sqlite import APPLICATION_ID, BUSY_MILLISECONDS, SqliteDatabase
from app.errors import ChatError, StartRefused
from app.eventlog import file as file_journal
from app.eventlog import segments
from app.eventlog import sqlite as kept_journal
from app.moving import move
from app.settings import load
from app.storage import recover
from app.store import schema
from app.store.rows import LIVE

NewFile = Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; it must not exist.")]
DatabaseFile = Annotated[Path, typer.Argument(metavar="FILE", help="A database file.")]

PG_DUMP = (
    "DATABASE_URL names PostgreSQL, whose own tool does this while the service runs. "
    'Type: pg_dump --format=custom --file={file} "$DATABASE_URL"'
)
PG_RESTORE = (
    "DATABASE_URL names PostgreSQL, whose own tool does this while no replica runs. "
    'Type: pg_restore --clean --if-exists --no-owner --dbname="$DATABASE_URL" {file}'
)


def backup(file: NewFile) -> None:
    """Copy the database to FILE, while the service runs or not: everything that was answered before is in it."""
    _tell(partial(_backup, file))


def restore(file: DatabaseFile, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Put FILE, which `backup` made, in the place of the database. The service must not run; what was there is kept."""
    _tell(partial(_restore, file, yes))


def migrate_data(file: DatabaseFile) -> None:
    """Copy FILE, of a service that is stopped, into the empty PostgreSQL that DATABASE_URL names, and compare both."""
    _tell(partial(_migrate_data, file))


def _backup(file: Path) -> None:
    settings = load()
    if settings.is_shared:
        raise StartRefused(PG_DUMP.format(file=file))
    source = settings.database_path
    if not source.exists():
        raise StartRefused(f"There is no database {source}. Check DATABASE_URL.")
    if file.exists():
        raise StartRefused(f"{file} is there already. Name a file that is not.")
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        _copy(source, unfinished)
        _check(unfinished)
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{file}: {file.stat().st_size:,} bytes, checked")


def _restore(file: Path, yes: bool) -> None:
    settings = load()
    if settings.is_shared:
        raise StartRefused(PG_RESTORE.format(file=file))
    _check(file)
    target = settings.database_path
    lock, replaces = SqliteDatabase(target), target.exists()
    lock.hold()  # nobody serves from it until this is over
    try:
        if replaces and not yes:
            typer.confirm(f"Replace {target}? What is there now is kept beside it.", abort=True)
        arriving = target.with_name(f"{target.name}.arriving")
        arriving.unlink(missing_ok=True)
        _copy(file, arriving)
        kept = target.with_name(f"{target.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        beside = [path.name.removeprefix(target.name) for path in segments.paths(target)]
        for suffix in (*beside, "-wal", "", "-shm"):
            if (old := Path(f"{target}{suffix}")).exists():
                old.rename(f"{kept}{suffix}")
        arriving.rename(target)
    finally:
        lock.release()
    typer.echo(f"{target} is {file} now{f'; what was there is {kept}' if replaces else ''}")


def _migrate_data(file: Path) -> None:
    settings = load()
    if not settings.is_shared:
        raise StartRefused("DATABASE_URL names no PostgreSQL. Set it to where everything is to go: postgresql://….")
    _check(file)
    lock = SqliteDatabase(file)
    lock.hold()
    try:
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            copy = Path(folder) / "copy.db"
            _copy(file, copy)  # the file stays as it is, whatever its schema
            _move(SqliteDatabase(copy), choice.database(settings))
    finally:
        lock.release()
    typer.echo(f"All of {file} is in PostgreSQL now. Start the replicas; keep the file until you are sure.")


def _move(source: SqliteDatabase, target: Database) -> None:
    try:
        source.open()
        recover(source, Clock())
        target.open()

        def write(here: Connection) -> None:
            target.alone(lambda there: move(here, there, typer.echo))

        source.alone(write)
    finally:
        source.let_go()
        target.let_go()


def _copy(source: Path, target: Path) -> None:
    """A copy as of one moment, however much is written meanwhile, with what unfinished answers had said before it."""
    said = file_journal.recover(source)  # first: the text of an answer that ends meanwhile is in the database
    target.touch(mode=0o600)
    uri, wait = f"{source.resolve().as_uri()}?mode=ro", BUSY_MILLISECONDS / 1000
    with closing(sqlite3.connect(uri, uri=True, timeout=wait)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
        live = {run_id for (run_id,) in there.execute(f"SELECT id FROM runs WHERE {LIVE}")}  # noqa: S608 - LIVE is ours
        if said := [one for one in said if one[0] in live]:
            kept_journal.keep(there, said)
            there.commit()
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # here, where it can fail aloud


def _check(file: Path) -> None:
    """Raises StartRefused where `file` is no database of ours, is damaged, or is of a newer version."""
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            ours = connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            sound = connection.execute("PRAGMA quick_check(1)").fetchall() == [("ok",)]
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StartRefused(f"{file} cannot be read ({error}). Name a file that `backup` made.") from error
    if not ours:
        raise StartRefused(f"{file} belongs to another program. Name a file that `backup` made.")
    if not sound:
        raise StartRefused(f"{file} is damaged. Name another backup; nothing was changed.")
    if row is None or row[0] not in schema.revisions():
        raise StartRefused(f"{file} is of a newer version of this service. Use that version; nothing was changed.")


def _tell(work: Callable[[], None]) -> None:
    try:
        work()
    except ChatError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from None
    except sqlite3.Error as error:
        typer.echo(f"The file cannot be copied ({error}).", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"{error.filename or 'The file'} cannot be used ({error.strerror}).", err=True)
        raise typer.Exit(1) from None
