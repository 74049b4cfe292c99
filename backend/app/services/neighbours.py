"""This replica among the others: it keeps its lease, hears what they do, and ends what the dead have left."""

import asyncio
from collections.abc import Sequence

from app.clock import SharedClock
from app.errors import LeaseLost, NotReady, StorageError
from app.replicas.base import Asked, Cut, News, Renewal, Replicas, Wakeups
from app.services.endings import CANCELLED
from app.services.following import Following
from app.services.gatekeeper import Gatekeeper
from app.services.run_engine import RunEngine
from app.store.base import Changes
from app.telemetry import log, where

RENEWALS = 4  # in the time of one lease
STOP_LOOK_SECONDS = 0.2  # between two looks at what is asked of the runs that are written here
TEXT_LOOK_SECONDS = 0.02  # between two looks where somebody reads an answer of others; every commit of theirs tells
READ_SECONDS = 3.0  # between two times that owners are told of readers here
MAX_CUTS = 10_000  # remembered; they are told for half a minute


class Neighbours:
    """Two tasks: one renews and reaps, one listens."""

    def __init__(
        self,
        replicas: Replicas,
        wakeups: Wakeups,
        engine: RunEngine,
        following: Following,
        changes: Changes,
        gatekeeper: Gatekeeper,
        clock: SharedClock,
    ) -> None:
        self._replicas = replicas
        self._wakeups = wakeups
        self._engine = engine
        self._following = following
        self._changes = changes
        self._gatekeeper = gatekeeper
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._hears = True
        self._numbers: dict[str, int] = {}
        self._cuts: dict[str, None] = {}
        self._stop_look_at = 0.0
        self._told_at = 0.0
        self._lost = asyncio.Event()
        self._had_since: float | None = None  # from when on the database was never out of reach
        self.others = 0  # replicas that live, as of the last renewal

    async def join(self) -> None:
        """Begin, before the first run is accepted.

        Raises:
            StorageError: it cannot.
        """
        self._hear(await self._replicas.join())

    def start(self, lease_seconds: float) -> None:
        """Keep the lease, and listen."""
        self._tasks = [
            asyncio.create_task(self._keep(lease_seconds), name="lease"),
            asyncio.create_task(self._listen(), name="neighbours"),
        ]

    def lose(self) -> None:
        """Others see to the runs that are written here: close them, and begin another life."""
        log.warning("lease.lost", runs=self._engine.runs)
        self._had_since = None
        self._engine.lose()
        self._lost.set()

    async def close(self) -> None:
        """Let the others know. All runs have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._replicas.leave()
        except StorageError as error:
            log.warning("lease.not_left", code=error.code)  # it ends by itself

    def check(self) -> str | None:
        """What whoever runs the service should know.

        Raises:
            NotReady: the lease is lost, and not begun anew.
        """
        if self._lost.is_set():
            raise NotReady(LeaseLost())
        if self._wakeups.polling:
            return "PostgreSQL's notices are not heard here, so it is asked for news five times a second."
        return self._clock.note

    # ── The lease ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _keep(self, lease_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                if self._lost.is_set():
                    self._hear(await self._replicas.join())
                    self._lost.clear()
                    log.info("lease.begun_anew")
                else:
                    self._hear(await self._replicas.renew())
                # Whoever was cut off itself cannot tell who is dead: the others get the time to renew theirs.
                if self._had_since is not None and loop.time() - self._had_since >= lease_seconds:
                    await self._reap()
            except StorageError as error:
                self._had_since = None
                log.warning("lease.not_renewed", code=error.code)
            except Exception as error:  # noqa: BLE001 - the task's boundary: the lease is tried again
                log.error("lease.broke", error=type(error).__name__, where=where(error))
            await self._pause(lease_seconds / RENEWALS)

    async def _pause(self, seconds: float) -> None:
        if self._lost.is_set():
            await asyncio.sleep(min(seconds, 0.2))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            pass

    def _hear(self, renewal: Renewal) -> None:
        self.others = renewal.others
        self._clock.set(renewal.now)
        if self._had_since is None:
            self._had_since = asyncio.get_running_loop().time()

    async def _reap(self) -> None:
        while ended := await self._replicas.reap():
            log.warning("replica.reaped", runs=ended)

    # ── News ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        while True:
            await self._wakeups.wait()
            try:
                await self._look()
                self._hears = True
                # All commits of all others wake this one: without a pause each costs a look at each replica.
                await asyncio.sleep(TEXT_LOOK_SECONDS if self._following.run_ids else STOP_LOOK_SECONDS)
            except StorageError as error:
                if self._hears:  # once an outage: it is asked five times a second
                    log.warning("neighbours.not_heard", code=error.code, reason=type(error.__cause__).__name__)
                self._hears = False
                await asyncio.sleep(STOP_LOOK_SECONDS)
            except Exception as error:  # noqa: BLE001 - the task's boundary: the next look makes it good
                log.error("neighbours.broke", error=type(error).__name__, where=where(error))
                await asyncio.sleep(STOP_LOOK_SECONDS)

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        owned: Sequence[str] = ()
        if now - self._stop_look_at >= STOP_LOOK_SECONDS:
            owned, self._stop_look_at = [live.run.id for live in self._engine.started], now
        followed = self._following.run_ids
        news = await self._replicas.news(Asked(followed, self._changes.owners(), owned))
        self._cut(news.cuts)
        self._obey(news)
        self._ring(news)
        await self._following.look(news.models, followed)
        if now - self._told_at >= READ_SECONDS:
            self._told_at = now
            if read := [run.id for run in self._following.read if run.conversation_id is None]:
                await self._replicas.reading(read)

    def _obey(self, news: News) -> None:
        for live in self._engine.started:
            if live.run.id in news.stopped:
                self._engine.stop(live, CANCELLED)
            elif live.run.id in news.read:
                live.read_elsewhere(asyncio.get_running_loop().time())

    def _ring(self, news: News) -> None:
        for owner_id, number in news.numbers.items():
            if self._numbers.get(owner_id) != number:
                self._changes.ring(owner_id)
        self._numbers = dict(news.numbers)

    def _cut(self, cuts: Sequence[Cut]) -> None:
        for cut in cuts:
            if cut.id not in self._cuts:
                self._cuts[cut.id] = None
                self._gatekeeper.cut(user_id=cut.user_id, credential=cut.credential)
        while len(self._cuts) > MAX_CUTS:
            del self._cuts[next(iter(self._cuts))]
