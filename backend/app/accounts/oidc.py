"""Sign-in by an OpenID provider: its addresses and keys, and what it says of a person, proved or refused.

Authlib and joserfc know the protocol. What is done here is fetching, with bounds: no redirect is followed, no wait and
no body is long, and a provider that is down or slow is asked by one at a time and seldom.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # pyright: ignore[reportUnknownVariableType] - untyped
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from app.accounts.base import Challenge, Identity
from app.clock import Clock
from app.errors import ChatError, IssuerUnavailable, IssuerUntrusted, SignInExpired
from app.telemetry import log

T = TypeVar("T")
M = TypeVar("M", bound=msgspec.Struct)

PATH = "/.well-known/openid-configuration"
SCOPE = "openid profile email"
MAX_BYTES = 2**20  # of one answer; real ones are a few KiB
MAX_KEYS = 100  # of a provider; real ones have two or three
MAX_SUBJECT_CHARS = 255  # OpenID Connect Core, 2
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)  # somebody looks at an empty page meanwhile
KEPT_SECONDS = 3600.0  # how long what was fetched is taken for the newest
RETRY_SECONDS = 10.0  # between a failure, or a look for a key that nobody knew, and the next look
LEEWAY_SECONDS = 60  # by which two clocks may differ
# Only where the provider alone can sign: neither `none`, nor HMAC, whose key might be one that is public.
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
ALGORITHMS = [f"{kind}{bits}" for kind in _KEY_TYPES for bits in (256, 384, 512)]

_s256 = cast(Callable[[str], str], create_s256_code_challenge)


class About(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str


class _Names(msgspec.Struct, frozen=True):
    sub: str
    preferred_username: str = ""
    email: str = ""
    name: str = ""

    def told(self) -> tuple[str, ...]:
        return tuple(name for name in (self.preferred_username, self.email, self.name) if name)


class _Kept(Generic[T]):
    """Something that is fetched now and then, by one at a time. An older one is good until there is a newer one."""

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._value: T | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, *, anew: bool = False) -> T:
        """The newest that is to be had; `anew`: the one that is kept did not do."""
        asked_at = asyncio.get_running_loop().time()
        async with self._lock:
            now = asyncio.get_running_loop().time()
            old = now - self._fetched_at >= KEPT_SECONDS or (anew and self._fetched_at < asked_at)
            if old and now - self._tried_at >= RETRY_SECONDS:
                try:
                    self._value = await self._fetch()
                    self._fetched_at = asyncio.get_running_loop().time()
                except ChatError as error:
                    log.warning("oidc.not_fetched", code=error.code)
                    if self._value is None:
                        raise
                finally:
                    self._tried_at = asyncio.get_running_loop().time()
            if self._value is None:
                raise IssuerUnavailable
            return self._value


class OpenIdIssuer:
    """Satisfies `accounts.base.Issuer`."""

    def __init__(
        self, address: str, client_id: str, client_secret: str | None, session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        """`address` is the issuer; without `client_secret` this is a public client."""
        self._issuer = address
        self._client_id = client_id
        self._client_secret = client_secret
        self._session = session
        self._clock = clock
        self._about = _Kept(self._fetch_about)
        self._keys = _Kept(self._fetch_keys)

    async def address(self, challenge: Challenge) -> str:
        """See `Issuer.address`."""
        about = await self._about.get()
        parameters = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": challenge.redirect_uri,
            "scope": SCOPE,
            "state": challenge.state,
            "nonce": challenge.nonce,
            "code_challenge": _s256(challenge.verifier),
            "code_challenge_method": "S256",
        }
        return add_params_to_uri(about.authorization_endpoint, list(parameters.items()))

    async def identity(self, code: str, challenge: Challenge) -> Identity:
        """See `Issuer.identity`."""
        about = await self._about.get()
        tokens = await self._redeem(about, code, challenge)
        names = await self._proved(about, tokens, challenge.nonce)
        told = names.told()
        if not told and about.userinfo_endpoint is not None:
            told = await self._asked(about.userinfo_endpoint, tokens.access_token, names.sub)
        return Identity(about.issuer, names.sub, told)

    # ── What the provider is asked ──────────────────────────────────────────────────────────────────────────────────

    async def _fetch_about(self) -> About:
        about = _read(await self._ask("GET", self._issuer.rstrip("/") + PATH), About)
        # Who guards an address guards everything below it, so a slash at the end makes no other issuer.
        if about.issuer.rstrip("/") != self._issuer.rstrip("/"):
            raise IssuerUntrusted("issuer")
        for url in (about.authorization_endpoint, about.token_endpoint, about.jwks_uri, about.userinfo_endpoint):
            if url is not None and not self._may_ask(url):
                raise IssuerUntrusted("endpoint")
        return about

    async def _fetch_keys(self) -> list[jwk.Key]:
        about = await self._about.get()
        found = _read(await self._ask("GET", about.jwks_uri), _KeySet).keys[:MAX_KEYS]
        return [key for one in found if one.get("use", "sig") == "sig" for key in _imported(one)]

    async def _redeem(self, about: About, code: str, challenge: Challenge) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": challenge.redirect_uri,
            "code_verifier": challenge.verifier,
        }
        headers: dict[str, str] = {}
        if self._client_secret is None:
            form["client_id"] = self._client_id
        elif "client_secret_basic" in about.token_endpoint_auth_methods_supported:
            pair = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        return _read(await self._ask("POST", about.token_endpoint, data=form, headers=headers), _Tokens)

    async def _asked(self, url: str, access_token: str, subject: str) -> tuple[str, ...]:
        """What else the provider knows: some leave the names out of the token. An account can do without them."""
        try:
            body = await self._ask("GET", url, headers={"Authorization": f"Bearer {access_token}"})
            names = _read(body, _Names)
        except ChatError as error:
            log.warning("oidc.no_names", code=error.code)
            return ()
        return names.told() if names.sub == subject else ()

    async def _ask(
        self, method: str, url: str, *, data: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        body, sent = bytearray(), {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with self._session.request(
                method, url, data=data, headers=sent, allow_redirects=False, timeout=TIMEOUT
            ) as response:
                async for some in response.content.iter_any():
                    body += some
                    if len(body) > MAX_BYTES:
                        raise IssuerUntrusted("size")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise IssuerUnavailable from error
        if response.status == 200:
            return bytes(body)
        if response.status in (408, 429) or response.status >= 500:
            raise IssuerUnavailable
        if method == "POST" and _said_of(body) == "invalid_grant":
            raise SignInExpired
        raise IssuerUntrusted(f"status {response.status}")

    def _may_ask(self, url: str) -> bool:
        """TLS, or this machine if the issuer itself is here."""
        here = urlsplit(self._issuer).scheme == "http" and urlsplit(url).hostname in LOOPBACK
        return urlsplit(url).scheme == "https" or (here and urlsplit(url).scheme == "http")

    # ── What it has proved ──────────────────────────────────────────────────────────────────────────────────────────

    async def _proved(self, about: About, tokens: _Tokens, nonce: str) -> _Names:
        try:
            try:
                token = _verified(tokens.id_token, await self._keys.get())
            except InvalidKeyIdError:  # the provider has a newer key
                token = _verified(tokens.id_token, await self._keys.get(anew=True))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": about.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                },
                {"nonce": nonce, "client_id": self._client_id, "access_token": tokens.access_token},
            )
            cast(Any, claims).validate(now=self._clock.now() // 1000, leeway=LEEWAY_SECONDS)  # it has no types
            names = msgspec.convert(dict(claims), _Names)
        except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
            # Of its words nothing is kept, and of the claims only which one it was.
            reason = getattr(error, "claim", None) or type(error).__name__
            log.warning("oidc.not_proved", reason=reason if reason in _REASONS else type(error).__name__)
            raise IssuerUntrusted("token") from error
        if not 0 < len(names.sub) <= MAX_SUBJECT_CHARS:
            raise IssuerUntrusted("subject")
        return names


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class _Said(msgspec.Struct, frozen=True):
    error: str


_REASONS = frozenset({"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "nonce", "at_hash"})


def _read(body: bytes | bytearray, kind: type[M]) -> M:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IssuerUntrusted("json") from error


def _said_of(body: bytearray) -> str:
    try:
        return _read(body, _Said).error
    except IssuerUntrusted:
        return ""


def _imported(key: dict[str, Any]) -> list[jwk.Key]:
    """The key, unless it is of a kind that nobody knows yet: that is no reason to refuse the others."""
    if key.get("kty") not in _KEY_TYPES.values():
        return []
    try:
        return [jwk.import_key(key)]
    except (JoseError, ValueError, TypeError, KeyError):
        return []


def _verified(text: str, keys: list[jwk.Key]) -> jwt.Token:
    def fitting(of: jwk.GuestProtocol) -> jwk.Key:
        header = of.headers()
        kind, name = _KEY_TYPES.get(str(header.get("alg"))[:2]), header.get("kid")
        fits = [key for key in keys if key.key_type == kind and name in (None, key.kid)]
        if len(fits) != 1 and name is None:
            raise InvalidKeyIdError
        if not fits:
            raise InvalidKeyIdError
        return fits[0]

    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwt.decode(text, fitting, registry=registry)
