"""A running service from outside: whether what lies between passes its streams on frame by frame, and its name."""

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import msgspec

from app.doctor.findings import Finding, ok, wrong
from app.providers.session import session
from app.settings import base_url
from app.web.trial import FRAMES, PAUSE_SECONDS

SUBJECT = "stream"
ASK_SECONDS = 20.0  # a proxy that gathers may wait a good while before it gives anything
SPREAD = 0.5  # of the time from first to last frame that must be left of it; networks jitter
MAX_BYTES = 64 * 1024  # the stream has less than one KiB


_SWITCH_OFF = (
    "Something on the way gathers before it passes on. nginx: proxy_buffering off; in this location. "
    "Caddy: flush_interval -1 in reverse_proxy. Apache: flushpackets=on in ProxyPass. "
    "Cloudflare: a rule that switches Response Buffering off."
)
_REFUSED = {
    403: "Something refuses the request: look at the proxy's rules.",
    404: "Is it this service, in this version, and without a prefix?",
    421: (
        "The service is asked for a host that it does not answer to, or answers only its own machine: pass Host on in "
        "the proxy, name the host in ALLOWED_HOSTS, and see ALLOW_INSECURE."
    ),
    502: "The proxy does not reach the service: check that it runs, and the address that the proxy asks.",
    503: "The service is busy or not ready: look at /ready, and try again in a moment.",
    504: "The proxy gave up waiting for the service: check that it runs, and the address that the proxy asks.",
}


class Arrival(msgspec.Struct, frozen=True):
    """How the test stream came."""

    status: int
    encoding: str  # of the body, as the response says
    frames: tuple[dict[str, Any], ...]
    times: tuple[float, ...]  # of each frame, in seconds after the request


async def examine(url: str) -> list[Finding]:
    """Ask the service at `url`, and say what became of its test stream on the way."""
    try:
        checked = base_url(url, "")
    except ValueError as error:
        return [wrong(SUBJECT, f"--url cannot be {url!r}: {error}.")]
    began = time.monotonic()
    try:
        async with (
            session() as client,
            client.get(
                f"{checked}/health/stream",
                headers={"Accept": "text/event-stream", "Accept-Encoding": "gzip", "User-Agent": "ai-chat-service"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=ASK_SECONDS),
            ) as response,
        ):
            arrival = await _arrival(response, began)
    except TimeoutError:
        return [wrong(SUBJECT, f"{url} did not answer within {ASK_SECONDS:.0f} seconds. {_SWITCH_OFF}")]
    except (aiohttp.ClientError, OSError, zlib.error):
        return [
            wrong(SUBJECT, f"{url} cannot be reached, or broke off. Check the address, and whether the service runs.")
        ]
    return list(_judged(arrival, checked))


async def _arrival(response: aiohttp.ClientResponse, began: float) -> Arrival:
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None
    text, frames, times = b"", list[dict[str, Any]](), list[float]()
    read = 0
    while response.status == 200 and read < MAX_BYTES and (some := await response.content.readany()):
        read += len(some)
        text += unpack.decompress(some, MAX_BYTES) if unpack is not None else some
        *whole, text = text.split(b"\n\n")
        for frame in whole:
            if (said := _frame(frame)) is not None:
                frames.append(said)
                times.append(time.monotonic() - began)
    return Arrival(response.status, encoding, tuple(frames), tuple(times))


def _frame(frame: bytes) -> dict[str, Any] | None:
    try:
        said: Any = json.loads(frame.removeprefix(b"data: "))
    except ValueError:
        return None
    return cast(dict[str, Any], said) if isinstance(said, dict) else None


def _judged(arrival: Arrival, url: str) -> Iterator[Finding]:
    if arrival.status != 200:
        told = _REFUSED.get(arrival.status, "Is it this service, in this version, and without a redirect before it?")
        yield wrong(SUBJECT, f"{url} answers {arrival.status} where the test stream should be. {told}")
        return
    if arrival.encoding != "identity":
        yield wrong(
            "compression",
            f"the stream came compressed ({arrival.encoding}), so it is held back until a block is full. "
            "Switch compression off for text/event-stream (nginx: leave it out of gzip_types).",
        )
    else:
        yield ok("compression", "the stream came as it is.")
    if len(arrival.frames) < FRAMES:
        yield wrong(
            SUBJECT, f"{len(arrival.frames)} of {FRAMES} frames came. Is {url} this service, and nothing before it?"
        )
        return
    spread = arrival.times[-1] - arrival.times[0]
    if spread < SPREAD * PAUSE_SECONDS * (FRAMES - 1):
        yield wrong(SUBJECT, f"all frames came at once, {arrival.times[0]:.1f} s after the question. {_SWITCH_OFF}")
    else:
        yield ok(SUBJECT, f"{FRAMES} frames came one by one, the first after {arrival.times[0]:.1f} s.")
    yield _host(str(arrival.frames[0].get("host", "")), url)


def _host(seen: str, url: str) -> Finding:
    asked = urlsplit(url).netloc.lower().removesuffix(":80").removesuffix(":443")
    if seen.lower().removesuffix(":80").removesuffix(":443") == asked:
        return ok("host", f"the service is asked for {asked}, as you asked.")
    return wrong(
        "host",
        f"the service is asked for {seen or 'no host'} instead of {asked}, so it takes its own pages for foreign ones. "
        "Pass Host on. nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On.",
    )
