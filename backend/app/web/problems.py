"""A refusal to problem+json (RFC 9457), or at OpenAI's door to their shape. But for pages, nothing else renders one."""

from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import Scope

from app.bodies import ProblemBody
from app.content_parts import UNSUPPORTED
from app.errors import BodyTooSlow, ChatError, Invalid, Malformed, MethodNotAllowed, NothingHere, UnsupportedMedia
from app.openai_bodies import OpenAIError, OpenAIErrorBody
from app.protocols import openai_chat
from app.web.notes import note
from app.web.paths import is_openai

MEDIA_TYPE = "application/problem+json"
_OF_FILES = {"GET", "HEAD"}  # the mounted scripts and styles are no route
MAX_NAME_CHARS = 64  # longer than any of our fields' names
MAX_FIELDS = 20  # of a 422: enough to mend the request, bounded whatever was sent


def problem(
    scope: Scope, error: ChatError, *, code: str | None = None, fields: list[dict[str, object]] | None = None
) -> JSONResponse:
    """`error` as the response to a request; `code` is what OpenAI's door calls it, if not by its own."""
    note(scope, code=error.code, **({"run": error.run_id} if error.run_id is not None else {}))
    headers = {"Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="AI Chat Service"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.run_id is not None:
        headers |= named(error.run_id)
    if is_openai(scope):
        status = 400 if error.status == 422 else error.status  # their clients know 422 as something else
        # Their clients ask again by themselves after 408, 409, 429 and 5xx, unless they are told.
        headers["X-Should-Retry"] = "true" if error.retryable else "false"
        told = openai_chat.error(status, code or error.code, error.message, error.param)
        return JSONResponse(told.model_dump(), status, headers)
    body = ProblemBody(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.message,
        code=error.code,
        retryable=error.retryable,
        errors=fields,
    )
    return JSONResponse(body.model_dump(exclude_none=True), error.status, headers, MEDIA_TYPE)


def named(run_id: str) -> dict[str, str]:
    """The headers that say which run a response of OpenAI's door is about: ours, and what their clients show."""
    return {"X-Run-Id": run_id, "X-Request-Id": run_id}


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Have every error of `app`, which includes `routers`, rendered here."""
    routes = [*app.routes, *(route for router in routers for route in router.routes)]
    app.state.routes = [route for route in routes if isinstance(route, Route)]
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def told(request: Request, error: Exception) -> JSONResponse:
    """The response to `error`, as `install` has it made; what it does not know is raised again."""
    for kind, handler in _HANDLERS.items():
        if isinstance(error, kind):
            return await handler(request, error)
    raise error


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error bodies of a route, for its documentation."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {status: {"description": _WHEN[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


def openai_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same of a route at OpenAI's door; what has no status of its own is told in the same shape."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIErrorBody"}}}
    known: dict[int | str, dict[str, Any]] = {
        status: {"description": _WHEN[status], "content": content} for status in statuses
    }
    return known | {"default": {"description": "Whatever else goes wrong.", "content": content}}


def describe(app: FastAPI) -> None:
    """Put the body of refusals into the schemas of `app`: no route returns it, all of them may."""
    plain = app.openapi

    def with_problems() -> dict[str, Any]:
        schema = plain()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("ProblemBody", ProblemBody.model_json_schema())
        schemas.setdefault("OpenAIError", OpenAIError.model_json_schema())
        schemas.setdefault("OpenAIErrorBody", OpenAIErrorBody.model_json_schema(ref_template=_REF) | {"$defs": {}})
        return schema

    app.openapi = with_problems


_REF = "#/components/schemas/{model}"
_CODES = {  # what OpenAI's clients know it as
    "extra_forbidden": "unknown_parameter",
    "missing": "missing_required_parameter",
    UNSUPPORTED: UNSUPPORTED,
}
_WHEN = {
    400: "The request cannot be read, or the cursor is none.",
    401: "There are accounts, and nobody is signed in.",
    403: "What was shown does not open this, or the page that asks is not one of `CORS_ORIGINS`.",
    404: "There is no such thing, it is someone else's, or it is no longer kept.",
    408: "The rest of the body did not come.",
    409: "The answer that it is about is still being written.",
    410: "The answer was stopped before it had said anything, or (not streamed) before its end.",
    413: "The body is larger than `MAX_BODY_BYTES`; of an import, than `IMPORT_MAX_BYTES`.",
    414: "The query is longer than 16 KiB.",
    415: "The body is not `application/json`.",
    421: "The host is not one of `ALLOWED_HOSTS`, or the client is another machine.",
    422: "A field is missing, too long or not what it may be.",
    429: "Too often, or the endpoint is overloaded. `Retry-After` says when to come back.",
    500: "Something went wrong inside the service.",
    502: "The model broke off before it had said anything, or (not streamed) before the end.",
    503: "The service is full, shutting down, or cannot save. `Retry-After` says when to come back.",
    504: "The model took too long.",
    507: "There is no room left to save.",
}


async def _chat_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ChatError)
    return problem(request.scope, error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found and found[0].get("type") == "json_invalid":
        return problem(request.scope, Malformed("The body is not JSON. Check its quotes and commas."))
    if is_openai(request.scope):
        return problem(request.scope, _first(found), code=_CODES.get(str(found[0]["type"]), "invalid_value"))
    # Never `input`: it is what a person wrote, and it may not even be JSON.
    fields: list[dict[str, object]] = [
        {"loc": [_short(item) for item in one["loc"]][:8], "msg": str(one["msg"]), "type": str(one["type"])}
        for one in found[:MAX_FIELDS]
    ]
    places = [".".join(_short(item) for item in one["loc"][:8]) for one in found[:1]]
    refusal = Invalid(f"{places[0]}: {fields[0]['msg']}." if fields else "The request is not valid.")
    return problem(request.scope, refusal, fields=fields)


def _first(found: Sequence[Any]) -> Invalid:
    """The first of the fields that are not right, named as OpenAI's clients name places."""
    place = ""
    for item in found[0]["loc"][1:9]:
        place += f"[{item}]" if isinstance(item, int) else f".{_short(item)}"
    place = place.removeprefix(".")
    why = "Unknown parameter" if found[0]["type"] == "extra_forbidden" else str(found[0]["msg"])
    return Invalid(f"{place or 'The body'}: {why.removesuffix('.')}.", param=place or None)


def _short(name: object) -> str:
    """A field's name, which a client may have made up."""
    return str(name)[:MAX_NAME_CHARS]


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            known: ChatError = NothingHere()
        case 405:
            known = MethodNotAllowed("This address does not take this method. The methods are listed at /docs.")
        case 408:
            known = BodyTooSlow()
        case 415:
            known = UnsupportedMedia(str(error.detail))
        case 400:
            known = Malformed(str(error.detail))
        case status:
            known = ChatError(str(error.detail))
            known.status = status
    response = problem(request.scope, known)
    response.headers.update(error.headers or {})
    if error.status_code == 408:
        response.headers["Connection"] = "close"
    if error.status_code == 405:  # the router names the methods of one route only (RFC 9110, 15.5.6 wants all)
        response.headers["Allow"] = ", ".join(sorted(_methods(request) or _OF_FILES))
    return response


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Coroutine[Any, Any, JSONResponse]]] = {
    ChatError: _chat_error,
    RequestValidationError: _validation_error,
    HTTPException: _http_error,
}


def _methods(request: Request) -> set[str]:
    matching = (route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in route.methods or ()}
