"""A conversation's tree of messages: growing it, and reading one branch at the cost of what is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import CTE, Connection, Select, bindparam, insert, literal, select, update

from app.errors import ConversationNotFound, MessageNotFound
from app.models import Conversation, Message, Part, Run
from app.store import changes, search
from app.store.base import Page, Place
from app.store.prepared import Prepared
from app.store.rows import (
    MESSAGE_COLUMNS,
    conversation_of,
    message_columns,
    message_of,
    owned,
    select_conversations,
    select_messages,
)
from app.store.tables import conversations, messages

MAX_DEPTH = 2**31 - 1  # of a branch: what the column holds

# What every answer needs.
_MINE = (messages.c.id == bindparam("the_id"), owned(messages, bindparam("the_owner")))
_ANSWER = Prepared(select_messages().where(*_MINE))
_RIPEN = Prepared(update(messages).where(*_MINE), ("parts", "meta"))
_INSERT = Prepared(insert(messages), MESSAGE_COLUMNS)
_FIND = Prepared(select_conversations(bindparam("the_owner")).where(conversations.c.id == bindparam("the_id")))
_WITHIN = (*_MINE, messages.c.conversation_id == bindparam("the_conversation"))
_CHANGES: dict[tuple[str, ...], Prepared] = {}  # by the columns that are changed, of which there are a few sets

# ── Growing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def plant(connection: Connection, run: Run, place: Place) -> None:
    """Put the question, and the answer that `run` is about to write, into the tree; the branch shown ends there.

    Raises:
        ConversationNotFound, MessageNotFound: the place is gone.
    """
    conversation = find(connection, run.owner_id, place.conversation_id)
    parent_id = place.parent_id
    depth = 0 if parent_id is None else depth_of(connection, conversation, parent_id) + 1
    if place.question is not None:
        parts = (Part("text", place.question.text),)
        question = Message(place.question.id, conversation.id, parent_id, "user", parts, run.created_at, depth)
        _insert(connection, conversation, question)
        index(connection, conversation, question)
        parent_id, depth = question.id, depth + 1
    answer = Message(
        run.message_id,
        conversation.id,
        parent_id,
        "assistant",
        place.prefix,
        run.created_at,
        depth,
        model=run.model,
        left_out=run.left_out,
        joint=place.joint,
    )
    _insert(connection, conversation, answer)
    values: dict[str, Any] = {"head_id": answer.id, "updated_at": run.created_at}
    if conversation.titled == "none" and place.title:
        values |= {"title": place.title, "titled": "words"}
        retitle(connection, conversation, place.title)
    if conversation.temporary:
        values |= {"seen_at": run.created_at}
    change(connection, conversation, values)
    if not conversation.temporary:
        changes.record(connection, run.owner_id, "started", conversation.id, run.created_at, run.id)


def ripen(connection: Connection, run: Run, parts: Sequence[Part]) -> None:
    """The answer of `run` is whole: keep it with what it says of how it ended, and let it be found."""
    answer = message_of(_ANSWER.one(connection, {"the_id": run.message_id, "the_owner": run.owner_id}))
    answer = msgspec.structs.replace(
        answer,
        parts=tuple(parts),
        model=run.model,
        finish_reason=run.finish_reason,
        failure=run.failure,
        usage=run.usage,
        left_out=run.left_out,
    )
    columns = message_columns(answer, run.owner_id)
    said = {"parts": columns["parts"], "meta": columns["meta"]}
    _RIPEN.run(connection, {"the_id": answer.id, "the_owner": run.owner_id, **said})
    try:
        conversation = find(connection, run.owner_id, answer.conversation_id)
    except ConversationNotFound:
        return  # it is being deleted, and this answer with it
    ended_at = run.ended_at or run.created_at
    seen = {"seen_at": ended_at} if conversation.temporary else {}
    change(connection, conversation, {"updated_at": max(conversation.updated_at, ended_at), **seen})
    index(connection, conversation, answer)
    if not conversation.temporary:
        changes.record(connection, run.owner_id, "ended", conversation.id, ended_at, run.id)


def index(connection: Connection, conversation: Conversation, message: Message) -> None:
    """Let the search find `message`. What is in a temporary conversation is never found."""
    if not conversation.temporary:
        search.add(
            connection,
            owner_id=conversation.owner_id,
            conversation_id=conversation.id,
            message_id=message.id,
            text=message.text,
            created_at=message.created_at,
        )


def retitle(connection: Connection, conversation: Conversation, title: str) -> None:
    """Have the search find `title` instead of the one that `conversation` had. Its row is the caller's."""
    if conversation.temporary:
        return
    if conversation.title:
        search.remove_title(connection, conversation.id, conversation.title)
    search.add(
        connection,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        message_id=None,
        text=title,
        created_at=conversation.created_at,
    )


def _insert(connection: Connection, conversation: Conversation, message: Message) -> None:
    _INSERT.run(connection, message_columns(message, conversation.owner_id))


def change(connection: Connection, conversation: Conversation, values: Mapping[str, Any]) -> None:
    """Change some columns of a conversation's row."""
    columns = tuple(values)
    if (prepared := _CHANGES.get(columns)) is None:
        mine = (conversations.c.id == bindparam("the_id"), owned(conversations, bindparam("the_owner")))
        prepared = _CHANGES[columns] = Prepared(update(conversations).where(*mine), columns)
    prepared.run(connection, {"the_id": conversation.id, "the_owner": conversation.owner_id, **values})


# ── Finding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def find(connection: Connection, owner_id: str, conversation_id: str) -> Conversation:
    """This owner's conversation.

    Raises:
        ConversationNotFound: it is none of theirs, or deleted.
    """
    conversation = look(connection, owner_id, conversation_id)
    if conversation is None:
        raise ConversationNotFound
    return conversation


def look(connection: Connection, owner_id: str, conversation_id: str) -> Conversation | None:
    """The same, or None."""
    row = _FIND.one(connection, {"the_id": conversation_id, "the_owner": owner_id})
    return conversation_of(row) if row is not None else None


def depth_of(connection: Connection, conversation: Conversation, message_id: str) -> int:
    """How many messages stand before this one.

    Raises:
        MessageNotFound: it is not in `conversation`.
    """
    depth = _DEPTH.scalar(connection, _of(conversation, message_id))
    if depth is None:
        raise MessageNotFound
    return depth


def newest_below(connection: Connection, conversation: Conversation, message_id: str) -> str:
    """The end of the branch that goes on from a message by its newest answers.

    Raises:
        MessageNotFound: it is not in `conversation`.
    """
    depth_of(connection, conversation, message_id)
    path = select(literal(message_id).label("id"), literal(0).label("step")).cte("path", recursive=True)
    child = messages.alias("child")
    newest = (
        select(child.c.id)
        .where(child.c.parent_id == path.c.id)
        .order_by(child.c.id.desc())
        .limit(1)
        .correlate(path)
        .scalar_subquery()
    )
    path = path.union_all(select(newest, path.c.step + 1).where(path.c.id.is_not(None)))
    statement = select(path.c.id).where(path.c.id.is_not(None)).order_by(path.c.step.desc()).limit(1)
    return connection.execute(statement).scalar_one()


def message(connection: Connection, conversation: Conversation, message_id: str) -> Message | None:
    """One message of `conversation`."""
    row = _MESSAGE.one(connection, _of(conversation, message_id))
    return message_of(row) if row is not None else None


def branch(connection: Connection, conversation: Conversation, leaf: str, limit: int, *, above: bool) -> list[Message]:
    """See `Conversations.branch`."""
    asked = {**_of(conversation, leaf), "length": limit + above, "first": int(above)}
    return [message_of(row) for row in _BRANCH.all(connection, asked)]


def path(connection: Connection, conversation: Conversation, leaf: str) -> list[str]:
    """The ids of the branch that ends with `leaf`, from its beginning."""
    asked = {**_of(conversation, leaf), "length": MAX_DEPTH}
    return [row.id for row in _PATH.all(connection, asked)]


def page(connection: Connection, conversation: Conversation, leaf: str, limit: int, *, above: bool) -> Page:
    """See `Conversations.page`."""
    found = branch(connection, conversation, leaf, limit, above=above)
    shown = tuple(reversed(found))
    return Page(shown, _siblings(connection, conversation, shown), bool(shown) and shown[0].parent_id is not None)


def _path() -> CTE:
    """From a message of a conversation up, at most `length` of them."""
    start = select(messages.c.id, messages.c.parent_id, literal(0).label("step")).where(*_WITHIN)
    path = start.cte("path", recursive=True)
    above = messages.alias("above")
    return path.union_all(
        select(above.c.id, above.c.parent_id, path.c.step + 1)
        .join_from(path, above, above.c.id == path.c.parent_id)
        .where(path.c.step + 1 < bindparam("length"))
    )


def _select_branch() -> Select[Any]:
    path = _path()
    joined = select_messages().join(path, path.c.id == messages.c.id)
    return joined.where(path.c.step >= bindparam("first")).order_by(path.c.step)


def _select_path() -> Select[Any]:
    path = _path()
    return select(path.c.id).order_by(path.c.step.desc())


def _siblings(
    connection: Connection, conversation: Conversation, shown: Sequence[Message]
) -> dict[str, tuple[str, ...]]:
    children: dict[str | None, list[str]] = {}
    parents = {one.parent_id for one in shown}
    below = select(messages.c.parent_id, messages.c.id).where(messages.c.parent_id.in_(parents - {None}))
    rows = list(connection.execute(below.order_by(messages.c.parent_id, messages.c.id)))
    if None in parents:
        roots = select(messages.c.parent_id, messages.c.id).where(
            messages.c.conversation_id == conversation.id, messages.c.parent_id.is_(None)
        )
        rows += connection.execute(roots.order_by(messages.c.id))
    for row in rows:
        children.setdefault(row.parent_id, []).append(row.id)
    return {one.id: tuple(children[one.parent_id]) for one in shown}


def _of(conversation: Conversation, message_id: str) -> dict[str, Any]:
    """The parameters of `_WITHIN`."""
    return {"the_id": message_id, "the_conversation": conversation.id, "the_owner": conversation.owner_id}


# Made once: every question reads its branch.
_DEPTH = Prepared(select(messages.c.depth).where(*_WITHIN))
_MESSAGE = Prepared(select_messages().where(*_WITHIN))
_BRANCH = Prepared(_select_branch())
_PATH = Prepared(_select_path())
