"""A full disk, inside the service's process: SQLite's own writes and Python's fail with ENOSPC. Needs no real disk.

SQLite lets its system calls be replaced for tests (`sqlite3_vfs.xSetSystemCall`). Where that cannot be
reached, a limit on the size of files stands in (then SQLite reports an I/O error instead of a full disk).
"""

import _sqlite3
import ctypes
import errno
import os
import resource
import signal
import stat
from collections.abc import Callable
from typing import Any

_WRITES = (b"write", b"pwrite", b"pwrite64")
_Write = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
_SetSystemCall = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`, up to the member that is needed."""

    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in ("xOpen", "xDelete", "xAccess", "xFullPathname")),
        *((name, ctypes.c_void_p) for name in ("xDlOpen", "xDlError", "xDlSym", "xDlClose")),
        *((name, ctypes.c_void_p) for name in ("xRandomness", "xSleep", "xCurrentTime", "xGetLastError")),
        ("xCurrentTimeInt64", ctypes.c_void_p),
        ("xSetSystemCall", _SetSystemCall),
    ]


def _refuse(_fd: int, _data: Any, _size: int, _offset: int) -> int:
    ctypes.set_errno(errno.ENOSPC)
    return -1


_refusing = _Write(_refuse)  # must outlive every call
_write = os.write  # or whatever stands in its place by then


def _refuse_files(file: int, data: bytes) -> int:
    """As `os.write`, which also writes to pipes and terminals: these are never full."""
    if stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return _write(file, data)


def fill_files(*, full: bool) -> None:
    """Files that Python writes take nothing, or take all."""
    global _write  # noqa: PLW0603 - there is one `os.write` for all of the process, and this is what it was
    if full and os.write is not _refuse_files:
        _write = os.write
    os.write = _refuse_files if full else _write


def install() -> None:
    """SIGUSR1: the disk is full. SIGUSR2: there is room again. Each says so on stderr once it holds."""
    switch = _by_system_call() or _by_file_size
    signal.signal(signal.SIGUSR1, lambda *_: _turn(switch, full=True))
    signal.signal(signal.SIGUSR2, lambda *_: _turn(switch, full=False))


def _turn(switch: Callable[[bool], None], *, full: bool) -> None:
    switch(full)
    fill_files(full=full)
    _write(2, b"disk: full\n" if full else b"disk: room\n")


def _by_system_call() -> Callable[[bool], None] | None:
    try:
        library = ctypes.CDLL(_sqlite3.__file__)
        find = library.sqlite3_vfs_find
    except (AttributeError, OSError):
        return None
    find.restype = ctypes.POINTER(_Vfs)
    vfs = find(None)
    if not vfs or vfs.contents.iVersion < 3:
        return None
    refusing = ctypes.cast(_refusing, ctypes.c_void_p)

    def switch(full: bool) -> None:
        for name in _WRITES:
            vfs.contents.xSetSystemCall(ctypes.cast(vfs, ctypes.c_void_p), name, refusing if full else None)

    return switch


def _by_file_size(full: bool) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0 if full else hard, hard))
