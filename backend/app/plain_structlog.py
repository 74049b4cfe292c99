"""structlog, without what it imports for a developer's terminal.

`structlog.dev` takes rich and Pygments along wherever they can be found, and Typer brings them: 3.6 MB and half of the
time that importing structlog takes, for tracebacks that this service does not print (they can show values, so users'
texts). Decision 0029 has the figures.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def _absent(name: str) -> Generator[None]:
    """As if a package were not installed; one that is imported already stays."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] - Python's own way to say so (importlib's reference)
    try:
        yield
    finally:
        del sys.modules[name]


with _absent("rich"):
    import structlog as structlog  # noqa: PLC0414 - handed on
