"""Accounts from the command line, as real processes: on the database of a service that does not run."""

import asyncio
import subprocess
import sys

import pytest

from tests.support.people import Person, administrator
from tests.support.server import BACKEND, Server

pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0)


async def users(server: Server, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """`python -m app.cli users …` with the environment of `server`."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app.cli", "users", *arguments],
        cwd=BACKEND,
        env={"PATH": "/usr/bin:/bin", "TERM": "dumb", **server.env},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_while_the_service_runs_a_sentence_says_where_to_go(server: Server) -> None:
    await administrator(server.port)
    told = await users(server, "list")
    assert (told.returncode, told.stdout) == (1, "")
    assert "/api/admin/users" in told.stderr
    assert len(told.stderr.splitlines()) == 1


async def test_people_are_seen_to_while_it_does_not_run(server: Server) -> None:
    ann = await administrator(server.port)
    bob = await ann.invited("bob")
    await server.close()

    listed = await users(server, "list")
    assert [line.split("\t")[:3] for line in listed.stdout.splitlines()] == [
        ["bob", "user", "active"],
        ["ann", "admin", "active"],
    ]
    token = (await users(server, "invite", "--role", "admin")).stdout.strip()
    assert (await users(server, "suspend", "bob", given="n\n")).returncode == 1
    assert (await users(server, "suspend", "bob", "--yes")).returncode == 0
    last = await users(server, "role", "ann", "user", "--yes")
    assert (last.returncode, "only administrator" in last.stderr) == (1, True)
    shown = await users(server, "limits", "bob", "tokens_per_day=1000", "budget_per_month=2.5")
    assert (shown.returncode, "tokens_per_day\t1,000" in shown.stdout) == (0, True), shown.stderr
    wrong = await users(server, "limits", "bob", "tokens=1")
    assert (wrong.returncode, "tokens" in wrong.stderr) == (2, True)
    nobody = await users(server, "restore", "carl")
    assert (nobody.returncode, nobody.stderr) == (1, "There is no such user.\n")

    await server.start()
    assert (await Person(server.port).sign("in", "bob")).status == 401
    carl = Person(server.port)
    assert (await carl.sign("up", "carl", invitation=token)).json["role"] == "admin"
    await carl.request("PATCH", f"/api/admin/users/{bob.id}", json={"suspended": False})
    await bob.sign("in", "bob")
    left = (await bob.request("GET", "/api/usage")).json["left"]
    assert (left["tokens_per_day"]["limit"], left["budget_per_month"]["limit"]) == (1000, 2.5)
    deeds = (await carl.request("GET", "/api/admin/audit")).json["items"]
    kinds = ("limits_changed", "suspended", "invited")
    done = [(deed["kind"], deed["actor_id"]) for deed in deeds if deed["kind"] in kinds and deed["actor_id"] is None]
    assert done == [("limits_changed", None), ("suspended", None), ("invited", None)]


async def test_an_administrator_who_forgot_the_password_gets_a_new_one(server: Server) -> None:
    ann = await administrator(server.port)
    await server.close()
    short = await users(server, "password", "ann", "--yes", given="short\nshort\n")
    assert short.returncode == 2
    given = "a new password\n"
    told = await users(server, "password", "ann", "--yes", given=given * 2)
    assert (told.returncode, given.strip() in told.stdout + told.stderr) == (0, False), told.stderr
    await server.start()
    assert (await ann.request("GET", "/api/auth/me")).status == 401
    assert (await ann.sign("in", "ann", given.strip())).status == 200


async def test_where_there_is_no_database_none_is_made(server: Server) -> None:
    await server.close()
    server.env["DATABASE_URL"] = f"sqlite:///{server.folder}/other.db"
    told = await users(server, "list")
    assert (told.returncode, "There is no database" in told.stderr) == (1, True)
    assert not (server.folder / "other.db").exists()
