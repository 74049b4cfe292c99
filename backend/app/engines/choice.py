"""The engine that `DATABASE_URL` names."""

from app.database import Database
from app.engines.sqlite import SqliteDatabase
from app.errors import StartRefused
from app.settings import Settings

MISSING = (
    "DATABASE_URL names PostgreSQL, and what talks to it is not installed. "
    "Type: cd backend && .venv/bin/pip install -r requirements-postgres.txt"
)


def database(settings: Settings) -> Database:
    """The database of these settings, not opened yet.

    Raises:
        StartRefused: its driver is missing, or its address is none.
    """
    if not settings.is_shared:
        return SqliteDatabase(settings.database_path)
    try:
        from app.engines.postgres import PostgresDatabase  # noqa: PLC0415 - an extra that SQLite does without
    except ImportError:
        raise StartRefused(MISSING) from None
    return PostgresDatabase(settings.database_url)
