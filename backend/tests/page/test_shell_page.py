"""What is around the features: tabs that agree, places that are found, parts that do not come, and new versions."""

import shutil
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.fixtures import Serve
from tests.support.watched import FRONTEND, Watched, watched

SHARED_SETTINGS = {"TITLES": 0}


def message_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


async def test_what_one_tab_chooses_holds_in_the_others_and_is_not_written_over_by_them(
    shared_visitor: Watched,
) -> None:
    other = await shared_visitor.open()
    await expect(message_field(other)).to_be_focused()
    page = await shared_visitor.open("/settings/general")
    await page.get_by_role("radio", name="Dark").check()
    await page.get_by_role("radio", name="한국어").check()
    await expect(other.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(other.get_by_role("navigation", name="대화 목록")).to_be_visible()
    await other.keyboard.press("Control+b")
    await expect(page.get_by_role("navigation", name="대화 목록")).to_be_hidden()
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_from_anywhere_a_new_chat_is_one_shortcut_away(shared_visitor: Watched) -> None:
    page = await shared_visitor.open("/settings/usage")
    await expect(page.get_by_role("heading", name="Usage")).to_be_visible()
    await page.keyboard.press("Control+Shift+O")
    await expect(page).to_have_url(f"{shared_visitor.origin}/")
    await expect(message_field(page)).to_be_focused()


async def test_the_sections_are_found_by_their_addresses_and_others_are_not(shared_visitor: Watched) -> None:
    page = await shared_visitor.open("/settings")
    sections = page.get_by_role("navigation", name="Settings").get_by_role("link")
    await expect(sections).to_have_text(["General", "Usage", "Data", "About"])  # without accounts
    await sections.filter(has_text="About").click()
    await expect(page).to_have_title("About · Settings · AI Chat Service")
    await expect(page.get_by_role("link", name="API reference")).to_have_attribute("href", "/docs")
    await page.goto(f"{shared_visitor.origin}/settings/people")
    await expect(page.get_by_text("There is no page at this address.")).to_be_visible()


async def test_a_part_of_the_page_that_cannot_be_loaded_is_said_and_comes_with_a_reload(
    shared_visitor: Watched,
) -> None:
    shared_visitor.expected.append("Failed to fetch dynamically imported module")
    page = await shared_visitor.open()
    await expect(message_field(page)).to_be_visible()
    await page.route("**/assets/settings-page-*.js", lambda route: route.abort())
    await page.get_by_role("link", name="Settings").click()
    said = page.get_by_role("alert").filter(has_text="A part of this page could not be loaded.")
    await expect(said).to_be_visible()
    await page.unroute_all()
    await page.get_by_role("button", name="Reload").click()
    await expect(page.get_by_role("heading", name="General")).to_be_visible()


async def test_a_new_version_waits_until_a_person_takes_it(serve: Serve, tmp_path: Path, browser: Browser) -> None:
    dist = tmp_path / "dist"
    shutil.copytree(FRONTEND / "dist", dist)
    server = await serve(PAGE_PATH=dist)
    async with watched(browser, server.url, service_workers="allow") as visitor:
        page = await visitor.open()
        await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        await page.reload()
        await expect(message_field(page)).to_be_visible()
        release(dist)
        await page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.update()).then(() => undefined)")
        said = page.get_by_role("region", name="Messages").get_by_text("A new version of this page is ready.")
        await expect(said).to_be_visible()
        await expect(page.locator("html")).not_to_have_attribute("data-version", "new")
        await page.get_by_role("button", name="Reload").click()
        await expect(page.locator("html")).to_have_attribute("data-version", "new")
        await expect(message_field(page)).to_be_visible()


def release(dist: Path) -> None:
    """Put a newer version of the page into the folder that the service serves."""
    for packed in [*dist.glob("index.html.*"), *dist.glob("sw.js.*")]:
        packed.unlink()
    index, worker = dist / "index.html", dist / "sw.js"
    index.write_text(index.read_text("utf-8").replace("<html", '<html data-version="new"', 1), "utf-8")
    known = 'url:"index.html",revision:"'
    worker.write_text(worker.read_text("utf-8").replace(known, f"{known}new-"), "utf-8")
