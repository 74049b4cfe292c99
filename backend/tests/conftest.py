"""The fixtures of all tests.

Fresh for each test:       `upstream`, `serve`, `server`, `client`, `proxy`, `pages`, `browser_page`
One for a test module:     `shared_upstream`, `shared_server`, `shared_client` (for tests that do not stop the service)
One for the whole run:     `browser`, `cli`

Markers: `settings(NAME=value, …)` sets the environment of `server`; `trouble_expected` allows tracebacks in its log;
`alone` is for what needs every core: no other worker's test runs meanwhile.
A module sets the environment of its `shared_server` by a dictionary called `SHARED_SETTINGS`.
"""

import signal
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import Pages, chromium, fresh_page
from tests.support.client import Client, client_of
from tests.support.fixtures import Serve
from tests.support.fork_server import Launcher, launcher
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.turns import turn
from tests.support.upstream import Upstream

hypothesis.settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what runs in its background with interrupts ignored, and all that is started from there inherits
    # it: no program under test could then be interrupted, as a terminal's Ctrl+C does.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "settings(**env): the environment of the service under test")
    config.addinivalue_line("markers", "trouble_expected: tracebacks in the service's log are part of the test")
    config.addinivalue_line("markers", "alone: no other worker's test runs meanwhile")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Before its time is taken, each test waits for its turn."""
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture
async def upstream() -> AsyncGenerator[Upstream]:
    """A fake upstream that nobody has asked yet."""
    async with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def cli() -> Generator[Launcher]:
    """Starts processes of our CLI."""
    with launcher() as cli:
        yield cli


@pytest.fixture
async def serve(
    cli: Launcher, upstream: Upstream, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncGenerator[Serve]:
    """Makes services that ask `upstream`."""
    serve = Serve(cli, tmp_path, upstream, _marked(request))
    serve.trouble_expected = request.node.get_closest_marker("trouble_expected") is not None
    yield serve
    await serve.close()


@pytest.fixture
async def server(serve: Serve) -> Server:
    """A running service that asks `upstream`."""
    return await serve()


@pytest.fixture
async def client(server: Server) -> AsyncGenerator[Client]:
    """A client of `server`."""
    async with client_of(server.port) as client:
        yield client


@pytest.fixture
async def proxy(server: Server) -> AsyncGenerator[Proxy]:
    """A bad network in front of `server`; `Client.at(proxy.url)` goes through it."""
    async with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def module_serve(
    cli: Launcher, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncGenerator[Serve]:
    """Makes the services of a module."""
    async with Upstream() as upstream:
        serve = Serve(cli, tmp_path_factory.mktemp("shared"), upstream, getattr(request.module, "SHARED_SETTINGS", {}))
        yield serve
        await serve.close()


@pytest.fixture(scope="module")
async def module_server(module_serve: Serve) -> Server:
    """The one service of a module."""
    return await module_serve()


@pytest.fixture
async def shared_upstream(module_serve: Serve) -> AsyncGenerator[Upstream]:
    """The upstream of `shared_server`, as if new for each test."""
    module_serve.upstream.forget()
    yield module_serve.upstream
    module_serve.upstream.hang_up()


@pytest.fixture
async def shared_server(module_server: Server, shared_upstream: Upstream) -> Server:
    """A running service that all tests of the module use; it asks `shared_upstream`."""
    assert module_server.running, f"an earlier test ended the shared service:\n{module_server.log[-3000:]}"
    return module_server


@pytest.fixture
async def shared_client(shared_server: Server) -> AsyncGenerator[Client]:
    """A client of `shared_server`."""
    async with client_of(shared_server.port) as client:
        yield client


@pytest.fixture(scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """Headless Chromium."""
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def browser_page(browser: Browser) -> AsyncGenerator[Page]:
    """A page without history."""
    async with fresh_page(browser) as page:
        yield page


@pytest.fixture
async def pages() -> AsyncGenerator[Pages]:
    """Pages of another origin."""
    async with Pages() as pages:
        yield pages


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    marks = reversed(list(request.node.iter_markers("settings")))  # the closest one wins
    return {name: value for mark in marks for name, value in mark.kwargs.items()}
