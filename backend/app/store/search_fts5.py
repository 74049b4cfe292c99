"""The search's index in SQLite's FTS5.

FTS5 is handed tokens, never text (`words.py`). Every token begins with a mark of its owner, so nobody's search costs
anything for other people's rows. An entry's number is its time, so the index gives the newest first and stops when a
page is full.
"""

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, cast

from sqlalchemy import Connection, Row, bindparam, select

from app.store.tables import search_entries
from app.store.words import Phrase

TIDIED_PAGES = 64  # of 4 KB; some 10 ms, so that live answers do not wait
NUMBERS_AT_ONCE = 500  # in one statement

_TAKEN = select(search_entries.c.number).where(search_entries.c.number.in_(bindparam("numbers", expanding=True)))

# Plain statements: SQLAlchemy would take as long to compose them as SQLite takes to index a short message.
_LAST_AMONG = "SELECT max(number) FROM search_entries WHERE number BETWEEN ? AND ?"
_ENTER = "INSERT INTO search_entries (number, owner_id, conversation_id, message_id) VALUES (?, ?, ?, ?)"
_INDEX = "INSERT INTO search_index (rowid, words) VALUES (?, ?)"
# FTS5's way to take out what it keeps no copy of: the same words again.
_UNINDEX = "INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', ?, ?)"
_MERGE = "INSERT INTO search_index (search_index, rank) VALUES ('merge', ?)"
# CROSS JOIN is SQLite's word for "in this order": the index first, as it is sorted, and no further than the limit.
_FIND = """
    SELECT search_index.rowid AS number, search_entries.message_id, messages.parts, conversations.id AS conversation_id,
           conversations.title, coalesce(messages.created_at, conversations.created_at) AS created_at
    FROM search_index
    CROSS JOIN search_entries ON search_entries.number = search_index.rowid
    CROSS JOIN conversations ON conversations.id = search_entries.conversation_id
    LEFT JOIN messages ON messages.id = search_entries.message_id
    WHERE search_index MATCH :words AND search_index.rowid < :before
      AND conversations.owner_id = :owner_id AND conversations.deleted_at IS NULL AND NOT conversations.temporary
      AND (search_entries.message_id IS NULL OR messages.owner_id = :owner_id)
    ORDER BY search_index.rowid DESC LIMIT :limit
"""


class Fts5Index:
    """Satisfies `search.Index`."""

    def enter(
        self,
        connection: Connection,
        owner_id: str,
        conversation_id: str,
        entries: Sequence[tuple[str | None, Sequence[str], int]],
    ) -> None:
        """See `Index.enter`."""
        if len(entries) == 1:
            numbers = [_free_number(connection, entries[0][2])]
        else:
            numbers = _free_numbers(connection, [created_at for _, _, created_at in entries])
        rows = [
            (number, owner_id, conversation_id, message_id)
            for number, (message_id, _, _) in zip(numbers, entries, strict=True)
        ]
        _raw(connection).executemany(_ENTER, rows)
        words = [(number, _marked(owner_id, words)) for number, (_, words, _) in zip(numbers, entries, strict=True)]
        _raw(connection).executemany(_INDEX, words)

    def take_out(self, connection: Connection, entries: Sequence[tuple[int, str, Sequence[str]]]) -> None:
        """See `Index.take_out`."""
        words = [(number, _marked(owner_id, words)) for number, owner_id, words in entries]
        connection.exec_driver_sql(_UNINDEX, words)

    def tidy(self, connection: Connection, *, anew: bool) -> bool:
        """See `Index.tidy`. What was taken out stays in the file until the pieces that it is in are written anew."""
        before = _changes(connection)
        connection.exec_driver_sql(_MERGE, (-TIDIED_PAGES if anew else TIDIED_PAGES,))
        # FTS5's own sign: it changes one row when there is nothing to merge.
        return _changes(connection) - before >= 2

    def find(
        self, connection: Connection, owner_id: str, phrases: Sequence[Phrase], limit: int, before: int
    ) -> Sequence[Row[Any]]:
        """See `Index.find`."""
        asked = {"words": _match(owner_id, phrases), "owner_id": owner_id, "before": before, "limit": limit}
        return connection.exec_driver_sql(_FIND, asked).all()


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection)


def _changes(connection: Connection) -> int:
    return connection.exec_driver_sql("SELECT total_changes()").scalar_one()


def _match(owner_id: str, phrases: Sequence[Phrase]) -> str:
    """The phrases in FTS5's syntax. Tokens are letters, digits and pictures only, so nothing in them needs care."""
    return " AND ".join(f'"{_marked(owner_id, phrase.tokens)}"{"*" * phrase.begins}' for phrase in phrases)


def _marked(owner_id: str, tokens: Sequence[str]) -> str:
    """Each token after its owner's mark: always the same number of letters, so that no two owners' tokens are equal.

    (Marks of 40 bits may be. Then two owners share postings, and the conversation tells them apart.)
    """
    mark = blake2b(owner_id.encode(), digest_size=5).hexdigest()
    return mark + f" {mark}".join(tokens)


def _free_number(connection: Connection, created_at: int) -> int:
    """`created_at`, or a number soon after it: looks at 1, 2, 4, … numbers for some behind which there is room.

    So a thousand messages of one moment, as an import may bring them, stay in their order and cost ten looks each.
    """
    first, width = created_at, 1
    while True:
        (last,) = _raw(connection).execute(_LAST_AMONG, (first, first + width - 1)).fetchone()
        if last is None:
            return first
        if last < first + width - 1:
            return last + 1
        first, width = first + width, width * 2


def _free_numbers(connection: Connection, times: Sequence[int]) -> list[int]:
    """A number for each of `times`, which are sorted: mostly one look for all of them."""
    numbers: list[int] = []
    while len(numbers) < len(times):
        wanted = _one_after_another(times[len(numbers) :], numbers[-1] + 1 if numbers else 0)
        taken = _taken(connection, wanted)
        for place, number in enumerate(wanted):
            if number not in taken:
                numbers.append(number)
                continue
            numbers.append(_free_number(connection, number))
            if place + 1 < len(wanted) and wanted[place + 1] <= numbers[-1]:
                break  # the others move, too: look again
    return numbers


def _one_after_another(times: Sequence[int], least: int) -> list[int]:
    numbers: list[int] = []
    for created_at in times:
        numbers.append(max(created_at, least))
        least = numbers[-1] + 1
    return numbers


def _taken(connection: Connection, numbers: Sequence[int]) -> set[int]:
    taken: set[int] = set()
    for start in range(0, len(numbers), NUMBERS_AT_ONCE):
        taken.update(connection.scalars(_TAKEN, {"numbers": numbers[start : start + NUMBERS_AT_ONCE]}))
    return taken
