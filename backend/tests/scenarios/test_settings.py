"""A setting that cannot be is refused at start, by name, in one sentence; what can be is read from where it should."""

import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest

from app.errors import StartRefused
from app.settings import Settings, load
from tests.support.client import CHAT, Client
from tests.support.fixtures import Serve
from tests.support.problems import refused
from tests.support.server import BACKEND, Server
from tests.support.upstream import Upstream

SECONDS = [name.upper() for name in Settings.model_fields if name.endswith("_seconds")]
COUNTS = [
    "MAX_RUNS",
    "MAX_LIVE_BYTES",
    "MAX_BODY_BYTES",
    "IMPORT_MAX_BYTES",
    "MAX_MESSAGE_CHARS",
    "MAX_OUTPUT_CHARS",
    "MAX_TOKENS",
    "CONTEXT_WINDOW",
]
BAD: dict[str, Sequence[str]] = {
    **{name: ["0.05", "0", "-1", "nan", "inf", "soon", "1s", "1e9"] for name in SECONDS},
    **{name: ["0", "-1", "1.5", "many", "1_0 0", "nan", "0x10"] for name in COUNTS},
    "MAX_HISTORY_ITEMS": ["-1", "1.5", "all"],
    "RUN_RETENTION_HOURS": ["0.5", "0", "-24", "nan", "inf", "a day"],
    "TEMPERATURE": ["-0.1", "2.1", "nan", "inf", "hot"],
    "PORT": ["65536", "-1", "http", "80.5"],
    "ALLOW_INSECURE": ["maybe", "2", "ja"],
    "CORS_ORIGINS": [
        "*",
        "localhost:5173",
        "http://localhost:5173/",
        "http://*.example.org",
        "ftp://a",
        "null",
        "http://",
    ],
    "ALLOWED_HOSTS": ["*", "http://localhost", "localhost:8000", "localhost/", "[]", "*.example.org", "::1"],
    "OPENAI_BASE_URL": ["localhost:11434", "ftp://host/v1", "/v1", "file:///v1"],
    "DATABASE_URL": ["chat.db", "sqlite://", "sqlite:///", "sqlite:chat.db", "mysql://host/db", "file:///chat.db"],
}
ROUNDS = [
    {name: value for name, value in zip(BAD, values, strict=True) if value is not None}
    for values in zip_longest(*BAD.values())
]
UNUSABLE_URLS = [
    "http://",
    "http:///v1",
    "http://:80/v1",
    "http://127.0.0.1:99999/v1",
    "http://127.0.0.1:x/v1",
    "http://[bad/v1",
    "http://exa mple/v1",
    "http://127.0.0.1/v1?key=1",
    "http://127.0.0.1/v1#part",
]


async def refusal(serve: Serve, env: dict[str, str], *, plain: bool = False) -> list[str]:
    """What it says when it does not start, a line each."""
    server = serve.make(plain=plain, **env)
    server.spawn()
    assert await server.wait() != 0
    assert "Traceback" not in server.log
    return server.log.splitlines()


# ── Refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong", ROUNDS, ids=[f"round {number}" for number in range(len(ROUNDS))])
async def test_every_value_that_cannot_be_is_refused_in_a_sentence_of_its_own(
    serve: Serve, wrong: dict[str, str]
) -> None:
    lines = await refusal(serve, wrong)
    said = {line.partition(" ")[0]: line for line in lines}
    assert len(lines) == len(wrong)
    for name, value in wrong.items():
        line = said[name]
        shown = value.split(",") if name in ("CORS_ORIGINS", "ALLOWED_HOSTS") else [value]
        assert line.startswith(f"{name} cannot be ")
        assert all(repr(item) in line for item in shown), line
        reason = line.rpartition(": ")[2] if "://" not in line else line.partition("': ")[2]
        assert len(reason) > 10, line
        assert line.endswith("."), line


@pytest.mark.parametrize("number", [0, 2])
async def test_the_document_s_command_refuses_in_the_same_words(serve: Serve, number: int) -> None:
    ours = await refusal(serve, ROUNDS[number])
    assert await refusal(serve, ROUNDS[number], plain=True) == ours


@pytest.mark.parametrize("plain", [False, True], ids=["our command", "the document's command"])
async def test_a_host_beyond_this_machine_is_refused_and_both_ways_out_are_named(serve: Serve, plain: bool) -> None:
    (line,) = await refusal(serve, {"ALLOWED_HOSTS": "localhost,chat.example.org"}, plain=plain)
    assert "'chat.example.org'" in line
    assert "ALLOWED_HOSTS" in line
    assert "ALLOW_INSECURE=1" in line


@pytest.fixture
def sentence(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `load()`, which both commands call first, says of an environment."""
    monkeypatch.setitem(Settings.model_config, "env_file", None)

    def say(**env: str) -> str:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StartRefused) as refusal:
            load()
        return refusal.value.message

    return say


@pytest.mark.parametrize("url", UNUSABLE_URLS)
def test_an_endpoint_that_can_never_be_asked_is_refused(sentence: Callable[..., str], url: str) -> None:
    assert sentence(OPENAI_BASE_URL=url).startswith(f"OPENAI_BASE_URL cannot be {url!r}: ")


@pytest.mark.parametrize("ending", ["\n", "\r\nX-More: 1", "\x7f"], ids=["line end", "header", "control"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(sentence: Callable[..., str], ending: str) -> None:
    said = sentence(OPENAI_API_KEY=f"sk-canary{ending}")
    assert said.startswith("OPENAI_API_KEY cannot be ")
    assert "canary" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_BASE_URL", "https://user:canary@llm.example.org/v1"),
        ("DATABASE_URL", "mysql://user:canary@db.example.org/chat"),
        ("DATABASE_URL", "mysql://user:c%40n:canary@db.example.org/chat"),
    ],
)
def test_a_password_in_a_refused_address_is_not_shown(sentence: Callable[..., str], name: str, value: str) -> None:
    said = sentence(**{name: value})
    assert said.startswith(f"{name} cannot be ")
    assert "example.org" in said
    assert "canary" not in said


def test_a_system_prompt_that_is_too_long_is_refused_without_its_text(sentence: Callable[..., str]) -> None:
    said = sentence(SYSTEM_PROMPT="canary" + "x" * 100_000)
    assert said.startswith("SYSTEM_PROMPT cannot be ")
    assert len(said) < 500
    assert "canary" not in said


@pytest.mark.parametrize("plain", [False, True], ids=["our command", "the document's command"])
async def test_a_database_that_cannot_be_one_is_refused_in_a_sentence(
    serve: Serve, tmp_path: Path, plain: bool
) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear reader, this is no database.\n" * 100, "utf-8")
    for place in (tmp_path, text, text / "chat.db"):
        lines = await refusal(serve, {"DATABASE_URL": f"sqlite:///{place}"}, plain=plain)
        said = [line for line in lines if str(place) in line or "DATABASE_URL" in line]
        assert len(said) == 1, lines
    assert text.read_text("utf-8").startswith("Dear reader")


# ── Taken ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", ["0.1", "0.25", "1.5", "20", "1e1"])
def test_seconds_are_decimals(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in SECONDS:
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
    assert {getattr(settings, name.lower()) for name in SECONDS} == {float(value)}


async def test_empty_values_and_unknown_names_change_nothing(serve: Serve) -> None:
    server = await serve(MAX_RUNS="", PORT_="x", CORS_ORIGINS="", SYSTEM_PROMPT="", KEEPALIVE_SECONDS="", MAX_RUN="0")
    client = Client(server.port)
    assert (await client.ask("Hello")).done
    client.close()


class Elsewhere(Server):
    """The service out of a copy of `backend/`, which has a `.env` of its own."""

    home: Path
    plain = False

    def command(self) -> Sequence[str]:
        uvicorn = ["uvicorn", "app.main:app", "--port", str(self.port)]
        run = [sys.executable, "-m", *(uvicorn if self.plain else ["app.cli", "serve"])]
        return ["sh", "-c", 'cd "$0" && exec "$@"', str(self.home), *run]


@pytest.fixture
def elsewhere(tmp_path: Path, upstream: Upstream) -> Elsewhere:
    """A copy of the service, not started; of the environment it gets nothing but where to listen."""
    server = Elsewhere(tmp_path)
    server.home = tmp_path / "copy"
    shutil.copytree(BACKEND / "app", server.home / "app", ignore=shutil.ignore_patterns("__pycache__"))
    server.env = {"PORT": str(server.port)}
    lines = [
        "# settings of this copy",
        f"OPENAI_BASE_URL={upstream.url}",
        'SYSTEM_PROMPT="Speak like the file"',
        "MAX_MESSAGE_CHARS=5",
        "DRAIN_SECONDS=0.5",
        "UNKNOWN=1",
    ]
    (server.home / ".env").write_text("\n".join(lines), "utf-8")
    return server


@pytest.mark.parametrize("plain", [False, True], ids=["our command", "the document's command"])
async def test_env_of_the_backend_is_read_and_the_environment_wins(
    elsewhere: Elsewhere, upstream: Upstream, plain: bool
) -> None:
    elsewhere.plain = plain
    await elsewhere.start(MAX_MESSAGE_CHARS="7")
    client = Client(elsewhere.port)
    try:
        assert (await client.ask("1234567")).done
        refused(await client.request("POST", CHAT, json={"message": "12345678"}), 422)
        assert upstream.requests[0].json["messages"][0] == {"role": "system", "content": "Speak like the file"}
    finally:
        client.close()
        await elsewhere.close()
    kept = elsewhere.home / "data" / "chat.db"  # the default: below backend/, for its owner alone
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


async def test_a_wrong_value_in_env_is_refused_like_one_of_the_environment(elsewhere: Elsewhere) -> None:
    with (elsewhere.home / ".env").open("a", encoding="utf-8") as file:
        file.write("\nMAX_RUNS=none\n")
    elsewhere.spawn()
    assert await elsewhere.wait() != 0
    assert elsewhere.log.startswith("MAX_RUNS cannot be 'none': ")
    assert not (elsewhere.home / "data").exists()


async def test_a_relative_database_starts_at_the_backend_wherever_the_command_was_typed(elsewhere: Elsewhere) -> None:
    await elsewhere.start(DATABASE_URL="sqlite:///some/place/kept.db")
    await elsewhere.close()
    assert (elsewhere.home / "some" / "place" / "kept.db").is_file()
    assert not (elsewhere.home / "data").exists()
