"""What is kept, as a whole: a backup while it is written, its way back, and the move into PostgreSQL."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import say
from tests.support.server import BACKEND, Server
from tests.support.talk import Talk
from tests.support.upstream import Upstream

pytestmark = pytest.mark.settings(TITLES=0)


async def run(server: Server, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """`python -m app.cli …` with the environment of `server`."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=BACKEND,
        env={"PATH": "/usr/bin:/bin", "TERM": "dumb", **server.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_backup_while_answers_are_written_comes_back_whole(
    server: Server, client: Client, upstream: Upstream, tmp_path: Path
) -> None:
    before = await client.ask("Before?")
    upstream.script(*say("half", " whole", gate="word"))
    upstream.open("word", 1)
    during = await client.ask("During?", until=1)
    file = tmp_path / "backup.db"
    made = await run(server, "backup", str(file))
    assert (made.returncode, "checked" in made.stdout) == (0, True), made.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert (await run(server, "backup", str(file))).returncode == 1, "nothing is written over"
    upstream.open("word")
    await client.ended(during.run_id)
    refused = await run(server, "restore", str(file))
    assert (refused.returncode, "Another process" in refused.stderr, refused.stdout) == (1, True, "")
    await client.ask("After?")
    await server.close()
    asked = await run(server, "restore", str(file))  # and nobody says yes
    assert (asked.returncode, asked.stdout.startswith(f"Replace {server.database}?")) == (1, True), asked.stderr
    assert not list(server.folder.glob("chat.db.*before*"))
    restored = await run(server, "restore", str(file), "--yes")
    assert (restored.returncode, "what was there is" in restored.stdout) == (0, True), restored.stderr
    await server.start()
    assert (await client.follow(before.run_id)).text == "Hello there"
    assert (await client.run(during.run_id)).json["status"] == "interrupted"
    assert (await client.follow(during.run_id)).text == "half", "what it had said is in the backup, too"
    await server.close()
    assert len(check(server.database).runs) == 2
    kept = next(path for path in server.folder.glob("chat.db.before-*") if not path.name.endswith(("-wal", "-shm")))
    assert len(Books.read(kept).runs) == 3


async def test_a_restore_sets_aside_what_a_killed_service_left_beside_its_database(
    server: Server, client: Client, upstream: Upstream, tmp_path: Path
) -> None:
    file = tmp_path / "backup.db"
    assert (await run(server, "backup", str(file))).returncode == 0
    upstream.script(*say("half", " whole", gate="word"))
    upstream.open("word", 1)
    killed = await client.ask("During?", until=1)
    await server.kill()
    assert (await run(server, "restore", str(file), "--yes")).returncode == 0
    await server.start()
    assert (await client.run(killed.run_id)).status == 404
    await server.close()
    (kept,) = server.folder.glob("chat.db.before-*.journal-*")
    (old,) = (path for path in server.folder.glob("chat.db.before-*[0-9]") if path.suffix.startswith(".before-"))
    for path in (old, Path(f"{old}-wal"), kept):  # and it can be had again
        path.rename(server.folder / path.name.replace(old.name, "chat.db"))
    await server.start()
    assert (await client.follow(killed.run_id)).text == "half"


async def test_what_is_no_backup_is_refused_and_nothing_is_changed(server: Server, tmp_path: Path) -> None:
    await server.close()
    before = server.database.read_bytes()
    letter = tmp_path / "letter.db"
    letter.write_text("This is a letter to my aunt.")
    told = await run(server, "restore", str(letter), "--yes")
    assert (told.returncode, "cannot be read" in told.stderr) == (1, True)
    assert server.database.read_bytes() == before


async def test_a_file_moves_into_postgresql_and_everything_is_found_there(serve: Serve, upstream: Upstream) -> None:
    server = await serve()
    client = Client(server.port)
    talk = await Talk.begin(client, title="여행 계획")
    upstream.script(*say("제주도는 ", "바람이 많습니다."))
    answer = await talk.ask("제주도는 어때?")
    alone = await client.ask("Alone?", key="once")
    with postgres.database() as url:
        busy = await run(server, "migrate-data", str(server.database), DATABASE_URL=url)
        assert (busy.returncode, "Another process" in busy.stderr) == (1, True)
        await server.close()
        old = check(server.database)
        moved = await run(server, "migrate-data", str(server.database), DATABASE_URL=url)
        assert moved.returncode == 0, moved.stderr
        assert "messages: 3 rows, the same on both sides" in moved.stdout
        again = await run(server, "migrate-data", str(server.database), DATABASE_URL=url)
        assert (again.returncode, "is not empty" in again.stderr) == (1, True)
        assert check(server.database) == old, "the file is as it was"

        there = await serve(DATABASE_URL=url)
        client = Client(there.port)
        assert (await client.follow(answer.run_id)).text == "제주도는 바람이 많습니다."
        for word in ("바람", "여행", "어때"):
            found = (await client.request("GET", "/api/search", query={"q": word})).json["items"]
            assert [one["conversation_id"] for one in found] == [talk.id], word
        repeated = await client.ask("Alone?", key="once")
        assert (repeated.run_id, repeated.replayed) == (alone.run_id, True)
        dump = await run(there, "backup", "x.dump")
        assert (dump.returncode, "pg_dump" in dump.stderr) == (1, True)
        await there.close()
        assert len(check(url).messages) == len(old.messages)
