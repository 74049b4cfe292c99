"""The contracts of the store: what is kept, and whose it is. Every read takes the owner; there is no other way in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from app.limits import Charge, Spent
from app.models import Conversation, Joint, Message, Part, Run, Usage

Purpose = Literal["answer", "title"]
ChangeKind = Literal["created", "updated", "deleted", "started", "ended"]


class Key(msgspec.Struct, frozen=True):
    """A client's idempotency key, and what it was used for."""

    value: str
    fingerprint: str  # of path and body; the same key with another one is a mistake of the client's


class Kept(msgspec.Struct, frozen=True):
    """A run as it is kept, with the parts of its answer."""

    run: Run
    parts: tuple[Part, ...]


class Question(msgspec.Struct, frozen=True):
    """A message of a person's, not kept yet."""

    id: str
    text: str


class Place(msgspec.Struct, frozen=True):
    """Where in a conversation's tree a run writes."""

    conversation_id: str
    parent_id: str | None  # of the question; without one, of the answer
    question: Question | None = None
    prefix: tuple[Part, ...] = ()  # what the answer begins with
    joint: Joint | None = None  # where that is from
    title: str = ""  # for a conversation that has none yet


class Extra(msgspec.Struct, frozen=True):
    """What else is known of something that was spent."""

    run_id: str | None = None  # the run that it was for: whoever asked for that has spent this, too
    cost: int | None = None  # millionths of a dollar; None: nobody knows the price
    estimated: bool = False


class Store(Protocol):
    """Runs and the messages they write."""

    def accept(
        self, run: Run, key: Key | None, place: Place | None = None, charge: Charge | None = None
    ) -> Awaitable[Run]:
        """Keep `run`, its answer's beginning, the question at `place` and `key`, in one fsynced commit.

        The branch that the conversation shows then ends with the answer. If `key` is known already, nothing is
        written and the run it stands for is returned instead. What `charge` comes to is set aside, where a limit counts
        it; the run that is returned says if it may have less. Whether or not anybody waits, it is kept.

        Raises:
            KeyReused: `key` was used for another request.
            LimitReached: the limits of `charge` leave too little; nothing was written.
            ConversationNotFound, MessageNotFound: `place` is gone; nothing was written.
            StorageFull, StorageError: nothing was written.
        """
        ...

    async def find(self, owner_id: str, key: Key) -> Run | None:
        """The run that `key` stands for.

        Raises:
            KeyReused: `key` was used for another request.
        """
        ...

    async def run(self, owner_id: str, run_id: str) -> Kept | None:
        """A run of this owner that is still kept."""
        ...

    async def mark(self, run: Run) -> None:
        """Keep the status, the attempts, the model and what it was not shown, of a live run."""
        ...

    async def ask_cancel(self, run: Run, at: int) -> None:
        """Keep that somebody asked for the run to stop."""
        ...

    async def ask_cancel_all(self, owner_id: str, at: int) -> None:
        """The same for all runs of this owner's, whichever replica writes them."""
        ...

    async def finish(self, run: Run, parts: Sequence[Part]) -> bool:
        """Keep the end of a run, its whole answer and what it cost, in one fsynced commit. Nothing is set aside then.

        Where the run does not say what it used, that is estimated.

        False if it had ended already, is no longer kept, or is another replica's.

        Raises:
            StorageFull, StorageError: nothing was written.
        """
        ...

    async def spend(self, owner_id: str, purpose: Purpose, model: str, usage: Usage, more: Extra | None = None) -> None:
        """Keep what something other than a run has cost."""
        ...

    async def sweep(self) -> int:
        """Forget some of what is no longer to be kept; how much. Call again until it is 0."""
        ...


class DayOfUse(msgspec.Struct, frozen=True):
    """What somebody spent on one model in one day of UTC, with what is set aside for what is being written."""

    day: int  # since 1970
    owner_id: str
    model: str
    requests: int  # questions; titles are none
    input_tokens: int
    output_tokens: int
    cost: int  # millionths of a dollar
    priced: bool  # whether the price of all of it was known
    estimated: bool  # whether any of it is an estimate


class Usages(Protocol):
    """What was spent. It outlives the runs, the conversations and their deletion."""

    async def spent(self, owner_id: str, now: int, key_id: str | None = None) -> Spent:
        """What counts against limits now: of the owner, or of one key of theirs."""
        ...

    async def widen(self, run: Run, charge: Charge, granted: int) -> int:
        """Set more aside for a live run that has said its `granted` tokens; how many it has then.

        Raises:
            LimitReached: the limits of `charge` leave too little; nothing was written.
            StorageError: nothing was written.
        """
        ...

    async def of(
        self, owner_id: str, since: int, limit: int, before: tuple[int, str, str] | None
    ) -> Sequence[DayOfUse]:
        """This owner's, from the day `since` on, newest first, below the day, owner and model of `before`."""
        ...

    async def everyone_s(self, since: int, limit: int, before: tuple[int, str, str] | None) -> Sequence[DayOfUse]:
        """The same of all owners, for the administrator alone."""
        ...


class Page(msgspec.Struct, frozen=True):
    """Part of a branch, oldest message first."""

    messages: tuple[Message, ...]
    siblings: Mapping[str, tuple[str, ...]]  # by message: all that have its parent, itself included, oldest first
    more: bool  # whether the branch begins before it


class Conversations(Protocol):
    """Conversations and their trees. What is not this owner's, or is deleted, is not there."""

    async def create(self, conversation: Conversation) -> None:
        """Keep a new one."""
        ...

    async def conversation(self, owner_id: str, conversation_id: str) -> Conversation | None:
        """One conversation."""
        ...

    async def conversations(
        self, owner_id: str, limit: int, before: tuple[int, str] | None, *, archived: bool, pinned: bool | None
    ) -> Sequence[Conversation]:
        """Up to `limit`, newest first, after the one that was updated at `before` and has that id.

        Temporary ones are on no list.
        """
        ...

    async def change(self, owner_id: str, conversation_id: str, values: Mapping[str, Any]) -> Conversation:
        """Change some fields, by their names in `Conversation`; what it is then.

        With `head_id` the branch shown goes through that message, down to the newest answer below it.

        Raises:
            ConversationNotFound, MessageNotFound: nothing was changed.
        """
        ...

    async def delete(self, owner_id: str, conversation_id: str) -> Sequence[str]:
        """From now on it is not there. Text and index are gone at once, of a long one with the calls of `erase`.

        Returns the runs in it that had not ended.

        Raises:
            ConversationNotFound: nothing was changed.
        """
        ...

    async def erase(self) -> bool:
        """Take away some of what is left of deleted conversations; whether there is more."""
        ...

    async def bury_forgotten(self) -> bool:
        """Delete a temporary conversation that nobody has read for an hour; whether there was one."""
        ...

    async def tidy(self) -> bool:
        """After deletions: have what the index knew of them leave the files, too, a little; whether there is more."""
        ...

    async def scrub(self) -> bool:
        """Have what was deleted leave what has not reached the file yet, too. There is never more."""
        ...

    async def seen(self, owner_id: str, conversation_id: str, at: int) -> None:
        """Keep that somebody read a temporary conversation."""
        ...

    async def claim_title(self, owner_id: str, conversation_id: str) -> bool:
        """Whether the caller, and nobody else ever, may ask a model for the title. Durable before this returns."""
        ...

    async def entitle(self, owner_id: str, conversation_id: str, title: str) -> None:
        """Keep the title that was claimed, unless a person gave one meanwhile."""
        ...

    async def message(self, owner_id: str, conversation_id: str, message_id: str) -> Message | None:
        """One message."""
        ...

    async def branch(
        self, owner_id: str, conversation_id: str, leaf: str, limit: int, *, above: bool = False
    ) -> Sequence[Message]:
        """Up to `limit` messages from `leaf` (with `above`: from its parent) towards the root, newest first.

        It costs as much as it returns, however large the tree is. Empty where there is no such message.
        """
        ...

    async def page(self, owner_id: str, conversation_id: str, leaf: str, limit: int, *, above: bool = False) -> Page:
        """The same, oldest first, with the siblings of each."""
        ...


class Change(msgspec.Struct, frozen=True):
    """Something that happened to a conversation, or to a run in it. `number` counts up without holes."""

    number: int
    kind: ChangeKind
    conversation_id: str
    conversation: Conversation | None  # as it is now; None where it is gone
    run: Run | None = None  # as it is now


class Changes(Protocol):
    """What happened to whose conversations, in the order of the commits, for a day."""

    async def newest(self, owner_id: str) -> int:
        """The number of the last change; 0 where there was none."""
        ...

    async def since(self, owner_id: str, number: int, limit: int) -> Sequence[Change] | None:
        """Up to `limit` changes after `number`; None where some of them are no longer kept, or never were."""
        ...

    def listen(self, owner_id: str, bell: Callable[[], None]) -> None:
        """Call `bell` after each commit with a change of this owner's, until `unlisten`."""
        ...

    def unlisten(self, owner_id: str, bell: Callable[[], None]) -> None:
        """No longer."""
        ...

    def owners(self) -> Sequence[str]:
        """Whose changes are listened to."""
        ...

    def ring(self, owner_id: str) -> None:
        """Call the bells of this owner's: another replica has committed a change."""
        ...


class Found(msgspec.Struct, frozen=True):
    """A message, or a conversation by its title, in which everything that was looked for occurs."""

    number: int  # its place in the order of what is found; only "less is older" means anything
    conversation_id: str
    message_id: str | None  # None: the title
    text: str  # a piece of it around the first hit, white space folded, `…` where it is cut
    created_at: int  # of the message, or of the conversation
    title: str  # of the conversation


class FoundPage(msgspec.Struct, frozen=True):
    """Some of what was found, newest first."""

    items: tuple[Found, ...]
    next: int | None  # `before` for the page after this one; None: that is all


class Search(Protocol):
    """Full text over titles and messages."""

    async def find(self, owner_id: str, query: str, limit: int, before: int | None = None) -> FoundPage:
        """The newest `limit` messages and titles of this owner in which each word of `query` occurs, below `before`.

        Case, accents and width do not matter. Words of alphabetic scripts are found whole, the last one also by how it
        begins (from 3 letters); Korean, Chinese, Japanese and Thai by any part, from one character on. What stands
        without white space in `query` stands together in the text. No query is syntax; one without letters, digits
        or pictures finds nothing. Archived conversations are searched, temporary and deleted ones never.

        Raises:
            StorageError: the database cannot be read.
        """
        ...


class Opened(msgspec.Struct, frozen=True):
    """A conversation as an export begins to read it."""

    conversation: Conversation
    head_id: str | None  # the last message of the branch shown that is not being written
    last_id: str  # its newest message now; what comes later is not part of the export. Empty: it has none


class Tree(msgspec.Struct, frozen=True):
    """A conversation of a file, each message after those it needs."""

    conversation: Conversation
    messages: Sequence[Message]


class Planted(msgspec.Struct, frozen=True):
    """What an import added."""

    created: bool  # whether the conversation was not there
    messages: int
    whole: bool = True  # False: somebody deleted the conversation meanwhile


class Transfers(Protocol):
    """Conversations on their way into files and out of files. What is not this owner's is not there."""

    async def ids(self, owner_id: str, after: str, limit: int) -> Sequence[str]:
        """Up to `limit` conversations after that id, in the order of ids, without temporary ones."""
        ...

    async def open(self, owner_id: str, conversation_id: str) -> Opened | None:
        """A conversation, to be read by `messages` up to its `last_id`."""
        ...

    async def messages(self, owner_id: str, opened: Opened, after: str) -> Sequence[Message]:
        """Some messages after that id, in the order of ids: as many as are held in memory at a time; none at the end.

        Raises:
            ConversationNotFound: it was deleted meanwhile.
        """
        ...

    async def path(self, owner_id: str, opened: Opened) -> Sequence[str]:
        """The ids of the branch shown, from its beginning."""
        ...

    async def along(self, owner_id: str, opened: Opened, ids: Sequence[str]) -> Sequence[Message]:
        """The first of these messages, in this order: as many as are held in memory at a time.

        Raises:
            ConversationNotFound: it was deleted meanwhile.
        """
        ...

    async def plant(self, trees: Sequence[Tree]) -> Sequence[Planted]:
        """Add some of the conversations of a file; to those that are there, what they lack.

        Ids that are somebody else's, or in use elsewhere, are replaced, by the same ones each time. It is done in
        short commits; broken off in the middle and done again, it is whole.

        Raises:
            StorageFull, StorageError: what was not committed is not there.
        """
        ...

    async def settle(self) -> None:
        """Return once all that was planted would survive a power cut.

        Raises:
            StorageFull, StorageError: it would not.
        """
        ...
