"""A run that is being written: what its owner keeps of it."""

import asyncio
import sys

from app.eventlog.memory import LiveLog
from app.models import Ending, FinishReason, Run, Usage
from app.services.budgets import Allowance
from app.services.recorder import Recorder
from app.telemetry import Attempt, RunReport


class LiveRun:
    """A run that is being written, or whose end is not saved yet."""

    def __init__(self, run: Run, live_log: LiveLog) -> None:
        self.run = run
        self.log = live_log
        self.abandonable = run.conversation_id is None  # in a conversation somebody will come back for it
        self.lost = False  # another replica ends it
        self.stopped: Ending | None = None  # why the owner closed the log before the model had finished
        self.usage: Usage | None = None
        self.finish_reason: FinishReason | None = None
        self.chars = 0
        self.live_bytes = 0  # of text
        self.part_bytes = 0  # that its parts take beside their text
        self.prompt_bytes = 0  # about: one for each character
        self.allowance: Allowance | None = None
        self.ceiling = sys.maxsize  # of `live_bytes`: beyond it the allowance is asked for more
        self.recorder: Recorder
        self.loop = asyncio.get_running_loop()
        self.task: asyncio.Task[None] | None = None
        self.begun = False  # a task that is cancelled before its first step never takes it
        self.generating = True
        self.save_failed = False
        self.started = 0.0
        self.first_text: float | None = None
        self.progress: float | None = None
        self.unread_since: float | None = 0.0
        self.watchdog: asyncio.Handle | None = None
        self.attempts: list[Attempt] = []
        self.most_readers = 0

    def read_elsewhere(self, now: float) -> None:
        """Somebody reads it at another replica; `now` is the loop's time."""
        if self.unread_since is not None:
            self.unread_since = now

    def report(self, now: float) -> RunReport:
        """What is worth knowing of it once it has ended; `now` is the loop's time."""
        return RunReport(
            run=self.run,
            attempts=self.attempts,
            usage=self.usage,
            chars=self.chars,
            seconds=now - self.started,
            first_text_seconds=self.first_text - self.started if self.first_text is not None else None,
            readers=self.log.readers,
            most_readers=self.most_readers,
        )
