"""Administration: users, invitations, and the record."""

from typing import Annotated

from fastapi import APIRouter, Path

from app.account_bodies import (
    DeedList,
    InvitationList,
    MadeInvitation,
    NewInvitation,
    UserBody,
    UserChange,
    UserList,
)
from app.web.deps import Administrator, Before, CurrentServices, Limit
from app.web.json_body import JsonRoute
from app.web.problems import responses

router = APIRouter(prefix="/api/admin", tags=["administration"], route_class=JsonRoute)


@router.get("/users", summary="List users", responses=responses(401, 403, 404, 421, 422, 503))
async def users(principal: Administrator, services: CurrentServices, limit: Limit, before: Before) -> UserList:
    """Everyone, newest first."""
    return await services.accounts.users(limit, before)


@router.patch(
    "/users/{user_id}",
    summary="Change a user",
    responses=responses(400, 401, 403, 404, 409, 413, 415, 421, 422, 503, 507),
)
async def change_user(
    user_id: Annotated[str, Path()], body: UserChange, principal: Administrator, services: CurrentServices
) -> UserBody:
    """Role and suspension: the user's sessions and open streams end at once, and a suspended user's answers, too.

    Limits hold from the next question on.
    """
    return await services.accounts.change_user(principal, user_id, body)


@router.get("/invitations", summary="List invitations", responses=responses(401, 403, 404, 421, 503))
async def invitations(principal: Administrator, services: CurrentServices) -> InvitationList:
    """Those that have neither been used nor expired."""
    return await services.accounts.invitations()


@router.post(
    "/invitations",
    status_code=201,
    summary="Invite somebody",
    responses=responses(400, 401, 403, 404, 413, 415, 421, 422, 503, 507),
)
async def invite(body: NewInvitation, principal: Administrator, services: CurrentServices) -> MadeInvitation:
    """A way in for one person. It is shown this once."""
    return await services.accounts.invite(principal, body)


@router.delete(
    "/invitations/{invitation_id}",
    status_code=204,
    summary="Revoke an invitation",
    responses=responses(401, 403, 404, 421, 422, 503, 507),
)
async def revoke_invitation(
    invitation_id: Annotated[str, Path()], principal: Administrator, services: CurrentServices
) -> None:
    """It lets nobody in from now on."""
    await services.accounts.revoke_invitation(principal, invitation_id)


@router.get("/audit", summary="Read the record", responses=responses(401, 403, 404, 421, 422, 503))
async def audit(principal: Administrator, services: CurrentServices, limit: Limit, before: Before) -> DeedList:
    """Sign-ins, keys, invitations, roles and suspensions, newest first, for a year."""
    return await services.accounts.audit(limit, before)
