"""What a person can do in a conversation, in a real browser, with a model that says what the test wrote."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.catalogue import asked, offers, serving, toml
from tests.support.chat_page import ChatPage
from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.script import DONE, Send, Status, chunk, say, usage_chunk
from tests.support.talk import Talk, prompt_of
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.watched import Watched, watched

SHARED_SETTINGS = {"TITLES": 0}


@pytest.fixture
async def chat(shared_visitor: Watched) -> ChatPage:
    """A new conversation."""
    return await ChatPage.open(shared_visitor)


async def test_an_answer_is_read_as_it_is_made(chat: ChatPage, shared_upstream: Upstream) -> None:
    shared_upstream.script(*say("one ", "two ", "three", gate="word"))
    await chat.ask("Count.")
    await expect(chat.question).to_contain_text("Count.")
    await expect(chat.box).to_have_value("")
    for shown in ("one", "one two", "one two three"):
        shared_upstream.open("word", 1)
        await chat.says(shown)
    await chat.ended()
    await expect(chat.page).to_have_url(f"{chat.page.url.partition('/c/')[0]}/c/{await chat.conversation_id()}")
    assert await chat.only_grew() == ["one", "one two", "one two three"]
    assert shared_upstream.calls == 1


async def test_the_next_question_is_asked_with_what_was_said_before(chat: ChatPage, shared_upstream: Upstream) -> None:
    await chat.ask("First?")
    await chat.ended()
    await chat.ask("Second?")
    await expect(chat.answers).to_have_count(2)
    await chat.ended()
    assert prompt_of(shared_upstream) == [("user", "First?"), ("assistant", "Hello there"), ("user", "Second?")]


@pytest.mark.parametrize("way", ["button", "Escape"])
async def test_stop_ends_the_answer_and_keeps_what_was_said(
    chat: ChatPage, shared_upstream: Upstream, way: str
) -> None:
    shared_upstream.script(*say("kept ", "never", gate="word"))
    await chat.ask("Go.")
    shared_upstream.open("word", 1)
    await chat.says("kept")
    if way == "button":
        await chat.stop.click()
    else:
        await chat.page.keyboard.press("Escape")
    await (await shared_upstream.request()).is_closed()
    await expect(chat.answer.get_by_role("note")).to_contain_text("Stopped.")
    await chat.ended()
    await chat.says("kept")
    await expect(chat.button("Continue")).to_be_enabled()


async def test_stop_before_the_first_word(chat: ChatPage, shared_upstream: Upstream) -> None:
    shared_upstream.script(*say("never", gate="word"))
    await chat.ask("Go.")
    await expect(chat.page.get_by_text("Waiting for the model…")).to_be_attached()
    await chat.stop.click()
    await (await shared_upstream.request()).is_closed()
    await expect(chat.answer.get_by_role("note")).to_contain_text("Stopped.")
    await expect(chat.text).to_have_count(0)


async def test_an_answer_that_was_cut_by_its_length_goes_on(chat: ChatPage, shared_upstream: Upstream) -> None:
    shared_upstream.script(*say("The beginning", finish_reason="length"))
    await chat.ask("Tell.")
    await expect(chat.answer.get_by_role("note")).to_contain_text("The answer ended at its longest allowed length.")
    shared_upstream.script(*say(" and the end."))
    await chat.button("Continue").click()
    await chat.says("The beginning and the end.")
    await chat.ended()
    await expect(chat.answer.get_by_role("note")).to_have_count(0)
    await expect(chat.answers).to_have_count(1)
    assert shared_upstream.calls == 2


async def test_an_answer_is_given_again_and_both_are_kept(
    chat: ChatPage, shared_upstream: Upstream, shared_client: Client
) -> None:
    shared_upstream.script(*say("First answer."))
    await chat.ask("Choose.")
    await chat.ended()
    shared_upstream.script(*say("Second answer."))
    await chat.button("Answer again").click()
    await chat.says("Second answer.")
    await chat.ended()
    versions = chat.answer.get_by_role("group", name="Versions")
    await expect(versions).to_contain_text("2/2")
    await versions.get_by_role("button", name="Previous version").click()
    await chat.says("First answer.")
    await expect(versions).to_contain_text("1/2")
    await expect(chat.answers).to_have_count(1)
    talk = Talk(shared_client, await chat.conversation_id())
    await until(lambda: _says(talk, ["Choose.", "First answer."]), "the service shows the first answer too")
    await chat.page.reload()
    await chat.says("First answer.")


async def test_a_question_is_asked_in_other_words_and_both_are_kept(chat: ChatPage, shared_upstream: Upstream) -> None:
    shared_upstream.script(*say("About cats."))
    await chat.ask("Cats?")
    await chat.ended()
    await chat.question.hover()
    await chat.question.get_by_role("button", name="Edit", exact=True).click()
    field = chat.page.get_by_role("textbox", name="Edit the message")
    await expect(field).to_be_focused()
    await field.fill("Dogs?")
    shared_upstream.script(*say("About dogs."))
    await chat.page.get_by_role("button", name="Send again").click()
    await chat.says("About dogs.")
    await chat.ended()
    await expect(chat.questions).to_have_count(1)
    await expect(chat.question).to_contain_text("Dogs?")
    assert prompt_of(shared_upstream) == [("user", "Dogs?")]
    await chat.question.hover()
    versions = chat.question.get_by_role("group", name="Versions")
    await expect(versions).to_contain_text("2/2")
    await versions.get_by_role("button", name="Previous version").click()
    await chat.says("About cats.")
    await expect(chat.question).to_contain_text("Cats?")


async def test_an_edit_that_is_given_up_changes_nothing(chat: ChatPage, shared_upstream: Upstream) -> None:
    await chat.ask("Cats?")
    await chat.ended()
    await chat.question.hover()
    await chat.question.get_by_role("button", name="Edit", exact=True).click()
    await chat.page.get_by_role("textbox", name="Edit the message").fill("Dogs?")
    await chat.page.keyboard.press("Escape")
    await expect(chat.question.get_by_text("Cats?", exact=True)).to_be_visible()
    await expect(chat.question.get_by_role("button", name="Edit", exact=True)).to_be_focused()
    assert shared_upstream.calls == 1


async def test_another_model_answers_once_it_is_chosen(
    serve: Serve, upstream: Upstream, browser: Browser, tmp_path: Path
) -> None:
    names = '[models."a/small"]\nname = "Small one"\n[models."a/large"]\nname = "Large one"\n'
    server = await serving(serve, tmp_path, toml(names, a=upstream), TITLES=0)
    offers(upstream, [])
    async with watched(browser, server.url) as visitor:
        chat = await ChatPage.open(visitor)
        await chat.ask("First?")
        await chat.ended()
        await expect(chat.answer).to_contain_text("Small one")
        await chat.page.get_by_role("button", name="Model: Small one").click()
        await expect(chat.page.get_by_role("menuitemradio", name="Small one")).to_be_checked()
        await chat.page.get_by_role("menuitemradio", name="Large one", checked=False).click()
        await expect(chat.page.get_by_role("button", name="Model: Large one")).to_be_visible()
        await chat.ask("Second?")
        await expect(chat.answers).to_have_count(2)
        await chat.ended()
        await expect(chat.answer).to_contain_text("Large one")
        await expect(chat.answers.first).to_contain_text("Small one")
    assert [seen.json["model"] for seen in asked(upstream)] == ["small", "large"]


@pytest.mark.parametrize("when", ["new", "begun"])
async def test_system_text_and_parameters_of_a_conversation_reach_the_model(
    chat: ChatPage, shared_upstream: Upstream, when: str
) -> None:
    if when == "begun":
        await chat.ask("Before.")
        await chat.ended()
    await chat.page.get_by_role("button", name="Conversation settings").click()
    dialog = chat.page.get_by_role("dialog", name="Conversation settings")
    await dialog.get_by_role("textbox", name="System text").fill("Rhyme.")
    await dialog.get_by_role("textbox", name="Temperature").fill("9")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("Give a number from 0 to 2, or leave it empty.")
    await dialog.get_by_role("textbox", name="Temperature").fill("0.25")
    await dialog.get_by_role("textbox", name="Longest answer, in tokens").fill("77")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    count = shared_upstream.calls
    await chat.ask("Now.")
    asked = await shared_upstream.request(count + 1)
    assert asked.json["messages"][0] == {"role": "system", "content": "Rhyme."}
    assert (asked.json["temperature"], asked.json["max_tokens"]) == (0.25, 77)
    await chat.ended()


async def test_reasoning_is_folded_and_tokens_and_model_are_told(chat: ChatPage, shared_upstream: Upstream) -> None:
    shared_upstream.script(
        Status(),
        Send(chunk(reasoning_content="Hidden thought.")),
        Send(chunk("The answer.", finish_reason="stop") + usage_chunk() + DONE),
    )
    await chat.ask("Think.")
    await chat.says("The answer.")
    await chat.ended()
    await expect(chat.answer.get_by_text("Hidden thought.")).to_have_count(0)
    await expect(chat.answer).to_contain_text("12 tokens in, 3 out")
    await expect(chat.answer).to_contain_text("gpt-3.5-turbo")
    await chat.answer.locator("summary").filter(has_text="Thought").click()
    await expect(chat.answer.get_by_text("Hidden thought.")).to_be_visible()


async def test_a_message_and_a_block_of_code_are_copied(chat: ChatPage, shared_upstream: Upstream) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = "def f():\n    return '<b>'\n"
    text = f"See **this**:\n\n```python\n{code}```\n\nThat is all."
    shared_upstream.script(*say(text))
    await chat.ask("Code, please.")
    await chat.ended()
    await chat.button("Copy code").click()
    await expect(chat.button("Copied")).to_be_visible()
    assert (await _clipboard(chat)).rstrip("\n") == code.rstrip("\n")
    await chat.button("Copy").click()
    await until(lambda: _clipboard_is(chat, text), "the whole answer is on the clipboard, as it was written")
    await chat.question.hover()
    await chat.question.get_by_role("button", name="Copy", exact=True).click()
    await until(lambda: _clipboard_is(chat, "Code, please."), "the question is on the clipboard")


async def test_korean_comes_back_whole(chat: ChatPage, shared_upstream: Upstream) -> None:
    shared_upstream.script(*say(*"안녕하세요. 무엇을 도와 드릴까요? 👩‍👩‍👧"))
    await chat.ask("안녕하세요 🙂")
    await chat.says("안녕하세요. 무엇을 도와 드릴까요? 👩‍👩‍👧")
    await chat.ended()
    assert prompt_of(shared_upstream) == [("user", "안녕하세요 🙂")]


async def test_a_draft_is_kept_for_its_conversation_and_over_a_reload(
    chat: ChatPage, shared_client: Client, shared_visitor: Watched
) -> None:
    await Talk.begin(shared_client, title="The other one")
    await chat.ask("First?")
    await chat.ended()
    await chat.box.fill("half a thought")
    navigation = chat.page.get_by_role("navigation", name="Conversations")
    await navigation.get_by_role("link", name="The other one").click()
    await expect(chat.page.get_by_role("heading", name="The other one")).to_be_visible()
    await expect(chat.box).to_have_value("")
    await chat.box.fill("another thought")
    await chat.page.go_back()
    await expect(chat.box).to_have_value("half a thought")
    await chat.page.reload()
    await expect(chat.box).to_have_value("half a thought")


async def test_a_message_that_is_too_long_is_refused_in_a_sentence_and_stays(
    chat: ChatPage, shared_upstream: Upstream
) -> None:
    await chat.box.fill("가" * 32_010)
    note = chat.page.get_by_text("This is 10 characters too long.")
    await expect(note).to_be_visible()
    await expect(chat.send).to_be_disabled()
    await chat.box.press("Enter")
    await expect(note).to_be_visible()
    await expect(chat.box).to_have_value("가" * 32_010)
    await chat.box.fill("가" * 32_000)
    await expect(note).to_have_count(0)
    await chat.box.press("Enter")
    await chat.ended()
    assert (await shared_upstream.request()).question == "가" * 32_000
    assert shared_upstream.calls == 1


async def test_five_megabytes_on_the_clipboard_are_counted_and_not_pasted(
    chat: ChatPage, shared_upstream: Upstream
) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.box.fill("typed before")
    await chat.page.evaluate("navigator.clipboard.writeText('x'.repeat(5_000_000))")
    await chat.box.press("Control+V")
    await expect(chat.page.get_by_text("What you pasted has 5,000,000 characters")).to_be_visible()
    await expect(chat.box).to_have_value("typed before")
    await chat.box.press("Enter")
    await chat.says("Hello there")
    assert (await shared_upstream.request()).question == "typed before"


async def test_the_first_visit_with_the_embedded_model(serve: Serve, browser: Browser) -> None:
    server = await serve(OPENAI_BASE_URL=None, OPENAI_API_KEY=None, MAX_TOKENS=4, TITLES=0)
    async with watched(browser, server.url) as visitor:
        chat = await ChatPage.open(visitor)
        await expect(chat.page.get_by_text("a small model that runs inside this service")).to_be_visible()
        await expect(chat.page.get_by_text("OPENAI_API_KEY=…")).to_be_visible()
        await chat.ask("What is the capital of France?")
        await chat.ended(patience=60)  # a model that thinks on cores which other tests use too
        assert (await chat.only_grew())[-1] != ""
        assert "The embedded model is loading; that takes a moment the first time." in await chat.told()


async def _clipboard(chat: ChatPage) -> str:
    return await chat.page.evaluate("navigator.clipboard.readText()")


async def _clipboard_is(chat: ChatPage, text: str) -> bool:
    return await _clipboard(chat) == text


async def _says(talk: Talk, messages: list[str]) -> bool:
    return await talk.said() == messages
