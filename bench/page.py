"""How fast the page is in a real browser: a long conversation that is opened, and a long answer that is streamed.

    make bench-page

It prints a report in Markdown. The service, a scripted model and the browser run on this machine, which should do
nothing else. A new measurement is one function that takes a `World` and gives rows.
"""

import argparse
import asyncio
import platform
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

from playwright.async_api import Browser, BrowserContext, Page

from tests.support.browser import chromium
from tests.support.client import client_of
from tests.support.files import conversation, document, message, take
from tests.support.script import say
from tests.support.server import PlainUvicorn, Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

MESSAGES = 2_000
TOKENS = 20_000
TOKEN_SECONDS = 0.002  # between tokens; a fast model's pace is ten times as slow
KEY_SECONDS = 0.5  # between keys that are typed meanwhile
ROUNDS = 7
PATIENCE = 600.0  # seconds for the whole answer
NEWEST = "The newest message of all"

# Notes when a text is painted that was not there before.
WATCH = """
(text) => {
  const look = () => {
    const shown = [...document.querySelectorAll("article")].at(-1)?.textContent.includes(text);
    if (!shown || window.__shown !== undefined) return;
    window.__shown = null;
    requestAnimationFrame(() => setTimeout(() => { window.__shown = performance.now(); }));
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
}
"""
RECORD = """
() => {
  const found = (window.__found = { tasks: [], keys: [], frames: 0 });
  new PerformanceObserver((list) => found.tasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ type: "longtask" });
  new PerformanceObserver((list) =>
    found.keys.push(...list.getEntries().filter(({ name }) => name === "keydown").map(({ duration }) => duration)),
  ).observe({ type: "event", durationThreshold: 16 });
  const count = () => { found.frames += 1; requestAnimationFrame(count); };
  count();
}
"""
Row = tuple[str, str]


class World(NamedTuple):
    """What is measured with."""

    browser: Browser
    server: Server
    upstream: Upstream
    path: str  # of the long conversation


def paragraphs(number: int) -> str:
    """What a model says: prose, a list and some code, different for each number."""
    return (
        f"Answer {number}. A paragraph with **weight**, `code` and a [link](https://example.org/{number}), as models "
        "like to write them, long enough to fill a few lines of the page on a wide screen.\n\n"
        f"- first of {number}\n- second\n- third\n\n```python\ndef answer_{number}() -> int:\n    return {number}\n```"
    )


def long_conversation() -> dict[str, Any]:
    """So many messages in one branch."""
    made: list[dict[str, Any]] = []
    for number in range(MESSAGES):
        text = f"Question {number}?" if number % 2 == 0 else paragraphs(number)
        text = NEWEST if number == MESSAGES - 1 else text
        made.append(message(number, text, parent=made[-1]["id"] if made else None, of="page"))
    return conversation("page", made)


async def opening(world: World) -> list[Row]:
    """From the navigation to the newest message, painted; in milliseconds."""
    first: list[float] = []
    again: list[float] = []
    within: list[float] = []
    for _ in range(ROUNDS):
        context = await _context(world)
        first.append(await _opened(context, world))
        again.append(await _opened(context, world))
        within.append(await _opened_within(context, world))
        await context.close()
    return [
        (f"{MESSAGES:,} messages, nothing cached", _spread(first)),
        (f"{MESSAGES:,} messages, files cached", _spread(again)),
        (f"{MESSAGES:,} messages, from the list of an open page", _spread(within)),
    ]


async def _context(world: World) -> BrowserContext:
    return await world.browser.new_context(viewport={"width": 1440, "height": 900}, service_workers="block")


async def _opened(context: BrowserContext, world: World) -> float:
    page = await context.new_page()
    await page.add_init_script(f"({WATCH})({NEWEST!r})")
    await page.goto(world.server.url + world.path, wait_until="commit")
    took = await _shown(page)
    await page.close()
    return took


async def _opened_within(context: BrowserContext, world: World) -> float:
    page = await context.new_page()
    await page.goto(world.server.url)
    link = page.get_by_role("link", name="Conversation page")
    await link.wait_for()
    await page.evaluate(f"({WATCH})({NEWEST!r})")
    await link.evaluate("(link) => { window.__clicked = performance.now(); link.click(); }")
    took = await _shown(page) - await page.evaluate("window.__clicked")
    await page.close()
    return took


async def _shown(page: Page) -> float:
    return await until(lambda: page.evaluate("window.__shown"), "the newest message is shown", every=0.05)


async def streaming(world: World) -> list[Row]:
    """Long tasks while an answer is streamed, and how long keys take that are typed meanwhile."""
    words = [f"{word} " for number in range(TOKENS // 20) for word in paragraphs(number).split(" ")]
    world.upstream.script(*say(*words[:TOKENS], pause=TOKEN_SECONDS))
    context = await _context(world)
    page = await context.new_page()
    await page.goto(world.server.url)
    box = page.get_by_role("textbox", name="Message", exact=True)
    await box.fill("Tell me everything.")
    await box.press("Enter")
    stop = page.get_by_role("button", name="Stop the answer")
    await stop.wait_for()
    await page.evaluate(RECORD)
    began = asyncio.get_running_loop().time()
    while await stop.count():
        assert asyncio.get_running_loop().time() - began < PATIENCE, "the answer does not end"
        await box.press("x")
        await asyncio.sleep(KEY_SECONDS)
    took = asyncio.get_running_loop().time() - began
    found = await page.evaluate("window.__found")
    await context.close()
    tasks, keys = found["tasks"], found["keys"]
    return [
        (
            f"{TOKENS:,} tokens, streamed",
            f"{took:.0f} s, {TOKENS / took:.0f} tokens/s, {found['frames'] / took:.0f} frames/s",
        ),
        (
            "tasks over 50 ms",
            f"{len(tasks)}, the longest {max(tasks, default=0):.0f} ms, {sum(tasks) / 1000:.1f} s in all",
        ),
        ("a key, until it is painted", _spread(keys) if keys else "under 16 ms, always"),
    ]


MEASUREMENTS: Sequence[Callable[[World], Awaitable[list[Row]]]] = (opening, streaming)


def _spread(found: Sequence[float]) -> str:
    return f"{statistics.median(found):.0f} ms (least {min(found):.0f}, most {max(found):.0f}; of {len(found)})"


async def measure() -> None:
    """Build the world, measure, and print as it goes."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = await stack.enter_async_context(Upstream())
        env = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "x", "TITLES": "0", "MAX_OUTPUT_CHARS": "2000000"}
        server = await PlainUvicorn(folder, env).start()
        stack.push_async_callback(server.close)
        made = long_conversation()
        async with client_of(server.port) as client:
            reply = await take(client, document(made))
            assert reply.status == 200, reply.text
        browser = await stack.enter_async_context(chromium())
        world = World(browser, server, upstream, f"/c/{made['id']}")
        _tell(f"Chromium {browser.version}, {platform.machine()}; median of {ROUNDS} where there are several.\n")
        _tell("| what | |\n| --- | --- |")
        for measurement in MEASUREMENTS:
            for name, value in await measurement(world):
                _tell(f"| {name} | {value} |")


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line, and measure."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    asyncio.run(measure())


if __name__ == "__main__":
    main()
