"""The page without its service: what it says, and that it opens all the same once it was here."""

import signal

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.client import Client
from tests.support.script import say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.watched import DESK, PHONE, Watched, accessibility_problems, watched

SHARED_SETTINGS = {"TITLES": 0}
OFFLINE = "You are offline."
NOTHING_REACHED = "The service cannot be reached. Trying again…"

_KEPT = """
async () => {
  await navigator.serviceWorker.ready;
  const kept = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
  return kept.flat().map((request) => new URL(request.url).pathname);
}
"""


def message_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


async def test_being_offline_is_said_and_forgotten_when_the_network_is_back(shared_visitor: Watched) -> None:
    page = await shared_visitor.open()
    await message_field(page).fill("Half a thought")
    await shared_visitor.context.set_offline(True)
    await expect(page.get_by_role("status").filter(has_text=OFFLINE)).to_be_visible()
    await shared_visitor.context.set_offline(False)
    await expect(page.get_by_text(OFFLINE)).to_have_count(0)
    await expect(message_field(page)).to_have_value("Half a thought")


# What the sentence of being offline lies over: whatever a person would hit or read there instead. Null until it stands.
_COVERED = """
(status) => {
  const notice = status.querySelector("p");
  const moves = status.getAnimations({ subtree: true }).some(({ playState }) => playState !== "finished");
  if (!notice || moves) return null;
  const { left, right, top, bottom } = notice.getBoundingClientRect();
  notice.style.visibility = "hidden";
  const covered = new Set();
  for (let x = left + 1; x < right; x += 5) {
    for (let y = top + 1; y < bottom; y += 5) {
      const here = document.elementsFromPoint(x, y).filter((one) => one.matches("button, a, h1, p, input, textarea"));
      here.forEach(({ outerHTML }) => covered.add(outerHTML));
    }
  }
  notice.style.visibility = "";
  return [...covered];
}
"""


@pytest.mark.parametrize("width", [DESK, PHONE])
async def test_that_one_is_offline_covers_nothing_of_the_page(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream, browser: Browser, width: int
) -> None:
    talk = await Talk.begin(shared_client, title="A title that stands in the middle of the bar")
    shared_upstream.script(*say("A first line.\n\n" * 60))
    await talk.ask("Hello")
    async with watched(browser, shared_server.url, width=width) as visitor:
        page = await visitor.open(f"/c/{talk.id}")
        await expect(page.get_by_text("A first line.").last).to_be_in_viewport()
        await visitor.context.set_offline(True)
        notice = page.get_by_role("status").filter(has_text=OFFLINE)
        await until(lambda: _covers_nothing(notice), "the sentence stands where nothing else does")
        await expect(page.get_by_text("A first line.").last).to_be_in_viewport()
        await expect(message_field(page)).to_be_in_viewport(ratio=1)
        await expect(page.get_by_role("button", name="Model:")).to_be_in_viewport(ratio=1)
        assert await accessibility_problems(page) == []


async def _covers_nothing(notice: Locator) -> bool:
    return await notice.evaluate(_COVERED) == []


async def test_a_service_that_is_away_is_said_until_it_is_back(server: Server, visitor: Watched) -> None:
    page = await visitor.open()
    await message_field(page).fill("Half a thought")
    server.send_signal(signal.SIGKILL)
    await server.wait()
    await expect(page.get_by_role("status").filter(has_text=NOTHING_REACHED)).to_be_visible()
    await server.start()
    await expect(page.get_by_text(NOTHING_REACHED)).to_have_count(0)
    await expect(message_field(page)).to_have_value("Half a thought")


async def test_an_installed_page_opens_without_the_service(server: Server, browser: Browser) -> None:
    async with watched(browser, server.url, service_workers="allow") as visitor:
        page = await visitor.open()
        await expect(message_field(page)).to_be_visible()
        kept = await page.evaluate(_KEPT)
        assert "/index.html" in kept
        await page.reload()  # from here on the worker serves the page
        await expect(message_field(page)).to_be_visible()
        await server.kill()
        again = await visitor.context.new_page()
        await again.clock.install()
        await again.goto(f"{visitor.origin}/c/01aaaaaaaaaaaaaaaaaaaaaaaa")
        await expect(again.get_by_text(NOTHING_REACHED)).to_be_visible()
        gone_quiet = again.get_by_role("heading", name="Your conversations are kept by the service.")
        await until(lambda: _is_shown_later(again, gone_quiet), "the page says that it waits for the service")
        await server.start()
        conversations = again.get_by_role("navigation", name="Conversations")
        await until(lambda: _is_shown_later(again, conversations), "the page is whole again")
        await expect(again.get_by_text(NOTHING_REACHED)).to_have_count(0)


async def _is_shown_later(page: Page, what: Locator) -> bool:
    """Whether it is shown after another second of the page's time: it asks again less and less often."""
    await page.clock.run_for(1_000)
    return await what.is_visible()


async def test_an_installed_page_keeps_its_own_files_and_nothing_that_anybody_said(
    shared_server: Server, browser: Browser
) -> None:
    async with watched(browser, shared_server.url, service_workers="allow") as visitor:
        page = await visitor.open()
        await page.evaluate(_KEPT)
        await page.reload()
        await expect(message_field(page)).to_be_visible()
        kept = await page.evaluate(_KEPT)
        assert any(path.startswith("/assets/") for path in kept)
        assert [path for path in kept if path.startswith(("/api/", "/v1/"))] == []
