"""Settings, shortcuts, and data in and out."""

import asyncio
import json
import re

from playwright.async_api import FilePayload, Locator, Page, Route, expect

from tests.support.client import Client
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.watched import Watched

SHARED_SETTINGS = {"TITLES": 0}


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
    await page.reload()
    await expect(page.get_by_role("radio", name="Ctrl + Enter")).to_be_checked()
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
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Search conversations").get_by_role("combobox")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_have_count(0)
    await expect(message_field(page)).to_have_value("what? /no")
    await message_field(page).fill("")
    await page.keyboard.press("Control+b")
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_hidden()
    await page.keyboard.press("Control+b")
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    await message_field(page).blur()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_have_count(0)  # what lies over the page keeps the keys to itself
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("/")
    await expect(message_field(page)).to_be_focused()


def added(page: Page, what: str) -> Locator:
    """How many of them the last import added."""
    return page.get_by_role("alert").locator("dt", has_text=f"{what} added").locator("+ dd")


def json_file(name: str, text: str) -> FilePayload:
    return FilePayload(name=name, mimeType="application/json", buffer=text.encode())


async def test_an_export_is_imported_once(shared_client: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(shared_client, title="Moved in")
    await talk.ask("Hello?")
    exported = (await shared_client.request("GET", f"{talk.path}/export")).text
    await talk.delete()
    page = await shared_visitor.open("/settings/data")
    file = json_file("mine.json", exported)
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_role("alert").filter(has_text="mine.json")).to_contain_text("was imported.")
    await expect(added(page, "Conversations")).to_have_text("1")
    await expect(added(page, "Messages")).to_have_text("2")
    await expect(page.get_by_role("link", name="Moved in", exact=True)).to_be_visible()
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.get_by_role("alert").filter(has_text="mine.json")).to_contain_text("Nothing was added.")
    await expect(page.get_by_role("link", name="Moved in", exact=True)).to_have_count(1)


async def test_an_import_shows_that_it_is_under_way(shared_client: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(shared_client, title="On its way")
    exported = (await shared_client.request("GET", f"{talk.path}/export")).text
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    page = await shared_visitor.open("/settings/data")
    await page.route("**/api/import", hold)
    await page.locator("input[type=file]").set_input_files(json_file("slow.json", exported))
    await expect(page.get_by_role("progressbar", name="slow.json")).to_be_visible()
    held.set()
    await expect(page.get_by_role("alert").filter(has_text="slow.json")).to_contain_text("Nothing was added.")
    await expect(page.get_by_role("progressbar")).to_have_count(0)


async def test_a_broken_file_changes_nothing_and_says_why(shared_client: Client, shared_visitor: Watched) -> None:
    before = (await shared_client.request("GET", "/api/conversations")).json["items"]
    page = await shared_visitor.open("/settings/data")
    broken = json.dumps({"format": "ai-chat-service", "version": 1, "conversations": [{}]})[:-4]
    await page.locator("input[type=file]").set_input_files(json_file("broken.json", broken))
    said = page.get_by_role("alert").filter(has_text="broken.json")
    await expect(said.get_by_text("was not imported.")).to_be_visible()
    await expect(said.locator("p")).to_have_count(2)  # that, and why
    await expect(said.locator("p").last).to_have_text(re.compile(r"\w.*\.$"))
    assert (await shared_client.request("GET", "/api/conversations")).json["items"] == before
