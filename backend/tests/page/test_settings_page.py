"""Settings, shortcuts, data in and out, and being offline."""

import json
import signal

from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from tests.support.client import Client
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.watched import Watched, watched

SHARED_SETTINGS = {"TITLES": 0}
NOTHING_REACHED = "The service cannot be reached. Trying again…"


def message_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


async def test_language_and_theme_change_at_once_and_stay(shared_visitor: Watched) -> None:
    page = await shared_visitor.open("/settings/general")
    await page.get_by_role("radio", name="한국어").check()
    await expect(page.get_by_role("heading", name="일반")).to_be_visible()
    await page.get_by_role("radio", name="어둡게").check()
    for _ in range(2):
        await expect(page.locator("html")).to_have_attribute("lang", "ko")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await page.reload()


async def test_with_ctrl_enter_chosen_enter_makes_a_line(shared_upstream: Upstream, shared_visitor: Watched) -> None:
    page = await shared_visitor.open("/settings/general")
    await page.get_by_role("radio", name="Ctrl + Enter").check()
    await page.get_by_role("link", name="New chat").first.click()
    await message_field(page).fill("one")
    await message_field(page).press("Enter")
    await message_field(page).press_sequentially("two")
    await expect(message_field(page)).to_have_value("one\ntwo")
    assert shared_upstream.calls == 0
    await message_field(page).press("Control+Enter")
    await shared_upstream.request()
    assert shared_upstream.requests[0].json["messages"][-1]["content"] == "one\ntwo"


async def test_shortcuts_open_what_they_say_and_never_eat_what_is_typed(shared_visitor: Watched) -> None:
    page = await shared_visitor.open()
    await expect(message_field(page)).to_be_focused()
    await page.keyboard.type("what? /no")
    await expect(message_field(page)).to_have_value("what? /no")
    await message_field(page).fill("")
    await page.keyboard.press("Control+b")
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    await page.keyboard.press("Control+b")
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    await message_field(page).blur()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(message_field(page)).to_be_focused()


async def test_an_export_is_imported_once(shared_client: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(shared_client, title="Moved in")
    await talk.ask("Hello?")
    exported = (await shared_client.request("GET", f"{talk.path}/export")).text
    await talk.delete()
    page = await shared_visitor.open("/settings/data")
    file = FilePayload(name="mine.json", mimeType="application/json", buffer=exported.encode())
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_text("was imported.")).to_be_visible()
    await expect(page.get_by_role("link", name="Moved in", exact=True)).to_be_visible()
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_text("Nothing was added.")).to_be_visible()


async def test_a_broken_file_changes_nothing_and_says_why(shared_visitor: Watched) -> None:
    page = await shared_visitor.open("/settings/data")
    broken = json.dumps({"format": "ai-chat-service", "version": 1, "conversations": [{}]})[:-4]
    await page.locator("input[type=file]").set_input_files(
        FilePayload(name="broken.json", mimeType="application/json", buffer=broken.encode())
    )
    await expect(page.get_by_text("was not imported.")).to_be_visible()


async def test_being_offline_is_said_and_forgotten_when_the_network_is_back(shared_visitor: Watched) -> None:
    page = await shared_visitor.open()
    await expect(message_field(page)).to_be_visible()
    await shared_visitor.context.set_offline(True)
    await expect(page.get_by_text("You are offline.")).to_be_visible()
    await shared_visitor.context.set_offline(False)
    await expect(page.get_by_text("You are offline.")).to_have_count(0)


async def test_a_service_that_is_away_is_said_until_it_is_back(server: Server, visitor: Watched) -> None:
    page = await visitor.open()
    await expect(message_field(page)).to_be_visible()
    server.send_signal(signal.SIGKILL)
    await server.wait()
    await expect(page.get_by_text(NOTHING_REACHED)).to_be_visible()
    await server.start()
    await expect(page.get_by_text(NOTHING_REACHED)).to_have_count(0)


async def test_an_installed_page_opens_without_the_service(server: Server, browser: Browser) -> None:
    async with watched(browser, server.url, service_workers="allow") as visitor:
        page = await visitor.open()
        await expect(message_field(page)).to_be_visible()
        await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        await page.reload()  # from here on the worker serves the page
        await expect(message_field(page)).to_be_visible()
        await server.kill()
        again = await visitor.open("/c/01aaaaaaaaaaaaaaaaaaaaaaaa")
        await expect(again.get_by_text(NOTHING_REACHED)).to_be_visible()
