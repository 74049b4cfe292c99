"""Runs, the messages they write, idempotency keys and the journal.

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first schema."""
    op.create_table(
        "messages",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("message_id", sa.String(26), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("finish_reason", sa.String(16)),
        sa.Column("error_code", sa.String(32)),
        sa.Column("error_message", sa.Text),
        sa.Column("error_retryable", sa.Boolean),
        sa.Column("usage", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("first_token_at", sa.BigInteger),
        sa.Column("cancel_requested_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_runs_message_id"),
    )
    live = sa.text("status IN ('queued', 'running')")
    op.create_index("ix_runs_live", "runs", ["status"], sqlite_where=live, postgresql_where=live)
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(26), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "key", name="pk_idempotency_keys"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_idempotency_keys_run_id", ondelete="CASCADE"),
    )
    op.create_index("ix_idempotency_keys_run_id", "idempotency_keys", ["run_id"])
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "journal",
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("pieces", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_journal"),
    )


def downgrade() -> None:
    """There is nothing before the first schema."""
    for table in ("journal", "idempotency_keys", "runs", "messages"):
        op.drop_table(table)
