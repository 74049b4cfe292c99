"""What was spent: one's own, and for the administrator everybody's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.usage_bodies import UsageBody, UsageOfUsers
from app.web.deps import Administrator, CurrentPrincipal, CurrentServices, Limit
from app.web.json_body import JsonRoute
from app.web.problems import responses

MAX_DAYS = 366
MAX_PLACE_CHARS = 256  # a model's name may have 200

router = APIRouter(prefix="/api", tags=["usage"], route_class=JsonRoute)

Days = Annotated[int, Query(ge=1, le=MAX_DAYS, description="Of UTC, with today.")]


async def _before(
    before: Annotated[
        str | None, Query(max_length=MAX_PLACE_CHARS, description="The `next` of the page before.")
    ] = None,
) -> str | None:
    return before


Place = Annotated[str | None, Depends(_before)]


@router.get("/usage", summary="What you spent", responses=responses(401, 403, 421, 422, 503))
async def usage(
    principal: CurrentPrincipal, services: CurrentServices, limit: Limit, before: Place, days: Days = 30
) -> UsageBody:
    """By day and model, newest first, and what is left of each limit."""
    return await services.budgets.usage(principal, days, limit, before)


@router.get("/admin/usage", summary="What everybody spent", responses=responses(401, 403, 421, 422, 503))
async def everyone_s(
    principal: Administrator,
    services: CurrentServices,
    limit: Limit,
    before: Place,
    days: Days = 30,
    user: Annotated[str | None, Query(max_length=26, description="The id of one user. None: all.")] = None,
) -> UsageOfUsers:
    """By day, user and model, newest first."""
    return await services.budgets.everyone_s(user, days, limit, before)
