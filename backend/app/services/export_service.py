"""Export: our own JSON and Markdown, page by page, as fast as the reader takes it and no faster."""

from collections.abc import AsyncGenerator
from typing import Literal

import msgspec

from app.clock import Clock, rfc3339
from app.errors import ConversationNotFound
from app.models import Principal
from app.protocols import markdown, transfer
from app.store.base import Opened, Transfers

IDS_AT_ONCE = 500  # conversations whose ids are held
PATH_AT_ONCE = 200  # messages of a branch that are asked for at a time

ExportFormat = Literal["json", "markdown"]


class Export(msgspec.Struct, frozen=True):
    """A file on its way out."""

    name: str  # of ASCII letters, digits, `-` and `.`
    media_type: str
    pieces: AsyncGenerator[bytes]


class ExportService:
    """Gives a principal's conversations out as files."""

    def __init__(self, transfers: Transfers, clock: Clock) -> None:
        self._transfers = transfers
        self._clock = clock

    async def all(self, principal: Principal) -> Export:
        """All conversations as one document of ours, without temporary ones.

        What `pieces` raises leaves the file broken: it never looks whole.

        Raises:
            StorageError: they cannot be read.
        """
        ids = list(await self._transfers.ids(principal.id, "", IDS_AT_ONCE))
        now = self._clock.now()
        return Export(f"conversations-{rfc3339(now)[:10]}.json", "application/json", self._everything(principal, ids))

    async def one(self, principal: Principal, conversation_id: str, format: ExportFormat) -> Export:
        """One conversation: whole, as a document of ours, or the branch shown, as Markdown.

        Raises:
            ConversationNotFound: it is none of theirs, or deleted.
            StorageError: it cannot be read.
        """
        opened = await self._transfers.open(principal.id, conversation_id)
        if opened is None:
            raise ConversationNotFound
        if format == "json":
            pieces = self._document(principal, opened)
            return Export(f"conversation-{conversation_id}.json", "application/json", pieces)
        name = f"conversation-{conversation_id}.md"
        return Export(name, "text/markdown; charset=utf-8", self._branch(principal, opened))

    async def _everything(self, principal: Principal, ids: list[str]) -> AsyncGenerator[bytes]:
        yield transfer.opening(self._clock.now())
        separator = b""
        while ids:
            for conversation_id in ids:
                opened = await self._transfers.open(principal.id, conversation_id)
                if opened is None or opened.conversation.temporary:
                    continue  # deleted meanwhile
                async for piece in self._conversation(principal, opened):
                    yield separator + piece
                    separator = b""
                separator = b",\n"
            ids = list(await self._transfers.ids(principal.id, ids[-1], IDS_AT_ONCE))
        yield transfer.CLOSING

    async def _document(self, principal: Principal, opened: Opened) -> AsyncGenerator[bytes]:
        yield transfer.opening(self._clock.now())
        async for piece in self._conversation(principal, opened):
            yield piece
        yield transfer.CLOSING

    async def _conversation(self, principal: Principal, opened: Opened) -> AsyncGenerator[bytes]:
        """A conversation, without what is still being written."""
        after, separator = "", b""
        unfinished: set[str | None] = set()  # and what hangs on it
        head = transfer.conversation_opening(opened.conversation, opened.head_id)
        while some := await self._transfers.messages(principal.id, opened, after):
            after = some[-1].id
            for message in some:
                if message.status in ("queued", "running") or message.parent_id in unfinished:
                    unfinished.add(message.id)
            whole = [message for message in some if message.id not in unfinished]
            if whole:
                yield head + separator + b",\n".join(map(transfer.written, whole))
                head, separator = b"", b",\n"
        yield head + transfer.CLOSING

    async def _branch(self, principal: Principal, opened: Opened) -> AsyncGenerator[bytes]:
        yield markdown.opening(opened.conversation).encode()
        ids = list(await self._transfers.path(principal.id, opened))
        start = 0
        while start < len(ids):
            some = await self._transfers.along(principal.id, opened, ids[start : start + PATH_AT_ONCE])
            start += len(some)
            yield "".join(markdown.written(message) for message in some).encode()
