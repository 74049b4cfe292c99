"""A conversation, as a client of the API has it: ask, edit, regenerate, continue, read the branch that is shown."""

from collections.abc import Mapping
from typing import Any

from tests.support.client import CHAT, JSON, SSE, Answer, Client, Until, read_answer
from tests.support.http import Given, pairs
from tests.support.wire_client import Reply, Stream

CONVERSATIONS = "/api/conversations"
ALL = 100  # the longest page


class Talk:
    """One conversation on the service that `client` talks to."""

    def __init__(self, client: Client, conversation_id: str) -> None:
        self.client = client
        self.id = conversation_id
        self.path = f"{CONVERSATIONS}/{conversation_id}"

    @classmethod
    async def begin(cls, client: Client, **fields: Any) -> "Talk":
        """A new one."""
        reply = await client.request("POST", CONVERSATIONS, json=fields)
        assert reply.status == 201, reply.text
        return cls(client, reply.json["id"])

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def ask(self, message: str, *, until: Until = None, key: str | None = None, **fields: Any) -> Answer:
        """Ask in it, and read the answer as `read_answer`."""
        return await read_answer(await self.open(message, key=key, **fields), until)

    async def open(self, message: str, *, key: str | None = None, **fields: Any) -> Stream:
        """Ask in it, and read only the head."""
        body = {"message": message, "conversation_id": self.id, **fields}
        return await self.client.open_stream("POST", CHAT, json=body, headers=_lines(key))

    async def edit(self, message_id: str, message: str, *, until: Until = None, key: str | None = None) -> Answer:
        """Ask one of its questions in other words."""
        return await read_answer(await self.act(message_id, "edit", {"message": message}, key=key), until)

    async def regenerate(self, message_id: str, *, until: Until = None, key: str | None = None) -> Answer:
        """Have one of its answers given again."""
        return await read_answer(await self.act(message_id, "regenerate", key=key), until)

    async def go_on(self, message_id: str, *, until: Until = None, key: str | None = None) -> Answer:
        """Have one of its answers gone on with."""
        return await read_answer(await self.act(message_id, "continue", key=key), until)

    async def act(
        self, message_id: str, what: str, body: Any = None, *, key: str | None = None, headers: Given = ()
    ) -> Stream:
        """Any of the three, and read only the head."""
        path = f"{self.path}/messages/{message_id}/{what}"
        return await self.client.open_stream("POST", path, json=body, headers=[*pairs(headers), *_lines(key)])

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def body(self) -> dict[str, Any]:
        """What the service says of it."""
        reply = await self.client.request("GET", self.path)
        assert reply.status == 200, reply.text
        return reply.json

    async def change(self, **fields: Any) -> Reply:
        """Change it."""
        return await self.client.request("PATCH", self.path, json=fields)

    async def delete(self) -> Reply:
        """Take it away."""
        return await self.client.request("DELETE", self.path)

    async def page(self, **query: Any) -> dict[str, Any]:
        """One page of a branch."""
        asked = {name: str(value) for name, value in query.items() if value is not None}
        reply = await self.client.request("GET", f"{self.path}/messages", query=asked)
        assert reply.status == 200, reply.text
        return reply.json

    async def branch(self, leaf: str | None = None, limit: int = ALL) -> list[dict[str, Any]]:
        """The whole branch that ends with `leaf` (None: the one that is shown), oldest message first."""
        page = await self.page(leaf=leaf, limit=limit)
        found = page["items"]
        while page["next"] is not None:
            page = await self.page(before=page["next"], limit=limit)
            found = page["items"] + found
        return found

    async def said(self, leaf: str | None = None) -> list[str]:
        """The text of each message of a branch."""
        return [text_of(message) for message in await self.branch(leaf)]


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, without what was thought."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def _lines(key: str | None) -> list[tuple[str, str]]:
    return [SSE, JSON, *([("Idempotency-Key", key)] if key else [])]
