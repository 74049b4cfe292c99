"""The page as it is built and served, in a real browser, in front of the real service.

`visitor`: a watched browser profile on `server`; `line`: the same through a network that can be cut.
"""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, expect

from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import PATIENCE
from tests.support.watched import FRONTEND, Watched, watched

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The page, built from these sources: `make test` does it."""
    assert (FRONTEND / "dist/index.html").exists(), "the page is not built; type: make install"


@pytest.fixture
async def visitor(browser: Browser, server: Server) -> AsyncGenerator[Watched]:
    """Somebody with a browser, in front of `server`."""
    async with watched(browser, server.url) as visitor:
        yield visitor


@pytest.fixture
async def shared_visitor(browser: Browser, shared_server: Server) -> AsyncGenerator[Watched]:
    """Somebody with a browser, in front of `shared_server`."""
    async with watched(browser, shared_server.url) as visitor:
        yield visitor


@pytest.fixture
async def far_visitor(browser: Browser, proxy: Proxy) -> AsyncGenerator[Watched]:
    """Somebody with a browser, with a bad network between them and `server`."""
    async with watched(browser, proxy.url) as visitor:
        yield visitor
