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


class Claim:
    """A question that somebody has asked, and what became of its run."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.run_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.committing = False  # the run's commit is under way: what becomes of it decides, whoever still waits
        self.delivered = False
        self.status: RunStatus = "queued"
        self.ended_at: float | None = None


class Asked:
    """Questions to runs. All of it happens between two awaits, so two equal questions cannot both be the first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._claims: dict[Question, Claim] = {}
        self._by_run: dict[str, Claim] = {}

    def find(self, question: Question) -> "asyncio.Future[str] | None":
        """The id of the run that `question` started, where asking again means that one.

        The future raises what starting it raised.
        """
        claim = self._claims.get(question)
        if claim is None or self._is_over(claim):
            return None
        return asyncio.shield(claim.run_id)

    def claim(self, question: Question) -> Claim:
        """The caller starts a run for `question`, and says so by `started` or `release`, whatever happens."""
        while len(self._claims) >= MAX_QUESTIONS:
            self._drop(next(iter(self._claims)))
        self._drop(question)
        claim = self._claims[question] = Claim(question)
        return claim

    def started(self, claim: Claim, run_id: str) -> None:
        """The run was started: whoever waits for it may read it."""
        claim.run_id.set_result(run_id)
        if self._claims.get(claim.question) is claim:
            self._by_run[run_id] = claim

    def release(self, claim: Claim, error: BaseException) -> None:
        """The run was not started: whoever waits for it gets the same refusal."""
        claim.run_id.set_exception(error)
        claim.run_id.exception()  # it may be that nobody waits
        if self._claims.get(claim.question) is claim:
            del self._claims[claim.question]

    def delivered(self, run_id: str) -> None:
        """The run's end was written to a socket: asking again is a new question."""
        if claim := self._by_run.get(run_id):
            claim.delivered = True

    def ended(self, run_id: str, status: RunStatus) -> None:
        """The run has ended."""
        if claim := self._by_run.get(run_id):
            claim.status = status
            claim.ended_at = self._clock.monotonic()

    def _is_over(self, claim: Claim) -> bool:
        if claim.ended_at is None:
            return False
        late = self._clock.monotonic() - claim.ended_at > ATTACH_SECONDS
        return late or claim.delivered or claim.status == "cancelled"

    def _drop(self, question: Question) -> None:
        claim = self._claims.pop(question, None)
        if claim is not None and claim.run_id.done():
            self._by_run.pop(claim.run_id.result(), None)
