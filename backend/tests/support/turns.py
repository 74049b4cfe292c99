"""Tests of several workers run side by side; what needs every core for itself runs while no other does."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# Locked in this order. A folder can be locked like a file, and is there already, for all workers of this checkout.
_DOOR = Path(__file__).parent
_ROOM = _DOOR.parent


@contextmanager
def turn(*, alone: bool) -> Generator[None]:
    """Wait until this test may run. Whoever wants to be alone keeps the door shut until the others have left."""
    with _locked(_DOOR, fcntl.LOCK_EX) as door, _locked(_ROOM, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        if not alone:
            fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _locked(folder: Path, how: int) -> Generator[int]:
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, how)
        yield number
    finally:
        os.close(number)
