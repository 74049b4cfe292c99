"""The HTTP session for what is no answer: an OpenID provider, and the doctor's visits. Answers have `client.py`."""

import aiohttp


def session() -> aiohttp.ClientSession:
    """Nothing from the environment, no cookies, bodies as they come."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False)
