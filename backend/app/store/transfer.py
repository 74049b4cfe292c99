"""Conversations out to files and in from files, a little at a time, so that live answers do not wait."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, false, func, insert, select, update

from app.clock import Clock, derived_id
from app.database import Database
from app.errors import ConversationNotFound
from app.models import Conversation, Joint, Message
from app.store import changes as change_log
from app.store import search, tree
from app.store.base import Opened, Planted, Tree
from app.store.changes import SqlChanges
from app.store.rows import message_columns, message_of, owned, select_messages
from app.store.tables import conversations, messages
from app.store.words import index_words

PAGE_CHARS = 512 * 1024  # of messages that an export holds at a time, unless a single one is longer
PAGE_ROWS = 500
ROWS_AT_ONCE = 16  # read ahead: most pages end with their characters
BATCH_SECONDS = 0.015  # what a batch is to take: it may take 50 ms, and the machine is not always idle
FIRST_BATCH = 10_000  # in characters; from then on as many as took the time
LEAST_BATCH = 2_000
LARGEST_BATCH = 1_000_000
ROW_CHARS = 300  # a message costs as much as so many characters, however short it is
CONVERSATION_CHARS = 5000  # and a conversation as so many
IDS_AT_ONCE = 500  # in one statement

# Made once: making a statement costs more than running it.
_INSERT_CONVERSATION = insert(conversations)
_INSERT_MESSAGES = insert(messages)
_WHOSE = select(conversations.c.id, conversations.c.owner_id, conversations.c.deleted_at).where(
    conversations.c.id.in_(bindparam("ids", expanding=True))
)
_WHERE = select(messages.c.id, messages.c.owner_id, messages.c.conversation_id, messages.c.depth).where(
    messages.c.id.in_(bindparam("ids", expanding=True))
)
_SHOW = (
    update(conversations)
    .where(
        conversations.c.id == bindparam("there"),
        conversations.c.owner_id == bindparam("owner"),
        conversations.c.head_id.is_(None),
    )
    .values(head_id=bindparam("shown"))
)


class _Row(NamedTuple):
    """Where a message stands that is kept."""

    owner_id: str
    conversation_id: str | None
    depth: int


class Pace:
    """How much goes into a batch, from how long the last one took."""

    def __init__(self) -> None:
        self.chars = FIRST_BATCH
        self.longest = 0.0  # seconds; for those who measure

    def took(self, seconds: float) -> None:
        """A batch took so long, until it was committed."""
        self.longest = max(self.longest, seconds)
        factor = min(1.5, max(0.25, BATCH_SECONDS / max(seconds, 1e-6)))
        self.chars = int(min(LARGEST_BATCH, max(LEAST_BATCH, self.chars * factor)))


class SqlTransfers:
    """Satisfies `store.base.Transfers`."""

    def __init__(self, database: Database, changes: SqlChanges, clock: Clock) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self.pace = Pace()

    # ── Out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def ids(self, owner_id: str, after: str, limit: int) -> Sequence[str]:
        """See `Transfers.ids`."""
        statement = (
            select(conversations.c.id)
            .where(
                owned(conversations, owner_id),
                conversations.c.id > after,
                conversations.c.temporary == false(),
                conversations.c.deleted_at.is_(None),
            )
            .order_by(conversations.c.id)
            .limit(limit)
        )
        return await self._database.read(lambda connection: connection.scalars(statement).all())

    async def open(self, owner_id: str, conversation_id: str) -> Opened | None:
        """See `Transfers.open`."""

        def look(connection: Connection) -> Opened | None:
            try:
                conversation = tree.find(connection, owner_id, conversation_id)
            except ConversationNotFound:
                return None
            # After the row: so the head is among what is exported.
            last = select(func.max(messages.c.id)).where(*_within(conversation))
            return Opened(conversation, _written_head(connection, conversation), connection.scalar(last) or "")

        return await self._database.read(look)

    async def messages(self, owner_id: str, opened: Opened, after: str) -> Sequence[Message]:
        """See `Transfers.messages`."""
        statement = (
            select_messages()
            .where(*_within(opened.conversation), messages.c.id > after, messages.c.id <= opened.last_id)
            .order_by(messages.c.id)
            .limit(PAGE_ROWS)
        )

        def look(connection: Connection) -> Sequence[Message]:
            if _conversations(connection, [opened.conversation.id]).get(opened.conversation.id) != owner_id:
                raise ConversationNotFound
            return list(_some(connection, statement))

        return await self._database.read(look)

    async def path(self, owner_id: str, opened: Opened) -> Sequence[str]:
        """See `Transfers.path`."""
        leaf = opened.head_id
        if leaf is None:
            return ()
        return await self._database.read(
            lambda connection: tree.path(connection, tree.find(connection, owner_id, opened.conversation.id), leaf)
        )

    async def along(self, owner_id: str, opened: Opened, ids: Sequence[str]) -> Sequence[Message]:
        """See `Transfers.along`."""

        def look(connection: Connection) -> Sequence[Message]:
            conversation = tree.find(connection, owner_id, opened.conversation.id)
            found: list[Message] = []
            room = PAGE_CHARS
            for message_id in ids[:PAGE_ROWS]:
                message = tree.message(connection, conversation, message_id)
                if message is None:
                    raise ConversationNotFound
                found.append(message)
                room -= _chars(message)
                if room <= 0:
                    break
            return found

        return await self._database.read(look)

    # ── In ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def plant(self, trees: Sequence[Tree]) -> Sequence[Planted]:
        """See `Transfers.plant`."""
        now = self._clock.now()
        plantings = [_Planting(tree, now) for tree in trees]
        left = deque(_Slice(planting) for planting in plantings)
        while left:
            batch = self._batch(left)
            owner_id = batch[0].planting.owner_id
            words = await asyncio.to_thread(_words, batch)
            began = self._clock.monotonic()
            await self._changes.submit(owner_id, partial(_write, batch, words), durable=False)
            self.pace.took(self._clock.monotonic() - began)
        return [Planted(one.created, one.added, one.whole) for one in plantings]

    async def settle(self) -> None:
        """See `Transfers.settle`."""
        await self._database.probe()  # its commit is fsynced, and with it all that stands before it in the log

    def _batch(self, left: "deque[_Slice]") -> "list[_Slice]":
        """As much of what is left as goes into one commit, taken away from it."""
        batch: list[_Slice] = []
        room = self.pace.chars
        while left and (room > 0 or not batch):
            one = left.popleft()
            some, room = one.up_to(room)
            batch.append(some)
            if (rest := one.after(some)) is not None:
                left.appendleft(rest)
        return batch


class _Slice(NamedTuple):
    """Some of the messages of a conversation: from `start` up to `stop`, or all the others."""

    planting: "_Planting"
    start: int = 0
    stop: int | None = None

    @property
    def messages(self) -> Sequence[Message]:
        """The messages."""
        return self.planting.tree.messages[self.start : self.stop]

    @property
    def ends(self) -> bool:
        """Whether the last message is among them."""
        return self.stop is None or self.stop >= len(self.planting.tree.messages)

    def up_to(self, room: int) -> "tuple[_Slice, int]":
        """As many as there is room for, at least one; and the room that is left."""
        messages = self.planting.tree.messages
        stop = self.start
        if self.start == 0:
            room -= CONVERSATION_CHARS
        while stop < len(messages) and (stop == self.start or room > 0):
            room -= ROW_CHARS + _chars(messages[stop])
            stop += 1
        return self._replace(stop=stop), room

    def after(self, some: "_Slice") -> "_Slice | None":
        """What follows `some`."""
        return None if some.ends else _Slice(self.planting, some.stop or 0)


def _write(batch: "Sequence[_Slice]", words: Mapping[str, Sequence[str]], connection: Connection) -> None:
    """Write a batch, in the writer's thread."""
    for some in batch:
        if some.start == 0:
            some.planting.begin(connection)
        some.planting.add(connection, some, words)


class _Planting:
    """What is known of a conversation while its messages are written."""

    def __init__(self, tree: Tree, now: int) -> None:
        self.tree = tree
        self.owner_id = tree.conversation.owner_id
        self.created = False
        self.added = 0
        self._added: dict[int, int] = {}  # by the start of a slice: one whose commit is done again counts once
        self.whole = True  # False: it was deleted meanwhile
        self._given = tree.conversation
        self._now = now
        self._there = tree.conversation  # as it is kept
        self._places: dict[str, tuple[str, int]] = {}  # by a message's id in the file: its id here, and its depth

    def begin(self, connection: Connection) -> None:
        """Find the conversation, or make it."""
        given = self._given
        other_id = derived_id(given.created_at, self.owner_id, given.id)
        found = _conversations(connection, [given.id, other_id])
        mine = next((one for one in (other_id, given.id) if found.get(one) == self.owner_id), None)
        if mine is not None:
            self._there = tree.find(connection, self.owner_id, mine)
            return
        free = given.id
        while free in found:
            free = other_id if free == given.id else derived_id(given.created_at, self.owner_id, free)
            found |= _conversations(connection, [free])
        self.created = True
        self._there = msgspec.structs.replace(given, id=free, head_id=None)
        row = {name: getattr(self._there, name) for name in Conversation.__struct_fields__ if name != "live"}
        connection.execute(_INSERT_CONVERSATION, row)
        if given.title:
            tree.retitle(connection, self._there, given.title)
        change_log.record(connection, self.owner_id, "created", free, self._now)

    def add(self, connection: Connection, some: _Slice, words: Mapping[str, Sequence[str]]) -> None:
        """Add those of these messages that are not there; with the last of all, show the branch that was shown."""
        here = _conversations(connection, [self._there.id]) if some.start else None
        self.whole = self.whole and (here is None or here.get(self._there.id) == self.owner_id)
        if not some.messages or not self.whole:
            return
        fresh = self._fresh(connection, some.messages)
        if fresh:
            rows = [message_columns(message, self.owner_id) for _, message in fresh]
            connection.execute(_INSERT_MESSAGES, rows)
            self._added[some.start] = len(fresh)
            self.added = sum(self._added.values())
        if not self._there.temporary:
            entries = [(message.id, words[old], message.created_at) for old, message in fresh if old in words]
            search.add_all(connection, self.owner_id, self._there.id, entries)
        if some.ends:
            self._end(connection, alone=some.start == 0)

    def _fresh(self, connection: Connection, some: Sequence[Message]) -> list[tuple[str, Message]]:
        """Those that are not there, as they will be, with their ids in the file."""
        known = _messages(connection, [name for message in some for name in self._names(message)])
        fresh: list[tuple[str, Message]] = []
        for message in some:
            name = self._name(connection, message, known)
            row = known.get(name)
            _, above = self._places[message.parent_id] if message.parent_id is not None else ("", -1)
            self._places[message.id] = (name, row.depth if row else above + 1)
            if row is None:
                fresh.append((message.id, self._placed(message)))
        return fresh

    def _end(self, connection: Connection, *, alone: bool) -> None:
        """Show the branch that was shown, unless one is shown already. `alone`: it was begun in the same commit."""
        head, _ = self._places[self._given.head_id or self.tree.messages[-1].id]
        show = {"shown": head, "there": self._there.id, "owner": self.owner_id}
        headed = connection.execute(_SHOW, show).rowcount == 1
        told = self.created and alone
        if (self.added or headed) and not told and not self._there.temporary:
            change_log.record(connection, self.owner_id, "updated", self._there.id, self._now)

    # ── Ids ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _names(self, message: Message) -> Iterable[str]:
        """What the message may be called here, its first choice first."""
        if self._there.id != self._given.id:
            return (self._other_name(message, message.id),)
        if self.created:
            return (message.id,)
        return (message.id, self._other_name(message, message.id))

    def _name(self, connection: Connection, message: Message, known: dict[str, _Row]) -> str:
        """What it is called here: the name under which it is here already, else its first name that is free."""
        names = list(self._names(message))
        for name in reversed(names):
            if (row := known.get(name)) and self._is_here(row):
                return name
        for name in names:
            if name not in known:
                return name
        name = names[-1]
        while (row := known.get(name)) and not self._is_here(row):
            name = self._other_name(message, name)
            known |= _messages(connection, [name])
        return name

    def _other_name(self, message: Message, name: str) -> str:
        return derived_id(message.created_at, self.owner_id, self._given.id, name)

    def _is_here(self, row: _Row) -> bool:
        return (row.owner_id, row.conversation_id) == (self.owner_id, self._there.id)

    def _placed(self, message: Message) -> Message:
        """The message as it is kept here: what it points to goes by its name here."""
        name, depth = self._places[message.id]
        parent_id = self._places[message.parent_id][0] if message.parent_id is not None else None
        joint = message.joint
        if joint is not None:
            joint = Joint(self._places[joint.message_id][0], joint.part, joint.offset)
        return msgspec.structs.replace(
            message, id=name, conversation_id=self._there.id, parent_id=parent_id, depth=depth, joint=joint
        )


def _words(batch: "Sequence[_Slice]") -> Mapping[str, Sequence[str]]:
    """What the search is told of each message, by its id in the file. It takes longer to find out than to write."""
    found = {message.id: index_words(message.text) for some in batch for message in some.messages}
    return {message_id: words for message_id, words in found.items() if words}


def _conversations(connection: Connection, ids: Sequence[str]) -> dict[str, str | None]:
    """Whose these are; None where one is being deleted, so that nobody has it."""
    rows = connection.execute(_WHOSE, {"ids": ids})
    return {row.id: row.owner_id if row.deleted_at is None else None for row in rows}


def _messages(connection: Connection, ids: Sequence[str]) -> dict[str, _Row]:
    found: dict[str, _Row] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        rows = connection.execute(_WHERE, {"ids": ids[start : start + IDS_AT_ONCE]})
        found |= {row.id: _Row(row.owner_id, row.conversation_id, row.depth) for row in rows}
    return found


def _some(connection: Connection, statement: Select[Any]) -> Iterator[Message]:
    """The first rows, as many as are held at a time: the others are not even read."""
    room = PAGE_CHARS
    with connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        for row in rows:
            message = message_of(row)
            yield message
            room -= _chars(message)
            if room <= 0:
                return


def _written_head(connection: Connection, conversation: Conversation) -> str | None:
    """The end of the branch shown, or what stands before an answer that is still being written there."""
    head = tree.message(connection, conversation, conversation.head_id) if conversation.head_id else None
    if head is None:
        return None
    return head.parent_id if head.status in ("queued", "running") else head.id


def _within(conversation: Conversation) -> tuple[Any, Any]:
    return messages.c.conversation_id == conversation.id, owned(messages, conversation.owner_id)


def _chars(message: Message) -> int:
    return sum(len(part.text) for part in message.parts)
