"""A database of the newest schema, without a service."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from app.engines.sqlite import SqliteDatabase
from app.store import schema


@asynccontextmanager
async def migrated(folder: Path) -> AsyncGenerator[SqliteDatabase]:
    """An empty one, open, and closed at the end."""
    database = SqliteDatabase(folder / "chat.db")
    await asyncio.to_thread(database.open)
    await asyncio.to_thread(database.alone, schema.migrate)
    database.start()
    yield database
    await database.close()


def count(database: SqliteDatabase, table: str) -> int:
    """Rows of a table, as any other process sees them."""
    with closing(sqlite3.connect(database.path)) as other:
        return other.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
