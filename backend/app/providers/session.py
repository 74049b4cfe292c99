"""The one HTTP session for all endpoints."""

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey

KEEPALIVE_SECONDS = 4  # below the 5 s after which common servers close an idle connection: a stale one fails a run


class Connector(aiohttp.TCPConnector):
    """Closes at once what is given up: under TLS a polite close would wait for the other side, which is being paid."""

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if should_close or protocol.should_close:
            protocol.abort()
        super()._release(key, protocol, should_close=should_close)


def session() -> aiohttp.ClientSession:
    """Nothing from the environment, no cookies, no limit but the runs'."""
    return aiohttp.ClientSession(
        connector=Connector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=2**18,
    )
