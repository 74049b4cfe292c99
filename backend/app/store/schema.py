"""Bringing a database up to the code's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.errors import StartRefused

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the caller's transaction: all of it, or nothing.

    Raises:
        StartRefused: the database was written by a newer version of this service.
    """
    settings = config(connection)
    scripts = ScriptDirectory.from_config(settings)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise StartRefused(
            f"The database was written by a newer version of this service (schema {current}). "
            "Start that version again, or restore a backup from before it; nothing was changed."
        )
    command.upgrade(settings, "head")


def revisions() -> list[str]:
    """The revisions that this code knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def config(connection: Connection) -> Config:
    """Alembic's configuration for work on `connection`."""
    made = _config()
    made.attributes["connection"] = connection
    return made


def _config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return made
