"""Statements of the hot writes, compiled once for each engine and handed to its driver.

SQLAlchemy builds, looks up and wraps a statement in 50 to 300 µs; SQLite runs it in five. An answer has a dozen.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Boolean, ClauseElement, Connection, Select


class _Compiled:
    """A statement in the words of one engine."""

    def __init__(self, compiled: Any) -> None:
        self.text = str(compiled)
        self._constants = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        self._order = compiled.positiontup  # None: this driver wants names

    def parameters(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        given = {**self._constants, **values}
        return [given[name] for name in self._order] if self._order is not None else given


class Prepared:
    """A statement of SQLAlchemy Core, to be run often. A transaction that its connection is in is not touched."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] = ()) -> None:
        """`columns`: those that an insert or an update sets, each by a parameter of its name.

        What else varies is a `bindparam` of another name.
        """
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}
        chosen = [*statement.selected_columns] if isinstance(statement, Select) else []
        self._names = [str(column.key) for column in chosen]
        self._booleans = [str(column.key) for column in chosen if isinstance(column.type, Boolean)]

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run it; how many rows it changed.

        Raises:
            KeyError: a parameter has no value.
            The driver's own errors.
        """
        return self._execute(connection, values).rowcount

    def one(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The row that it finds, its columns as attributes, or None. Errors as of `run`."""
        found = self._execute(connection, values).fetchone()
        return None if found is None else self._row(found)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """All rows that it finds, as `one` gives them. Errors as of `run`."""
        return [self._row(found) for found in self._execute(connection, values).fetchall()]

    def scalar(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The first column of the row that it finds, or None. Errors as of `run`."""
        found = self._execute(connection, values).fetchone()
        return None if found is None else found[0]

    def _row(self, found: Sequence[Any]) -> Any:
        row = dict(zip(self._names, found, strict=True))
        for name in self._booleans:  # SQLite has none
            row[name] = None if row[name] is None else bool(row[name])
        return SimpleNamespace(**row)

    def _execute(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            made = self._statement.compile(dialect=connection.dialect, column_keys=list(self._columns) or None)
            compiled = self._compiled[connection.dialect.name] = _Compiled(made)
        # A shorthand that the drivers of both engines have: a cursor that has run it.
        return cast(Any, connection.connection).execute(compiled.text, compiled.parameters(values))
