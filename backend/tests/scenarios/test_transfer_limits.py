"""Import and export at their limits: what is refused changes nothing, what breaks never looks whole."""

import asyncio
import errno
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from app.errors import StorageError
from app.web import spool
from tests.support.client import JSON, Client
from tests.support.files import EXPORT, IMPORT, chain, document, exported, spelled, take
from tests.support.problems import refused
from tests.support.server import Server
from tests.support.waiting import until

MIB = 2**20
MOST = 8 * MIB
SHARED_SETTINGS = {"IMPORT_MAX_BYTES": MOST, "SEND_TIMEOUT_SECONDS": "1"}
ROOM_IN_MEMORY = 32 * MIB  # for what a process of Python grows by anyway while it works
CHUNKED = ("Transfer-Encoding", "chunked")
ONE = document(chain("one", 2))


@pytest.fixture
async def empty(shared_client: Client, shared_server: Server) -> AsyncGenerator[Client]:
    """A client of the shared service, which holds no conversation before the test, and no file after it."""
    for one in await exported(shared_client):
        await shared_client.request("DELETE", f"/api/conversations/{one['id']}")
    yield shared_client
    await until(lambda: no_files_left(shared_server), "no file is left")


def no_files_left(server: Server) -> bool:
    """Whether the process holds no file without a name, and the folder only what belongs there."""
    names = {path.name.removeprefix("chat.db") for path in server.folder.glob("*")} - {"server.log"}
    held = [target for link in Path(f"/proc/{server.pid}/fd").iterdir() if "(deleted)" in (target := _target(link))]
    return names <= {"", "-wal", "-shm", ".lock"} and held == []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed since it was listed
        return ""


def filled(size: int) -> bytes:
    """A document of exactly so many bytes."""
    one = chain("one", 2)
    one["messages"][1]["unknown"] = "x"
    start, end = spelled(document(one)).split(b'"unknown": "x')
    name = b'"unknown": "'
    return start + name + b"x" * (size - len(start) - len(name) - len(end)) + end


def in_chunks(body: bytes) -> bytes:
    pieces = [body[at : at + MIB] for at in range(0, len(body), MIB)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def head_of(length: int) -> bytes:
    return (
        b"POST /api/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % length
    )


# ── In ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_of_exactly_the_limit_is_taken_and_other_bodies_keep_theirs(empty: Client) -> None:
    assert (await take(empty, filled(MOST))).json["messages"] == 2
    again = await empty.request("POST", IMPORT, body=in_chunks(filled(MOST)), headers=[JSON, CHUNKED])
    assert (again.status, again.json["messages"]) == (200, 0)
    other = await empty.request("POST", "/api/conversations", body=filled(MOST), headers=[JSON])
    assert "MAX_BODY" not in refused(other, 413)["detail"]
    assert "Shorten" in other.json["detail"]


async def test_a_larger_one_is_refused_with_the_name_of_the_setting(empty: Client) -> None:
    for body, more in ((filled(MOST + 1), []), (in_chunks(filled(MOST + 1)), [CHUNKED])):
        reply = await empty.request("POST", IMPORT, body=body, headers=[JSON, *more])
        problem = refused(reply, 413)
        assert problem["code"] == "body_too_large"
        assert f"{MOST:,} bytes" in problem["detail"]
        assert "IMPORT_MAX_BYTES" in problem["detail"]
    assert await exported(empty) == []


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "multipart/form-data")],
        [JSON, ("Content-Encoding", "gzip")],
    ],
    ids=["nothing", "text", "a form", "compressed"],
)
async def test_what_does_not_say_that_it_is_json_is_refused(empty: Client, headers: list[tuple[str, str]]) -> None:
    refused(await empty.request("POST", IMPORT, body=spelled(ONE), headers=headers), 415)
    assert await exported(empty) == []


async def test_of_a_file_that_is_broken_at_its_end_nothing_is_taken(empty: Client) -> None:
    many = [chain(str(number), 5) for number in range(300)]
    for file in (spelled(document(*many))[:-40], spelled(document(*many, {**chain("last", 2), "head_id": "0" * 26}))):
        problem = refused(await take(empty, file), 422)
        assert (problem["code"], problem["retryable"]) == ("invalid", False)
        assert problem["detail"].endswith("Nothing was imported.")
    assert "conversations[300].head_id: There is no such message" in problem["detail"]
    assert await exported(empty) == []
    assert (await empty.request("GET", "/api/search", query={"q": "Message"})).json["items"] == []


@pytest.mark.parametrize(
    "file", [b"", b"[" * 100_000, b'{"a":' * 100_000, b'"' + b"x" * 4 * MIB, b"PK\x03\x04zip", b"[7]"]
)
async def test_whatever_else_it_is_is_refused(empty: Client, file: bytes) -> None:
    refused(await take(empty, file), 422)
    assert await exported(empty) == []


async def test_an_upload_that_is_cut_off_leaves_nothing(empty: Client, shared_server: Server) -> None:
    body = filled(4 * MIB)
    stream = await empty.wire(head_of(len(body)) + body[: 3 * MIB])
    await until(lambda: not no_files_left(shared_server), "it is being put down")
    stream.drop()
    await until(lambda: no_files_left(shared_server), "the file is gone")
    assert await exported(empty) == []
    assert (await take(empty, ONE)).status == 200, "and the next one is let in"
    assert "request.broke" not in shared_server.log


async def test_one_import_at_a_time_and_the_next_is_told_before_it_sends(empty: Client, shared_server: Server) -> None:
    body = spelled(ONE)
    first = await empty.wire(head_of(len(body)) + body[:10])
    await until(lambda: not no_files_left(shared_server), "it has begun")
    second = await empty.wire(head_of(4 * MIB))
    reply = await (await second.opened()).read()
    problem = refused(reply, 503)
    assert (problem["code"], problem["retryable"]) == ("import_busy", True)
    assert int(reply.headers["Retry-After"]) > 0
    await first.write(body[10:])
    assert (await (await first.opened()).read()).json["messages"] == 2


async def test_a_full_disk_is_told_and_the_same_file_again_makes_it_whole(empty: Client, shared_server: Server) -> None:
    await shared_server.fill_disk()
    reply = await take(empty, ONE)
    await shared_server.free_disk()
    assert refused(reply, 507)["code"] == "no_room"
    assert (await take(empty, ONE)).json == {"conversations": 1, "messages": 2, "skipped": []}


@pytest.mark.parametrize(("error", "status"), [(errno.ENOSPC, 507), (errno.EIO, 503)])
async def test_a_file_that_cannot_be_put_down_is_refused(
    error: int, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk itself is replaced: the one that is filled elsewhere is full for the database only."""

    def refuse(*_: Any) -> int:
        raise OSError(error, "no")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    monkeypatch.setattr(spool, "_written", refuse)
    scope = {"type": "http", "headers": [(b"content-type", b"application/json")]}
    with pytest.raises(StorageError) as caught:
        async with spool.spooled(Request(scope, receive), tmp_path):
            pass
    assert caught.value.status == status
    assert list(tmp_path.iterdir()) == []


# ── Out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def long(empty: Client, shared_server: Server) -> dict[str, Any]:
    """A conversation whose export is of 40 MiB."""
    full = chain("long", 400, "—" * 36_000)  # no words: they would be looked for first
    for start in range(0, 400, 40):
        some = full["messages"][: start + 40]
        reduced = [*({**one, "parts": []} for one in some[:-40]), *some[-40:]]
        reply = await take(empty, document({**full, "messages": reduced, "head_id": some[-1]["id"]}))
        assert reply.json["messages"] == 40, reply.body[:300]
    shown = {"head_id": full["head_id"]}
    assert (await empty.request("PATCH", f"/api/conversations/{full['id']}", json=shown)).status == 200
    return full


async def test_a_long_conversation_is_exported_without_being_held(
    long: dict[str, Any], empty: Client, shared_server: Server
) -> None:
    await exported(empty)  # whatever grows once has grown
    before = most = await shared_server.resident_bytes()
    sizes = []
    for path in (
        EXPORT,
        f"/api/conversations/{long['id']}/export",
        f"/api/conversations/{long['id']}/export?format=markdown",
    ):
        reading = asyncio.create_task(empty.request("GET", path))
        while not reading.done():
            most = max(most, await shared_server.resident_bytes())
            await asyncio.sleep(0.005)
        sizes.append(len((await reading).body))
    assert min(sizes) > 38 * MIB
    assert most - before < ROOM_IN_MEMORY, f"{(most - before) // MIB} MiB more for {max(sizes) // MIB} MiB"


async def test_an_export_whose_conversation_is_deleted_meanwhile_does_not_look_whole(
    long: dict[str, Any], empty: Client, shared_server: Server
) -> None:
    stream = await empty.open_stream("GET", EXPORT, receive_buffer=64 * 1024)
    assert (await empty.request("DELETE", f"/api/conversations/{long['id']}")).status == 204
    reply = await stream.read()
    assert (reply.status, stream.over) == (200, "truncated")
    refused(await take(empty, reply.body[: MOST // 2]), 422)
    assert (await empty.request("GET", "/ready")).status == 200


async def test_a_reader_that_takes_nothing_is_cut_off_and_one_that_leaves_ends_the_reading(
    long: dict[str, Any], empty: Client, shared_server: Server
) -> None:
    idle = await empty.open_stream("GET", EXPORT, receive_buffer=64 * 1024)
    leaving = await empty.open_stream("GET", EXPORT, receive_buffer=64 * 1024)
    assert connections(shared_server) >= 2
    leaving.drop()
    await until(lambda: connections(shared_server) == 0, "both are gone")
    reply = await idle.read()
    assert idle.over == "truncated"
    assert len(reply.body) < 38 * MIB


def connections(server: Server) -> int:
    """Open connections of clients (Linux)."""
    port = f":{server.port:04X}"
    lines = Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(local.endswith(port) and state == "01" for _, local, _, state, *_ in fields)
