"""What contracts are tried with."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.providers.client import Client


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    """Our connections to endpoints."""
    made = Client()
    yield made
    made.close()
    await asyncio.sleep(0)
