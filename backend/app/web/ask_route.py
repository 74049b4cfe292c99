"""The way of a question: described by FastAPI as any other route, and served without its dependencies."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from app.models import ChatRequest
from app.web.deps import asking
from app.web.json_body import JsonRoute, check_is_json, read_json


class AskRoute(JsonRoute):
    """A route whose endpoint takes `body`, a `ChatRequest`, and `asking`, a `CurrentAsking`.

    Both are read here. What FastAPI does with parameters, request by request, was a seventh of what a question cost the
    loop's thread (decision 0016); what it says of them on its page comes from the endpoint's signature all the same.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler."""
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint

        async def handle(request: Request) -> Response:
            check_is_json(request)
            return await endpoint(body=await _body(request), asking=await asking(request))

        return handle


async def _body(request: Request) -> ChatRequest:
    try:
        data = await request.body()
    except ClientDisconnect as error:
        raise HTTPException(400, "The body broke off.") from error
    value = read_json(data) if data else None
    if value is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    try:
        return ChatRequest.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in wrong]) from error
