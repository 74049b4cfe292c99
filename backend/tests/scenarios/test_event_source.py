"""A native EventSource in Chromium, with nothing but handlers: it never calls close(), and it need not."""

import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Page

from tests.support.browser import NativeSource, Pages, listen
from tests.support.client import CHAT
from tests.support.fixtures import Serve
from tests.support.proxy import Proxy, Rule
from tests.support.script import Fin, Gate, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

WORDS = [f"{number}번째 👋 " for number in range(50)]
TEXT = "".join(WORDS)


@pytest.fixture
async def line(shared_server: Server) -> AsyncGenerator[Proxy]:
    """A network in front of the shared service, which can be cut."""
    async with Proxy(shared_server.port) as proxy:
        yield proxy


def asked(url: str, message: str, key: str = "") -> str:
    return f"{url}{CHAT}?message={quote(message)}" + (f"&key={key}" if key else "")


def requests(server: Server, since: int = 0) -> list[tuple[str, int]]:
    """Method and status of every request for the chat that the service has logged."""
    told = [json.loads(line) for line in server.log[since:].splitlines() if '"request"' in line]
    return [(each["method"], each["status"]) for each in told if each["path"] == CHAT]


async def stand_on(page: Page, origin: str) -> None:
    """Show an empty page of `origin` without asking its server for anything, not even for an icon."""
    html = '<!doctype html><link rel="icon" href="data:,"><title>empty</title>'
    await page.route(f"{origin}/empty", lambda route: route.fulfill(content_type="text/html", body=html))
    await page.goto(f"{origin}/empty")


async def say_some(upstream: Upstream, source: NativeSource, words: int = 10) -> None:
    """Let the page see so many words, one by one."""
    for number in range(1, words + 1):
        upstream.open("word", 1)
        await source.events(1 + number)


def cursors(proxy: Proxy) -> list[str]:
    """The `Last-Event-ID` of every request that came through; empty for one without."""
    found: list[str] = []
    for head in proxy.heads:
        lines = [line.partition(": ") for line in head.split("\r\n")]
        found.append(next((value for name, _, value in lines if name.lower() == "last-event-id"), ""))
    return found


def done(seen: dict[str, Any]) -> int:
    return sum(event["data"] == '{"done": true}' for event in seen["events"])


async def test_a_page_that_never_closes_gets_one_answer_then_one_204_and_then_there_is_silence(
    shared_server: Server, shared_upstream: Upstream, line: Proxy, browser_page: Page
) -> None:
    shared_upstream.script(*say(*WORDS))
    since = len(shared_server.log)
    await stand_on(browser_page, line.url)
    source = await listen(browser_page, asked(line.url, "never close"))
    seen = await source.closed()
    assert (await source.text(), done(seen), seen["opens"], seen["errors"]) == (TEXT, 1, 1, 2)
    assert cursors(line) == ["", seen["events"][-1]["id"]]
    assert cursors(line)[1].endswith("-end-2")
    await until(lambda: len(requests(shared_server, since)) >= 2, "both requests are logged")
    assert requests(shared_server, since) == [("GET", 200), ("GET", 204)]
    later = await listen(browser_page, asked(line.url, "another"), name="two")  # two reconnects' time goes by
    await later.closed()
    assert (await source.look())["state"] == 2
    assert requests(shared_server, since) == [("GET", 200), ("GET", 204)] * 2
    assert shared_upstream.calls == 2


async def test_a_page_that_is_cut_in_the_middle_goes_on_by_itself(
    shared_server: Server, shared_upstream: Upstream, line: Proxy, browser_page: Page
) -> None:
    shared_upstream.script(*say(*WORDS, gate="word"))
    await stand_on(browser_page, line.url)
    source = await listen(browser_page, asked(line.url, "cut me"))
    await say_some(shared_upstream, source)
    await line.cut_all("rst")
    shared_upstream.open("word")
    seen = await source.closed()
    assert (await source.text(), done(seen)) == (TEXT, 1)
    _, first, last = cursors(line)
    assert first == seen["events"][10]["id"] == f"{last[:26]}-0-{len(''.join(WORDS[:10]))}"
    assert last.endswith("-end-2")
    assert shared_upstream.calls == 1


async def test_a_page_that_is_cut_before_the_first_token_attaches_to_the_answer_it_asked_for(
    shared_server: Server, shared_upstream: Upstream, line: Proxy, browser_page: Page
) -> None:
    shared_upstream.script(Gate("model"), *say(*WORDS))
    await stand_on(browser_page, line.url)
    source = await listen(browser_page, asked(line.url, "impatient"))
    await source.events(1)  # the prelude
    await line.cut_all("fin")
    shared_upstream.open("model")
    seen = await source.closed()
    assert (await source.text(), done(seen), shared_upstream.calls) == (TEXT, 1, 1)
    assert cursors(line)[1].endswith("-0-0")


@pytest.mark.parametrize("key", ["5a1f9d1c-5d0e-4a57-9f3b-0f6a3c1f2b11", ""])
async def test_a_page_that_is_cut_before_the_first_byte_attaches_to_the_answer_it_asked_for(
    shared_server: Server, shared_upstream: Upstream, line: Proxy, browser_page: Page, key: str
) -> None:
    shared_upstream.script(*say(*WORDS, gate="word"))
    shared_upstream.open("word", 3)
    line.next(Rule(response=200))  # inside the head: the page learns nothing
    await stand_on(browser_page, line.url)
    source = await listen(browser_page, asked(line.url, f"no byte {key}", key))
    await until(lambda: len(cursors(line)) > 1, "it asks again")
    shared_upstream.open("word")
    seen = await source.closed()
    assert (await source.text(), done(seen), shared_upstream.calls) == (TEXT, 1, 1)
    assert cursors(line)[:2] == ["", ""]


async def test_a_page_hears_of_a_failure_once_and_then_there_is_silence(
    shared_server: Server, shared_upstream: Upstream, line: Proxy, browser_page: Page
) -> None:
    shared_upstream.script(Status(), Send(chunk("half")), Fin())
    await stand_on(browser_page, line.url)
    source = await listen(browser_page, asked(line.url, "broken"))
    seen = await source.closed()
    failures = [event for event in seen["events"] if '"error"' in event["data"]]
    assert [json.loads(event["data"])["error"]["code"] for event in failures] == ["upstream_interrupted"]
    assert (await source.text(), done(seen), len(cursors(line)), shared_upstream.calls) == ("half", 1, 2, 1)


async def test_a_page_of_a_listed_origin_reconnects_without_any_preflight(
    serve: Serve, upstream: Upstream, pages: Pages, browser_page: Page
) -> None:
    server = await serve(CORS_ORIGINS=pages.named_origin)
    upstream.script(*say(*WORDS, gate="word"))
    async with Proxy(server.port) as proxy:
        await browser_page.goto(f"{pages.named_origin}/")
        source = await listen(browser_page, asked(proxy.url, "from elsewhere"), credentials=True)
        await say_some(upstream, source)
        await proxy.cut_all("rst")
        upstream.open("word")
        seen = await source.closed()
        assert (await source.text(), done(seen), upstream.calls) == (TEXT, 1, 1)
        assert [head.split(" ")[0] for head in proxy.heads] == ["GET"] * 3
    await until(lambda: len(requests(server)) >= 3, "all requests are logged")
    assert requests(server) == [("GET", 200), ("GET", 200), ("GET", 204)]
    assert '"OPTIONS"' not in server.log


async def test_a_page_of_an_origin_that_is_not_listed_gets_nothing_and_buys_nothing(
    shared_server: Server, shared_upstream: Upstream, pages: Pages, browser_page: Page
) -> None:
    since = len(shared_server.log)
    await browser_page.goto(f"{pages.named_origin}/")
    source = await listen(browser_page, asked(shared_server.url, "stranger"))
    seen = await source.closed()
    await until(lambda: requests(shared_server, since), "the request is logged")
    assert (seen["events"], requests(shared_server, since), shared_upstream.calls) == ([], [("GET", 403)], 0)
