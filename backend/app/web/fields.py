"""A request's headers, found by their names instead of by going through all of them."""

from typing import Any, TypeVar, overload

from fastapi import Request
from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

D = TypeVar("D")

_FIELDS = "chat.fields"
_NO_QUERY = QueryParams()


class Fields(Headers):
    """Starlette's, with an index: a question's are asked for twenty names, of which most are not there."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._values: dict[str, list[str]] = {}
        for name, value in self._list:
            self._values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def getlist(self, key: str) -> list[str]:
        """All values of a header, in their order."""
        return list(self._values.get(key.lower(), ()))

    @overload
    def get(self, key: str) -> str | None: ...

    @overload
    def get(self, key: str, default: str) -> str: ...

    @overload
    def get(self, key: str, default: D) -> str | D: ...

    def get(self, key: str, default: Any = None) -> Any:
        """The first value of a header."""
        values = self._values.get(key.lower())
        return values[0] if values is not None else default

    def __getitem__(self, key: str) -> str:
        return self._values[key.lower()][0]

    def __contains__(self, key: Any) -> bool:
        return key.lower() in self._values


def fields_of(scope: Scope) -> Fields:
    """The headers of the request that `scope` is of, decoded when they are first asked for."""
    known: Fields | None = scope.get(_FIELDS)
    if known is None:
        known = scope[_FIELDS] = Fields(scope)
    return known


class LeanRequest(Request):
    """A request that is looked into at little cost."""

    @property
    def headers(self) -> Fields:
        """See `fields_of`."""
        return fields_of(self.scope)

    @property
    def query_params(self) -> QueryParams:
        """What stands behind the path's question mark."""
        return super().query_params if self.scope["query_string"] else _NO_QUERY
