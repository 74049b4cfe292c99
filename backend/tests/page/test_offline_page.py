"""The page without its service: what it says, and that it opens all the same once it was here."""

import signal

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.server import Server
from tests.support.waiting import until
from tests.support.watched import Watched, watched

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
