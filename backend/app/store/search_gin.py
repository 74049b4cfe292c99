"""The search's index in PostgreSQL: an inverted index (GIN) over numbers, each of them an owner's word.

PostgreSQL's own text search knows no Korean, and holds no more than a megabyte of words and 16,383 places of a text.
So a text is indexed as the set of its tokens (`words.py`), hashed with their owner; what the index finds is looked at
once more where a phrase has more than one token, since a set does not know what stands next to what.
"""

import random
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row

from app.models import text_of
from app.store.rows import parts_of
from app.store.words import MIN_BEGINNING_CHARS, Phrase, index_words

MAX_BEGINNING_CHARS = 16  # of a word that is indexed by how it begins; of longer ones the text tells
ROOM = 1 << 20  # numbers in a millisecond: entries of one moment keep their order
FURTHEST = (1 << 63) // ROOM - 2  # the last moment that has numbers, in the year 2248: what is later is there, too
SPREAD = 1024  # two replicas that index something in the same millisecond mostly take different numbers
CANDIDATES = 50  # texts looked at in one go

_LAST_OF = """
    SELECT moment.at, (SELECT max(number) FROM search_entries
                       WHERE number BETWEEN moment.at << 20 AND (moment.at << 20) + (1 << 20) - 1)
    FROM unnest(%s::bigint[]) AS moment (at)
"""
_ENTER = """
    INSERT INTO search_entries (number, owner_id, conversation_id, message_id)
    SELECT number, %s, %s, message_id FROM unnest(%s::bigint[], %s::text[]) AS entry (number, message_id)
"""
_INDEX = "INSERT INTO search_words (number, words) VALUES (%s, %s::bigint[])"
_FIND = """
    SELECT search_words.number, search_entries.message_id, messages.parts, conversations.id AS conversation_id,
           conversations.title, coalesce(messages.created_at, conversations.created_at) AS created_at
    FROM search_words
    JOIN search_entries ON search_entries.number = search_words.number
    JOIN conversations ON conversations.id = search_entries.conversation_id
    LEFT JOIN messages ON messages.id = search_entries.message_id
    WHERE search_words.words @> %(words)s::bigint[] AND search_words.number < %(before)s
      AND conversations.owner_id = %(owner_id)s AND conversations.deleted_at IS NULL AND NOT conversations.temporary
      AND (search_entries.message_id IS NULL OR messages.owner_id = %(owner_id)s)
    ORDER BY search_words.number DESC LIMIT %(limit)s
"""


class GinIndex:
    """Satisfies `search.Index`."""

    def enter(
        self,
        connection: Connection,
        owner_id: str,
        conversation_id: str,
        entries: Sequence[tuple[str | None, Sequence[str], int]],
    ) -> None:
        """See `Index.enter`."""
        numbers = _free_numbers(connection, [created_at for _, _, created_at in entries])
        ids = [message_id for message_id, _, _ in entries]
        connection.exec_driver_sql(_ENTER, (owner_id, conversation_id, numbers, ids))
        words = [
            (number, sorted(_numbers(owner_id, words))) for number, (_, words, _) in zip(numbers, entries, strict=True)
        ]
        connection.exec_driver_sql(_INDEX, words)

    def take_out(self, connection: Connection, entries: Sequence[tuple[int, str, Sequence[str]]]) -> None:
        """See `Index.take_out`. The words go with their entry."""

    def tidy(self, connection: Connection, *, anew: bool) -> bool:
        """See `Index.tidy`. PostgreSQL's own vacuum does this."""
        return False

    def find(
        self, connection: Connection, owner_id: str, phrases: Sequence[Phrase], limit: int, before: int
    ) -> Sequence[Row[Any]]:
        """See `Index.find`."""
        asked = {"words": _asked(owner_id, phrases), "owner_id": owner_id}
        if not any(_leaves_open(phrase) for phrase in phrases):
            return connection.exec_driver_sql(_FIND, {**asked, "before": before, "limit": limit}).all()
        found: list[Row[Any]] = []
        while len(found) < limit:
            rows = connection.exec_driver_sql(_FIND, {**asked, "before": before, "limit": CANDIDATES}).all()
            found += [row for row in rows if _holds(_text(row), phrases)]
            if len(rows) < CANDIDATES:
                break
            before = rows[-1].number
        return found[:limit]


def _asked(owner_id: str, phrases: Sequence[Phrase]) -> list[int]:
    """What a text has in its set if it holds all of `phrases`."""
    number = _hashing(owner_id)
    asked: set[int] = set()
    for phrase in phrases:
        tokens = list(phrase.tokens)
        if phrase.begins:
            asked.add(number(_beginning(tokens.pop())))
        asked.update(map(number, tokens))
    return sorted(asked)


def _leaves_open(phrase: Phrase) -> bool:
    return len(phrase.tokens) > 1 or (phrase.begins and len("".join(phrase.tokens)) > MAX_BEGINNING_CHARS)


def _holds(text: str, phrases: Sequence[Phrase]) -> bool:
    """Whether the tokens of each phrase stand next to each other among those of `text`."""
    tokens = "\n".join(("", *index_words(text), ""))
    return all("\n".join(("", *phrase.tokens, *([] if phrase.begins else [""]))) in tokens for phrase in phrases)


def _numbers(owner_id: str, words: Sequence[str]) -> Iterator[int]:
    """The set of a text: its tokens, and how those of three letters and more begin."""
    number = _hashing(owner_id)
    beginnings: set[str] = set()
    for word in set(words):
        yield number(word)
        longest = min(len(word), MAX_BEGINNING_CHARS)
        beginnings.update(_beginning(word[:length]) for length in range(MIN_BEGINNING_CHARS, longest + 1))
    yield from map(number, beginnings)


def _beginning(word: str) -> str:
    return f"{word[:MAX_BEGINNING_CHARS]}*"


def _hashing(owner_id: str) -> Any:
    key = blake2b(owner_id.encode(), digest_size=32).digest()

    def number(word: str) -> int:
        return int.from_bytes(blake2b(word.encode(), digest_size=8, key=key).digest(), signed=True)

    return number


def _free_numbers(connection: Connection, times: Sequence[int]) -> list[int]:
    """A number for each of `times`, which are sorted: the moment, and a place in it after those that are taken."""
    moments = sorted({_moment(at) for at in times})
    last: dict[int, int | None] = {row[0]: row[1] for row in connection.exec_driver_sql(_LAST_OF, (moments,))}
    numbers: list[int] = []
    for at in map(_moment, times):
        after = numbers[-1] if numbers and numbers[-1] // ROOM >= at else last[at]
        number = after + 1 if after is not None else at * ROOM
        if after is None or not numbers or numbers[-1] != after:
            number += random.randrange(SPREAD)  # noqa: S311 - spreads; no secret
        numbers.append(number)
    return numbers


def _moment(created_at: int) -> int:
    return max(-FURTHEST, min(created_at, FURTHEST))


def _text(row: Row[Any]) -> str:
    return row.title if row.message_id is None else text_of(parts_of(row.parts))
