"""A run of another replica is followed as long as somebody reads it or may come back, and no reader is left behind."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from app.eventlog.base import Entry, Tail
from app.models import Piece, Run
from app.services import following as module
from app.services.following import Following
from app.store.base import Kept, Store
from tests.support.waiting import until

RUN = Run(id="r" * 26, owner_id="ann", message_id="m" * 26, model="x/y", status="running", created_at=0)
KEPT = Kept(RUN, ())


class FakeStore:
    """Knows one run, which goes on."""

    async def run(self, owner_id: str, run_id: str) -> Kept:
        return KEPT


class FakeTail:
    """Entries that another replica has written. With a gate, whoever reads them waits there."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.gate: asyncio.Event | None = None

    async def after(self, places: Mapping[str, int]) -> Sequence[Entry]:
        if self.gate is not None:
            await self.gate.wait()
        return [one for one in self.entries if one.run_id in places and one.number >= places[one.run_id]]


def bell() -> None: ...


@pytest.fixture
def tail() -> FakeTail:
    return FakeTail()


@pytest.fixture
async def following(tail: FakeTail, monkeypatch: pytest.MonkeyPatch) -> Following:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    return Following(cast(Store, FakeStore()), cast(Tail, tail))


async def test_who_comes_back_as_it_would_be_forgotten_hears_what_follows(following: Following, tail: FakeTail) -> None:
    log = await following.open(KEPT, None)
    log.listen(bell)
    log.unlisten(bell)
    tail.gate = asyncio.Event()
    coming = asyncio.create_task(following.open(KEPT, None))
    await asyncio.sleep(0.15)  # longer than anybody lingers
    tail.gate.set()
    log = await coming
    log.listen(bell)
    tail.entries.append(Entry(RUN.id, 0, [Piece(0, "text", 0, "hello")]))
    await following.look({RUN.id: RUN.model}, following.run_ids)
    assert [piece.text for piece in log.pieces] == ["hello"]


async def test_it_is_forgotten_a_while_after_its_last_reader_has_left(following: Following) -> None:
    log = await following.open(KEPT, None)
    log.listen(bell)
    await asyncio.sleep(0.15)
    assert following.run_ids == [RUN.id]
    log.unlisten(bell)
    assert following.run_ids == [RUN.id]
    await until(lambda: not following.run_ids, "it is forgotten")


async def test_one_that_nobody_reads_after_all_is_forgotten(following: Following) -> None:
    await following.open(KEPT, None)
    assert following.run_ids == [RUN.id]
    await until(lambda: not following.run_ids, "it is forgotten")
