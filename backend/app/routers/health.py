"""Whether the service lives, and whether it can take work."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.bodies import ModelList
from app.web.deps import CurrentPrincipal, CurrentServices, read_trial
from app.web.negotiation import prefers_html
from app.web.page import CurrentPage
from app.web.problems import responses

router = APIRouter()


class Greeting(BaseModel):
    """Who is there."""

    message: str = Field(examples=["AI Chat Service API"])


class Health(BaseModel):
    """Whether it lives, or is ready."""

    status: str = Field(examples=["healthy"])
    note: str | None = Field(default=None, description="What whoever runs the service should know.")


@router.head("/", include_in_schema=False, response_model=Greeting)
@router.get(
    "/",
    tags=["health"],
    summary="Who is there",
    response_model=Greeting,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def root(request: Request, page: CurrentPage, response: Response) -> Greeting | Response:
    """The name of the service; the web page for a client that prefers `text/html`."""
    if prefers_html(request.headers):
        return await page.index(request.headers)
    response.headers["Vary"] = "Accept"
    return Greeting(message="AI Chat Service API")


@router.head("/health", include_in_schema=False)
@router.get("/health", tags=["health"], summary="Whether it lives", response_model_exclude_none=True)
async def health(response: Response) -> Health:
    """Answers as long as the process can."""
    response.headers["Cache-Control"] = "no-store"
    return Health(status="healthy")


@router.head("/ready", include_in_schema=False)
@router.get(
    "/ready",
    tags=["health"],
    summary="Whether it can take work",
    response_model_exclude_none=True,
    responses=responses(503),
)
async def ready(services: CurrentServices, response: Response) -> Health:
    """503, with the reason, until work can be accepted."""
    response.headers["Cache-Control"] = "no-store"
    return Health(status="ready", note=await services.ready())


@router.get("/health/stream", include_in_schema=False)
async def trial(request: Request, services: CurrentServices) -> Response:
    """Five frames in a second, for `doctor --url`: they show what a proxy does to a stream."""
    return await read_trial(services, request.headers.get("host", ""))


@router.get("/api/models", tags=["models"], summary="The models that can be asked", responses=responses(403, 421))
async def models(principal: CurrentPrincipal, services: CurrentServices) -> ModelList:
    """All on one page; `note` says what a person should know before asking."""
    return await services.ai.models()
