"""Enter and an input method, in a real browser: what ends a syllable never sends, and the next Enter sends once."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import CDPSession, expect

from tests.support.chat_page import ChatPage
from tests.support.upstream import Upstream
from tests.support.watched import Watched

SHARED_SETTINGS = {"TITLES": 0}
INPUT_METHOD = 229  # the key code of keys that go to the input method


class Typist:
    """Types with a Korean input method, event by event."""

    def __init__(self, browser: CDPSession) -> None:
        self._browser = browser

    async def compose(self, *steps: str) -> None:
        """Put a syllable together, which is not taken over yet."""
        for step in steps:
            await self._key("rawKeyDown", "Process", INPUT_METHOD)
            end = {"selectionStart": len(step), "selectionEnd": len(step)}
            await self._browser.send("Input.imeSetComposition", {"text": step, **end})
            await self._key("keyUp", "Process", INPUT_METHOD)

    async def take_over(self, text: str) -> None:
        """End the composition with this text."""
        await self._browser.send("Input.insertText", {"text": text})

    async def enter_down(self, code: int = INPUT_METHOD) -> None:
        """Press Enter, as the input method tells it."""
        await self._key("rawKeyDown", "Enter", code)

    async def enter_up(self) -> None:
        """Let go of Enter."""
        await self._key("keyUp", "Enter", 13)

    async def _key(self, kind: str, key: str, code: int) -> None:
        event = {"type": kind, "key": key, "code": "Enter" if key == "Enter" else "KeyR"}
        await self._browser.send("Input.dispatchKeyEvent", {**event, "windowsVirtualKeyCode": code})


@pytest.fixture
async def chat(shared_visitor: Watched) -> ChatPage:
    """A new conversation, with the cursor in its box."""
    chat = await ChatPage.open(shared_visitor)
    await expect(chat.box).to_be_focused()
    return chat


@pytest.fixture
async def typist(chat: ChatPage) -> AsyncGenerator[Typist]:
    """Somebody at the keyboard of `chat`."""
    session = await chat.page.context.new_cdp_session(chat.page)
    yield Typist(session)
    await session.detach()


async def is_sent_once(chat: ChatPage, upstream: Upstream, text: str) -> None:
    """The question has been asked, once; the box is empty."""
    await chat.says("Hello there")
    await chat.ended()
    await expect(chat.box).to_have_value("")
    await expect(chat.questions).to_have_count(1)
    assert [seen.question for seen in upstream.requests] == [text]


async def test_enter_within_a_syllable_takes_it_over_and_the_next_one_sends(
    chat: ChatPage, typist: Typist, shared_upstream: Upstream
) -> None:
    """Chromium and Firefox: the key goes to the input method, then the composition ends."""
    await typist.compose("ㅎ", "하", "한")
    await typist.enter_down()
    await typist.take_over("한")
    await typist.enter_up()
    await expect(chat.box).to_have_value("한")
    await expect(chat.questions).to_have_count(0)
    await chat.page.keyboard.press("Enter")
    await is_sent_once(chat, shared_upstream, "한")


async def test_enter_that_is_told_after_the_syllable_does_not_send(
    chat: ChatPage, typist: Typist, shared_upstream: Upstream
) -> None:
    """Safari: the composition ends first; the key that did it comes after, and says so."""
    await typist.compose("ㄱ", "그", "글")
    await typist.take_over("글")
    await typist.enter_down()
    await typist.enter_up()
    await expect(chat.box).to_have_value("글")
    await expect(chat.questions).to_have_count(0)
    await chat.page.keyboard.press("Enter")
    await is_sent_once(chat, shared_upstream, "글")


async def test_many_syllables_and_enter_twice_send_once(
    chat: ChatPage, typist: Typist, shared_upstream: Upstream
) -> None:
    for syllable in ("안", "녕"):
        await typist.compose(syllable)
        await typist.take_over(syllable)
    await typist.compose("?")
    await typist.enter_down()
    await typist.take_over("?")
    await typist.enter_up()
    await chat.page.keyboard.press("Enter")
    await chat.page.keyboard.press("Enter")
    await is_sent_once(chat, shared_upstream, "안녕?")


async def test_shift_enter_makes_a_line(chat: ChatPage, shared_upstream: Upstream) -> None:
    await chat.page.keyboard.type("하나")
    await chat.page.keyboard.press("Shift+Enter")
    await chat.page.keyboard.type("둘")
    await expect(chat.box).to_have_value("하나\n둘")
    await chat.page.keyboard.press("Enter")
    await is_sent_once(chat, shared_upstream, "하나\n둘")


async def test_who_prefers_ctrl_enter_makes_lines_with_enter(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    page = await shared_visitor.open("/settings")
    await page.get_by_text("Ctrl + Enter", exact=True).click()
    await page.close()
    chat = await ChatPage.open(shared_visitor)
    typist = Typist(await chat.page.context.new_cdp_session(chat.page))
    await chat.page.keyboard.type("하나")
    await chat.page.keyboard.press("Enter")
    await typist.compose("둘")
    await typist.enter_down()
    await typist.take_over("둘")
    await typist.enter_up()
    await expect(chat.box).to_have_value("하나\n둘")
    await expect(chat.questions).to_have_count(0)
    await chat.page.keyboard.press("Control+Enter")
    await is_sent_once(chat, shared_upstream, "하나\n둘")


async def test_editing_a_question_heeds_the_syllable_too(
    chat: ChatPage, typist: Typist, shared_upstream: Upstream
) -> None:
    await chat.ask("개")
    await chat.ended()
    await chat.question.hover()
    await chat.question.get_by_role("button", name="Edit", exact=True).click()
    field = chat.page.get_by_role("textbox", name="Edit the message")
    await field.press("Control+A")
    await typist.compose("곰")
    await typist.enter_down()
    await typist.take_over("곰")
    await typist.enter_up()
    await expect(field).to_have_value("곰")
    await field.press("Enter")
    await expect(chat.question).to_contain_text("곰")
    await chat.ended()
    assert [seen.question for seen in shared_upstream.requests] == ["개", "곰"]
