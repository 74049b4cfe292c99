"""The journal as a table: what a backup brings along of answers that are being written, in one file with all else.

It was the journal itself once, so it also holds what a crash of an older version left behind.
"""

import sqlite3
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from app.eventlog.base import Said
from app.models import Piece

AT_ONCE = 1000  # in a row; SQLite's may not have more than 1 GB

_decode = msgspec.msgpack.Decoder(list[tuple[str, list[Piece]]]).decode


def recover(connection: Connection) -> list[Said]:
    """What it holds, in order."""
    rows = connection.exec_driver_sql("SELECT pieces FROM journal ORDER BY seq")
    return [said for row in rows for said in _decode(row[0])]


def keep(connection: sqlite3.Connection, said: Sequence[Said]) -> None:
    """Add to it what a journal holds."""
    for start in range(0, len(said), AT_ONCE):
        connection.execute(
            "INSERT INTO journal (seq, pieces) SELECT coalesce(max(seq), 0) + 1, ? FROM journal",
            (msgspec.msgpack.encode(said[start : start + AT_ONCE]),),
        )


def clear(connection: Connection) -> None:
    """Empty it, once what it held is saved elsewhere."""
    connection.exec_driver_sql("DELETE FROM journal")
