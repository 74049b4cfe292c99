"""What a request's log line says beside its path and status: told by whoever answers, through the scope."""

from starlette.types import Scope

NOTES = "chat.notes"


def note(scope: Scope, **fields: str) -> None:
    """Add fields to the log line of the request that `scope` is of: ids and codes of ours, never what somebody sent."""
    scope.setdefault(NOTES, {}).update(fields)
