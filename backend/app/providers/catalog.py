"""Settings to the provider that answers."""

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey

from app.providers.base import Provider
from app.providers.local import LocalProvider, problem
from app.providers.openai import OpenAIConfig, OpenAIProvider
from app.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
KEEPALIVE_SECONDS = 4  # below the 5 s after which common servers close an idle connection: a stale one fails a run


def provider(settings: Settings, session: aiohttp.ClientSession) -> Provider:
    """Who answers: the configured endpoint, else the embedded model, else someone who says what to set up."""
    if settings.openai_api_key is not None or settings.openai_base_url:
        config = OpenAIConfig(
            provider="openai",
            model=settings.openai_model,
            base_url=settings.openai_base_url or OPENAI_URL,
            key=settings.openai_api_key,
            connect_timeout=settings.connect_timeout_seconds,
        )
        return OpenAIProvider(config, session)
    return LocalProvider(settings.local_model_path, settings.local_model_idle_seconds)


class Connector(aiohttp.TCPConnector):
    """Closes at once what is given up: under TLS a polite close would wait for the other side, which is being paid."""

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if should_close or protocol.should_close:
            protocol.abort()
        super()._release(key, protocol, should_close=should_close)


def session() -> aiohttp.ClientSession:
    """The one session for all endpoints: nothing from the environment, no cookies, no limit but the runs'."""
    return aiohttp.ClientSession(
        connector=Connector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=2**18,
    )


def missing(settings: Settings) -> str | None:
    """Why nobody can answer, as a sentence that says what to do, or None."""
    if settings.openai_api_key is not None or settings.openai_base_url:
        return None
    return problem(settings.local_model_path)
