"""The roof: builds wells, services and routers, and is the only place that names concrete rooms."""

import asyncio
import gc
import signal
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any, NamedTuple, TypedDict

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import __version__, telemetry
from app import storage as storages
from app.accounts.base import Issuer
from app.accounts.passwords import Passwords
from app.accounts.sql import SqlAccounts
from app.clock import Clock
from app.engines.sqlite import SOUND_SQLITE
from app.errors import Draining, NotReady, StartRefused, StorageError
from app.providers import models_file
from app.providers.catalog import Catalogue
from app.providers.plan import Plan, missing
from app.providers.prices import PriceTable
from app.routers import (
    accounts,
    admin,
    agui,
    chat,
    conversations,
    events,
    health,
    metrics,
    oidc,
    openai,
    pages,
    runs,
    transfer,
    usage,
)
from app.services.account_service import AccountService
from app.services.ai_service import AIService
from app.services.budgets import Budgets
from app.services.change_feed import ChangeFeed
from app.services.conversation_service import ConversationService
from app.services.export_service import ExportService
from app.services.gatekeeper import Gatekeeper
from app.services.import_service import ImportService
from app.services.oidc_service import OidcService
from app.services.planning import Planner
from app.services.run_engine import RunEngine
from app.services.sweeper import Sweeper
from app.services.titles import Titles
from app.settings import Settings, load
from app.storage import Storage
from app.store.conversations import SqlConversations
from app.store.search import SqlSearch
from app.store.transfer import SqlTransfers
from app.store.usages import SqlUsages
from app.telemetry import Held, Metrics, log
from app.tracing import Tracing
from app.web import page, problems
from app.web.application import ChatApp
from app.web.connections import Connections
from app.web.deps import Services
from app.web.middleware import BodyLimit, Boundary, Envelope, Gate, Limits
from app.web.short_way import ShortWay
from app.web.trial import Trials

LAST_FRAMES_SECONDS = 2.0  # after the drain, for readers to be told how it ended

_ABOUT = """An answer is a durable log that responses read: it is never lost, and never bought twice.

Ask with `POST /api/chat/stream`, or with an `EventSource` on `GET /api/chat/stream`. After a cut, send the last `id`
back as `Last-Event-ID` and read on. The answer goes on being written meanwhile.
"""


class State(TypedDict):
    """What a request finds in `request.state`."""

    services: Services


class Watchers(NamedTuple):
    """Who watches from the side."""

    numbers: Metrics
    tracing: Tracing

    def attach(self, engine: RunEngine, titles: Titles, left: int) -> None:
        """Hear how runs end and what titles cost; `left` runs were left over by a crash."""
        self.numbers.recovered(left)
        engine.on_report += [self.numbers.ended, self.tracing.ended]
        titles.on_spent.append(self.numbers.spent)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service, not yet started: its lifespan opens the database and closes everything.

    Without `settings` they are read from the environment and `.env`; if they or the file of models cannot be, the
    process exits with the sentence that says why.

    Raises:
        StartRefused: with `settings`, the file of models cannot be.
    """
    if settings is None:
        try:
            return create_app(load())
        except StartRefused as refusal:
            raise SystemExit(refusal.message) from None
    known, plan, clock = settings, models_file.read(settings), Clock()
    numbers = Metrics(__version__, [entry.id for entry in plan.entries])
    tracing = Tracing(settings.otel_exporter_otlp_endpoint, __version__)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[State]:
        telemetry.set_up()
        async with AsyncExitStack() as stack:
            await tracing.start()
            stack.push_async_callback(tracing.close)
            yield State(services=await _open(known, plan, app.connections, Watchers(numbers, tracing), stack))

    app = ChatApp(
        asks_at=chat.PATH,
        title="AI Chat Service",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=tracing.config,
    )
    routers = (
        chat.router,
        runs.router,
        conversations.router,
        transfer.router,
        events.router,
        openai.router,
        agui.router,
        accounts.router,
        admin.router,
        usage.router,
        oidc.router,
        health.router,
        metrics.router,
        pages.router,
    )
    for router in routers:
        app.include_router(router)
    problems.install(app, routers)
    problems.describe(app)
    app.mount(pages.ASSETS, pages.assets())
    page.install(app, settings.page_folder)
    # Added last stands outermost: envelope, gate, CORS, limits, boundary, the short way.
    app.add_middleware(ShortWay, route=chat.ROUTE, serve=chat.ask, routed=tracing.routed)
    app.add_middleware(Boundary)
    app.add_middleware(
        Limits,
        limit=BodyLimit(settings.max_body_bytes, "Shorten the history."),
        limits={transfer.IMPORT: BodyLimit(settings.import_max_bytes, "Split the file, or raise IMPORT_MAX_BYTES.")},
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Run-Id", "X-Request-Id", "X-Should-Retry", "Idempotent-Replayed", "Retry-After"],
    )
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(Envelope, metrics=numbers, clock=clock)
    return app


async def _open(
    settings: Settings, plan: Plan, connections: Connections, watchers: Watchers, stack: AsyncExitStack
) -> Services:
    """Everything in the order it needs: what is opened last is closed first."""
    storage = await storages.opened(settings, stack)
    database, clock, changes, sharing = storage.database, storage.clock, storage.changes, storage.sharing
    conversations = SqlConversations(database, changes, clock)
    catalog = Catalogue(plan, settings, then=(storage.journal.flush, connections.outbox.work_off))
    catalog.start()
    stack.push_async_callback(catalog.close)
    engine = RunEngine(storage.store, storage.journal, settings, clock)
    stack.push_async_callback(engine.close)
    people = SqlAccounts(database, clock.now)
    kept = people if settings.accounts else None
    prices = PriceTable(plan, look=settings.accounts)
    if settings.accounts:
        prices.start()
    stack.push_async_callback(prices.close)
    budgets = Budgets(storage.store, SqlUsages(database, clock), prices, kept, settings, clock)
    titles = Titles(budgets, conversations, catalog, settings)
    engine.on_ended.append(titles.ended)
    stack.push_async_callback(titles.close)
    feed = ChangeFeed(changes)
    passwords = Passwords()
    stack.callback(passwords.close)
    gatekeeper = Gatekeeper(kept, clock)
    transfers = SqlTransfers(database, changes, clock)
    imports = ImportService(transfers, conversations, settings.max_output_chars)
    sweeper = Sweeper(
        [
            storage.store.sweep,
            people.sweep,
            conversations.bury_forgotten,
            conversations.erase,
            conversations.tidy,
            conversations.scrub,
            *storage.chores,
        ]
    )
    sweeper.start()
    stack.push_async_callback(sweeper.close)
    cut_after = settings.drain_seconds + LAST_FRAMES_SECONDS
    watchers.numbers.watch(lambda: _held(settings, engine, storage, connections))
    watchers.attach(engine, titles, storage.left)
    planner = Planner(conversations, catalog, settings, clock)
    ai = AIService(storage.store, engine, planner, catalog, budgets, settings, clock)
    ai.following = sharing.following if sharing is not None else None
    talks = ConversationService(conversations, SqlSearch(database), engine, catalog, clock)
    attempts = None
    if settings.accounts:
        from app.services.attempts import Attempts  # noqa: PLC0415 - 2 MB that few need

        attempts = Attempts()
    entrance = AccountService(kept, passwords, gatekeeper, engine, attempts, settings, clock)
    issuer = await _issuer(settings, clock, stack)
    if sharing is not None:
        await sharing.begin(engine, changes, gatekeeper)

    def leave() -> None:
        if sharing is not None and sharing.others:
            ai.leave()

    parts = (engine.drain, titles.drain, feed.drain, imports.drain, leave)
    stack.callback(_drain_on_signal(lambda: _drain(parts, connections, cut_after)))
    await _announce(settings, plan, catalog, storage)
    _settle_memory()
    return Services(
        ai=ai,
        conversations=talks,
        changes=feed,
        exports=ExportService(transfers, clock),
        imports=imports,
        accounts=entrance,
        oidc=OidcService(issuer, settings.oidc_issuer, entrance, attempts, clock),
        budgets=budgets,
        gatekeeper=gatekeeper,
        settings=settings,
        connections=connections,
        metrics=watchers.numbers,
        trials=Trials(),
        ready=partial(_check_ready, engine, storage),
    )


# Its documents call the fault the WAL-reset bug (sqlite.org/wal.html).
_OLD_SQLITE = (
    f"SQLite before {'.'.join(map(str, SOUND_SQLITE))} may damage a file that two programs write at once. "
    "The service is its only writer. Let no other program write the database."
)


async def _announce(settings: Settings, plan: Plan, catalog: Catalogue, storage: Storage) -> None:
    """Say what was started, and what whoever runs it should know."""
    if (problem := await asyncio.to_thread(missing, plan, settings)) is not None:
        log.warning("model.missing", message=problem)
    if not settings.is_shared and sqlite3.sqlite_version_info < SOUND_SQLITE:
        log.info("sqlite.old", version=sqlite3.sqlite_version, message=_OLD_SQLITE)
    log.info(
        "started",
        version=__version__,
        model=catalog.default,
        models=len(catalog.models()),
        database=storage.database.name,
        interrupted_runs=storage.left,
    )


def _settle_memory() -> None:
    """Let the garbage collector look at what requests make, and neither at the service itself nor at every turn."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # objects; a question leaves it no cycle to find (decision 0027)


async def _issuer(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Issuer | None:
    if not settings.oidc_issuer:
        return None
    from app.accounts.oidc import OpenIdIssuer  # noqa: PLC0415 - 10 MB that few need
    from app.providers.session import session  # noqa: PLC0415 - and 9 more

    secret = settings.oidc_client_secret
    return OpenIdIssuer(
        settings.oidc_issuer,
        settings.oidc_client_id,
        secret.get_secret_value() if secret is not None else None,
        await stack.enter_async_context(session()),
        clock,
    )


async def _check_ready(engine: RunEngine, storage: Storage) -> str | None:
    """What whoever runs the service should know, where work can be accepted."""
    if engine.draining:
        raise Draining
    try:
        await storage.check()
    except StorageError as error:
        raise NotReady(error) from error
    return storage.sharing.check() if storage.sharing is not None else None


def _held(settings: Settings, engine: RunEngine, storage: Storage, connections: Connections) -> Held:
    """What is held now. It is asked in another thread, so nothing here is walked through, only looked at."""
    live_bytes, prompt_bytes = engine.held_bytes
    return Held(
        answer_streams=connections.streams["answer"],
        change_streams=connections.streams["changes"],
        slow_readers_cut=connections.slow,
        runs=engine.runs,
        max_runs=settings.max_runs,
        live_bytes=live_bytes,
        prompt_bytes=prompt_bytes,
        max_live_bytes=settings.max_live_bytes,
        writable=storage.database.trouble is None and storage.journal.trouble is None,
        writes_waiting=storage.database.waiting,
        commits=storage.journal.commits,
        durable_commits=storage.database.durable_commits,
        failed_commits=storage.database.failed_commits + storage.journal.failures,
    )


def _drain(parts: Sequence[Callable[[], None]], connections: Connections, cut_after: float) -> None:
    """Have all parts refuse new work, and cut off whoever still reads after so many seconds."""
    for drain in parts:
        drain()
    asyncio.get_running_loop().call_later(cut_after, connections.cut)


def _drain_on_signal(drain: Callable[[], None]) -> Callable[[], None]:
    """Begin to drain when the server is told to stop, then let its own handler go on: it would wait for the streams.

    Returns what puts the handlers back.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None  # a test's server in a thread; signals are not its business
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(drain)
        previous = before[number]
        if callable(previous):
            previous(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, handle)

    def restore() -> None:
        for number, previous in before.items():
            signal.signal(number, previous)

    return restore


def __getattr__(name: str) -> FastAPI:
    """`app`, made when it is first asked for: importing this module does no work, `uvicorn app.main:app` does."""
    if name != "app":
        raise AttributeError(name)
    made = globals()["app"] = create_app()
    return made
