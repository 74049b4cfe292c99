"""What a run may come to, kept with it where no limit asks for it to be set aside.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Keep it."""
    order = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(f"ALTER TABLE runs ADD COLUMN charge TEXT{order}")


def downgrade() -> None:
    """Forget it."""
    op.execute("ALTER TABLE runs DROP COLUMN charge")
