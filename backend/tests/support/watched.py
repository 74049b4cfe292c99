"""A browser's page that is watched: what must never happen in ours, whatever a test does with it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from tests.support.people import Person
from tests.support.waiting import PATIENCE

Theme = Literal["light", "dark"]
Language = Literal["en", "ko"]

FRONTEND = Path(__file__).resolve().parents[3] / "frontend"
PHONE, TABLET, DESK = 390, 820, 1440  # widths, in CSS pixels
_LOCALES = {"en": "en-US", "ko": "ko-KR"}
# A tab that is closed or reloaded in mid-request says so on the console; a cut network is what many tests are about.
_NETWORK = ("Failed to load resource", "net::ERR_")
_NO_WORKER = "Service Worker registration blocked by Playwright"
_REPORTS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`POLICY ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ""}`);
});
"""
# A menu stands at the end of the document and not in a landmark; between its guards the library hands on the focus.
_AXE = """
async (tags) => {
  const context = { include: [document], exclude: ["[data-base-ui-focus-guard]"] };
  const { violations } = await axe.run(context, { runOnly: { type: "tag", values: tags } });
  const isInMenu = ({ target }) => document.querySelector(target[0])?.closest("[role=menu]");
  return violations.filter(({ id, nodes }) => id !== "region" || !nodes.every(isInMenu));
}
"""


class Watched:
    """A context of pages, and all that went wrong in them."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.context = context
        self.origin = origin
        self.problems: list[str] = []
        self.requests: list[Request] = []
        self.expected: list[str] = []  # what the console may say, for a test is about it
        context.on("page", self._watch)

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of all pages so far, by method and the beginning of the path."""
        return [each for each in self.requests if each.method == method and urlsplit(each.url).path.startswith(path)]

    async def open(self, path: str = "/") -> Page:
        """A new tab that shows `path`."""
        page = await self.context.new_page()
        await page.goto(self.origin + path)
        return page

    async def be(self, person: Person) -> None:
        """Have the session of somebody who has signed in."""
        assert person.shown is not None
        name, _, value = person.shown[1].partition("=")
        await self.context.add_cookies([{"name": name, "value": value, "url": self.origin}])

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(f"an exception in the page: {error}"))
        page.on("console", self._hear)
        page.on("dialog", lambda dialog: self.problems.append(f"the page said {dialog.message!r} in a dialog"))
        page.on("request", self._note)

    def _hear(self, message: ConsoleMessage) -> None:
        harmless = (*_NETWORK, _NO_WORKER, *self.expected)
        if message.type in ("error", "warning") and not any(sign in message.text for sign in harmless):
            self.problems.append(f"on the console: {message.text}")

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.problems.append(f"asked another origin: {request.url}")


@asynccontextmanager
async def watched(
    browser: Browser,
    origin: str,
    *,
    width: int = DESK,
    theme: Theme = "light",
    language: Language = "en",
    **more: Any,
) -> AsyncGenerator[Watched]:
    """A fresh browser profile on `origin`.

    Raises:
        AssertionError: at the end, if a page threw, wrote an error or a warning, broke its own policy, opened a
            dialog of the browser's or asked any other origin.
    """
    context = await browser.new_context(
        viewport={"width": width, "height": 844 if width == PHONE else 900},
        locale=_LOCALES[language],
        color_scheme=theme,
        has_touch=width == PHONE,
        service_workers=more.pop("service_workers", "block"),  # a worker would answer for the network that tests cut
        reduced_motion="reduce",
        **more,
    )
    await context.add_init_script(_REPORTS)
    context.set_default_timeout(PATIENCE * 1000)
    found = Watched(context, origin)
    try:
        yield found
    finally:
        await context.close()
    assert not found.problems, "\n".join(found.problems)


async def accessibility_problems(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA in what is shown now: rule, and where."""
    source = (FRONTEND / "node_modules/axe-core/axe.min.js").read_text("utf-8")
    await page.evaluate(source)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate(_AXE, tags)
    return [
        f"{rule['id']}: {json.dumps([node['html'][:160] for node in rule['nodes']], ensure_ascii=False)}"
        for rule in found
    ]
