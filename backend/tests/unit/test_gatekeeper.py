"""What is taken back is taken back also from requests that were on their way, and what expires ends."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.clock import Clock
from app.errors import NotSignedIn
from app.models import LOCAL, Principal
from app.services import gatekeeper as gatekeepers
from app.services.ai_service import Started
from app.services.gatekeeper import Gatekeeper
from app.web.deps import Services, read_started
from app.web.deps import wire_format as format_of

ANN = Principal("ann", credential="session of ann")


async def test_a_stream_that_opens_after_its_credential_was_taken_back_is_cut_at_once() -> None:
    keeper = Gatekeeper(None, Clock())
    cuts: list[str] = []
    keeper.cut(user_id="somebody else")
    keeper.watch(ANN, lambda: cuts.append("other"))
    assert cuts == []
    keeper.cut(credential=ANN.credential)
    assert cuts == ["other"]
    keeper.watch(ANN, lambda: cuts.append("late"))
    assert cuts == ["other", "late"]
    keeper.watch(LOCAL, lambda: cuts.append("local"))
    assert "local" not in cuts


async def test_a_request_that_is_overtaken_by_more_than_is_remembered_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatekeepers, "MAX_CUTS", 3)
    keeper = Gatekeeper(None, Clock())
    for number in range(3):
        keeper.cut(user_id=f"user{number}")
    assert not keeper.is_cut(ANN)
    keeper.cut(user_id="one more")
    assert keeper.is_cut(ANN), "what was forgotten may have been about it"


async def test_a_stream_ends_with_its_session() -> None:
    clock = Clock()
    keeper, over = Gatekeeper(None, clock), asyncio.Event()
    keeper.watch(Principal("ann", credential="x", expires_at=clock.now() + 20), over.set)
    async with asyncio.timeout(5):
        await over.wait()


@pytest.mark.parametrize("replayed", [False, True])
async def test_an_answer_that_was_begun_by_what_was_taken_back_meanwhile_is_stopped(replayed: bool) -> None:
    keeper, stopped = Gatekeeper(None, Clock()), list[str]()

    class Ai:
        async def cancel(self, principal: Principal, run_id: str) -> None:
            stopped.append(run_id)

    services = cast(Services, SimpleNamespace(gatekeeper=keeper, ai=Ai()))
    keeper.cut(user_id="ann")
    started: Any = SimpleNamespace(run_id="run", replayed=replayed)
    with pytest.raises(NotSignedIn):
        await read_started(services, ANN, cast(Started, started), format_of("chat"))
    assert stopped == ([] if replayed else ["run"]), "what somebody else began goes on"
