"""The schema. Times are milliseconds since 1970, UTC. A change here needs a migration; a test compares the two.

Conditions of indexes hold in PostgreSQL, too, where the migrations make them. To name `postgresql_where` here would
load that dialect where SQLite serves, which takes 2.4 MB and a twentieth of a second (decision 0029).
"""

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    false,
    text,
)

from app.database import NAMING

metadata = MetaData(naming_convention=NAMING)

_LIVE = text("status IN ('queued', 'running')")

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner_id", String(26), nullable=False),
    Column("title", String(200), nullable=False),
    Column("titled", String(8), nullable=False),
    Column("model", String(200)),
    Column("system", Text),
    Column("temperature", Float),
    Column("max_tokens", Integer),
    Column("temporary", Boolean, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("head_id", String(26)),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),  # of a temporary one: when somebody last read it
    Column("deleted_at", BigInteger),  # nobody sees it any more; its rows go a few at a time
)
Index(
    "ix_conversations_list",
    conversations.c.owner_id,
    conversations.c.archived,
    conversations.c.updated_at,
    conversations.c.id,
)
Index("ix_conversations_owner_id", conversations.c.owner_id, conversations.c.id)  # an export walks them in this order
# What the sweeper looks for; the indexes hold only the few.
Index("ix_conversations_temporary", conversations.c.seen_at, sqlite_where=text("seen_at IS NOT NULL"))
Index("ix_conversations_deleted", conversations.c.deleted_at, sqlite_where=text("deleted_at IS NOT NULL"))

# A message without a conversation is the answer of a run without one.
messages = Table(
    "messages",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner_id", String(26), nullable=False),
    Column("role", String(16), nullable=False),
    Column("parts", Text, nullable=False),  # JSON: [{"kind", "text"}]
    Column("created_at", BigInteger, nullable=False),
    Column("conversation_id", String(26), ForeignKey("conversations.id")),
    Column("parent_id", String(26)),
    Column("depth", Integer, nullable=False, server_default=text("0")),
    Column("meta", Text),  # JSON: what the message says of how it was written
)
# Ids sort by age: a conversation's messages, the children of one, and those at the roots, oldest first.
_PLACED = text("conversation_id IS NOT NULL")
_CHILD = text("parent_id IS NOT NULL")
_ROOT = text("conversation_id IS NOT NULL AND parent_id IS NULL")
Index("ix_messages_conversation", messages.c.conversation_id, messages.c.id, sqlite_where=_PLACED)
Index("ix_messages_parent", messages.c.parent_id, messages.c.id, sqlite_where=_CHILD)
Index("ix_messages_root", messages.c.conversation_id, messages.c.id, sqlite_where=_ROOT)

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
    Column("conversation_id", String(26), ForeignKey("conversations.id")),
    Column("left_out", Integer, nullable=False, server_default=text("0")),
    Column("replica_id", String(26)),  # who writes it, or wrote it; with SQLite nobody else could
    Column("read_at", DateTime(timezone=True)),  # by the database's clock: by a reader at another replica
    Column("charge", Text),  # while it lives, where nothing is set aside for it: JSON, what its cost is reckoned by
)
# Recovery looks for the few that have not ended, the list for those of one conversation; these hold only them.
Index("ix_runs_live", runs.c.status, sqlite_where=_LIVE)
Index("ix_runs_live_in", runs.c.conversation_id, sqlite_where=_LIVE)
Index("ix_runs_message_id", runs.c.message_id, unique=True)
# What the sweeper forgets: a run with a conversation is kept as long as that.
Index("ix_runs_kept", runs.c.ended_at, sqlite_where=text("conversation_id IS NULL"))

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", String(26), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of path and body
    Column("run_id", String(26), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False, index=True),
)

# What was spent, by whom, on what. It outlives the run, the conversation and their deletion; it holds no text.
usages = Table(
    "usages",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner_id", String(26), nullable=False),
    Column("purpose", String(8), nullable=False),  # answer, title
    Column("model", String(200), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),  # when it was asked for: what is set aside counts from then on
    Column("key_id", String(26)),  # of the API key that asked
    Column("cost_micros", BigInteger),  # millionths of a US dollar; None: nobody knows the price
    Column("estimated", Boolean, nullable=False, server_default=false()),  # the endpoint did not tell
    Column("tariff", Text),  # while the run lives: JSON, what the models cost that may answer; its sums are set aside
)
Index("ix_usages_owner_id", usages.c.owner_id, usages.c.created_at)

# The sums of `usages`, written in the same commits, so that neither a limit nor a page adds up a month of rows.
usage_days = Table(
    "usage_days",
    metadata,
    Column("owner_id", String(26), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # of UTC, since 1970
    Column("model", String(200), primary_key=True),
    Column("key_id", String(26), primary_key=True),  # empty: no key
    Column("requests", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_micros", BigInteger, nullable=False),
    Column("unpriced", Integer, nullable=False),  # rows whose price nobody knows
    Column("estimates", Integer, nullable=False),  # rows that are estimates
)
Index("ix_usage_days_day", usage_days.c.day)

# What happened to whose conversations, numbered for each owner without holes, in the order of the commits.
changes = Table(
    "changes",
    metadata,
    Column("owner_id", String(26), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),  # created, updated, deleted, started, ended
    Column("conversation_id", String(26), nullable=False),
    Column("run_id", String(26)),
    Column("created_at", BigInteger, nullable=False, index=True),
)
change_numbers = Table(
    "change_numbers",
    metadata,
    Column("owner_id", String(26), primary_key=True),
    Column("number", BigInteger, nullable=False),  # the last one given
    Column("trimmed", BigInteger, nullable=False),  # nothing up to this one is left in `changes`
)

# What the search finds. `number` is the moment of the message, or the next free one: newest first is its order.
search_entries = Table(
    "search_entries",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("owner_id", String(26), nullable=False),
    Column("conversation_id", String(26), ForeignKey("conversations.id"), nullable=False, index=True),
    Column("message_id", String(26), ForeignKey("messages.id"), index=True),  # None: the title
)
# ── Of SQLite alone ─────────────────────────────────────────────────────────────────────────────────────────────────

sqlite_metadata = MetaData(naming_convention=NAMING)

# The index itself: tokens by the number of their entry, as `words.py` makes them: for the tokenizer whatever is not
# ASCII is a letter. It holds no text, so whoever takes an entry out says its words.
SEARCH_INDEX = "CREATE VIRTUAL TABLE search_index USING fts5(words, content='', tokenize='ascii')"
# Each commit adds a piece to the index; merged at 8 of a size, not at 4, writing takes a third less, and seldom long.
SEARCH_PIECES = "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 8)"
event.listen(sqlite_metadata, "after_create", DDL(SEARCH_INDEX))
event.listen(sqlite_metadata, "after_create", DDL(SEARCH_PIECES))

# Written by eventlog/sqlite.py alone, in backups: what unfinished answers had said. No index but the row's number.
journal = Table(
    "journal",
    sqlite_metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("pieces", LargeBinary, nullable=False),
)

# ── Of PostgreSQL alone ─────────────────────────────────────────────────────────────────────────────────────────────

postgres_metadata = MetaData(naming_convention=NAMING)

# Who owns runs. A lease that is over lets others fence the replica, in a commit that its own commits wait for.
replicas = Table(
    "replicas",
    postgres_metadata,
    Column("id", String(26), primary_key=True),  # of one life of a replica: whoever comes back has another one
    Column("lease_until", DateTime(timezone=True), nullable=False),  # by the database's clock
    Column("fenced_at", DateTime(timezone=True)),
)

# Written by eventlog/postgres.py alone: what a run said in one commit.
run_journal = Table(
    "run_journal",
    postgres_metadata,
    Column("run_id", String(26), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("pieces", LargeBinary, nullable=False),
)

# The words of an entry of the search, as numbers; see search_gin.py.
search_words = Table(
    "search_words",
    postgres_metadata,
    Column("number", BigInteger, ForeignKey(search_entries.c.number, ondelete="CASCADE"), primary_key=True),
    Column("words", ARRAY(BigInteger), nullable=False),
)
Index("ix_search_words_words", search_words.c.words)  # a GIN index

# Whose open streams end on every replica: of a user, or of one session or key. For a minute.
cuts = Table(
    "cuts",
    postgres_metadata,
    Column("id", String(26), primary_key=True),
    Column("user_id", String(26)),
    Column("credential", String(64)),
    Column("replica_id", String(26)),  # whose readers are cut off already
    Column("made_at", DateTime(timezone=True), nullable=False, index=True),  # by the database's clock
)
