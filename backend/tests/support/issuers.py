"""OpenID providers on loopback: a real one as a process of its own, and one that says whatever a test has it say."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support import sockets
from tests.support.people import Person
from tests.support.waiting import until
from tests.support.wire_client import Reply

START = "/api/auth/oidc/start"
CALLBACK = "/auth/oidc/callback"
CLIENT_ID = "chat"
SECRET = "canary of the client"
NAVIGATION = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]


def settings_for(issuer: str, **more: Any) -> dict[str, Any]:
    """The settings of a service that signs in there."""
    return {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": SECRET, **more}


class Traveller(Person):
    """A browser, as far as it takes one: it keeps cookies and goes where it is sent."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.jar: dict[str, str] = {}
        self.home = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"  # as a trusted proxy tells it

    async def go(self, path: str, **more: Any) -> Reply:
        """Go to a page of the service; cookies are kept, redirects are not followed."""
        if self.jar:
            self.shown = ("Cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items()))
        headers = [*more.pop("headers", ()), ("X-Forwarded-For", self.home)]
        reply = await self.request("GET", path, headers=headers, **more)
        for line in reply.headers.all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.jar.pop(name, None)
            if value.strip('"'):
                self.jar[name] = value
        if self.jar:
            self.shown = ("Cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items()))
        return reply

    async def start(self, next: str = "/docs", **query: str) -> str:
        """Begin to sign in; the address at the provider."""
        reply = await self.go(START, query={"next": next, **query})
        assert reply.status == 302, reply.text
        return reply.headers["Location"]

    async def come_back(self, address: str) -> Reply:
        """Come back to `address`, as the provider's page sends a browser."""
        parts = urlsplit(address)
        return await self.go(f"{parts.path}?{parts.query}", headers=NAVIGATION)


def code_of(page: Reply) -> str:
    """The error's code on a page that tells one."""
    return page.text.partition('data-code="')[2].partition('"')[0]


class RealIssuer:
    """oidc-provider-mock, in a process of its own."""

    def __init__(self) -> None:
        self.url = f"http://{sockets.LOOPBACK}:{sockets.free_port()}"

    async def knows(self, subject: str, **claims: Any) -> None:
        """Have it know somebody."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.url}/users/{subject}", json=claims) as response,
        ):
            assert response.status == 204

    async def sign_in(self, address: str, subject: str) -> str:
        """Fill in its form at `address`; where it sends the browser."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, data={"sub": subject}, allow_redirects=False) as response,
        ):
            return response.headers["Location"]

    async def deny(self, address: str) -> str:
        """Press the other button."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, data={"action": "deny"}, allow_redirects=False) as response,
        ):
            return response.headers["Location"]


@asynccontextmanager
async def real_issuer() -> AsyncGenerator[RealIssuer]:
    """A real provider that runs."""
    issuer = RealIssuer()
    port = str(urlsplit(issuer.url).port)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", port, "--host", sockets.LOOPBACK],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    async def answers() -> bool:
        assert process.poll() is None, "the provider ended"
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{issuer.url}/jwks") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await until(answers, "the provider answers", timeout=30, every=0.1)
        yield issuer
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


Say = Callable[[web.Request], Any]


class FakeIssuer:
    """A provider that does what the protocol says, but for what a test changes. `claims` are of the next token."""

    def __init__(self) -> None:
        self.port = 0
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.tampered: Callable[[str], str] = lambda token: token
        self.about: dict[str, Any] = {}
        self.answers: dict[str, Callable[[web.Request], Any]] = {}  # by path, instead of what it should say
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.nonce = ""

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://{sockets.LOOPBACK}:{self.port}"

    def back(self, address: str, **more: str) -> str:
        """Where it sends the browser that came to `address`."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.nonce = asked["nonce"]
        return asked["redirect_uri"] + "?" + urlencode({"code": "a-code", "state": asked["state"], **more})

    async def __aenter__(self) -> "FakeIssuer":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        listener = sockets.listening()
        self.port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if (instead := self.answers.get(request.path)) is not None:
            answer = instead(request)
            return await answer if asyncio.iscoroutine(answer) else answer
        match request.path:
            case "/.well-known/openid-configuration":
                return web.json_response(
                    {
                        "issuer": self.url,
                        "authorization_endpoint": f"{self.url}/authorize",
                        "token_endpoint": f"{self.url}/token",
                        "jwks_uri": f"{self.url}/jwks",
                        **self.about,
                    }
                )
            case "/jwks":
                strange = {"kty": "of tomorrow", "kid": "strange"}
                return web.json_response({"keys": [strange, self.key.as_dict(private=False)]})
            case "/token":
                self.forms.append({str(name): str(value) for name, value in (await request.post()).items()})
                return web.json_response({"access_token": "token", "token_type": "Bearer", "id_token": self._token()})
            case _:
                return web.Response(status=404)

    def _token(self) -> str:
        now = int(time.time())
        usual = {"iss": self.url, "sub": "ann-1", "aud": CLIENT_ID, "exp": now + 60, "iat": now, "nonce": self.nonce}
        claims = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        token = jwt.encode({"alg": "RS256", "kid": "one", **self.header}, claims, self.key)
        return self.tampered(token)


def unsigned(token: str) -> str:
    """The same claims with `alg: none`."""
    import base64

    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."
