"""Bringing a database up to the code's schema.

Alembic does that. It is imported where there is something to do, which is seldom: it takes 10 MB and a tenth of a
second of each start.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from app.errors import StartRefused

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION = table("alembic_version", column("version_num"))  # Alembic's own
_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the caller's transaction: all of it, or nothing.

    Raises:
        StartRefused: the database was written by a newer version of this service.
    """
    current = _current(connection)
    if current == newest():
        return
    if current is not None and current not in revisions():
        raise StartRefused(
            f"The database was written by a newer version of this service (schema {current}). "
            "Start that version again, or restore a backup from before it; nothing was changed."
        )
    from alembic import command  # noqa: PLC0415 - see above

    command.upgrade(config(connection), "head")


def newest() -> str:
    """The newest revision, by the names of the scripts: reading them takes Alembic."""
    return max(script.stem[1:5] for script in (_MIGRATIONS / "versions").glob("v*.py"))


def revisions() -> list[str]:
    """The revisions that this code knows, the newest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def config(connection: Connection) -> "Config":
    """Alembic's configuration for work on `connection`."""
    made = _config()
    made.attributes["connection"] = connection
    return made


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_REVISION.name):
        return None
    return connection.scalar(select(_REVISION.c.version_num))


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    made = Config()
    made.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return made
