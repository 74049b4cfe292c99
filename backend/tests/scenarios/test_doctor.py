"""The doctor looks at all that the service needs, says of each what to do, disturbs nothing and buys nothing."""

import asyncio
import contextlib
import shutil
import sqlite3
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from app.providers import plan as plans
from app.settings import Settings
from tests.support.catalogue import LIST, asked, model_list, offers, toml
from tests.support.client import Client
from tests.support.doctor import examined
from tests.support.fixtures import Serve
from tests.support.script import Hang, Send, Status, Step, chunk, error_status, json_status, serve_body
from tests.support.server import BACKEND, Server
from tests.support.sockets import free_port, listening
from tests.support.upstream import Upstream

MODEL = "gpt-3.5-turbo"


@pytest.fixture
def place(serve: Serve, upstream: Upstream) -> Server:
    """Settings and a folder; the service does not run. The endpoint is well."""
    offers(upstream, listed(MODEL))
    return serve.make()


@pytest.fixture
async def kept(place: Server) -> Server:
    """The same with a database that a service has left in order."""
    await place.start()
    client = Client(place.port)
    await client.ask("Keep it.")
    client.close()
    await place.terminate()
    return place


def listed(*models: str, ahead: float = 0) -> list[Step]:
    """A list of models, and the clock of who gives it."""
    date = formatdate(time.time() + ahead, usegmt=True)
    return json_status(200, {"data": [{"id": model} for model in models]}, {"Date": date})


def change(server: Server, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)


# ── All is well ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_where_all_is_well_every_line_says_so_and_the_exit_code_is_0(kept: Server) -> None:
    found = await examined(kept)
    assert found.code == 0
    assert all(line.startswith("ok    ") for line in found.lines), found.lines
    for subject in ("settings", "disk", "rights", "log", "database", "schema", "integrity", "clock", "endpoint openai"):
        assert found.of(subject), subject
    assert found.of("model openai/gpt-3.5-turbo") == [
        "ok    model openai/gpt-3.5-turbo: the endpoint has it. It answers when none is named."
    ]


async def test_it_buys_nothing_and_sends_the_key_to_the_endpoint_alone(
    serve: Serve, kept: Server, upstream: Upstream
) -> None:
    bought = len(asked(upstream))
    found = await examined(kept)
    assert len(asked(upstream)) == bought
    last = upstream.requests[-1]
    assert (last.method, last.path, last.authorization) == ("GET", LIST, f"Bearer {serve.canary}")
    assert serve.canary not in "\n".join(found.lines)


async def test_a_file_that_nobody_has_open_is_left_as_it_is_and_nothing_is_made_beside_it(kept: Server) -> None:
    before = {path.name: path.read_bytes() for path in kept.folder.iterdir() if path.name.startswith("chat.db")}
    await examined(kept)
    assert {path.name: path.read_bytes() for path in kept.folder.iterdir() if path.name.startswith("chat.db")} == before


async def test_a_running_service_is_seen_and_not_disturbed(place: Server, upstream: Upstream) -> None:
    await place.start()
    client = Client(place.port)
    upstream.script(Status(), Send(chunk("On")), Hang())
    answer = await client.ask("Go on.", until=1)
    found = await examined(place)
    assert (found.code, found.wrong) == (0, [])
    assert "a service is running on it" in found.of("database")[0]
    assert (await client.run(answer.run_id)).json["status"] == "running"
    assert (await client.cancel(answer.run_id)).status == 202
    client.close()


async def test_what_a_killed_service_left_is_told_and_the_next_start_takes_it_in(
    place: Server, upstream: Upstream
) -> None:
    await place.start()
    client = Client(place.port)
    upstream.script(Status(), Send(chunk("On")), Hang())
    with contextlib.closing(sqlite3.connect(f"{place.database.as_uri()}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM runs").fetchall()  # while somebody reads, no sweep empties the log
        await client.ask("Go on.", until=1)
        await place.kill()
    found = await examined(place)
    assert found.code == 0
    assert "the last service was killed" in found.of("log")[0]
    assert "no service is running on it" in found.of("database")[0]
    await place.start()
    client.close()


async def test_before_the_first_start_there_is_nothing_to_look_at(place: Server) -> None:
    found = await examined(place)
    assert found.code == 0
    assert found.of("database") == [f"ok    database: {place.database} is not there yet; the first start makes it."]


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_settings_that_cannot_be_are_told_and_nothing_else_is_looked_at(
    place: Server, upstream: Upstream
) -> None:
    found = await examined(place, env={"PORT": "http", "MAX_RUNS": "0"})
    assert found.code == 1
    assert [line.split(" ")[:3] for line in found.wrong] == [
        ["settings:", "PORT", "cannot"],
        ["settings:", "MAX_RUNS", "cannot"],
    ]
    assert len(found.lines) == 2
    assert upstream.requests == []


async def test_a_file_of_models_that_cannot_be_is_told_with_its_line(place: Server, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text('[providers.a]\nbase_url = "nowhere"\n', "utf-8")
    found = await examined(place, env={"MODELS_FILE": str(tmp_path / "models.toml")})
    assert found.code == 1
    assert "models.toml, line 2" in found.wrong[0]


# ── The database ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_another_program_s_file_is_told(place: Server) -> None:
    change(place, "CREATE TABLE theirs (id)")
    found = await examined(place)
    assert found.code == 1
    assert any("belongs to another program" in line for line in found.wrong)


async def test_a_file_that_is_no_database_is_told(place: Server) -> None:
    place.database.write_bytes(b"not a database at all" * 1000)
    place.database.chmod(0o600)
    found = await examined(place)
    assert found.code == 1
    assert any("cannot be read" in line and "Restore it" in line for line in found.wrong)


async def test_a_damaged_file_is_told(kept: Server) -> None:
    content = bytearray(kept.database.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    kept.database.write_bytes(content)
    found = await examined(kept)
    assert found.code == 1
    assert any("damaged" in line or "cannot be read" in line for line in found.wrong), found.lines


async def test_a_file_of_a_newer_version_is_told_and_one_of_an_older_is_fine(kept: Server) -> None:
    change(kept, "UPDATE alembic_version SET version_num = '9999'")
    assert any(line.startswith("schema: it is 9999, of a newer version") for line in (await examined(kept)).wrong)
    change(kept, "UPDATE alembic_version SET version_num = '0001'")
    found = await examined(kept)
    assert found.code == 0
    assert "the next start brings it to" in found.of("schema")[0]


async def test_a_file_that_others_can_read_is_told_with_what_to_type(kept: Server) -> None:
    kept.database.chmod(0o644)
    (line,) = (await examined(kept)).wrong
    assert line.endswith(f"Type: chmod 600 {kept.database}")


async def test_a_row_from_the_future_is_told(kept: Server) -> None:
    change(kept, f"UPDATE runs SET created_at = {int((time.time() + 7300) * 1000)}")
    (line,) = (await examined(kept)).wrong
    assert line.startswith("clock: the newest answer was asked for 2 hours from now: the clock was set back")


async def test_a_log_that_never_shrinks_is_told(kept: Server) -> None:
    with Path(f"{kept.database}-wal").open("wb") as log:
        log.truncate(300 * 2**20)  # a hole; no disk is filled
    Path(f"{kept.database}-wal").chmod(0o600)
    found = await examined(kept)
    assert any(line.startswith("log: the write-ahead log has 300.0 MiB.") for line in found.wrong), found.lines


async def test_a_folder_that_cannot_be_written_to_is_told(place: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the function itself: the superuser, who may run these tests, can write everywhere."""
    from app.doctor import database

    monkeypatch.setattr(database.os, "access", lambda *_: False)
    (_, found) = database.examine(place.database, time.time())
    assert found.state == "wrong"
    assert "is not writable" in found.sentence


async def test_a_disk_that_is_nearly_full_is_told(place: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.doctor import database

    usage = shutil.disk_usage(place.folder)._replace(free=50 * 2**20)
    monkeypatch.setattr(database.shutil, "disk_usage", lambda _: usage)
    found = next(database.examine(place.database, time.time()))
    assert (found.subject, found.state) == ("disk", "wrong")
    assert found.sentence.startswith("50.0 MiB are free")


async def test_a_large_file_of_a_running_service_is_looked_at_for_a_while_only(
    place: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.doctor import database

    await place.start()
    monkeypatch.setattr(database, "BUSY_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(database, "PROGRESS_STEPS", 1)
    found = {finding.subject: finding for finding in database.examine(place.database, time.time())}
    assert found["integrity"].state == "unclear"
    assert "Stop the service and ask again" in found["integrity"].sentence
    assert database.is_served(place.database)


# ── Endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        (401, "wrong", "refuses the key (status 401). Check OPENAI_API_KEY."),
        (403, "wrong", "refuses the key (status 403). Check OPENAI_API_KEY."),
        (302, "wrong", "sends elsewhere (status 302)"),
        (500, "wrong", "out of order (status 500)"),
        (429, "unclear", "its quota is spent (status 429)"),
        (404, "unclear", "no list of models (status 404)"),
    ],
)
async def test_what_an_endpoint_answers_is_told(
    place: Server, upstream: Upstream, status: int, state: str, words: str
) -> None:
    upstream.otherwise(*error_status(status, {"Location": "http://127.0.0.1:1/"}, "canary-of-theirs"))
    found = await examined(place)
    assert found.code == (1 if state == "wrong" else 0)
    (line,) = found.of("endpoint openai")
    assert words in line
    assert line[6:] in (found.wrong if state == "wrong" else found.unclear)
    assert "canary-of-theirs" not in "\n".join(found.lines)


@pytest.mark.parametrize("body", [b"<html>", b'{"object": "list"}', b'{"data": 7}', b"", b"[1, 2]"])
async def test_an_endpoint_without_a_list_is_no_mistake(place: Server, upstream: Upstream, body: bytes) -> None:
    upstream.otherwise(*serve_body(body, content_type="application/json"))
    found = await examined(place)
    assert found.code == 0
    assert "no list of models (status 200)" in found.of("endpoint openai")[0]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:{closed}/v1", "nobody listens there"),
        ("http://no-such-host.invalid/v1", "its name is not known"),
        ("https://127.0.0.1:{plain}/v1", "its certificate is not trusted, or it does not speak TLS"),
        ("http://127.0.0.1:{short}/v1", "the connection broke off"),
    ],
)
async def test_an_endpoint_that_cannot_be_reached_is_told_with_why(place: Server, address: str, why: str) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Plain\r\n\r\n")
        writer.close()

    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with contextlib.AsyncExitStack() as stack:
        ports = {"closed": free_port()}
        for name, answer in (("plain", plain), ("short", short)):
            listener = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
            ports[name] = listener.sockets[0].getsockname()[1]
        found = await examined(place, env={"OPENAI_BASE_URL": address.format(**ports)})
    assert found.code == 1
    assert f"it cannot be reached ({why}). Check OPENAI_BASE_URL" in found.of("endpoint openai")[0]


async def test_an_endpoint_that_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.doctor import upstreams

    monkeypatch.setattr(upstreams, "LIST_SECONDS", 0.2)
    with listening() as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        settings = Settings(_env_file=None, openai_base_url=url)  # pyright: ignore[reportCallIssue]
        endpoint, clock = await upstreams.examine(plans.plain(settings), settings)
    assert (endpoint.state, clock.state) == ("wrong", "unclear")
    assert "it cannot be reached (no answer in time)" in endpoint.sentence


async def test_a_default_model_that_the_endpoint_does_not_have_is_told(place: Server, upstream: Upstream) -> None:
    upstream.otherwise(*model_list("llama3.2:latest", "other"))
    found = await examined(place)
    assert (found.code, len(found.wrong)) == (1, 1), found.lines
    assert found.wrong[0].endswith("the endpoint does not list it. Check OPENAI_MODEL.")
    assert (await examined(place, env={"OPENAI_MODEL": "llama3.2"})).code == 0


async def test_every_endpoint_and_model_of_the_file_is_looked_at(
    place: Server, upstream: Upstream, tmp_path: Path
) -> None:
    text = toml('[models."a/m"]\n[models."a/missing"]\n', a=upstream, b=f"http://127.0.0.1:{free_port()}/v1")
    (tmp_path / "models.toml").write_text(text, "utf-8")
    upstream.otherwise(*model_list("m"))
    env = {"MODELS_FILE": str(tmp_path / "models.toml"), "OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
    found = await examined(place, env=env)
    assert found.of("endpoint a")[0].startswith("ok    ")
    assert "asks for no key" in found.of("endpoint a")[0]
    assert found.of("model a/m")[0].startswith("ok    ")
    assert found.of("model a/missing")[0].startswith("?     ")
    assert found.of("endpoint b")[0].startswith("WRONG ")
    assert found.code == 1


async def test_the_embedded_model_is_looked_for(place: Server) -> None:
    env = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}
    assert (await examined(place, env={**env, "LOCAL_MODEL_PATH": "/nowhere/model.gguf"})).code == 1
    assert (await examined(place, env=env)).of("model embedded")


@pytest.mark.parametrize(
    ("seconds", "words"), [(300, "is 5 minutes behind that of openai"), (-7300, "is 2 hours ahead of that of openai")]
)
async def test_a_clock_that_differs_from_an_endpoint_s_is_told(
    place: Server, upstream: Upstream, seconds: int, words: str
) -> None:
    upstream.otherwise(*listed(MODEL, ahead=seconds))
    (line,) = (await examined(place)).wrong
    assert words in line
    upstream.otherwise(*listed(MODEL, ahead=-30))
    assert (await examined(place)).code == 0


# ── By hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_is_there_under_its_name() -> None:
    import subprocess

    said = subprocess.run(
        [sys.executable, "-m", "app.cli", "--help"], cwd=BACKEND, capture_output=True, text=True, check=True, timeout=60
    )
    assert "doctor" in said.stdout
