"""The database file, looked at without disturbing a service that may be running on it."""

import fcntl
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from app.doctor.findings import Finding, duration, ok, size, unclear, wrong
from app.engines.sqlite import APPLICATION_ID, BUSY_MILLISECONDS, WAL_BYTES_KEPT
from app.store import schema

SUBJECT = "database"
LOW_DISK_BYTES = 2**30  # an answer takes some KiB; whoever reads this in time has days left
WAL_BYTES_TOO_LARGE = 4 * WAL_BYTES_KEPT  # it shrinks by itself unless somebody reads on and on
BUSY_CHECK_SECONDS = 10.0  # as long as it is read the log of a running service grows
FUTURE_SECONDS = 60.0  # a row may be a moment ahead of a clock that was just set
PROGRESS_STEPS = 10_000  # of SQLite between two looks at the time: some milliseconds


def examine(path: Path, now: float) -> Iterator[Finding]:
    """Everything about the file at `path`; `now` is the time since 1970, in seconds."""
    yield from _disk(path)
    if not path.exists():
        yield _absent(path)
        return
    running = is_served(path)
    yield from _modes(path)
    yield _log(path, running=running)
    try:
        with closing(_connect(path, running=running)) as connection:
            yield from _content(connection, path, now, running=running)
    except sqlite3.Error as error:
        yield wrong(
            SUBJECT, f"{path} cannot be read ({error}). Restore it from a backup, or name another file in DATABASE_URL."
        )


def is_served(path: Path) -> bool:
    """Whether a service runs on the file: it holds a lock beside it as long as it lives."""
    try:
        lock = os.open(f"{path}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # none ever did, or it is not ours to look at
    try:
        # Shared, and let go of at once: nobody who looks the same way is in the way.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _connect(path: Path, *, running: bool) -> sqlite3.Connection:
    """Read-only. A file that nobody has open is read as it lies there, so that nothing is made beside it."""
    wal = Path(f"{path}-wal")
    at_rest = not running and (not wal.exists() or wal.stat().st_size == 0)
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if at_rest else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_MILLISECONDS / 1000)


def _content(connection: sqlite3.Connection, path: Path, now: float, *, running: bool) -> Iterator[Finding]:
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        yield wrong(SUBJECT, f"{path} belongs to another program. Name another file in DATABASE_URL.")
        return
    served = "a service is running on it" if running else "no service is running on it"
    yield ok(SUBJECT, f"{path} opens and is ours, {size(path.stat().st_size)}; {served}.")
    yield _schema(connection)
    yield _integrity(connection, path, running=running)
    yield from _newest(connection, now)


def _schema(connection: sqlite3.Connection) -> Finding:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        row = None
    current = str(row[0]) if row else None
    known = schema.revisions()
    if current == known[0]:
        return ok("schema", f"it is {current}, as this version has it.")
    if current is None or current in known:
        return ok("schema", f"it is {current or 'empty'}; the next start brings it to {known[0]}.")
    return wrong(
        "schema", f"it is {current}, of a newer version of this service. Start that version, or restore a backup."
    )


def _integrity(connection: sqlite3.Connection, path: Path, *, running: bool) -> Finding:
    until = time.monotonic() + BUSY_CHECK_SECONDS
    if running:
        connection.set_progress_handler(lambda: time.monotonic() > until, PROGRESS_STEPS)
    try:
        rows = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return unclear(
                "integrity",
                f"nothing is wrong in what {BUSY_CHECK_SECONDS:.0f} seconds could look at. "
                "Stop the service and ask again for the whole file.",
            )
        raise
    finally:
        connection.set_progress_handler(None, 0)
    if rows == [("ok",)]:
        return ok("integrity", "SQLite's quick check finds nothing wrong.")
    return wrong("integrity", f"{path} is damaged. Stop the service, keep a copy, and restore it from a backup.")


def _newest(connection: sqlite3.Connection, now: float) -> Iterator[Finding]:
    try:
        row = connection.execute("SELECT created_at FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        return  # an older schema, or none yet
    ahead = row[0] / 1000 - now if row else 0.0
    if ahead > FUTURE_SECONDS:
        yield wrong(
            "clock",
            f"the newest answer was asked for {duration(ahead)} from now: the clock was set back, or is wrong now. "
            "Set it by the network (timedatectl set-ntp true); until then new answers sort before old ones.",
        )
    elif row:
        yield ok("clock", "it is not behind the newest answer.")


def _disk(path: Path) -> Iterator[Finding]:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK_BYTES:
        yield wrong("disk", f"{size(free)} are free where {folder} is. Make room: without any, nothing is answered.")
    else:
        yield ok("disk", f"{size(free)} are free where {folder} is.")


def _absent(path: Path) -> Finding:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK | os.X_OK):
        return ok(SUBJECT, f"{path} is not there yet; the first start makes it.")
    return wrong(
        SUBJECT, f"{path} is not there and cannot be made: {folder} is not writable. Check its owner and rights."
    )


def _modes(path: Path) -> Iterator[Finding]:
    files = [path, *(Path(f"{path}{end}") for end in ("-wal", "-shm"))]
    open_ones: list[str] = []
    for file in files:
        with suppress(OSError):  # the log may go at any moment
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                open_ones.append(str(file))
    if open_ones:
        yield wrong(
            "rights", f"other users of this machine may read what people said. Type: chmod 600 {' '.join(open_ones)}"
        )
    else:
        yield ok("rights", "nobody but the owner can read the file.")


def _log(path: Path, *, running: bool) -> Finding:
    wal = Path(f"{path}-wal")
    length = wal.stat().st_size if wal.exists() else 0
    if length > WAL_BYTES_TOO_LARGE:
        return wrong(
            "log",
            f"the write-ahead log has {size(length)}. Some program reads the file without an end (a backup, a shell): "
            "stop that; the log shrinks by itself then.",
        )
    if length and not running:
        return ok(
            "log",
            f"{size(length)} wait in the write-ahead log: the last service was killed. The next start takes them in.",
        )
    return ok("log", f"the write-ahead log has {size(length)}.")
