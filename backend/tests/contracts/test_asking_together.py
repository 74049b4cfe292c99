"""Questions that come in one moment, to a service in this process: what is bounded stays so, what is known is found."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from app import telemetry
from app.cursor import Cursor
from app.errors import TooManyRuns
from app.main import create_app
from app.models import LOCAL, ChatRequest
from app.protocols.chat import BareChat
from app.routers.chat import PATH
from app.services.ai_service import AIService, Once
from app.settings import Settings
from tests.support.script import Hang, Status, error_status
from tests.support.upstream import Upstream
from tests.support.waiting import until

MOST = 4 << 20  # bytes


@asynccontextmanager
async def service(folder: Path, upstream: Upstream) -> AsyncGenerator[AIService]:
    """One that holds at most `MOST` bytes of live runs."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        database_url=f"sqlite:///{folder}/chat.db",
        openai_base_url=upstream.url,
        openai_api_key="sk-x",
        models_file="/dev/null",
        max_live_bytes=MOST,
        drain_seconds=0.1,
    )
    app = create_app(settings)
    try:
        async with app.router.lifespan_context(app) as state:
            assert state is not None
            yield state["services"].ai
    finally:  # its log writes to this test's stderr, whatever a later test has for one
        structlog.reset_defaults()
        vars(telemetry.log).pop("bind", None)


async def test_questions_that_come_together_are_not_all_let_in_by_the_room_that_one_would_find(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.otherwise(Status(), Hang())
    async with service(tmp_path, upstream) as ai:
        refused = 0

        async def ask(number: int) -> None:
            nonlocal refused
            history = [{"role": "user", "content": "x" * 300_000}] * 3
            question = ChatRequest.model_validate({"message": f"question {number}", "history": history})
            try:
                await ai.start(LOCAL, question, Once(PATH, None))
            except TooManyRuns:
                refused += 1

        await asyncio.gather(*(ask(number) for number in range(20)))
        assert refused == 20 - 5, "five of 0.9 MB reach 4 MiB"


async def test_an_answer_that_ends_before_its_asker_hears_of_it_is_bought_anew_once_it_was_delivered(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.otherwise(*error_status(401))
    question = ChatRequest.model_validate({"message": "Who?"})
    async with service(tmp_path, upstream) as ai:
        ai._beginnings.begun()  # another commit is under way, and the asker is held for it
        first = await ai.start_by_get(LOCAL, question, Once(PATH, None))
        assert (await ai.run(LOCAL, first.run_id)).status == "failed", "it has ended before"
        assert (await ai.start_by_get(LOCAL, question, Once(PATH, None))).run_id == first.run_id, "not yet delivered"
        reading = await ai.follow(LOCAL, Cursor(first.run_id), BareChat())
        assert reading is not None
        reading.take()
        reading.delivered()
        assert (await ai.start_by_get(LOCAL, question, Once(PATH, None))).run_id != first.run_id


async def test_who_leaves_while_their_question_is_committed_finds_its_answer_again(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.otherwise(Status(), Hang())
    question = ChatRequest.model_validate({"message": "Who?"})
    async with service(tmp_path, upstream) as ai:
        asking = asyncio.create_task(ai.start_by_get(LOCAL, question, Once(PATH, None)))
        await until(lambda: ai._beginnings.coming, "its commit is under way", every=0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        again = await ai.start_by_get(LOCAL, question, Once(PATH, None))
        assert again.replayed
        await upstream.request(1)
        assert (await ai.run(LOCAL, again.run_id)).status == "running"
    assert upstream.calls == 1
