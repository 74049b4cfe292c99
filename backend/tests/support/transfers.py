"""Import and export over one implementation of the store, without a server."""

import io
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app.clock import Clock
from app.conversation_bodies import ImportBody
from app.database import Database
from app.models import Principal
from app.services.export_service import ExportService
from app.services.import_service import ImportService
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.search import SqlSearch
from app.store.transfer import SqlTransfers
from tests.support.databases import migrated
from tests.support.files import document, in_order, spelled

ANN, BOB = Principal("ann"), Principal("bob")
MOST = 400_000  # characters of a message


class Kit(NamedTuple):
    """One implementation."""

    database: Database
    conversations: SqlConversations
    transfers: SqlTransfers
    imports: ImportService
    exports: ExportService
    changes: SqlChanges

    async def take(self, who: Principal, *conversations: dict[str, Any]) -> ImportBody:
        """Import a document of these."""
        return await self.imports.take(who, io.BytesIO(spelled(document(*conversations))))

    async def added(self, who: Principal, *conversations: dict[str, Any]) -> tuple[int, int]:
        """The same; how many conversations and messages it added."""
        body = await self.take(who, *conversations)
        assert body.skipped == []
        return body.conversations, body.messages

    async def all(self, who: Principal) -> list[dict[str, Any]]:
        """What an export of everything holds."""
        export = await self.exports.all(who)
        return in_order(json.loads(b"".join([piece async for piece in export.pieces]))["conversations"])

    async def markdown(self, who: Principal, conversation_id: str) -> str:
        """The branch shown."""
        export = await self.exports.one(who, conversation_id, "markdown")
        return b"".join([piece async for piece in export.pieces]).decode()

    async def kinds(self, who: Principal) -> list[str]:
        """What happened, as the live list hears it."""
        return [change.kind for change in await self.changes.since(who.id, 0, 1000) or ()]

    async def found(self, who: Principal, word: str) -> set[str]:
        """The conversations that a search finds."""
        page = await SqlSearch(self.database).find(who.id, word, 100)
        return {one.conversation_id for one in page.items}


@asynccontextmanager
async def opened(folder: Path, engine: str = "sqlite") -> AsyncGenerator[Kit]:
    """The implementation over one engine."""
    async with migrated(folder, engine) as database:
        clock, changes = Clock(), SqlChanges(database)
        conversations, transfers = SqlConversations(database, changes, clock), SqlTransfers(database, changes, clock)
        imports = ImportService(transfers, conversations, MOST)
        yield Kit(database, conversations, transfers, imports, ExportService(transfers, clock), changes)
