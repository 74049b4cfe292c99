"""Every page and state against WCAG 2.2 AA, in both themes and both languages, and on a phone."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.client import Client
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
    ("dark", "ko", DESK),
    ("light", "ko", PHONE),
    ("dark", "en", PHONE),
]


async def home(page: Page, talk: Talk) -> None:
    await page.goto("/")
    await expect(page.locator("main textarea")).to_be_visible()


async def conversation(page: Page, talk: Talk) -> None:
    await page.goto(f"/c/{talk.id}")
    await expect(page.get_by_role("log").locator("table")).to_be_visible()
    await expect(page.get_by_role("log").locator("pre span[style]").first).to_be_attached()


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


PAGES: list[Callable[[Page, Talk], Awaitable[None]]] = [
    home,
    conversation,
    missing,
    unknown,
    search,
    help_sheet,
    settings,
    data,
    usage,
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
