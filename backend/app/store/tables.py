"""The schema. Times are milliseconds since 1970, UTC. A change here needs a migration; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

messages = Table(
    "messages",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner_id", String(26), nullable=False),
    Column("role", String(16), nullable=False),
    Column("parts", Text, nullable=False),  # JSON: [{"kind", "text"}]
    Column("created_at", BigInteger, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner_id", String(26), nullable=False),
    Column("message_id", String(26), ForeignKey("messages.id"), nullable=False),
    Column("model", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("finish_reason", String(16)),
    Column("error_code", String(32)),
    Column("error_message", Text),
    Column("error_retryable", Boolean),
    Column("usage", Text),  # JSON
    Column("created_at", BigInteger, nullable=False),
    Column("first_token_at", BigInteger),
    Column("cancel_requested_at", BigInteger),
    Column("ended_at", BigInteger),
)
# Recovery looks for the few that have not ended; the index holds only them.
Index(
    "ix_runs_live",
    runs.c.status,
    sqlite_where=text("status IN ('queued', 'running')"),
    postgresql_where=text("status IN ('queued', 'running')"),
)
Index("ix_runs_ended_at", runs.c.ended_at)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", String(26), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of path and body
    Column("run_id", String(26), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False, index=True),
)

# Written by eventlog/sqlite.py alone: one row a commit, no index but the row's number.
journal = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("pieces", LargeBinary, nullable=False),
)
