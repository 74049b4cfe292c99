"""The door of OpenAI's clients: chat completions and the list of models, in their shapes."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.errors import ModelNotFound
from app.openai_bodies import CompletionRequest, ModelCard, ModelCards
from app.web.completions import streamed, whole
from app.web.deps import Asker, CurrentPrincipal, CurrentServices, RequestOnce
from app.web.json_body import JsonRoute
from app.web.problems import openai_responses
from app.web.streams import COMPLETION

router = APIRouter(prefix="/v1", tags=["openai"], route_class=JsonRoute)


@router.post(
    "/chat/completions",
    summary="Ask, as OpenAI's clients do",
    response_class=Response,
    responses={
        200: COMPLETION,
        **openai_responses(400, 403, 404, 408, 410, 413, 415, 421, 429, 500, 502, 503, 504, 507),
    },
)
async def complete(
    body: CompletionRequest, principal: Asker, services: CurrentServices, once: RequestOnce, request: Request
) -> Response:
    """Answer a history; with `stream` as it is made, else when it is whole.

    Nothing is sent before the first event, so a failure until then has a status. The answer is stopped when the caller
    leaves, unless the request has an `Idempotency-Key`: then it may be sent again, and is paid once.
    """
    call = await services.ai.complete(principal, body, once)
    if body.stream:
        return await streamed(request, services, principal, call, with_usage=body.with_usage)
    return await whole(request, call)


@router.get("/models", summary="The models, as OpenAI's clients list them", responses=openai_responses(403, 421))
async def models(principal: CurrentPrincipal, services: CurrentServices) -> ModelCards:
    """The same as `GET /api/models`."""
    listed = await services.ai.models()
    return ModelCards(data=[ModelCard(id=model.id, owned_by=model.provider) for model in listed.items])


@router.get("/models/{model:path}", summary="One model", responses=openai_responses(403, 404, 421))
async def model(
    model: Annotated[str, Path(description="As the list names it.", examples=["openai/gpt-4o-mini"])],
    principal: CurrentPrincipal,
    services: CurrentServices,
) -> ModelCard:
    """Whether it can be asked."""
    found = next((one for one in (await services.ai.models()).items if one.id == model), None)
    if found is None:
        raise ModelNotFound
    return ModelCard(id=found.id, owned_by=found.provider)
