"""The contract of import and export: what comes in is what goes out, and twice is once."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app.clock import LATEST, rfc3339
from app.errors import StorageFull
from app.models import Principal
from app.store import transfer
from tests.support.databases import ENGINES
from tests.support.files import an_id, chain, conversation, in_order
from tests.support.transfers import ANN, Kit, opened

_numbers = itertools.count()


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with opened(tmp_path, request.param) as kit:
        yield kit


@pytest.fixture(scope="module")
async def shared_kit(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Kit]:
    async with opened(tmp_path_factory.mktemp("shared")) as kit:
        yield kit


# ── Any tree ────────────────────────────────────────────────────────────────────────────────────────────────────────

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
lines = words.map(lambda text: f"안녕 😀 {text}")
times = st.integers(0, LATEST - 1)
counts = st.integers(0, 2**53 - 1)
errors = st.fixed_dictionaries({"code": st.just("cancelled"), "message": lines, "retryable": st.booleans()})
usages = st.fixed_dictionaries(
    dict.fromkeys(("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"), counts)
)
details = st.fixed_dictionaries(
    {},
    optional={
        "model": st.text("abc/-.", min_size=1, max_size=20),
        "finish_reason": st.sampled_from(["stop", "length", "content_filter", "tool_calls", "other"]),
        "error": errors,
        "usage": usages,
        "left_out": st.integers(1, 400),
    },
)
parts = st.fixed_dictionaries({"type": st.sampled_from(["text", "reasoning"]), "text": words | lines})


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Any conversation: its messages in any order, on any of those that are there."""
    name = str(next(_numbers))
    messages: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 12))):
        role = draw(st.sampled_from(["user", "assistant"]))
        at = draw(times)
        one = {
            "id": an_id(name, number, at=draw(times)),
            "role": role,
            "parent_id": draw(st.sampled_from([None, *(other["id"] for other in messages)])),
            "parts": draw(st.lists(parts, max_size=3)),
            "created_at": rfc3339(at),
            **draw(details),
        }
        answers = [other["id"] for other in messages if other["role"] == "assistant"]
        if answers and draw(st.booleans()):
            one["joint"] = {"message_id": draw(st.sampled_from(answers)), "part": draw(counts), "offset": draw(counts)}
        messages.append(one)
    title = draw(st.just("") | lines)
    return {
        **conversation(name),
        "title": title,
        "titled": draw(st.sampled_from(["words", "model", "given"])) if title else "none",
        "model": draw(st.none() | st.text("abc/", min_size=1)),
        "system": draw(st.none() | words),
        "temperature": draw(st.none() | st.floats(0, 2)),
        "max_tokens": draw(st.none() | st.integers(1, 1_000_000)),
        "pinned": draw(st.booleans()),
        "archived": draw(st.booleans()),
        "created_at": rfc3339(draw(times)),
        "updated_at": rfc3339(draw(times)),
        "head_id": draw(st.sampled_from([one["id"] for one in messages])) if messages else None,
        "messages": draw(st.permutations(messages)),
    }


@settings(max_examples=60)
@given(given_ones=st.lists(trees(), max_size=3), pace=st.integers(1, 5000))
async def test_any_tree_that_is_imported_is_exported_word_for_word(
    shared_kit: Kit, given_ones: list[dict[str, Any]], pace: int
) -> None:
    kit, who = shared_kit, Principal(f"owner-{next(_numbers)}")
    kit.transfers.pace.chars = pace
    total = sum(len(one["messages"]) for one in given_ones)
    assert await kit.added(who, *given_ones) == (len(given_ones), total)
    assert await kit.all(who) == in_order(given_ones)
    assert await kit.added(who, *given_ones) == (0, 0)
    assert await kit.added(who, *await kit.all(who)) == (0, 0)
    assert await kit.all(who) == in_order(given_ones)


# ── Twice, and with what is there ───────────────────────────────────────────────────────────────────────────────────


async def test_to_a_conversation_that_is_there_is_added_what_it_lacks_and_nothing_else_changes(kit: Kit) -> None:
    full = chain("a", 6)
    assert await kit.added(ANN, {**full, "messages": full["messages"][:3], "head_id": full["messages"][2]["id"]}) == (
        1,
        3,
    )
    await kit.conversations.change("ann", full["id"], {"title": "Mine now", "pinned": True})
    assert await kit.added(ANN, {**full, "title": "Theirs", "archived": True}) == (0, 3)
    (now,) = await kit.all(ANN)
    assert now["messages"] == in_order([full])[0]["messages"]
    assert (now["title"], now["titled"], now["pinned"], now["archived"]) == ("Mine now", "given", True, False)
    assert now["head_id"] == full["messages"][2]["id"], "the branch shown stays"
    assert await kit.kinds(ANN) == ["created", "updated", "updated"]


async def test_what_was_deleted_comes_back_as_it_was(kit: Kit) -> None:
    full = chain("a", 250)
    await kit.added(ANN, full)
    before = await kit.all(ANN)
    await kit.conversations.delete("ann", full["id"])
    assert await kit.all(ANN) == []
    assert await kit.added(ANN, full) == (1, 250)
    assert await kit.all(ANN) == before


async def test_messages_on_the_way_through_many_commits_are_the_same(kit: Kit) -> None:
    kit.transfers.pace.chars = 1
    full = chain("a", 40)
    await kit.added(ANN, full, chain("b", 3))
    assert await kit.all(ANN) == in_order([full, chain("b", 3)])


async def test_broken_off_anywhere_and_done_again_it_is_whole(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    full = chain("a", 9)
    submit = kit.changes.submit
    for stop in range(1, 9):
        left = iter(range(stop))

        def some(*args: Any, left: Any = left, **more: Any) -> Any:
            if next(left, None) is None:
                raise StorageFull("no room")
            return submit(*args, **more)

        who = Principal(f"owner-{stop}")
        kit.transfers.pace.chars = 1
        monkeypatch.setattr(kit.changes, "submit", some)
        monkeypatch.setattr(transfer, "LEAST_BATCH", 1)
        monkeypatch.setattr(transfer, "LARGEST_BATCH", 1)
        with pytest.raises(StorageFull):
            await kit.take(who, full)
        monkeypatch.setattr(kit.changes, "submit", submit)
        assert await kit.added(who, full) == (0, 9 - stop)
        (now,) = await kit.all(who)
        assert [one["parts"] for one in now["messages"]] == [one["parts"] for one in full["messages"]]
        assert now["head_id"] == now["messages"][-1]["id"], "also the branch shown"


async def test_messages_whose_commit_is_done_again_count_once(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = kit.changes.submit
    beside: list[asyncio.Future[None]] = []

    def fail(connection: Connection) -> None:
        raise ValueError(connection)

    def some(*args: Any, **more: Any) -> Any:
        planted = submit(*args, **more)
        beside.append(submit("bob", fail, durable=False))
        return planted

    monkeypatch.setattr(kit.changes, "submit", some)
    assert await kit.added(ANN, chain("a", 40)) == (1, 40)
    assert [type(one) for one in await asyncio.gather(*beside, return_exceptions=True)] == [ValueError] * len(beside)
    assert beside


async def test_a_conversation_that_somebody_deletes_meanwhile_stays_deleted_and_is_said(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "LEAST_BATCH", 1)
    monkeypatch.setattr(transfer, "LARGEST_BATCH", 1)
    kit.transfers.pace.chars = 1
    first, second = chain("a", 5), chain("b", 2)
    prepare = transfer._words
    deleted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def after_the_third(batch: Any) -> Any:
        if batch[0].start == 3:
            asyncio.run_coroutine_threadsafe(kit.conversations.delete("ann", first["id"]), loop).result()
            loop.call_soon_threadsafe(deleted.set)
        return prepare(batch)

    monkeypatch.setattr(transfer, "_words", after_the_third)
    body = await kit.take(ANN, first, second)
    assert deleted.is_set()
    assert (body.conversations, body.messages) == (2, 5)
    assert [(one.where, one.code) for one in body.skipped] == [("conversations[0]", "deleted")]
    assert await kit.all(ANN) == in_order([second])
