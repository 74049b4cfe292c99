"""How a service under test is set up, and what is checked when its test is over."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.fork_server import Launcher
from tests.support.server import PlainUvicorn, Server
from tests.support.upstream import Upstream

# Short enough for tests, long enough for two busy cores: no test waits for one of these unless it is about it.
LIMITS = {
    "CONNECT_TIMEOUT_SECONDS": "2",
    "FIRST_TOKEN_TIMEOUT_SECONDS": "20",
    "IDLE_TIMEOUT_SECONDS": "20",
    "RUN_TIMEOUT_SECONDS": "60",
    "ABANDON_SECONDS": "20",
    "KEEPALIVE_SECONDS": "5",
    "SEND_TIMEOUT_SECONDS": "5",
    "SAVE_TIMEOUT_SECONDS": "5",
    "DRAIN_SECONDS": "2",
}
SIGNS_OF_TROUBLE = (
    "Traceback (most recent call last)",
    "BLOCKED: ",
    "never awaited",
    "Exception ignored in",
    "was destroyed but",
)


class Serve:
    """Makes services for one test (or module), all of them pointed at one upstream, and ends them with it."""

    def __init__(self, launcher: Launcher, folder: Path, upstream: Upstream, env: Mapping[str, Any]) -> None:
        self.upstream = upstream
        self.canary = f"sk-canary-{secrets.token_hex(8)}"
        self.trouble_expected = False
        self._launcher = launcher
        self._folder = folder
        self._env = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": self.canary, **LIMITS, **_texts(env)}
        self._servers: list[Server] = []

    async def __call__(self, *, plain: bool = False, **env: Any) -> Server:
        """A running service with these settings; None takes one out. `plain`: by the document's own command."""
        server = self.make(plain=plain, **env)
        return await server.start()

    def make(self, *, plain: bool = False, **env: Any) -> Server:
        """The same, not started."""
        given = _texts({name: value for name, value in {**self._env, **env}.items() if value is not None})
        folder = self._folder / f"service-{len(self._servers) + 1}"
        folder.mkdir()
        server = PlainUvicorn(folder, given) if plain else Server(folder, given, launcher=self._launcher)
        self._servers.append(server)
        return server

    async def close(self) -> None:
        """End all, then check what always holds.

        Raises:
            AssertionError: one did not end, left a process behind, has a traceback in its log, or wrote down the key.
        """
        self.upstream.hang_up()
        problems: list[str] = []
        for server in self._servers:
            try:
                await server.close()
            except AssertionError as why:
                problems.append(f"{why}; its log ends:\n{server.log[-3000:]}")
            problems += _found_in(server, self.canary, trouble=not self.trouble_expected)
        assert not problems, "\n".join(problems)


def _found_in(server: Server, canary: str, *, trouble: bool) -> list[str]:
    problems = [
        f"the log holds {sign!r}:\n{server.log[-6000:]}" for sign in SIGNS_OF_TROUBLE if trouble and sign in server.log
    ]
    if canary in server.log:
        problems.append("the key is in the log")
    files = (path for path in server.folder.rglob("*") if path.is_file())
    return problems + [f"the key is in {path.name}" for path in files if canary.encode() in path.read_bytes()]


def _texts(env: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in env.items() if value is not None}
