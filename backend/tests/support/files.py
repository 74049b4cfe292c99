"""Files of conversations: documents of our own format, made for tests, and what an export is compared by."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.clock import derived_id, rfc3339
from tests.support.client import JSON, Client
from tests.support.wire_client import Reply

EXPORT = "/api/export"
IMPORT = "/api/import"
BEGAN = 1_760_000_000_000  # milliseconds since 1970; when conversations of tests began


def an_id(*words: object, at: int = BEGAN) -> str:
    """An id of its own for these words."""
    return derived_id(at, *map(str, words))


def message(number: int, text: str = "", *, parent: str | None = None, of: str = "a", **more: Any) -> dict[str, Any]:
    """Message `number` of conversation `of`; the even ones are questions."""
    at = BEGAN + number * 1000
    return {
        "id": an_id(of, number, at=at),
        "role": "assistant" if number % 2 else "user",
        "parent_id": parent,
        "parts": [{"type": "text", "text": text or f"Message {number}"}],
        "created_at": rfc3339(at),
        **more,
    }


def conversation(name: str = "a", messages: Sequence[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:
    """A conversation with these messages, of which the last is shown."""
    return {
        "id": an_id("conversation", name),
        "title": f"Conversation {name}",
        "titled": "given",
        "model": None,
        "system": None,
        "temperature": None,
        "max_tokens": None,
        "pinned": False,
        "archived": False,
        "head_id": messages[-1]["id"] if messages else None,
        "created_at": rfc3339(BEGAN),
        "updated_at": rfc3339(BEGAN + 5000),
        "messages": list(messages),
        **more,
    }


def chain(name: str, length: int, text: str = "", **more: Any) -> dict[str, Any]:
    """A conversation of one branch."""
    messages: list[dict[str, Any]] = []
    for number in range(length):
        parent = messages[-1]["id"] if messages else None
        messages.append(message(number, text and f"{text} {number}", parent=parent, of=name))
    return conversation(name, messages, **more)


def document(*conversations: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A document of our format."""
    return {
        "format": "ai-chat-service",
        "version": 1,
        "exported_at": rfc3339(BEGAN),
        "conversations": list(conversations),
        **more,
    }


def spelled(value: Any) -> bytes:
    """A value as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


async def take(client: Client, file: Any) -> Reply:
    """Import a file, of bytes or of a value."""
    body = file if isinstance(file, bytes) else spelled(file)
    return await client.request("POST", IMPORT, body=body, headers=[JSON])


async def exported(client: Client, conversation_id: str | None = None) -> list[dict[str, Any]]:
    """The conversations of an export, each with its messages in the order of ids."""
    path = f"/api/conversations/{conversation_id}/export" if conversation_id else EXPORT
    async with await client.open_stream("GET", path) as stream:
        reply = await stream.read()
        assert (reply.status, stream.over) == (200, "complete")
    return in_order(reply.json["conversations"])


def in_order(conversations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, sorted by ids, messages too."""
    return [
        {**one, "messages": sorted(one["messages"], key=lambda message: message["id"])}
        for one in sorted(conversations, key=lambda one: one["id"])
    ]
