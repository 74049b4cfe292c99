"""What docs/accounts.md has people type does what it says; the Korean page has them type the same."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.support.server import Server
from tests.support.upstream import Upstream

DOCS = Path(__file__).resolve().parents[3] / "docs"
pytestmark = pytest.mark.settings(ACCOUNTS=1, TITLES=0)


def examples(page: str) -> list[str]:
    """The blocks that are commands."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return [block for block in blocks if "curl" in block]


async def test_the_examples_work_in_their_order(server: Server, upstream: Upstream, tmp_path: Path) -> None:
    script = "\n".join(["set -e", *examples("accounts.md")])
    script = script.replace("localhost:8000", f"127.0.0.1:{server.port}").replace("/tmp/", f"{tmp_path}/")
    script = script.replace("curl ", "curl -sSf -w '\\n' ")
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told
    assert '"name":"bob"' in told
    assert '{"chunk": "Hello"}' in told
    record = json.loads(told.splitlines()[-1])
    assert [deed["kind"] for deed in reversed(record["items"])] == [
        "signed_up",
        "invited",
        "signed_up",
        "signed_in",
        "password_changed",
        "signed_out",
        "key_created",
    ]


def test_the_korean_page_has_people_type_the_same() -> None:
    assert examples("accounts.ko.md") == examples("accounts.md")
