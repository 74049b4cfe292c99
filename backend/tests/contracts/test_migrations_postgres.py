"""The schema in PostgreSQL: the same migrations make it, once, however many replicas start at the same moment."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from app.accounts import tables as account_tables
from app.engines.postgres import PostgresDatabase
from app.errors import StartRefused
from app.store import schema, tables
from tests.support import postgres
from tests.support.databases import closed, fetched

METADATA: Any = [tables.metadata, tables.postgres_metadata, account_tables.metadata]
FIRST_SHARED = "0005"  # the first schema that several replicas use
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[PostgresDatabase]:
    async with closed(tmp_path, "postgresql") as database:
        assert isinstance(database, PostgresDatabase)
        await asyncio.to_thread(database.open)
        yield database


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.database() as url:
        yield url


async def test_the_migrated_schema_is_the_one_the_code_expects(database: PostgresDatabase) -> None:
    await asyncio.to_thread(database.alone, schema.migrate)

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, METADATA)

    assert await asyncio.to_thread(database.alone, differences) == []


async def test_ids_sort_by_age_whatever_language_the_database_sorts_in(database: PostgresDatabase) -> None:
    await asyncio.to_thread(database.alone, schema.migrate)
    otherwise = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C' "
        "AND table_name NOT IN ('alembic_version', 'replicas', 'cuts')"
    )
    assert fetched(database, otherwise) == []


async def test_a_newer_revision_is_refused_with_a_sentence(database: PostgresDatabase) -> None:
    await asyncio.to_thread(database.alone, schema.migrate)
    await asyncio.to_thread(
        database.alone,
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"),
    )
    with pytest.raises(StartRefused, match=r"newer version.*9999"):
        await asyncio.to_thread(database.alone, schema.migrate)


async def test_an_interrupted_migration_leaves_nothing(database: PostgresDatabase) -> None:
    def stop_after(connection: Connection) -> None:
        schema.migrate(connection)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await asyncio.to_thread(database.alone, stop_after)
    assert fetched(database, TABLES) == []
    await asyncio.to_thread(database.alone, schema.migrate)
    assert fetched(database, "SELECT count(*) AS n FROM runs") == [(0,)]


async def test_replicas_that_start_at_once_migrate_once(url: str) -> None:
    databases = [PostgresDatabase(url) for _ in range(5)]
    for database in databases:
        await asyncio.to_thread(database.open)
    await asyncio.gather(*(asyncio.to_thread(database.alone, schema.migrate) for database in databases))
    assert postgres.rows(url, "SELECT version_num FROM alembic_version") == [{"version_num": schema.revisions()[0]}]
    for database in databases:
        await database.close()


async def test_no_migration_takes_from_a_replica_that_runs_what_it_uses(database: PostgresDatabase) -> None:
    """While one replica after the other is replaced, the older ones go on: see `docs/replicas.md`."""
    taken: dict[str, list[str]] = {}

    def climb(connection: Connection) -> None:
        before: Schema = {}
        for revision in reversed(schema.revisions()):
            command.upgrade(schema.config(connection), revision)
            after = described(connection)
            taken[revision] = [*missing(before, after)]
            before = after

    await asyncio.to_thread(database.alone, climb)
    assert "journal" in taken[FIRST_SHARED], "what takes something is found out"
    assert {revision: lost for revision, lost in taken.items() if lost and revision > FIRST_SHARED} == {}


Schema = dict[str, dict[str, tuple[str, bool, bool]]]
"""Of each table the columns: their type, whether they may be null, and whether a row may leave them out."""


def described(connection: Connection) -> Schema:
    look = inspect(connection)

    def column(one: Any) -> tuple[str, bool, bool]:
        kind = one["type"].compile(connection.dialect)
        return kind, one["nullable"], one["nullable"] or one["default"] is not None

    return {
        table: {one["name"]: column(one) for one in look.get_columns(table)}
        | {f"unique {one['name']}": ("", True, False) for one in look.get_indexes(table) if one["unique"]}
        | {f"foreign {one['name']}": ("", True, False) for one in look.get_foreign_keys(table)}
        | {f"check {one['name']}": ("", True, False) for one in look.get_check_constraints(table)}
        for table in look.get_table_names()
    }


def missing(before: Schema, after: Schema) -> Iterator[str]:
    """What code that knows only `before` would miss: what is gone or another, and what it does not know to fill in."""
    for table, columns in before.items():
        if table not in after:
            yield table
            continue
        yield from (f"{table}.{name}" for name, column in columns.items() if after[table].get(name) != column)
        new = after[table].keys() - columns.keys()
        yield from (f"{table}.{name}" for name in sorted(new) if not after[table][name][2])
