"""Sign-in by an OpenID provider: two places that a browser passes. What goes wrong is told on a page."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from app.errors import ChatError, Invalid
from app.services.oidc_service import CALLBACK, JOURNEY_SECONDS, Return
from app.web.cookies import JOURNEY, SESSION
from app.web.deps import CurrentCookies, CurrentServices, Peer, base_url
from app.web.problem_page import problem_page


class _Page(APIRoute):
    """A person looks at this."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def tell(request: Request) -> Response:
            try:
                response = await handle(request)
            except RequestValidationError:
                response = problem_page(Invalid("This address is not whole. Go back and try again."), request.headers)
            except ChatError as error:
                response = problem_page(error, request.headers)
            response.headers["Cache-Control"] = "no-store"
            return response

        return tell


router = APIRouter(route_class=_Page, include_in_schema=False)


@router.get("/api/auth/oidc/start")
async def start(
    request: Request,
    services: CurrentServices,
    cookies: CurrentCookies,
    peer: Peer,
    next: Annotated[str, Query()] = "/",
    invitation: Annotated[str | None, Query(max_length=100)] = None,
    take_over: Annotated[bool, Query()] = True,
) -> Response:
    """Away to the provider. Under /api/, so that no other site can send anybody on this journey."""
    departure = await services.oidc.start(
        base_url(request, services.settings), next, peer, invitation=invitation, takes_over=take_over
    )
    response = RedirectResponse(departure.address, 302)
    cookies.put(response, JOURNEY, departure.carried, JOURNEY_SECONDS, same_site="lax")
    return response


@router.get(CALLBACK)
async def callback(
    services: CurrentServices,
    cookies: CurrentCookies,
    peer: Peer,
    state: Annotated[str | None, Query()] = None,
    code: Annotated[str | None, Query()] = None,
    error: Annotated[str | None, Query()] = None,
    iss: Annotated[str | None, Query()] = None,
) -> Response:
    """Back from the provider, and on to where one was going."""
    came = Return(cookies.get(JOURNEY), state, code, error, iss)
    signed_in, next = await services.oidc.finish(came, peer)
    response = RedirectResponse(next, 303)
    cookies.remove(response, JOURNEY)
    cookies.put(response, SESSION, signed_in.token, signed_in.seconds, same_site="strict")
    return response
