"""Log to message and back, and the reading of both from any place."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cursor import Cursor
from app.errors import BadCursor
from app.eventlog.memory import LiveLog
from app.models import MAX_PIECE_CHARS, Ending, Failure, Part, PartKind, Piece
from app.protocols.base import WireFormat
from app.protocols.chat import BareChat, ResumableChat
from app.protocols.ui_message import UIMessage
from app.services.reading import Reading
from app.services.transcript import fold, unfold
from tests.support.sse import Event, SseDecoder

RUN = "01kandgz1m5d9ryt3ek2yqv8p4"
CHARACTERS = st.sampled_from('a안🤔\u0301\u2028\n"\\ é𝒛') | st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, min_size=1, max_size=12)
LONG_TEXTS = TEXTS | st.builds(lambda text, times: text * times, TEXTS, st.sampled_from([400, 4096, 5000]))
COMPLETED = Ending("completed", "stop")
BROKEN = Ending("interrupted", failure=Failure("upstream_interrupted", "It broke off.", True))


def alternating(texts: list[str], first: PartKind) -> tuple[Part, ...]:
    """Parts as models make them: another kind closes one for good, so no two neighbours are alike."""
    kinds: tuple[PartKind, PartKind] = ("text", "reasoning") if first == "text" else ("reasoning", "text")
    return tuple(Part(kinds[number % 2], text) for number, text in enumerate(texts))


PARTS = st.builds(alternating, st.lists(TEXTS, max_size=6), st.sampled_from(["text", "reasoning"]))
LONG_PARTS = st.builds(alternating, st.lists(LONG_TEXTS, max_size=4), st.sampled_from(["text", "reasoning"]))


@st.composite
def deltas(draw: st.DrawFn, parts: tuple[Part, ...]) -> list[Piece]:
    """The parts, as a log may hold them: in pieces of any size."""
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        places = draw(st.sets(st.integers(1, len(part.text))))
        bounds = [0, *sorted(places - {len(part.text)}), len(part.text)]
        pieces += [Piece(number, part.kind, a, part.text[a:b]) for a, b in pairwise(bounds)]
    return pieces


def log_of(pieces: list[Piece], ending: Ending | None = COMPLETED) -> LiveLog:
    log = LiveLog(RUN, message_id="m", model="scripted")
    log.publish(pieces)
    if ending is not None:
        log.end(ending, None)
    return log


def events_of(log: LiveLog, cursor: Cursor, wire: WireFormat | None = None) -> list[Event]:
    """What a reader at `cursor` is told now, without the prelude's empty chunk."""
    reading, decoder = Reading(log, wire or ResumableChat(2000), cursor), SseDecoder()
    while data := reading.take():
        decoder.feed(data)
    return [event for event in decoder.events if event.data != '{"chunk": ""}']


def text_after(parts: tuple[Part, ...], part: int, offset: int) -> str:
    """What of the answer (not of the reasoning) lies after a place."""
    texts = [each.text if each.kind == "text" else "" for each in parts]
    return "".join([texts[part][offset:], *texts[part + 1 :]]) if part < len(texts) else ""


@given(LONG_PARTS)
def test_a_saved_message_unfolds_to_a_log_that_folds_to_it(parts: tuple[Part, ...]) -> None:
    pieces = list(unfold(parts))
    assert fold(pieces) == parts
    assert all(1 <= len(piece.text) <= MAX_PIECE_CHARS for piece in pieces)


@given(PARTS.flatmap(lambda parts: st.tuples(st.just(parts), deltas(parts))))
def test_a_log_folds_to_the_same_message_however_its_text_was_cut(
    example: tuple[tuple[Part, ...], list[Piece]],
) -> None:
    parts, pieces = example
    assert fold(pieces) == parts
    assert fold(unfold(fold(pieces))) == parts


@given(PARTS.flatmap(lambda parts: st.tuples(st.just(parts), deltas(parts))), st.booleans())
def test_a_reader_at_any_character_gets_exactly_the_rest_of_a_live_log_and_of_a_saved_message(
    example: tuple[tuple[Part, ...], list[Piece]], live: bool
) -> None:
    parts, pieces = example
    logs = [log_of(pieces, None if live else COMPLETED), log_of(list(unfold(parts)))]
    for number, part in enumerate(parts):
        for offset in range(len(part.text) + 1):
            for log in logs:
                events = events_of(log, Cursor(RUN, number, offset))
                text = "".join(event.json.get("chunk", "") for event in events)
                assert text == text_after(parts, number, offset)


@given(PARTS.flatmap(lambda parts: st.tuples(st.just(parts), deltas(parts))))
def test_every_id_is_the_place_after_its_frame(example: tuple[tuple[Part, ...], list[Piece]]) -> None:
    parts, pieces = example
    for log in (log_of(pieces, BROKEN), log_of(list(unfold(parts)), BROKEN)):
        events = events_of(log, Cursor(RUN))
        *texts, failed, done = events
        assert (failed.last_event_id, done.last_event_id) == (f"{RUN}-end-1", f"{RUN}-end-2")
        for index, event in enumerate(texts, start=1):
            place = Cursor.parse(event.last_event_id)
            rest = "".join(each.json["chunk"] for each in texts[index:])
            assert text_after(parts, place.part, place.offset) == rest
            assert events_of(log, place) == events[index:]


@given(PARTS.flatmap(lambda parts: st.tuples(st.just(parts), deltas(parts))))
def test_all_formats_tell_the_same_text(example: tuple[tuple[Part, ...], list[Piece]]) -> None:
    parts, pieces = example
    log = log_of(pieces)
    whole = text_after(parts, 0, 0)
    assert "".join(each.json.get("chunk", "") for each in events_of(log, Cursor(RUN), BareChat())) == whole
    told = [each.json for each in events_of(log, Cursor(RUN), UIMessage(2000))[:-1]]
    assert "".join(each["delta"] for each in told if each["type"] == "text-delta") == whole
    thought = "".join(part.text for part in parts if part.kind == "reasoning")
    assert "".join(each["delta"] for each in told if each["type"] == "reasoning-delta") == thought


PIECES = [Piece(0, "reasoning", 0, "hm"), Piece(1, "text", 0, "안녕"), Piece(1, "text", 2, "🤔")]


@pytest.mark.parametrize("place", ["0-3", "1-4", "2-0", "2-1", "999999999-0", "end-1", "end-2"])
def test_a_place_past_what_a_live_run_holds_is_refused(place: str) -> None:
    with pytest.raises(BadCursor):
        Reading(log_of(PIECES, None), ResumableChat(2000), Cursor.parse(f"{RUN}-{place}"))


@pytest.mark.parametrize("place", ["1-4", "1-999999999", "2-0", "9-9"])
def test_a_place_past_an_ended_run_s_text_is_its_end(place: str) -> None:
    reading = Reading(log_of(PIECES), ResumableChat(2000), Cursor.parse(f"{RUN}-{place}"))
    expected = f'retry: 2000\nid: {RUN}-1-3\ndata: {{"chunk": ""}}\n\nid: {RUN}-end-2\ndata: {{"done": true}}\n\n'
    assert reading.take() == expected.encode()
