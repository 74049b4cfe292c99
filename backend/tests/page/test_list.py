"""The list of conversations, as a person uses it."""

import json

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.client import Client
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.waiting import until
from tests.support.watched import PHONE, Watched, watched

SHARED_SETTINGS = {"TITLES": 0}


@pytest.fixture
async def mine(shared_client: Client) -> Client:
    """A client of the service, which has no conversations."""
    page = await shared_client.request("GET", "/api/conversations", query={"limit": "100"})
    for item in page.json["items"]:
        await Talk(shared_client, item["id"]).delete()
    return shared_client


def the_list(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Conversations")


def item(page: Page, title: str) -> Locator:
    return the_list(page).get_by_role("link", name=title, exact=True)


def message(page: Page, text: str) -> Locator:
    """One of the short messages at the bottom."""
    return page.get_by_role("region", name="Messages").locator("div").filter(has_text=text)


async def choose(page: Page, title: str, what: str) -> None:
    """Take something out of a conversation's menu."""
    await item(page, title).hover()
    row = the_list(page).get_by_role("listitem").filter(has=page.get_by_role("link", name=title, exact=True))
    await row.get_by_role("button").click()
    await page.get_by_role("menuitem", name=what).click()


async def test_a_conversation_is_renamed_by_keyboard(mine: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(mine, title="Plans")
    page = await shared_visitor.open()
    await choose(page, "Plans", "Rename")
    field = page.get_by_role("textbox", name="Name of the conversation")
    await expect(field).to_be_focused()
    await field.fill("여름 계획")
    await field.press("Enter")
    await expect(item(page, "여름 계획")).to_be_visible()
    await until(lambda: _title(talk, "여름 계획"), "the service knows the new name")


async def _title(talk: Talk, wanted: str) -> bool:
    return (await talk.body())["title"] == wanted


async def test_a_pinned_conversation_stands_above_the_newer_ones(mine: Client, shared_visitor: Watched) -> None:
    await Talk.begin(mine, title="Older")
    await Talk.begin(mine, title="Newer")
    page = await shared_visitor.open()
    await expect(item(page, "Newer")).to_be_visible()
    await choose(page, "Older", "Pin")
    await expect(the_list(page).get_by_role("heading", name="Pinned")).to_be_visible()
    await expect(the_list(page).get_by_role("link").filter(has_text="er").first).to_have_text("Older")


async def test_an_archived_conversation_leaves_the_list_and_can_be_brought_back(
    mine: Client, shared_visitor: Watched
) -> None:
    await Talk.begin(mine, title="Old news")
    page = await shared_visitor.open()
    await choose(page, "Old news", "Archive")
    await expect(item(page, "Old news")).to_have_count(0)
    await page.get_by_role("button", name="Archived").click()
    await expect(item(page, "Old news")).to_be_visible()
    await choose(page, "Old news", "Move back to the list")
    await page.get_by_role("button", name="Back to all conversations").click()
    await expect(item(page, "Old news")).to_be_visible()


async def test_a_deletion_is_held_back_and_undone(mine: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(mine, title="Keep me")
    page = await shared_visitor.open()
    await choose(page, "Keep me", "Delete")
    await expect(item(page, "Keep me")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(item(page, "Keep me")).to_be_visible()
    assert (await talk.body())["title"] == "Keep me"
    assert not shared_visitor.asked("DELETE", "/api/conversations")


async def test_a_deletion_that_nobody_undoes_is_sent(mine: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(mine, title="Go away")
    page = await shared_visitor.open()
    await page.clock.install()
    await choose(page, "Go away", "Delete")
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert not shared_visitor.asked("DELETE", talk.path)
    await page.clock.fast_forward(7_500)
    await until(lambda: _is_gone(talk), "the conversation is deleted")
    await expect(page.get_by_role("button", name="Undo")).to_have_count(0)


async def test_a_deletion_is_sent_when_the_page_is_closed_before_its_seconds_are_over(
    mine: Client, shared_visitor: Watched
) -> None:
    talk = await Talk.begin(mine, title="Close on me")
    page = await shared_visitor.open()
    await choose(page, "Close on me", "Delete")
    await expect(page.get_by_role("button", name="Undo")).to_be_visible()
    await page.close(run_before_unload=True)
    await until(lambda: _is_gone(talk), "the conversation is deleted")


async def _is_gone(talk: Talk) -> bool:
    return (await talk.client.request("GET", talk.path)).status == 404


async def test_of_several_deletions_in_a_row_one_is_undone_and_the_others_are_sent(
    mine: Client, shared_visitor: Watched
) -> None:
    talks = {title: await Talk.begin(mine, title=title) for title in ("One", "Two", "Three")}
    page = await shared_visitor.open()
    await page.clock.install()
    for title in talks:
        await choose(page, title, "Delete")
        await expect(item(page, title)).to_have_count(0)
    await message(page, "Two").get_by_role("button", name="Undo").click()
    await expect(item(page, "Two")).to_be_visible()
    await page.clock.fast_forward(7_500)
    await until(lambda: _is_gone(talks["One"]), "the first one is deleted")
    await until(lambda: _is_gone(talks["Three"]), "the last one is deleted")
    await expect(message(page, "was deleted")).to_have_count(0)
    await expect(item(page, "Two")).to_be_visible()
    assert not shared_visitor.asked("DELETE", talks["Two"].path)


async def test_a_reload_sends_what_is_held_back_and_does_not_bring_it_back(
    mine: Client, shared_visitor: Watched
) -> None:
    talk = await Talk.begin(mine, title="Reload on me")
    await Talk.begin(mine, title="Stays")
    page = await shared_visitor.open()
    await choose(page, "Reload on me", "Delete")
    await expect(message(page, "was deleted")).to_be_visible()
    await page.reload()
    await until(lambda: _is_gone(talk), "the conversation is deleted")
    await expect(item(page, "Stays")).to_be_visible()
    await expect(item(page, "Reload on me")).to_have_count(0)


async def test_a_deletion_that_is_refused_brings_it_back_with_a_sentence(mine: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(mine, title="Not today")
    page = await shared_visitor.open()
    await page.route(f"**{talk.path}", lambda route: route.fulfill(status=503, body=""))
    await page.clock.install()
    await choose(page, "Not today", "Delete")
    await expect(item(page, "Not today")).to_have_count(0)
    await page.clock.fast_forward(7_500)
    await expect(message(page, "could not be deleted and is back in the list.")).to_be_visible()
    await expect(item(page, "Not today")).to_be_visible()


async def test_the_menu_is_used_by_keyboard_and_the_focus_goes_to_what_is_next(
    mine: Client, shared_visitor: Watched
) -> None:
    for title in ("Below", "Above"):
        await Talk.begin(mine, title=title)
    page = await shared_visitor.open()
    await item(page, "Above").focus()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await page.keyboard.press("ArrowUp")  # from the first one around to the last
    await expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(item(page, "Above")).to_have_count(0)
    await expect(item(page, "Below")).to_be_focused()


async def test_deleting_what_is_open_leads_to_a_new_chat(mine: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(mine, title="Open one")
    page = await shared_visitor.open(f"/c/{talk.id}")
    await choose(page, "Open one", "Delete")
    await expect(page).to_have_url(f"{shared_visitor.origin}/")


async def test_more_conversations_are_loaded_at_the_end_of_the_list(mine: Client, shared_visitor: Watched) -> None:
    for number in range(60):
        await Talk.begin(mine, title=f"Conversation {number}")
    page = await shared_visitor.open()
    await expect(item(page, "Conversation 59")).to_be_visible()
    oldest = item(page, "Conversation 0")
    for _ in range(10):
        if await oldest.count():
            break
        await the_list(page).get_by_role("link", name="Conversation").last.scroll_into_view_if_needed()
    await expect(oldest).to_be_attached()


async def test_an_export_comes_as_a_file_that_an_import_takes(mine: Client, shared_visitor: Watched) -> None:
    await Talk.begin(mine, title="To take along")
    page = await shared_visitor.open()
    async with page.expect_download() as started:
        await choose(page, "To take along", "Export as JSON")
    download = await started.value
    path = await download.path()
    assert path is not None
    assert json.loads(path.read_text("utf-8"))["conversations"][0]["title"] == "To take along"


async def test_titles_are_text_whatever_they_say(mine: Client, shared_visitor: Watched) -> None:
    title = '<img src=x onerror="alert(1)"><b>bold</b> {{title}}'
    await Talk.begin(mine, title=title)
    page = await shared_visitor.open()
    await expect(item(page, title)).to_be_visible()
    await choose(page, title, "Archive")
    await expect(page.get_by_text("was archived")).to_contain_text('<img src=x onerror="alert(1)"><b>bold</b')


async def test_on_a_phone_the_list_is_a_drawer_that_closes_when_one_is_chosen(
    mine: Client, shared_server: Server, browser: Browser
) -> None:
    await Talk.begin(mine, title="Small screen")
    async with watched(browser, shared_server.url, width=PHONE) as visitor:
        page = await visitor.open()
        await expect(item(page, "Small screen")).not_to_be_in_viewport()
        button = page.get_by_role("button", name="Show conversations")
        await button.click()
        await expect(item(page, "Small screen")).to_be_in_viewport()
        await page.keyboard.press("Escape")
        await expect(item(page, "Small screen")).not_to_be_in_viewport()
        await expect(button).to_be_focused()
        await button.click()
        await item(page, "Small screen").click()
        await expect(item(page, "Small screen")).not_to_be_in_viewport()
        await expect(page).to_have_title("Small screen · AI Chat Service")
