"""A database of the newest schema, without a service, on either engine."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.database import Database
from app.engines.postgres import PostgresDatabase
from app.engines.sqlite import SqliteDatabase
from app.eventlog.base import Journal
from app.models import Piece
from app.store import schema
from tests.support import postgres
from tests.support.full_disk import fill_files

ENGINES = ("sqlite", "postgresql")


@asynccontextmanager
async def migrated(folder: Path, engine: str = "sqlite") -> AsyncGenerator[Database]:
    """An empty one, open, and closed at the end."""
    async with closed(folder, engine) as database:
        await asyncio.to_thread(database.open)
        await asyncio.to_thread(database.alone, schema.migrate)
        database.start()
        yield database


@asynccontextmanager
async def closed(folder: Path, engine: str = "sqlite") -> AsyncGenerator[Database]:
    """An empty one, not open yet, and closed at the end."""
    if engine == "sqlite":
        database: Database = SqliteDatabase(folder / "chat.db")
        yield database
        await database.close()
        return
    made = postgres.database()
    database = PostgresDatabase(await asyncio.to_thread(made.__enter__))
    try:
        yield database
        await database.close()
    finally:
        await asyncio.to_thread(made.__exit__, None, None, None)


def url_of(database: PostgresDatabase) -> str:
    """Where it is."""
    return postgres.within(postgres.server_url(), database.name.rpartition("/")[2])


def fetched(database: Database, statement: str) -> list[tuple[Any, ...]]:
    """What any other process reads."""
    if isinstance(database, PostgresDatabase):
        return [tuple(row.values()) for row in postgres.rows(url_of(database), statement)]
    assert isinstance(database, SqliteDatabase)
    with closing(sqlite3.connect(database.path)) as other:
        return other.execute(statement).fetchall()


def count(database: Database, table: str) -> int:
    """Rows of a table, as any other process sees them."""
    return fetched(database, f"SELECT count(*) AS n FROM {table}")[0][0]


async def fill_disk(database: Database) -> None:
    """From now on it takes no byte more."""
    if isinstance(database, SqliteDatabase):
        database._raw.execute("PRAGMA max_page_count=1")
        fill_files(full=True)
        return
    await asyncio.to_thread(database.alone, _refuse_all)


async def free_disk(database: Database) -> None:
    """There is room again."""
    if isinstance(database, SqliteDatabase):
        database._raw.execute("PRAGMA max_page_count=1000000")
        fill_files(full=False)
        return
    await asyncio.to_thread(
        database.alone, lambda connection: connection.exec_driver_sql("DROP FUNCTION no_room CASCADE")
    )


def _refuse_all(connection: Connection) -> None:
    """Have the server answer each write as it does when its disk is full."""
    connection.exec_driver_sql(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    for (table,) in connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").all():
        connection.exec_driver_sql(
            f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION no_room()"
        )


def append(journal: Journal, run_id: str, pieces: Sequence[Piece]) -> "asyncio.Future[None]":
    """Append to a journal; the future is done once that is durable, and raises why it is not."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def written(error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    journal.append(run_id, pieces, written)
    return future
