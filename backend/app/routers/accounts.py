"""Accounts: the way in and out, and the keys of whoever asks."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.account_bodies import KeyList, MadeKey, NewKey, PasswordChange, SignIn, SignUp, UserBody, WayIn
from app.services.account_service import SignedIn
from app.web.cookies import SESSION, Cookies
from app.web.deps import CurrentCookies, CurrentPrincipal, CurrentServices, Peer, Person
from app.web.json_body import JsonRoute
from app.web.problems import responses

router = APIRouter(prefix="/api", tags=["accounts"], route_class=JsonRoute)

_OPEN = responses(400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 503, 507)


@router.get("/auth", summary="How one comes in", responses=responses(403, 421, 503))
async def way_in(services: CurrentServices) -> WayIn:
    """Whether there are accounts, and who may make one. Needs no account."""
    return await services.accounts.way_in()


@router.post("/auth/sign-up", status_code=201, summary="Make an account", responses=_OPEN)
async def sign_up(
    body: SignUp, peer: Peer, cookies: CurrentCookies, response: Response, services: CurrentServices
) -> UserBody:
    """The first one is the administrator's. Whoever makes an account is signed in to it."""
    return _let_in(cookies, response, await services.accounts.sign_up(body, peer))


@router.post("/auth/sign-in", summary="Sign in", responses=_OPEN)
async def sign_in(
    body: SignIn, peer: Peer, cookies: CurrentCookies, response: Response, services: CurrentServices
) -> UserBody:
    """Sets a cookie that no script can read and no other site can send."""
    return _let_in(cookies, response, await services.accounts.sign_in(body, peer))


@router.post("/auth/sign-out", status_code=204, summary="Sign out", responses=responses(401, 403, 404, 421, 503, 507))
async def sign_out(principal: Person, cookies: CurrentCookies, response: Response, services: CurrentServices) -> None:
    """Ends this session, and the streams that it has open."""
    await services.accounts.sign_out(principal)
    cookies.remove(response, SESSION)


@router.get("/auth/me", summary="Who asks", responses=responses(401, 403, 404, 421, 503))
async def me(principal: CurrentPrincipal, services: CurrentServices) -> UserBody:
    """The account of whoever asks."""
    return await services.accounts.me(principal)


@router.post("/auth/password", summary="Change the password", responses=_OPEN)
async def change_password(
    body: PasswordChange, cookies: CurrentCookies, response: Response, principal: Person, services: CurrentServices
) -> UserBody:
    """Every other session of the account ends."""
    return _let_in(cookies, response, await services.accounts.change_password(principal, body))


@router.get("/keys", summary="List API keys", responses=responses(401, 403, 404, 421, 503))
async def keys(principal: Person, services: CurrentServices) -> KeyList:
    """The asker's keys, without what opens anything."""
    return await services.accounts.keys(principal)


@router.post("/keys", status_code=201, summary="Make an API key", responses=_OPEN)
async def create_key(body: NewKey, principal: Person, services: CurrentServices) -> MadeKey:
    """For programs: send it as `Authorization: Bearer` or `X-API-Key`. It is shown this once."""
    return await services.accounts.create_key(principal, body)


@router.delete(
    "/keys/{key_id}",
    status_code=204,
    summary="Revoke an API key",
    responses=responses(401, 403, 404, 421, 422, 503, 507),
)
async def revoke_key(key_id: Annotated[str, Path()], principal: Person, services: CurrentServices) -> None:
    """It opens nothing from now on, and the streams that it has open end."""
    await services.accounts.revoke_key(principal, key_id)


def _let_in(cookies: Cookies, response: Response, signed_in: SignedIn) -> UserBody:
    # Strict: no request that another site begins needs it, and on plain HTTP browsers do not say whose a request is.
    cookies.put(response, SESSION, signed_in.token, signed_in.seconds, same_site="strict")
    return signed_in.body
