"""Limits of users and keys, and what answers cost.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SUMS = ["created_at", "input_tokens", "output_tokens", "cost_micros"]
_BY_KEY = sa.text("key_id IS NOT NULL")


def upgrade() -> None:
    """Add the columns, and have the sums read nothing but an index."""
    op.add_column("usages", sa.Column("key_id", sa.String(26)))
    op.add_column("usages", sa.Column("cost_micros", sa.BigInteger))
    op.add_column("usages", sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("usages", sa.Column("tariff", sa.Text))
    op.drop_index("ix_usages_owner_id", "usages")
    op.create_index("ix_usages_owner_id", "usages", ["owner_id", *_SUMS])
    op.create_index("ix_usages_key_id", "usages", ["key_id", *_SUMS], sqlite_where=_BY_KEY, postgresql_where=_BY_KEY)
    op.create_index("ix_usages_created_at", "usages", ["created_at"])
    op.add_column("users", sa.Column("limits", sa.Text))
    op.add_column("api_keys", sa.Column("limits", sa.Text))


def downgrade() -> None:
    """Take them away again, with what they hold."""
    for index in ("ix_usages_created_at", "ix_usages_key_id", "ix_usages_owner_id"):
        op.drop_index(index, "usages")
    op.create_index("ix_usages_owner_id", "usages", ["owner_id", "created_at"])
    columns = [("usages", name) for name in ("tariff", "estimated", "cost_micros", "key_id")]
    for table, column in (*columns, ("api_keys", "limits"), ("users", "limits")):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
