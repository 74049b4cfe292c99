"""The schema: what the migrations make is what the code expects, and a file that is not ours stays as it was."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine

from app.accounts import tables as account_tables
from app.engines.sqlite import SqliteDatabase
from app.errors import StartRefused
from app.store import schema, tables

METADATA: Any = [tables.metadata, tables.sqlite_metadata, account_tables.metadata]
# What a service of the first schema left behind: an answer, one that was being written, a key, and the journal.
FIRST_ROWS = """
INSERT INTO messages
VALUES ('m1', 'local', 'assistant', '[{"kind":"text","text":"안녕"}]', 1), ('m2', 'local', 'assistant', '[]', 2);
INSERT INTO runs (id, owner_id, message_id, model, status, attempts, created_at, ended_at)
VALUES ('r1', 'local', 'm1', 'gpt', 'completed', 1, 1, 3), ('r2', 'local', 'm2', 'gpt', 'running', 1, 2, NULL);
INSERT INTO idempotency_keys VALUES ('local', 'key', 'fingerprint', 'r1', 1);
INSERT INTO journal VALUES (1, x'90');
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "chat.db")
    await asyncio.to_thread(database.open)
    yield database
    await database.close()


async def migrate(database: SqliteDatabase) -> None:
    await asyncio.to_thread(database.alone, schema.migrate)


def described(connection: sqlite3.Connection) -> dict[str, Any]:
    """Tables, columns, keys and indexes, as SQLite itself tells them."""
    found: dict[str, Any] = {}
    names = "SELECT name, type, tbl_name FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite_%'"
    for name, kind, table in connection.execute(names).fetchall():
        if kind == "table" and name != "alembic_version":
            columns = [tuple(column[1:]) for column in connection.execute(f"PRAGMA table_info({name})")]
            # Without their numbers, which only tell in which order they were declared.
            keys = sorted(key[2:] for key in connection.execute(f"PRAGMA foreign_key_list({name})"))
            found[name] = (columns, keys)
        elif kind == "index":
            listed = connection.execute(f"PRAGMA index_list({table})").fetchall()
            unique_and_partial = next((unique, partial) for _, index, unique, _, partial in listed if index == name)
            columns = [column for _, _, column in connection.execute(f"PRAGMA index_info({name})")]
            (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            found[name] = (table, unique_and_partial, columns, sql.partition(" WHERE ")[2])
    return found


def without_shadows(name: str | None, kind: str, parents: Any) -> bool:
    """The tables in which FTS5 keeps its index are its own affair; `described` compares them all the same."""
    return kind != "table" or name is None or not name.startswith("search_index")


async def test_the_migrated_schema_is_the_one_the_code_expects(database: SqliteDatabase, tmp_path: Path) -> None:
    await migrate(database)

    def differences(connection: Connection) -> list[Any]:
        opts = {"compare_type": True, "compare_server_default": True, "include_name": without_shadows}
        context = MigrationContext.configure(connection, opts=opts)
        return compare_metadata(context, METADATA)

    assert await asyncio.to_thread(database.alone, differences) == []
    expected = create_engine(f"sqlite:///{tmp_path / 'expected.db'}")
    for metadata in METADATA:
        metadata.create_all(expected)
    expected.dispose()
    with closing(sqlite3.connect(tmp_path / "expected.db")) as one, closing(sqlite3.connect(database.path)) as other:
        assert described(other) == described(one)
        settings = "SELECT * FROM search_index_config ORDER BY k"
        assert other.execute(settings).fetchall() == one.execute(settings).fetchall()


def test_the_newest_revision_is_known_by_the_names_of_the_scripts() -> None:
    assert schema.revisions()[0] == schema.newest()


async def test_migrating_twice_changes_nothing(database: SqliteDatabase) -> None:
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        before = list(other.iterdump())
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        assert list(other.iterdump()) == before


async def test_a_newer_revision_is_refused_with_a_sentence_and_untouched(database: SqliteDatabase) -> None:
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
        before = list(other.iterdump())
    with pytest.raises(StartRefused, match=r"newer version.*9999"):
        await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        assert list(other.iterdump()) == before


async def test_an_interrupted_migration_leaves_nothing(database: SqliteDatabase) -> None:
    def stop_after(connection: Connection) -> None:
        schema.migrate(connection)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await asyncio.to_thread(database.alone, stop_after)
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == []
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        assert other.execute("SELECT count(*) FROM runs").fetchone() == (0,)


async def test_what_the_first_schema_held_is_there_after_every_migration(database: SqliteDatabase) -> None:
    await asyncio.to_thread(database.alone, to_the_first)
    with closing(sqlite3.connect(database.path)) as other:
        other.executescript(FIRST_ROWS)
        before = rows(other)
        other.commit()
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        after = rows(other)
        assert other.execute("PRAGMA foreign_key_check").fetchall() == []
        assert tuple(other.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    for table, kept in before.items():
        assert [row.items() & old.items() for row, old in zip(after[table], kept, strict=True)] == [
            old.items() for old in kept
        ]
    assert {row["conversation_id"] for row in (*after["runs"], *after["messages"])} == {None}


async def test_every_migration_can_be_taken_back_and_made_again(database: SqliteDatabase) -> None:
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        newest = described(other)
    await asyncio.to_thread(database.alone, back_to_the_first)
    with closing(sqlite3.connect(database.path)) as other:
        other.executescript(FIRST_ROWS)
        other.commit()
    await migrate(database)
    with closing(sqlite3.connect(database.path)) as other:
        assert described(other) == newest
        assert other.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def to_the_first(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1")  # a transaction that Alembic finds under way is not Alembic's to commit
    command.upgrade(schema.config(connection), "0001")


def back_to_the_first(connection: Connection) -> None:
    command.downgrade(schema.config(connection), "0001")


def rows(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    connection.row_factory = sqlite3.Row
    tables = ("messages", "runs", "idempotency_keys", "journal")
    return {
        table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")] for table in tables
    }


@pytest.mark.parametrize("mode", ["delete", "wal"])
async def test_another_program_s_database_is_refused_and_byte_identical_afterwards(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute(f"PRAGMA journal_mode={mode}")
        theirs.execute("CREATE TABLE theirs (word TEXT)")
        theirs.execute("INSERT INTO theirs VALUES ('precious')")
        theirs.commit()
    before = path.read_bytes()
    await refused(path)
    assert path.read_bytes() == before


async def test_another_program_s_unfinished_business_stays_unfinished(tmp_path: Path) -> None:
    """A file whose program was killed: its WAL is for that program to apply."""
    source, path = tmp_path / "source.db", tmp_path / "theirs.db"
    with closing(sqlite3.connect(source)) as theirs:
        theirs.execute("PRAGMA journal_mode=wal")
        theirs.execute("CREATE TABLE theirs (word TEXT)")
        theirs.commit()
        for suffix in ("", "-wal"):
            Path(f"{path}{suffix}").write_bytes(Path(f"{source}{suffix}").read_bytes())
    before = [Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal")]
    await refused(path)
    assert [Path(f"{path}{suffix}").read_bytes() for suffix in ("", "-wal")] == before


@pytest.mark.parametrize(
    "content", [b"This is a letter to my aunt.\n" * 200, bytes(8192), b"SQLite format 3\0" + b"?" * 9000]
)
async def test_a_file_that_is_no_database_is_refused_and_byte_identical_afterwards(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(content)
    await refused(path)
    assert path.read_bytes() == content


async def test_a_file_that_is_in_use_is_refused_and_can_be_had_afterwards(database: SqliteDatabase) -> None:
    await refused(database.path)
    await migrate(database)


async def refused(path: Path) -> None:
    """It is, with a sentence that names the file, and leaves no lock behind."""
    for _ in range(2):
        database = SqliteDatabase(path)
        with pytest.raises(StartRefused, match=path.name):
            await asyncio.to_thread(database.open)
        await database.close()
