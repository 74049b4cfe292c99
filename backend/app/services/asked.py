"""Questions asked by a GET without a key: a browser that asks again finds the answer that is already being paid for."""

import asyncio

import msgspec

from app.clock import Clock
from app.models import RunStatus

ATTACH_SECONDS = 60.0  # api.md: how long after its end an answer that was not delivered is found by its question
MAX_QUESTIONS = 4096  # best effort, in memory: the oldest is forgotten first


class Question(msgspec.Struct, frozen=True):
    """Who asked what, as a fingerprint: the question itself is not kept."""

    owner_id: str
    fingerprint: str


class _Entry:
    def __init__(self, run_id: "asyncio.Future[str]") -> None:
        self.run_id = run_id
        self.delivered = False
        self.status: RunStatus = "queued"
        self.ended_at: float | None = None


class Asked:
    """Questions to runs. All of it happens between two awaits, so two equal questions cannot both be the first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[Question, _Entry] = {}
        self._by_run: dict[str, tuple[Question, _Entry]] = {}

    def find(self, question: Question) -> "asyncio.Future[str] | None":
        """The id of the run that `question` started, where asking again means that one.

        The future raises what starting it raised.
        """
        entry = self._entries.get(question)
        if entry is None or self._is_over(entry):
            return None
        return asyncio.shield(entry.run_id)

    def claim(self, question: Question) -> "asyncio.Future[str]":
        """The caller starts a run for `question`, and sets its id on the future (or calls `release`)."""
        while len(self._entries) >= MAX_QUESTIONS:
            self._drop(next(iter(self._entries)))
        self._drop(question)
        entry = self._entries[question] = _Entry(asyncio.get_running_loop().create_future())
        entry.run_id.add_done_callback(lambda done: self._started(question, entry, done))
        return entry.run_id

    def release(self, question: Question, error: BaseException) -> None:
        """The run was not started: whoever waits for it gets the same refusal."""
        entry = self._entries.pop(question, None)
        if entry is not None and not entry.run_id.done():
            entry.run_id.set_exception(error)
            entry.run_id.exception()  # it may be that nobody waits

    def delivered(self, run_id: str) -> None:
        """The run's end was written to a socket: asking again is a new question."""
        if run_id in self._by_run:
            self._by_run[run_id][1].delivered = True

    def ended(self, run_id: str, status: RunStatus) -> None:
        """The run has ended."""
        if run_id in self._by_run:
            entry = self._by_run[run_id][1]
            entry.status = status
            entry.ended_at = self._clock.monotonic()

    def _started(self, question: Question, entry: _Entry, done: "asyncio.Future[str]") -> None:
        if not done.cancelled() and done.exception() is None and self._entries.get(question) is entry:
            self._by_run[done.result()] = (question, entry)

    def _is_over(self, entry: _Entry) -> bool:
        if entry.ended_at is None:
            return False
        late = self._clock.monotonic() - entry.ended_at > ATTACH_SECONDS
        return late or entry.delivered or entry.status == "cancelled"

    def _drop(self, question: Question) -> None:
        entry = self._entries.pop(question, None)
        if entry is not None and entry.run_id.done() and entry.run_id.exception() is None:
            self._by_run.pop(entry.run_id.result(), None)
