"""Search and the live list, as a person sees them."""

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.client import Client
from tests.support.proxy import Proxy
from tests.support.script import DONE, Gate, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.watched import Watched, watched

SHARED_SETTINGS = {"TITLES": 0, "KEEPALIVE_SECONDS": 1}


def field(page: Page) -> Locator:
    return page.get_by_role("dialog").get_by_role("combobox")


async def test_a_message_is_found_by_one_syllable_and_opened_at_its_place(
    shared_client: Client, shared_upstream: Upstream, shared_visitor: Watched
) -> None:
    shared_upstream.script(*say("경주에는 첨성대가 있습니다."))
    talk = await Talk.begin(shared_client, title="여행")
    await talk.ask("어디가 좋을까?")
    page = await shared_visitor.open()
    await expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(field(page)).to_be_focused()
    await field(page).fill("첨")
    option = page.get_by_role("option").filter(has_text="첨성대")
    await expect(option).to_be_visible()
    await expect(option.locator("mark")).to_have_text("첨")
    await field(page).press("ArrowDown")
    await field(page).press("Enter")
    await expect(page).to_have_url(f"{shared_visitor.origin}/c/{talk.id}?message={(await talk.branch())[-1]['id']}")
    await expect(page.get_by_role("log").get_by_text("첨성대가 있습니다")).to_be_visible()


async def test_what_is_searched_is_text_and_nothing_found_is_said(shared_visitor: Watched) -> None:
    page = await shared_visitor.open()
    await page.get_by_role("navigation").get_by_role("button", name="Search").click()
    await field(page).fill('"NEAR(<b>" OR *')
    await expect(page.get_by_role("dialog").get_by_text("Nothing found for")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_three_tabs_hear_of_everything_over_one_connection(
    shared_client: Client, shared_visitor: Watched
) -> None:
    tabs = [await shared_visitor.open() for _ in range(3)]
    await until(lambda: shared_visitor.asked("GET", "/api/events"), "one tab listens")
    for number in range(3):
        await Talk.begin(shared_client, title=f"From elsewhere {number}")
        for tab in tabs:
            await expect(tab.get_by_role("link", name=f"From elsewhere {number}", exact=True)).to_be_visible()
    assert len(shared_visitor.asked("GET", "/api/events")) == 1


async def test_what_is_done_in_one_tab_is_seen_in_the_others(shared_client: Client, shared_visitor: Watched) -> None:
    talk = await Talk.begin(shared_client, title="In two tabs")
    one, other = [await shared_visitor.open() for _ in range(2)]
    for tab in (one, other):
        await expect(tab.get_by_role("link", name="In two tabs", exact=True)).to_be_visible()
    await talk.change(title="With another name", pinned=True)
    for tab in (one, other):
        pinned = tab.get_by_role("region", name="Pinned")
        await expect(pinned.get_by_role("link", name="With another name", exact=True)).to_be_visible()
    row = other.get_by_role("listitem").filter(has=other.get_by_role("link", name="With another name", exact=True))
    await row.hover()
    await row.get_by_role("button").click()
    await other.get_by_role("menuitem", name="Archive").click()
    await expect(one.get_by_role("link", name="With another name", exact=True)).to_have_count(0)


async def test_an_answer_that_is_written_elsewhere_is_marked_on_the_list_until_it_ends(
    shared_client: Client, shared_upstream: Upstream, shared_visitor: Watched
) -> None:
    shared_upstream.script(
        Status(), Send(chunk(content="one ")), Gate("more"), Send(chunk(finish_reason="stop")), Send(DONE)
    )
    talk = await Talk.begin(shared_client, title="Being answered")
    page = await shared_visitor.open()
    await expect(page.get_by_role("link", name="Being answered", exact=True)).to_be_visible()
    reading = await talk.open("Go on")
    row = page.get_by_role("listitem").filter(has_text="Being answered")
    await expect(row.get_by_role("img", name="An answer is being written")).to_be_visible()
    shared_upstream.open("more")
    await expect(row.get_by_role("img", name="An answer is being written")).to_have_count(0)
    reading.close()


async def test_when_the_tab_that_listens_is_closed_another_one_goes_on_without_a_hole(
    shared_client: Client, shared_visitor: Watched
) -> None:
    first = await shared_visitor.open()
    await until(lambda: shared_visitor.asked("GET", "/api/events"), "the first tab listens")
    second = await shared_visitor.open()
    await expect(second.get_by_role("navigation", name="Conversations")).to_be_visible()
    await first.close()
    talk = await Talk.begin(shared_client, title="After the first tab")
    await expect(second.get_by_role("link", name="After the first tab", exact=True)).to_be_visible()
    await talk.delete()
    await expect(second.get_by_role("link", name="After the first tab", exact=True)).to_have_count(0)


async def test_the_list_catches_up_with_what_happened_while_the_network_was_cut(
    shared_client: Client, shared_server: Server, browser: Browser
) -> None:
    async with Proxy(shared_server.port) as line, watched(browser, line.url) as visitor:
        page = await visitor.open()
        await until(lambda: visitor.asked("GET", "/api/events"), "the page listens")
        await line.stop()
        await Talk.begin(shared_client, title="Meanwhile")
        await line.start()
        await expect(page.get_by_role("link", name="Meanwhile", exact=True)).to_be_visible()
