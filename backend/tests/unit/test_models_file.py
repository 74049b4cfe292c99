"""`models.toml`: what it makes together with the variables, and the sentence, line and all, for what cannot be."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.errors import StartRefused
from app.providers.models_file import ModelsFile, ModelTable, ProviderTable, read
from app.providers.plan import Entry, Plan
from app.settings import BACKEND, Settings

ROOT = BACKEND.parent
SMOL = "embedded/smollm2-135m-instruct"
OLLAMA = '[providers.ollama]\nbase_url = "http://127.0.0.1:11434/v1"\n'
CANARY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables but the key of a test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("SOME_KEY", CANARY)


def settings(**values: Any) -> Settings:
    """Of these values and the environment."""
    return Settings(**values)


def plan_of(folder: Path, text: str, **values: Any) -> Plan:
    (folder / "models.toml").write_text(text, "utf-8")
    return read(settings(models_file=folder / "models.toml", **values))


def refusal(folder: Path, text: str, **values: Any) -> list[tuple[int, str]]:
    """The lines that are named, and what is said of each."""
    with pytest.raises(StartRefused) as refused:
        plan_of(folder, text, **values)
    said = [line.removeprefix(str(folder)) for line in refused.value.message.splitlines()]
    found = [re.fullmatch(r"/models\.toml, line (\d+): (.+\.)", line) for line in said]
    assert all(found), said
    return [(int(one[1]), one[2]) for one in found if one]


# ── What it makes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_example_says_every_key_and_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "OPENROUTER", "DEEPSEEK"):
        monkeypatch.setenv(f"{name}_API_KEY", CANARY)
    example = BACKEND / "models.toml.example"
    plan = read(settings(models_file=example, openai_api_key=None))
    assert plan.default == plan.entries[0].id == "openai/gpt-4o-mini"
    assert plan.entries[0].fallbacks == ("ollama/llama3.2", SMOL)
    assert [one.name for one in plan.endpoints] == [
        *("openai", "openrouter", "ollama", "vllm", "llamacpp", "deepseek", "embedded")
    ]
    written = set(re.findall(r"(?m)^([a-z_]+) = ", example.read_text("utf-8")))
    known = {key for table in (ModelsFile, ProviderTable, ModelTable) for key in table.model_fields}
    assert written == known - {"providers", "models"}


@pytest.mark.parametrize("page", ["models.md", "models.ko.md"])
def test_the_manual_explains_every_key(page: str) -> None:
    manual = (ROOT / "docs" / page).read_text("utf-8")
    keys = {key for table in (ProviderTable, ModelTable) for key in table.model_fields}
    assert {key for key in keys if f"| `{key}` |" not in manual} == set()


@pytest.mark.parametrize("page", ["models.md", "models.ko.md"])
def test_the_examples_of_the_manual_are_taken(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "OPENROUTER"):
        monkeypatch.setenv(f"{name}_API_KEY", CANARY)
    blocks = re.findall(r"(?s)```toml\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"))
    plan = plan_of(tmp_path, "\n".join(blocks), openai_api_key=None)
    assert [entry.id for entry in plan.entries if entry.fallbacks] == [
        "openrouter/anthropic/claude-sonnet-4.5",
        "ollama/llama3.2",
    ]


def test_without_file_url_and_key_the_embedded_model_is_alone(tmp_path: Path) -> None:
    missing = settings()
    assert not (BACKEND / missing.models_file).exists(), "this checkout has a models.toml of its own"
    for plan in (read(missing), plan_of(tmp_path, "# nothing\n")):
        assert (plan.default, [one.name for one in plan.endpoints]) == (SMOL, ["embedded"])


def test_the_variables_make_a_provider_called_openai_beside_those_of_the_file(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, OLLAMA, openai_base_url="http://127.0.0.1:1/v1", openai_model="m")
    assert [one.name for one in plan.endpoints] == ["ollama", "openai"]
    assert (plan.default, [one.id for one in plan.entries]) == ("openai/m", ["openai/m"])
    assert [one.discover for one in plan.endpoints] == [True, False]


def test_a_provider_of_the_file_called_openai_takes_the_place_of_the_variables(tmp_path: Path) -> None:
    text = 'default = "openai/x"\n[providers.openai]\nbase_url = "http://127.0.0.1:2/v1/"\nkey_env = "SOME_KEY"\n'
    plan = plan_of(tmp_path, text, openai_base_url="http://127.0.0.1:1/v1")
    (endpoint,) = plan.endpoints
    assert endpoint.base_url == "http://127.0.0.1:2/v1"
    assert endpoint.key is not None
    assert endpoint.key.get_secret_value() == CANARY
    assert plan.entries == [Entry("openai/x")]


@pytest.mark.parametrize(
    ("text", "variables", "default"),
    [
        (f'default = "ollama/a"\n{OLLAMA}[models."ollama/b"]', True, "ollama/a"),
        (f'{OLLAMA}[models."ollama/b"]', True, "openai/gpt-3.5-turbo"),
        (f'{OLLAMA}[models."ollama/b"]\n[models."ollama/a"]', False, "ollama/b"),
        (f"{OLLAMA}[providers.small]\nembedded = true", False, "small/smollm2-135m-instruct"),
        (f'[models."{SMOL}"]\nmax_tokens = 50', False, SMOL),
    ],
    ids=["the file's", "else the variables'", "else the first model", "else the embedded one", "which needs no table"],
)
def test_the_default_is(tmp_path: Path, text: str, variables: bool, default: str) -> None:
    plan = plan_of(tmp_path, text, openai_base_url="http://127.0.0.1:1/v1" if variables else "")
    assert plan.default == plan.entries[0].id == default


def test_models_may_stand_in_for_each_other(tmp_path: Path) -> None:
    text = f'{OLLAMA}[models."ollama/a"]\nfallbacks = ["ollama/b"]\n[models."ollama/b"]\nfallbacks = ["ollama/a"]'
    assert [entry.fallbacks for entry in plan_of(tmp_path, text).entries] == [("ollama/b",), ("ollama/a",)]


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_bytes(b"\xef\xbb\xbf" + OLLAMA.replace("\n", "\r\n").encode() + b'\r\nx = "y"')
    with pytest.raises(StartRefused) as refused:
        read(settings(models_file=tmp_path / "models.toml"))
    assert "line 4: providers.ollama.x is not known here" in refused.value.message


# ── What cannot be ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = 1", 1, ["x is not known", "default, providers, models"]),
        ("\n\n[providers.a", 3, ["no TOML"]),
        (f'{OLLAMA}[models."ollama/a"]\ninput_price = 1', 3, ["output_price is missing", "two halves"]),
        (f'{OLLAMA}[models."ollama/a"]\ninput_price = -1\noutput_price = 1', 4, ["input_price cannot be -1"]),
        ('[models.a/b]\nnote = ""', 1, ["no TOML", "in quotes"]),
        ('default = "a"\ndefault = "b"', 2, ["no TOML"]),
        ('x = """\nnever closed', 2, ["no TOML"]),
        ("providers = 3", 1, ["providers cannot be 3"]),
        (f"{OLLAMA}url = 'x'", 3, ["providers.ollama.url is not known", "base_url, key_env"]),
        (f"{OLLAMA}discover = 'yes'", 3, ["discover cannot be 'yes'", "boolean"]),
        (f"{OLLAMA}only = 'gpt-*'", 3, ["only cannot be 'gpt-*'", "list"]),
        (f"{OLLAMA}only = ['a', 3]", 3, ["only.1 cannot be 3", "string"]),
        (f"{OLLAMA}continues = 'maybe'", 3, ["continues cannot be 'maybe'", "'prefix'"]),
        (f"{OLLAMA}embedded = true", 2, ["base_url cannot be", "embedded model has none"]),
        ("[providers.a]", 1, ["providers.a.base_url is missing", "embedded = true"]),
        ("[providers.a]\ndiscover = true", 1, ["base_url is missing"]),
        (
            "[providers.a]\nbase_url = 'localhost:11434'",
            2,
            ["cannot be 'localhost:11434'", "http://127.0.0.1:11434/v1"],
        ),
        ("[providers.A]\nbase_url = 'http://a/v1'", 1, ["providers.A cannot be 'A'"]),
        ("[providers.'a/b']\nbase_url = 'http://a/v1'", 1, ["cannot be 'a/b'"]),
        ("[providers.a]\nembedded = true\n[providers.b]\nembedded = true", 4, ["one embedded model"]),
        (f"{OLLAMA}key_env = 'NOT_SET'", 3, ["key_env cannot be 'NOT_SET'", "set"]),
        (f"{OLLAMA}[models.'ollama/a']\nmax_tokens = 0", 4, ['models."ollama/a".max_tokens cannot be 0', "1"]),
        (f"{OLLAMA}[models.'ollama/a']\nmax_tokens = 1_000_001", 4, ["1000000"]),
        (f"{OLLAMA}[models.'ollama/a']\nmax_tokens = '7'", 4, ["cannot be '7'", "integer"]),
        (f"{OLLAMA}[models.'ollama/a']\ntemperature = 2.1", 4, ["cannot be 2.1", "2"]),
        (f"{OLLAMA}[models.'ollama/a']\ntemperature = nan", 4, ["cannot be nan", "finite"]),
        (f"{OLLAMA}[models.'ollama/a']\ncontext_window = 10", 4, ["cannot be 10", "256"]),
        (f"{OLLAMA}[models.'ollama/a']\nname = ''", 4, ["name cannot be ''"]),
        (f"{OLLAMA}[models.'ollama/a']\nnote = 2026-11-25", 4, ["note cannot be what it is", "string"]),
        (f"{OLLAMA}[models.'ollama/a']\nfallbacks = ['a/b', 'c/d', 'e/f']", 4, ["fallbacks cannot be", "at most 2"]),
        (f"{OLLAMA}[models.'ollama/a']\nfallbacks = ['ollama/a']", 4, ["cannot be 'ollama/a'", "itself"]),
        (f"{OLLAMA}[models.'ollama/a']\nfallbacks = ['ollama/b', 'ollama/b']", 4, ["fallbacks.1", "already"]),
        (f"{OLLAMA}[models.'ollama/a']\nfallbacks = ['llama3.2']", 4, ["'llama3.2'", "provider/model", "ollama"]),
        (f"{OLLAMA}[models.'ollama/a']\nfallbacks = ['b/c']", 4, ["'b/c'", "one of ollama"]),
        (f"{OLLAMA}[models.'vllm/a']\nnote = 'x'", 3, ['models."vllm/a" cannot be', "one of ollama"]),
        (f"{OLLAMA}[models.'ollama/']\nnote = 'x'", 3, ["provider/model"]),
        (f"default = 'gpt-4o'\n{OLLAMA}", 1, ["default cannot be 'gpt-4o'", "provider/model"]),
        (f"default = 'ollama/a'\n{OLLAMA}discover = false", 1, ["default cannot be 'ollama/a'", "[models."]),
        (OLLAMA, 1, ["default is missing"]),
        (f"[models.'{SMOL}x']\nnote = 'x'", 1, ["is called", SMOL]),
        ("[models.'" + "x/" + "m" * 200 + "']", 1, ["200 characters"]),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    ((at, said),) = refusal(tmp_path, text)
    assert at == line, said
    assert all(word in said for word in words), said


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = f"{OLLAMA}a = 1\n[models.'ollama/x']\nmax_tokens = 0\nb = 2\n"
    assert [line for line, _ in refusal(tmp_path, text)] == [3, 5, 6]


@pytest.mark.parametrize(
    "text",
    [
        f"{OLLAMA}key_env = '{CANARY}'",
        f"{OLLAMA}key_env = ['{CANARY}']",
        f"{OLLAMA}api_key = '{CANARY}'",
        f"api_key = '{CANARY}'\n{OLLAMA}",
        f"{OLLAMA}key = '{CANARY}'\nkey_env = 'SOME_KEY'",
        f"[providers.a]\nbase_url = 'http://127.0.0.1/v1?key={CANARY}'",
        f"[providers.a]\nbase_url = 'https://user:{CANARY}@127.0.0.1/v1'",
        f"[providers.a]\nkey_env = '{CANARY}",
    ],
)
def test_a_key_that_was_written_down_is_not_repeated(tmp_path: Path, text: str) -> None:
    for _, said in refusal(tmp_path, text):
        assert "canary" not in said
    with pytest.raises(StartRefused) as refused:
        plan_of(tmp_path, text)
    assert "canary" not in f"{refused.value!r} {refused.value.__cause__} {refused.value.__suppress_context__}"


def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", f"{CANARY}\nX-More: 1")
    ((line, said),) = refusal(tmp_path, f"{OLLAMA}key_env = 'SOME_KEY'")[:1]
    assert (line, "canary" in said) == (3, False)


def test_keys_come_from_the_environment_and_else_from_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SOME_KEY=not-this-one\nOTHER_KEY=from-the-file\nother_key=nor-this\n", "utf-8")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    text = "default = 'a/m'\n" + "".join(
        f"[providers.{name}]\nbase_url = 'http://127.0.0.1/v1'\nkey_env = '{variable}'\n"
        for name, variable in (("a", "SOME_KEY"), ("b", "OTHER_KEY"))
    )
    keys = [one.key.get_secret_value() for one in plan_of(tmp_path, text).endpoints if one.key is not None]
    assert keys == [CANARY, "from-the-file"]
    assert CANARY not in repr(plan_of(tmp_path, text))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", ["not UTF-8"]),
        (b"#" * 300_000, ["longer than"]),
        (b"x = " + b"[" * 5000, ["no TOML"]),
        (None, ["no such file"]),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartRefused) as refused:
        read(settings(models_file=path))
    assert all(word in refused.value.message for word in ["mine.toml", *words]), refused.value.message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StartRefused) as refused:
        read(settings(models_file=tmp_path))
    assert refused.value.message.startswith("MODELS_FILE cannot be ")
