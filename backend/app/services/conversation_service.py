"""Conversations: made, listed, shown, changed, searched, deleted."""

import re
from typing import Any

from app.clock import Clock, rfc3339
from app.conversation_bodies import (
    ConversationBody,
    ConversationChange,
    ConversationList,
    FoundBody,
    FoundList,
    MessageBody,
    MessageList,
    NewConversation,
)
from app.errors import ConversationNotFound, Invalid, MessageNotFound
from app.models import Conversation, Principal
from app.providers.base import Catalog
from app.services.endings import CANCELLED
from app.services.run_engine import RunEngine
from app.store.base import Conversations, Search

SEEN_EVERY_MILLISECONDS = 60_000  # a temporary conversation's last reader is noted down this often at most
MAX_QUERY_CHARS = 200  # of a search: longer than any phrase that somebody remembers

_PLACE = re.compile(r"([0-9]{1,15})-([0-9a-z]{26})")
_NUMBER = re.compile(r"[0-9]{1,19}")


class ConversationService:
    """What a principal does with the conversations that are theirs."""

    def __init__(
        self, conversations: Conversations, search: Search, engine: RunEngine, catalog: Catalog, clock: Clock
    ) -> None:
        self._conversations = conversations
        self._search = search
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._seen: dict[str, int] = {}

    async def create(self, principal: Principal, request: NewConversation) -> ConversationBody:
        """A new, empty one.

        Raises:
            ModelNotFound: nobody has the model.
        """
        if request.model is not None:
            await self._catalog.chain(request.model)
        now = self._clock.now()
        conversation = Conversation(
            id=self._clock.new_id(),
            owner_id=principal.id,
            created_at=now,
            updated_at=now,
            title=request.title or "",
            titled="given" if request.title else "none",
            model=request.model,
            system=request.system,
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            temporary=request.temporary,
        )
        await self._conversations.create(conversation)
        return ConversationBody.of(conversation)

    async def list(
        self, principal: Principal, limit: int, before: str | None, *, archived: bool, pinned: bool | None
    ) -> ConversationList:
        """A page, newest first.

        Raises:
            Invalid: `before` is no place in the list.
        """
        place = _place(before) if before is not None else None
        found = await self._conversations.conversations(
            principal.id, limit + 1, place, archived=archived, pinned=pinned
        )
        items = [ConversationBody.of(conversation) for conversation in found[:limit]]
        last = found[limit - 1] if len(found) > limit else None
        return ConversationList(items=items, next=f"{last.updated_at}-{last.id}" if last is not None else None)

    async def conversation(self, principal: Principal, conversation_id: str) -> ConversationBody:
        """One of theirs.

        Raises:
            ConversationNotFound: it is none of theirs, or deleted.
        """
        return ConversationBody.of(await self._find(principal, conversation_id))

    async def change(self, principal: Principal, conversation_id: str, request: ConversationChange) -> ConversationBody:
        """Change what the request names.

        Raises:
            ConversationNotFound, MessageNotFound, ModelNotFound: it names what is not there; nothing was changed.
        """
        values: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
        if values.get("model") is not None:
            await self._catalog.chain(values["model"])
        return ConversationBody.of(await self._conversations.change(principal.id, conversation_id, values))

    async def delete(self, principal: Principal, conversation_id: str) -> None:
        """Take it away for good, with all that is in it. What is being written in it is stopped first.

        Raises:
            ConversationNotFound: it is none of theirs, or deleted already.
        """
        for run_id in await self._conversations.delete(principal.id, conversation_id):
            if (live := self._engine.live(principal.id, run_id)) is not None:
                await self._engine.stopped(live, CANCELLED)
        while await self._conversations.erase():
            pass

    async def messages(
        self, principal: Principal, conversation_id: str, *, leaf: str | None, limit: int, before: str | None
    ) -> MessageList:
        """A page of the branch that ends with `leaf` (None: the one shown), above `before`.

        Raises:
            ConversationNotFound, MessageNotFound: there is no such branch.
        """
        conversation = await self._find(principal, conversation_id)
        start = before or leaf or conversation.head_id
        if start is None:
            return MessageList(items=[], next=None)
        if before is not None and await self._conversations.message(principal.id, conversation_id, before) is None:
            raise MessageNotFound
        page = await self._conversations.page(principal.id, conversation_id, start, limit, above=before is not None)
        if not page.messages and before is None:
            raise MessageNotFound
        items = [MessageBody.of(message, page.siblings[message.id]) for message in page.messages]
        return MessageList(items=items, next=items[0].id if page.more else None)

    async def search(self, principal: Principal, query: str, limit: int, before: str | None) -> FoundList:
        """Where in their titles and messages all words of `query` are, newest first.

        Raises:
            Invalid: the query is blank, or `before` is no place in the list.
        """
        if not query.strip():
            raise Invalid("q: it is blank. Write what to look for.")
        if before is not None and not _NUMBER.fullmatch(before):
            raise _no_place()
        page = await self._search.find(principal.id, query, limit, int(before) if before is not None else None)
        items = [
            FoundBody(
                conversation_id=one.conversation_id,
                title=one.title,
                message_id=one.message_id,
                snippet=one.text,
                created_at=rfc3339(one.created_at),
            )
            for one in page.items
        ]
        return FoundList(items=items, next=str(page.next) if page.next is not None else None)

    async def _find(self, principal: Principal, conversation_id: str) -> Conversation:
        conversation = await self._conversations.conversation(principal.id, conversation_id)
        if conversation is None:
            raise ConversationNotFound
        if conversation.temporary:
            await self._note_reader(conversation)
        return conversation

    async def _note_reader(self, conversation: Conversation) -> None:
        now = self._clock.now()
        if now - self._seen.get(conversation.id, 0) < SEEN_EVERY_MILLISECONDS:
            return
        self._seen = {key: at for key, at in self._seen.items() if now - at < SEEN_EVERY_MILLISECONDS}
        self._seen[conversation.id] = now
        await self._conversations.seen(conversation.owner_id, conversation.id, now)


def _place(text: str) -> tuple[int, str]:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise _no_place()
    return int(match[1]), match[2]


def _no_place() -> Invalid:
    return Invalid("before: this is no place in the list. Send the `next` of the page before, or leave it out.")
