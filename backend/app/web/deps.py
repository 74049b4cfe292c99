"""A request to who asks, what with, and from which place; and the answer to a stream."""

import random
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Literal, NamedTuple, cast

import msgspec
from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from app.cursor import Cursor
from app.errors import BadCursor, Invalid, Malformed, NotAllowed, NotSignedIn, RunNotFound
from app.models import LOCAL, Principal, Spot
from app.protocols.base import WireFormat
from app.protocols.chat import BareChat, ResumableChat
from app.protocols.ui_message import UIMessage
from app.services.account_service import AccountService
from app.services.ai_service import AIService, Once, Started
from app.services.budgets import Budgets
from app.services.change_feed import ChangeFeed
from app.services.conversation_service import ConversationService
from app.services.export_service import Export, ExportService
from app.services.gatekeeper import Gatekeeper
from app.services.import_service import ImportService
from app.services.oidc_service import OidcService
from app.settings import Settings
from app.telemetry import Metrics
from app.web.connections import Connections
from app.web.cookies import SESSION, Cookies
from app.web.download import Download
from app.web.json_body import misfit
from app.web.sse import MEDIA_TYPE, About, EventStream, Pace, Readable
from app.web.trial import Trials

RETRY_MILLISECONDS = (1000, 3000)  # spread, so that a restart is not answered by all readers in one moment
MAX_LIMIT = 100  # items of a page; a message may be long
DEFAULT_LIMIT = 50
MAX_PLACE_CHARS = 64  # of a place in a list; ours are shorter
Format = Literal["chat", "ui"]

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_ONCE = ("message", "history", "key", "last_event_id")  # taking one of two would answer another question
_BARE = BareChat()
_FORMAT: TypeAdapter[Format] = TypeAdapter(Format)


class Services(msgspec.Struct, frozen=True):
    """What routers may use."""

    ai: AIService
    conversations: ConversationService
    changes: ChangeFeed
    exports: ExportService
    imports: ImportService
    accounts: AccountService
    budgets: Budgets
    oidc: OidcService
    gatekeeper: Gatekeeper
    settings: Settings
    connections: Connections
    metrics: Metrics
    trials: Trials
    ready: Callable[[], Awaitable[str | None]]


async def _services(request: Request) -> Services:
    return _services_of(request)


def _services_of(request: Request) -> Services:
    """What the lifespan has opened."""
    return cast(Services, request.scope["state"]["services"])  # `request.state` makes an object of it first


CurrentServices = Annotated[Services, Depends(_services)]


async def _cookies(request: Request, services: CurrentServices) -> Cookies:
    return Cookies(request, services.settings)


async def _peer(request: Request) -> str:
    return request.client.host if request.client is not None else ""


CurrentCookies = Annotated[Cookies, Depends(_cookies)]
Peer = Annotated[str, Depends(_peer)]


async def _principal(request: Request) -> Principal:
    """By the header if there is one, else by the cookie: the same rule whatever carries it; never by the query."""
    services, headers = _services_of(request), request.headers
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bears = scheme.lower() == "bearer"
    shown = token.strip() if bears else headers.get("x-api-key")
    if not bears and not shown and "cookie" in headers:
        shown = Cookies(request, services.settings).get(SESSION)
    return await services.gatekeeper.principal(shown)


def _may(scope: str) -> Callable[[Request], Awaitable[Principal]]:
    # Not a dependency of dependencies: FastAPI needs more for each of them than all of this does.
    async def check(request: Request) -> Principal:
        principal = await _principal(request)
        if scope not in principal.scopes:
            raise NotAllowed(f"This needs the scope {scope}, which what you showed does not have.")
        return principal

    return check


async def _person(principal: Annotated[Principal, Depends(_principal)]) -> Principal:
    if principal.by_key:
        raise NotAllowed("This is for people who sign in, not for keys.")
    return principal


# All are coroutines: FastAPI runs plain functions in threads, and without accounts nothing is waited for here, so that
# a GET's question is reserved before any wait.
_may_chat = _may("chat")
CurrentPrincipal = Annotated[Principal, Depends(_may("read"))]
Asker = Annotated[Principal, Depends(_may_chat)]
Administrator = Annotated[Principal, Depends(_may("admin"))]
Person = Annotated[Principal, Depends(_person)]


LastEventId = Annotated[str | None, Header(description="Where to go on: the last `id` that was received.")]
LastEventIdQuery = Annotated[
    str | None,
    Query(alias="last_event_id", description="The same, for clients that cannot set headers. The header wins."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(description="Makes this request repeatable: the same key and body give the same answer, paid once."),
]


async def _cursor(last_event_id: LastEventId = None, last_event_id_query: LastEventIdQuery = None) -> Cursor | None:
    text = last_event_id if last_event_id is not None else last_event_id_query
    return Cursor.parse(text) if text is not None else None


FormatQuery = Annotated[
    Format, Query(description="`chat`: this API's frames. `ui`: the AI SDK's UI message stream, v1.")
]


async def _format(format: FormatQuery = "chat") -> Format:
    return format


async def _once(request: Request, idempotency_key: IdempotencyKey = None) -> Once:
    # The route's path, not the address: a proxy may serve us under a prefix.
    path: str = request.scope["route"].path.format(**request.path_params)
    return Once(path, checked_key(idempotency_key))


async def _spot(
    conversation_id: Annotated[str, Path(examples=["01kandgz1m5d9ryt3ek2yqv8p4"])],
    message_id: Annotated[str, Path(examples=["01kandgz1n8v3h2x6w0qj5r7ta"])],
) -> Spot:
    return Spot(conversation_id, message_id)


CurrentCursor = Annotated[Cursor | None, Depends(_cursor)]
StreamFormat = Annotated[Format, Depends(_format)]


async def _answer_format(request: Request, format: FormatQuery = "chat") -> WireFormat:
    comes_back = "last-event-id" in request.headers or "last_event_id" in request.query_params
    return wire_format(format, bare=not comes_back and not wants_events(request))


class Asking(NamedTuple):
    """A request for an answer, besides its body."""

    principal: Principal
    services: Services
    cursor: Cursor | None
    once: Once
    wire: WireFormat


async def _asking(
    request: Request,
    last_event_id: LastEventId = None,
    last_event_id_query: LastEventIdQuery = None,
    idempotency_key: IdempotencyKey = None,
    format: FormatQuery = "chat",
) -> Asking:
    return Asking(
        await _may_chat(request),
        await _services(request),
        await _cursor(last_event_id, last_event_id_query),
        await _once(request, idempotency_key),
        await _answer_format(request, format),
    )


CurrentAsking = Annotated[Asking, Depends(_asking)]


async def asking(request: Request) -> Asking:
    """What `CurrentAsking` is, without FastAPI (`ShortWay`).

    Raises:
        RequestValidationError: its query asks for a format that there is not.
    """
    headers, query = request.headers, request.query_params
    try:
        format = _FORMAT.validate_python(query.get("format", "chat"))
    except ValidationError as error:
        raise misfit(error, "query", "format") from error
    return await _asking(
        request,
        headers.get("last-event-id"),
        query.get("last_event_id"),
        headers.get("idempotency-key"),
        format,
    )


RequestOnce = Annotated[Once, Depends(_once)]
RequestSpot = Annotated[Spot, Depends(_spot)]
AnswerFormat = Annotated[WireFormat, Depends(_answer_format)]


def checked_key(key: str | None) -> str | None:
    """`key`, if it may be one.

    Raises:
        Invalid: it may not.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid("A key has 1 to 128 characters out of A-Z a-z 0-9 . _ : and -.")
    return key


async def check_query(request: Request) -> None:
    """Raises Malformed where a guess at the query could ask another question than was meant."""
    query = request.scope["query_string"]
    try:
        re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), query).decode("utf-8")
    except ValueError as error:
        raise Malformed("The query is not UTF-8. Encode it with encodeURIComponent or the like.") from error
    names = [name for name, _ in request.query_params.multi_items()]
    if twice := next((name for name in _ONCE if names.count(name) > 1), None):
        raise Malformed(f"The query says `{twice}` twice. Say it once.")


def base_url(request: Request, settings: Settings) -> str:
    """Where this browser reaches us, without a slash at the end. `Host` has been checked."""
    return settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")


async def _limit(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")] = DEFAULT_LIMIT,
) -> int:
    return limit


async def _before(
    before: Annotated[
        str | None, Query(max_length=MAX_PLACE_CHARS, description="The `next` of the page before.")
    ] = None,
) -> str | None:
    return before


Limit = Annotated[int, Depends(_limit)]
Before = Annotated[str | None, Depends(_before)]


def wire_format(format: Format, *, bare: bool = False) -> WireFormat:
    """The format of one response."""
    if format == "ui":
        return UIMessage(random.randint(*RETRY_MILLISECONDS))  # noqa: S311 - spreads reconnects; no secret
    if bare:
        return _BARE
    return ResumableChat(random.randint(*RETRY_MILLISECONDS))  # noqa: S311 - as above


def wants_events(request: Request) -> bool:
    """Whether `Accept` names `text/event-stream`: such a client understands ids and comments."""
    for item in ",".join(request.headers.getlist("accept")).split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type == MEDIA_TYPE and not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters):
            return True
    return False


async def read_from(services: Services, principal: Principal, cursor: Cursor, wire: WireFormat) -> Response:
    """The rest of a run's log as a stream; 204 where nothing is left, which is what stops an `EventSource`."""
    try:
        reading = await services.ai.follow(principal, cursor, wire)
    except (RunNotFound, BadCursor) as error:
        services.metrics.resumed("not_found" if isinstance(error, RunNotFound) else "bad_cursor")
        raise
    if reading is None:
        services.metrics.resumed("nothing_left")
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    outcome = "from_start" if cursor == Cursor(cursor.run_id) else "resumed"
    services.metrics.resumed(outcome)
    return stream(services, principal, reading, about=About(notes={"run": cursor.run_id, "reading": outcome}))


async def read_started(services: Services, principal: Principal, started: Started, wire: WireFormat) -> Response:
    """A run's log from its start as a stream.

    Raises:
        NotSignedIn: what was shown was taken back meanwhile; then nobody reads it, and what began is stopped.
    """
    if services.gatekeeper.is_cut(principal):
        if not started.replayed:
            await services.ai.cancel(principal, started.run_id)
        raise NotSignedIn
    reading = await services.ai.follow(principal, Cursor(started.run_id), wire)
    assert reading is not None  # only a cursor at the very end has nothing left
    return stream(services, principal, reading, replayed=started.replayed)


async def read_changes(services: Services, principal: Principal, after: int | None) -> Response:
    """The changes of this principal's after a number, and then as they happen."""
    retry = random.randint(*RETRY_MILLISECONDS)  # noqa: S311 - spreads reconnects; no secret
    changes = await services.changes.open(principal, after, retry)
    return stream(services, principal, changes, about=About("changes"))


async def read_trial(services: Services, host: str) -> Response:
    """A short stream that only shows how it arrives; `host` is what the request calls us."""
    return stream(services, LOCAL, services.trials.open(host), about=About("trial"))


def download(services: Services, principal: Principal, export: Export) -> Response:
    """A file, as it is made."""
    return Download(
        export.pieces,
        services.connections,
        name=export.name,
        media_type=export.media_type,
        send_timeout=services.settings.send_timeout_seconds,
        watch=partial(services.gatekeeper.watch, principal),
    )


def stream(
    services: Services,
    principal: Principal,
    reading: Readable,
    *,
    about: About | None = None,
    replayed: bool = False,
    left: Callable[[], None] | None = None,
) -> EventStream:
    """A reading as a stream, by the settings of this service. See `EventStream`.

    Without `about` its reader has started a run, or was given it again.
    """
    if replayed:
        services.metrics.resumed("replayed")
    if about is None:
        run_id = dict(reading.headers).get("X-Run-Id", "")
        about = About(notes={"run": run_id, "reading": "replayed" if replayed else "started"})
    return EventStream(
        reading,
        services.connections,
        Pace(services.settings.keepalive_seconds, services.settings.send_timeout_seconds),
        about=about,
        replayed=replayed,
        watch=partial(services.gatekeeper.watch, principal),
        left=left,
    )
