"""FastAPI, with the clients' sockets at hand."""

from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.web.admission import Admission, leave
from app.web.connections import Connections
from app.web.http import is_whole
from app.web.middleware import SEND, TRANSPORT, transport_of
from app.web.paths import route_of


class ChatApp(FastAPI):
    """FastAPI, with the clients' sockets at hand for those who must cut them off, and an order for those who ask."""

    def __init__(self, *, asks_at: str, **more: Any) -> None:
        """`asks_at`: the path of questions. One whose body is still to come is not waited for by others."""
        super().__init__(**more)
        self.connections = Connections()
        self._asks_at = asks_at
        self._admission = Admission()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the lifespan (ASGI)."""
        transport = transport_of(send)
        if transport is None or scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope[TRANSPORT] = transport
        scope[SEND] = send
        self.connections.enter(transport)
        try:
            if route_of(scope) == self._asks_at and is_whole(send):
                await self._admission.enter(scope)
            await super().__call__(scope, receive, send)
        finally:
            leave(scope)
            self.connections.leave(transport)
            scope.pop(SEND, None)  # it holds the server's own record of this request, which holds the scope
