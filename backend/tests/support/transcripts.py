"""The cases of `fixtures/transcripts/`: how each run was written and read, as the service would do both.

`python -m tests.support.transcripts NAME…` writes the frames of cases into their files; the rest of a file is by hand.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.models import SERVICE_STOPPED, STOPPED, Ending, Failure, FinishReason, PartKind, Piece, Usage
from app.protocols.ui_message import UIMessage
from app.services.reading import Reading
from tests.support.server import BACKEND
from tests.support.sse import SseDecoder

FOLDER = BACKEND.parent / "fixtures" / "transcripts"
RUN = "01kandgz1m5d9ryt3ek2yqv8p4"
MESSAGE = "01kandgz1ncd3x4q0d8rm5v7hz"
MODEL = "openai/gpt-4o-mini"
LOADING = "The model is loading."
USAGE = Usage(input_tokens=12, output_tokens=34)
REJECTED = Failure("upstream_rejected", "The model refused this request.", False)
CUT_OFF = Failure("upstream_interrupted", "The model's answer broke off. What it said is kept.", True)

_UNSEEN = re.compile("[\u0300-\u036f\u200b-\u200f\u2028\u2029]")  # joiners, marks, separators


class Told:
    """A run, and the one reader of it: `frames` is what the reader has got, over all its connections."""

    def __init__(self) -> None:
        self.log = LiveLog(RUN, message_id=MESSAGE, model=MODEL)
        self.frames: list[dict[str, Any]] = []
        self._reading: Reading | None = None
        self._decoder = SseDecoder()

    def come(self) -> None:
        """Connect, from the last id that was got."""
        place = self.frames[-1]["id"] if self.frames else f"{RUN}-0-0"
        self._reading, self._decoder = Reading(self.log, UIMessage(2000), Cursor.parse(place)), SseDecoder()
        self._read()

    def go(self, *, losing: int = 0) -> None:
        """The connection breaks; so many of the last frames never came."""
        self._reading = None
        del self.frames[len(self.frames) - losing :]

    def say(self, kind: PartKind, *texts: str) -> None:
        """The model goes on; each text is a piece of the log."""
        for text in texts:
            last = self.log.pieces[-1] if self.log.pieces else Piece(-1, kind, 0, "")
            same = last.part >= 0 and last.kind == kind
            self.log.publish([Piece(last.part, kind, last.end, text) if same else Piece(last.part + 1, kind, 0, text)])
            self._read()

    def note(self, note: str | None) -> None:
        """What a person is told while nothing is said."""
        self.log.note = note
        self._read()

    def hand_over(self, model: str, note: str) -> None:
        """Another model writes it."""
        self.log.hand_over(model, note)

    def finish(self, reason: FinishReason = "stop", usage: Usage | None = USAGE) -> None:
        """The model has ended."""
        self._end(Ending("completed", reason), usage)

    def fail(self, failure: Failure, *, by_us: bool = False) -> None:
        """It did not complete."""
        self._end(Ending("cancelled" if failure is STOPPED else "interrupted" if by_us else "failed", None, failure))

    def _end(self, ending: Ending, usage: Usage | None = None) -> None:
        self.log.note = None
        self.log.end(ending, usage)
        self._read()

    def _read(self) -> None:
        while self._reading is not None and (data := self._reading.take()):
            for event in self._decoder.feed(data):
                data_of = event.data if event.data == "[DONE]" else event.json
                self.frames.append({"id": event.last_event_id, "data": data_of})


def plain_text(run: Told) -> None:
    run.come()
    run.say("text", "The sky", " is blue", ".\n\nBecause ", "air scatters short waves.")
    run.finish()


def reasoning_then_text(run: Told) -> None:
    run.come()
    run.say("reasoning", "The user asks why.", " Rayleigh.")
    run.say("text", "Rayleigh ", "scattering.")
    run.finish(usage=Usage(input_tokens=12, output_tokens=40, reasoning_tokens=9, cached_tokens=8))


def alternating_parts(run: Told) -> None:
    run.come()
    run.say("reasoning", "First, add.")
    run.say("text", "2 + 2 = 4.")
    run.say("reasoning", "Now ", "check.")
    run.say("text", " Checked", ".")
    run.finish()


def resume_inside_a_part(run: Told) -> None:
    run.come()
    run.say("reasoning", "Hm.")
    run.say("text", "One, two,", " three,")
    run.go(losing=1)
    run.say("text", " four,")
    run.come()
    run.say("text", " five.")
    run.finish()


def resume_at_the_end_of_a_part(run: Told) -> None:
    run.come()
    run.say("reasoning", "All thought.")
    run.go()
    run.say("text", "All ", "said.")
    run.come()
    run.finish()


def resume_after_the_start_of_a_part(run: Told) -> None:
    run.come()
    run.say("reasoning", "Thought.")
    run.say("text", "Said.")
    run.go(losing=1)
    run.come()
    run.finish()


def resume_before_the_first_text(run: Told) -> None:
    run.come()
    run.go()
    run.come()
    run.note(LOADING)
    run.go()
    run.say("text", "Here ")
    run.note(None)
    run.come()
    run.say("text", "I am.")
    run.finish()


def resume_after_the_last_text(run: Told) -> None:
    run.come()
    run.say("text", "All said.")
    run.go()
    run.finish("length")
    run.come()


def resume_after_the_ending(run: Told) -> None:
    run.come()
    run.say("text", "Half an ans")
    run.fail(CUT_OFF)
    run.go(losing=1)
    run.come()


def status_note(run: Told) -> None:
    run.come()
    run.note(LOADING)
    run.note("The model is reading the conversation.")
    run.note(None)
    run.say("text", "Good morning.")
    run.finish()


def waiting_with_a_note(run: Told) -> None:
    run.come()
    run.note(LOADING)


def still_streaming(run: Told) -> None:
    run.come()
    run.say("reasoning", "Let me see.")
    run.say("text", "So far", " so good")


def failure(run: Told) -> None:
    run.come()
    run.say("text", "Half an ans")
    run.fail(CUT_OFF)


def failure_before_any_text(run: Told) -> None:
    run.come()
    run.note(LOADING)
    run.fail(REJECTED)


def interrupted_by_a_restart(run: Told) -> None:
    run.come()
    run.say("reasoning", "Long thou")
    run.go()
    run.fail(SERVICE_STOPPED, by_us=True)
    run.come()


def abort(run: Told) -> None:
    run.come()
    run.say("text", "I was about to")
    run.fail(STOPPED)


def length(run: Told) -> None:
    run.come()
    run.say("text", "Once upon a")
    run.finish("length", Usage(input_tokens=12, output_tokens=1000))


def content_filter(run: Told) -> None:
    run.come()
    run.say("text", "I can")
    run.finish("content_filter", usage=None)


def empty_answer(run: Told) -> None:
    run.come()
    run.finish()


def handed_over(run: Told) -> None:
    run.come()
    run.hand_over("local/smollm2", "openai/gpt-4o-mini could not answer, so another model does.")
    run.say("text", "Hello from here.")
    run.finish()


def handed_over_and_read_again(run: Told) -> None:
    handed_over(run)
    run.go(losing=3)
    run.come()


def korean_emoji_and_surrogates(run: Told) -> None:
    run.come()
    run.say("reasoning", "𝒛 < 𝒛²", "?")
    run.say("text", "안녕하세요 👩", "\u200d💻", ", 한", "글 é", "\u0301", " 🇰", "🇷 𠮷")
    run.finish()


def resume_between_surrogate_pairs(run: Told) -> None:
    run.come()
    run.say("text", "🤔🤔", "🧵", "👩", "\u200d", "💻")
    run.go(losing=2)
    run.say("text", " 끝")
    run.come()
    run.finish()


def text_that_looks_like_frames(run: Told) -> None:
    run.come()
    run.say("text", "data: [DONE]\n\n", 'id: 1\r\n{"type":"finish"}', "\u2028\u2029\t\\u0000 ", "  ", "\n")
    run.finish()


CASES: dict[str, Callable[[Told], None]] = {
    case.__name__.replace("_", "-"): case
    for case in (
        plain_text,
        reasoning_then_text,
        alternating_parts,
        resume_inside_a_part,
        resume_at_the_end_of_a_part,
        resume_after_the_start_of_a_part,
        resume_before_the_first_text,
        resume_after_the_last_text,
        resume_after_the_ending,
        status_note,
        waiting_with_a_note,
        still_streaming,
        failure,
        failure_before_any_text,
        interrupted_by_a_restart,
        abort,
        length,
        content_filter,
        empty_answer,
        handed_over,
        handed_over_and_read_again,
        korean_emoji_and_surrogates,
        resume_between_surrogate_pairs,
        text_that_looks_like_frames,
    )
}


def told(name: str) -> Told:
    """The case `name`, written and read."""
    run = Told()
    CASES[name](run)
    return run


def write(path: Path, fixture: dict[str, Any]) -> None:
    """The file, with one frame a line, and what nobody would see in it escaped."""
    frames = ",\n".join(f"    {json.dumps(frame, ensure_ascii=False)}" for frame in fixture["frames"])
    whole = json.dumps({**fixture, "frames": ["FRAMES"]}, ensure_ascii=False, indent=2).replace('    "FRAMES"', frames)
    path.write_text(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", whole) + "\n", "utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:]:
        file = FOLDER / f"{each}.json"
        write(file, json.loads(file.read_text("utf-8")) | {"frames": told(each).frames})
