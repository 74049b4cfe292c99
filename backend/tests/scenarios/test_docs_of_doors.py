"""The pages on the doors: every example in them runs as it is printed, and both languages print the same."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.support.node import CLIENTS, script
from tests.support.script import say
from tests.support.server import BACKEND, Server
from tests.support.upstream import Upstream
from tests.support.waiting import PATIENCE

PAGES = BACKEND.parent / "docs" / "doors"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = "http://localhost:8000"


def examples(page: str) -> list[tuple[str, str]]:
    """The language and the code of each example of a page."""
    return FENCE.findall((PAGES / page).read_text("utf-8"))


EXAMPLES = [
    pytest.param(language, code, id=f"{page.stem}-{number}")
    for page in sorted(PAGES.glob("*.md"))
    if not page.stem.endswith(".ko")
    for number, (language, code) in enumerate(examples(page.name), 1)
]


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
async def test_an_example_runs_as_it_is_printed(
    shared_server: Server, shared_upstream: Upstream, tmp_path: Path, language: str, code: str
) -> None:
    shared_upstream.otherwise(*say("Red, green", " and blue."))
    assert PRINTED in code
    code = code.replace(PRINTED, shared_server.url)
    printed = await {"python": in_python, "js": in_javascript}[language](code, tmp_path)
    assert "Red, green and blue." in printed


async def in_python(code: str, folder: Path) -> str:
    (folder / "example.py").write_text(code, "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        folder / "example.py",
        env={"PATH": "", "HOME": str(folder), "LANG": "C.UTF-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def in_javascript(code: str, folder: Path) -> str:
    (folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    (folder / "example.mjs").write_text(code, "utf-8")
    async with script(folder / "example.mjs") as running:
        return await running.ended()


def test_both_languages_print_the_same_examples() -> None:
    pages = sorted(page.name for page in PAGES.glob("*.md"))
    english = [page for page in pages if not page.endswith(".ko.md")]
    assert pages == sorted([*english, *(page.replace(".md", ".ko.md") for page in english)])
    assert len(english) == 3
    for page in english:
        assert examples(page) == examples(page.replace(".md", ".ko.md")) != []
