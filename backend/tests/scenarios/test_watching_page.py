"""docs/watching.md, in both languages, names every number, every field of the two lines, and nothing else."""

import re
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.scrape import line_of, scraped
from tests.support.server import BACKEND, Server

DOCS = BACKEND.parent / "docs"
PAGES = ("watching.md", "watching.ko.md")
LATER = {"code"}  # of a request's line: only of a refusal's
OF_ALL = {"event", "level", "timestamp"}


def named(page: str, *, numbers: bool) -> list[str]:
    """What stands as code in the first column of the page's tables: numbers have longer names than fields."""
    rows = re.findall(r"(?m)^\|((?: `[a-z_]+`)+) \|", (DOCS / page).read_text("utf-8"))
    names = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    return [name for name in names if name.startswith(("aichat_", "gen_ai_", "process_")) == numbers]


@pytest.mark.parametrize("page", PAGES)
async def test_the_page_names_every_metric_and_no_other(shared_client: Client, page: str) -> None:
    text = (await scraped(shared_client)).text
    assert sorted(named(page, numbers=True)) == sorted(re.findall(r"(?m)^# TYPE (\S+) ", text))


@pytest.mark.parametrize("page", PAGES)
async def test_the_page_names_every_field_of_a_request_s_and_of_a_run_s_line(
    shared_server: Server, shared_client: Client, page: str
) -> None:
    answer = await shared_client.ask("Hello?")
    request = await line_of(shared_server, "request", run=answer.run_id)
    run = await line_of(shared_server, "run.ended", run=answer.run_id)
    assert set(named(page, numbers=False)) == (request.keys() | run.keys() | LATER) - OF_ALL


@pytest.mark.parametrize("page", PAGES)
def test_its_examples_use_metrics_that_there_are(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    used = {
        name
        for block in re.findall(r"(?s)```yaml\n(.*?)```", text)
        for name in re.findall(r"(?:aichat|gen_ai_client)_\w+", block)
    }
    assert used
    assert {name.removesuffix("_bucket") for name in used} <= set(named(page, numbers=True))


def test_both_readmes_lead_there() -> None:
    for readme, page in (("README.md", PAGES[0]), ("README.ko.md", PAGES[1])):
        assert f"(docs/{page})" in (BACKEND.parent / readme).read_text("utf-8")
    assert Path(DOCS / PAGES[0]).exists()
