"""A conversation in a browser, by the names that a person or a screen reader knows its parts by (in English)."""

import itertools

from playwright.async_api import Locator, Page, expect

from tests.support.waiting import PATIENCE, until
from tests.support.watched import Watched

BROKE_OFF = "The answer broke off here. What had arrived is kept."

# What the newest answer showed after every single change of the page, from its first word on; and all that was told
# below an answer that is being written.
_WATCH = """
(() => {
  const seen = [];
  const told = new Set();
  Object.assign(window, { __answerSeen: seen, __told: told });
  const look = () => {
    for (const line of document.querySelectorAll("article[data-state=live] p")) told.add(line.textContent);
    const texts = [...document.querySelectorAll("article[data-role=assistant]")].at(-1)?.querySelectorAll(".md") ?? [];
    const text = [...texts].map((one) => one.textContent).join(" ").replaceAll(/\\s+/g, " ").trim();
    if (seen.length > 0 ? text !== seen.at(-1) : text !== "") seen.push(text);
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
})();
"""

# Loaded after the first screen: what answers need, and what is fetched ahead in a quiet moment. Where a test then has
# the network swallow what comes, these would hold the few connections that a browser makes.
_NAMES = ("message-list", "prose", "menu-popup", "search-dialog", "session-dialog", "shortcuts-dialog")
_PARTS = tuple(f"/assets/{name}-" for name in _NAMES)


class ChatPage:
    """What a person does in a conversation, and what they see of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.get_by_role("textbox", name="Message", exact=True)
        self.send = page.get_by_role("button", name="Send", exact=True)
        self.stop = page.get_by_role("button", name="Stop the answer")
        self.log = page.get_by_role("log", name="Conversation")
        self.questions = page.get_by_role("article", name="You", exact=True)
        self.answers = page.get_by_role("article", name="Answer", exact=True)

    @classmethod
    async def open(cls, visitor: Watched, path: str = "/", *, loaded: bool = True) -> "ChatPage":
        """A new tab, whose newest answer is watched from its first word on. `loaded`: with all that answers need."""
        page = await visitor.context.new_page()
        there: list[str] = []
        page.on("requestfinished", lambda request: there.append(request.url))
        await page.add_init_script(_WATCH)
        await page.goto(visitor.origin + path)
        chat = cls(page)
        await expect(chat.box).to_be_visible()
        if loaded:
            await until(lambda: all(any(part in url for url in there) for part in _PARTS), "the page is loaded whole")
            await expect(page.get_by_text("Loading the conversation…")).to_have_count(0)
        return chat

    @property
    def question(self) -> Locator:
        """The newest one."""
        return self.questions.last

    @property
    def answer(self) -> Locator:
        """The newest one."""
        return self.answers.last

    @property
    def text(self) -> Locator:
        """What the newest answer says, without what stands around it."""
        return self.answer.locator(".md")

    def button(self, name: str) -> Locator:
        """Of the newest answer."""
        return self.answer.get_by_role("button", name=name, exact=True)

    async def ask(self, text: str) -> None:
        """Write and send."""
        await self.box.fill(text)
        await self.box.press("Enter")

    async def says(self, text: str) -> None:
        """Wait until the newest answer says exactly this, its spaces aside."""
        await expect(self.text).to_have_text(text)

    async def ended(self, patience: float = PATIENCE) -> None:
        """Wait until nothing is being written; at most so many seconds."""
        await expect(self.button("Answer again").last).to_be_visible(timeout=patience * 1000)
        await expect(self.stop).to_have_count(0)

    async def conversation_id(self) -> str:
        """Wait until the address is that of a conversation; its id."""
        found: str = await until(lambda: self.page.url.partition("/c/")[2].partition("?")[0], "the page leads to /c/…")
        return found

    async def seen(self) -> list[str]:
        """Everything that the newest answer showed since the page was loaded, in order."""
        return await self.page.evaluate("window.__answerSeen")

    async def only_grew(self) -> list[str]:
        """The same.

        Raises:
            AssertionError: for one moment it showed less than before, or something else.
        """
        seen = await self.seen()
        for before, after in itertools.pairwise(seen):
            assert after.startswith(before), f"it showed {before!r} and then {after!r}"
        return seen

    async def told(self) -> list[str]:
        """Every sentence that stood in an answer while it was written, since the page was loaded."""
        return await self.page.evaluate("[...window.__told]")

    async def show_tab(self, visible: bool) -> None:
        """Bring the tab to the front, or put it behind another. (A headless browser shows every tab always.)"""
        await self.page.evaluate(_VISIBILITY, "visible" if visible else "hidden")


_VISIBILITY = """
(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  Object.defineProperty(document, "hidden", { value: state === "hidden", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""
