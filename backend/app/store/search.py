"""The search over SQLite's FTS5, and what other rooms of the store call to keep its index.

FTS5 is handed tokens, never text (`words.py`). Every token begins with a mark of its owner, so nobody's search costs
anything for other people's rows; whose a row is, and whether it may be seen, is decided by its conversation all the
same. An entry's number is its time, so the index gives the newest first and stops when a page is full.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select

from app.database import Database
from app.models import Part
from app.store.base import Found, FoundPage
from app.store.snippet import snippet
from app.store.tables import search_entries
from app.store.words import Phrase, index_words, query_words

REMOVED_AT_ONCE = 500  # ids in one statement
TIDIED_PAGES = 64  # of 4 KB; some 10 ms, so that live answers do not wait
NUMBERS_AT_ONCE = 500  # in one statement
_LAST = 2**63 - 1  # SQLite's largest number

_TAKEN = select(search_entries.c.number).where(search_entries.c.number.in_(bindparam("numbers", expanding=True)))

_parts = msgspec.json.Decoder(tuple[Part, ...])

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


def add(
    connection: Connection,
    *,
    owner_id: str,
    conversation_id: str,
    message_id: str | None,
    text: str,
    created_at: int,
) -> None:
    """Let a message be found, or with `message_id` None its conversation by the title. Text without words adds nothing.

    To be called in the writer's transaction, once the rows of conversation and message are there, and not for
    temporary conversations. `created_at` is the message's or the conversation's.
    """
    words = index_words(text)
    if not words:
        return
    number = _free_number(connection, created_at)
    connection.exec_driver_sql(_ENTER, (number, owner_id, conversation_id, message_id))
    connection.exec_driver_sql(_INDEX, (number, _marked(owner_id, words)))


def marked_words(owner_id: str, text: str) -> str:
    """The words of a text for `add_all`; empty where it has none. It takes its time, and needs no writer."""
    words = index_words(text)
    return _marked(owner_id, words) if words else ""


def add_all(
    connection: Connection, owner_id: str, conversation_id: str, entries: Sequence[tuple[str, str, int]]
) -> None:
    """Let many messages be found, as `add` does: id, `marked_words` and time of each."""
    if not entries:
        return
    entries = sorted(entries, key=lambda entry: entry[2])
    numbers = _free_numbers(connection, [created_at for _, _, created_at in entries])
    rows = [
        (number, owner_id, conversation_id, message_id)
        for number, (message_id, _, _) in zip(numbers, entries, strict=True)
    ]
    connection.exec_driver_sql(_ENTER, rows)
    words = [(number, words) for number, (_, words, _) in zip(numbers, entries, strict=True)]
    connection.exec_driver_sql(_INDEX, words)


def remove(connection: Connection, texts: Mapping[str, str]) -> None:
    """Let messages no longer be found: their texts, word for word, by their ids. Before their rows are deleted."""
    ids = list(texts)
    for start in range(0, len(ids), REMOVED_AT_ONCE):
        some = search_entries.c.message_id.in_(ids[start : start + REMOVED_AT_ONCE])
        rows = connection.execute(select(search_entries).where(some)).all()
        _take_out(connection, [(row, texts[row.message_id]) for row in rows])


def remove_title(connection: Connection, conversation_id: str, old_title: str) -> None:
    """Let a conversation no longer be found by its title, `old_title` word for word."""
    title = select(search_entries).where(
        search_entries.c.conversation_id == conversation_id, search_entries.c.message_id.is_(None)
    )
    _take_out(connection, [(row, old_title) for row in connection.execute(title)])


def tidy(connection: Connection, *, anew: bool = False) -> bool:
    """Make the index one piece again, a little at a time; whether there is more to do. `anew` begins.

    What was taken out is not found from that commit on, but its tokens leave the file only with the pieces they are
    in. So this is for after a deletion: once with `anew`, then until it is False. In all it writes the index once.
    """
    before = _changes(connection)
    connection.exec_driver_sql(_MERGE, (-TIDIED_PAGES if anew else TIDIED_PAGES,))
    return _changes(connection) - before >= 2  # FTS5's own sign: it changes one row when there is nothing to merge


class SqlSearch:
    """Satisfies `store.base.Search`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, owner_id: str, query: str, limit: int, before: int | None = None) -> FoundPage:
        """See `Search.find`."""
        phrases = query_words(query)
        if not phrases:
            return FoundPage((), None)
        asked = {
            "words": _match(owner_id, phrases),
            "owner_id": owner_id,
            "before": _LAST if before is None else max(-_LAST, min(before, _LAST)),
            "limit": limit + 1,
        }

        def look(connection: Connection) -> FoundPage:
            rows = connection.exec_driver_sql(_FIND, asked).all()
            items = tuple(_found(row, snippet(_text(row), phrases)) for row in rows[:limit])
            return FoundPage(items, items[-1].number if len(rows) > limit else None)

        return await self._database.read(look)


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
        last = connection.exec_driver_sql(_LAST_AMONG, (first, first + width - 1)).scalar()
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


def _take_out(connection: Connection, entries: Sequence[tuple[Row[Any], str]]) -> None:
    if not entries:
        return
    words = [(row.number, _marked(row.owner_id, index_words(text))) for row, text in entries]
    connection.exec_driver_sql(_UNINDEX, words)
    connection.execute(delete(search_entries).where(search_entries.c.number.in_([number for number, _ in words])))


def _text(row: Row[Any]) -> str:
    """What was said, or the title."""
    if row.message_id is None:
        return row.title
    return "".join(part.text for part in _parts.decode(row.parts) if part.kind == "text")


def _found(row: Row[Any], text: str) -> Found:
    return Found(row.number, row.conversation_id, row.message_id, text, row.created_at, row.title)
