"""A body is measured while it is read: refused when it is too large, told so, and never held in memory."""

import asyncio
import contextlib

import pytest

from tests.support.client import CHAT, JSON, Client
from tests.support.fixtures import Serve
from tests.support.problems import refused
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.wire_client import Reply, Stream

MIB = 2**20
MOST = 4 * MIB
CHUNKED = ("Transfer-Encoding", "chunked")
ROOM_IN_MEMORY = 24 * MIB  # for bodies of 4 MiB, held by the parser and by Python for a moment


def body_of(size: int) -> bytes:
    """A valid body of exactly `size` bytes: the history's ignored keys fill it."""
    start, end = b'{"message":"hello","history":[{"role":"user","content":"a","x":"', b'"}]}'
    return start + b"x" * (size - len(start) - len(end)) + end


def chunks(body: bytes, size: int = 64 * 1024) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def patient(client: Client, method: str, path: str, *headers: tuple[str, str], body: bytes) -> Reply:
    """As a client that sends all of its request before it reads a byte of the answer."""
    lines = [("Host", f"127.0.0.1:{client.port}"), *headers]
    stream: Stream = await client.wire(
        f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in lines) + b"\r\n"
    )
    await stream.write(body)  # a ConnectionError here is a client that cannot read why
    return await (await stream.opened()).read()


async def test_a_body_of_exactly_the_limit_is_read(shared_client: Client, shared_upstream: Upstream) -> None:
    body = body_of(MOST)
    assert (await patient(shared_client, "POST", CHAT, JSON, ("Content-Length", str(MOST)), body=body)).status == 200
    assert (await patient(shared_client, "POST", CHAT, JSON, CHUNKED, body=chunks(body))).status == 200
    assert shared_upstream.calls == 2


@pytest.mark.parametrize("size", [MOST + 1, 10 * MIB, 15 * MIB])
async def test_a_larger_one_is_refused_and_the_client_that_sends_it_all_reads_the_answer(
    shared_client: Client, shared_upstream: Upstream, size: int
) -> None:
    body = body_of(size)
    with_length = await patient(shared_client, "POST", CHAT, JSON, ("Content-Length", str(size)), body=body)
    in_chunks = await patient(shared_client, "POST", CHAT, JSON, CHUNKED, body=chunks(body))
    for reply in (with_length, in_chunks):
        problem = refused(reply, 413)
        assert (problem["code"], problem["retryable"]) == ("body_too_large", False)
        assert f"{MOST:,}" in problem["detail"]
        assert reply.headers["connection"] == "close"
    assert shared_upstream.calls == 0


async def test_it_is_refused_while_it_is_read_and_not_at_its_end(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    stream = await shared_client.wire(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        % CHAT.encode()
    )
    await stream.write(b"%x\r\n%b\r\n" % (MOST + 1, b"x" * (MOST + 1)))  # and its end never comes
    refused(await (await stream.opened()).read(), 413)
    assert shared_upstream.calls == 0


async def test_a_client_that_waits_for_leave_is_refused_before_it_sends(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    headers = [JSON, ("Content-Length", str(100 * MIB)), ("Expect", "100-continue")]
    began = asyncio.get_running_loop().time()
    refused(await patient(shared_client, "POST", CHAT, *headers, body=b""), 413)
    assert asyncio.get_running_loop().time() - began < 1.5
    assert shared_upstream.calls == 0


@pytest.mark.parametrize("length", ["99999999999999999999999", "9" * 400])
async def test_a_length_beyond_all_numbers_is_refused(
    shared_client: Client, shared_upstream: Upstream, length: str
) -> None:
    headers = [JSON, ("Content-Length", length), ("Expect", "100-continue")]
    assert (await patient(shared_client, "POST", CHAT, *headers, body=b"")).status in (400, 413)
    assert shared_upstream.calls == 0


async def test_addresses_that_take_no_body_are_not_broken_by_one(
    shared_client: Client, shared_upstream: Upstream, shared_server: Server
) -> None:
    body = chunks(b"x" * (6 * MIB))
    run_id = (await shared_client.ask("Ask first")).run_id
    for method, path in (
        ("GET", "/health"),
        ("GET", f"/api/runs/{run_id}"),
        ("GET", f"/api/runs/{run_id}/events"),
        ("POST", f"/api/runs/{run_id}/cancel"),
        ("GET", f"{CHAT}?message=with+a+body"),
    ):
        reply = await patient(shared_client, method, path, CHUNKED, body=body)
        if reply.status == 413:
            refused(reply, 413)
        else:
            assert reply.status in (200, 202), path
            assert "stream" not in reply.headers["content-type"] or b'{"done": true}' in reply.body, path
    assert "request.broke" not in shared_server.log


async def test_memory_stays_flat_under_bodies_that_are_too_large(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    body = chunks(body_of(12 * MIB))

    async def at_once(number: int) -> None:
        refusals = [patient(shared_client, "POST", CHAT, JSON, CHUNKED, body=body) for _ in range(number)]
        assert [reply.status for reply in await asyncio.gather(*refusals)] == [413] * number

    await at_once(1)
    before = most = await shared_server.resident_bytes()
    sending = asyncio.create_task(at_once(10))
    while not sending.done():
        most = max(most, await shared_server.resident_bytes())
        await asyncio.sleep(0.005)
    await sending
    assert most - before < 10 * MOST + ROOM_IN_MEMORY, f"{(most - before) // MIB} MiB for 120 MiB of bodies"
    settled = 0
    for _ in range(5):  # which of them has most of its bodies here at once is chance, and the allocator keeps that room
        await at_once(10)
        settled = max(settled, await shared_server.resident_bytes())
    for _ in range(4):
        await at_once(10)
    grown = await shared_server.resident_bytes() - settled
    assert grown < ROOM_IN_MEMORY, f"{grown // MIB} MiB more after 480 MiB of bodies"
    assert shared_upstream.calls == 0


async def test_a_body_that_never_ends_does_not_hold_the_answer_for_ever(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    """16 MiB are dropped at most: after that, whoever still sends is cut off."""
    stream = await shared_client.wire(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        % CHAT.encode()
    )
    piece = chunks(b"x" * MIB, MIB).removesuffix(b"0\r\n\r\n")

    async def send_for_ever() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await stream.write(piece)

    sending = asyncio.create_task(send_for_ever())
    try:
        await until(sending.done, "the service hangs up on a body without an end", timeout=10)
    finally:
        sending.cancel()
    assert shared_upstream.calls == 0


async def test_the_limit_is_a_setting(serve: Serve, upstream: Upstream) -> None:
    server = await serve(MAX_BODY_BYTES=2048)
    client = Client(server.port)
    for size, status in ((2048, 200), (2049, 413)):
        assert (await client.request("POST", CHAT, body=body_of(size), headers=[JSON])).status == status
    client.close()
    assert upstream.calls == 1
