"""Runs: read one's log, look at it, stop it."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from app.bodies import CancelBody, RunBody
from app.cursor import Cursor
from app.errors import BadCursor
from app.web.deps import Asker, CurrentPrincipal, CurrentServices, StreamFormat, read_from, wire_format
from app.web.problems import responses
from app.web.streams import NOTHING_LEFT, STREAM

router = APIRouter(prefix="/api/runs", tags=["runs"])

RunId = Annotated[str, Path(description="As in `X-Run-Id`.", examples=["01kandgz1m5d9ryt3ek2yqv8p4"])]


@router.get(
    "/{run_id}",
    summary="Where a run stands",
    response_model_exclude_none=True,
    responses=responses(403, 404, 421, 422, 503),
)
async def run(run_id: RunId, principal: CurrentPrincipal, services: CurrentServices, response: Response) -> RunBody:
    """Its state, its model, its usage and, if it failed, why."""
    response.headers["Cache-Control"] = "no-store"
    return await services.ai.run(principal, run_id)


@router.get(
    "/{run_id}/events",
    summary="Read a run's log",
    response_class=Response,
    responses={200: STREAM, 204: NOTHING_LEFT, **responses(400, 403, 404, 421, 422, 503)},
)
async def events(
    run_id: RunId,
    principal: CurrentPrincipal,
    services: CurrentServices,
    format: StreamFormat,
    last_event_id: Annotated[str | None, Header(description="Where to go on: the last `id` that was received.")] = None,
    after: Annotated[
        str | None, Query(description="The same, for clients that cannot set headers. The header wins.")
    ] = None,
) -> Response:
    """The answer from a place on, then live until it has ended. Never starts anything."""
    cursor = _cursor(run_id, last_event_id if last_event_id is not None else after)
    return await read_from(services, principal, cursor, wire_format(format))


@router.post("/{run_id}/cancel", status_code=202, summary="Stop a run", responses=responses(403, 404, 421, 422, 503))
async def cancel(run_id: RunId, principal: Asker, services: CurrentServices) -> CancelBody:
    """Ask it to stop; asking again changes nothing. What was said is kept."""
    return await services.ai.cancel(principal, run_id)


def _cursor(run_id: str, text: str | None) -> Cursor:
    if text is None:
        return Cursor(run_id)
    cursor = Cursor.parse(text)
    if cursor.run_id != run_id:
        raise BadCursor
    return cursor
