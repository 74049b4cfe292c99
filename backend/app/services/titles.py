"""A conversation's title: its first words at once, and after the first answer what a model makes of it."""

import asyncio
import re
from collections.abc import Callable, Sequence

from app.errors import ModelNotFound, ProviderError, StorageError
from app.models import Delta, Message, Prompt, Run, TextDelta, Turn, Usage, UsageDelta
from app.providers.base import Catalog, Provider, Unbilled
from app.services.budgets import Budgets
from app.settings import Settings
from app.store.base import Conversations
from app.telemetry import log, where

MAX_WORDS_CHARS = 60  # of the first words: one line of a list
MAX_TITLE_CHARS = 100  # a model that says more has not made a title
MAX_SHOWN_CHARS = 1500  # of question and answer each: what it is about is said by then
MAX_TOKENS = 64  # six words in any writing, and room for a model that is polite first
TITLE_SECONDS = 30.0  # nobody waits for it, but nothing runs for ever
AT_ONCE = 4  # titles are made in the background: answers go first

_ASK = (
    "Write a title for this conversation: at most six words, in the language of the conversation. "
    "Reply with the title alone, without quotes and without a full stop."
)
_LABEL = re.compile(r"(title|제목)\s*[:：]\s*", re.IGNORECASE)
_AROUND = " \t\"'`*#_“”‘’「」『』<>"


def first_words(text: str) -> str:
    """The beginning of `text` as one line of at most `MAX_WORDS_CHARS`, cut between words where that can be."""
    line = " ".join(text[: MAX_WORDS_CHARS * 20].split())
    if len(line) <= MAX_WORDS_CHARS:
        return line
    cut = line[: MAX_WORDS_CHARS - 1]
    whole, space, _ = cut.rpartition(" ")
    return f"{(whole if space and len(whole) > MAX_WORDS_CHARS // 2 else cut).rstrip()}…"


def clean(said: str) -> str:
    """The title in what a model said; nothing where there is none."""
    line = next((line for line in said.splitlines() if line.strip(_AROUND)), "")
    line = _LABEL.sub("", line.strip(_AROUND), count=1).strip(_AROUND)
    line = " ".join(line.split()).removesuffix(".").removesuffix("。")
    return line if len(line) <= MAX_TITLE_CHARS else ""


class Titles:
    """Asks for titles, once a conversation, in the background. A failure leaves the first words."""

    def __init__(self, budgets: Budgets, conversations: Conversations, catalog: Catalog, settings: Settings) -> None:
        self._budgets = budgets
        self._conversations = conversations
        self._catalog = catalog
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._draining = False
        self.on_spent: list[Callable[[str, Usage], None]] = []  # each is told the model, and what a title has cost

    def ended(self, run: Run) -> None:
        """An answer has ended: if it is the first whole one of its conversation, see to the title."""
        if self._draining or not self._settings.titles or run.conversation_id is None or run.status != "completed":
            return
        task = asyncio.create_task(self._see_to(run, run.conversation_id), name=f"{run.id}-title")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drain(self) -> None:
        """Ask for no more titles: a later answer in the conversation sees to it."""
        self._draining = True

    async def close(self) -> None:
        """Give up what is under way: the first words are there."""
        self.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _see_to(self, run: Run, conversation_id: str) -> None:
        try:
            conversation = await self._conversations.conversation(run.owner_id, conversation_id)
            if conversation is None or conversation.titled != "words" or conversation.temporary:
                return
            provider = (await self._catalog.chain(run.model))[0]
            if not provider.info.entitles:
                return
            async with self._turn:
                prompt = await self._prompt(run, conversation_id)
                if not await self._budgets.title_fits(run, provider.info.id, prompt):
                    # The first words do; after a later answer there may be more to spend.
                    log.info("title.unaffordable", conversation=conversation_id)
                    return
                # Claimed before it is asked for, and never given back: a crash must not buy it twice.
                if not self._draining and await self._conversations.claim_title(run.owner_id, conversation_id):
                    await self._name(run, conversation_id, provider, prompt)
        except (ProviderError, Unbilled, ModelNotFound, StorageError, TimeoutError) as error:
            log.warning("title.failed", conversation=conversation_id, reason=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the task's boundary: nobody waits for it, so it says what broke
            log.error("title.broke", conversation=conversation_id, error=type(error).__name__, where=where(error))

    async def _prompt(self, run: Run, conversation_id: str) -> Prompt:
        branch = await self._conversations.branch(run.owner_id, conversation_id, run.message_id, limit=2)
        return Prompt((Turn("system", _ASK), Turn("user", _shown(branch))), MAX_TOKENS, 0.3)

    async def _name(self, run: Run, conversation_id: str, provider: Provider, prompt: Prompt) -> None:
        said, usage = "", None

        def take(deltas: Sequence[Delta]) -> None:
            nonlocal said, usage
            for delta in deltas:
                match delta:
                    case TextDelta(text):
                        said += text
                    case UsageDelta():
                        usage = delta.usage
                    case _:
                        pass
            if len(said) > MAX_TITLE_CHARS * 10:
                raise _LongEnough

        try:
            async with asyncio.timeout(TITLE_SECONDS):
                await provider.answer(prompt, take)
        except _LongEnough:
            pass
        finally:
            if usage is not None:
                for listener in self.on_spent:
                    listener(provider.info.id, usage)
            if said or usage is not None:
                await asyncio.shield(self._budgets.spend_on_title(run, provider.info.id, prompt, said, usage))
        if title := clean(said):
            await self._conversations.entitle(run.owner_id, conversation_id, title)
        else:
            log.info("title.none", conversation=conversation_id)


class _LongEnough(Exception):
    """More of it is no title."""


def _shown(branch: Sequence[Message]) -> str:
    return "\n\n".join(
        f"{'Question' if message.role == 'user' else 'Answer'}: {message.text[:MAX_SHOWN_CHARS]}"
        for message in reversed(branch)
    )
