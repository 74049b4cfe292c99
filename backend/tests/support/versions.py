"""A newer version of this service: the same code with one more migration, run beside the version that is here."""

import shutil
import sys
from collections.abc import Sequence

from app.store import schema
from tests.support.fork_server import BACKEND
from tests.support.server import Server

REVISION = "9001"
_MIGRATION = f'''"""What a newer version adds."""

import sqlalchemy as sa
from alembic import op

revision = "{REVISION}"
down_revision = "{schema.revisions()[0]}"


def upgrade() -> None:
    """Add a column to what every replica writes, and a table that only newer ones know."""
    op.add_column("runs", sa.Column("newer", sa.Text))
    op.add_column("messages", sa.Column("newer", sa.Integer, nullable=False, server_default=sa.text("7")))
    op.create_table("newer", sa.Column("id", sa.String(26), primary_key=True))
'''
_RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tests.support.launch import main; main()"


class Newer(Server):
    """A replica of the newer version, in place of one of this version that was made and never started."""

    def __init__(self, instead: Server) -> None:
        super().__init__(instead.folder, instead.env, instead.port)
        self._code = instead.folder / "newer"
        shutil.copytree(BACKEND / "app", self._code / "app", ignore=shutil.ignore_patterns("__pycache__"))
        versions = self._code / "app" / "store" / "migrations" / "versions"
        (versions / f"v{REVISION}_newer.py").write_text(_MIGRATION, "utf-8")

    def command(self) -> Sequence[str]:
        """See `Server.command`."""
        return [sys.executable, "-c", _RUN, str(self._code), "serve"]
