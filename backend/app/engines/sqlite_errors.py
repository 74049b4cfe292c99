"""What SQLite's errors, and those of files beside its own, mean for the house."""

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError

from app.errors import StorageError, StorageFull

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE}
_NO_ROOM_FOR_FILES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}


def of_the_disk(error: BaseException) -> bool:
    """Whether the disk, the file or its locks are to blame: then the whole commit fails, not one statement."""
    code = getattr(_origin(error), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _OF_THE_DISK  # the primary code


def storage_error(error: Exception) -> StorageError:
    """`error` as people are told."""
    full = isinstance(error, OSError) and error.errno in _NO_ROOM_FOR_FILES
    if full or getattr(_origin(error), "sqlite_errorcode", None) in _NO_ROOM:
        known: StorageError = StorageFull(
            "There is no room left to save on the server's disk. Make room, then try again."
        )
    else:
        known = StorageError("The database does not take writes at the moment. Try again.", retry_after=5)
    known.__cause__ = error
    return known


def _origin(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error
