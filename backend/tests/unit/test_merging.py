"""While a run lives its log keeps the text, not the tokens; no reader can tell."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cursor import Cursor
from app.eventlog import memory
from app.eventlog.memory import FRESH_PIECES, LiveLog
from app.models import MAX_PIECE_CHARS, Part, Piece
from app.protocols.agui import AgentRun
from app.protocols.base import WireFormat
from app.protocols.chat import BareChat, ResumableChat
from app.protocols.openai_chat import Completion
from app.protocols.ui_message import UIMessage
from app.services import reading
from app.services.reading import Reading
from app.services.transcript import fold
from tests.support.sse import SseDecoder
from tests.unit.test_transcript import COMPLETED, LONG_PARTS, PARTS, RUN, alternating, deltas, log_of

WIRES: list[Callable[[LiveLog], WireFormat]] = [
    lambda log: ResumableChat(2000),
    lambda log: BareChat(),
    lambda log: UIMessage(2000),
    lambda log: AgentRun(log, "t", "r"),
    lambda log: Completion(log, with_usage=True),
]
TEXTS = ("chunk", "delta", "content", "reasoning_content")
EXAMPLES = (PARTS | LONG_PARTS).flatmap(lambda parts: st.tuples(st.just(parts), deltas(parts)))


class Reader:
    """One who reads a log from `cursor`."""

    def __init__(self, log: LiveLog, wire: WireFormat, cursor: Cursor) -> None:
        self.wire, self.cursor = wire, cursor
        self.reading = Reading(log, wire, cursor)
        self.decoder = SseDecoder()

    def take(self) -> None:
        self.decoder.feed(self.reading.take())

    def take_all(self) -> None:
        while data := self.reading.take():
            self.decoder.feed(data)

    @property
    def told(self) -> list[tuple[Any, str]]:
        """What it was told, whatever frames that came in, each with the id after it."""
        told: list[tuple[Any, str]] = []
        for event in self.decoder.events:
            frame = event.data if event.data == "[DONE]" else event.json
            if told and _merge(told[-1][0], frame):
                frame, _ = told.pop()
            told.append((frame, event.last_event_id))
        return told


def _merge(before: Any, frame: Any) -> bool:
    """Put the text of `frame` behind that of `before`, if nothing but text makes them two."""
    texts = [_texts(before), _texts(frame)]
    keys = [[key for key in TEXTS if holder.get(key)] for holder in texts]
    if not keys[0] or keys[0] != keys[1]:
        return False
    (key,) = keys[0]
    own, more = texts[0][key], texts[1][key]
    texts[0][key] = texts[1][key] = ""
    same = before == frame
    texts[0][key], texts[1][key] = own + (more if same else ""), more
    return same


def _texts(frame: Any) -> dict[str, Any]:
    """What of a frame holds its text, if it has any."""
    if not isinstance(frame, dict):
        return {}
    return frame["choices"][0]["delta"] if frame.get("choices") else frame


@given(EXAMPLES, st.data())
def test_no_reader_can_tell_what_was_merged_behind_its_back(
    monkeypatch: pytest.MonkeyPatch, example: tuple[tuple[Part, ...], list[Piece]], data: st.DataObject
) -> None:
    monkeypatch.setattr(memory, "FRESH_PIECES", 3)
    monkeypatch.setattr(reading, "TAKE_BYTES", 150)
    parts, pieces = example
    log, readers, written = LiveLog(RUN, message_id="m", model="scripted"), list[Reader](), 0
    while written < len(pieces):
        for reader in readers:
            for _ in range(data.draw(st.integers(0, 2))):
                reader.take()
        if data.draw(st.booleans()):
            wire = data.draw(st.sampled_from(WIRES))(log)
            cursor = Cursor(RUN)
            if wire.comes_back and log.pieces:
                last = log.pieces[data.draw(st.integers(0, len(log.pieces) - 1))]
                cursor = Cursor(RUN, last.part, data.draw(st.integers(last.offset, last.end)))
            readers.append(Reader(log, wire, cursor))
        batch = pieces[written : written + data.draw(st.integers(1, 5))]
        log.publish(batch)
        written += len(batch)
    log.end(COMPLETED, None)
    assert fold(log.pieces) == parts
    longest = max((len(piece.text) for piece in pieces), default=0)
    assert all(len(piece.text) <= max(MAX_PIECE_CHARS, longest) for piece in log.pieces)
    for reader in readers:
        reader.take_all()
        alone = Reader(log_of(pieces), reader.wire, reader.cursor)
        alone.take_all()
        assert reader.told == alone.told
        assert reader.reading.finished


def test_a_note_names_the_place_of_a_reader_who_is_inside_of_what_was_merged() -> None:
    log = LiveLog(RUN, message_id="m", model="scripted")
    for offset in range(3):
        log.publish([Piece(0, "text", offset, "x")])
    behind = Reader(log, UIMessage(2000), Cursor(RUN))
    behind.take()
    for offset in range(3, 3 + FRESH_PIECES):
        log.publish([Piece(0, "text", offset, "x")])
    assert len(log.pieces) == 4
    log.note = "Loading."
    behind.take()
    ids = [event.last_event_id for event in behind.decoder.events if "Loading." in event.data]
    assert ids == [f"{RUN}-0-3"]


@pytest.mark.parametrize("wires", [1, 2], ids=["one reader", "two readers"])
def test_a_live_answer_of_many_tokens_takes_little_more_memory_than_its_text(wires: int) -> None:
    tokens = 20_000
    log = LiveLog(RUN, message_id="m", model="scripted")
    readers = [Reading(log, make(log), Cursor(RUN)) for make in WIRES[:wires]]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(tokens):
            log.publish([Piece(0, "text", 4 * number, f"{number:04d}"[-4:])])
            for each in readers:
                each.take()
        late = Reading(log, WIRES[2](log), Cursor(RUN))
        while late.take():
            pass
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(log.pieces) <= 4 * tokens / MAX_PIECE_CHARS + 1 + FRESH_PIECES
    assert taken < 2 * 4 * tokens


def test_parts_stay_apart_however_short_they_are() -> None:
    parts = alternating(["a", "b"] * FRESH_PIECES, "text")
    log = LiveLog(RUN, message_id="m", model="scripted")
    for number, part in enumerate(parts):
        log.publish([Piece(number, part.kind, 0, part.text)])
    assert fold(log.pieces) == parts
