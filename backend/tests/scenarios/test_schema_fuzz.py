"""Requests made from the schema, proper and broken, never break the service, and its answers are what it says."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.invariants import check
from tests.support.server import BACKEND, Server
from tests.support.upstream import Upstream

SHARED_SETTINGS = {"ABANDON_SECONDS": "1", "MAX_RUNS": "2000", "TITLES": "0"}
ENDLESS = ("--exclude-path", "/api/events")  # a stream of changes never ends, and the tool waits for ends
# Switched off: what no schema can say (which cursor exists, that a GET needs a message unless it has a cursor), the
# accounts that do not exist, for conversations that a 404 may mean a message that the body names, and for streams the
# body, since the tool takes each event for the whole of it.
CONFIG = """
[checks]
positive_data_acceptance.enabled = false
missing_required_header.enabled = false
ignored_auth.enabled = false
object_level_authorization.enabled = false

[[operations]]
include-path-regex = "/stream$|/events$|/agui$|/completions$"
checks.response_schema_conformance.enabled = false

[[operations]]
include-path-regex = "/conversations/.conversation_id."
checks.ensure_resource_availability.enabled = false
"""


async def fuzz(server: Server, folder: Path, *more: str) -> None:
    """Run schemathesis against the service.

    Raises:
        AssertionError: with its report, if it found something.
    """
    (folder / "schemathesis.toml").write_text(CONFIG, "utf-8")
    command = ["-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
    quiet = ["--no-color", "--warnings", "off", "--continue-on-failure", "--request-timeout", "10"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        *quiet,
        *ENDLESS,
        *more,
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONPATH": str(BACKEND)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    report = output.decode("utf-8", "replace")
    assert process.returncode == 0, report


QUESTIONS = ("--include-path-regex", "/chat/|/runs/|/models|^/$|/health|/ready")
REST = ("--exclude-path-regex", QUESTIONS[1])


async def test_questions_made_from_the_schema_never_break_the_service(
    shared_server: Server, shared_upstream: Upstream, tmp_path: Path
) -> None:
    for seed in ("1", "2", "3", "4"):  # a busy machine comes to few valid questions at a time
        await fuzz(shared_server, tmp_path, *QUESTIONS, "--max-time", "20", "--seed", seed)
        if shared_upstream.calls > 10:
            break
    assert '"status": 500' not in shared_server.log
    assert "request.broke" not in shared_server.log
    assert shared_upstream.calls > 10


async def test_other_requests_made_from_the_schema_neither(shared_server: Server, tmp_path: Path) -> None:
    await fuzz(shared_server, tmp_path, *REST, "--max-time", "20", "--seed", "1")
    assert '"status": 500' not in shared_server.log
    assert "request.broke" not in shared_server.log


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_minutes_of_them_neither(shared_server: Server, shared_upstream: Upstream, tmp_path: Path) -> None:
    await fuzz(shared_server, tmp_path, "--max-time", "600")
    assert '"status": 500' not in shared_server.log
    await shared_server.close()
    check(shared_server.database)
    assert shared_upstream.calls > 1000
