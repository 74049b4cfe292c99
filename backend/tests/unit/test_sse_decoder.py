"""The decoder reads event streams as WHATWG says, cut anywhere, and never holds more than its limit."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.sse import Event, LineTooLong, SSEDecoder
from tests.support import sse as strict

LIMIT = 2**16
PIECES = [
    *(b"data", b"data:", b"data: ", b"data:x", b"event: a", b"event:", b"id: 3", b"retry: 5", b":", b": note", b"x"),
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b" ", b"\xef\xbb\xbf", b"\0", b"[DONE]", b"{}"),
    *("안".encode(), "\u2028".encode(), "\u0085".encode(), b"\x0b\x0c\x1c", "😀".encode(), b"\xff"),
]
streams = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


def events_of(pieces: list[bytes], limit: int = LIMIT) -> list[Event]:
    decoder = SSEDecoder(limit)
    return [event for piece in pieces for event in decoder.feed(piece)]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[one:two] for one, two in itertools.pairwise(ends)]


@given(stream=streams, places=st.lists(st.integers(0, 400), max_size=30))
def test_any_fragmentation_gives_the_same_events(stream: bytes, places: list[int]) -> None:
    assert events_of(cut(stream, places)) == events_of([stream]) == events_of([bytes([byte]) for byte in stream])


@given(stream=streams)
def test_it_dispatches_what_a_strict_decoder_dispatches(stream: bytes) -> None:
    reference = strict.SseDecoder()
    reference.feed(stream)
    found = [
        (each.data.decode("utf-8", "replace"), each.name.decode("utf-8", "replace") or "message")
        for each in events_of([stream])
    ]
    assert found == [(each.data, each.type) for each in reference.events]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(b"YHOO\n+2\n10")]),
        (b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\n", [Event(b"first"), Event(b"second")]),
        (b"data\n\ndata\ndata\n\n", [Event(b""), Event(b"\n")]),
        (b"data:test\n\ndata: test\n\ndata:  test\n\n", [Event(b"test"), Event(b"test"), Event(b" test")]),
        (b"event: add\ndata: 7\n\nevent: lost\n\ndata: 8\n\n", [Event(b"7", b"add"), Event(b"8")]),
        (b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n", [Event(b"x")]),
        (b"Data: x\ndata : y\n data: z\n\n", []),
        (b"data: a:b: c\n\n", [Event(b"a:b: c")]),
    ],
)
def test_it_obeys_the_examples_of_the_standard(stream: bytes, events: list[Event], end: bytes) -> None:
    assert events_of([stream.replace(b"\n", end)]) == events


def test_only_cr_lf_and_crlf_end_a_line() -> None:
    text = "a\u2028b\u2029c\u0085d\x0b\x0c\x1c\x1d\x1ee".encode()
    assert events_of([b"data: " + text + b"\n\n"]) == [Event(text)]


def test_an_event_after_cr_does_not_wait_for_the_next_byte() -> None:
    decoder = SSEDecoder(LIMIT)
    assert decoder.feed(b"data: now\r\r") == [Event(b"now")]
    assert decoder.feed(b"\ndata: next\r\n\r") == [Event(b"next")]
    assert decoder.feed(b"\n") == []


# ── the end of a stream ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("left", "events"),
    [
        (b"data: whole\n", [Event(b"whole")]),
        (b"data: [DONE]", [Event(b"[DONE]")]),
        (b"data: two\ndata: lines\n", [Event(b"two\nlines")]),
        (b"data: broken o", []),
        (b": note", []),
        (b"", []),
    ],
)
def test_the_end_completes_an_event_whose_lines_are_whole(left: bytes, events: list[Event]) -> None:
    decoder = SSEDecoder(LIMIT)
    assert decoder.feed(b"data: before\n\n" + left) == [Event(b"before")]
    assert decoder.flush() == events


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def longest(kind: bytes, size: int) -> bytes:
    return kind + b"x" * (size - len(kind)) + b"\n"


@pytest.mark.parametrize("kind", [b"data: ", b": ", b"unknown", b"event: "])
@pytest.mark.parametrize("piece", [1, 1000, LIMIT, 2 * LIMIT])
def test_a_line_at_the_limit_passes_and_one_byte_more_does_not(kind: bytes, piece: int) -> None:
    def fed(size: int) -> None:
        line = longest(kind, size)
        events_of([line[start : start + piece] for start in range(0, len(line), piece)])

    fed(LIMIT)
    with pytest.raises(LineTooLong):
        fed(LIMIT + 1)


@pytest.mark.parametrize("piece", [1, 100, LIMIT])
def test_one_event_of_many_lines_has_the_same_limit(piece: int) -> None:
    lines = (b"data: " + b"x" * 94 + b"\n") * (LIMIT // 100 + 1)
    with pytest.raises(LineTooLong):
        events_of([lines[start : start + piece] for start in range(0, len(lines), piece)])


def test_any_number_of_short_lines_passes() -> None:
    line = b": a comment of a patient server\n\nevent: ping\nid: 1\n\n"
    assert events_of([line * 100] * (3 * LIMIT // len(line * 100) + 1)) == []


def test_an_endless_line_never_takes_more_memory_than_the_limit() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(LineTooLong):
            events_of([b"x" * 1000] * 1000)
        assert tracemalloc.get_traced_memory()[1] < 3 * LIMIT
    finally:
        tracemalloc.stop()
