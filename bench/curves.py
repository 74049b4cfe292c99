"""What a token costs while one thing grows: the answer, its history, the database, its readers, the streams.

At each size the same load runs twice, once with answers of a few tokens and once with long ones: the difference is what
tokens cost, and the short run what a request costs, whatever it carries.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import world
from bench.environments import Installed, installed
from bench.job import PLACE, QUESTION, RUN, Job, Outcome, Target
from bench.peers.catalogue import SERVICE
from bench.results import Curve, Point
from bench.sizes import Size
from bench.stage import Served, Stage

SHORT_TOKENS = 2
LEAST_TOKENS = 4_000  # in one measurement; fewer cost less than a clock tells
SPARE_FILES = 200  # beside the two that a stream takes
HISTORY_CHARS = 200  # of an earlier message


class Load(NamedTuple):
    """A point's load; `tokens` are those of its long run."""

    streams: int
    answers: int
    tokens: int
    gap: int
    body: str = ""
    follow: str = ""
    places: tuple[str, ...] = ()


class Subject(NamedTuple):
    """What a curve is about, and how a server that is asked for one of its sizes is loaded."""

    title: str
    unit: str
    sizes: Callable[[Size], Sequence[int]]
    load: Callable[[Size, int, Served], Load]
    world: bool = False  # whether each size has a database of its own


def measure(stage: Stage, size: Size, names: Sequence[str], *, here: bool) -> dict[str, Curve]:
    """The curves that are asked for: of this service, since others promise nothing of the kind."""
    there = installed(SERVICE, here=here)
    made = {name: _blank(size, CURVES[name]) for name in names}
    for repeat in range(size.curve_repeats):
        for name, curve in made.items():
            subject = CURVES[name]
            with _server(stage, there, None if subject.world else 0) as shared:
                for point in curve.points:
                    title = f"{repeat + 1}/{size.curve_repeats} {name} {point.size:,}"
                    with _server(stage, there, point.size if subject.world else None) as own:
                        served = own or shared
                        assert served is not None, "one of the two is there"
                        _add(stage, size, served, subject.load(size, point.size, served), point, title)
    return made


def _blank(size: Size, subject: Subject) -> Curve:
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES) // 2
    fit = [value for value in subject.sizes(size) if subject.unit not in {"streams", "readers"} or value <= most]
    return Curve(subject.title, subject.unit, [Point(value) for value in fit])


@contextmanager
def _server(stage: Stage, there: Installed, messages: int | None) -> Iterator[Served | None]:
    """A server with so many messages in its database; None: no server."""
    if messages is None:
        yield None
        return
    env = {"DATABASE_URL": f"sqlite:///{_database(stage.folder, messages)}"} if messages else None
    with stage.serve(SERVICE, there, env=env) as served:
        stage.run(Job(served.target, 5, 20_000, 1, 20, 60))  # a warm-up
        yield served


def _database(folder: Path, messages: int) -> Path:
    """A database with so many messages; every repeat has the same one, and adds a few of its own."""
    path = folder / f"{messages}.db"
    if not path.exists():
        asyncio.run(_fill(path, messages))
        world.progress("")
    return path


async def _fill(path: Path, messages: int) -> None:
    here = await world.make(path, messages)
    await here.database.close()


def _add(stage: Stage, size: Size, served: Served, load: Load, point: Point, title: str) -> None:
    short, long = (
        stage.run(_job(served.target, load, tokens, title if sys.stderr.isatty() else ""))
        for tokens in (SHORT_TOKENS, load.tokens)
    )
    for outcome in (short, long):
        if outcome.wrong or outcome.unfinished or outcome.refused:
            told = f"{outcome.unfinished} unfinished, {outcome.refused} refused, {outcome.wrong} wrong {outcome.why}"
            sys.stdout.write(f"{title}: {told}\n")
            return
    more = long.tokens - short.tokens
    point.per_token.append(1e6 * (long.server_cpu - short.server_cpu) / more)
    point.per_request.append(1e6 * short.server_cpu / short.answers)
    point.bytes_per_token.append((long.bytes_read - short.bytes_read) / more)
    sys.stdout.write(
        f"{title:<24} {point.per_token[-1]:>8.1f} µs/token {point.per_request[-1]:>8.0f} µs/request"
        f" {point.bytes_per_token[-1]:>6.1f} bytes/token{_lag(long)}\n"
    )
    sys.stdout.flush()


def _lag(outcome: Outcome) -> str:
    return f"  the core was full: {outcome.busy:.0%}" if outcome.busy > 0.95 else ""


def _job(target: Target, load: Load, tokens: int, title: str) -> Job:
    if load.body:
        target = msgspec.structs.replace(target, body=load.body)
    seconds = 60 + 4 * load.answers / load.streams * tokens * load.gap / 1e6
    if load.follow:
        target = msgspec.structs.replace(target, headers={"Accept": "text/event-stream"})
    return Job(
        target,
        tokens,
        load.gap,
        load.streams,
        load.answers,
        seconds,
        follow=load.follow,
        title=title,
        places=load.places,
    )


# ── What grows ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _length(size: Size, tokens: int, _: Served) -> Load:
    streams = 8  # a token each millisecond makes 8,000 a second
    again = max(1, LEAST_TOKENS // (streams * tokens)) if size.name == "full" else 1
    return Load(streams, streams * again, tokens, 1_000)


def _history(size: Size, items: int, _: Served) -> Load:
    said = [
        {"role": ("user", "assistant")[place % 2], "content": "가나다라 " * (HISTORY_CHARS // 5)}
        for place in range(items)
    ]
    return _many(size)._replace(body=json.dumps({"message": QUESTION, "history": said}, ensure_ascii=False))


def _stored(size: Size, _: int, served: Served) -> Load:
    load = _many(size)
    places = tuple(_conversation(served.target.port) for _ in range(load.answers))
    return load._replace(body=json.dumps({"message": QUESTION, "conversation_id": PLACE}), places=places)


def _readers(size: Size, readers: int, _: Served) -> Load:
    gap = size.paced(2 * readers)
    tokens = max(50, LEAST_TOKENS // readers // 4) if size.name == "full" else 20
    return Load(readers, readers, tokens, gap, follow=f"/api/runs/{RUN}/events")


def _parallel(size: Size, streams: int, _: Served) -> Load:
    tokens = max(30, LEAST_TOKENS // streams // 4) if size.name == "full" else 20
    return Load(streams, streams, tokens, size.paced(2 * streams))


def _many(size: Size) -> Load:
    """As many streams as a busy house has."""
    return Load(size.streams // 2, size.streams // 2, size.tokens, size.gap)


def _conversation(port: int) -> str:
    """A new conversation's id."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/api/conversations", b"{}", {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())["id"]
    finally:
        connection.close()


CURVES = {
    "length": Subject("Tokens of the answer", "tokens", lambda size: size.lengths, _length),
    "history": Subject("Messages that a question carries", "messages", lambda size: size.histories, _history),
    "stored": Subject("Messages in the database", "messages", lambda size: size.stored, _stored, world=True),
    "readers": Subject("Readers of one run", "readers", lambda size: size.readers, _readers),
    "streams": Subject("Streams at once", "streams", lambda size: size.parallel, _parallel),
}
