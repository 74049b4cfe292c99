"""Conversations in and out: export and import."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.conversation_bodies import ImportBody
from app.services.export_service import ExportFormat
from app.web.deps import Asker, CurrentPrincipal, CurrentServices, download
from app.web.problems import responses
from app.web.spool import spooled

router = APIRouter(prefix="/api", tags=["conversations"])

IMPORT = "/api/import"  # its body has a limit of its own

_FILE: dict[str, Any] = {
    "required": True,
    "description": "A file: an export of this service, or ChatGPT's `conversations.json`. At most `IMPORT_MAX_BYTES`.",
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["format", "version", "conversations"],
                        "properties": {
                            "format": {"const": "ai-chat-service"},
                            "version": {"type": "integer", "minimum": 1},
                            "conversations": {"type": "array", "items": {"type": "object"}},
                        },
                    },
                    {"type": "array", "items": {"type": "object", "required": ["mapping"]}},
                ]
            },
            "example": {"format": "ai-chat-service", "version": 1, "conversations": []},
        }
    },
}
_JSON = {"application/json": {"schema": {"type": "object"}}}
_MARKDOWN = {"text/markdown": {"schema": {"type": "string"}}}
_NAME = {"Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}}}


@router.get(
    "/export",
    summary="Export everything",
    response_class=Response,
    responses={
        200: {"description": "One document of our own format.", "content": _JSON, "headers": _NAME},
        **responses(401, 403, 421, 503),
    },
)
async def export_all(principal: CurrentPrincipal, services: CurrentServices) -> Response:
    """All conversations with all their branches, as a file that `POST /api/import` takes. Without temporary ones."""
    return download(services, principal, await services.exports.all(principal))


@router.get(
    "/conversations/{conversation_id}/export",
    summary="Export a conversation",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": {**_JSON, **_MARKDOWN}, "headers": _NAME},
        **responses(401, 403, 404, 421, 422, 503),
    },
)
async def export_one(
    conversation_id: Annotated[str, Path(examples=["01kandgz1m5d9ryt3ek2yqv8p4"])],
    principal: CurrentPrincipal,
    services: CurrentServices,
    format: Annotated[
        ExportFormat, Query(description="`json`: everything, for an import. `markdown`: the branch shown, to read.")
    ] = "json",
) -> Response:
    """What is still being written is left out."""
    return download(services, principal, await services.exports.one(principal, conversation_id, format))


@router.post(
    "/import",
    summary="Import a file",
    openapi_extra={"requestBody": _FILE},
    responses=responses(401, 403, 408, 413, 415, 421, 422, 503, 507),
)
async def import_file(request: Request, principal: Asker, services: CurrentServices) -> ImportBody:
    """The conversations of a file, beside those that are there: ones that are known get what they lack.

    The same file twice adds nothing. A file that is broken changes nothing.
    """
    async with services.imports.turn(), spooled(request, services.settings.database_path.parent) as file:
        return await services.imports.take(principal, file)
