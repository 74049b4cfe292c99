"""What never happens to an answer, in a real browser: it is not lost, nor bought twice; nobody waits for nothing."""

import asyncio
import itertools
import signal

import pytest
from playwright.async_api import Route, expect

from tests.support.chat_page import BROKE_OFF, ChatPage
from tests.support.client import Client
from tests.support.proxy import End, Proxy, Rule
from tests.support.script import say
from tests.support.server import Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.waiting import until
from tests.support.watched import Watched

SHARED_SETTINGS = {"TITLES": 0}
pytestmark = pytest.mark.settings(TITLES=0)

WORDS = ("one ", "two ", "three ", "four ", "five ", "six ")
SILENCE = 38_000  # milliseconds without a byte, after which the page takes a connection for dead
UNSEEN = 21_000  # milliseconds in the background, after which it lets its connections go


def so_far(count: int) -> str:
    """What an answer of `WORDS` shows after so many of them."""
    return "".join(WORDS[:count]).strip()


async def asked(chat: ChatPage, upstream: Upstream, words: int) -> None:
    """Ask something that is answered with `WORDS`, and read the first few."""
    upstream.script(*say(*WORDS, gate="word"))
    await chat.ask("Count.")
    await upstream.at_gate("word")
    upstream.open("word", words)
    if words:
        await chat.says(so_far(words))


async def is_whole(chat: ChatPage, upstream: Upstream) -> None:
    """The rest comes; never was anything shown less, twice or otherwise; the model was asked once."""
    upstream.open("word")
    await chat.says(so_far(len(WORDS)))
    await chat.ended()
    assert (await chat.only_grew())[-1] == so_far(len(WORDS))
    await expect(chat.answers).to_have_count(1)
    await expect(chat.questions).to_have_count(1)
    assert upstream.calls == 1


# ── The page goes away and comes back ───────────────────────────────────────────────────────────────────────────────


async def test_a_reload_in_the_middle(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    await asked(chat, shared_upstream, 2)
    await chat.page.reload()
    await chat.says(so_far(2))
    shared_upstream.open("word", 2)
    await chat.says(so_far(4))
    await chat.page.reload()
    await is_whole(chat, shared_upstream)


async def test_a_tab_that_is_closed_and_opened_after_the_end(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    chat = await ChatPage.open(shared_visitor)
    await asked(chat, shared_upstream, 1)
    path = f"/c/{await chat.conversation_id()}"
    await chat.page.close()
    shared_upstream.open("word")
    await is_whole(await ChatPage.open(shared_visitor, path), shared_upstream)


async def test_a_second_tab_joins_in_the_middle_and_both_read_it_to_the_end(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    first = await ChatPage.open(shared_visitor)
    await asked(first, shared_upstream, 3)
    second = await ChatPage.open(shared_visitor, f"/c/{await first.conversation_id()}")
    await second.says(so_far(3))
    await is_whole(first, shared_upstream)
    await is_whole(second, shared_upstream)


async def test_a_tab_that_shows_the_conversation_already_sees_what_another_one_asks(
    shared_visitor: Watched, shared_upstream: Upstream, shared_client: Client
) -> None:
    talk = await Talk.begin(shared_client)
    first, second = [await ChatPage.open(shared_visitor, f"/c/{talk.id}") for _ in range(2)]
    await asked(first, shared_upstream, 3)
    await second.says(so_far(3))
    await is_whole(second, shared_upstream)


async def test_a_tab_in_the_background_lets_go_and_catches_up(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    await shared_visitor.context.clock.install()
    chat = await ChatPage.open(shared_visitor)
    await asked(chat, shared_upstream, 1)
    await chat.show_tab(False)
    await chat.page.clock.fast_forward(UNSEEN)
    shared_upstream.open("word", 2)
    await shared_upstream.at_gate("word", 4)
    await chat.show_tab(True)
    await chat.says(so_far(3))
    await is_whole(chat, shared_upstream)


# ── The network ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_network_that_breaks_again_and_again(far_visitor: Watched, proxy: Proxy, upstream: Upstream) -> None:
    chat = await ChatPage.open(far_visitor)
    await asked(chat, upstream, 0)
    ends: itertools.cycle[End] = itertools.cycle(("rst", "fin"))
    for count in range(len(WORDS)):
        await proxy.cut_all(next(ends))
        upstream.open("word", 1)
        await chat.says(so_far(count + 1))
    await is_whole(chat, upstream)


async def test_a_network_that_is_gone_without_a_word(far_visitor: Watched, proxy: Proxy, upstream: Upstream) -> None:
    await far_visitor.context.clock.install()
    chat = await ChatPage.open(far_visitor)
    await asked(chat, upstream, 2)
    await proxy.cut_all("hole")
    upstream.open("word", 2)
    await upstream.at_gate("word", 5)

    async def caught_up() -> bool:
        await chat.page.clock.fast_forward(SILENCE)  # again for each idle connection of the browser's that is dead too
        return so_far(4) in await chat.seen()

    await until(caught_up, "the page finds a connection that lives", every=0.5)
    await chat.says(so_far(4))
    await is_whole(chat, upstream)


async def test_an_outage_is_told_and_over_when_the_network_is_back(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream
) -> None:
    chat = await ChatPage.open(far_visitor)
    await asked(chat, upstream, 2)
    await proxy.stop()
    await expect(chat.answer.get_by_text("The connection broke. Reconnecting; nothing is lost.")).to_be_visible()
    await chat.says(so_far(2))
    await proxy.start()
    await is_whole(chat, upstream)


async def test_a_browser_that_says_it_is_offline(far_visitor: Watched, proxy: Proxy, upstream: Upstream) -> None:
    chat = await ChatPage.open(far_visitor)
    await asked(chat, upstream, 2)
    await far_visitor.context.set_offline(True)
    await proxy.cut_all()
    await expect(chat.answer.get_by_text("You are offline. The answer goes on")).to_be_visible()
    await far_visitor.context.set_offline(False)
    await is_whole(chat, upstream)


async def test_being_offline_is_told_at_the_answer_before_its_connection_breaks(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    chat = await ChatPage.open(shared_visitor)
    await asked(chat, shared_upstream, 2)
    await shared_visitor.context.set_offline(True)
    await expect(chat.answer.get_by_text("You are offline. The answer goes on")).to_be_visible()
    await shared_visitor.context.set_offline(False)
    await expect(chat.answer.get_by_text("You are offline.")).to_have_count(0)
    await is_whole(chat, shared_upstream)


@pytest.mark.parametrize("end", ["rst", "fin"])
async def test_a_question_whose_response_is_lost_is_asked_once(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream, client: Client, end: End
) -> None:
    chat = await ChatPage.open(far_visitor, f"/c/{(await Talk.begin(client)).id}")
    await every_response_is_lost(proxy, end)
    upstream.script(*say(*WORDS, gate="word"))
    await chat.ask("Count.")
    await upstream.at_gate("word")
    proxy.otherwise = Rule()
    await is_whole(chat, upstream)


async def test_a_first_question_whose_response_is_lost_is_asked_once(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream
) -> None:
    chat = await ChatPage.open(far_visitor)
    upstream.script(*say(*WORDS, gate="word"))
    await every_response_is_lost(proxy, "rst")
    await chat.ask("Count.")
    await until(lambda: len(far_visitor.asked("POST", "/api/")) > 1, "the page tries again")
    proxy.otherwise = Rule()
    await is_whole(chat, upstream)


async def test_an_outage_before_all_of_the_page_is_there(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream
) -> None:
    gone = asyncio.Event()

    async def fail_once_it_is_gone(route: Route) -> None:
        await gone.wait()
        await route.abort()

    await far_visitor.context.route("**/assets/message-list-*", fail_once_it_is_gone)
    chat = await ChatPage.open(far_visitor, loaded=False)
    await proxy.stop()
    gone.set()
    await chat.ask("Count.")
    await expect(chat.page.get_by_text("The service cannot be reached. Trying again…")).to_be_visible()
    await far_visitor.context.unroute_all()
    await proxy.start()
    await chat.says("Hello there")
    await chat.ended()
    assert upstream.calls == 1


async def test_a_reload_before_the_service_has_the_question(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*say(*WORDS, gate="word"))
    held: list[Route] = []

    async def hold_the_first(route: Route) -> None:  # and never let go of it: a browser without routes would send it
        if held:
            await route.continue_()
        held.append(route)

    await chat.page.route("**/api/chat/stream*", hold_the_first)
    await chat.ask("Count.")
    await until(lambda: held, "the question is on its way")
    assert shared_upstream.calls == 0
    await chat.page.reload()
    await is_whole(chat, shared_upstream)


async def test_a_reload_before_the_page_knows_that_the_service_has_the_question(
    far_visitor: Watched, proxy: Proxy, upstream: Upstream, client: Client
) -> None:
    chat = await ChatPage.open(far_visitor, f"/c/{(await Talk.begin(client)).id}")
    await every_response_is_lost(proxy, "hole")
    upstream.script(*say(*WORDS, gate="word"))
    await chat.ask("Count.")
    await upstream.at_gate("word")
    proxy.otherwise = Rule()
    await proxy.cut_all()
    await chat.page.reload()
    await is_whole(chat, upstream)


async def every_response_is_lost(proxy: Proxy, end: End) -> None:
    """From now on requests reach the service, and nothing comes back."""
    proxy.otherwise = Rule(response=0, end=end)
    await proxy.cut_all()


# ── One click, one answer ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_double_click_asks_once(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*say(*WORDS, gate="word"))
    await chat.box.fill("Count.")
    await chat.send.dblclick()
    await is_whole(chat, shared_upstream)
    shared_upstream.script(*say("Again."))
    await chat.button("Answer again").dblclick()
    await chat.says("Again.")
    await chat.ended()
    await expect(chat.answer.get_by_role("group", name="Versions")).to_contain_text("2/2")
    assert shared_upstream.calls == 2


async def test_enter_twice_asks_once(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    chat = await ChatPage.open(shared_visitor)
    shared_upstream.script(*say(*WORDS, gate="word"))
    await chat.box.fill("Count.")
    await chat.page.keyboard.down("Enter")
    await chat.page.keyboard.down("Enter")  # held down: the browser repeats it
    await chat.page.keyboard.up("Enter")
    await chat.page.keyboard.press("Enter")
    await is_whole(chat, shared_upstream)
    await expect(chat.box).to_have_value("")


# ── The service ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_service_that_is_killed_has_kept_what_it_showed(
    visitor: Watched, server: Server, upstream: Upstream
) -> None:
    chat = await ChatPage.open(visitor)
    await asked(chat, upstream, 2)
    await server.kill()
    await server.start()
    await expect(chat.answer.get_by_role("note")).to_contain_text(BROKE_OFF)
    await chat.says(so_far(2))
    assert (await chat.only_grew())[-1] == so_far(2)
    await expect(chat.answer.get_by_role("note").get_by_role("button", name="Answer again")).to_be_enabled()
    assert upstream.calls == 1
    upstream.script(*say("three"))
    await chat.button("Continue").click()
    await chat.says("one two three")
    await chat.ended()
    assert upstream.calls == 2


async def test_a_service_that_is_killed_while_nobody_looks(
    visitor: Watched, server: Server, upstream: Upstream
) -> None:
    chat = await ChatPage.open(visitor)
    await asked(chat, upstream, 2)
    path = f"/c/{await chat.conversation_id()}"
    await chat.page.close()
    await server.restart()
    chat = await ChatPage.open(visitor, path)
    await chat.says(so_far(2))
    await expect(chat.answer.get_by_role("note")).to_contain_text(BROKE_OFF)
    await expect(chat.button("Continue")).to_be_enabled()


@pytest.mark.settings(TITLES=0, DRAIN_SECONDS=0.5)
async def test_a_service_that_is_told_to_stop_has_kept_what_it_showed(
    visitor: Watched, server: Server, upstream: Upstream
) -> None:
    chat = await ChatPage.open(visitor)
    await asked(chat, upstream, 2)
    await server.terminate()
    await server.start()
    await expect(chat.answer.get_by_role("note")).to_contain_text(BROKE_OFF)
    await chat.says(so_far(2))
    await expect(chat.button("Continue")).to_be_enabled()
    assert upstream.calls == 1


@pytest.mark.settings(TITLES=0, DRAIN_SECONDS=20)
async def test_a_service_that_is_told_to_stop_says_what_it_has_begun(
    visitor: Watched, server: Server, upstream: Upstream
) -> None:
    chat = await ChatPage.open(visitor)
    await asked(chat, upstream, 2)
    server.send_signal(signal.SIGTERM)
    upstream.open("word")
    await chat.says(so_far(len(WORDS)))
    await server.wait()
    await server.start()
    await is_whole(chat, upstream)
