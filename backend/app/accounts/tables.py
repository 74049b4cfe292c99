"""The schema of the accounts. Times are milliseconds since 1970, UTC. A change here needs a migration."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, String, Table, Text

from app.database import NAMING

metadata = MetaData(naming_convention=NAMING)

users = Table(
    "users",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("name_key", String(256), nullable=False, unique=True),  # NFKC and casefolded: two spellings are one name
    Column("role", String(8), nullable=False),
    Column("password", String(256)),  # argon2id; None: signs in elsewhere
    Column("issuer", String(512)),
    Column("subject", String(256)),
    Column("created_at", BigInteger, nullable=False),
    Column("suspended_at", BigInteger),
    Column("limits", Text),  # JSON; None: the settings'
)
Index("ix_users_subject", users.c.issuer, users.c.subject, unique=True)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the token
    Column("user_id", String(26), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("user_id", String(26), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the key
    Column("name", String(100), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("limits", Text),  # JSON; None: its user's alone
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the token
    Column("role", String(8), nullable=False),
    Column("created_by", String(26), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("actor_id", String(26)),
    Column("subject", Text),
    Column("created_at", BigInteger, nullable=False),
)
