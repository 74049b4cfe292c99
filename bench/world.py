"""A database with many messages, made as the service makes them."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, insert

from app.clock import Clock
from app.engines.sqlite import SqliteDatabase
from app.models import Part
from app.store import schema, search
from app.store.tables import conversations, messages
from bench.corpus import APART, BEGINNING, ELSEWHERE, NEVER_TOUCHING, ONCE, Corpus

START = 1_700_000_000_000  # when the first message was written, in milliseconds
APART_MILLISECONDS = 31_536  # from one message to the next: a million in a year
OTHERS = 20  # people beside the asker
IN_THE_LONG_ONE = 0.6  # of all messages, in one branch of one conversation of the asker
OF_THE_ASKER = 0.7
LONGEST_OTHER = 40  # messages of each of the other conversations
AT_ONCE = 2000  # messages in one commit, while the database is made


class SteppedClock(Clock):
    """Time that is told, so that ids and moments are those of the messages."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> int:
        return self.at


class World(NamedTuple):
    """What is measured, and who asks."""

    size: int  # messages
    database: SqliteDatabase
    clock: SteppedClock
    corpus: Corpus
    asker: str
    long_one: str  # the conversation that holds most of the messages
    text_bytes: int
    seconds: float  # that writing took

    def rows(self, texts: list[str]) -> list[dict[str, Any]]:
        """New messages of the long conversation."""
        return [row_of(self.clock, self.asker, self.long_one, text) for text in texts]


async def make(path: Path, size: int) -> World:
    """A new database with `size` messages."""
    database, clock, corpus = SqliteDatabase(path), SteppedClock(), Corpus()
    database.open()
    database.alone(schema.migrate)
    database.start()
    people = [clock.new_id() for _ in range(OTHERS + 1)]
    text_bytes = done = 0
    seconds = 0.0
    batch: list[dict[str, Any]] = []
    long_one = ""
    for row in _rows(clock, corpus, people, size):
        if "parts" in row:
            done += 1
            text_bytes += len(row["text"].encode())
        else:
            long_one = long_one or row["id"]
        batch.append(row)
        if len(batch) >= AT_ONCE or done == size:
            began = time.perf_counter()
            await database.submit(_writes(batch), durable=False)
            seconds += time.perf_counter() - began
            batch = []
            progress(f"{size:>9,} messages: {done:,} written")
    return World(size, database, clock, corpus, people[0], long_one, text_bytes, seconds)


def progress(line: str) -> None:
    """Say where it is, in one line that is written over."""
    sys.stderr.write(f"\r\x1b[K{line}")
    sys.stderr.flush()


def row_of(clock: Clock, owner: str, conversation: str, text: str) -> dict[str, Any]:
    """A message. `text` is no column; it is what is indexed."""
    return {
        "id": clock.new_id(),
        "owner_id": owner,
        "role": "user",
        "conversation_id": conversation,
        "parent_id": None,
        "depth": 0,
        "parts": msgspec.json.encode([Part("text", text)]).decode(),
        "text": text,
        "created_at": clock.now(),
    }


def write_message(connection: Connection, row: dict[str, Any], *, indexed: bool = True) -> None:
    """Keep one message, and let it be found."""
    connection.execute(insert(messages), {name: value for name, value in row.items() if name != "text"})
    if indexed:
        index(connection, row)


def index(connection: Connection, row: dict[str, Any]) -> None:
    """Let a message be found, or a conversation by its title."""
    is_message = "parts" in row
    search.add(
        connection,
        owner_id=row["owner_id"],
        conversation_id=row["conversation_id"] if is_message else row["id"],
        message_id=row["id"] if is_message else None,
        text=row["text"] if is_message else row["title"],
        created_at=row["created_at"],
    )


def _writes(batch: list[dict[str, Any]]) -> Any:
    def write(connection: Connection) -> None:
        if new := [row for row in batch if "parts" not in row]:
            connection.execute(insert(conversations), new)
        if said := [row for row in batch if "parts" in row]:
            connection.execute(insert(messages), [{name: row[name] for name in row if name != "text"} for row in said])
        for row in batch:
            index(connection, row)

    return write


def _rows(clock: SteppedClock, corpus: Corpus, people: list[str], size: int) -> Iterator[dict[str, Any]]:
    """Conversations and messages in the order in which they were begun and said."""
    asker, *others = people
    ends: dict[str, dict[str, Any]] = {}  # the last message of each place that is being written in
    for number in range(size):
        clock.at = START + number * APART_MILLISECONDS
        share = corpus.share()
        if share < IN_THE_LONG_ONE or number == 0:
            place, owner = "long", asker
        elif share < OF_THE_ASKER:
            place, owner = "short", asker
        else:
            owner = others[int(share * 1e6) % OTHERS]
            place = owner
        last = ends.get(place)
        if last is None or (place != "long" and last["depth"] + 1 >= LONGEST_OTHER):
            last = None
            conversation = _conversation(clock, owner, corpus.sentence(4))
            yield conversation
        else:
            conversation = {"id": last["conversation_id"]}
        text = corpus.answer() if last and last["role"] == "user" else corpus.question()
        row = row_of(clock, owner, conversation["id"], _planted(corpus, text, owner == asker, number))
        if last:
            role = "assistant" if last["role"] == "user" else "user"
            row |= {"parent_id": last["id"], "depth": last["depth"] + 1, "role": role}
        ends[place] = row
        yield row


def _conversation(clock: SteppedClock, owner: str, title: str) -> dict[str, Any]:
    flags = {"titled": "given", "temporary": False, "pinned": False, "archived": False}
    times = {"created_at": clock.now(), "updated_at": clock.now()}
    return {"id": clock.new_id(), "owner_id": owner, "title": title, **flags, **times}


def _planted(corpus: Corpus, text: str, of_the_asker: bool, number: int) -> str:
    if not of_the_asker:
        return f"{text} {ELSEWHERE}"
    second = corpus.share() < 0.5
    once = f" {ONCE}" if number == 0 else ""
    return f"{NEVER_TOUCHING[0]} {text} {NEVER_TOUCHING[1]} {APART[second]} {BEGINNING[second]}{once}"
