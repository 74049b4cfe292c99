"""Start, follow and cancel a run: the order of things. Who may do what is decided before the first byte."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from weakref import WeakSet, WeakValueDictionary

import msgspec
from pydantic import BaseModel

from app.agui_bodies import AgentInput, ForwardedProps
from app.bodies import CancelBody, ModelBody, ModelList, RunBody
from app.clock import Clock
from app.cursor import Cursor
from app.errors import Invalid, RunNotFound, StorageError
from app.eventlog.memory import LiveLog
from app.limits import Charge
from app.models import ChatRequest, EditRequest, Principal, Run, Spot
from app.openai_bodies import CompletionRequest
from app.protocols.base import WireFormat
from app.providers.base import Catalog
from app.services.asked import Asked, Claim, Question
from app.services.beginnings import Beginnings
from app.services.budgets import Budgets
from app.services.calls import Call
from app.services.endings import ABANDONED, CANCELLED, INTERRUPTED
from app.services.following import Following
from app.services.histories import History, check
from app.services.planning import Plan, Planner
from app.services.reading import Reading
from app.services.run_engine import LiveRun, RunEngine
from app.services.transcript import unfold
from app.settings import Settings
from app.store.base import Kept, Key, Store
from app.telemetry import log

# Of a request, added after keys had been stored.
LATER_FIELDS = ("model", "system", "temperature", "max_tokens", "conversation_id", "parent_id")


class Once(msgspec.Struct, frozen=True):
    """What makes a request happen once, however often it comes: where it went, and the client's key if it has one."""

    path: str
    key: str | None

    def claim(self, request: BaseModel | None = None) -> Key | None:
        """The key, and what it stands for."""
        return Key(self.key, fingerprint(self.path, request)) if self.key is not None else None


class Started(msgspec.Struct, frozen=True):
    """A run to read from its start. `replayed`: it had been started before, by the same key or the same question."""

    run_id: str
    replayed: bool


class AIService:
    """The way in: every answer is started, read and stopped here."""

    def __init__(
        self,
        store: Store,
        engine: RunEngine,
        planner: Planner,
        catalog: Catalog,
        budgets: Budgets,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.following: Following | None = None  # without it what is not written here is not being written
        self._store = store
        self._engine = engine
        self._planner = planner
        self._catalog = catalog
        self._budgets = budgets
        self._settings = settings
        self._clock = clock
        self._asked = Asked(clock)
        self._replays: WeakValueDictionary[tuple[str, str], LiveLog] = WeakValueDictionary()
        self._readings: WeakSet[Reading] = WeakSet()
        self._beginnings: Beginnings[Started] = Beginnings()
        engine.on_ended.append(lambda run: self._asked.ended(run.id, run.status))

    async def models(self) -> ModelList:
        """The models that can be asked, the default first."""
        await self._catalog.refresh()
        bodies = [
            ModelBody(
                id=info.id,
                name=info.name,
                provider=info.provider,
                default=info.id == self._catalog.default,
                context_window=info.context_window,
                note=info.note,
            )
            for info in self._catalog.models()
        ]
        return ModelList(items=bodies)

    # ── Start ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, principal: Principal, request: ChatRequest, once: Once) -> Started:
        """Answer a question, or find the run that asking it before has started. It is durable before this returns.

        Raises:
            Invalid: the message or the history is not within the limits, or fields do not go together.
            ConversationNotFound, MessageNotFound, ModelNotFound: it names what is not there.
            StillWriting: the answer that it follows has not ended.
            KeyReused: the key was used for another request.
            LimitReached: the account or the key has spent what it may. What was started before is found all the same.
            Draining, TooManyRuns, StorageFull, StorageError: nothing was started.
        """
        return await self._ask(principal, request, once)

    async def _ask(self, principal: Principal, request: ChatRequest, once: Once, asked: Claim | None = None) -> Started:
        async def plan() -> Plan:
            self._check(request)
            return await self._planner.ask(principal, request)

        return await self._start(principal, once.claim(request), plan, asked)

    async def edit(self, principal: Principal, spot: Spot, request: EditRequest, once: Once) -> Started:
        """Answer another wording of a question, beside it. As `start`."""

        async def plan() -> Plan:
            self._check_message(request.message)
            return await self._planner.edit(principal, spot, request.message)

        return await self._start(principal, once.claim(request), plan)

    async def regenerate(self, principal: Principal, spot: Spot, once: Once) -> Started:
        """Answer a question once more, beside the answers that it has. As `start`."""
        return await self._start(principal, once.claim(), lambda: self._planner.regenerate(principal, spot))

    async def go_on(self, principal: Principal, spot: Spot, once: Once) -> Started:
        """Go on from an answer that was cut short, in an answer beside it. As `start`."""
        return await self._start(principal, once.claim(), lambda: self._planner.go_on(principal, spot))

    async def complete(self, principal: Principal, request: CompletionRequest, once: Once) -> Call:
        """Answer a history that OpenAI's client keeps, at its own connection. As `start`.

        Without a key that client cannot come back, so the run is stopped as soon as it has left, unless somebody else
        reads it.
        """
        history = History(
            tuple(message.turn for message in request.messages),
            request.model,
            request.temperature,
            request.length,
            sampling=request.sampling,
        )
        return await self._call(principal, history, once.claim(request.question), leashed=once.key is None)

    async def run_agent(self, principal: Principal, request: AgentInput, once: Once) -> Call:
        """Answer a thread that AG-UI's client keeps. As `start`."""
        props = request.forwarded_props or ForwardedProps()
        history = History(request.turns, props.model, props.temperature, props.max_tokens, request.known)
        return await self._call(principal, history, once.claim(request.question), leashed=False)

    async def _call(self, principal: Principal, history: History, claim: Key | None, *, leashed: bool) -> Call:
        async def plan() -> Plan:
            check(history, self._settings)
            return await self._planner.whole(history)

        started = await self._start(principal, claim, plan)
        live = self._engine.live(principal.id, started.run_id)
        live_log = live.log if live is not None else await self._replay(principal, started.run_id)

        def leave() -> None:
            if live is not None and leashed and not live_log.readers:
                self._engine.stop(live, ABANDONED)

        return Call(live_log, leave, keyed=claim is not None, replayed=started.replayed)

    async def _start(
        self, principal: Principal, claim: Key | None, make: Callable[[], Awaitable[Plan]], asked: Claim | None = None
    ) -> Started:
        if claim is not None and (known := await self._store.find(principal.id, claim)):
            return Started(known.id, replayed=True)
        plan = await make()
        charge = await self._budgets.charge(principal, plan.candidates)
        self._engine.check_room()
        live = self._prepare(principal, plan)  # in the same breath as the check, else all that come together pass it
        started = self._begin(live, plan, claim, charge, asked)
        plan.candidates[0].provider.expect(self._beginnings.coming)  # meanwhile: until then nobody is asked anything
        return await started

    def _begin(
        self, live: LiveRun, plan: Plan, claim: Key | None, charge: Charge, asked: Claim | None
    ) -> "asyncio.Future[Started]":
        """Whether or not the one who asks waits for it: the run is started once its commit stands."""
        started: asyncio.Future[Started] = asyncio.get_running_loop().create_future()

        def accepted(accepting: "asyncio.Future[Run]") -> None:
            self._beginnings.over()
            try:
                run = accepting.result()
                replayed = run.id != live.run.id  # the same key, at the same moment, was a little faster
                if replayed:
                    self._engine.discard(live)
                else:
                    live.run = run
                    live.allowance = self._budgets.allowance(charge, run, live.live_bytes)
                    self._engine.start(live, plan.candidates)
                    if asked is not None:  # before the run can end, which may be before whoever asked hears of it
                        self._asked.started(asked, run.id)
            except BaseException as error:  # noqa: BLE001 - it belongs to the one who asks, who raises it
                if live.task is None:
                    self._engine.discard(live)
                if asked is not None:
                    self._asked.release(asked, error)
                if not started.done():
                    started.set_exception(error)
            else:
                self._beginnings.answer(started, Started(run.id, replayed))

        # Kept as what it is once this is committed: onlookers need no second write.
        run = msgspec.structs.replace(live.run, status="running")
        asyncio.ensure_future(self._store.accept(run, claim, plan.place, charge)).add_done_callback(accepted)
        self._beginnings.begun()
        if asked is not None:
            asked.committing = True
        return started

    async def start_by_get(self, principal: Principal, request: ChatRequest, once: Once) -> Started:
        """As `start`; without a key, a browser may be asking again: attach to what the same question started."""
        if once.key is not None:
            return await self.start(principal, request, once)
        question = Question(principal.id, fingerprint(once.path, request))
        if (known := self._asked.find(question)) is not None:  # nothing is awaited between this look and the claim
            return Started(await known, replayed=True)
        claim = self._asked.claim(question)
        try:
            return await self._ask(principal, request, once, claim)
        except BaseException as error:
            if not claim.committing:
                self._asked.release(claim, error)
            raise

    def _check(self, request: ChatRequest) -> None:
        settings = self._settings
        self._check_message(request.message)
        history = request.history or []
        if len(history) > settings.max_history_items:
            raise Invalid(
                f"The history has {len(history):,} messages; "
                f"at most {settings.max_history_items:,} are taken. Leave out the oldest."
            )
        for index, item in enumerate(history):
            if len(item.content) > settings.max_output_chars:
                raise Invalid(f"history[{index}] is longer than {settings.max_output_chars:,} characters. Shorten it.")

    def _check_message(self, message: str) -> None:
        if not message.strip():
            raise Invalid("The message is blank. Write something.")
        if len(message) > self._settings.max_message_chars:
            raise Invalid(
                f"The message has {len(message):,} characters; "
                f"at most {self._settings.max_message_chars:,} are taken. Shorten it."
            )

    def _prepare(self, principal: Principal, plan: Plan) -> LiveRun:
        first, place = plan.candidates[0], plan.place
        run = Run(
            id=self._clock.new_id(),
            owner_id=principal.id,
            message_id=self._clock.new_id(),
            model=first.provider.info.id,
            status="queued",
            created_at=self._clock.now(),
            conversation_id=place.conversation_id if place is not None else None,
            left_out=first.left_out,
        )
        return self._engine.prepare(
            run,
            first.provider.info.note,
            place.prefix if place is not None else (),
            sum(len(turn.content) for turn in first.prompt.turns),
        )

    # ── Follow ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def follow(self, principal: Principal, cursor: Cursor, wire: WireFormat) -> Reading | None:
        """A reading of the run from `cursor`; None where nothing is left to tell. Never starts anything.

        Raises:
            RunNotFound: no such run, not this principal's, or no longer kept.
            BadCursor: the run still lives, and holds less than the cursor says.
        """
        live = self._engine.live(principal.id, cursor.run_id)
        live_log = live.log if live is not None else await self._replay(principal, cursor.run_id)
        if cursor.told == 2 and live_log.ending is not None:
            return None
        reading = Reading(live_log, wire, cursor, delivered=lambda: self._asked.delivered(cursor.run_id))
        self._readings.add(reading)
        return reading

    def leave(self) -> None:
        """End the streams of all readers who come back: other replicas go on with them."""
        for reading in tuple(self._readings):
            reading.leave()

    async def run(self, principal: Principal, run_id: str) -> RunBody:
        """Where a run stands.

        Raises:
            RunNotFound: no such run, not this principal's, or no longer kept.
        """
        live = self._engine.live(principal.id, run_id)
        if live is not None:
            return RunBody.of(live.run, live.log.note or live.log.about)
        run = (await self._kept(principal, run_id)).run
        return RunBody.of(run, self._about(run))

    # ── Cancel ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def cancel(self, principal: Principal, run_id: str) -> CancelBody:
        """Ask a run to stop, and say where it stands now. `cancelled` is said only once upstream is closed.

        Raises:
            RunNotFound: no such run, not this principal's, or no longer kept.
        """
        live = self._engine.live(principal.id, run_id)
        if live is None:
            run = (await self._kept(principal, run_id)).run
            if run.ending is None and self.following is not None:
                await self._store.ask_cancel(run, self._clock.now())  # its owner finds the mark
            return CancelBody(id=run.id, status=run.status)
        self._engine.stop(live, CANCELLED)
        try:
            await self._store.ask_cancel(live.run, self._clock.now())
        except StorageError as error:
            # The run is stopping all the same; only a crash in the next moment would call it interrupted.
            log.warning("cancel.not_marked", run=run_id, code=error.code)
        return CancelBody(id=run_id, status=live.run.status)

    async def _replay(self, principal: Principal, run_id: str) -> LiveLog:
        """The log of an ended run, as its saved parts give it: one for all who read it now."""
        if (shared := self._replays.get((principal.id, run_id))) is not None:
            return shared
        kept = await self._kept(principal, run_id)
        if (shared := self._replays.get((principal.id, run_id))) is not None:  # another reader was faster
            return shared
        run = kept.run
        if run.ending is None and self.following is not None:
            return await self.following.open(kept, self._about(run))
        replay = LiveLog(run.id, message_id=run.message_id, model=run.model, about=self._about(run))
        replay.publish(list(unfold(kept.parts)))
        # Without an ending it is a run that nobody writes any more: it stopped in the middle, whatever its row says.
        replay.end(run.ending or INTERRUPTED, run.usage)
        self._replays[principal.id, run_id] = replay
        return replay

    def _about(self, run: Run) -> str | None:
        info = self._catalog.info(run.model)
        return info.note if info is not None else None

    async def _kept(self, principal: Principal, run_id: str) -> Kept:
        kept = await self._store.run(principal.id, run_id)
        if kept is None:
            raise RunNotFound
        return kept


def fingerprint(path: str, request: BaseModel | None = None) -> str:
    """What a key or a repeated GET stands for: the path and the validated body, and nothing that can be read back."""
    if not isinstance(request, ChatRequest):
        body = request.model_dump_json(exclude_none=True) if request is not None else ""
        return hashlib.sha256(f"{path}\n{body}".encode()).hexdigest()
    # A history of null, of [] and none at all mean the same.
    question = request if request.history else request.model_copy(update={"history": None})
    # What came later leaves no trace where it is not used: keys that are stored stay good.
    unused = {name for name in LATER_FIELDS if getattr(question, name) is None}
    return hashlib.sha256(f"{path}\n{question.model_dump_json(exclude=unused)}".encode()).hexdigest()
