"""Several replicas on one PostgreSQL: who owns which run, and what only that database has.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Note a run's owner; on PostgreSQL also make what takes the place of SQLite's journal and index."""
    op.execute("ALTER TABLE runs ADD COLUMN replica_id VARCHAR(26)")
    op.add_column("runs", sa.Column("read_at", sa.DateTime(timezone=True)))
    if op.get_bind().dialect.name != "postgresql":
        return
    _order_by_bytes()
    op.drop_table("journal")
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fenced_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_replicas"),
    )
    op.create_table(
        "run_journal",
        sa.Column("run_id", sa.String(26, collation="C"), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("pieces", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_run_journal"),
    )
    op.create_table(
        "search_words",
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("words", postgresql.ARRAY(sa.BigInteger), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_search_words"),
        sa.ForeignKeyConstraint(
            ["number"], ["search_entries.number"], name="fk_search_words_number", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_search_words_words", "search_words", ["words"], postgresql_using="gin")
    op.create_table(
        "cuts",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("user_id", sa.String(26)),
        sa.Column("credential", sa.String(64)),
        sa.Column("replica_id", sa.String(26)),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cuts"),
    )
    op.create_index("ix_cuts_made_at", "cuts", ["made_at"])


def downgrade() -> None:
    """Take it away again."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("cuts", "search_words", "run_journal", "replicas"):
            op.drop_table(table)
        op.create_table(
            "journal",
            sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
            sa.Column("pieces", sa.LargeBinary, nullable=False),
            sa.PrimaryKeyConstraint("seq", name="pk_journal"),
        )
    op.execute("ALTER TABLE runs DROP COLUMN read_at")
    op.execute("ALTER TABLE runs DROP COLUMN replica_id")


def _order_by_bytes() -> None:
    """Ids sort by age, so their order is that of bytes, in whatever language the database sorts."""
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        texts = [column for column in inspector.get_columns(table) if isinstance(column["type"], sa.String)]
        kinds = [f'ALTER COLUMN "{column["name"]}" TYPE {_kind(column["type"])} COLLATE "C"' for column in texts]
        if kinds and table != "alembic_version":
            op.execute(f'ALTER TABLE "{table}" {", ".join(kinds)}')


def _kind(column: sa.types.TypeEngine[str]) -> str:
    length = getattr(column, "length", None)
    return f"VARCHAR({length})" if length else "TEXT"
