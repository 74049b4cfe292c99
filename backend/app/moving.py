"""Everything that is kept, from a SQLite file into an empty PostgreSQL: copied, indexed anew, and compared."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from app.accounts import tables as account_tables
from app.errors import StartRefused
from app.models import text_of
from app.store import schema, search, tables
from app.store.rows import parts_of
from app.store.tables import conversations, messages
from app.store.words import index_words

ROWS_AT_ONCE = 1000  # in one statement
INDEXED_AT_ONCE = 200  # messages: their words take more room than they do

Progress = Callable[[str], None]
"""Is told a line for each table."""


def copied_tables() -> Sequence[Table]:
    """What is copied as it is, each table after those that it points to. The search's entries are made anew."""
    every = [*account_tables.metadata.sorted_tables, *tables.metadata.sorted_tables]
    return [table for table in every if table is not tables.search_entries]


def move(source: Connection, target: Connection, progress: Progress) -> None:
    """Copy all rows of `source` into `target`, inside the caller's transaction there, and compare them.

    Raises:
        StartRefused: there are rows in `target` already, or what arrived is not what was sent.
    """
    schema.migrate(target)
    for table in copied_tables():
        if target.execute(select(table).limit(1)).first() is not None:
            raise StartRefused(
                f"The PostgreSQL that DATABASE_URL names is not empty: it has rows in {table.name}. "
                "Name an empty database; nothing was changed."
            )
    for table in copied_tables():
        count = _copy(table, source, target)
        if _digest(table, source) != _digest(table, target):
            raise StartRefused(
                f"The table {table.name} did not arrive as it was sent. Nothing was changed; the file is as it was. "
                "Please report this."
            )
        progress(f"{table.name}: {count:,} rows, the same on both sides")
    progress(f"search: {_index(target):,} entries made anew")


def _copy(table: Table, source: Connection, target: Connection) -> int:
    count = 0
    for rows in _batches(source, select(table), ROWS_AT_ONCE):
        target.execute(insert(table), [dict(row) for row in rows])
        count += len(rows)
    return count


def _digest(table: Table, connection: Connection) -> str:
    """What all rows of a table come to, in the order of their keys, whichever engine holds them."""
    digest = hashlib.blake2b()
    statement = select(table).order_by(*(column for column in table.primary_key))
    for rows in _batches(connection, statement, ROWS_AT_ONCE):
        for row in rows:
            digest.update(repr(sorted(row.items())).encode())
    return digest.hexdigest()


def _index(connection: Connection) -> int:
    """Let the search find all that it found before."""
    shown = conversations.c.temporary.is_(False) & conversations.c.deleted_at.is_(None)
    found = connection.execute(select(conversations).where(shown, conversations.c.title != "")).all()
    for row in found:
        search.add(
            connection,
            owner_id=row.owner_id,
            conversation_id=row.id,
            message_id=None,
            text=row.title,
            created_at=row.created_at,
        )
    said = (
        select(messages.c.id, messages.c.owner_id, messages.c.conversation_id, messages.c.parts, messages.c.created_at)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(shown)
        .order_by(messages.c.conversation_id, messages.c.id)
    )
    for rows in _batches(connection, said, INDEXED_AT_ONCE):
        entries: dict[tuple[str, str], list[tuple[str, Sequence[str], int]]] = {}
        for row in rows:
            if words := index_words(text_of(parts_of(row["parts"]))):
                place = row["owner_id"], row["conversation_id"]
                entries.setdefault(place, []).append((row["id"], words, row["created_at"]))
        for (owner_id, conversation_id), some in entries.items():
            search.add_all(connection, owner_id, conversation_id, some)
    return connection.scalar(select(func.count()).select_from(tables.search_entries)) or 0


def _batches(connection: Connection, statement: Any, size: int) -> Iterator[Sequence[Any]]:
    """The rows, so many at a time, by name."""
    with connection.execute(statement, execution_options={"yield_per": size}) as result:
        yield from result.mappings().partitions(size)
