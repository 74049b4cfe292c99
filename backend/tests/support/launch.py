"""Runs the service's CLI in this process under test conditions: `python -m tests.support.launch serve`.

- A call that blocks the event loop raises; so does a warning, where it is our code's.
- `backend/.env` is not read.
- `FAILPOINT=module:Class.method` (or `module:function`; `…@3` for the third call): the process kills itself
  with SIGKILL the moment that is called.
- `CLOCK_AHEAD=300`: its clock goes so many seconds before everybody else's.
- `DEAF=1`: it hears no notices of PostgreSQL's, as behind a pooler.
- SIGUSR1 and SIGUSR2 fill and free the disk (`full_disk.py`).
- It dies with the process that started it.
"""

import ctypes
import functools
import importlib
import inspect
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from blockbuster import BlockBuster, BlockingError, blockbuster

from tests.support import full_disk

_PARENT_DEATH = 1  # PR_SET_PDEATHSIG


def load() -> None:
    """Import the CLI, and let nothing outside reach it but its environment."""
    _warnings_are_errors()
    _ignore_env_file()
    importlib.import_module("app.cli")


def main() -> None:
    """Set the stage, then run the CLI with this process's arguments."""
    _die_with_parent()
    full_disk.install()
    load()
    _arm(os.environ.pop("FAILPOINT", ""))
    _set_clock(int(os.environ.pop("CLOCK_AHEAD", "0")))
    if os.environ.pop("DEAF", ""):
        _deafen()
    _no_blocking()
    importlib.import_module("app.cli").main()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)


def _warnings_are_errors() -> None:
    """Of everything that is run, but not of third parties' code while it is imported or for its own deprecations."""
    warnings.simplefilter("error")
    for category in (DeprecationWarning, PendingDeprecationWarning):
        warnings.simplefilter("ignore", category)
        warnings.filterwarnings("error", category=category, module=r"app(\.|$)")


def _ignore_env_file() -> None:
    settings = importlib.import_module("app.settings")
    settings.Settings.model_config["env_file"] = None


def _set_clock(ahead: int) -> None:
    if ahead:
        right = time.time_ns
        time.time_ns = lambda: right() + ahead * 10**9


def _deafen() -> None:
    wakeups = importlib.import_module("app.replicas.wakeups")
    wakeups.Notices._hears = lambda _: False


def _no_blocking() -> None:
    """Allowed in the loop all the same: late imports, tracebacks, log lines on stderr, the journal (record 0024)."""
    blockbuster.BlockingError = _Blocked
    guard = BlockBuster()
    for name in ("os.stat", "os.listdir", "os.getcwd", "io.BufferedReader.read", "io.TextIOWrapper.read"):
        guard.functions[name].can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
        guard.functions[name].can_block_in("linecache.py", {"checkcache", "updatecache"})
    guard.functions["os.stat"].can_block_in("fastapi/routing.py", {"_extract_endpoint_context"})  # once per endpoint
    guard.functions["os.write"].can_block_predicate = lambda fd, *_: fd in (1, 2) or not os.get_blocking(fd)
    guard.functions["os.write"].can_block_in("app/eventlog/segments.py", {"append"})
    guard.activate()


class _Blocked(BlockingError):
    """Told on stderr too, so that it cannot be swallowed: a test's end looks for it in the log."""

    def __init__(self, func: str) -> None:
        super().__init__(func)
        where = "".join(traceback.format_stack(limit=12)[:-2])
        os.write(2, f"BLOCKED: {func}\n{where}".encode())


def _arm(failpoint: str) -> None:
    """Replace the named function by one that ends the process at its n-th call."""
    if not failpoint:
        return
    path, _, nth = failpoint.partition("@")
    module, _, name = path.partition(":")
    holder: Any = importlib.import_module(module)
    *classes, last = name.split(".")
    for step in classes:
        holder = getattr(holder, step)
    if inspect.isclass(holder) and last not in vars(holder):
        raise SystemExit(f"FAILPOINT {failpoint}: {holder.__name__} does not define {last}")
    setattr(holder, last, _deadly(getattr(holder, last), int(nth or 1)))


def _deadly(original: Callable[..., Any], nth: int) -> Callable[..., Any]:
    calls = 0

    @functools.wraps(original)
    def call(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **more)

    return call


if __name__ == "__main__":
    main()
