"""Limits of users and keys, and what answers cost.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_DAYS = """
INSERT INTO usage_days
SELECT owner_id, created_at / 86400000, model, '', sum(CASE WHEN purpose = 'answer' THEN 1 ELSE 0 END),
       sum(input_tokens), sum(output_tokens), 0, count(*), 0
FROM usages GROUP BY owner_id, created_at / 86400000, model
"""


def upgrade() -> None:
    """Add the columns, and the sums of what was spent so far."""
    op.add_column("usages", sa.Column("key_id", sa.String(26)))
    op.add_column("usages", sa.Column("cost_micros", sa.BigInteger))
    op.add_column("usages", sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("usages", sa.Column("tariff", sa.Text))
    op.create_table(
        "usage_days",
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("day", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("key_id", sa.String(26), nullable=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_micros", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.Integer, nullable=False),
        sa.Column("estimates", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "day", "model", "key_id", name="pk_usage_days"),
    )
    op.create_index("ix_usage_days_day", "usage_days", ["day"])
    op.execute(_DAYS)
    op.add_column("users", sa.Column("limits", sa.Text))
    op.add_column("api_keys", sa.Column("limits", sa.Text))


def downgrade() -> None:
    """Take them away again, with what they hold."""
    op.drop_table("usage_days")
    columns = [("usages", name) for name in ("tariff", "estimated", "cost_micros", "key_id")]
    for table, column in (*columns, ("api_keys", "limits"), ("users", "limits")):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
