"""The document's endpoint: ask, and read the answer as it is made."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from app.errors import Invalid
from app.models import ChatRequest
from app.services.ai_service import Once
from app.web.deps import (
    Asker,
    CurrentAsking,
    CurrentCursor,
    CurrentServices,
    asking,
    check_query,
    checked_key,
    read_from,
    read_started,
    wire_format,
)
from app.web.json_body import JsonRoute, misfit, model_of, read_body, read_json
from app.web.problems import responses
from app.web.streams import NOTHING_LEFT, STREAM

PATH = "/api/chat/stream"

router = APIRouter(prefix="/api/chat", tags=["chat"], route_class=JsonRoute)


@router.post(
    "/stream",
    summary="Ask, by POST",
    response_class=Response,
    responses={200: STREAM, 204: NOTHING_LEFT, **responses(400, 403, 404, 409, 413, 415, 421, 422, 429, 503, 507)},
)
async def stream_chat(body: ChatRequest, asked: CurrentAsking) -> Response:
    """Ask a question and read the answer as it is made.

    With `Accept: text/event-stream` every frame has an `id`; send the last one back as `Last-Event-ID` to go on after
    a cut. Without it there are only `data:` lines. With an `Idempotency-Key` the request can be repeated and is paid
    once.
    """
    principal, services, cursor, once, wire = asked
    if cursor is not None:
        return await read_from(services, principal, cursor, wire)
    return await read_started(services, principal, await services.ai.start(principal, body, once), wire)


(ROUTE,) = (route for route in router.routes if isinstance(route, APIRoute))


async def ask(request: Request) -> Response:
    """`stream_chat`, for who has no need of FastAPI to find its parameters (`ShortWay`)."""
    value = await read_body(request)
    asked = await asking(request)  # before the body is judged: a stranger is told that first
    return await stream_chat(model_of(value, ChatRequest), asked)


@router.get(
    "/stream",
    summary="Ask, by GET (for EventSource)",
    response_class=Response,
    responses={200: STREAM, 204: NOTHING_LEFT, **responses(400, 403, 404, 414, 421, 422, 429, 503, 507)},
    dependencies=[Depends(check_query)],
)
async def stream_chat_get(
    principal: Asker,
    services: CurrentServices,
    cursor: CurrentCursor,
    message: Annotated[str | None, Query(description="The question. Needed unless a cursor is sent.")] = None,
    history: Annotated[str, Query(description="Earlier messages as a JSON array of `{role, content}`.")] = "[]",
    key: Annotated[str | None, Query(description="A UUID of the client's; works as `Idempotency-Key`.")] = None,
) -> Response:
    """Ask a question by GET, as a browser's `EventSource` does.

    A reconnect carries a cursor and never buys another answer; the first request, lost before its first frame, is found
    again by its `key` or, without one, by its question.
    """
    if cursor is not None:
        return await read_from(services, principal, cursor, wire_format("chat"))
    started = await services.ai.start_by_get(principal, _asked(message, history), Once(PATH, checked_key(key)))
    return await read_started(services, principal, started, wire_format("chat"))


@router.head("/stream", include_in_schema=False)
async def stream_chat_head() -> Response:
    """A look that starts nothing."""
    return Response(media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _asked(message: str | None, history: str) -> ChatRequest:
    if message is None:
        raise Invalid("query.message: the message is missing. Write something.")
    try:
        return ChatRequest.model_validate({"message": message, "history": read_json(history)})
    except ValidationError as error:
        raise misfit(error, "query") from error
