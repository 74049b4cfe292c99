"""Import: one file at a time, checked whole before anything of it is kept, then kept a little at a time."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import BinaryIO

from app.conversation_bodies import ImportBody
from app.errors import Draining, ImportBusy
from app.models import Principal
from app.services import import_file
from app.services.import_file import Found
from app.services.skipped import Skipped
from app.store.base import Conversations, Transfers, Tree
from app.telemetry import log

CHARS_AT_ONCE = 256 * 1024  # of conversations that are handed on together
CHARS_EACH = 500  # that a conversation or a message counts for at least
MAX_SKIPPED = 1000  # that are told one by one; after them, how many more there are


class _Report:
    """What an import did."""

    def __init__(self) -> None:
        self.conversations = 0
        self.messages = 0
        self._skipped: list[Skipped] = []
        self._more = 0

    def skip(self, skipped: Skipped) -> None:
        """Something is not taken over."""
        if len(self._skipped) < MAX_SKIPPED:
            self._skipped.append(skipped)
        else:
            self._more += 1

    def body(self) -> ImportBody:
        """The report as it is told."""
        told = [*self._skipped, *([Skipped("", "more", number=self._more)] if self._more else [])]
        return ImportBody(
            conversations=self.conversations, messages=self.messages, skipped=[one.body() for one in told]
        )


class ImportService:
    """Takes files of conversations in."""

    def __init__(self, transfers: Transfers, conversations: Conversations, max_chars: int) -> None:
        """`max_chars`: of one message."""
        self._transfers = transfers
        self._conversations = conversations
        self._max_chars = max_chars
        self._busy = False
        self._draining = False

    def drain(self) -> None:
        """End what runs, between two conversations; done again after the restart, it goes on where it stopped."""
        self._draining = True

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """The right to import, for as long as the body of this is in it: taking the file in, and `take`.

        Raises:
            ImportBusy, Draining: somebody else has it; nobody gets it any more.
        """
        self._go_on()
        if self._busy:
            raise ImportBusy
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    async def take(self, principal: Principal, file: BinaryIO) -> ImportBody:
        """Import the conversations in `file`.

        Raises:
            NotAnExport, Broken: it cannot be taken; nothing was changed.
            Draining, StorageFull, StorageError: it was broken off. Done again, it goes on where it stopped.
        """
        began = time.perf_counter()
        await asyncio.to_thread(self._check, principal, file)
        self._go_on()
        while await self._conversations.erase():  # what was deleted and comes back is to find its ids free
            self._go_on()
        report = _Report()
        found = self._read(principal, file)
        while some := await asyncio.to_thread(_some, found):
            await self._plant(some, report)
            self._go_on()
        await self._transfers.settle()
        seconds = round(time.perf_counter() - began, 3)
        log.info("import.ended", conversations=report.conversations, messages=report.messages, seconds=seconds)
        return report.body()

    async def _plant(self, some: Sequence[Found], report: _Report) -> None:
        trees: list[Tree] = []
        places: list[str] = []
        for found in some:
            for skipped in found.skipped:
                report.skip(skipped)
            if found.conversation is not None:
                trees.append(Tree(found.conversation, found.messages))
                places.append(found.place)
        for place, planted in zip(places, await self._transfers.plant(trees), strict=True):
            report.conversations += planted.created
            report.messages += planted.messages
            if not planted.whole:
                report.skip(Skipped(place, "deleted"))

    def _check(self, principal: Principal, file: BinaryIO) -> None:
        for _ in self._read(principal, file):
            pass

    def _read(self, principal: Principal, file: BinaryIO) -> Iterator[Found]:
        return import_file.read(file, principal.id, self._max_chars, self._go_on)

    def _go_on(self) -> None:
        if self._draining:
            raise Draining


def _some(found: Iterator[Found]) -> Sequence[Found]:
    """The next ones, as many as are held at a time: some small ones, or a large one."""
    some: list[Found] = []
    room = CHARS_AT_ONCE
    for one in found:
        some.append(one)
        room -= CHARS_EACH + sum(CHARS_EACH + len(message.text) for message in one.messages)
        if room <= 0:
            break
    return some
