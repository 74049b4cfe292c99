"""A page of another origin, in a real browser, cannot make the service buy or tell anything."""

import json
from typing import Any

import pytest
from playwright.async_api import Page

from tests.support.browser import Pages, listen, stand_on
from tests.support.client import CHAT, Client
from tests.support.fixtures import Serve
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

OPENED = '"path": "/opened"'
OUTCOME = """
([tag, url]) => new Promise((tell) => {
  const element = document.createElement(tag);
  element.onload = () => tell("loaded");
  element.onerror = () => tell("refused");
  if (tag === "link") { element.rel = "stylesheet"; element.href = url; } else { element.src = url; }
  document.body.append(element);
})
"""
FETCH = """
async ([url, init]) => {
  try {
    const response = await fetch(url, init);
    return { type: response.type, status: response.status, text: await response.text() };
  } catch (error) { return { error: error.name }; }
}
"""
PREFETCH = """
(url) => {
  const link = document.createElement("link");
  Object.assign(link, { rel: "prefetch", href: url });
  document.head.append(link);
}
"""
FETCHES: list[dict[str, Any]] = [
    {"method": "GET", "credentials": "include"},
    {"method": "GET", "mode": "no-cors"},
    {"method": "HEAD", "mode": "no-cors"},
    {"method": "POST", "body": '{"message": "bought"}'},
    {"method": "POST", "mode": "no-cors", "body": '{"message": "bought"}'},
    {"method": "POST", "body": '{"message": "bought"}', "headers": {"Content-Type": "application/json"}},
    {"method": "GET", "headers": {"Last-Event-ID": "0" * 26 + "-0-0"}},
]
SUBMIT = """
([url, enctype, fields]) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: url, enctype });
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}
"""


def chat_url(server: Server, message: str = "bought") -> str:
    return f"{server.url}{CHAT}?message={message}"


def requests_of_the_page(server: Server) -> list[dict[str, Any]]:
    """The service's own log of requests since the page was opened."""
    since = server.log.rpartition(OPENED)[2].splitlines()[1:]
    return [
        line for text in since if '"event": "request"' in text and text.endswith("}") for line in [json.loads(text)]
    ]


@pytest.fixture(params=["other site", "same site"])
async def evil_page(
    request: pytest.FixtureRequest, browser_page: Page, pages: Pages, shared_client: Client, shared_server: Server
) -> Page:
    """A page that may not ask: of another site (by name), or of another port of the same machine (by address)."""
    marks = shared_server.log.count(OPENED)
    await shared_client.request("GET", "/opened")
    await until(lambda: shared_server.log.count(OPENED) > marks, "the mark is in the log")
    pages.add("/evil", "<!doctype html><title>evil</title><body>")
    await browser_page.goto((pages.named_origin if request.param == "other site" else pages.origin) + "/evil")
    return browser_page


async def nothing_was_bought(server: Server, upstream: Upstream, requests: int = 1) -> None:
    """So many requests of the page arrived, were refused, and did not reach the upstream."""

    def statuses() -> list[int]:
        return [line["status"] for line in requests_of_the_page(server) if line["path"] == CHAT]

    await until(lambda: len(statuses()) >= requests, f"{requests} requests of the page are answered")
    assert set(statuses()) <= {403, 415}
    client = Client(server.port)
    assert (await client.ask("The marker")).done
    client.close()
    assert [request.question for request in upstream.requests] == ["The marker"]


async def test_an_event_source_of_another_page_gets_nothing_and_buys_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    for credentials in (False, True):
        source = await listen(evil_page, chat_url(shared_server), name=f"{credentials}", credentials=credentials)
        seen = await source.closed()
        assert (seen["events"], seen["opens"]) == ([], 0)
    await nothing_was_bought(shared_server, shared_upstream, requests=2)


async def test_elements_of_another_page_buy_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    tags = ("img", "script", "link", "iframe", "video")
    for tag in tags:
        outcome = await evil_page.evaluate(OUTCOME, [tag, chat_url(shared_server, tag)])
        assert outcome == ("loaded" if tag == "iframe" else "refused")  # a frame shows any answer
    await nothing_was_bought(shared_server, shared_upstream, requests=len(tags))


async def test_a_fetch_of_another_page_reads_nothing_and_buys_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    for init in FETCHES:
        url = f"{shared_server.url}{CHAT}" if "body" in init else chat_url(shared_server)
        outcome = await evil_page.evaluate(FETCH, [url, init])
        unread = init.get("mode") == "no-cors"
        assert outcome == ({"type": "opaque", "status": 0, "text": ""} if unread else {"error": "TypeError"}), init
    await nothing_was_bought(shared_server, shared_upstream, requests=len(FETCHES))


@pytest.mark.parametrize("enctype", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_of_another_page_buys_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream, enctype: str
) -> None:
    fields = {'{"message": "bought", "x': '": 1}'} if enctype == "text/plain" else {"message": "bought"}
    await evil_page.evaluate(SUBMIT, [f"{shared_server.url}{CHAT}", enctype, fields])
    await nothing_was_bought(shared_server, shared_upstream)


async def test_a_link_of_another_page_to_the_stream_buys_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    await evil_page.set_content(f'<a href="{chat_url(shared_server)}">win a prize</a>')
    await evil_page.click("a")
    await nothing_was_bought(shared_server, shared_upstream)


async def test_a_new_window_and_a_redirect_of_another_page_buy_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    async with evil_page.expect_popup():
        await evil_page.evaluate("(url) => { window.open(url); }", chat_url(shared_server, "popup"))
    await evil_page.evaluate("(url) => { location.replace(url); }", chat_url(shared_server, "replaced"))
    await nothing_was_bought(shared_server, shared_upstream, requests=2)


async def test_a_prefetch_of_another_page_buys_nothing(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    await evil_page.evaluate(PREFETCH, chat_url(shared_server))
    await nothing_was_bought(shared_server, shared_upstream)


async def test_a_link_of_another_page_to_the_documentation_works(
    evil_page: Page, shared_server: Server, shared_upstream: Upstream
) -> None:
    await evil_page.set_content(f'<a href="{shared_server.url}/docs">read the documentation</a>')
    async with evil_page.expect_navigation() as shown:
        await evil_page.click("a")
    response = await shown.value
    assert (response.status, response.url) == (200, f"{shared_server.url}/docs")
    await evil_page.wait_for_selector(".opblock")
    assert shared_upstream.calls == 0


async def test_a_page_of_another_origin_cannot_frame_the_documentation(evil_page: Page, shared_server: Server) -> None:
    async with evil_page.expect_response(lambda response: "/docs" in response.url) as answered:
        await evil_page.evaluate(OUTCOME, ["iframe", f"{shared_server.url}/docs"])
    assert (await answered.value).status == 403


async def test_our_own_pages_may_ask(browser_page: Page, shared_server: Server, shared_upstream: Upstream) -> None:
    await stand_on(browser_page, shared_server.url)
    source = await listen(browser_page, chat_url(shared_server, "ours"))
    assert [json.loads(event["data"]) for event in (await source.closed())["events"]][-1] == {"done": True}
    assert [request.question for request in shared_upstream.requests] == ["ours"]


async def test_a_listed_page_may_ask_by_event_source_and_by_fetch(
    browser_page: Page, pages: Pages, serve: Serve, upstream: Upstream
) -> None:
    server = await serve(CORS_ORIGINS=f"http://localhost:5173,{pages.named_origin}")
    await browser_page.goto(pages.named_origin)
    source = await listen(browser_page, chat_url(server, "by-get"), credentials=True)
    seen = await source.closed()
    assert json.loads(seen["events"][-1]["data"]) == {"done": True}
    init = {
        "method": "POST",
        "credentials": "include",
        "headers": {"Content-Type": "application/json", "Idempotency-Key": "one", "X-Anything": "at all"},
        "body": '{"message": "by-post"}',
    }
    outcome = await browser_page.evaluate(FETCH, [f"{server.url}{CHAT}", init])
    assert outcome["status"] == 200
    assert outcome["text"].endswith('data: {"done": true}\n\n')
    assert [request.question for request in upstream.requests] == ["by-get", "by-post"]
