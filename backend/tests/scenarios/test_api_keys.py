"""API keys: what they open, what is kept of them, and that they never open more than their user may."""

import pytest

from tests.support.client import CHAT, Client
from tests.support.people import administrator
from tests.support.script import say
from tests.support.server import Server
from tests.support.talk import CONVERSATIONS, Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until

pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0)


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_a_key_opens_what_its_scopes_say_whatever_carries_it(
    server: Server, upstream: Upstream, header: str
) -> None:
    ann = await administrator(server.port)
    reading = await ann.program("read", header=header)
    chatting = await ann.program("read", "chat", header=header)
    ruling = await ann.program("read", "admin", header=header)
    statuses = {
        name: [
            (await one.request("GET", CONVERSATIONS)).status,
            (await one.request("POST", CHAT, json={"message": "Well?"})).status,
            (await one.request("POST", CONVERSATIONS, json={})).status,
            (await one.request("GET", "/api/admin/users")).status,
            (await one.request("GET", "/api/keys")).status,
        ]
        for name, one in {"read": reading, "chat": chatting, "admin": ruling}.items()
    }
    assert statuses == {
        "read": [200, 403, 403, 403, 403],
        "chat": [200, 200, 201, 403, 403],
        "admin": [200, 403, 403, 200, 403],
    }
    assert upstream.calls == 1
    by_query = await Client(server.port).request("GET", CONVERSATIONS, query={"api_key": str(reading.shown)})
    assert by_query.status == 401


async def test_a_key_is_shown_once_kept_as_a_hash_and_never_opens_more_than_its_user_may(server: Server) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    refused = await bob.request("POST", "/api/keys", json={"name": "x", "scopes": ["admin"]})
    assert (refused.status, refused.json["code"]) == (403, "not_allowed")
    carl = await ann.invited("carl", "admin")
    ruling = await carl.program("read", "admin")
    assert (await ruling.request("GET", "/api/admin/users")).status == 200
    await ann.request("PATCH", f"/api/admin/users/{carl.id}", json={"role": "user"})
    assert (await ruling.request("GET", "/api/admin/users")).status == 403
    assert (await ruling.request("GET", CONVERSATIONS)).status == 200
    await carl.sign("in", "carl")
    (listed,) = (await carl.request("GET", "/api/keys")).json["items"]
    assert "key" not in listed
    assert listed["used_at"] is not None
    assert (await ann.request("DELETE", f"/api/keys/{listed['id']}")).status == 404, "somebody else's"
    assert ruling.shown is not None
    key = ruling.shown[1].removeprefix("Bearer ")
    assert key.startswith(listed["prefix"])
    await server.close()
    assert key.encode() not in server.database.read_bytes()


async def test_a_file_that_is_being_taken_breaks_off_once_its_key_is_revoked(
    server: Server, upstream: Upstream
) -> None:
    ann = await administrator(server.port)
    program = await ann.program("read")
    upstream.otherwise(*say("x" * 300_000))
    talk = await Talk.begin(ann)
    for number in range(20):
        await talk.ask(f"{number}?")
    export = await program.open_stream("GET", "/api/export", receive_buffer=4096)
    await ann.request("DELETE", f"/api/keys/{program.id}")
    async with export:
        await export.read()
        assert export.over == "truncated"
    assert len(export.body) < 20 * 300_000


async def test_a_key_opens_also_where_its_use_cannot_be_noted(server: Server) -> None:
    ann = await administrator(server.port)
    program = await ann.program()
    await server.fill_disk()
    assert (await program.request("GET", CONVERSATIONS)).status == 200
    await until(lambda: "key.use_not_noted" in server.log, "it is told in the log")
    await server.free_disk()


async def test_every_route_asks_for_its_scope_and_no_key_for_more_than_it_has(
    server: Server, upstream: Upstream
) -> None:
    """A new route that asks for another scope than its like fails here."""
    ann = await administrator(server.port)
    schema = (await ann.request("GET", "/openapi.json")).json
    keys = {scope: await ann.program(scope) for scope in ("read", "chat", "admin")}
    looked = 0
    for path, methods in schema["paths"].items():
        for method in methods:
            needed = _needed(method, path)
            if needed == "nothing":
                continue
            for scope, key in keys.items():
                address = path.replace("{", "").replace("}", "")
                body = {} if method in ("post", "patch") else None
                async with await key.open_stream(method.upper(), address, json=body, query={"limit": "0"}) as stream:
                    assert (stream.status == 403) == (scope != needed), (method, path, scope)
                looked += 1
    assert looked > 60


def _needed(method: str, path: str) -> str:
    if not path.startswith(("/api/", "/v1/")) or path in ("/api/auth", "/api/auth/sign-up", "/api/auth/sign-in"):
        return "nothing"
    if path.startswith("/api/admin"):
        return "admin"
    if path.startswith("/api/keys") or path in ("/api/auth/sign-out", "/api/auth/password"):
        return "a person"
    return "read" if method == "get" and path != CHAT else "chat"
