"""Fixtures of the harness's own tests."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.client import Client, client_of
from tests.support.upstream import Upstream


@pytest.fixture
async def asker(upstream: Upstream) -> AsyncGenerator[Client]:
    """A client of the fake upstream itself."""
    async with client_of(upstream.port) as client:
        yield client
