"""Each peer's own virtual environment: made once by its locks, under `bench/.peers`, and weighed."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.peers.catalogue import Peer
from bench.processes import ROOT

FOLDER = ROOT / "bench" / ".peers"
CONSTRAINTS = ROOT / "backend" / "requirements-setup.txt"  # what builds the few that come as source
INSTALL_SECONDS = 1800  # 600 MB over a slow line


class NotInstalled(Exception):
    """An environment that cannot be made here. The sentence says why."""


class Installed(msgspec.Struct, frozen=True):
    """What is there once a peer is installed."""

    python: Path
    packages: int = 0
    megabytes: float = 0


def installed(peer: Peer, *, here: bool = False) -> Installed:
    """The peer's environment, made if it is not there; `here`: none is made, this Python has what it needs.

    Raises:
        NotInstalled: it cannot be had.
    """
    if here or not peer.locks:
        if missing := [name for name in peer.needs if importlib.util.find_spec(name) is None]:
            raise NotInstalled(f"this Python has no {missing[0]}")
        return Installed(Path(sys.executable))
    home = FOLDER / peer.name
    stamp = home / "stamp"
    wanted = _fingerprint(peer.locks)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        _make(home, peer)
        stamp.write_text(wanted, "utf-8")
    (site,) = (home / "lib").glob("python3*/site-packages")
    sizes = (file.stat().st_size for file in site.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return Installed(home / "bin" / "python", len(list(site.glob("*.dist-info"))), sum(sizes) / 1e6)


def _fingerprint(locks: Sequence[Path]) -> str:
    whole = hashlib.sha256(f"{sys.version}\n{FOLDER}".encode())
    for lock in locks:
        whole.update(lock.read_bytes())
    return whole.hexdigest()


def _make(home: Path, peer: Peer) -> None:
    sys.stderr.write(f"== Installing {peer.name}\n")
    shutil.rmtree(home, ignore_errors=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise NotInstalled("there is no uv. Type: make dev-install")
    locks = [word for lock in peer.locks for word in ("-r", str(lock))]
    options = ["--no-deps", "--require-hashes", "--compile-bytecode", "--build-constraints", str(CONSTRAINTS)]
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(home)])
    _run([uv, "pip", "install", "--quiet", "--python", str(home / "bin" / "python"), *options, *locks])


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the command is the benchmark's own
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"its installation took longer than {INSTALL_SECONDS} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NotInstalled(f"its installation failed: {lines[0]}")
