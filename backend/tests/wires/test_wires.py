"""Every recording becomes what is written beside it: in the decoder however it is cut, and through the service."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.answer import AnswerReader
from tests.support.client import Client
from tests.support.outcome import outcome, parts
from tests.support.script import Cut, serve_body
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.wires.recordings import DOCUMENTS, RECORDINGS, STREAMS, Recording, decoded, result

MARKS_OF_PROVIDERS = ("SECRET", "org-", "Rate limit exceeded", "insufficient")
every = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
every_stream = pytest.mark.parametrize("recording", STREAMS, ids=lambda recording: recording.name)
every_document = pytest.mark.parametrize("recording", DOCUMENTS, ids=lambda recording: recording.name)


@every_stream
def test_a_recording_cut_in_two_at_any_byte_becomes_the_same(recording: Recording) -> None:
    body = recording.body
    for at in range(len(body) + 1):
        assert decoded([body[:at], body[at:]]) == recording.expected, (
            f"cut at byte {at}: {body[max(0, at - 20) : at]!r}"
        )


@every_stream
def test_a_recording_byte_by_byte_becomes_the_same(recording: Recording) -> None:
    assert decoded([bytes([byte]) for byte in recording.body]) == recording.expected


@every_stream
@given(seed=st.integers(0, 2**32), most=st.integers(1, 40))
def test_a_recording_cut_at_random_becomes_the_same(recording: Recording, seed: int, most: int) -> None:
    assert decoded(_cut(recording.body, seed, most)) == recording.expected


@every_document
def test_a_recorded_document_becomes_one_answer(recording: Recording) -> None:
    reader = AnswerReader()
    assert result(reader, reader.whole(recording.body)) == recording.expected


@every
async def test_a_recording_comes_through_the_service(
    shared_client: Client, shared_upstream: Upstream, shared_server: Server, recording: Recording
) -> None:
    places = sorted(random.Random(recording.name).sample(range(1, len(recording.body)), 12))
    cut = Cut(at=places, lockstep=False)
    shared_upstream.script(*serve_body(recording.body, cut=cut, content_type=recording.content_type))
    seen = await outcome(shared_client)
    expected = recording.expected
    assert seen.ended == (expected.status, expected.code, expected.text)
    assert (seen.run.get("finish_reason"), seen.run.get("usage")) == (expected.finish_reason, expected.usage)
    kept = await parts(shared_client, seen.answer.run_id)
    assert "".join(text for kind, text in kept if kind == "reasoning") == expected.reasoning
    assert "".join(text for kind, text in kept if kind == "text") == expected.text
    assert (shared_upstream.calls, seen.run["attempts"]) == (1, 1)
    for mark in MARKS_OF_PROVIDERS:
        assert mark.encode() not in seen.answer.body
        assert mark not in shared_server.log


@pytest.mark.parametrize("name", ["patient-whole", "bom", "bad-utf8", "mixed-ends", "surrogates"])
async def test_a_recording_written_byte_by_byte_comes_through_the_service(
    shared_client: Client, shared_upstream: Upstream, name: str
) -> None:
    (recording,) = (each for each in RECORDINGS if each.name == name)
    shared_upstream.script(*serve_body(recording.body, cut=Cut(), content_type=recording.content_type))
    seen = await outcome(shared_client)
    assert seen.ended == (recording.expected.status, recording.expected.code, recording.expected.text)


def _cut(body: bytes, seed: int, most: int) -> list[bytes]:
    rolls = random.Random(seed)
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        size = rolls.randint(1, most)
        pieces.append(body[at : at + size])
        at += size
    return pieces
