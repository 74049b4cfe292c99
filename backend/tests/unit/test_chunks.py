"""One chunk to deltas: whatever a vendor writes, what comes out is valid text, plausible numbers, or our own error."""

import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProviderError, UpstreamProtocol
from app.models import MAX_PIECE_CHARS, Delta, FinishDelta, ReasoningDelta, TextDelta, Usage, UsageDelta
from app.providers.chunks import ChunkReader


def read(*chunks: Any) -> list[Delta]:
    """The deltas of chunks, each as a value or as the bytes of one, and of what was held back."""
    reader = ChunkReader()
    raw = [chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode() for chunk in chunks]
    deltas: list[Delta] = []
    for data in raw:
        reader.read(data, deltas)
    return deltas + reader.flush()


def said(content: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **more}}]}


def texts(deltas: list[Delta], kind: type = TextDelta) -> str:
    return "".join(
        delta.text for delta in deltas if isinstance(delta, kind) and isinstance(delta, TextDelta | ReasoningDelta)
    )


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

UNITS = st.sampled_from(["\ud83d", "\ude00", "\0", "a", "안", "\u2028", "\ufeff", "\ud800", "\udfff", "\r\n", "é"])


@given(units=st.lists(UNITS, max_size=12), ends=st.lists(st.integers(0, 12), max_size=6))
def test_text_split_between_any_two_utf16_units_becomes_the_same(units: list[str], ends: list[int]) -> None:
    pieces = ["".join(units[one:two]) for one, two in itertools.pairwise([0, *sorted(ends), len(units)])]
    whole = "".join(units).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "\ufffd")
    assert texts(read(*map(said, pieces))) == whole


@given(text=st.text(max_size=40))
def test_valid_text_passes_unchanged(text: str) -> None:
    whole = json.dumps(said(text), ensure_ascii=False).encode()
    assert texts(read(whole)) == text.replace("\0", "\ufffd")


@given(data=st.binary(max_size=30))
def test_bytes_that_are_no_utf8_become_what_a_browser_shows(data: bytes) -> None:
    content = data.translate(None, bytes(range(0x20)) + b'"\\')
    deltas = read(b'{"choices":[{"index":0,"delta":{"content":"' + content + b'"}}]}')
    assert texts(deltas) == content.decode("utf-8", "replace")


@given(
    data=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "index",
                        "delta",
                        "message",
                        "content",
                        "reasoning",
                        "finish_reason",
                        "usage",
                        "prompt_tokens",
                        "completion_tokens",
                        "error",
                        "code",
                        "type",
                        "object",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_comes_is_deltas_or_an_error_of_ours(data: bytes) -> None:
    with contextlib.suppress(ProviderError):
        for delta in read(data):
            if isinstance(delta, TextDelta | ReasoningDelta):
                assert delta.text.encode()
                assert "\0" not in delta.text


@pytest.mark.parametrize("text", ["x" * 10 * MAX_PIECE_CHARS, "😀" * (MAX_PIECE_CHARS + 1), "가" * MAX_PIECE_CHARS])
def test_a_large_delta_is_split_into_pieces_of_at_most_16_kib(text: str) -> None:
    deltas = read(said(text))
    assert texts(deltas) == text
    assert all(len(delta.text.encode()) <= 16 * 1024 for delta in deltas if isinstance(delta, TextDelta))


# ── what is skipped ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}}]},
        {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]},
        {"choices": [None, 3, "x", []]},
        {"choices": {"index": 0}},
        {"error": None},
        {"id": 5, "created": "yesterday", "object": 7},
        said(None),
        said(""),
        said(3),
        said(None, role="assistant", refusal=None, tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
        said(None, reasoning="", reasoning_content=None),
    ],
)
def test_a_chunk_without_words_says_nothing(chunk: Any) -> None:
    assert read(chunk) == []


def test_what_has_another_type_than_the_protocol_s_does_not_take_the_rest_with_it() -> None:
    assert read({**said("kept"), "usage": "many", "id": [], "object": {"a": 1}}) == [TextDelta("kept")]
    assert read({"choices": [None, *said("kept")["choices"]]}) == [TextDelta("kept")]


@pytest.mark.parametrize("number", [b"1e400", b"-1e999", b"9" * 40, b"9" * 5000, b"-0.0"])
def test_a_number_that_no_program_holds_is_skipped(number: bytes) -> None:
    odd = b'{"created":' + number + b',"choices":[{"index":0,"delta":{"content":"text"},"logprobs":' + number + b"}]}"
    assert read(odd) == [TextDelta("text")]


@pytest.mark.parametrize("data", [b"{", b"", b"[]", b"3", b"null", b'"text"', b"<html>", b'{"a":1}{', b"{'a':1}"])
def test_what_is_no_json_object_is_not_the_protocol(data: bytes) -> None:
    with pytest.raises(UpstreamProtocol):
        read(data)


@pytest.mark.parametrize("place", ["x", "usage", "error"])
def test_nesting_without_end_is_not_the_protocol(place: str) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(UpstreamProtocol):
        read(b'{"' + place.encode() + b'":' + deep + b"}")


# ── reasoning, endings, usage, errors ────────────────────────────────────────────────────────────────────────────────


def test_reasoning_is_its_own_kind_under_either_name_and_never_doubled() -> None:
    assert read(said(None, reasoning="r")) == read(said(None, reasoning_content="r")) == [ReasoningDelta("r")]
    assert read(said("t", reasoning="r", reasoning_content="r")) == [ReasoningDelta("r"), TextDelta("t")]


def test_a_half_of_a_pair_is_not_joined_over_another_kind() -> None:
    deltas = read(said("a\ud83d"), said(None, reasoning="\ude00b"))
    assert (texts(deltas), texts(deltas, ReasoningDelta)) == ("a\ufffd", "\ufffdb")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("eos_token", "other"),
    ],
)
def test_a_finish_reason_is_told_in_our_words(theirs: str, ours: Any) -> None:
    assert read({"choices": [{"index": 0, "delta": {}, "finish_reason": theirs}]}) == [FinishDelta(ours)]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "12",
        {},
        {"prompt_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": 10**12, "completion_tokens": 1},
        {"prompt_tokens": "1", "completion_tokens": "2"},
        {"prompt_tokens": None, "completion_tokens": None},
    ],
)
def test_implausible_usage_is_dropped_and_the_text_is_not(usage: Any) -> None:
    assert read({**said("text"), "usage": usage}) == [TextDelta("text")]


@pytest.mark.parametrize("details", [None, 3, {}, {"reasoning_tokens": -1, "cached_tokens": "4"}])
def test_implausible_details_leave_the_counts(details: Any) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    usage |= {"prompt_tokens_details": details, "completion_tokens_details": details}
    assert read({"choices": [], "usage": usage}) == [UsageDelta(Usage(input_tokens=3, output_tokens=4))]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": 429, "message": "SECRET"}, "upstream_rate_limited"),
        ({"code": "rate_limit_exceeded", "type": "requests"}, "upstream_rate_limited"),
        ({"type": "insufficient_quota", "code": None}, "upstream_rate_limited"),
        ({"code": 400}, "upstream_rejected"),
        ({"code": "context_length_exceeded", "type": "invalid_request_error"}, "upstream_rejected"),
        ({"type": "invalid_request_error"}, "upstream_rejected"),
        ({"code": 502}, "upstream_unavailable"),
        ({"code": "server_error"}, "upstream_unavailable"),
        ({"code": [1], "status": {"a": 2}}, "upstream_unavailable"),
        ("SECRET words", "upstream_unavailable"),
    ],
)
def test_an_error_in_the_stream_is_told_in_our_words(error: Any, code: str) -> None:
    with pytest.raises(ProviderError) as told:
        read({"error": error, "choices": []})
    assert told.value.code == code
    assert "SECRET" not in told.value.message
