"""The page is built once, again when something changed, and the old one stays until the new one is whole."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.server import BACKEND
from tests.support.waiting import until

ROOT = BACKEND.parent
WAIT_SECONDS = 60
# What is asked of a Node: whether it is new enough, and its version.
NODE = 'case "$1" in --version) cat "$STANDINS/version";; *) exit "${TOO_OLD:-0}";; esac'
# Said by the very process that waits: a shell loses an interrupt that comes between its fork and the program.
WAIT = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
# It says what it is asked for; a built page says what it was built from.
NPM = """
echo "$1" >>"$STANDINS/calls"
case "$1" in
    ci) rm -rf node_modules; [ -z "${NO_REGISTRY:-}" ] || exit 1; mkdir node_modules ;;
    run)
        while [ "$1" != --outDir ]; do shift; done
        mkdir "$2"
        [ -z "${SLOW:-}" ] || { echo half >"$2/index.html"; exec "$SLOW" -c "$WAIT" "$STANDINS/building"; }
        [ -z "${BROKEN:-}" ] || exit 1
        cat src/page.tsx >"$2/index.html"
        ;;
esac
"""


class Checkout:
    """A checkout with a small page, and stand-ins for Node and npm."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.page = self.root / "frontend"
        self.standins = folder / "bin"
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        (self.root / "backend").mkdir()
        for name in ("requirements-web.txt", "requirements-setup.txt"):
            shutil.copy(BACKEND / name, self.root / "backend")
        (self.page / "src").mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc", "src/page.tsx", "src/page.test.tsx"):
            (self.page / name).write_text("first", "utf-8")
        self.standins.mkdir()
        (self.standins / "version").write_text("v24.0.0\n", "utf-8")
        for name, script in {"node": NODE, "npm": NPM}.items():
            program(self.standins / name, script)

    @property
    def calls(self) -> list[str]:
        """What npm was asked for, since this was asked last."""
        said = self.standins / "calls"
        calls = said.read_text("utf-8").split() if said.exists() else []
        said.unlink(missing_ok=True)
        return calls

    @property
    def built(self) -> str | None:
        """What the page was built from."""
        index = self.page / "dist" / "index.html"
        return index.read_text("utf-8") if index.exists() else None

    def environment(self, **more: str) -> Mapping[str, str]:
        return {"PATH": f"{self.standins}:/usr/bin:/bin", "STANDINS": str(self.standins), **more}

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        """Run it as a terminal does: in a group of its own."""
        return subprocess.Popen(
            command or ("sh", "scripts/page.sh", "build"),
            cwd=self.root,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **env: str) -> tuple[int, str]:
        """Run it to its end: its code, and the last line of what it complained of."""
        process = self.start(*command, **env)
        _, complaints = process.communicate(timeout=WAIT_SECONDS)
        return process.returncode, complaints.strip().rpartition("\n")[2]

    def write(self, name: str, text: str) -> None:
        (self.page / name).write_text(text, "utf-8")


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


# ── When it is built ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_is_built_once(checkout: Checkout) -> None:
    assert (checkout.run(), checkout.built, checkout.calls) == ((0, ""), "first", ["ci", "run"])
    assert (checkout.run(), checkout.calls) == ((0, ""), [])


@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("src/page.tsx", ["run"]),
        ("src/new.css", ["run"]),
        ("package.json", ["ci", "run"]),
        ("package-lock.json", ["ci", "run"]),
        (".npmrc", ["ci", "run"]),
        ("src/page.test.tsx", []),
        ("README.md", []),
    ],
)
def test_it_is_built_again_when_what_it_is_made_from_changed(checkout: Checkout, name: str, calls: list[str]) -> None:
    checkout.run()
    assert checkout.calls
    checkout.write(name, "second")
    assert (checkout.run(), checkout.calls) == ((0, ""), calls)
    assert checkout.built == ("second" if name == "src/page.tsx" else "first")
    assert (checkout.run(), checkout.calls) == ((0, ""), [])


def test_it_is_built_again_by_another_node_and_when_it_is_gone(checkout: Checkout) -> None:
    checkout.run()
    assert checkout.calls
    (checkout.standins / "version").write_text("v26.0.0\n", "utf-8")
    assert (checkout.run(), checkout.calls) == ((0, ""), ["ci", "run"])
    shutil.rmtree(checkout.page / "dist")
    assert (checkout.run(), checkout.calls) == ((0, ""), ["run"])


def test_a_machine_whose_node_is_too_old_gets_one_as_a_package(checkout: Checkout) -> None:
    code, sentence = checkout.run(TOO_OLD="1", PYTHON="python3.99")
    assert (code, checkout.built) == (1, None)
    assert sentence.startswith("Python 3.11 or newer is needed")  # scripts/set-up.sh was asked for it


# ── What stops it ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_build_that_fails_leaves_the_page_that_was_there_and_says_so(checkout: Checkout) -> None:
    checkout.run()
    checkout.write("src/page.tsx", "second")
    code, sentence = checkout.run(BROKEN="1")
    assert (code, checkout.built) == (1, "first")
    assert sentence.startswith("The web page could not be built")
    assert "The page that was there stays" in sentence
    assert "make install" in sentence
    assert (checkout.run(), checkout.built) == ((0, ""), "second")


def test_without_the_packages_a_sentence_says_what_still_works(checkout: Checkout) -> None:
    code, sentence = checkout.run(NO_REGISTRY="1")
    assert (code, checkout.built) == (1, None)
    assert sentence.startswith("The packages of the web page could not be installed")
    assert "The service runs without the page" in sentence


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_a_build_that_is_stopped_leaves_the_page_that_was_there(checkout: Checkout, how: signal.Signals) -> None:
    checkout.run()
    checkout.write("src/page.tsx", "second")
    process = checkout.start(SLOW=sys.executable, WAIT=WAIT)
    await until((checkout.standins / "building").exists, "the build has begun")
    os.killpg(process.pid, how)
    process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    assert checkout.built == "first"
    assert (checkout.run(), checkout.built) == ((0, ""), "second")


def test_a_build_that_was_stopped_in_its_last_steps_has_its_old_page_back(checkout: Checkout) -> None:
    checkout.run()
    (checkout.page / "dist").rename(checkout.page / ".replaced")
    checkout.write("src/page.tsx", "second")
    assert checkout.run(BROKEN="1")[0] == 1
    assert checkout.built == "first"


# ── The commands ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("code", "served"), [(0, True), (1, True), (130, False)])
def test_make_run_serves_without_a_page_but_not_after_ctrl_c(checkout: Checkout, code: int, served: bool) -> None:
    shutil.copy(ROOT / "Makefile", checkout.root)
    program(checkout.root / "scripts" / "set-up.sh", "exit 0")
    program(checkout.root / "scripts" / "page.sh", f"exit {code}")
    program(checkout.root / "backend" / ".venv" / "bin" / "python", 'echo "$*" >>"$STANDINS/calls"')
    assert (checkout.run("make", "run")[0] == 0) is served
    assert checkout.calls == (["-m", "app.cli", "serve"] if served else [])


@pytest.mark.parametrize("ends", ["Ctrl+C", "the service", "the page"])
async def test_make_dev_ends_both_whichever_ends(checkout: Checkout, ends: str) -> None:
    service, page = checkout.standins / "service", checkout.standins / "page"
    program(checkout.root / "backend" / ".venv" / "bin" / "python", f"echo $$ >{service}; exec sleep 60")
    program(checkout.standins / "npm", f'[ "$1" = ci ] && exec mkdir node_modules; echo $$ >{page}; exec sleep 60')
    process = checkout.start("sh", "scripts/dev.sh")
    await until(lambda: all(each.exists() and each.read_text() for each in (service, page)), "both run")
    match ends:
        case "Ctrl+C":
            os.killpg(process.pid, signal.SIGINT)
        case "the service":
            os.kill(int(service.read_text()), signal.SIGTERM)
        case _:
            os.kill(int(page.read_text()), signal.SIGTERM)
    process.communicate(timeout=WAIT_SECONDS)
    await until(lambda: not group(process.pid), "nothing of them is left")


def group(number: int) -> list[int]:
    """The processes of a group that live."""
    found = subprocess.run(["ps", "-A", "-o", "pgid=,pid=,stat="], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in found.splitlines()]
    return [int(pid) for pgid, pid, state, *_ in lines if int(pgid) == number and not state.startswith("Z")]
