"""The owner of every live run: its task, its deadlines, its one ending."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from app.clock import Clock
from app.errors import Draining, LeaseLost, ProviderError, RunStopped, StorageError, TooManyRuns
from app.eventlog.base import Journal
from app.eventlog.memory import LiveLog
from app.models import (
    Delta,
    Ending,
    FinishDelta,
    Part,
    PartKind,
    ReasoningDelta,
    Run,
    TextDelta,
    UsageDelta,
)
from app.services.asking import Candidate, ask
from app.services.endings import ABANDONED, BROKEN, CANCELLED, INTERRUPTED, NOT_SAVED, TOO_LONG, TOO_SLOW
from app.services.live_run import LiveRun
from app.services.recorder import MAX_PENDING_CHARS, Recorder
from app.services.saving import Saver
from app.services.transcript import fold, unfold
from app.settings import Settings
from app.store.base import Store
from app.telemetry import Attempt, RunReport, log, tell, where

RETRY_AFTER_SECONDS = 5  # told to who is refused because the service is full
STOP_SECONDS = 5.0  # closing a socket takes no time; a disk that is full may take the rest
FREE_PARTS = 8  # thinking and text by turns: what they take beside their text is not counted
PART_BYTES = 140  # that any further part takes: a model may change between the two with each token
UNSAVED_RETRY_SECONDS = 2.0  # between attempts to write down an ending that the disk refused


class _Enough(Exception):
    """The answer is as long as it may be."""


class RunEngine:
    """Starts runs, ends each exactly once, and waits for all of them when the service stops."""

    def __init__(self, store: Store, journal: Journal, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._saver = Saver(store, settings, clock)
        self._journal = journal
        self._settings = settings
        self._max_chars, self._max_live_bytes = settings.max_output_chars, settings.max_live_bytes
        self._clock = clock
        self._lives: dict[str, LiveRun] = {}
        self._live_bytes = 0
        self._prompt_bytes = 0  # of the questions that live runs hold: they keep new runs out, and cut none off
        self._draining = False
        self._drain_until = 0.0
        self.on_ended: list[Callable[[Run], None]] = []  # each is called once a run, when its ending is told
        self.on_report: list[Callable[[RunReport], None]] = []  # and these after that

    # ── What others ask ─────────────────────────────────────────────────────────────────────────────────────────────

    def live(self, owner_id: str, run_id: str) -> LiveRun | None:
        """This owner's run, while it lives here."""
        live = self._lives.get(run_id)
        return live if live is not None and live.run.owner_id == owner_id else None

    def lives_of(self, owner_id: str) -> Sequence[LiveRun]:
        """This owner's runs that live here."""
        return [live for live in self._lives.values() if live.run.owner_id == owner_id]

    @property
    def started(self) -> Sequence[LiveRun]:
        """Those that are durable and have not ended."""
        return [live for live in self._lives.values() if live.task is not None and live.generating]

    @property
    def runs(self) -> int:
        """How many live here."""
        return len(self._lives)

    @property
    def held_bytes(self) -> tuple[int, int]:
        """What is held in memory: of answers, text and what many parts take beside it; of their questions, text."""
        return self._live_bytes, self._prompt_bytes

    @property
    def draining(self) -> bool:
        """Whether the service is shutting down."""
        return self._draining

    def check_room(self) -> None:
        """Whether one more run may start.

        Raises:
            Draining: the service is shutting down.
            TooManyRuns: it has as many as it may.
        """
        if self._draining:
            raise Draining
        if len(self._lives) >= self._settings.max_runs or self._live_bytes + self._prompt_bytes >= self._max_live_bytes:
            raise TooManyRuns(
                "The service is writing as many answers as it can. Try again in a moment.",
                retry_after=RETRY_AFTER_SECONDS,
            )

    def prepare(self, run: Run, about: str | None, prefix: Sequence[Part] = (), prompt_bytes: int = 0) -> LiveRun:
        """Make room for a run before it is durable: whoever learns its id finds it. `start` or `discard` follows.

        `about`: what a person should know of its model; `prefix`: what the answer begins with; `prompt_bytes`: about
        what its question holds. It counts from now on, else all questions that come together would find room.
        """
        live_log = LiveLog(run.id, message_id=run.message_id, model=run.model, about=about)
        live = LiveRun(run, live_log)
        live.recorder = Recorder(
            live_log, self._journal, self._settings.save_timeout_seconds, partial(self._cannot_write, live)
        )
        live_log.publish(list(unfold(prefix)))
        live.recorder.go_on_after(live_log.pieces)
        live.chars = sum(len(part.text) for part in prefix)
        live.live_bytes = sum(len(part.text.encode()) for part in prefix)
        live.prompt_bytes = prompt_bytes
        self._live_bytes += live.live_bytes
        self._prompt_bytes += prompt_bytes
        self._count_parts(live)
        self._lives[run.id] = live
        self._journal.opened(run.id)
        return live

    def discard(self, live: LiveRun) -> None:
        """The run was not accepted."""
        self._forget(live)

    def start(self, live: LiveRun, candidates: Sequence[Candidate]) -> None:
        """Let the run's task begin: the first of `candidates` is the run's model. The run is durable by now."""
        now = asyncio.get_running_loop().time()
        live.started = now
        live.ceiling = live.allowance.bytes if live.allowance is not None else sys.maxsize
        live.most_readers = live.log.readers
        live.unread_since = None if live.log.readers else now
        live.log.on_readers = lambda: self._readers_changed(live)
        live.task = asyncio.create_task(self._live(live, candidates), name=live.run.id)
        self._watch(live)

    def stop(self, live: LiveRun, ending: Ending) -> None:
        """Close the run's log, then its upstream. What is durable or being written is kept, and nothing follows it."""
        if live.stopped is not None or not live.generating:
            return
        live.stopped = ending
        live.recorder.close()
        if live.task is not None and live.begun:
            live.task.cancel()

    async def ask_all_to_stop(self, owner_id: str) -> None:
        """Have this owner's runs stop at whichever replica they are written.

        Raises:
            StorageError: nobody was asked.
        """
        if self._settings.is_shared:
            await self._store.ask_cancel_all(owner_id, self._clock.now())

    def lose(self) -> None:
        """This replica's lease is over: others end what it was writing. Nothing more is written of it here."""
        for live in list(self._lives.values()):
            live.lost = True
            self.stop(live, INTERRUPTED)

    def _cannot_write(self, live: LiveRun, error: Exception) -> None:
        live.lost = live.lost or isinstance(error, LeaseLost)
        self.stop(live, CANCELLED if isinstance(error, RunStopped) else NOT_SAVED)

    async def stopped(self, live: LiveRun, ending: Ending) -> None:
        """As `stop`, and wait until its upstream is closed and its ending is told; `STOP_SECONDS` at most."""
        self.stop(live, ending)
        if live.task is not None:
            await asyncio.wait([live.task], timeout=STOP_SECONDS)

    def drain(self) -> None:
        """Refuse new runs from now on, and after `DRAIN_SECONDS` interrupt those that still live."""
        if self._draining:
            return
        self._draining = True
        log.info("drain.started", runs=len(self._lives))
        loop = asyncio.get_running_loop()
        self._drain_until = loop.time() + self._settings.drain_seconds
        loop.call_at(self._drain_until, self._interrupt_all)

    async def close(self) -> None:
        """Drain, and wait until every ending is saved or certainly cannot be."""
        self.drain()
        tasks = [live.task for live in self._lives.values() if live.task is not None]
        if tasks:
            rest = max(0.0, self._drain_until - asyncio.get_running_loop().time())
            await asyncio.wait(tasks, timeout=rest + self._settings.save_timeout_seconds + 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _interrupt_all(self) -> None:
        for live in list(self._lives.values()):
            self.stop(live, INTERRUPTED)

    # ── A run's task ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _live(self, live: LiveRun, candidates: Sequence[Candidate]) -> None:
        live.begun = True
        ending = await self._generate(live, candidates)
        if live.watchdog is not None:
            live.watchdog.cancel()
        live.log.note = None
        live.recorder.close()
        await live.recorder.settled()
        await self._end(live, live.stopped or ending)

    async def _generate(self, live: LiveRun, candidates: Sequence[Candidate]) -> Ending:
        """Everything until upstream is closed. Returns how it ended and raises nothing."""
        try:
            if live.stopped is None:
                live.attempts.append(Attempt(live.run.model, asyncio.get_running_loop().time() - live.started))
                await ask(candidates, partial(self._intend, live), partial(self._take, live))
            return Ending("completed", live.finish_reason or "stop")
        except _Enough:
            return Ending("completed", live.finish_reason or "stop")
        except asyncio.CancelledError:
            # stop() does this. The task goes on to save the end; nothing else cancels it while it generates.
            if live.task is not None:
                live.task.uncancel()
            return INTERRUPTED
        except ProviderError as error:
            return Ending.of(error)
        except StorageError:
            return NOT_SAVED
        except Exception as error:  # noqa: BLE001 - the run's boundary: it must end, whatever happened
            log.error("run.broke", run=live.run.id, error=type(error).__name__, where=where(error))
            return BROKEN
        finally:
            live.generating = False

    def _take(self, live: LiveRun, deltas: Sequence[Delta]) -> Awaitable[None] | None:
        """Write `deltas` down. What is returned is waited for before there are more.

        Raises:
            _Enough: the answer is as long as it may be.
        """
        if live.stopped is not None:
            return None  # its task is about to hear of it
        for delta in deltas:
            if isinstance(delta, TextDelta):  # nearly all of them: a match would cost five times as much
                self._take_text(live, "text", delta.text)
            elif isinstance(delta, ReasoningDelta):
                self._take_text(live, "reasoning", delta.text)
            elif isinstance(delta, UsageDelta):
                live.usage = delta.usage
            elif isinstance(delta, FinishDelta):
                live.finish_reason = delta.reason
            else:
                live.log.note = delta.note
                live.log.ring()
        if live.progress is not None:
            live.progress = live.loop.time()
        if live.recorder.parts > FREE_PARTS:
            self._count_parts(live)
        if live.live_bytes > live.ceiling:
            return self._widen(live)
        return live.recorder.settled() if live.recorder.pending_chars > MAX_PENDING_CHARS else None

    def _take_text(self, live: LiveRun, kind: PartKind, text: str) -> None:
        if live.progress is None:
            now = live.loop.time()
            live.run = msgspec.structs.replace(live.run, first_token_at=self._clock.now())
            live.first_text = live.progress = now
            # In a turn of its own: a deadline that is over must not close the log in the middle of a take.
            if live.watchdog is not None:
                live.watchdog.cancel()
            live.watchdog = live.loop.call_soon(self._watch, live)
        room = self._max_chars - live.chars
        size = len(text) if text.isascii() else len(text.encode())
        if len(text) > room or self._live_bytes + size > self._max_live_bytes:
            live.finish_reason = "length"
            if room > 0 and len(text) > room:
                live.recorder.add(kind, text[:room])
            self._count_parts(live)
            raise _Enough
        live.chars += len(text)
        live.live_bytes += size
        self._live_bytes += size
        live.recorder.add(kind, text)

    def _count_parts(self, live: LiveRun) -> None:
        held = max(0, live.recorder.parts - FREE_PARTS) * PART_BYTES
        self._live_bytes += held - live.part_bytes
        live.part_bytes = held

    async def _widen(self, live: LiveRun) -> None:
        """Ask whether the limits of whoever asked leave more. Nobody is asked before the allowance is used up.

        Raises:
            _Enough: they do not.
        """
        if live.allowance is None or live.finish_reason is not None:
            return
        live.stopped = await live.allowance.widen() or live.stopped
        live.ceiling = live.allowance.bytes
        if live.stopped is not None:
            raise _Enough

    async def _intend(self, live: LiveRun, attempt: int, candidate: Candidate) -> None:
        info = candidate.provider.info
        live.run = msgspec.structs.replace(live.run, attempts=attempt, model=info.id, left_out=candidate.left_out)
        await self._store.mark(live.run)
        live.attempts.append(Attempt(info.id, asyncio.get_running_loop().time() - live.started))
        if info.id != live.log.model:
            live.log.hand_over(info.id, info.note)

    # ── The one ending ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _end(self, live: LiveRun, ending: Ending) -> None:
        # A cancelled run keeps what was durable when it was stopped; any other keeps all that was said.
        last = [] if ending.status == "cancelled" else live.recorder.rest
        if ending is not NOT_SAVED and await self._saver.save(live, ending, fold([*live.log.pieces, *last])):
            live.log.publish(last)
            self._finish(live, ending)
            return
        if live.lost and (learnt := await self._saver.learn(live)) is not None:
            self._finish(live, learnt)
            return
        # Readers are told now what is true; the ending is written down as soon as the disk takes it.
        live.run = msgspec.structs.replace(
            live.run, status=NOT_SAVED.status, failure=NOT_SAVED.failure, ended_at=self._clock.now()
        )
        self._tell(live, NOT_SAVED)
        parts = fold(live.log.pieces)
        while not await self._saver.save_once(live, NOT_SAVED, parts) and not live.lost:  # noqa: ASYNC110 - the disk sends no event
            await asyncio.sleep(UNSAVED_RETRY_SECONDS)
        self._forget(live)

    def _finish(self, live: LiveRun, ending: Ending) -> None:
        self._tell(live, ending)
        self._forget(live)

    def _tell(self, live: LiveRun, ending: Ending) -> None:
        for listener in self.on_ended:
            listener(live.run)
        live.log.end(ending, live.usage)
        tell(live.report(asyncio.get_running_loop().time()), self.on_report)

    def _forget(self, live: LiveRun) -> None:
        self._live_bytes -= live.live_bytes + live.part_bytes
        self._prompt_bytes -= live.prompt_bytes
        self._lives.pop(live.run.id, None)
        live.log.on_readers = None  # it holds the run, whose text goes with its last reader
        live.recorder.forget()
        self._journal.ended(live.run.id)

    # ── Deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _readers_changed(self, live: LiveRun) -> None:
        if live.log.readers:
            live.most_readers = max(live.most_readers, live.log.readers)
            live.unread_since = None
        elif live.unread_since is None:
            live.unread_since = asyncio.get_running_loop().time()
            self._watch(live)

    def _watch(self, live: LiveRun) -> None:
        """One timer a run, set for its nearest deadline. Progress does not touch it: it looks again when it rings."""
        if live.watchdog is not None:
            live.watchdog.cancel()
        if live.stopped is not None or not live.generating or live.finish_reason is not None:
            return  # a finished answer is not undone; the provider does not wait long for what follows
        loop = asyncio.get_running_loop()
        now, settings = loop.time(), self._settings
        deadlines = [(live.started + settings.run_timeout_seconds, TOO_LONG)]
        if live.progress is None:
            deadlines.append((live.started + settings.first_token_timeout_seconds, TOO_SLOW))
        else:
            deadlines.append((live.progress + settings.idle_timeout_seconds, TOO_SLOW))
        if live.abandonable and live.unread_since is not None:
            deadlines.append((live.unread_since + settings.abandon_seconds, ABANDONED))
        at, ending = min(deadlines, key=lambda deadline: deadline[0])
        if at <= now:
            self.stop(live, ending)
        else:
            live.watchdog = loop.call_at(at, self._watch, live)
