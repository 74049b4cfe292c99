"""The live list: what happens to whoever asks, as it happens."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from app.errors import Malformed
from app.web.deps import CurrentPrincipal, CurrentServices, read_changes
from app.web.problems import responses

router = APIRouter(prefix="/api", tags=["conversations"])

_NUMBER = re.compile(r"[0-9]{1,18}")
_EVENTS: dict[str, Any] = {
    "description": (
        "`ready`, then `conversation.created`, `conversation.updated`, `conversation.deleted`, `run.started` and "
        "`run.ended`, each with the conversation and the run as they are now. `reset`: more was missed than is kept, "
        "so read the list anew."
    ),
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": (
                'retry: 2000\nid: 17\ndata: {"type":"ready"}\n\n'
                'id: 18\ndata: {"type":"conversation.deleted","conversation_id":"01kandgz1m5d9ryt3ek2yqv8p4"}\n\n'
            ),
        }
    },
}


@router.get(
    "/events",
    summary="Hear of changes",
    response_class=Response,
    responses={200: _EVENTS, **responses(400, 403, 421, 422, 503)},
)
async def events(
    principal: CurrentPrincipal,
    services: CurrentServices,
    last_event_id: Annotated[str | None, Header(description="Where to go on: the last `id` that was received.")] = None,
    after: Annotated[
        str | None, Query(description="The same, for clients that cannot set headers. The header wins.")
    ] = None,
) -> Response:
    """Changes to the asker's conversations and runs. A reconnect gets what it missed, for a day."""
    return await read_changes(services, principal, _number(last_event_id if last_event_id is not None else after))


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise Malformed("This is no place in the list of changes. Leave Last-Event-ID out to begin from now.")
    return int(text)
