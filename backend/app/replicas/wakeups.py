"""Hears by `LISTEN` that another replica has committed; asks again and again where nothing is to be heard."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, LiteralString, cast

import psycopg

from app.database import Database
from app.errors import StorageError
from app.telemetry import log

LOOK_SECONDS = 1.0  # a look in any case: a notice may be lost with its connection
POLL_SECONDS = 0.2  # between two looks where there are no notices
HEARD_SECONDS = 2.0  # how long a notice to oneself may take
AGAIN_SECONDS = 0.5  # before a lost connection is made again

Connect = Callable[[], psycopg.Connection[Any]]


class Notices:
    """Satisfies `replicas.base.Wakeups` with one connection of its own."""

    def __init__(self, database: Database, connect: Connect, channel: str) -> None:
        """`connect` gives a connection that commits by itself; all that is committed is told in `channel`."""
        self._database = database
        self._connect = connect
        self._channel = channel
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="listener")
        self._closing = False
        self.polling = False

    async def start(self) -> None:
        """Find out whether notices are heard: a pooler that gives a session to many does not pass them on."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._listen)
        with suppress(StorageError):
            await self._database.probe()  # its commit tells in the channel
        self.polling = not await loop.run_in_executor(self._thread, self._hears)
        if self.polling:
            log.warning(
                "replicas.polling",
                message="PostgreSQL's notices are not heard here, as behind PgBouncer in transaction mode: it is asked "
                "for news five times a second instead. Let DATABASE_URL go around the pooler for less load.",
            )

    async def wait(self) -> None:
        """See `Wakeups.wait`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._wait)

    async def close(self) -> None:
        """Hear no more."""
        self._closing = True
        await asyncio.to_thread(self._thread.shutdown)
        self._hang_up()

    def _listen(self) -> None:
        with suppress(psycopg.Error):
            self._connection = self._connect()
            self._connection.execute(cast(LiteralString, f"LISTEN {self._channel}"))

    def _hears(self) -> bool:
        if self._connection is None:
            return False
        with suppress(psycopg.Error):
            return any(True for _ in self._connection.notifies(timeout=HEARD_SECONDS, stop_after=1))
        return False

    def _wait(self) -> None:
        if self.polling:
            time.sleep(POLL_SECONDS)
            return
        until = time.monotonic() + LOOK_SECONDS
        try:
            if self._connection is None:
                self._listen()
            elif not self._is_told(self._connection, until):
                return
        except psycopg.Error:
            self._hang_up()
        if self._connection is None and not self._closing:
            time.sleep(AGAIN_SECONDS)

    def _is_told(self, connection: psycopg.Connection[Any], until: float) -> bool:
        """Wait for a notice of another replica's; what this one commits is no news to it."""
        while not self._closing and (left := until - time.monotonic()) > 0:
            notices = list(connection.notifies(timeout=left, stop_after=1))
            if any(notice.payload != (self._database.replica or "") for notice in notices):
                return True
        return False

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
