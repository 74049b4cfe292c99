"""Whatever is sent, edited, regenerated, gone on with, deleted, and wherever it crashes: the tree stays whole.

A machine does any of it in any order with the real store on a real file, beside a model in memory; a crash is a copy
of the file, its write-ahead log and its journal as a `kill -9` would leave them.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import Phase, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.clock import Clock
from app.engines.sqlite import SqliteDatabase
from app.engines.sqlite_errors import storage_error
from app.errors import ConversationNotFound, MessageNotFound
from app.eventlog.file import FileJournal
from app.eventlog.segments import paths
from app.models import Conversation, Ending, Joint, Part, Piece, Run
from app.storage import recover
from app.store import sql
from app.store.base import Place, Question
from app.store.changes import SqlChanges
from app.store.conversations import SqlConversations
from app.store.search import SqlSearch
from tests.support.databases import append
from tests.support.invariants import Books, check_trees

T = TypeVar("T")
OWNER = "ann"
NOWHERE = "0" * 26
TEXTS = st.text(alphabet="가나다 abc\n", min_size=1, max_size=12)
ENDINGS = [
    Ending("completed", "stop"),
    Ending("completed", "length"),
    Ending("cancelled"),
    Ending("failed"),
    Ending("interrupted"),
]


@dataclass
class Node:
    """A message, as it should be."""

    id: str
    conversation: str
    parent: str | None
    role: str
    text: str
    order: int  # of its making


@dataclass
class Live:
    """A run that has not ended, and what its answer holds so far."""

    run: Run
    prefix: str
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.prefix + "".join(self.said)


class Ordered(Clock):
    """A clock of which no two moments are the same, so that the age of siblings is never a matter of chance."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        self._last = max(self._last + 1, super().now())
        return self._last


class Tree(RuleBasedStateMachine):
    """The store, and beside it what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Ordered()
        self.crashes = 0
        self.nodes: dict[str, Node] = {}
        self.heads: dict[str, str | None] = {}
        self.gone: set[str] = set()
        self.live: dict[str, Live] = {}
        self.ended: dict[str, Ending] = {}  # by message

    def do(self, work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.do(self._open())

    async def _open(self) -> None:
        self.database = SqliteDatabase(self.folder / f"{self.crashes}.db")
        self.database.open()
        recover(self.database, self.clock)
        self.database.start()
        changes = SqlChanges(self.database)
        self.journal = FileJournal(self.database.path, storage_error)
        self.store = sql.SqlStore(self.database, changes, self.clock, run_retention_hours=24)
        self.conversations = SqlConversations(self.database, changes, self.clock)
        self.search = SqlSearch(self.database)

    async def _close(self) -> None:
        await self.journal.close()
        await self.database.close()

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────────────────

    @rule(temporary=st.booleans())
    def new_conversation(self, temporary: bool) -> None:
        now = self.clock.now()
        new = Conversation(self.clock.new_id(), OWNER, now, now, temporary=temporary)
        self.do(self.conversations.create(new))
        self.heads[new.id] = None

    @precondition(lambda self: self.heads)
    @rule(data=st.data(), text=TEXTS)
    def send(self, data: st.DataObject, text: str) -> None:
        conversation = self._some_conversation(data)
        choices: list[str | None] = [None, *self._within(conversation)]
        self._accept(conversation, data.draw(st.sampled_from(choices)), text)

    @precondition(lambda self: self._of("user"))
    @rule(data=st.data(), text=TEXTS)
    def edit(self, data: st.DataObject, text: str) -> None:
        question = data.draw(st.sampled_from(self._of("user")))
        self._accept(question.conversation, question.parent, text)

    @precondition(lambda self: self._of("user"))
    @rule(data=st.data())
    def regenerate(self, data: st.DataObject) -> None:
        question = data.draw(st.sampled_from(self._of("user")))
        self._accept(question.conversation, question.id, None)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        answer = self.nodes[data.draw(st.sampled_from(sorted(self.ended)))]
        self._accept(answer.conversation, answer.parent, None, goes_on_from=answer)

    @precondition(lambda self: self.nodes)
    @rule(data=st.data())
    def show(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(sorted(self.nodes.values(), key=lambda node: node.order)))
        changed = self.do(self.conversations.change(OWNER, node.conversation, {"head_id": node.id}))
        shown = node
        while below := self._children(shown.conversation, shown.id):
            shown = below[-1]
        self.heads[node.conversation] = shown.id
        assert changed.head_id == shown.id

    @precondition(lambda self: self.heads)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        conversation = self._some_conversation(data)
        live = self.do(self.conversations.delete(OWNER, conversation))
        assert set(live) == {run_id for run_id, one in self.live.items() if one.run.conversation_id == conversation}
        while self.do(self.conversations.erase()):
            pass
        for run_id in live:
            late = msgspec.structs.replace(self.live.pop(run_id).run, status="completed", ended_at=self.clock.now())
            assert not self.do(self.store.finish(late, (Part("text", "too late"),))), "it must not come back"
            self.journal.ended(run_id)
        self.nodes = {node.id: node for node in self.nodes.values() if node.conversation != conversation}
        self.ended = {message: end for message, end in self.ended.items() if message in self.nodes}
        del self.heads[conversation]
        self.gone.add(conversation)

    @precondition(lambda self: self.heads)
    @rule(data=st.data())
    def what_is_not_there_is_refused(self, data: st.DataObject) -> None:
        conversation = self._some_conversation(data)
        elsewhere = [node.id for node in self.nodes.values() if node.conversation != conversation]
        parent = data.draw(st.sampled_from([NOWHERE, *elsewhere]))
        with pytest.raises(MessageNotFound):
            self._accept(conversation, parent, "lost")
        with pytest.raises(ConversationNotFound):
            self._accept(data.draw(st.sampled_from([NOWHERE, *sorted(self.gone)])), None, "lost")

    # ── What models and machines do ─────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.live)
    @rule(data=st.data(), text=TEXTS)
    def say(self, data: st.DataObject, text: str) -> None:
        live = self._some_live(data)
        piece = Piece(0, "text", len(live.text), text)
        self.do(self._append(live.run.id, piece))
        live.said.append(text)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), ending=st.sampled_from(ENDINGS))
    def end(self, data: st.DataObject, ending: Ending) -> None:
        live = self._some_live(data)
        done = msgspec.structs.replace(
            live.run, status=ending.status, finish_reason=ending.finish_reason, ended_at=self.clock.now()
        )
        assert self.do(self.store.finish(done, (Part("text", live.text),) if live.text else ()))
        self.do(self._forget(live.run.id))
        self._is_over(live, ending)

    @rule()
    def crash(self) -> None:
        before = self.database
        self.crashes += 1
        beside = [path.name.removeprefix(before.path.name) for path in paths(before.path)]
        for suffix in ("", "-wal", *beside):
            if (left := Path(f"{before.path}{suffix}")).exists():
                shutil.copy(left, self.folder / f"{self.crashes}.db{suffix}")
        self.do(self._close())
        self.do(self._open())
        for live in list(self.live.values()):
            self._is_over(live, Ending("interrupted"))

    # ── What must hold ──────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def every_branch_is_as_it_should_be(self) -> None:
        for conversation, head in self.heads.items():
            kept = self.do(self.conversations.conversation(OWNER, conversation))
            assert kept is not None
            assert kept.head_id == head
            assert kept.live == any(one.run.conversation_id == conversation for one in self.live.values())
            for leaf in [node for node in self._within(conversation) if not self._children(conversation, node)]:
                page = self.do(self.conversations.page(OWNER, conversation, leaf, limit=100))
                expected = self._path(leaf)
                assert [(one.id, one.parent_id, one.role, one.text) for one in page.messages] == expected
                for one in page.messages:
                    among = tuple(node.id for node in self._children(conversation, one.parent_id))
                    assert page.siblings[one.id] == among
        assert all(self.do(self.conversations.conversation(OWNER, one)) is None for one in self.gone)

    def teardown(self) -> None:
        if not hasattr(self, "database"):
            return
        self.do(self._close())
        books = Books.read(self.database.path)
        check_trees(books)
        assert {message["id"] for message in books.messages} == set(self.nodes)
        assert {conversation["id"] for conversation in books.conversations} == set(self.heads)
        self.loop.close()
        shutil.rmtree(self.folder)

    # ── Means ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _accept(
        self, conversation: str, parent: str | None, text: str | None, *, goes_on_from: Node | None = None
    ) -> None:
        question = Question(self.clock.new_id(), text) if text is not None else None
        prefix = goes_on_from.text if goes_on_from is not None else ""
        joint = Joint(goes_on_from.id, 0, len(prefix)) if goes_on_from is not None else None
        parts = (Part("text", prefix),) if prefix else ()
        place = Place(conversation, parent, question, parts, joint, title="Words")
        now = self.clock.now()
        run = Run(self.clock.new_id(), OWNER, self.clock.new_id(), "m", "queued", now, conversation_id=conversation)
        assert self.do(self.store.accept(run, None, place)) == run
        self.do(self._opened(run.id))
        if question is not None and text is not None:
            self._add(question.id, conversation, parent, "user", text)
            parent = question.id
        self._add(run.message_id, conversation, parent, "assistant", prefix)
        self.heads[conversation] = run.message_id
        self.live[run.id] = Live(run, prefix)

    def _add(self, message_id: str, conversation: str, parent: str | None, role: str, text: str) -> None:
        self.nodes[message_id] = Node(message_id, conversation, parent, role, text, len(self.nodes) + self.clock.now())

    def _is_over(self, live: Live, ending: Ending) -> None:
        del self.live[live.run.id]
        self.nodes[live.run.message_id].text = live.text
        self.ended[live.run.message_id] = ending

    async def _append(self, run_id: str, piece: Piece) -> None:
        await append(self.journal, run_id, [piece])

    async def _opened(self, run_id: str) -> None:
        self.journal.opened(run_id)

    async def _forget(self, run_id: str) -> None:
        self.journal.ended(run_id)

    def _some_conversation(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.heads)))

    def _some_live(self, data: st.DataObject) -> Live:
        return self.live[data.draw(st.sampled_from(sorted(self.live)))]

    def _of(self, role: str) -> list[Node]:
        return sorted((node for node in self.nodes.values() if node.role == role), key=lambda node: node.order)

    def _within(self, conversation: str) -> list[str]:
        return [node.id for node in self.nodes.values() if node.conversation == conversation]

    def _children(self, conversation: str, parent: str | None) -> list[Node]:
        below = [node for node in self.nodes.values() if (node.conversation, node.parent) == (conversation, parent)]
        return sorted(below, key=lambda node: node.id)

    def _path(self, leaf: str) -> list[tuple[str, str | None, str, str]]:
        path: list[Node] = []
        above: str | None = leaf
        while above is not None:
            path.append(self.nodes[above])
            above = path[-1].parent
        return [(node.id, node.parent, node.role, node.text) for node in reversed(path)]


# Without shrinking: a failure tells its steps at once, and minutes of real files would not make it clearer.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


def test_no_sequence_of_what_people_models_and_crashes_do_breaks_the_tree() -> None:
    stateful.run_state_machine_as_test(Tree, settings=settings(max_examples=25, stateful_step_count=30, phases=PHASES))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_neither_does_any_of_many_long_ones() -> None:
    stateful.run_state_machine_as_test(
        Tree, settings=settings(max_examples=1000, stateful_step_count=60, phases=PHASES)
    )
