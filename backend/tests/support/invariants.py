"""What must hold in the database whenever a service has recovered once and writes nothing."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.eventlog.segments import payloads
from tests.support import postgres

TABLES = ("runs", "messages", "journal", "conversations", "idempotency_keys", "changes", "usages")
ENDED = frozenset({"completed", "cancelled", "failed", "interrupted"})


@dataclass(frozen=True)
class Books:
    """The rows of a service's database, of one moment also while it runs. Looking changes nothing."""

    runs: Sequence[dict[str, Any]]
    messages: Sequence[dict[str, Any]]
    journal: Sequence[dict[str, Any]]
    conversations: Sequence[dict[str, Any]]
    keys: Sequence[dict[str, Any]]
    changes: Sequence[dict[str, Any]]
    usages: Sequence[dict[str, Any]]
    search: int  # entries of the search

    @classmethod
    def read(cls, database: Path | str) -> "Books":
        """All rows, of a file that SQLite finds in order; or of PostgreSQL, at its address.

        Raises:
            AssertionError: it does not.
        """
        if isinstance(database, str):
            return cls._of_server(database)
        with closing(sqlite3.connect(":memory:")) as connection:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as source:
                source.backup(connection)  # in one read transaction: files copied one by one may not fit together
            connection.row_factory = sqlite3.Row
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            (search,) = connection.execute("SELECT count(*) FROM search_entries").fetchone()
            rows = {table: _rows(connection, table) for table in TABLES}
            rows["journal"] += [{"pieces": said} for said in payloads(database)]
            return cls(*rows.values(), search=search)

    @classmethod
    def _of_server(cls, url: str) -> "Books":
        tables = [name.replace("journal", "run_journal") for name in TABLES]
        rows = [postgres.rows(url, f"SELECT * FROM {name}") for name in tables]
        return cls(*rows, search=len(postgres.rows(url, "SELECT number FROM search_entries")))

    def run(self, run_id: str) -> dict[str, Any]:
        """The row of one run."""
        return next(run for run in self.runs if run["id"] == run_id)

    def text(self, run_id: str, kind: str = "text") -> str:
        """What is kept of a run's answer."""
        message = next(message for message in self.messages if message["id"] == self.run(run_id)["message_id"])
        parts = json.loads(message["parts"]) if message["parts"] else []
        return "".join(part["text"] for part in parts if part.get("kind", part.get("type")) == kind)

    def holds(self, word: str) -> bool:
        """Whether any cell holds it."""
        tables = (self.runs, self.messages, self.journal, self.conversations, self.keys, self.changes, self.usages)
        cells = (value for rows in tables for row in rows for value in row.values())
        return any(word.encode() in (cell if isinstance(cell, bytes) else str(cell).encode()) for cell in cells)


def check(database: Path | str, *, crashed: bool = False) -> Books:
    """Read the books and check what always holds: one ending each, one message each, nothing left over.

    With `crashed` the service was killed and has not run since, so runs may be live and the journal untrimmed.

    Raises:
        AssertionError: with the rows that are wrong.
    """
    books = Books.read(database)
    ids = [run["id"] for run in books.runs]
    assert len(ids) == len(set(ids)), "an id of a run is used twice"
    messages = {message["id"]: message for message in books.messages}
    for run in books.runs:
        assert run["status"] in ENDED or crashed, f"a run is left half alive: {run}"
        assert (run["status"] in ENDED) == (run["ended_at"] is not None), f"status and end disagree: {run}"
        assert run["message_id"] in messages, f"a run without its message: {run}"
        assert run["status"] != "completed" or run["error_code"] is None, f"completed with an error: {run}"
        assert run["status"] not in ("failed", "interrupted") or run["error_code"], f"ended without a reason: {run}"
    check_trees(books)
    writers = [run["message_id"] for run in books.runs]
    assert len(writers) == len(set(writers)), "two runs wrote one message"
    if not crashed:
        assert not books.journal, f"the journal is not trimmed: {len(books.journal)} rows"
    return books


def check_trees(books: Books) -> None:
    """Every message has its parent, one step above it, in the same conversation; every head is there.

    Raises:
        AssertionError: with the row that is wrong.
    """
    by_id = {message["id"]: message for message in books.messages}
    there = {conversation["id"] for conversation in books.conversations}
    for message in books.messages:
        above = by_id.get(message["parent_id"])
        assert message["conversation_id"] is None or message["conversation_id"] in there, f"lost: {message}"
        if message["parent_id"] is None:
            assert message["depth"] == 0, f"a root at a depth: {message}"
            continue
        assert above is not None, f"an orphan: {message}"
        assert above["conversation_id"] == message["conversation_id"], f"a parent from elsewhere: {message}"
        assert above["depth"] + 1 == message["depth"], f"not one step below its parent: {message}"
    for conversation in books.conversations:
        head = by_id.get(conversation["head_id"])
        assert conversation["head_id"] is None or (
            head is not None and head["conversation_id"] == conversation["id"]
        ), f"a head that is not there: {conversation}"
    numbers: dict[str, list[int]] = {}
    for change in books.changes:
        numbers.setdefault(change["owner_id"], []).append(change["number"])
    for found in numbers.values():
        assert found == list(range(found[0], found[0] + len(found))), f"a hole in the changes: {found}"


def _rows(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
