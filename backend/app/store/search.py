"""The search, and what other rooms of the store call to keep its index, which each engine has its own of.

Whose a row is, and whether it may be seen, is decided by its conversation, whatever the index says.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Row, delete, select

from app.database import Database
from app.models import text_of
from app.store.base import Found, FoundPage
from app.store.rows import parts_of
from app.store.search_fts5 import Fts5Index
from app.store.search_gin import GinIndex
from app.store.snippet import snippet
from app.store.tables import search_entries
from app.store.words import Phrase, index_words, query_words

REMOVED_AT_ONCE = 500  # ids in one statement
_LAST = 2**63 - 1  # the largest number of either engine


class Index(Protocol):
    """What tells in which entries words are."""

    def enter(
        self,
        connection: Connection,
        owner_id: str,
        conversation_id: str,
        entries: Sequence[tuple[str | None, Sequence[str], int]],
    ) -> None:
        """Make entries, sorted by time: message (None: the title), words and time of each."""
        ...

    def take_out(self, connection: Connection, entries: Sequence[tuple[int, str, Sequence[str]]]) -> None:
        """Forget the words of entries, whose rows are deleted next: number, owner and words of each."""
        ...

    def tidy(self, connection: Connection, *, anew: bool) -> bool:
        """Have what was taken out leave the files, too, a little; whether there is more to do. `anew` begins."""
        ...

    def find(
        self, connection: Connection, owner_id: str, phrases: Sequence[Phrase], limit: int, before: int
    ) -> Sequence[Row[Any]]:
        """The newest `limit` entries below `before` that hold all phrases, with what is shown of them."""
        ...


_FTS5: Index = Fts5Index()
_GIN: Index = GinIndex()


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
    if words := index_words(text):
        _index(connection).enter(connection, owner_id, conversation_id, [(message_id, words, created_at)])


def add_all(
    connection: Connection, owner_id: str, conversation_id: str, entries: Sequence[tuple[str, Sequence[str], int]]
) -> None:
    """Let many messages be found, as `add` does: id, `index_words` and time of each."""
    if entries:
        in_order = sorted(entries, key=lambda entry: entry[2])
        _index(connection).enter(connection, owner_id, conversation_id, in_order)


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

    So this is for after a deletion: once with `anew`, then until it is False. In all it writes the index once.
    """
    return _index(connection).tidy(connection, anew=anew)


class SqlSearch:
    """Satisfies `store.base.Search`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, owner_id: str, query: str, limit: int, before: int | None = None) -> FoundPage:
        """See `Search.find`."""
        phrases = query_words(query)
        if not phrases:
            return FoundPage((), None)
        below = _LAST if before is None else max(-_LAST, min(before, _LAST))

        def look(connection: Connection) -> FoundPage:
            rows = _index(connection).find(connection, owner_id, phrases, limit + 1, below)
            items = tuple(_found(row, snippet(_text(row), phrases)) for row in rows[:limit])
            return FoundPage(items, items[-1].number if len(rows) > limit else None)

        return await self._database.read(look)


def _index(connection: Connection) -> Index:
    return _GIN if connection.dialect.name == "postgresql" else _FTS5


def _take_out(connection: Connection, entries: Sequence[tuple[Row[Any], str]]) -> None:
    if not entries:
        return
    words = [(row.number, row.owner_id, index_words(text)) for row, text in entries]
    _index(connection).take_out(connection, words)
    connection.execute(delete(search_entries).where(search_entries.c.number.in_([number for number, _, _ in words])))


def _text(row: Row[Any]) -> str:
    """What was said, or the title."""
    return row.title if row.message_id is None else text_of(parts_of(row.parts))


def _found(row: Row[Any], text: str) -> Found:
    return Found(row.number, row.conversation_id, row.message_id, text, row.created_at, row.title)
