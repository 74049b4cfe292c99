"""Conversations over SQLAlchemy Core, for both dialects."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, false, func, insert, select, tuple_, update

from app.clock import Clock
from app.database import Database
from app.models import Conversation, Message, text_of
from app.store import changes as change_log
from app.store import search, tree, usages
from app.store.base import Page
from app.store.changes import SqlChanges
from app.store.rows import LIVE, conversation_of, owned, parts_of, run_of, select_conversations
from app.store.tables import conversations, idempotency_keys, messages, runs, search_entries

ERASE_ROWS = 200  # messages in one commit, so that live answers do not wait
ERASE_CHARS = 256 * 1024  # and characters: their words are to be found again in the index
TIDY_SECONDS = 3600.0  # between two times that the index is written anew, which takes minutes when it is large
TEMPORARY_MILLISECONDS = 3600 * 1000  # how long a temporary conversation outlives its last reader


class SqlConversations:
    """Satisfies `store.base.Conversations`."""

    def __init__(self, database: Database, changes: SqlChanges, clock: Clock) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._deleted = False  # something was, since the index was last tidied
        self._tidying = False
        self._tidied_at: float | None = None

    async def create(self, conversation: Conversation) -> None:
        """See `Conversations.create`."""

        def write(connection: Connection) -> None:
            row = {name: getattr(conversation, name) for name in Conversation.__struct_fields__ if name != "live"}
            seen_at = conversation.created_at if conversation.temporary else None
            connection.execute(insert(conversations).values(**row, seen_at=seen_at))
            if conversation.temporary:
                return
            if conversation.title:
                tree.retitle(connection, conversation, conversation.title)
            change_log.record(connection, conversation.owner_id, "created", conversation.id, conversation.created_at)

        await self._changes.submit(conversation.owner_id, write, durable=True)

    async def conversation(self, owner_id: str, conversation_id: str) -> Conversation | None:
        """See `Conversations.conversation`."""
        return await self._database.read(lambda connection: tree.look(connection, owner_id, conversation_id))

    async def conversations(
        self, owner_id: str, limit: int, before: tuple[int, str] | None, *, archived: bool, pinned: bool | None
    ) -> Sequence[Conversation]:
        """See `Conversations.conversations`."""
        order = (conversations.c.updated_at, conversations.c.id)
        statement = select_conversations(owner_id).where(
            conversations.c.archived == archived, conversations.c.temporary == false()
        )
        if before is not None:
            statement = statement.where(tuple_(*order) < tuple_(*before, types=[column.type for column in order]))
        if pinned is not None:
            statement = statement.where(conversations.c.pinned == pinned)
        statement = statement.order_by(*(column.desc() for column in order)).limit(limit)
        return await self._database.read(
            lambda connection: [conversation_of(row) for row in connection.execute(statement)]
        )

    async def change(self, owner_id: str, conversation_id: str, values: Mapping[str, Any]) -> Conversation:
        """See `Conversations.change`."""
        now = self._clock.now()

        def write(connection: Connection) -> Conversation:
            conversation = tree.find(connection, owner_id, conversation_id)
            changed = dict(values)
            if "title" in changed:
                tree.retitle(connection, conversation, changed["title"])
                changed["titled"] = "given"
            if "head_id" in changed:
                changed["head_id"] = tree.newest_below(connection, conversation, changed["head_id"])
            if changed:
                tree.change(connection, conversation, changed)
                self._record(connection, conversation, now)
            return tree.find(connection, owner_id, conversation_id)

        return await self._changes.submit(owner_id, write, durable=True)

    async def delete(self, owner_id: str, conversation_id: str) -> Sequence[str]:
        """See `Conversations.delete`."""
        now = self._clock.now()

        def write(connection: Connection) -> Sequence[str]:
            conversation = tree.find(connection, owner_id, conversation_id)
            live = connection.scalars(select(runs.c.id).where(runs.c.conversation_id == conversation_id, LIVE)).all()
            _bury(connection, conversation, now)
            _erase(connection, conversation_id)
            return live

        self._deleted = True
        return await self._changes.submit(owner_id, write, durable=True)

    async def erase(self) -> bool:
        """See `Conversations.erase`."""

        def write(connection: Connection) -> bool:
            buried = select(conversations.c.id).where(conversations.c.deleted_at.is_not(None)).limit(1)
            found = connection.scalar(buried)
            if found is not None:
                _erase(connection, found)
            return found is not None

        return await self._database.submit(write, durable=False)

    async def bury_forgotten(self) -> bool:
        """Delete a temporary conversation that nobody has read for `TEMPORARY_MILLISECONDS`; whether there was one."""
        now = self._clock.now()
        writing = select(runs.c.id).where(runs.c.conversation_id == conversations.c.id, LIVE).exists()
        old = (
            select(conversations, false().label("live"))
            .where(
                conversations.c.seen_at < now - TEMPORARY_MILLISECONDS,
                conversations.c.deleted_at.is_(None),
                ~writing,
            )
            .limit(1)
        )

        def write(connection: Connection) -> bool:
            row = connection.execute(old).one_or_none()
            if row is None:
                return False
            _bury(connection, conversation_of(row), now)
            return True

        buried = await self._database.submit(write, durable=False)
        self._deleted = self._deleted or buried
        return buried

    async def tidy(self) -> bool:
        """See `Conversations.tidy`. In all it writes the index anew, so it begins once in `TIDY_SECONDS` at most."""
        now = self._clock.monotonic()
        anew = not self._tidying
        if anew:
            if not self._deleted or (self._tidied_at is not None and now - self._tidied_at < TIDY_SECONDS):
                return False
            self._deleted, self._tidied_at = False, now
        self._tidying = await self._database.submit(
            lambda connection: search.tidy(connection, anew=anew), durable=False
        )
        return self._tidying

    async def scrub(self) -> bool:
        """See `Conversations.scrub`."""
        await self._database.empty_log()
        return False

    async def seen(self, owner_id: str, conversation_id: str, at: int) -> None:
        """See `Conversations.seen`."""
        statement = (
            update(conversations)
            .where(
                conversations.c.id == conversation_id,
                owned(conversations, owner_id),
                conversations.c.seen_at.is_not(None),
            )
            .values(seen_at=at)
        )

        def write(connection: Connection) -> None:
            connection.execute(statement)

        await self._database.submit(write, durable=False)

    # ── Titles ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def claim_title(self, owner_id: str, conversation_id: str) -> bool:
        """See `Conversations.claim_title`."""
        statement = (
            update(conversations)
            .where(
                conversations.c.id == conversation_id,
                owned(conversations, owner_id),
                conversations.c.titled == "words",
                conversations.c.temporary == false(),
                conversations.c.deleted_at.is_(None),
            )
            .values(titled="asked")
        )
        return await self._database.submit(lambda connection: connection.execute(statement).rowcount == 1, durable=True)

    async def entitle(self, owner_id: str, conversation_id: str, title: str) -> None:
        """See `Conversations.entitle`."""
        now = self._clock.now()

        def write(connection: Connection) -> None:
            statement = select_conversations(owner_id).where(
                conversations.c.id == conversation_id, conversations.c.titled == "asked"
            )
            conversation = _one(connection, statement)
            if conversation is not None:
                tree.retitle(connection, conversation, title)
                tree.change(connection, conversation, {"title": title, "titled": "model"})
                self._record(connection, conversation, now)

        await self._changes.submit(owner_id, write, durable=False)

    # ── The tree ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def message(self, owner_id: str, conversation_id: str, message_id: str) -> Message | None:
        """See `Conversations.message`."""
        return await self._database.read(
            lambda connection: tree.message(connection, tree.find(connection, owner_id, conversation_id), message_id)
        )

    async def branch(
        self, owner_id: str, conversation_id: str, leaf: str, limit: int, *, above: bool = False
    ) -> Sequence[Message]:
        """See `Conversations.branch`."""
        return await self._database.read(
            lambda connection: tree.branch(
                connection, tree.find(connection, owner_id, conversation_id), leaf, limit, above=above
            )
        )

    async def page(self, owner_id: str, conversation_id: str, leaf: str, limit: int, *, above: bool = False) -> Page:
        """See `Conversations.page`."""
        return await self._database.read(
            lambda connection: tree.page(
                connection, tree.find(connection, owner_id, conversation_id), leaf, limit, above=above
            )
        )

    def _record(self, connection: Connection, conversation: Conversation, at: int) -> None:
        if not conversation.temporary:
            change_log.record(connection, conversation.owner_id, "updated", conversation.id, at)


def _one(connection: Connection, statement: Any) -> Conversation | None:
    row = connection.execute(statement).one_or_none()
    return conversation_of(row) if row is not None else None


# ── Deleting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bury(connection: Connection, conversation: Conversation, now: int) -> None:
    """From this commit on nobody finds it. What its own row says goes at once, too."""
    if conversation.title and not conversation.temporary:
        search.remove_title(connection, conversation.id, conversation.title)
    hidden = {"title": "", "system": None, "model": None, "seen_at": None, "deleted_at": now}
    tree.change(connection, conversation, hidden)
    if not conversation.temporary:
        change_log.record(connection, conversation.owner_id, "deleted", conversation.id, now)


def _erase(connection: Connection, conversation_id: str) -> None:
    """Take away some of its messages, with all that hangs on them; with the last of them itself."""
    statement = (
        select(messages.c.id, func.length(messages.c.parts).label("chars"))
        .where(messages.c.conversation_id == conversation_id)
        .limit(ERASE_ROWS)
    )
    found = connection.execute(statement).all()
    ids = _up_to(ERASE_CHARS, found)
    if ids:
        texts = select(messages.c.id, messages.c.parts).where(messages.c.id.in_(ids))
        search.remove(connection, {row.id: text_of(parts_of(row.parts)) for row in connection.execute(texts)})
        written_by = select(runs.c.id).where(runs.c.message_id.in_(ids))
        for row in connection.execute(select(runs).where(runs.c.message_id.in_(ids), LIVE)):
            usages.keep_before_erasing(connection, run_of(row))
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.run_id.in_(written_by)))
        connection.execute(delete(runs).where(runs.c.message_id.in_(ids)))
        connection.execute(delete(messages).where(messages.c.id.in_(ids)))
    if len(ids) == len(found) < ERASE_ROWS:
        connection.execute(delete(search_entries).where(search_entries.c.conversation_id == conversation_id))
        connection.execute(delete(conversations).where(conversations.c.id == conversation_id))


def _up_to(most: int, rows: Sequence[Row[str, int]]) -> list[str]:
    ids: list[str] = []
    for row in rows:
        if ids and most < row.chars:
            break
        most -= row.chars
        ids.append(row.id)
    return ids
