"""What a screen reader is told of an answer, without going there: that it has begun, and how it ended."""

from playwright.async_api import expect

from tests.support.chat_page import ChatPage
from tests.support.script import Fin, Send, Status, chunk, say
from tests.support.upstream import Upstream
from tests.support.watched import Watched

SHARED_SETTINGS = {"TITLES": 0}

# Every text that any live region has got since.
_LISTEN = """
() => {
  const heard = (window.__heard = []);
  const regions = "[role=status], [role=alert], [role=log], [aria-live]";
  const before = new Map();
  const listen = (isFirst) => {
    for (const region of document.querySelectorAll(regions)) {
      if (region.getAttribute("aria-live") === "off") continue;
      const text = region.textContent.trim();
      const isRead = before.has(region) || region.role === "alert"; // others are read only when they change
      if (isRead && text !== (before.get(region) ?? "") && text !== "" && !isFirst) heard.push(text);
      before.set(region, text);
    }
  };
  listen(true);
  new MutationObserver(() => listen(false)).observe(document, { subtree: true, childList: true, characterData: true });
}
"""


async def heard(chat: ChatPage) -> list[str]:
    """What was read out."""
    return await chat.page.evaluate("window.__heard")


async def test_the_beginning_and_the_end_are_told_once_and_words_are_not(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    chat = await ChatPage.open(shared_visitor)
    await chat.page.evaluate(_LISTEN)
    shared_upstream.script(*say("one ", "two ", "three", gate="word"))
    await chat.ask("Count.")
    for shown in ("one", "one two", "one two three"):
        shared_upstream.open("word", 1)
        await chat.says(shown)
    await chat.ended()
    assert await heard(chat) == ["The answer has begun.", "The answer is complete."]
    await expect(chat.log).to_have_attribute("aria-live", "off")


async def test_an_answer_that_was_stopped_is_told_so(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    await chat.page.evaluate(_LISTEN)
    shared_upstream.script(*say("one ", "two", gate="word"))
    await chat.ask("Count.")
    shared_upstream.open("word", 1)
    await chat.says("one")
    await chat.stop.click()
    await chat.ended()
    assert await heard(chat) == ["The answer has begun.", "The answer was stopped."]


async def test_an_answer_that_broke_off_is_told_so(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    await chat.page.evaluate(_LISTEN)
    shared_upstream.script(Status(), Send(chunk("one")), Fin())
    await chat.ask("Count.")
    await chat.ended()
    told = await heard(chat)
    assert told == ["The answer has begun.", "The answer broke off here. What had arrived is kept."]
