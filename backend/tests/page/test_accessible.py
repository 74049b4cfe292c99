"""Every page and state against WCAG 2.2 AA, in both themes and both languages, and on a phone."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.people import Person, administrator
from tests.support.script import say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.watched import DESK, PHONE, Language, Theme, accessibility_problems, watched

SHARED_SETTINGS = {"TITLES": 0}
MARKDOWN = """# Title

Some `code`, a [link](https://example.com) and **더 많은 글**.

```python
print(1)
```

|a|b|
|-|-|
|1|$x^2$|
"""
LOOKS: list[tuple[Theme, Language, int]] = [
    ("light", "en", DESK),
    ("dark", "ko", PHONE),
]


async def home(page: Page, talk: Talk) -> None:
    await page.goto("/")
    await expect(page.locator("main textarea")).to_be_visible()


async def conversation(page: Page, talk: Talk) -> None:
    await page.goto(f"/c/{talk.id}")
    await expect(page.get_by_role("log").locator("table")).to_be_visible()
    await expect(page.get_by_role("log").locator("pre span[style]").first).to_be_attached()
    await expect(page.get_by_role("log").locator("math").first).to_be_attached()  # the last that is drawn anew


async def missing(page: Page, talk: Talk) -> None:
    await page.goto("/c/01aaaaaaaaaaaaaaaaaaaaaaaa")
    await expect(page.locator("main h1, main h2").first).to_be_attached()


async def unknown(page: Page, talk: Talk) -> None:
    await page.goto("/no/such/page")
    await expect(page.get_by_role("heading")).to_be_visible()


async def search(page: Page, talk: Talk) -> None:
    await home(page, talk)
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_role("combobox").fill("더")
    await expect(page.get_by_role("option").first).to_be_visible()


async def help_sheet(page: Page, talk: Talk) -> None:
    await home(page, talk)
    await page.locator("main textarea").blur()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()


async def settings(page: Page, talk: Talk) -> None:
    await page.goto("/settings/general")
    await expect(page.get_by_role("radio").first).to_be_visible()


async def data(page: Page, talk: Talk) -> None:
    await page.goto("/settings/data")
    await expect(page.locator("input[type=file]")).to_be_attached()


async def usage(page: Page, talk: Talk) -> None:
    await page.goto("/settings/usage")
    await expect(page.locator("main table")).to_be_visible()


async def about(page: Page, talk: Talk) -> None:
    await page.goto("/settings/about")
    await expect(page.locator("main a[href='/docs']")).to_be_visible()


async def sections(page: Page, talk: Talk) -> None:
    await page.goto("/settings")
    await expect(page.locator("main nav, main h2").first).to_be_visible()


async def listed(page: Page, talk: Talk) -> None:
    await home(page, talk)
    drawer = page.locator("header button[aria-haspopup=dialog]")  # only on a phone
    if await drawer.is_visible():
        await drawer.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(page.locator("nav li").first).to_be_visible()


async def a_menu_of_the_list(page: Page, talk: Talk) -> None:
    await listed(page, talk)
    await page.locator("nav li").first.hover()
    await page.locator("nav li button").first.click()
    await expect(page.get_by_role("menuitem").first).to_be_visible()


async def a_name_being_changed(page: Page, talk: Talk) -> None:
    await a_menu_of_the_list(page, talk)
    await page.get_by_role("menuitem").first.click()
    await expect(page.locator("nav li input")).to_be_focused()


async def a_deletion_held_back(page: Page, talk: Talk) -> None:
    await a_menu_of_the_list(page, talk)
    await page.get_by_role("menuitem").last.click()
    await expect(page.locator("section[aria-live] button").first).to_be_visible()


async def undone(page: Page, talk: Talk) -> None:
    await page.locator("section[aria-live] button").first.click()
    await expect(page.locator("nav li").first).to_be_visible()


async def archive(page: Page, talk: Talk) -> None:
    await listed(page, talk)
    await page.locator("nav svg.lucide-archive").click()
    await expect(page.locator("nav h2")).to_be_visible()


async def models(page: Page, talk: Talk) -> None:
    await conversation(page, talk)
    await page.locator("main header button").first.click()
    await expect(page.get_by_role("menu")).to_be_visible()


async def settings_of_a_conversation(page: Page, talk: Talk) -> None:
    await conversation(page, talk)
    await page.locator("main header button").last.click()
    await page.get_by_role("dialog").locator("input").first.fill("hot")
    await page.get_by_role("dialog").locator("button[type=submit]").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()


async def a_link(page: Page, talk: Talk) -> None:
    await conversation(page, talk)
    # By keyboard: the text may still move under a pointer, since the page stays at its end while it is drawn.
    await page.get_by_role("log").get_by_role("link", name="link", exact=True).press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()


PAGES: list[Callable[[Page, Talk], Awaitable[None]]] = [
    home,
    conversation,
    missing,
    unknown,
    search,
    help_sheet,
    sections,
    settings,
    data,
    usage,
    about,
    a_menu_of_the_list,
    a_name_being_changed,
    a_deletion_held_back,
    undone,
    archive,
    models,
    settings_of_a_conversation,
    a_link,
]


@pytest.mark.parametrize(("theme", "language", "width"), LOOKS)
async def test_nothing_stands_in_anyones_way(
    shared_client: Client,
    shared_server: Server,
    shared_upstream: Upstream,
    browser: Browser,
    theme: Theme,
    language: Language,
    width: int,
) -> None:
    shared_upstream.script(*say(MARKDOWN))
    talk = await Talk.begin(shared_client, title="Everything at once")
    await talk.ask("Show me 더 많은 글")
    shared_upstream.script(*say("Cut off", finish_reason="length"))
    await talk.ask("And one that is too long")
    found: list[str] = []
    async with watched(
        browser, shared_server.url, theme=theme, language=language, width=width, base_url=shared_server.url
    ) as visitor:
        page = await visitor.open()
        for show in PAGES:
            await show(page, talk)
            found += [f"{show.__name__}: {problem}" for problem in await accessibility_problems(page)]
    assert found == [], "\n".join(found)


async def sign_in(page: Page) -> None:
    await page.goto("/")
    await page.locator("input[name=username]").fill("ann")
    await page.locator("input[name=password]").fill("wrong password")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()


async def sign_up(page: Page) -> None:
    await page.goto("/sign-up?invitation=none")
    await page.locator("button[type=submit]").click()
    await expect(page.get_by_role("alert").first).to_be_visible()


async def account(page: Page) -> None:
    await page.goto("/settings/account")
    await expect(page.locator("main form")).to_be_visible()


async def keys(page: Page) -> None:
    await page.goto("/settings/keys")
    await expect(page.locator("main li code")).to_be_visible()


async def a_new_key(page: Page) -> None:
    await keys(page)
    await page.locator("main section button").first.click()
    await expect(page.get_by_role("dialog").get_by_role("checkbox").first).to_be_visible()


async def a_key_to_revoke(page: Page) -> None:
    await keys(page)
    await page.locator("main li button").click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def people(page: Page) -> None:
    await page.goto("/settings/people")
    await expect(page.locator("main ol li").first).to_be_visible()


async def somebody(page: Page) -> None:
    await people(page)
    await page.locator("main li button").first.click()
    await expect(page.get_by_role("dialog").get_by_role("radio").first).to_be_visible()


async def everyones_usage(page: Page) -> None:
    await page.goto("/settings/usage")
    await page.get_by_role("radio").last.check()
    await expect(page.locator("main p").last).to_be_visible()


OUTSIDE: list[Callable[[Page], Awaitable[None]]] = [sign_in, sign_up]
INSIDE: list[Callable[[Page], Awaitable[None]]] = [
    account,
    keys,
    a_new_key,
    a_key_to_revoke,
    people,
    somebody,
    everyones_usage,
]


@pytest.fixture(scope="module")
async def ann(module_serve: Serve) -> Person:
    """The administrator of a service with accounts."""
    server = await module_serve(ACCOUNTS=1)
    ann = await administrator(server.port)
    await ann.program()
    await ann.invited("이순신")
    await ann.request("POST", "/api/admin/invitations", json={"role": "user"})
    return ann


@pytest.mark.parametrize(("theme", "language", "width"), LOOKS)
async def test_nothing_stands_in_the_way_of_whoever_has_an_account(
    ann: Person, browser: Browser, theme: Theme, language: Language, width: int
) -> None:
    origin = f"http://127.0.0.1:{ann.port}"
    found: list[str] = []
    async with watched(browser, origin, theme=theme, language=language, width=width, base_url=origin) as visitor:
        page = await visitor.open()
        for show in OUTSIDE + INSIDE:
            if show is INSIDE[0]:
                await visitor.be(ann)
            await show(page)
            found += [f"{show.__name__}: {problem}" for problem in await accessibility_problems(page)]
    assert found == [], "\n".join(found)
