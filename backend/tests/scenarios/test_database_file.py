"""The file itself: private, ours or refused, bounded while it is written, and in order after everything."""

import asyncio
import contextlib
import os
import random
import sqlite3
import stat
import threading
from collections.abc import Generator
from pathlib import Path

from app.eventlog.segments import paths
from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.invariants import Books, check
from tests.support.script import Gate, Send, Status, chunk, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

MB = 1 << 20
PAGE = 4096


@contextlib.contextmanager
def opened(server: Server) -> Generator[sqlite3.Connection]:
    """The file in the hands of another program."""
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        yield other


def wal(server: Server) -> int:
    """Bytes of the write-ahead log."""
    return Path(f"{server.database}-wal").stat().st_size


def journal(server: Server) -> list[str]:
    """Files of the journal."""
    return [path.name for path in paths(server.database)]


async def refuses(server: Server, *words: str) -> None:
    """It does not start, says why in one line, and leaves the file as it was."""
    before = server.database.read_bytes()
    server.spawn()
    assert await server.wait() not in (0, None)
    sentence = next((line for line in server.log.splitlines() if str(server.database) in line or words[0] in line), "")
    assert all(word in sentence for word in words), server.log
    assert server.database.read_bytes() == before


async def test_nobody_else_on_the_machine_can_read_the_files_and_a_clean_stop_leaves_one(
    serve: Serve, upstream: Upstream
) -> None:
    upstream.script(*say("one ", "two ", gate="go on"))
    upstream.open("go on", 1)
    server = serve.make()
    folder = server.folder / "not" / "there yet"
    mask = os.umask(0)
    try:
        await server.start(DATABASE_URL=f"sqlite:///{folder / 'chat.db'}")
    finally:
        os.umask(mask)
    await Client(server.port).ask("Count.", until=1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    names = ("chat.db", "chat.db-wal", "chat.db-shm", "chat.db.lock", "chat.db.journal-00000001")
    assert modes == dict.fromkeys(names, 384)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    await server.terminate()
    assert {path.name for path in folder.iterdir()} == {"chat.db", "chat.db.lock"}


async def test_another_program_s_file_is_refused_with_a_sentence_and_stays_as_it_is(serve: Serve) -> None:
    server = serve.make()
    with opened(server) as theirs:
        theirs.execute("CREATE TABLE runs (id TEXT)")
        theirs.execute("INSERT INTO runs VALUES ('precious')")
    await refuses(server, str(server.database), "DATABASE_URL", "nothing was changed")


async def test_our_file_with_damage_is_refused_with_a_sentence_and_stays_as_it_is(serve: Serve) -> None:
    server = await serve()
    client = Client(server.port)
    for number in range(20):
        await client.ask(f"Question {number}")
    await server.terminate()
    whole = server.database.read_bytes()
    damages = {
        "its first page": whole[:100] + random.Random(1).randbytes(PAGE - 100) + whole[PAGE:],
        "all other pages": whole[:PAGE] + random.Random(2).randbytes(len(whole) - PAGE),
    }
    for what, damaged in damages.items():
        server.database.write_bytes(damaged)
        (server.folder / "server.log").unlink()
        print(what)
        await refuses(server, str(server.database), "damaged", "backup")
    server.database.write_bytes(whole)
    await server.start()
    assert len(check(server.database).runs) == 20


async def test_a_newer_database_is_refused_with_a_sentence_and_stays_as_it_is(serve: Serve) -> None:
    server = await serve()
    await Client(server.port).ask("Hello?")
    await server.terminate()
    with opened(server) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    await refuses(server, "newer version", "9999", "nothing was changed")


async def test_a_database_that_cannot_be_opened_is_refused_with_a_sentence(serve: Serve) -> None:
    server = serve.make()
    server.database.mkdir()
    server.spawn()
    assert await server.wait() not in (0, None)
    assert f"The database {server.database} cannot be opened" in server.log


async def test_the_journal_is_trimmed_and_the_log_bounded_while_a_long_run_lives(
    serve: Serve, upstream: Upstream
) -> None:
    """Files go up to where the long run began; what it wrote itself stays until it ends."""
    text = [f"{number:06} " + "x" * 1300 for number in range(300)]
    server = await serve()
    client = Client(server.port)
    upstream.script(*say("old ", "old", gate="old"))
    upstream.open("old", 1)
    old = await client.ask("An old run.", until=1)
    for number in range(15):
        upstream.script(*say(*text))
        assert (await client.ask(f"Before {number}")).text == "".join(text)
    before = journal(server)
    upstream.script(Status(), Send(chunk("begun ")), Gate("long"), Send(chunk("ended", finish_reason="stop")))
    long = await client.ask("A long run.", until=1)
    upstream.open("old")
    await client.ended(old.run_id)
    assert len(before) > 1
    await until(lambda: journal(server) == before[-1:], f"those of {before} from before the long run are gone")
    sizes: list[int] = []
    for number in range(20):
        upstream.script(*say(*text))
        assert (await client.ask(f"Meanwhile {number}")).text == "".join(text)
        sizes.append(wal(server))
    assert max(sizes) < 8 * MB, sizes
    assert journal(server)[0] == before[-1], "the long run holds back what came after it began"
    upstream.open("long")
    assert (await client.follow(long.run_id)).text == "begun ended"
    await until(lambda: not journal(server), "nothing is left of the journal")


async def test_the_log_stops_growing_once_a_reader_from_outside_lets_go(serve: Serve, upstream: Upstream) -> None:
    upstream.otherwise(*say(*["x" * 16_000] * 20))
    server = await serve()
    client = Client(server.port)

    async def traffic() -> int:
        await asyncio.gather(*(client.ask(f"{number}") for number in range(15)))
        return wal(server)

    with opened(server) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchone()
        held = [await traffic(), await traffic()]
        other.execute("COMMIT")
    assert held[1] > held[0] > 4 * MB, "a reader that stays keeps the log from being reused"
    _, *after = [await traffic() for _ in range(3)]
    assert after[1] <= after[0]


async def test_after_a_storm_of_writers_and_readers_the_file_is_in_order(serve: Serve, upstream: Upstream) -> None:
    """Readers of the service, readers of the file from outside, and checks of it, all while it is written."""
    words = [f"{number} 가나다 " for number in range(200)]
    upstream.otherwise(*say(*words, pause=0.002))
    server = await serve()
    client = Client(server.port)
    over = threading.Event()
    checks: list[str] = []

    def look() -> None:
        while not over.is_set():
            with contextlib.closing(sqlite3.connect(f"{server.database.as_uri()}?mode=ro", uri=True)) as other:
                checks.append(other.execute("PRAGMA quick_check").fetchone()[0])
                other.execute("SELECT count(*), sum(length(parts)) FROM messages").fetchone()
            over.wait(0.02)

    async def one(number: int) -> None:
        first = await client.ask(f"Question {number}", until=number % 50 + 1)
        rest, whole = await asyncio.gather(
            client.follow(first.run_id, first.cursor), client.follow(first.run_id, by="query")
        )
        assert first.text + rest.text == whole.text == "".join(words)
        assert (await client.run(first.run_id)).json["status"] == "completed"

    outside = threading.Thread(target=look)
    outside.start()
    try:
        await asyncio.gather(*(one(number) for number in range(40)))
    finally:
        over.set()
        outside.join()
    assert len(checks) > 3
    assert set(checks) == {"ok"}
    assert len(Books.read(server.database).runs) == 40
    await server.terminate()
    assert {run["status"] for run in check(server.database).runs} == {"completed"}
