"""The test stream, and what the doctor says of the way that it took."""

import asyncio
import time

import pytest

from tests.support.catalogue import model_list
from tests.support.client import Client
from tests.support.doctor import Diagnosis, examined
from tests.support.fixtures import Serve
from tests.support.front import Front, Habits
from tests.support.problems import refused
from tests.support.server import Server
from tests.support.sockets import free_port
from tests.support.upstream import Upstream

PATH = "/health/stream"


@pytest.fixture
async def shown(serve: Serve, upstream: Upstream) -> Server:
    """A running service whose endpoint is well."""
    upstream.otherwise(*model_list("gpt-3.5-turbo"))
    return await serve()


async def through(server: Server, **habits: object) -> Diagnosis:
    async with Front(server.port, Habits(**habits)) as front:  # pyright: ignore[reportArgumentType]
        return await examined(server, "--url", front.url)


async def test_five_frames_come_one_by_one_like_an_answer_and_say_which_host_was_asked_for(
    shared_client: Client,
) -> None:
    began = time.monotonic()
    stream = await shared_client.open_stream("GET", PATH, headers={"Host": "localhost:9"})
    assert (stream.headers["X-Accel-Buffering"], stream.headers["Cache-Control"]) == ("no", "no-cache, no-transform")
    await stream.read_until(when=lambda stream: b"\n\n" in stream.body)
    first = time.monotonic() - began
    await stream.read()
    assert [event.json for event in stream.events] == [
        {"frame": number, "of": 5, "host": "localhost:9"} for number in range(1, 6)
    ]
    assert time.monotonic() - began >= first + 0.7


async def test_it_is_answered_like_the_probes_and_asks_no_model(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    for host in ("10.1.2.3", "[2001:db8::1]:8000"):
        assert (await shared_client.request("GET", PATH, headers={"Host": host})).status == 200
    refused(await shared_client.request("GET", PATH, headers={"Host": "attacker.test"}), 421)
    refused(await shared_client.request("GET", PATH, headers={"Origin": "https://evil.test"}), 403)
    assert PATH not in (await shared_client.request("GET", "/openapi.json")).json["paths"]
    assert shared_upstream.calls == 0


async def test_only_a_few_may_look_at_once(shared_client: Client) -> None:
    streams = [await shared_client.open_stream("GET", PATH) for _ in range(4)]
    body = refused(await shared_client.request("GET", PATH), 503)
    assert body["code"] == "too_many_trials"
    streams[0].drop()
    await asyncio.gather(*(stream.read() for stream in streams[1:]))
    assert (await shared_client.request("GET", PATH)).status == 200


async def test_a_way_that_is_free_is_told_so(shown: Server) -> None:
    for found in (await examined(shown, "--url", shown.url), await through(shown)):
        assert (found.code, found.wrong) == (0, [])
        assert "5 frames came one by one" in found.of("stream")[0]
        assert found.of("compression")
        assert found.of("host")


async def test_a_proxy_that_gathers_is_told_with_what_to_switch_off(shown: Server) -> None:
    found = await through(shown, gathers=True)
    (line,) = found.wrong
    assert (found.code, line.startswith("stream: all frames came at once, ")) == (1, True)
    for word in ("proxy_buffering off", "flush_interval -1", "Cloudflare"):
        assert word in line


async def test_a_proxy_that_compresses_is_told(shown: Server) -> None:
    found = await through(shown, compresses=True)
    assert found.wrong[0].startswith("compression: the stream came compressed (gzip)")
    assert len(found.wrong) == 2  # and so it came at once


async def test_a_proxy_that_keeps_the_name_to_itself_is_told(shown: Server) -> None:
    (line,) = (await through(shown, host="127.0.0.1:8000")).wrong
    assert line.startswith("host: the service is asked for 127.0.0.1:8000 instead of 127.0.0.1:")
    assert "proxy_set_header Host" in line
    (line,) = (await through(shown, host="backend")).wrong
    assert "ALLOWED_HOSTS" in line


async def test_a_stream_that_is_cut_short_is_told(shown: Server) -> None:
    (line,) = (await through(shown, frames=2)).wrong
    assert line.startswith("stream: 2 of 5 frames came.")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (301, "without a redirect before it"),
        (403, "the proxy's rules"),
        (404, "without a prefix"),
        (502, "does not reach the service"),
        (503, "look at /ready"),
        (504, "gave up waiting"),
    ],
)
async def test_what_a_proxy_answers_in_its_place_is_told(shown: Server, status: int, words: str) -> None:
    (line,) = (await through(shown, status=status)).wrong
    assert f"answers {status} where the test stream should be" in line
    assert words in line


async def test_an_address_that_cannot_be_asked_is_told(shown: Server) -> None:
    (line,) = (await examined(shown, "--url", f"http://127.0.0.1:{free_port()}")).wrong
    assert "cannot be reached" in line
    (line,) = (await examined(shown, "--url", "chat.example.org")).wrong
    assert line.startswith("stream: --url cannot be 'chat.example.org'")
