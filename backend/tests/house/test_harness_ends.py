"""The harness does what its docstrings say: proxy, client, disk and browser. Nothing here needs the service."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.support import sockets
from tests.support.browser import Pages, listen, stand_on
from tests.support.client import Client, client_of, read_answer
from tests.support.proxy import Proxy, Rule
from tests.support.script import (
    Cut,
    Fin,
    Gate,
    Hang,
    Reset,
    Send,
    Status,
    event,
    say,
    serve_body,
)
from tests.support.server import BACKEND
from tests.support.sse import NotBare
from tests.support.upstream import Upstream

BODY = (
    b'id: a-0-1\ndata: {"chunk": "one "}\n\nid: a-0-2\ndata: {"chunk": "two"}\n\nid: a-end-2\ndata: {"done": true}\n\n'
)


# ── the proxy ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_proxy_cuts_after_exactly_n_bytes(upstream: Upstream) -> None:
    upstream.otherwise(*serve_body(BODY))
    async with Proxy(upstream.port) as proxy, client_of(proxy.port) as client:
        reply = await client.open_stream("GET", "/")
        await reply.read()
        whole_wire = bytes(reply.wire)
        for n in (len(whole_wire) - 1, len(whole_wire) - 40, reply.head_bytes + 1, reply.head_bytes):
            proxy.next(Rule(response=n, end="rst"), Rule(response=n, end="fin"))
            for _ in range(2):
                opened = await client.open_stream("GET", "/")
                await opened.read()
                assert (bytes(opened.wire), opened.over) == (whole_wire[:n], "truncated")
        proxy.next(Rule(response=5))
        with pytest.raises(ConnectionResetError, match="HTTP/"):
            await client.open_stream("GET", "/")
        cut = proxy.connections[-1]
        assert (cut.response_bytes, bytes(cut.response), cut.cut.is_set()) == (5, b"HTTP/", True)
        assert cut.heads[0].startswith("GET / HTTP/1.1\r\nHost: 127.0.0.1")


async def test_the_proxy_s_reset_is_a_reset(upstream: Upstream) -> None:
    upstream.otherwise(*say("a", gate="never"))
    async with Proxy(upstream.port) as proxy:
        proxy.next(Rule(response=20, end="rst"), Rule(response=20, end="fin"))
        assert await sockets.everything_from(proxy.port) == (b"HTTP/1.1 200 Scripte", True)
        await (await upstream.request()).is_closed()
        assert await sockets.everything_from(proxy.port) == (b"HTTP/1.1 200 Scripte", False)


async def test_the_proxy_cuts_requests_and_everyone(upstream: Upstream) -> None:
    upstream.otherwise(*say("a", gate="never"))
    async with Proxy(upstream.port) as proxy, client_of(proxy.port) as client:
        proxy.next(Rule(request=0), Rule(request=30), Rule(response=0))
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await client.open_stream("POST", "/", json={"a": "b"})
        assert [(each.request_bytes, each.response_bytes) for each in proxy.connections[:2]] == [(0, 0), (30, 0)]
        assert (await upstream.request()).json == {"a": "b"}
        opened = [await client.open_stream("POST", "/", json={}) for _ in range(3)]
        assert await proxy.cut_all() == 3
        for each in opened:
            await each.read()
            assert each.over == "truncated"


async def test_a_black_hole_lets_nothing_through_and_tells_nobody(upstream: Upstream) -> None:
    async with Proxy(upstream.port) as proxy, client_of(proxy.port) as client:
        upstream.otherwise(Status(), Send(b"abc"), Gate("more"), Send(b"def"))
        opened = await client.open_stream("GET", "/")
        await opened.read_until(body=3)
        await proxy.cut_all("hole")
        upstream.open("more")
        await upstream.requests[0].answered.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await opened.read()
        assert not upstream.requests[0].closed.is_set()


async def test_the_proxy_throttles_without_swallowing(upstream: Upstream) -> None:
    upstream.otherwise(Status(), Send(b"x" * 8_000_000))
    async with Proxy(upstream.port) as proxy, client_of(proxy.port) as client:
        proxy.next(Rule(throttle=100))
        opened = await client.open_stream("GET", "/")
        await opened.read_until(body=20)
        assert upstream.requests[0].sent == 0, "the writer feels that nobody reads"


# ── the client ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_client_reads_an_answer_and_can_drop_it_anywhere(upstream: Upstream, asker: Client) -> None:
    head = Status(headers={"Content-Type": "text/event-stream", "X-Run-Id": "a"})
    upstream.otherwise(head, Send(BODY))
    answer = await asker.ask("hi", [{"role": "user", "content": "안녕"}], key="k")
    assert (answer.text, answer.done, answer.cursor, answer.run_id, answer.over) == (
        "one two",
        True,
        "a-end-2",
        "a",
        "complete",
    )
    seen = upstream.requests[0]
    assert (seen.path, seen.json["message"], seen.headers["Idempotency-Key"]) == ("/api/chat/stream", "hi", "k")
    assert seen.headers["Accept"] == "text/event-stream"
    part = await asker.ask("hi", get=True, until=1)
    assert (part.text, part.cursor, part.done, part.over) == ("one ", "a-0-1", False, "")
    assert upstream.requests[1].path == "/api/chat/stream?message=hi"
    rest = await asker.follow("a", after=part.cursor)
    assert (upstream.requests[2].path, upstream.requests[2].headers["Last-Event-ID"]) == ("/api/runs/a/events", "a-0-1")
    assert rest.frames[-1] == {"done": True}


async def test_the_bare_client_reads_only_the_document_s_frames(upstream: Upstream, asker: Client) -> None:
    error = event({"chunk": "Error: no", "error": {"code": "x"}})
    upstream.script(Status(), Cut(), Send(event({"chunk": "a"}) + error + event({"done": True})))
    upstream.script(Status(), Send(BODY))
    answer = await asker.ask("hi", bare=True)
    assert (answer.text, answer.error, answer.done) == ("a", {"code": "x"}, True)
    assert upstream.requests[0].headers.get("Accept") is None
    with pytest.raises(NotBare):
        await asker.ask("hi", bare=True)


async def test_the_client_sends_any_header_and_no_host(upstream: Upstream, asker: Client) -> None:
    await asker.request("GET", "/", host=None, headers=[("X-A", b"\xff\x00"), ("X-A", "two"), ("host", "evil")])
    assert upstream.requests[0].headers.all("x-a") == ["\ufffd\x00", "two"]
    assert upstream.requests[0].headers.all("Host") == ["evil"]
    opened = await (await asker.wire(b"GET / HTTP/1.1\r\n\r\n")).opened()
    await opened.read_until(wire=opened.head_bytes + 3)
    assert len(opened.wire) >= opened.head_bytes + 3
    assert upstream.requests[1].headers.pairs == ()


async def test_a_reader_that_does_not_read_holds_the_writer_up(upstream: Upstream, asker: Client) -> None:
    upstream.script(Status(), Send(b"x" * 20_000_000))
    opened = await asker.open_stream("GET", "/", receive_buffer=4096)
    assert await opened.drip(1000, seconds=0.3) < 1000
    assert not upstream.requests[0].answered.is_set()


async def test_an_unfinished_answer_is_told_as_truncated(upstream: Upstream, asker: Client) -> None:
    upstream.script(Status(), Send(BODY[:-30]), Fin())
    answer = await read_answer(await asker.open_stream("GET", "/"))
    assert (answer.text, answer.done, answer.over, answer.cursor) == ("one two", False, "truncated", "a-0-2")


# ── processes and the browser ────────────────────────────────────────────────────────────────────────────────────────

FILLING = """
import os, signal, sqlite3, sys
from tests.support import full_disk
full_disk.install()
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL"); db.execute("CREATE TABLE t (x)")
insert = lambda: db.execute("INSERT INTO t VALUES (zeroblob(1000))")
insert()
os.kill(os.getpid(), signal.SIGUSR1)
try: insert()
except sqlite3.OperationalError as error: print(error.sqlite_errorname)
os.kill(os.getpid(), signal.SIGUSR2)
insert()
print(db.execute("SELECT count(*) FROM t").fetchone()[0])
"""


def test_a_full_disk_is_one_for_sqlite_and_can_be_freed(tmp_path: Path) -> None:
    database = tmp_path / "full.db"
    told = subprocess.run(
        [sys.executable, "-c", FILLING, str(database)], cwd=BACKEND, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() in (["SQLITE_FULL", "2"], ["SQLITE_IOERR_WRITE", "2"]), told.stderr
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_a_native_event_source_reconnects_with_its_cursor(
    upstream: Upstream, pages: Pages, browser_page: Page
) -> None:
    allowed = {"Content-Type": "text/event-stream", "Access-Control-Allow-Origin": "*"}
    first = b'retry: 10\nid: a-0-1\ndata: {"chunk": "one "}\n\n'
    upstream.script(Status(headers=allowed), Send(first), Gate("seen"), Reset())
    upstream.script(Status(headers=allowed), Send(b'id: a-0-2\ndata: {"chunk": "two"}\n\n'), Gate("seen too"), Fin())
    upstream.otherwise(Status(204, {}, framing="length"))
    await browser_page.goto(pages.origin)
    source = await listen(browser_page, f"http://127.0.0.1:{upstream.port}/")
    await source.events(1)  # a reset that comes before the page was told may take the event with it
    upstream.open("seen")
    await source.events(2)  # so may a body that breaks off
    upstream.open("seen too")
    seen = await source.closed()
    assert await source.text() == "one two"
    assert (seen["opens"], [each["id"] for each in seen["events"]]) == (2, ["a-0-1", "a-0-2"])
    assert [each.headers.get("Last-Event-ID") for each in upstream.requests] == [None, "a-0-1", "a-0-2"]


async def test_a_page_can_stand_on_any_origin(upstream: Upstream, pages: Pages, browser_page: Page) -> None:
    upstream.otherwise(Status(headers={"Content-Type": "text/event-stream"}), Send(BODY), Hang())
    await stand_on(browser_page, f"http://127.0.0.1:{upstream.port}")
    source = await listen(browser_page, "/stream")
    await source.events(3)
    assert await source.text() == "one two"
    assert upstream.requests[0].headers.get("Origin") is None
    await browser_page.goto(pages.add("/evil", "<title>evil</title>"))
    assert await browser_page.title() == "evil"
    assert pages.named_origin.startswith("http://localhost:")
