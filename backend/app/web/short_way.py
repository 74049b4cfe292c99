"""The busiest route, served before FastAPI's routing, which goes on describing it."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.fields import LeanRequest
from app.web.paths import route_of
from app.web.problems import told


class ShortWay:
    """Innermost: requests to one route go straight to what serves it, and all others on.

    Between this place and an endpoint FastAPI and Starlette have a dozen layers. They find the route, which is known
    here, and its parameters, which are few: a fifth of what a question costs, and some of what an open stream holds
    (decision 0025).
    """

    def __init__(
        self,
        app: ASGIApp,
        route: APIRoute,
        serve: Callable[[Request], Awaitable[Response]],
        routed: Callable[[str, str], None],
    ) -> None:
        """`serve` does what the endpoint of `route` does; `routed` is told the method and the path of each request."""
        self._app = app
        self._route = route
        self._serve = serve
        self._routed = routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        route = self._route
        if scope["type"] != "http" or route_of(scope) != route.path or scope["method"] not in route.methods:
            await self._app(scope, receive, send)
            return
        scope["route"], scope["path_params"] = route, {}
        self._routed(scope["method"], route.path)
        response = await self._answer(LeanRequest(scope, receive, send))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._serve(request)
        except Exception as error:  # noqa: BLE001 - what is no refusal of ours is raised again
            return await told(request, error)
