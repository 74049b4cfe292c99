"""Accounts: who comes in, as whom, and how fast that ends."""

import asyncio
import time

import pytest

from tests.support.client import CHAT, Client
from tests.support.fixtures import Serve
from tests.support.invariants import check
from tests.support.people import PASSWORD, Person, administrator
from tests.support.script import Hang, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import CONVERSATIONS, Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until

SHARED_SETTINGS = {"ACCOUNTS": 1, "TITLES": 0}
pytestmark = pytest.mark.settings(**SHARED_SETTINGS)


async def a_stream_of(person: Person, upstream: Upstream) -> tuple[str, "asyncio.Task[None]"]:
    """An answer that is being written and read: its run, and a task that is done once the reader is cut off."""
    upstream.script(Status(), Send(chunk("one ")), Hang())
    stream = await person.open_chat("Count.")
    await stream.read_until(when=lambda stream: b"one " in stream.body)

    async def until_cut() -> None:
        async with stream:
            await stream.read()
        assert stream.over == "truncated", "an end that looks whole is a lie"

    return stream.headers["X-Run-Id"], asyncio.create_task(until_cut())


# ── Coming in ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_one_is_the_administrator_also_when_many_come_at_once(server: Server) -> None:
    people = [Person(server.port) for _ in range(8)]
    way = await people[0].request("GET", "/api/auth")
    assert way.json == {"accounts": True, "sign_up": "first", "oidc": None}
    replies = await asyncio.gather(*(one.sign("up", f"user{number}") for number, one in enumerate(people)))
    assert sorted(reply.status for reply in replies) == [201, *[403] * 7]
    (first,) = (one for one, reply in zip(people, replies, strict=True) if reply.status == 201)
    users = (await first.request("GET", "/api/admin/users")).json["items"]
    assert [(user["name"], user["role"]) for user in users] == [(first.name, "admin")]
    way = await first.request("GET", "/api/auth")
    assert way.json == {"accounts": True, "sign_up": "invitation", "oidc": None}


async def test_nobody_gets_a_role_by_asking_for_it(server: Server) -> None:
    ann = await administrator(server.port)
    made = await ann.request("POST", "/api/admin/invitations", json={})
    token = made.json["invitation"]
    bob = Person(server.port)
    refused = await bob.sign("up", "bob", invitation=token, role="admin")
    assert refused.status == 422
    assert (await bob.sign("up", "bob", invitation=token)).json["role"] == "user"
    again = await Person(server.port).sign("up", "carl", invitation=token)
    assert (again.status, again.json["code"]) == (403, "invitation_needed")
    for path in ("/api/admin/users", "/api/admin/invitations", "/api/admin/audit"):
        assert (await bob.request("GET", path)).status == 403


async def test_sign_up_may_be_open(serve: Serve) -> None:
    server = await serve(SIGN_UP="open")
    await administrator(server.port)
    bob = Person(server.port)
    assert (await bob.sign("up", "밥")).json["role"] == "user"
    taken = await Person(server.port).sign("up", "ＡＮＮ")
    assert (taken.status, taken.json["code"]) == (409, "name_taken")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "x" * 65},
        {"name": "<b>"},
        {"password": "short"},
        {"password": "x" * 257},
        {"password": None},
        {"more": 1},
    ],
)
async def test_an_account_that_cannot_be_is_refused(server: Server, fields: dict[str, object]) -> None:
    body = {"name": "ann", "password": PASSWORD, **fields}
    reply = await Client(server.port).request("POST", "/api/auth/sign-up", json=body)
    assert reply.status == 422
    assert PASSWORD not in reply.text


async def test_what_was_there_without_accounts_is_the_first_one_s(serve: Serve, upstream: Upstream) -> None:
    server = await serve(ACCOUNTS=0)
    talk = await Talk.begin(Client(server.port), title="From before")
    await talk.ask("Well?")
    await server.restart(ACCOUNTS="1")
    assert (await Client(server.port).request("GET", CONVERSATIONS)).status == 401
    ann = await administrator(server.port)
    listed = (await ann.request("GET", CONVERSATIONS)).json["items"]
    assert [item["title"] for item in listed] == ["From before"]
    found = (await ann.request("GET", "/api/search", query={"q": "well"})).json["items"]
    assert len(found) == 1
    bob = await ann.invited("bob")
    assert (await bob.request("GET", CONVERSATIONS)).json["items"] == []
    assert (await bob.request("GET", talk.path)).status == 404


async def test_it_may_be_left_alone(serve: Serve, upstream: Upstream) -> None:
    server = await serve(ACCOUNTS=0)
    await Talk.begin(Client(server.port), title="From before")
    await server.restart(ACCOUNTS="1")
    ann = Person(server.port)
    await ann.sign("up", "ann", take_over=False)
    assert (await ann.request("GET", CONVERSATIONS)).json["items"] == []


async def test_without_accounts_nothing_that_is_shown_decides_anything(serve: Serve, upstream: Upstream) -> None:
    server = await serve(ACCOUNTS=0)
    for shown in (("Authorization", "Bearer nonsense"), ("X-API-Key", "sk-chat-x"), ("Cookie", "session=x")):
        assert (await Person(server.port, shown).ask("Well?")).text == "Hello there"
    client = Client(server.port)
    assert (await client.request("GET", "/api/auth")).json == {"accounts": False, "sign_up": "none", "oidc": None}
    for method, path in (("POST", "/api/auth/sign-in"), ("GET", "/api/keys"), ("GET", "/api/admin/users")):
        body = {"name": "a", "password": "b"} if method == "POST" else None
        reply = await client.request(method, path, json=body)
        assert (reply.status, "ACCOUNTS=1" in reply.json["detail"]) == (404, True)


# ── Signing in ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_signing_in_needs_the_right_name_and_password_and_says_the_same_of_both(server: Server) -> None:
    ann = await administrator(server.port)
    other = Person(server.port)
    assert (await other.sign("in", "ANN")).json == {**(await ann.request("GET", "/api/auth/me")).json}
    assert (await other.request("GET", CONVERSATIONS)).status == 200
    wrong = [
        await Person(server.port).sign("in", name, password)
        for name, password in (("ann", "wrong"), ("nobody", PASSWORD), ("ann", PASSWORD.upper()), ("' OR 1=1 --", "x"))
    ]
    assert {(reply.status, reply.json["code"], reply.json["detail"]) for reply in wrong} == {
        (401, "wrong_password", "The name or the password is wrong.")
    }


async def test_the_cookie_is_for_the_browser_alone(server: Server) -> None:
    await administrator(server.port)
    reply = await Person(server.port).sign("in", "ann")
    parts = {part.strip().lower() for part in reply.headers["Set-Cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert reply.headers["Cache-Control"] == "no-store"


async def test_under_tls_the_cookie_is_for_this_host_alone_and_no_neighbour_sets_it(server: Server) -> None:
    await administrator(server.port)
    proxied = {"X-Forwarded-Proto": "https"}
    body = {"name": "ann", "password": PASSWORD}
    reply = await Client(server.port).request("POST", "/api/auth/sign-in", json=body, headers=proxied)
    cookie, *parts = (part.strip() for part in reply.headers["Set-Cookie"].split(";"))
    name, _, token = cookie.partition("=")
    assert name.startswith("__Host-")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= {part.lower() for part in parts}
    statuses = [
        (await Client(server.port).request("GET", "/api/auth/me", headers={**proxied, "Cookie": shown})).status
        for shown in (f"{name}={token}", f"{name.removeprefix('__Host-')}={token}")
    ]
    assert statuses == [200, 401]


async def test_one_who_signs_in_gets_a_token_that_nobody_chose_for_them(server: Server) -> None:
    ann = await administrator(server.port)
    assert ann.shown is not None
    name = ann.shown[1].partition("=")[0]
    fixed = Person(server.port, ("Cookie", f"{name}=chosen-by-somebody-else"))
    body = {"name": "ann", "password": PASSWORD}
    reply = await fixed.request("POST", "/api/auth/sign-in", json=body)
    assert "chosen" not in reply.headers["Set-Cookie"]
    assert (await fixed.request("GET", "/api/auth/me")).status == 401


async def test_guessing_is_slowed_down_and_a_mistyped_password_is_nothing(server: Server) -> None:
    await administrator(server.port)
    for _ in range(3):
        assert (await Person(server.port).sign("in", "ann", "mistyped")).status == 401
    assert (await Person(server.port).sign("in", "ann")).status == 200
    statuses = [(await Person(server.port).sign("in", "ann", f"guess {number}")).status for number in range(12)]
    assert statuses == [*[401] * 10, 429, 429]
    blocked = await Person(server.port).sign("in", "ann")
    assert (blocked.status, blocked.json["code"], int(blocked.headers["Retry-After"]) > 0) == (
        429,
        "too_many_attempts",
        True,
    )


@pytest.mark.alone
async def test_many_who_sign_in_leave_answers_alone(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    upstream.script(*say(*("word " for _ in range(60)), pause=0.02))
    asking = asyncio.create_task(ann.ask("Count."))
    guesses = await asyncio.gather(*(Person(server.port).sign("in", f"user{number}", "guess") for number in range(25)))
    answer = await asking
    assert (answer.text, answer.done) == ("word " * 60, True)
    assert {reply.status for reply in guesses} <= {401, 429}


async def test_a_password_is_changed_by_who_knows_it_and_ends_every_other_session(
    server: Server, upstream: Upstream
) -> None:
    ann = await administrator(server.port)
    other = Person(server.port)
    await other.sign("in", "ann")
    _, cut = await a_stream_of(other, upstream)
    wrong = await ann.request("POST", "/api/auth/password", json={"old": "wrong", "new": "another password"})
    assert wrong.status == 401
    body = {"old": PASSWORD, "new": "another password"}
    changed = await ann.request("POST", "/api/auth/password", json=body)
    assert changed.status == 200
    await cut
    assert (await other.request("GET", CONVERSATIONS)).status == 401
    assert (await ann.request("GET", CONVERSATIONS)).status == 401, "the old cookie is good no longer"
    assert (await ann.sign("in", "ann")).status == 401
    assert (await ann.sign("in", "ann", "another password")).status == 200


# ── Going ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["sign out", "suspend", "demote", "revoke"])
async def test_what_is_taken_back_opens_nothing_from_then_on_and_open_streams_end(
    server: Server, upstream: Upstream, how: str
) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob", "admin")
    reader = await bob.program() if how == "revoke" else bob
    run_id, cut = await a_stream_of(reader, upstream)
    feed = await reader.open_stream("GET", "/api/events")
    began = time.monotonic()
    match how:
        case "sign out":
            reply = await bob.request("POST", "/api/auth/sign-out")
        case "suspend":
            reply = await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"suspended": True})
        case "demote":
            reply = await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"role": "user"})
        case _:
            reply = await bob.request("DELETE", f"/api/keys/{reader.id}")
    assert reply.status in (200, 204), reply.text
    await cut
    async with feed:
        await feed.read()
    assert time.monotonic() - began < 5
    assert (await reader.request("GET", CONVERSATIONS)).status == 401
    if how == "suspend":
        await upstream.requests[-1].is_closed()
        assert (await Person(server.port).sign("in", "bob")).status == 401
        await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"suspended": False})
    if how in ("suspend", "sign out", "demote"):
        assert (await bob.sign("in", "bob")).status == 200
    assert (await bob.request("GET", f"/api/runs/{run_id}")).status == 200


async def test_the_last_administrator_stays(server: Server) -> None:
    ann = await administrator(server.port)
    for change in ({"role": "user"}, {"suspended": True}):
        reply = await ann.request("PATCH", f"/api/admin/users/{ann.id}", json=change)
        assert (reply.status, reply.json["code"]) == (409, "last_administrator")
    bob = await ann.invited("bob", "admin")
    assert (await bob.request("PATCH", f"/api/admin/users/{ann.id}", json={"role": "user"})).status == 200
    await ann.sign("in", "ann")
    assert (await ann.request("GET", "/api/admin/users")).status == 403


# ── Whose ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_everything_of_one_is_a_404_for_everyone_else(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    bob, carl = await ann.invited("bob"), await ann.invited("carl")
    talk = await Talk.begin(bob, title="Bob's canary")
    answer = await talk.ask("canary?", key="bobs-key")
    upstream.script(Status(), Send(chunk("half ")), Hang())
    half = await bob.open_chat("Mine?")
    run_id, alone = answer.run_id, half.headers["X-Run-Id"]
    message = (await talk.branch())[-1]["id"]
    for other in (ann, carl, await carl.program()):
        asked = [
            ("GET", talk.path, None),
            ("PATCH", talk.path, {"title": "x"}),
            ("DELETE", talk.path, None),
            ("GET", f"{talk.path}/messages", None),
            ("POST", f"{talk.path}/messages/{message}/regenerate", {}),
            ("POST", f"{talk.path}/messages/{message}/continue", {}),
            ("POST", f"{talk.path}/messages/{message}/edit", {"message": "x"}),
            ("POST", CHAT, {"message": "x", "conversation_id": talk.id}),
            ("GET", f"/api/runs/{run_id}", None),
            ("GET", f"/api/runs/{run_id}/events", None),
            ("POST", f"/api/runs/{run_id}/cancel", None),
            ("GET", f"/api/runs/{alone}/events", None),
            ("POST", f"/api/runs/{alone}/cancel", None),
            ("GET", f"{CHAT}?last_event_id={alone}-0-0", None),
        ]
        for method, path, body in asked:
            reply = await other.request(method, path, json=body)
            assert reply.status == 404, (method, path, reply.text)
        assert (await other.request("GET", "/api/search", query={"q": "canary"})).json["items"] == []
        assert (await other.request("GET", CONVERSATIONS)).json["items"] == []
    calls = upstream.calls
    same_key = await carl.ask("canary?", key="bobs-key")
    assert (same_key.replayed, upstream.calls) == (False, calls + 1)
    half.drop()


async def test_weights_are_put_on_the_record_and_nothing_that_opens_anything(server: Server) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    program = await bob.program()
    await bob.request("DELETE", f"/api/keys/{program.id}")
    await Person(server.port).sign("in", "bob", "wrong password")
    await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"suspended": True})
    deeds = (await ann.request("GET", "/api/admin/audit")).json["items"]
    kinds = [deed["kind"] for deed in reversed(deeds)]
    assert kinds == [
        "signed_up",
        "invited",
        "signed_up",
        "key_created",
        "key_revoked",
        "sign_in_failed",
        "suspended",
    ]
    assert (deeds[0]["actor_id"], deeds[0]["subject"]) == (ann.id, bob.id)
    first = (await ann.request("GET", "/api/admin/audit", query={"limit": "3"})).json
    rest = (await ann.request("GET", "/api/admin/audit", query={"limit": "100", "before": first["next"]})).json
    assert first["items"] + rest["items"] == deeds
    await server.close()
    for secret in (PASSWORD, "wrong password"):
        assert secret not in server.log
        assert secret.encode() not in server.database.read_bytes()


async def test_sessions_are_good_until_they_expire_and_survive_a_crash(server: Server, upstream: Upstream) -> None:
    ann = await administrator(server.port)
    await server.restart()
    assert (await ann.ask("Well?")).text == "Hello there"
    await server.close()
    check(server.database)


async def test_what_anybody_may_ask_is_a_short_list(server: Server) -> None:
    """A new route without a rule fails here."""
    ann = await administrator(server.port)
    schema = (await ann.request("GET", "/openapi.json")).json
    open_to_all: set[tuple[str, str]] = set()
    stranger = Client(server.port)
    for path, methods in schema["paths"].items():
        for method in methods:
            where = path.replace("{", "").replace("}", "")
            reply = await stranger.request(method.upper(), where, json={} if method in ("post", "patch") else None)
            assert reply.status not in (500, 404), (method, path)
            if reply.status != 401:
                open_to_all.add((method, path))
    assert open_to_all == {
        ("get", "/"),
        ("get", "/health"),
        ("get", "/ready"),
        ("get", "/api/auth"),
        ("post", "/api/auth/sign-up"),
        ("post", "/api/auth/sign-in"),
    }


async def test_a_suspended_user_s_key_and_session_are_the_same_401_as_none(server: Server) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    program = await bob.program()
    await ann.request("PATCH", f"/api/admin/users/{bob.id}", json={"suspended": True})
    told = {
        (reply.status, reply.text)
        for shown in (bob.shown, program.shown, None, ("Authorization", "Bearer x"), ("X-API-Key", "x" * 10_000))
        for reply in [await Person(server.port, shown).request("GET", CONVERSATIONS)]
    }
    assert len(told) == 1
    await until(lambda: '"status": 401' in server.log, "it is in the log")
