"""Bodies are JSON and nothing else: said by their type, readable, not nested to make us stumble."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from app.web.fields import LeanRequest

M = TypeVar("M", bound=BaseModel)

MAX_DIGITS = 20  # of an integer that fits 64 bits, sign and all
MAX_NESTING = 16  # our own bodies have 3 levels
MAX_VALUES = 100_000  # a full history has 1,200; each one more costs time before it can be refused
_NOT_JSON = "The body is not JSON. Check its quotes and commas."


def read_json(text: bytes | str) -> Any:
    """The value that `text` spells.

    Raises:
        HTTPException: 400; it is not JSON (NaN and Infinity are not), not UTF-8, nested deeper than `MAX_NESTING`,
            or holds a number beyond 64 bits.
    """
    try:
        value: Any = _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, _NOT_JSON) from error
    level = [cast(Any, value)] if isinstance(value, (dict, list)) else []
    values = 0
    for _ in range(MAX_NESTING + 1):
        if not level:
            return cast(Any, value)
        values += sum(len(parent) for parent in level)
        if values > MAX_VALUES:
            raise HTTPException(400, f"The JSON holds more than {MAX_VALUES:,} values.")
        level = [child for parent in level for child in _children(parent)]
    raise HTTPException(400, f"The JSON is nested deeper than {MAX_NESTING} levels.")


def check_is_json(request: Request) -> None:
    """Raises HTTPException, 415, where the headers do not say that the body is JSON as it stands."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    plain = request.headers.get("content-encoding", "identity").lower() == "identity"
    if media_type != "application/json" or not plain:
        raise HTTPException(415, "The body must be JSON: send it uncompressed, with Content-Type: application/json.")


async def read_body(request: Request) -> Any:
    """What the body says, as a `JsonRoute` reads it; None: nothing.

    Raises:
        HTTPException: 400 or 415; it broke off, it is not JSON, or it does not say that it is.
    """
    check_is_json(request)
    pieces: list[bytes] = []
    more = True
    while more:  # once, nearly always: Starlette's stream of them costs as much as reading the JSON
        message = await request.receive()
        if message["type"] != "http.request":
            raise HTTPException(400, "The body broke off.")
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    data = b"".join(pieces)
    return read_json(data) if data else None


def model_of(value: Any, model: type[M]) -> M:
    """`value` as a `model`, as a `JsonRoute` gives it to its endpoint.

    Raises:
        RequestValidationError: it is no such model.
    """
    if value is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    try:
        return model.model_validate(value, from_attributes=True)  # as FastAPI does: the same words for the same mistake
    except ValidationError as error:
        raise misfit(error, "body") from error


def misfit(error: ValidationError, *place: str) -> RequestValidationError:
    """`error` as FastAPI would raise it, of what stands at `place` in a request."""
    return RequestValidationError([{**one, "loc": (*place, *one["loc"])} for one in error.errors(include_url=False)])


class JsonRequest(LeanRequest):
    """A request whose body is read by `read_json`."""

    async def json(self) -> Any:
        """See `read_json`."""
        return read_json(await self.body())


class JsonRoute(APIRoute):
    """A route that refuses, with 415, a body that does not say it is JSON: a form on a foreign page cannot say so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the check before it."""
        handle = super().get_route_handler()
        field = self.body_field

        async def checked(request: Request) -> Response:
            if field is not None and (field.field_info.is_required() or _has_body(request)):
                check_is_json(request)
            return await handle(JsonRequest(request.scope, request.receive))

        return checked


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def _children(value: Any) -> list[Any]:
    children = cast(dict[str, Any], value).values() if isinstance(value, dict) else cast(list[Any], value)
    return [child for child in children if isinstance(child, (dict, list))]


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS or not -(2**63) <= (number := int(digits)) < 2**64:
        raise ValueError(digits[:MAX_DIGITS])
    return number


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text[:MAX_DIGITS])
    return number


def _refuse(constant: str) -> float:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer, parse_float=_number)  # made once, not each time
