"""A real browser: headless Chromium of this machine, and small pages served from an origin of their own."""

import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from tests.support import sockets
from tests.support.waiting import PATIENCE, until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOW_TO_INSTALL = "no Chromium on this machine; on Debian and Ubuntu: apt-get install -y chromium fonts-noto-cjk"

_LISTEN = """
([name, url, init]) => {
  const seen = { events: [], errors: 0, opens: 0 };
  const source = new EventSource(url, init);
  source.onmessage = (event) => seen.events.push({ data: event.data, id: event.lastEventId });
  source.onopen = () => { seen.opens += 1; };
  source.onerror = () => { seen.errors += 1; };
  window.__sources = { ...(window.__sources ?? {}), [name]: { source, seen } };
}
"""
_LOOK = "(name) => { const s = window.__sources[name]; return { ...s.seen, state: s.source.readyState }; }"


def executable() -> str:
    """The browser's path.

    Raises:
        AssertionError: there is none; the sentence says what to type.
    """
    # `make test` has looked already, also where PATH does not lead.
    names = (os.environ.get("CHROMIUM", ""), *NAMES)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    assert found is not None, HOW_TO_INSTALL
    return found


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A running browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def fresh_page(browser: Browser) -> AsyncGenerator[Page]:
    """A page without history, cookies or cache."""
    context = await browser.new_context()
    try:
        yield await context.new_page()
    finally:
        await context.close()


class NativeSource:
    """A native `EventSource` in a page, with only handlers that note what they are told; nobody calls `close()`."""

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self._name = name

    async def look(self) -> dict[str, Any]:
        """`{events: [{data, id}], errors, opens, state}`; state 0 connecting, 1 open, 2 closed for good."""
        return await self._page.evaluate(_LOOK, self._name)

    async def text(self) -> str:
        """The text of all chunks so far."""
        frames = [json.loads(event["data"]) for event in (await self.look())["events"]]
        return "".join(frame.get("chunk", "") for frame in frames if "error" not in frame)

    async def closed(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until it has given up reconnecting; what it saw."""

        async def over() -> dict[str, Any] | None:
            found = await self.look()
            return found if found["state"] == 2 else None

        found = await until(over, "the EventSource is closed for good", timeout=timeout, every=0.05)
        assert found is not None
        return found

    async def events(self, number: int, timeout: float = PATIENCE) -> list[dict[str, str]]:
        """Wait until it has seen so many events; all of them."""

        async def enough() -> list[dict[str, str]] | None:
            found: list[dict[str, str]] = (await self.look())["events"]
            return found if len(found) >= number else None

        found = await until(enough, f"the EventSource sees {number} events", timeout=timeout, every=0.05)
        assert found is not None
        return found


async def listen(page: Page, url: str, *, name: str = "one", credentials: bool = False) -> NativeSource:
    """Open a native `EventSource` in the page that is shown."""
    await page.evaluate(_LISTEN, [name, url, {"withCredentials": credentials}])
    return NativeSource(page, name)


async def stand_on(page: Page, origin: str) -> None:
    """Show an empty page of `origin` without asking its server, so that the page's requests are same-origin."""
    url = f"{origin}/__empty_page_of_the_tests"
    await page.route(
        url, lambda route: route.fulfill(content_type="text/html", body="<!doctype html><title>empty</title>")
    )
    await page.goto(url)
    await page.unroute_all()


class Pages:
    """Pages of another origin: `http://127.0.0.1:<port>`, or with `localhost` as the name."""

    def __init__(self) -> None:
        self.port = 0
        self._pages: dict[str, str] = {}
        self._runner: web.AppRunner | None = None

    @property
    def origin(self) -> str:
        """By address."""
        return f"http://{sockets.LOOPBACK}:{self.port}"

    @property
    def named_origin(self) -> str:
        """By name."""
        return f"http://localhost:{self.port}"

    def add(self, path: str, html: str) -> str:
        """Serve `html` at `path`; its URL by address."""
        self._pages[path] = html
        return self.origin + path

    async def __aenter__(self) -> "Pages":
        app = web.Application()
        app.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        listener = sockets.listening()
        self.port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        html = self._pages.get(request.path, "<!doctype html><title>empty</title>" if request.path == "/" else None)
        if html is None:
            raise web.HTTPNotFound
        return web.Response(text=html, content_type="text/html")
