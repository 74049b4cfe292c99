"""The door of AG-UI's clients: one agent, which answers."""

from fastapi import APIRouter, Response

from app.agui_bodies import AgentInput
from app.protocols.agui import AgentRun
from app.web.deps import Asker, CurrentServices, RequestOnce, stream
from app.web.json_body import JsonRoute
from app.web.problems import responses
from app.web.streams import AGENT_RUN

router = APIRouter(prefix="/api/agui", tags=["agui"], route_class=JsonRoute)


@router.post(
    "",
    summary="Ask, as AG-UI's clients do",
    response_class=Response,
    responses={200: AGENT_RUN, **responses(400, 403, 404, 413, 415, 421, 422, 503, 507)},
)
async def run_agent(body: AgentInput, principal: Asker, services: CurrentServices, once: RequestOnce) -> Response:
    """Answer a thread, which the client keeps. The run has no conversation of ours; `X-Run-Id` names it."""
    call = await services.ai.run_agent(principal, body, once)
    reading = call.reading(AgentRun(call.log, body.thread_id, body.run_id))
    return stream(services, principal, reading, replayed=call.replayed)
