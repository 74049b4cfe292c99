"""Files of conversations on their way: out whole, in by a line that is slow, and not at all."""

import json
import re

from playwright.async_api import Browser, FilePayload, Page, expect

from tests.support.client import Client
from tests.support.files import conversation, document, message, spelled
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.watched import Watched, accessibility_problems, watched

SHARED_SETTINGS = {"TITLES": 0}


async def test_everything_is_exported_as_one_file(shared_client: Client, shared_visitor: Watched) -> None:
    await Talk.begin(shared_client, title="In the file")
    page = await shared_visitor.open("/settings/data")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Export everything").click()
    path = await (await started.value).path()
    titles = [each["title"] for each in json.loads(path.read_text("utf-8"))["conversations"]]
    assert "In the file" in titles


async def test_how_far_a_large_file_is_is_shown_and_it_can_be_cut_short(
    shared_client: Client, shared_visitor: Watched
) -> None:
    page = await shared_visitor.open("/settings/data")
    await expect(page.get_by_role("button", name="Choose a file")).to_be_enabled()
    messages = [message(0, "a long story " * 20_000, of="large")]
    large = spelled(document(conversation("large", messages, title="Too large to wait for")))
    await slow_down(page, bytes_per_second=len(large) // 4)
    await page.locator("input[type=file]").set_input_files(
        FilePayload(name="large.json", mimeType="application/json", buffer=large)
    )
    bar = page.get_by_role("progressbar", name="Sending")
    await expect(bar).to_have_attribute("aria-valuenow", re.compile("[1-9]"))  # not 0 any more
    await expect(page.get_by_role("button", name="Choose a file")).to_be_disabled()
    assert await accessibility_problems(page) == []
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("main").get_by_text("The import was cancelled.").last).to_be_visible()
    await expect(bar).to_have_count(0)
    found = await shared_client.request("GET", "/api/search", query={"q": "large to wait"})
    assert found.json["items"] == []


async def slow_down(page: Page, bytes_per_second: int) -> None:
    """Let the page's requests go out no faster than this."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("Network.enable")
    await tools.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second},
    )


async def test_a_packed_export_is_told_to_be_unpacked_before_anything_is_sent(shared_visitor: Watched) -> None:
    page = await shared_visitor.open("/settings/data")
    await page.locator("input[type=file]").set_input_files(
        FilePayload(name="chatgpt.zip", mimeType="application/zip", buffer=b"PK")
    )
    await expect(page.get_by_text("Unpack it first")).to_be_visible()
    assert not shared_visitor.asked("POST", "/api/import")


async def test_a_file_that_is_no_export_is_told_in_korean(shared_server: Server, browser: Browser) -> None:
    async with watched(browser, shared_server.url, language="ko") as visitor:
        page = await visitor.open("/settings/data")
        await page.locator("input[type=file]").set_input_files(
            FilePayload(name="package.json", mimeType="application/json", buffer=b'{"name": "something else"}')
        )
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("ChatGPT에서 내보낸 conversations.json 파일도 아닙니다.")
        await expect(alert).not_to_contain_text("Nothing was imported")
