"""Conversations: the tree, changes, what was spent, and the search.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_LIVE = sa.text("status IN ('queued', 'running')")
_SEARCH_INDEX = "CREATE VIRTUAL TABLE search_index USING fts5(words, content='', tokenize='ascii')"
_SEARCH_PIECES = "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 8)"


def upgrade() -> None:
    """Make the new tables, and give messages and runs their place in them."""
    _conversations()
    # Plain statements: SQLite adds a column with its foreign key only so, without making the table anew.
    for statement in (
        "ALTER TABLE messages ADD COLUMN conversation_id VARCHAR(26)"
        " CONSTRAINT fk_messages_conversation_id REFERENCES conversations (id)",
        "ALTER TABLE messages ADD COLUMN parent_id VARCHAR(26)",
        "ALTER TABLE messages ADD COLUMN depth INTEGER DEFAULT 0 NOT NULL",
        "ALTER TABLE messages ADD COLUMN meta TEXT",
        "ALTER TABLE runs ADD COLUMN conversation_id VARCHAR(26)"
        " CONSTRAINT fk_runs_conversation_id REFERENCES conversations (id)",
        "ALTER TABLE runs ADD COLUMN left_out INTEGER DEFAULT 0 NOT NULL",
    ):
        op.execute(statement)
    placed, child = sa.text("conversation_id IS NOT NULL"), sa.text("parent_id IS NOT NULL")
    root = sa.text("conversation_id IS NOT NULL AND parent_id IS NULL")
    _index_where("ix_messages_conversation", "messages", ["conversation_id", "id"], placed)
    _index_where("ix_messages_parent", "messages", ["parent_id", "id"], child)
    _index_where("ix_messages_root", "messages", ["conversation_id", "id"], root)
    _index_where("ix_runs_live_in", "runs", ["conversation_id"], _LIVE)
    op.create_index("ix_runs_message_id", "runs", ["message_id"], unique=True)
    op.drop_index("ix_runs_ended_at", "runs")
    _index_where("ix_runs_kept", "runs", ["ended_at"], sa.text("conversation_id IS NULL"))
    _usages()
    _changes()
    _search()


def downgrade() -> None:
    """Take all of it away again, with what it holds."""
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("search_index")
    for table in ("search_entries", "change_numbers", "changes", "usages"):
        op.drop_table(table)
    for index in ("ix_runs_kept", "ix_runs_message_id", "ix_runs_live_in"):
        op.drop_index(index, "runs")
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"])
    for index in ("ix_messages_root", "ix_messages_parent", "ix_messages_conversation"):
        op.drop_index(index, "messages")
    op.execute("DELETE FROM idempotency_keys WHERE run_id IN (SELECT id FROM runs WHERE conversation_id IS NOT NULL)")
    op.execute("DELETE FROM runs WHERE conversation_id IS NOT NULL")
    op.execute("DELETE FROM messages WHERE conversation_id IS NOT NULL")
    for table, column in (
        ("runs", "left_out"),
        ("runs", "conversation_id"),
        ("messages", "meta"),
        ("messages", "depth"),
        ("messages", "parent_id"),
        ("messages", "conversation_id"),
    ):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    op.drop_table("conversations")


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("titled", sa.String(8), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("system", sa.Text),
        sa.Column("temperature", sa.Float),
        sa.Column("max_tokens", sa.Integer),
        sa.Column("temporary", sa.Boolean, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("head_id", sa.String(26)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_index("ix_conversations_list", "conversations", ["owner_id", "archived", "updated_at", "id"])
    op.create_index("ix_conversations_owner_id", "conversations", ["owner_id", "id"])
    _index_where("ix_conversations_temporary", "conversations", ["seen_at"], sa.text("seen_at IS NOT NULL"))
    _index_where("ix_conversations_deleted", "conversations", ["deleted_at"], sa.text("deleted_at IS NOT NULL"))


def _usages() -> None:
    op.create_table(
        "usages",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("purpose", sa.String(8), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usages"),
    )
    op.create_index("ix_usages_owner_id", "usages", ["owner_id", "created_at"])


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("conversation_id", sa.String(26), nullable=False),
        sa.Column("run_id", sa.String(26)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "number", name="pk_changes"),
    )
    op.create_index("ix_changes_created_at", "changes", ["created_at"])
    op.create_table(
        "change_numbers",
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("trimmed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name="pk_change_numbers"),
    )


def _search() -> None:
    op.create_table(
        "search_entries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=False),
        sa.Column("owner_id", sa.String(26), nullable=False),
        sa.Column("conversation_id", sa.String(26), nullable=False),
        sa.Column("message_id", sa.String(26)),
        sa.PrimaryKeyConstraint("number", name="pk_search_entries"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name="fk_search_entries_conversation_id"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_search_entries_message_id"),
    )
    op.create_index("ix_search_entries_conversation_id", "search_entries", ["conversation_id"])
    op.create_index("ix_search_entries_message_id", "search_entries", ["message_id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_SEARCH_INDEX)
        op.execute(_SEARCH_PIECES)


def _index_where(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
