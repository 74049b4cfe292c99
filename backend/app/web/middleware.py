"""What every request passes, outermost first: envelope, gate, (CORS,) limits, boundary. Pure ASGI, unbuffered."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.clock import Clock
from app.errors import BodyTooLarge, ChatError, ForbiddenOrigin, NothingHere, QueryTooLong, StartRefused, WrongHost
from app.settings import LOOPBACK_NAMES, Settings
from app.telemetry import Metrics, log, where
from app.web.fields import Fields, fields_of
from app.web.http import is_whole
from app.web.notes import NOTES
from app.web.paths import is_api, route_of
from app.web.problems import problem

TRANSPORT = "chat.transport"  # key of the scope: the client's socket, for cutting off a reader that takes nothing
SEND = "chat.send"  # and the server's own `send`, for frames that no middleware has anything to do with
MAX_QUERY_BYTES = 16 * 2**10
MAX_DROPPED_BYTES = 16 * 2**20  # of a body that was refused: read, so that the client comes to read the answer
MAX_DROPPED_SECONDS = 2.0
MAX_PAUSE_SECONDS = 15.0  # inside a body; a client that says nothing for longer has gone, or is up to no good
METRICS = "/metrics"
_PROBES = ("/health", "/health/stream", "/ready")
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_PLAIN_PATH = re.compile("[A-Za-z0-9/_.-]{1,100}")


_Header = tuple[bytes, bytes]
_OURS = {b"x-content-type-options": b"nosniff", b"referrer-policy": b"same-origin"}


def transport_of(send: Send) -> asyncio.WriteTransport | None:
    """The client's socket. For the very outside, since every middleware wraps `send`."""
    return getattr(getattr(send, "__self__", None), "transport", None)


class Envelope:
    """Outermost: headers of every response, and one log line a request, never its query.

    Every request gets an id of ours, whatever the client calls it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here
        began = time.perf_counter()
        route, path = route_of(scope), _path(scope)  # now: a mounted application rewrites its scope
        status = 0
        request_id = self._clock.new_id()
        notes = {"id": request_id}
        scope[NOTES] = notes

        async def envelop(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _enveloped(message.get("headers", ()), request_id, private=is_api(scope))
            await send(message)

        try:
            await self._app(scope, receive, envelop)
        finally:
            if route not in _PROBES and not (route == METRICS and "code" not in notes):
                took = round(time.perf_counter() - began, 4)
                log.info("request", method=scope["method"], path=path, status=status, **notes, seconds=took)
                if (code := notes.get("code")) is not None and "run" not in notes:  # a run's failure is no refusal
                    self._metrics.refused(code)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the server say why it does not start in our one sentence, without a traceback."""
        failed: list[Message] = []

        async def hold(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold)
        except StartRefused as refusal:
            await send({"type": "lifespan.startup.failed", "message": refusal.message})
        except BaseException:
            for message in failed:
                await send(message)
            raise


def _enveloped(headers: Sequence[_Header], request_id: str, *, private: bool) -> list[_Header]:
    """`headers` and ours, in one pass: Starlette's own are searched for each that is set."""
    ours = dict(_OURS)
    names = {name for name, _ in headers}
    if b"x-request-id" not in names:
        ours[b"x-request-id"] = request_id.encode()
    if private and b"cache-control" not in names:
        ours[b"cache-control"] = b"no-store"  # what people said is in no cache
    return [*((name, value) for name, value in headers if name not in _OURS), *ours.items()]


class Gate:
    """Who may ask from where (api.md): the host asked for, the peer's address, the page that asks."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = frozenset(settings.allowed_hosts)
        self._origins = frozenset(settings.cors_origins)
        self._everyone = settings.allow_insecure or settings.accounts
        self._metrics_token = settings.metrics_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = fields_of(scope)
            try:
                if not (scrapes := self._may_scrape(scope, headers)):
                    self._check_peer(scope)
                self._check_host(scope, headers, probes=scrapes or route_of(scope) in _PROBES)
                self._check_origin(scope, headers)
                if route_of(scope) == METRICS and not scrapes:
                    raise NothingHere  # a status of its own would tell that there is something
            except ChatError as error:
                await problem(scope, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _may_scrape(self, scope: Scope, headers: Fields) -> bool:
        """Whether the numbers are for this one: who has the token; without one, a program of this machine."""
        if route_of(scope) != METRICS or "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            return False  # a page, from wherever it is
        if self._metrics_token is not None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            wanted = self._metrics_token.get_secret_value().encode()
            return scheme.lower() == "bearer" and compare_digest(token.encode(), wanted)
        host = _without_port(headers.get("host", "").lower())
        own = host in LOOPBACK_NAMES or _is_loopback(host.strip("[]"))
        return own and _is_local(scope) and not any(name in headers for name in _FORWARDED)

    def _check_host(self, scope: Scope, headers: Fields, *, probes: bool) -> None:
        hosts = headers.getlist("host")
        name = _without_port(hosts[0].lower()) if len(hosts) == 1 else ""
        if name in self._hosts or (probes and (not hosts or _is_address(name))):
            return
        raise WrongHost("This service does not answer to that host name. If it should, add the name to ALLOWED_HOSTS.")

    def _check_peer(self, scope: Scope) -> None:
        if self._everyone or _is_local(scope):
            return
        raise WrongHost(
            "This service answers only its own machine while everyone who comes is the same user. "
            "To let other machines in, set ACCOUNTS=1 (or ALLOW_INSECURE=1), and add the name they use to "
            "ALLOWED_HOSTS."
        )

    def _check_origin(self, scope: Scope, headers: Fields) -> None:
        under_api = is_api(scope)
        if under_api and "prefetch" in headers.get("sec-purpose", ""):
            raise ForbiddenOrigin("Prefetching is not answered: a question costs something.")
        origins = headers.getlist("origin")
        if origins:
            origin = origins[0].lower()
            same = _without_default_port(origin.partition("://")[2]) == _without_default_port(
                headers.get("host", "").lower()
            )
            if len(origins) == 1 and (origin in self._origins or ("://" in origin and same)):
                return
            raise ForbiddenOrigin(
                "Pages from this origin may not use the service. If they should, add it to CORS_ORIGINS."
            )
        if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
            return
        mode, dest = headers.get("sec-fetch-mode", ""), headers.get("sec-fetch-dest", "")
        navigates = mode == "navigate" and dest == "document"
        if scope["method"] == "GET" and navigates and not under_api:
            return
        raise ForbiddenOrigin("Other sites may not use the service through a visitor's browser.")


class Boundary:
    """The last resort for errors, inside CORS so that a listed page can read that something went wrong."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:  # noqa: BLE001 - the request's boundary
            log.error(
                "request.broke",
                **scope.get(NOTES, {}),
                path=_path(scope),
                error=type(error).__name__,
                where=where(error),
            )
            if not started:
                broke = ChatError("Something went wrong inside the service. Try again.")
                await problem(scope, broke)(scope, receive, send)


class BodyLimit(NamedTuple):
    """How large a body may be, in bytes, and what to do about one that is larger."""

    most: int
    advice: str


class Limits:
    """How much a request may carry. The body is counted while it is read, whatever its length said."""

    def __init__(self, app: ASGIApp, limit: BodyLimit, limits: Mapping[str, BodyLimit]) -> None:
        """`limit` holds for every path that has none of its own in `limits`."""
        self._app = app
        self._limit = limit
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            refusal = QueryTooLong("The address is too long. Send the question by POST.")
            await problem(scope, refusal)(scope, receive, send)
            return
        await _Counted(self._app, self._limits.get(route_of(scope), self._limit))(scope, receive, send)


class _Counted:
    def __init__(self, app: ASGIApp, limit: BodyLimit) -> None:
        self._app = app
        self._max_body = limit.most
        self._refusal = BodyTooLarge(f"The body is larger than {limit.most:,} bytes. {limit.advice}")
        self._size = 0
        self._too_large = False
        self._answering = False
        self._more = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = fields_of(scope)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:19]) > self._max_body:
            if headers.get("expect", "").lower() != "100-continue":  # such a client waits for our word before it sends
                await self._drop(receive)
            await self._refuse(scope, receive, send)
            return

        async def count() -> Message:
            if self._answering or not self._more or is_whole(scope.get(SEND, send)):
                message = await receive()
            else:
                try:
                    async with asyncio.timeout(MAX_PAUSE_SECONDS):
                        message = await receive()
                except TimeoutError as error:
                    raise HTTPException(408) from error
            if message["type"] == "http.request":
                self._more = message.get("more_body", False)
                self._size += len(message.get("body", b""))
                if self._size > self._max_body and self._answering:
                    message["body"] = b""  # nobody wanted this body; it is dropped, and the answer goes on
                elif self._size > self._max_body:
                    self._too_large = True
                    raise HTTPException(413)
            return message

        async def answer(message: Message) -> None:
            if not self._too_large:
                self._answering = True
                await send(message)

        await self._app(scope, count, answer)
        if self._too_large:
            await self._drop(receive)
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = problem(scope, self._refusal)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _drop(self, receive: Receive) -> None:
        dropped = 0
        try:
            async with asyncio.timeout(MAX_DROPPED_SECONDS):
                while self._more and dropped < MAX_DROPPED_BYTES:
                    message = await receive()
                    self._more = message["type"] == "http.request" and message.get("more_body", False)
                    dropped += len(message.get("body", b""))
        except TimeoutError:
            pass  # it was told often enough


def _path(scope: Scope) -> str:
    """The path for a log: what is spelled like none of ours may be somebody's question."""
    return route_of(scope) if _PLAIN_PATH.fullmatch(route_of(scope)) else "(other)"


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    name = name if separator and port.isdigit() else host
    return name.removesuffix(".")


def _without_default_port(host: str) -> str:
    return host.removesuffix(":80").removesuffix(":443")


def _is_local(scope: Scope) -> bool:
    client, server = scope.get("client"), scope.get("server")
    # A Unix socket's file has rights of its own. Without one, no address means that the peer hid it by leaving.
    return server is not None and server[1] is None if client is None else _is_loopback(client[0])


def _is_address(host: str) -> bool:
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


@lru_cache(1024)  # clients come again, and taking an address apart is ten calls
def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
