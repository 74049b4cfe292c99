"""A caller's wait at OpenAI's door: until the answer has begun, or until it is whole, or until the caller leaves."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import Request, Response
from starlette.types import Receive

from app.models import Principal
from app.protocols import openai_chat
from app.services.calls import Call
from app.web.deps import Services, stream
from app.web.notes import note
from app.web.problems import named

LEFT = 499  # as nginx calls it; nobody hears it, but it stands in the log


async def whole(request: Request, call: Call) -> Response:
    """The answer as one document.

    Raises:
        RunFailed: it did not complete.
    """
    note(request.scope, run=call.log.run_id, reading="replayed" if call.replayed else "started")
    if not await _comes_first(call.ended(), request.receive):
        return _nobody(call)
    return Response(openai_chat.document(call.log, keyed=call.keyed), 200, _headers(call), "application/json")


async def streamed(
    request: Request, services: Services, principal: Principal, call: Call, *, with_usage: bool
) -> Response:
    """The answer as a stream, which starts once something was said: until then a failure has a status.

    Raises:
        RunFailed: it ended before.
    """
    if not await _comes_first(call.begun(), request.receive):
        return _nobody(call)
    if not call.log.pieces:
        openai_chat.check(call.log, keyed=call.keyed)
    reading = call.reading(openai_chat.Completion(call.log, with_usage=with_usage))
    response = stream(services, principal, reading, replayed=call.replayed, left=call.left)
    response.headers.update(named(call.log.run_id))
    return response


def _headers(call: Call) -> dict[str, str]:
    replayed = {"Idempotent-Replayed": "true"} if call.replayed else {}
    return {"Cache-Control": "no-store", **named(call.log.run_id), **replayed}


def _nobody(call: Call) -> Response:
    call.left()
    return Response(status_code=LEFT)


async def _comes_first(fact: Coroutine[Any, Any, None], receive: Receive) -> bool:
    """Whether `fact` comes true before the caller has gone."""
    waiting = asyncio.create_task(fact, name="caller-waiting")
    leaving = asyncio.create_task(_until_gone(receive), name="caller-leaving")
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
        return waiting.done()
    finally:
        waiting.cancel()
        leaving.cancel()
        await asyncio.gather(waiting, leaving, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
