"""Conversations: the list, the tree, and the ways to ask in one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.conversation_bodies import (
    ConversationBody,
    ConversationChange,
    ConversationList,
    FoundList,
    MessageList,
    NewConversation,
    Nothing,
)
from app.models import EditRequest
from app.services.conversation_service import MAX_QUERY_CHARS
from app.web.deps import (
    AnswerFormat,
    Asker,
    Before,
    CurrentPrincipal,
    CurrentServices,
    Limit,
    RequestOnce,
    RequestSpot,
    read_started,
)
from app.web.json_body import JsonRoute
from app.web.problems import responses
from app.web.streams import STREAM

router = APIRouter(prefix="/api", tags=["conversations"], route_class=JsonRoute)

ConversationId = Annotated[str, Path(examples=["01kandgz1m5d9ryt3ek2yqv8p4"])]
_SPOT = "/conversations/{conversation_id}/messages/{message_id}"
_STREAMS = {200: STREAM, **responses(400, 403, 404, 409, 413, 415, 421, 422, 429, 503, 507)}


@router.post(
    "/conversations",
    status_code=201,
    summary="Begin a conversation",
    responses=responses(400, 403, 404, 413, 415, 421, 422, 503, 507),
)
async def create(body: NewConversation, principal: Asker, services: CurrentServices) -> ConversationBody:
    """An empty one. Ask in it by `POST /api/chat/stream` with its id."""
    return await services.conversations.create(principal, body)


@router.get("/conversations", summary="List conversations", responses=responses(403, 421, 422, 503))
async def list_conversations(
    principal: CurrentPrincipal,
    services: CurrentServices,
    limit: Limit,
    before: Before,
    archived: Annotated[bool, Query(description="Those that were put away, instead of the others.")] = False,
    pinned: Annotated[bool | None, Query(description="Only those that are, or are not.")] = None,
) -> ConversationList:
    """Newest first. Temporary ones are on no list."""
    return await services.conversations.list(principal, limit, before, archived=archived, pinned=pinned)


@router.get(
    "/conversations/{conversation_id}", summary="One conversation", responses=responses(403, 404, 421, 422, 503)
)
async def conversation(
    conversation_id: ConversationId, principal: CurrentPrincipal, services: CurrentServices
) -> ConversationBody:
    """Without its messages."""
    return await services.conversations.conversation(principal, conversation_id)


@router.patch(
    "/conversations/{conversation_id}",
    summary="Change a conversation",
    responses=responses(400, 403, 404, 413, 415, 421, 422, 503, 507),
)
async def change(
    conversation_id: ConversationId,
    body: ConversationChange,
    principal: Asker,
    services: CurrentServices,
) -> ConversationBody:
    """What the body does not name stays as it is. A title that is given is never replaced by one of ours."""
    return await services.conversations.change(principal, conversation_id, body)


@router.delete(
    "/conversations/{conversation_id}",
    status_code=204,
    summary="Delete a conversation",
    responses=responses(403, 404, 421, 422, 503, 507),
)
async def delete(conversation_id: ConversationId, principal: Asker, services: CurrentServices) -> None:
    """For good: its messages and what the search knew of them. What is being written in it is stopped."""
    await services.conversations.delete(principal, conversation_id)


@router.get(
    "/conversations/{conversation_id}/messages",
    summary="Read a branch",
    responses=responses(403, 404, 421, 422, 503),
)
async def messages(
    conversation_id: ConversationId,
    principal: CurrentPrincipal,
    services: CurrentServices,
    limit: Limit,
    before: Before,
    leaf: Annotated[
        str | None, Query(max_length=64, description="The last message of the branch. None: of the one shown.")
    ] = None,
) -> MessageList:
    """The end of a branch first, page by page towards its beginning; in a page, oldest first."""
    return await services.conversations.messages(principal, conversation_id, leaf=leaf, limit=limit, before=before)


@router.post(f"{_SPOT}/edit", summary="Ask in other words", response_class=Response, responses=_STREAMS)
async def edit(
    spot: RequestSpot,
    body: EditRequest,
    principal: Asker,
    services: CurrentServices,
    once: RequestOnce,
    wire: AnswerFormat,
) -> Response:
    """Another wording of a question, beside it, and its answer as a stream. Nothing is overwritten."""
    started = await services.ai.edit(principal, spot, body, once)
    return await read_started(services, principal, started, wire)


@router.post(f"{_SPOT}/regenerate", summary="Answer again", response_class=Response, responses=_STREAMS)
async def regenerate(
    spot: RequestSpot,
    principal: Asker,
    services: CurrentServices,
    once: RequestOnce,
    wire: AnswerFormat,
    body: Nothing | None = None,
) -> Response:
    """Another answer to the same question, beside the one there is, as a stream."""
    started = await services.ai.regenerate(principal, spot, once)
    return await read_started(services, principal, started, wire)


@router.post(f"{_SPOT}/continue", summary="Go on with an answer", response_class=Response, responses=_STREAMS)
async def go_on(
    spot: RequestSpot,
    principal: Asker,
    services: CurrentServices,
    once: RequestOnce,
    wire: AnswerFormat,
    body: Nothing | None = None,
) -> Response:
    """An answer that was cut short, with what follows, in a message beside it, as a stream from its beginning."""
    started = await services.ai.go_on(principal, spot, once)
    return await read_started(services, principal, started, wire)


@router.get("/search", summary="Search", responses=responses(403, 414, 421, 422, 503))
async def search(
    principal: CurrentPrincipal,
    services: CurrentServices,
    q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARS, description="All of these words, in any order.")],
    limit: Limit,
    before: Before,
) -> FoundList:
    """Titles and messages that hold every word; of Korean words also a part, from one syllable. Newest first."""
    return await services.conversations.search(principal, q, limit, before)
