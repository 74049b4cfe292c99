"""What is wrong with a PostgreSQL is said in a sentence, at start or in `/ready`; never a service that half works."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engines import choice
from app.engines import postgres as engine
from app.errors import StartRefused
from app.settings import Settings
from tests.support import postgres, sockets
from tests.support.client import Client
from tests.support.cluster import cluster
from tests.support.fixtures import Serve
from tests.support.postgres import Postgres
from tests.support.server import Server


@pytest.fixture(scope="module")
def locked() -> Iterator[Postgres]:
    """A server that asks for a password."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder), password="open sesame").start()
        yield server
        server.stop(signal.SIGQUIT)


def refused(url: str) -> str:
    """What is said where the service cannot start."""
    with pytest.raises(StartRefused) as refusal:
        opened(url)
    return refusal.value.message


def opened(url: str) -> engine.PostgresDatabase:
    database = engine.PostgresDatabase(url)
    database.open()
    return database


async def test_a_service_that_cannot_reach_its_database_ends_with_one_sentence(serve: Serve) -> None:
    server: Server = serve.make(DATABASE_URL=f"postgresql://ann:secret@127.0.0.1:{sockets.free_port()}/chat")
    server.spawn()
    assert await server.wait() != 0
    assert "cannot be reached" in server.log
    assert "Start it, or check the host and port in DATABASE_URL." in server.log
    assert "secret" not in server.log


def test_a_wrong_password_is_said_and_the_right_one_opens(locked: Postgres) -> None:
    for user in ("postgres", "postgres:wrong"):
        sentence = refused(locked.url.replace("postgres@", f"{user}@"))
        assert "the name or the password in DATABASE_URL is wrong" in sentence
        assert "wrong@" not in sentence
    opened(locked.url.replace("postgres@", "postgres:open%20sesame@")).let_go()


def test_a_socket_s_folder_is_an_address_too(locked: Postgres) -> None:
    database = opened(locked.socket_url.replace("postgres@", "postgres:open%20sesame@"))
    assert database.look(lambda connection: connection.exec_driver_sql("SELECT 1").scalar()) == 1
    database.let_go()


def test_a_database_that_is_not_there_is_said() -> None:
    assert "createdb" in refused(postgres.within(postgres.server_url(), "nowhere"))


def test_an_address_that_is_none_is_said() -> None:
    assert "It looks like postgresql://" in refused("postgresql://host:port/x?color=red")


def test_an_old_version_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OLDEST", 99)
    assert "99 or newer is needed" in refused(postgres.server_url())


def test_a_missing_driver_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app.engines.postgres", None)
    settings = Settings(_env_file=None, database_url="postgresql://h/d")  # pyright: ignore[reportCallIssue]
    with pytest.raises(StartRefused, match=r"pip install -r requirements-postgres\.txt"):
        choice.database(settings)


async def test_a_clock_that_is_off_is_said_and_changes_nothing(serve: Serve) -> None:
    async with cluster(serve, size=1) as right:
        wrong = [
            await serve(DATABASE_URL=right.url, LEASE_SECONDS="1.5", CLOCK_AHEAD=ahead) for ahead in ("300", "-300")
        ]
        notes = [(await Client(server.port).request("GET", "/ready")).json["note"] for server in wrong]
        assert "300 seconds ahead of the database's" in notes[0]
        assert "300 seconds behind the database's" in notes[1]
        assert "timedatectl" in notes[0]
        for server in (*wrong, right[0]):
            answer = await Client(server.port).ask("When?")
            assert (answer.text, answer.error) == ("Hello there", None)
        times = [row["created_at"] for row in postgres.rows(right.url, "SELECT created_at FROM runs ORDER BY id")]
        assert times == sorted(times)
        assert times[-1] - times[0] < 60_000
        await asyncio.gather(*(server.close() for server in wrong))
