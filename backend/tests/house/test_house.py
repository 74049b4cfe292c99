"""The house rules that a machine can check and no linter does."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.support.server import BACKEND

LONGEST = 400  # lines of a file: a page or a few
APP = sorted((BACKEND / "app").rglob("*.py"))
TESTS = sorted((BACKEND / "tests").rglob("*.py"))
NOQA = re.compile(r"#\s*noqa\b(?P<rest>.*)")
EXPLAINED = re.compile(r": [A-Z]+\d+(, ?[A-Z]+\d+)*( #.*?\])? - \S.{6,}")
OUTSIDE = ("os.environ", "os.getenv", "os.putenv", "load_dotenv")

# Run before an import: notes whatever reaches out of the process while it happens, and that nothing was started.
WATCH = """
import sys, threading

REACHING_OUT = {"socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "sqlite3.connect", "os.mkdir",
                "subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "os.remove", "os.rename"}
deeds = []

def watch(event, args):
    if event in REACHING_OUT:
        deeds.append(f"{event} {args!r}")
    if event == "open" and (str(args[0]).endswith((".env", ".db")) or set(str(args[1])) & set("wax+")):
        deeds.append(f"open {args!r}")

sys.dont_write_bytecode = True
sys.addaudithook(watch)
"""


def names_in(paths: list[Path]) -> dict[str, str]:
    return {path.relative_to(BACKEND).as_posix(): path.read_text("utf-8") for path in paths}


# ── Text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("paths", [APP, TESTS], ids=["app", "tests"])
def test_a_file_is_a_page_or_a_few(paths: list[Path]) -> None:
    lengths = {name: len(text.splitlines()) for name, text in names_in(paths).items()}
    assert {name: lines for name, lines in lengths.items() if lines >= LONGEST} == {}


def test_no_file_is_a_drawer_for_anything() -> None:
    parts = {part.removesuffix(".py") for name in names_in([*APP, *TESTS]) for part in name.split("/")}
    assert parts & {"utils", "util", "common", "helpers", "misc"} == set()


@pytest.mark.parametrize("paths", [APP, TESTS], ids=["app", "tests"])
def test_an_exemption_from_a_rule_gives_its_reason(paths: list[Path]) -> None:
    silent = [
        f"{name}:{number}: {line.strip()}"
        for name, text in names_in([path for path in paths if path != Path(__file__)]).items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := NOQA.search(line)) and not EXPLAINED.match(found["rest"])
    ]
    assert silent == []


def test_only_the_settings_know_the_environment() -> None:
    reading = [
        f"{name}: {word}"
        for name, text in names_in(APP).items()
        for word in OUTSIDE
        if word in text and name != "app/settings.py"
    ]
    assert reading == []


# ── Docstrings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_public_says_what_it_promises() -> None:
    silent = [
        f"{name}: {missing}"
        for name, text in names_in(APP).items()
        if text
        for missing in undocumented(ast.parse(text))
    ]
    assert silent == []


def undocumented(tree: ast.Module) -> Iterator[str]:
    """What is public and has no docstring: the module, its classes, functions and methods.

    An error may be silent: its name, its code and its sentence say all.
    """
    if ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None and not _is_error(node):
                yield node.name
            yield from (f"{node.name}.{name}" for name in map(_silent, node.body) if name)
        elif name := _silent(node):
            yield name


def _silent(node: ast.stmt) -> str:
    """The function's name, if it is public and without words. Of overloads, the one that does the work has them."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return ""
    if any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list):
        return ""
    return "" if ast.get_docstring(node) else node.name


def _is_error(node: ast.ClassDef) -> bool:
    assigned = {name.id for item in node.body if isinstance(item, ast.Assign) for name in _targets(item)}
    return "code" in assigned


def _targets(assignment: ast.Assign) -> list[ast.Name]:
    return [name for target in assignment.targets for name in ast.walk(target) if isinstance(name, ast.Name)]


# ── Import does nothing ──────────────────────────────────────────────────────────────────────────────────────────────


def run_apart(script: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `script` in a process of its own, with `env` and nothing else of the environment but the path."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=BACKEND,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("module", ["app.main", "app.cli"])
def test_import_does_no_work_and_reads_no_setting(module: str) -> None:
    """With an environment in which nothing could start, importing works, and reaches for nothing."""
    wrong = {name.upper(): "no such value" for name in Settings.model_fields}
    script = f"{WATCH}\nimport {module}\nassert threading.active_count() == 1\nprint('\\n'.join(deeds), end='')"
    imported = run_apart(script, **wrong)
    assert (imported.returncode, imported.stderr) == (0, "")
    assert imported.stdout == ""


def test_the_application_is_made_when_it_is_asked_for_and_only_then() -> None:
    script = "import app.main\nassert 'app' not in vars(app.main)\napp.main.app"
    asked = run_apart(script, PORT="no port")
    assert asked.returncode == 1
    assert asked.stderr.startswith("PORT cannot be 'no port': ")
    assert len(asked.stderr.splitlines()) == 1


SERVING = """
import asyncio, sys
from app.main import create_app
from app.settings import load

async def serve():
    application = create_app(load())
    async with application.router.lifespan_context(application):
        print(sorted(name for name in WATCHED if name in sys.modules))

asyncio.run(serve())
"""
# What each takes is told where it is kept out: in plain_structlog.py, store/schema.py and store/tables.py.
DISPENSABLE = ["rich", "pygments", "alembic", "sqlalchemy.dialects.postgresql"]


def test_a_service_over_sqlite_loads_nothing_that_it_can_do_without(tmp_path: Path) -> None:
    def loaded() -> str:
        script = f"WATCHED = {['sqlalchemy.dialects.sqlite', *DISPENSABLE]}\n{SERVING}"
        done = run_apart(script, DATABASE_URL=f"sqlite:///{tmp_path}/chat.db")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[0]

    loaded()  # makes the schema, by what is not loaded from then on
    assert loaded() == "['sqlalchemy.dialects.sqlite']"
