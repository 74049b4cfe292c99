"""A refusal to application/problem+json (RFC 9457), or to a page. Nothing else in the house renders an error."""

from collections.abc import Sequence
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from app.bodies import ProblemBody
from app.errors import BodyTooSlow, ChatError, Invalid, Malformed, MethodNotAllowed, NotFound, UnsupportedMedia

MEDIA_TYPE = "application/problem+json"
_OF_FILES = {"GET", "HEAD"}  # the mounted scripts and styles are no route
_PAGE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Chat Service</title>
</head>
<body data-code="{code}">
<p>{sentence}</p>
<p><a href="/">Back</a></p>
</body>
</html>
"""
MAX_NAME_CHARS = 64  # longer than any of our fields' names
MAX_FIELDS = 20  # of a 422: enough to mend the request, bounded whatever was sent


def problem(error: ChatError, *, fields: list[dict[str, object]] | None = None) -> JSONResponse:
    """`error` as a response."""
    body = ProblemBody(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.message,
        code=error.code,
        retryable=error.retryable,
        errors=fields,
    )
    headers = {"Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="AI Chat Service"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(body.model_dump(exclude_none=True), error.status, headers, MEDIA_TYPE)


def problem_page(error: ChatError) -> HTMLResponse:
    """`error` for a person whom another site sent here, and who can only look."""
    headers = {"Content-Security-Policy": _PAGE_POLICY}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return HTMLResponse(_PAGE.format(code=escape(error.code), sentence=escape(error.message)), error.status, headers)


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Have every error of `app`, which includes `routers`, rendered here."""
    routes = [*app.routes, *(route for router in routers for route in router.routes)]
    app.state.routes = [route for route in routes if isinstance(route, Route)]
    app.add_exception_handler(ChatError, _chat_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error bodies of a route, for its documentation."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {status: {"description": _WHEN[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


def describe(app: FastAPI) -> None:
    """Put the body of refusals into the schemas of `app`: no route returns it, all of them may."""
    plain = app.openapi

    def with_problems() -> dict[str, Any]:
        schema = plain()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("ProblemBody", ProblemBody.model_json_schema())
        return schema

    app.openapi = with_problems


_WHEN = {
    400: "The request cannot be read, or the cursor is none.",
    401: "There are accounts, and nobody is signed in.",
    403: "What was shown does not open this, or the page that asks is not one of `CORS_ORIGINS`.",
    404: "There is no such thing, it is someone else's, or it is no longer kept.",
    409: "The answer that it is about is still being written.",
    413: "The body is larger than `MAX_BODY_BYTES`.",
    414: "The query is longer than 16 KiB.",
    415: "The body is not `application/json`.",
    421: "The host is not one of `ALLOWED_HOSTS`, or the client is another machine.",
    422: "A field is missing, too long or not what it may be.",
    429: "Too often. `Retry-After` says when to come back.",
    503: "The service is full, shutting down, or cannot save. `Retry-After` says when to come back.",
    507: "There is no room left to save.",
}


async def _chat_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ChatError)
    return problem(error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found and found[0].get("type") == "json_invalid":
        return problem(Malformed("The body is not JSON. Check its quotes and commas."))
    # Never `input`: it is what a person wrote, and it may not even be JSON.
    fields: list[dict[str, object]] = [
        {"loc": [_short(item) for item in one["loc"]][:8], "msg": str(one["msg"]), "type": str(one["type"])}
        for one in found[:MAX_FIELDS]
    ]
    places = [".".join(_short(item) for item in one["loc"][:8]) for one in found[:1]]
    return problem(
        Invalid(f"{places[0]}: {fields[0]['msg']}." if fields else "The request is not valid."), fields=fields
    )


def _short(name: object) -> str:
    """A field's name, which a client may have made up."""
    return str(name)[:MAX_NAME_CHARS]


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            known: ChatError = NotFound("There is nothing at this address. The addresses are listed at /docs.")
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
    response = problem(known)
    response.headers.update(error.headers or {})
    if error.status_code == 408:
        response.headers["Connection"] = "close"
    if error.status_code == 405:  # the router names the methods of one route only (RFC 9110, 15.5.6 wants all)
        response.headers["Allow"] = ", ".join(sorted(_methods(request) or _OF_FILES))
    return response


def _methods(request: Request) -> set[str]:
    matching = (route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in route.methods or ()}
