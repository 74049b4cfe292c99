"""The page does not move under the eyes of who reads above, and one way leads back to the end."""

import asyncio
from typing import Any

from playwright.async_api import Route, expect

from tests.support.chat_page import ChatPage
from tests.support.client import Client
from tests.support.files import chain, document, take
from tests.support.script import say
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.watched import Watched

SHARED_SETTINGS = {"TITLES": 0}

LINES = [f"Line {number} of the answer.\n\n" for number in range(120)]
NEAR = 1.5  # pixels; layouts round

# The message that crosses the upper edge of what is shown, and where it stands.
_AT_TOP = """
(log) => {
  const top = log.getBoundingClientRect().top;
  const shown = [...log.querySelectorAll("article")].find((each) => each.getBoundingClientRect().bottom > top + 1);
  return { text: shown.textContent, y: shown.getBoundingClientRect().top - top };
}
"""
_WHERE = """
(log, text) => {
  const found = [...log.querySelectorAll("article")].find((each) => each.textContent === text);
  return found && found.getBoundingClientRect().top - log.getBoundingClientRect().top;
}
"""
# Where it stands, if it has not been moved for some frames.
_RESTS = """
async (log) => {
  const { scrollTop } = log;
  for (let frame = 0; frame < 6; frame += 1) await new Promise((drawn) => requestAnimationFrame(drawn));
  return scrollTop === log.scrollTop ? scrollTop : null;
}
"""
_FROM_END = "(log) => log.scrollHeight - log.clientHeight - log.scrollTop"


async def place(chat: ChatPage) -> dict[str, float]:
    """Where the page stands."""
    return await chat.log.evaluate("(log) => ({ top: log.scrollTop, height: log.scrollHeight })")


async def turn_wheel(chat: ChatPage, pixels: int) -> None:
    """Scroll by hand, and wait until it has come to rest."""
    await chat.log.hover()
    before = (await place(chat))["top"]
    await chat.page.mouse.wheel(0, pixels)
    await until(lambda: _rests_elsewhere(chat, before), "the wheel moves the page, and it comes to rest")


async def _rests_elsewhere(chat: ChatPage, before: float) -> bool:
    return await chat.log.evaluate(_RESTS) not in (None, before)


async def is_at_end(chat: ChatPage) -> None:
    """Wait until the end is in view."""

    async def near() -> bool:
        return await chat.log.evaluate(_FROM_END) <= NEAR

    await until(near, "the end is in view")


async def test_the_end_is_followed_until_one_scrolls_up(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*say(*LINES, gate="line"))
    await chat.ask("Tell me much.")
    shared_upstream.open("line", 60)
    await expect(chat.text).to_contain_text("Line 59 of")
    await is_at_end(chat)

    await turn_wheel(chat, -400)
    before = await place(chat)
    line = chat.text.get_by_text("Line 45 of", exact=False)
    box = await line.bounding_box()
    shared_upstream.open("line")
    await expect(chat.text).to_contain_text("Line 119 of")
    await chat.ended()
    after = await place(chat)
    assert after["height"] > before["height"] + 1_000
    assert after["top"] == before["top"]
    assert await line.bounding_box() == box

    await chat.page.get_by_role("button", name="To the end, where something new is").click()
    await is_at_end(chat)
    await expect(chat.text.get_by_text("Line 119 of")).to_be_in_viewport()
    await expect(chat.page.get_by_role("button", name="To the end")).to_have_count(0)


async def test_who_scrolls_back_to_the_end_follows_it_again(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*say(*LINES, gate="line"))
    await chat.ask("Tell me much.")
    shared_upstream.open("line", 60)
    await expect(chat.text).to_contain_text("Line 59 of")
    await turn_wheel(chat, -300)
    await expect(chat.page.get_by_role("button", name="To the end")).to_be_visible()
    await turn_wheel(chat, 2_000)
    await expect(chat.page.get_by_role("button", name="To the end")).to_have_count(0)
    shared_upstream.open("line")
    await expect(chat.text).to_contain_text("Line 119 of")
    await is_at_end(chat)


async def test_who_asks_is_taken_to_the_end(
    shared_visitor: Watched, shared_upstream: Upstream, shared_client: Client
) -> None:
    chat = await ChatPage.open(shared_visitor, await _long_conversation(shared_client, "asks"))
    await turn_wheel(chat, -800)
    await chat.ask("And now?")
    await is_at_end(chat)
    await chat.says("Hello there")
    await is_at_end(chat)


async def test_a_long_conversation_opens_at_its_end_and_older_pages_come_without_a_jump(
    shared_visitor: Watched, shared_client: Client
) -> None:
    held: list[Route] = []
    older = asyncio.Event()

    async def hold(route: Route) -> None:
        held.append(route)
        older.set()

    await shared_visitor.context.route("**/messages?*before=*", hold)
    chat = await ChatPage.open(shared_visitor, await _long_conversation(shared_client, "long"))
    await expect(chat.log.get_by_text("Word 299", exact=True)).to_be_in_viewport()
    await is_at_end(chat)
    for _ in range(2):
        while not older.is_set():
            await turn_wheel(chat, -700)
        before, at_top = await place(chat), await chat.log.evaluate(_AT_TOP)
        older.clear()
        await held.pop().continue_()
        await until(lambda before=before: _grew(chat, before), "older messages are loaded")
        await chat.page.evaluate(
            "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )
        assert abs(await chat.log.evaluate(_WHERE, at_top["text"]) - at_top["y"]) <= NEAR


async def _grew(chat: ChatPage, before: dict[str, float]) -> bool:
    return (await place(chat))["height"] > before["height"] + 500


async def _long_conversation(client: Client, name: str) -> str:
    made: dict[str, Any] = chain(name, 300, "Word")
    reply = await take(client, document(made))
    assert reply.json == {"conversations": 1, "messages": 300, "skipped": []}
    return f"/c/{made['id']}"
