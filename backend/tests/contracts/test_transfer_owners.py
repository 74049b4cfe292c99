"""Whose it is that comes in and goes out, who hears of it, and what people read of it."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from app.clock import rfc3339
from app.errors import ConversationNotFound, Draining, ImportBusy
from app.store import transfer
from app.store.search import SqlSearch
from tests.support.databases import ENGINES
from tests.support.files import an_id, chain, conversation, message
from tests.support.transfers import ANN, BOB, Kit, opened


@pytest.fixture(params=ENGINES)
async def kit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Kit]:
    async with opened(tmp_path, request.param) as kit:
        yield kit


# ── Whose it is ─────────────────────────────────────────────────────────────────────────────────────────────────────


def shape(conversations: list[dict[str, Any]]) -> Any:
    """What conversations say, whatever their ids are."""
    told: list[Any] = []
    for one in conversations:
        texts = {message["id"]: message["parts"] for message in one["messages"]}
        told.append(
            (
                one["title"],
                texts.get(one["head_id"]),
                sorted(
                    (
                        json.dumps(message["parts"]),
                        json.dumps(texts.get(message["parent_id"])),
                        json.dumps(texts.get(message.get("joint", {}).get("message_id"))),
                        message["created_at"],
                    )
                    for message in one["messages"]
                ),
            )
        )
    return sorted(told)


def with_a_joint() -> dict[str, Any]:
    first = message(0)
    half = message(1, parent=first["id"])
    joint = {"message_id": half["id"], "part": 0, "offset": 4}
    return conversation("a", [first, half, message(3, parent=first["id"], joint=joint)])


async def test_what_belongs_to_someone_else_comes_in_under_other_ids_always_the_same(kit: Kit) -> None:
    theirs = with_a_joint()
    await kit.added(ANN, theirs)
    anns = await kit.all(ANN)
    assert await kit.added(BOB, theirs) == (1, 3)
    bobs = await kit.all(BOB)
    assert shape(bobs) == shape(anns)
    ids = [{one["id"] for one in all_[0]["messages"]} | {all_[0]["id"]} for all_ in (anns, bobs)]
    assert ids[0] & ids[1] == set()
    assert await kit.added(BOB, theirs) == (0, 0)
    assert await kit.added(BOB, *bobs) == (0, 0)
    assert (await kit.all(ANN), await kit.all(BOB)) == (anns, bobs)


async def test_it_stays_so_when_the_other_one_deletes_theirs(kit: Kit) -> None:
    theirs = with_a_joint()
    await kit.added(ANN, theirs)
    await kit.added(BOB, theirs)
    bobs = await kit.all(BOB)
    await kit.conversations.delete("ann", theirs["id"])
    assert await kit.added(BOB, theirs) == (0, 0)
    assert await kit.all(BOB) == bobs


async def test_messages_that_are_in_another_conversation_come_in_under_other_ids(kit: Kit) -> None:
    first = chain("a", 4)
    second = {**first, "id": an_id("elsewhere"), "title": "Elsewhere"}
    assert await kit.added(ANN, first, second) == (2, 8)
    now = await kit.all(ANN)
    assert {one["id"] for one in now} == {first["id"], second["id"]}
    assert shape(now) == shape([first, second])
    assert len({message["id"] for one in now for message in one["messages"]}) == 8
    assert await kit.added(ANN, first, second) == (0, 0)
    await kit.conversations.delete("ann", first["id"])
    assert await kit.added(ANN, second) == (0, 0)


async def test_an_id_that_somebody_deleted_but_that_is_not_erased_is_free_again_at_once(kit: Kit) -> None:
    full = chain("a", 500)
    await kit.added(ANN, full)
    await kit.conversations.delete("ann", full["id"])  # takes away the first few messages only
    assert await kit.added(ANN, full) == (1, 500)
    assert [one["id"] for one in await kit.all(ANN)] == [full["id"]]


async def test_nobody_exports_what_is_someone_else_s(kit: Kit) -> None:
    await kit.added(ANN, chain("a", 2))
    assert await kit.all(BOB) == []
    for format in ("json", "markdown"):
        with pytest.raises(ConversationNotFound):
            await kit.exports.one(BOB, chain("a", 2)["id"], format)


# ── What else hears of it ───────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_imported_is_found_once_also_what_is_of_one_moment(kit: Kit) -> None:
    at = rfc3339(1_760_000_000_000)
    same = [message(number, f"모델 number{number}", created_at=at) for number in range(300)]
    for owner in (ANN, BOB):
        await kit.added(owner, conversation("a", same, title="제목"))
        (now,) = await kit.all(owner)
        assert await kit.found(owner, "number299") == {now["id"]}
        assert await kit.found(owner, "제목") == {now["id"]}
        await kit.added(owner, conversation("a", same))
        page = await SqlSearch(kit.database).find(owner.id, "모델", 1000)
        assert len(page.items) == 300
        assert len({one.message_id for one in page.items}) == 300


async def test_the_live_list_hears_of_each_conversation(kit: Kit) -> None:
    await kit.added(ANN, chain("a", 3), conversation("empty"))
    assert await kit.kinds(ANN) == ["created", "created"]
    await kit.added(ANN, chain("a", 3))
    assert await kit.kinds(ANN) == ["created", "created"], "nothing happened"
    await kit.added(ANN, chain("a", 4))
    assert await kit.kinds(ANN) == ["created", "created", "updated"]


async def test_a_title_that_nobody_waits_for_any_more_is_the_first_words(kit: Kit) -> None:
    await kit.added(ANN, conversation("a", titled="asked"), conversation("b", titled="none"))
    assert sorted(one["titled"] for one in await kit.all(ANN)) == ["given", "words"]


# ── In the way ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_imports_at_a_time_and_nobody_while_the_service_stops(kit: Kit) -> None:
    async with kit.imports.turn():
        with pytest.raises(ImportBusy):
            async with kit.imports.turn():
                pass
    async with kit.imports.turn():
        pass
    kit.imports.drain()
    with pytest.raises(Draining):
        async with kit.imports.turn():
            pass
    with pytest.raises(Draining):
        await kit.take(ANN, chain("a", 2))
    assert await kit.all(ANN) == []


async def test_a_batch_takes_as_much_as_the_last_one_had_time_for(kit: Kit) -> None:
    pace = transfer.Pace()
    pace.took(transfer.BATCH_SECONDS * 10)
    assert pace.chars == transfer.FIRST_BATCH // 4
    for _ in range(100):
        pace.took(0.0)
    assert pace.chars == transfer.LARGEST_BATCH
    for _ in range(100):
        pace.took(1.0)
    assert (pace.chars, pace.longest) == (transfer.LEAST_BATCH, 1.0)


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_branch_shown_is_exported_as_markdown(kit: Kit) -> None:
    first = message(0, "Name *one* colour.\n")
    other = message(1, "Red.", parent=first["id"])
    thought = [{"type": "reasoning", "text": "hidden"}, {"type": "text", "text": "안녕, blue."}]
    answer = message(3, parent=first["id"], parts=thought, model="openai/gpt-4o-mini")
    more = message(4, "More", parent=answer["id"])
    error = {"code": "upstream_timeout", "message": "The model took too long.", "retryable": True}
    failed = message(5, "Gre", parent=more["id"], error=error)
    silent = message(7, parent=failed["id"], parts=[], finish_reason="length")
    one = conversation("a", [first, other, answer, more, failed, silent], title="Colours")
    await kit.added(ANN, one, conversation("b"))
    assert await kit.markdown(ANN, one["id"]) == (
        "# Colours\n"
        "\n## User\n\nName *one* colour.\n"
        "\n## Assistant (openai/gpt-4o-mini)\n\n안녕, blue.\n"
        "\n## User\n\nMore\n"
        "\n## Assistant\n\nGre\n\n> **Not finished:** The model took too long.\n"
        "\n## Assistant\n\n> **Cut off:** it had reached its longest length.\n"
    )
    assert await kit.markdown(ANN, conversation("b")["id"]) == "# Conversation b\n"


async def test_a_long_branch_keeps_its_order(kit: Kit) -> None:
    full = chain("a", 450, text="x" * 3000)
    await kit.added(ANN, full)
    text = await kit.markdown(ANN, full["id"])
    assert [int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("xxx")] == list(range(450))
