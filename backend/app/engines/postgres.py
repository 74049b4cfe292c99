"""PostgreSQL: the one truth of any number of replicas. Each has one connection that writes.

Nothing here needs a session: whatever is set is set for one transaction, so a pooler may stand between.
"""

import os
import socket
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from app.database import Database, Outcome, Write
from app.engines.postgres_errors import is_conflict, of_the_server, refused, storage_error
from app.errors import LeaseLost, StartRefused, StorageError

T = TypeVar("T")

OLDEST = 14  # the oldest version that its makers still mend
READERS = 4  # connections of one replica that read; reads are short
CHANNEL = "ai_chat"
LOCKS = 0x41494353  # "AICS": tells our advisory locks from another program's in the same database
MIGRATING = 0  # the lock under which one process at a time looks at the schema
ATTEMPTS = 4  # at one commit that others were in the way of
TABLE_MILLISECONDS = 3000  # how long a migration waits for a table: all others wait for the table behind it
IDLE_MILLISECONDS = 5000  # a transaction whose client is frozen holds its locks no longer
WRITE_SECONDS = 15.0  # a commit takes milliseconds; what takes longer has lost its server
SURE_SECONDS = 5.0  # how long to ask what became of a commit whose answer was lost

# Where the URL says nothing else: a server that is gone is noticed within seconds.
_DEFAULTS: dict[str, Any] = {
    "application_name": "ai-chat-service",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "target_session_attrs": "read-write",
}


class PostgresDatabase(Database):
    """One replica's connections."""

    def __init__(self, url: str) -> None:
        """`url` is any that libpq takes.

        Raises:
            StartRefused: it is none.
        """
        super().__init__(READERS)
        try:
            self._parameters: dict[str, Any] = _DEFAULTS | conninfo_to_dict(url)
        except psycopg.Error as error:
            raise StartRefused(
                f"DATABASE_URL is no address of PostgreSQL ({str(error).strip()}). "
                "It looks like postgresql://user:password@host:5432/database."
            ) from None
        self.lost = False  # this replica's lease: until it has joined again, nothing is written
        self.on_lost: Callable[[], None] = lambda: None  # called in the loop once that is known
        self._raw: psycopg.Connection[Any] | None = None
        self._writer: Connection
        self._engine: Engine
        self._settings = ""  # of each transaction
        self._hung: Any = None  # the timer of the commit in flight

    # ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def name(self) -> str:
        """See `Database.name`."""
        host, port = self._parameters.get("host") or "the local socket", self._parameters.get("port")
        database = self._parameters.get("dbname") or self._parameters.get("user") or ""
        return f"{host}{f':{port}' if port else ''}/{database}"

    def open(self) -> None:
        """See `Database.open`."""
        try:
            raw = self._connected()
            version = raw.info.server_version // 10_000
            if version < OLDEST:
                raise StartRefused(
                    f"PostgreSQL at {self.name} is version {version}; {OLDEST} or newer is needed. Upgrade it with "
                    "pg_upgrade, or name another server in DATABASE_URL."
                )
            weak = raw.execute("SELECT current_setting('synchronous_commit') IN ('off', 'local')").fetchone()
        except psycopg.Error as error:
            self._drop()
            raise refused(error, self.name) from error
        except StartRefused:
            self._drop()
            raise
        settings = f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MILLISECONDS}; "
        self._settings = settings + ("SET LOCAL synchronous_commit = on; " if weak == (True,) else "")
        self._reading = create_engine(
            "postgresql+psycopg://",
            creator=self.connect,
            poolclass=QueuePool,
            pool_size=READERS,
            max_overflow=0,
            hide_parameters=True,
            use_native_hstore=False,
        ).execution_options(postgresql_readonly=True)

    def alone(self, function: Callable[[Connection], T]) -> T:
        """See `Database.alone`. A lock of the database's keeps the other replicas out."""
        try:
            raw = self._connected()
            raw.execute(cast(LiteralString, f"BEGIN; SELECT pg_advisory_xact_lock({LOCKS}, {MIGRATING})"))
            raw.execute(cast(LiteralString, f"SET LOCAL lock_timeout = {TABLE_MILLISECONDS}"))
            result = function(self._writer)
            raw.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, psycopg.Error | DBAPIError):
                raise refused(error, self.name) from error
            raise
        return result

    def let_go(self) -> None:
        """See `Database.let_go`."""
        self._drop()
        if hasattr(self, "_reading"):
            self._reading.dispose()

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        """A connection of its own. Statements are never prepared: behind a pooler the next one is another server's.

        Raises:
            psycopg.Error: there is none to be had.
        """
        return psycopg.connect(**self._parameters, autocommit=autocommit, prepare_threshold=None)

    # ── Use ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def probe(self) -> None:
        """See `Database.probe`."""
        await self.submit(lambda connection: connection.exec_driver_sql("SELECT 1"), durable=True)

    async def empty_log(self) -> None:
        """See `Database.empty_log`. PostgreSQL's is its own: what was deleted leaves it as it is recycled."""

    def look(self, function: Callable[[Connection], T]) -> T:
        """See `Database.look`."""
        try:
            try:
                return self._look(function)
            except _LostReader:
                return self._look(function)  # that one was from before a restart of the server
        except (DBAPIError, psycopg.Error, _LostReader) as error:
            raise StorageError("The database cannot be read at the moment. Try again.", retry_after=5) from error

    def _look(self, function: Callable[[Connection], T]) -> T:
        with self._reading.connect() as connection:
            raw = cast(psycopg.Connection[Any], connection.connection.dbapi_connection)
            try:
                return function(connection)
            except (DBAPIError, psycopg.Error) as error:
                if not raw.closed:
                    raise
                if not connection.invalidated:  # SQLAlchemy sees only what it has run itself
                    connection.invalidate()
                self._reading.dispose()  # the others are no younger
                raise _LostReader from error

    def joined(self, replica: str) -> None:
        """See `Database.joined`."""
        self.lost = False
        super().joined(replica)

    # ── The writer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _hand_over(self) -> None:
        self._hung = self._loop.call_later(WRITE_SECONDS, self._cut)
        super()._hand_over()

    def _settle(self, batch: list[Write], outcomes: list[Outcome]) -> None:
        self._hung.cancel()
        if not self.lost and any(isinstance(error, LeaseLost) for _, error in outcomes):
            self.lost, self.replica = True, None
            self.on_lost()
        super()._settle(batch, outcomes)

    def _cut(self) -> None:
        """Wake the writer from waiting for a server that does not answer."""
        raw = self._raw
        with suppress(OSError, psycopg.Error, AttributeError):
            copy = socket.socket(fileno=os.dup(cast(Any, raw).pgconn.socket))
            copy.shutdown(socket.SHUT_RDWR)
            copy.close()

    def _commit(self, batch: list[Write]) -> list[Outcome]:
        began = time.perf_counter()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcomes = self._transaction(batch)
            except Exception as error:  # noqa: BLE001 - the writer's boundary: whatever it was, nothing was committed
                self._roll_back()
                if is_conflict(error) and attempt < ATTEMPTS:
                    continue
                self.failed_commits += 1
                return [(None, storage_error(error))] * len(batch)
            self.durable_commits.add(time.perf_counter() - began)
            return outcomes
        raise AssertionError  # the last attempt returns

    def _transaction(self, batch: list[Write]) -> list[Outcome]:
        me = self.replica
        number = self._begin(batch, me)
        outcomes = [self._apply(write, me, first=place == 0) for place, write in enumerate(batch)]
        raw = self._connected()
        try:
            raw.execute(cast(LiteralString, f"RELEASE SAVEPOINT one; NOTIFY {CHANNEL}, '{me or ''}'; COMMIT"))
        except psycopg.Error as error:
            if not of_the_server(error) or not self._was_committed(number):
                raise
        return outcomes

    def _begin(self, batch: list[Write], me: str | None) -> str:
        """Begin, with what all of `batch` needs; returns the transaction's number.

        Raises:
            LeaseLost: somebody else sees to this replica's runs by now.
        """
        owners = {write.owner_id for write in batch if write.owner_id is not None}
        locks = "".join(f"SELECT pg_advisory_xact_lock({LOCKS}, {number}); " for number in sorted(map(_lock, owners)))
        # Held until the commit: whoever takes this replica's runs over waits for it, or it finds them taken.
        mine = f" FROM replicas WHERE id = '{me}' AND fenced_at IS NULL FOR KEY SHARE" if me is not None else ""
        begin = f"BEGIN; {self._settings}{locks}SAVEPOINT one; SELECT pg_current_xact_id()::text{mine}"
        answers = self._connected().execute(cast(LiteralString, begin))
        answers.set_result(-1)
        row = answers.fetchone()
        if row is None:
            raise LeaseLost
        return row[0]

    def _apply(self, write: Write, me: str | None, *, first: bool) -> Outcome:
        raw = self._connected()
        if (write.replica != me or self.lost) and not write.joins:
            return None, LeaseLost()  # it was meant for runs that others have by now
        if not first:
            raw.execute("RELEASE SAVEPOINT one; SAVEPOINT one")
        try:
            return write.apply(self._writer), None
        except Exception as error:
            if is_conflict(error) or of_the_server(error) or raw.closed:
                raise  # these take the whole commit with them
            raw.execute("ROLLBACK TO SAVEPOINT one")
            return None, error

    def _was_committed(self, number: str) -> bool:
        """What became of a transaction whose server went away while it was committed."""
        self._drop()
        until = time.monotonic() + SURE_SECONDS
        while time.monotonic() < until:
            try:
                row = self._connected().execute("SELECT pg_xact_status(%s::text::xid8)", [number]).fetchone()
            except psycopg.OperationalError:
                self._drop()
                time.sleep(0.1)
                continue
            except psycopg.Error:
                return False  # this server never heard of it
            if row is not None and row[0] != "in progress":
                return row[0] == "committed"
            time.sleep(0.05)
        return False

    # ── The connection ──────────────────────────────────────────────────────────────────────────────────────────────

    def _connected(self) -> psycopg.Connection[Any]:
        """The writer's connection, made anew where it was lost."""
        if self._raw is None or self._raw.closed:
            raw = self._raw = self.connect(autocommit=True)
            self._engine = create_engine(
                "postgresql+psycopg://",
                creator=lambda: raw,
                poolclass=StaticPool,
                isolation_level="AUTOCOMMIT",
                hide_parameters=True,
                use_native_hstore=False,
            )
            self._writer = self._engine.connect()
        return self._raw

    def _roll_back(self) -> None:
        """Leave nothing of a transaction; a connection that cannot is given up."""
        raw = self._raw
        if raw is None:
            return
        try:
            if raw.closed or raw.info.transaction_status != TransactionStatus.IDLE:
                raw.execute("ROLLBACK")
        except psycopg.Error:
            self._drop()

    def _drop(self) -> None:
        raw, self._raw = self._raw, None
        if raw is not None:
            with suppress(psycopg.Error, DBAPIError):
                raw.close()
                self._engine.dispose()


class _LostReader(Exception):
    """The connection was gone, and is forgotten by now."""


def lock_owners(connection: Connection, owners: Iterable[str]) -> None:
    """From here to the commit nobody else decides about the rows of `owners`."""
    for number in sorted(map(_lock, set(owners))):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCKS}, {number})")


def _lock(owner_id: str) -> int:
    """The lock of an owner; two that share one wait for each other, and that is all."""
    return zlib.crc32(owner_id.encode()) - 2**31 or 1
