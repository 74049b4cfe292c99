"""Makes the pictures of the README: `make screenshots`. The page as it is built, the real service, a scripted model."""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Browser, Page, expect

from tests.support.browser import chromium
from tests.support.client import client_of
from tests.support.fixtures import Serve
from tests.support.fork_server import Programs
from tests.support.script import DONE, Send, Status, Step, chunk, usage_chunk
from tests.support.talk import Talk
from tests.support.upstream import Upstream
from tests.support.watched import PHONE, Language, Theme, watched

FOLDER = Path(__file__).resolve().parents[3] / "docs/images"
WIDE = 1200
ENGLISH = """A **binary search** halves the range with every look, so a million names take twenty looks.

```python
def find(names: list[str], wanted: str) -> int | None:
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        if names[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(names) and names[low] == wanted else None
```

| names | looks, at most |
|--:|--:|
| 1,000 | 10 |
| 1,000,000 | 20 |

It needs $O(\\log n)$ steps, and the names have to be sorted.
"""
KOREAN = """네, 주말 이틀이면 충분합니다.

1. **첫날** – 대릉원과 첨성대를 천천히 걷고, 해가 지면 *동궁과 월지*에 불이 켜집니다.
2. **둘째 날** – 아침 일찍 불국사에 들렀다가 석굴암까지 올라가 보세요.

> 봄에는 보문호 벚꽃길이, 가을에는 통일전 은행나무길이 좋습니다.
"""


class Picture(NamedTuple):
    """One file, and how it looks."""

    name: str
    question: str
    answer: str
    theme: Theme
    language: Language
    width: int


PICTURES = (
    Picture("chat.png", "How does a binary search work?", ENGLISH, "light", "en", WIDE),
    Picture("chat.ko.png", "경주에 이틀 다녀오려는데 어디가 좋을까요?", KOREAN, "light", "ko", WIDE),
    Picture("dark.png", "How does a binary search work?", ENGLISH, "dark", "en", WIDE),
    Picture("phone.png", "경주에 이틀 다녀오려는데 어디가 좋을까요?", KOREAN, "dark", "ko", PHONE),
)
OTHERS = {
    "en": ("Letter to the landlord", "Names for a cat", "Regular expressions", "Packing for Iceland"),
    "ko": ("이사 체크리스트", "고양이 이름 짓기", "엑셀 함수 정리", "면접 질문 준비"),
}


def answer(text: str) -> list[Step]:
    """The script of one answer, with the usage of a longer question."""
    asked, said = 18, len(text) // 3
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    return [
        Status(),
        Send(chunk(content=text)),
        Send(chunk(finish_reason="stop")),
        Send(usage_chunk(usage)),
        Send(DONE),
    ]


async def take(picture: Picture, browser: Browser, folder: Path) -> None:
    """Ask the question of one picture on a service of its own, and keep what is seen."""
    async with Upstream() as upstream:
        serve = Serve(Programs(), folder, upstream, {"TITLES": 0, "OPENAI_MODEL": "gpt-4o-mini"})
        server = await serve()
        async with client_of(server.port) as client:
            for title in OTHERS[picture.language]:
                await Talk.begin(client, title=title)
        upstream.script(*answer(picture.answer))
        async with watched(
            browser,
            server.url,
            width=picture.width,
            theme=picture.theme,
            language=picture.language,
            device_scale_factor=1.5,
        ) as visitor:
            page = await visitor.open()
            await ask(page, picture.question)
            await page.set_viewport_size({"width": picture.width, "height": 860 if picture.width == WIDE else 760})
            await page.screenshot(path=FOLDER / picture.name)
        await serve.close()


async def ask(page: Page, question: str) -> None:
    """Have it answered, wholly drawn, and the list at rest."""
    field = page.locator("main textarea")
    await field.fill(question)
    await field.press("Control+Enter")  # on a phone Enter makes a new line
    log = page.get_by_role("log")
    await expect(log.locator("strong").first).to_be_visible()
    if await log.locator("pre").count():
        await expect(log.locator("pre span[style]").first).to_be_attached()
    await expect(page.get_by_text("gpt-4o-mini").last).to_be_visible()
    await page.evaluate("document.fonts.ready")


async def main() -> None:
    """All of them."""
    FOLDER.mkdir(exist_ok=True)
    async with chromium() as browser:
        for picture in PICTURES:
            with tempfile.TemporaryDirectory() as folder:
                await take(picture, browser, Path(folder))
            print(picture.name)


if __name__ == "__main__":
    asyncio.run(main())
