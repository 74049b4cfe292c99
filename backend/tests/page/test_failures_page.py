"""What a person reads when the model or the service fails, and how it goes on from there, in a real browser."""

from collections.abc import Sequence

import pytest
from playwright.async_api import Browser, expect

from tests.support.chat_page import BROKE_OFF, ChatPage
from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.proxy import Proxy
from tests.support.script import Fin, Send, Status, Step, chunk, error_status, say, serve_body
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.watched import Watched, watched

SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(TITLES=0)


# ── The model ───────────────────────────────────────────────────────────────────────────────────────────────────────

FAILURES: dict[str, tuple[Sequence[Step], str]] = {
    "401": (error_status(401), "The endpoint refused the key. Check OPENAI_API_KEY."),
    "429": (error_status(429, {"Retry-After": "60"}), "The model is overloaded, or its quota is spent."),
    "500": (error_status(500, {"Retry-After": "60"}), "The model cannot be reached. Try again in a moment"),
    "HTML": (
        serve_body(b"<h1>Sign in</h1>", content_type="text/html"),
        "The endpoint answered with something that is not its protocol. Check its base URL.",
    ),
    "garbage": (
        serve_body(b"data: {nonsense\n\n"),
        "The endpoint answered with something that is not its protocol. Check its base URL.",
    ),
    "nothing at all": ([Status(), Fin()], "The answer broke off before anything arrived."),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_model_that_fails_is_a_sentence_and_a_way_on(
    shared_visitor: Watched, shared_upstream: Upstream, failure: str
) -> None:
    steps, sentence = FAILURES[failure]
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*steps)
    await chat.ask("Hello?")
    await expect(chat.answer.get_by_role("note")).to_contain_text(sentence)
    await chat.ended()
    await chat.answer.get_by_role("note").get_by_role("button", name="Answer again").click()
    await chat.says("Hello there")
    await chat.ended()
    await expect(chat.answer.get_by_role("note")).to_have_count(0)


async def test_a_model_that_breaks_off_has_said_what_it_said(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(Status(), Send(chunk("half of")), Fin())
    await chat.ask("Hello?")
    await chat.says("half of")
    await expect(chat.answer.get_by_role("note")).to_contain_text(BROKE_OFF)
    shared_upstream.script(*say(" it"))
    await chat.button("Continue").click()
    await chat.says("half of it")
    await chat.ended()


async def test_a_model_that_is_not_there_is_a_sentence_and_a_way_on(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    chat = await ChatPage.open(shared_visitor)
    await shared_upstream.stop()
    await chat.ask("Hello?")
    await expect(chat.answer.get_by_role("note")).to_contain_text("The model cannot be reached.")
    await shared_upstream.start()
    await chat.button("Answer again").last.click()
    await chat.says("Hello there")
    await chat.ended()


# ── A question that cannot be sent ──────────────────────────────────────────────────────────────────────────────────


async def test_a_question_that_cannot_be_sent_is_kept_and_sent_again(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream
) -> None:
    chat = await ChatPage.open(far_visitor)
    await proxy.stop()
    await chat.ask("Are you there?")
    await chat.stop.click()
    alert = chat.question.get_by_role("alert")
    await expect(alert).to_contain_text("The service cannot be reached.")
    await expect(chat.question).to_contain_text("Are you there?")
    await proxy.start()
    await alert.get_by_role("button", name="Send again").click()
    await chat.says("Hello there")
    await chat.ended()
    assert upstream.calls == 1


async def test_a_question_that_could_not_be_sent_for_long_says_so_by_itself(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream
) -> None:
    await far_visitor.context.clock.install()
    chat = await ChatPage.open(far_visitor)
    await proxy.stop()
    await chat.ask("Are you there?")
    await expect(chat.stop).to_be_visible()
    await chat.page.clock.fast_forward(120_000)
    await chat.page.clock.fast_forward(15_000)
    await expect(chat.question.get_by_role("alert")).to_contain_text("The service cannot be reached.")
    await expect(chat.stop).to_have_count(0)
    assert upstream.calls == 0


async def test_a_question_that_the_service_refuses_can_be_taken_back(
    browser: Browser, serve: Serve, upstream: Upstream
) -> None:
    server = await serve(MAX_MESSAGE_CHARS=10)
    async with watched(browser, server.url) as visitor:
        chat = await ChatPage.open(visitor)
        await chat.ask("More than ten characters.")
        alert = chat.question.get_by_role("alert")
        await expect(alert).to_contain_text("10")
        await alert.get_by_role("button", name="Take back").click()
        await expect(chat.box).to_have_value("More than ten characters.")
        await expect(chat.questions).to_have_count(0)
    assert upstream.calls == 0


# ── Deleted elsewhere ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("when", ["while it is written", "once it is whole"])
async def test_a_conversation_that_is_deleted_elsewhere_says_so_and_keeps_what_was_typed(
    shared_visitor: Watched, shared_client: Client, shared_upstream: Upstream, when: str
) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*say("Half of ", "it", gate="word"))
    await chat.ask("Tell me.")
    shared_upstream.open("word", 1)
    await chat.says("Half of")
    if when == "once it is whole":
        shared_upstream.open("word")
        await chat.ended()
    await chat.box.fill("And another thought")
    talk = Talk(shared_client, await chat.conversation_id())
    assert (await shared_client.request("DELETE", talk.path)).status == 204
    await expect(chat.page.get_by_text("This conversation is not here.")).to_be_visible()
    await expect(chat.answers).to_have_count(0)
    await expect(chat.page.get_by_role("heading", level=1)).to_have_text("AI Chat Service")
    await chat.page.get_by_role("link", name="Start a new one").click()
    await expect(chat.box).to_have_value("And another thought")
    shared_upstream.script(*say("Hello"))
    await chat.box.press("Enter")
    await chat.says("Hello")
