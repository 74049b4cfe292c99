"""People with accounts, as a browser or a program of theirs talks to the service."""

from typing import Any

from tests.support.client import Client
from tests.support.http import Given, pairs
from tests.support.wire_client import Reply, Stream

PASSWORD = "correct horse battery"


class Person(Client):
    """A client that shows who it is with every request: a session's cookie, or a key in some header."""

    def __init__(self, port: int, shown: tuple[str, str] | None = None) -> None:
        super().__init__(port)
        self.shown = shown
        self.id = ""
        self.name = ""

    async def open_stream(self, method: str, path: str, *, headers: Given = (), **more: Any) -> Stream:
        """As `Client.open_stream`."""
        lines = [*pairs(headers), *([self.shown] if self.shown is not None else [])]
        return await super().open_stream(method, path, headers=lines, **more)

    async def sign(self, way: str, name: str, password: str = PASSWORD, **more: Any) -> Reply:
        """Sign `way` "up" or "in"; from then on this is who it is."""
        reply = await self.request("POST", f"/api/auth/sign-{way}", json={"name": name, "password": password, **more})
        if reply.status in (200, 201):
            cookie = reply.headers["Set-Cookie"].partition(";")[0]
            self.shown, self.id, self.name = ("Cookie", cookie), reply.json["id"], reply.json["name"]
        return reply

    async def invited(self, name: str, role: str = "user") -> "Person":
        """Somebody whom this administrator invites, and who comes."""
        made = await self.request("POST", "/api/admin/invitations", json={"role": role})
        assert made.status == 201, made.text
        person = Person(self.port)
        reply = await person.sign("up", name, invitation=made.json["invitation"])
        assert reply.status == 201, reply.text
        return person

    async def program(self, *scopes: str, header: str = "Authorization") -> "Person":
        """A program of this person's, with a key of its own."""
        body = {"name": "program", **({"scopes": list(scopes)} if scopes else {})}
        made = await self.request("POST", "/api/keys", json=body)
        assert made.status == 201, made.text
        key = made.json["key"]
        program = Person(self.port, (header, f"Bearer {key}" if header == "Authorization" else key))
        program.id = made.json["id"]
        return program


async def administrator(port: int, name: str = "ann") -> Person:
    """The first one to sign up."""
    person = Person(port)
    reply = await person.sign("up", name)
    assert (reply.status, reply.json["role"]) == (201, "admin"), reply.text
    return person
