"""What PostgreSQL's errors mean for the house, and the sentences for those who set it up."""

from psycopg import OperationalError
from sqlalchemy.exc import DBAPIError

from app.errors import StartRefused, StorageError, StorageFull

_NO_ROOM = frozenset({"53100"})  # disk_full
# What is not one statement's fault: no room, no memory, not to be written (a standby), going down, gone.
_OF_THE_SERVER = ("53", "57P", "58", "08", "25006", "F0", "XX")
# Two transactions were in each other's way, or took the same free place: done again, it goes through.
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})
# What goes by itself: too many connections, starting or stopping, a table that is in use.
_NO_CONNECTION = "takes no connection now"
_LATER = {
    "53300": _NO_CONNECTION,
    "57P03": _NO_CONNECTION,
    "55P03": "cannot change its tables while another program reads them for long, such as pg_dump",
}
_PLACE_TAKEN = "pk_search_entries"


def of_the_server(error: BaseException) -> bool:
    """Whether the server or the way to it is to blame: then the whole commit fails, not one statement."""
    state = _state(error)
    origin = _origin(error)
    return state.startswith(_OF_THE_SERVER) if state else isinstance(origin, OperationalError)


def is_conflict(error: BaseException) -> bool:
    """Whether doing the same once more can go through."""
    return _state(error) in _CONFLICTS or _PLACE_TAKEN in str(getattr(_diagnosis(error), "constraint_name", ""))


def storage_error(error: Exception) -> StorageError:
    """`error` as people are told."""
    if isinstance(error, StorageError):
        return error
    if _state(error) in _NO_ROOM:
        known: StorageError = StorageFull(
            "There is no room left to save on the database's disk. Make room, then try again."
        )
    else:
        known = StorageError("The database does not take writes at the moment. Try again.", retry_after=5)
    known.__cause__ = error
    return known


def refused(error: Exception, where: str) -> StartRefused:
    """Why the database at `where` cannot be had, and what to do."""
    origin = _origin(error)
    lines = str(origin).strip().splitlines() or [type(origin).__name__]
    said = lines[0] if _state(error) else lines[-1]  # a connection's error tells what it tried first
    state = _state(error)
    if state in {"28P01", "28000"} or "password" in said:
        return StartRefused(
            f"PostgreSQL at {where} does not let this user in: the name or the password in DATABASE_URL is wrong, or "
            "its pg_hba.conf has no line for where this comes from."
        )
    if state == "3D000" or "does not exist" in said:
        return StartRefused(
            f"PostgreSQL at {where} has no such database or user ({said}). Make it with createdb or createuser, or "
            "check DATABASE_URL."
        )
    if state.startswith("42501"):
        return StartRefused(
            f"This user may not make tables in the database at {where}. "
            "Type there: GRANT ALL ON SCHEMA public TO the user, or let it own the database."
        )
    if state in _LATER:
        return StartRefused(f"PostgreSQL at {where} {_LATER[state]} ({said}). Nothing was changed; start again later.")
    if state:
        return StartRefused(f"PostgreSQL at {where} refuses ({said}). Nothing was changed.")
    return StartRefused(
        f"PostgreSQL at {where} cannot be reached ({said}). Start it, or check the host and port in DATABASE_URL."
    )


def _origin(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _state(error: BaseException) -> str:
    return getattr(_origin(error), "sqlstate", None) or ""


def _diagnosis(error: BaseException) -> object:
    return getattr(_origin(error), "diag", None)
