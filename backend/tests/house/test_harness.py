"""The harness does what its docstrings say. Nothing here needs the service."""

import asyncio
import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import sockets
from tests.support.client import Client
from tests.support.http import MessageParser
from tests.support.script import (
    DONE,
    Cut,
    Fin,
    Gate,
    Hang,
    Raw,
    Reset,
    Send,
    Sleep,
    Status,
    error_status,
    say,
    serve_body,
    stream,
    whole,
)
from tests.support.sse import BareDecoder, NotBare, SseDecoder
from tests.support.upstream import Upstream

# The byte example of the WHATWG rules: what each line must do stands beside it.
EXAMPLE = (
    b"\xef\xbb\xbf"  # BOM, ignored
    b"retry: 2000\n\n"  # reconnection time; no data, nothing dispatched
    b": ping\n\n"  # comment
    b'id: 41\nevent: token\ndata: {"a":1}\ndata: {"b":2}\n\n'
    b"id: 42\n\n"  # the cursor moves, no event
    b"data\n\n"  # an event with data ""
    b"data: lost\n"  # unterminated: discarded
)


def cuts(data: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[one:two] for one, two in itertools.pairwise(places)]


# ── decoders ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(at=st.lists(st.integers(0, 500)), end=st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_the_strict_decoder_obeys_the_byte_example_however_it_is_cut(at: list[int], end: bytes) -> None:
    decoder = SseDecoder()
    for piece in cuts(EXAMPLE.replace(b"\n", end), at):
        decoder.feed(piece)
    assert [(each.type, each.last_event_id, each.data) for each in decoder.events] == [
        ("token", "41", '{"a":1}\n{"b":2}'),
        ("message", "42", ""),
    ]
    assert (decoder.retry, decoder.comments, decoder.last_event_id) == (2000, ["ping"], "42")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"retry: +5\nid: a\0b\ndata: x\n\n", ("", "x")),
        (b"id: 1\ndata:  y\nid\n\n", ("", " y")),
        (b":\ndata:z\n\n", ("", "z")),
    ],
)
def test_the_strict_decoder_knows_the_corners(text: bytes, left: tuple[str, str]) -> None:
    decoder = SseDecoder()
    (found,) = decoder.feed(text)
    assert (found.last_event_id, found.data, decoder.retry) == (*left, None)


@given(at=st.lists(st.integers(0, 200)))
def test_the_bare_decoder_reads_the_document_s_frames_however_they_are_cut(at: list[int]) -> None:
    decoder = BareDecoder()
    for piece in cuts('data: {"chunk": "안녕\\n\\n"}\n\ndata: {"done": true}\n\ndata: {"chu'.encode(), at):
        decoder.feed(piece)
    assert decoder.frames == [{"chunk": "안녕\n\n"}, {"done": True}]
    assert decoder.left == b'data: {"chu'


@pytest.mark.parametrize(
    "frame", [b": ping", b"retry: 1", b'id: 1\ndata: {"chunk": ""}', b"data: 1", b'data: {"x": 1}', b""]
)
def test_the_bare_decoder_stumbles_over_everything_else(frame: bytes) -> None:
    with pytest.raises(NotBare):
        BareDecoder().feed(frame + b"\n\n")


@given(at=st.lists(st.integers(0, 300)))
def test_the_http_parser_takes_the_framing_off_however_it_is_cut(at: list[int]) -> None:
    parser = MessageParser()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: a\r\nx: b\r\n\r\n"
    message = head + b"3\r\nabc\r\nA;e=1\r\n0123456789\r\n0\r\n\r\nnext"
    got = b"".join([parser.feed(piece) for piece in cuts(message, at)])
    assert got == bytes(parser.body) == b"abc0123456789"
    assert (parser.complete, bytes(parser.rest), parser.fields.all("X")) == (True, b"next", ["a", "b"])


# ── the fake upstream ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_upstream_says_a_well_formed_openai_stream_and_remembers_who_asked(
    upstream: Upstream, asker: Client
) -> None:
    upstream.script(*say("안녕", " there"))
    prompt = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    reply = await asker.request("POST", "/v1/chat/completions", json=prompt, headers={"Authorization": "Bearer k"})
    assert reply.body == stream("안녕", " there")
    frames = [json.loads(line[6:]) for line in reply.text.split("\n\n")[:-2]]
    assert [frame["choices"][0]["delta"].get("content") for frame in frames[:-1]] == ["", "안녕", " there", None]
    assert frames[-2]["choices"][0]["finish_reason"] == "stop"
    assert (frames[-1]["choices"], frames[-1]["usage"]["total_tokens"]) == ([], 15)
    assert reply.body.endswith(DONE)
    (seen,) = upstream.requests
    assert (seen.method, seen.path, seen.json, seen.authorization) == (
        "POST",
        "/v1/chat/completions",
        prompt,
        "Bearer k",
    )
    assert (seen.question, seen.whole, seen.sent, upstream.calls) == ("hi", True, len(reply.body), 1)


async def test_one_connection_carries_several_requests_and_each_has_its_script(upstream: Upstream) -> None:
    upstream.script(*error_status(429, {"Retry-After": "3"}))
    upstream.script(*whole("all"))
    sock = await sockets.connected(upstream.port)
    request = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    first = MessageParser()
    await sockets.write(sock, request)
    while not first.complete:
        first.feed(await sockets.read(sock))
    second = MessageParser()
    await sockets.write(sock, request)
    while not second.complete:
        second.feed(await sockets.read(sock))
    sock.close()
    assert (first.status, first.fields["Retry-After"]) == (429, "3")
    assert json.loads(second.body)["choices"][0]["message"]["content"] == "all"
    assert (upstream.connections, upstream.calls) == (1, 2)


async def test_cut_bytes_really_arrive_in_pieces(upstream: Upstream, asker: Client) -> None:
    upstream.script(*serve_body(b"0123456789", cut=Cut([3, 4, 8])))
    opened = await asker.open_stream("GET", "/")
    assert [piece async for piece in opened.pieces()] == [b"012", b"3", b"4567", b"89"]
    upstream.script(Status(framing="close"), Cut(), Send(b"abc"), Send(b"de"))
    opened = await asker.open_stream("GET", "/")
    assert [piece async for piece in opened.pieces()] == [b"a", b"b", b"c", b"d", b"e"]
    assert opened.over == "complete"


async def test_a_reset_is_a_reset_and_what_came_before_is_delivered(upstream: Upstream) -> None:
    upstream.script(Status(), Send(b"#" * 100_000), Reset())
    got, reset = await sockets.everything_from(upstream.port)
    assert (got.count(b"#"), reset) == (100_000, True)
    upstream.script(Status(), Send(b"#"), Fin())
    got, reset = await sockets.everything_from(upstream.port)
    assert (got.count(b"#"), reset) == (1, False)


async def test_fin_and_raw_bytes_truncate_a_chunked_body(upstream: Upstream, asker: Client) -> None:
    upstream.script(Status(), Send(b"abc"), Raw(b"ff\r\nonly this"), Fin())
    opened = await asker.open_stream("GET", "/")
    assert (await opened.read()).body == b"abconly this"
    assert opened.over == "truncated"
    upstream.script(Raw(b"SSH-2.0-nonsense\r\n"), Fin())
    with pytest.raises(ConnectionResetError, match="SSH"):
        await asker.open_stream("GET", "/")


@pytest.mark.parametrize("step", [Sleep(60), Gate("never"), Hang()])
async def test_the_upstream_notices_at_once_when_the_peer_closes(
    upstream: Upstream, asker: Client, step: Sleep | Gate | Hang
) -> None:
    upstream.script(Status(), Send(b"a"), step, Send(b"b"))
    opened = await asker.open_stream("POST", "/", json={})
    await opened.read_until(body=1)
    seen = await upstream.request()
    assert not seen.closed.is_set()
    before = time.monotonic()
    opened.drop()
    assert 0 <= await seen.is_closed(timeout=2) - before < 0.5
    await seen.answered.wait()
    assert not seen.whole


async def test_a_gate_lets_through_as_many_as_it_is_told(upstream: Upstream, asker: Client) -> None:
    upstream.script(*say("a", "b", "c", "d", gate="g"))
    opened = await asker.open_stream("POST", "/", json={})
    upstream.open("g", 2)
    await upstream.at_gate("g", 3)
    await opened.read_until(when=lambda seen: b'"b"' in seen.body)
    assert b'"c"' not in opened.body
    upstream.open("g")
    assert (await opened.read()).body == stream("a", "b", "c", "d")


async def test_a_stopped_upstream_refuses_connections_and_comes_back_on_its_port(
    upstream: Upstream, asker: Client
) -> None:
    await upstream.stop()
    with pytest.raises(ConnectionRefusedError):
        await asker.open_stream("GET", "/")
    await upstream.start()
    assert (await asker.request("GET", "/")).status == 200


async def test_two_hundred_streams_at_once_each_get_their_own(upstream: Upstream, asker: Client) -> None:
    upstream.otherwise(
        answer=lambda seen: say(
            *[f"{seen.question}-{n} " for n in range(40)], cut=Cut(range(7, 9000, 97), lockstep=False)
        )
    )

    async def one(number: int) -> None:
        prompt = {"messages": [{"role": "user", "content": f"q{number}"}]}
        reply = await asker.request("POST", "/", json=prompt)
        assert reply.body == stream(*[f"q{number}-{n} " for n in range(40)])

    async with asyncio.timeout(20):
        await asyncio.gather(*(one(number) for number in range(200)))
    assert upstream.calls == 200
