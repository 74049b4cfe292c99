"""Cut at any byte, come back, be cut again, come back: the text is whole, exactly once, and was paid once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

import pytest

from tests.support.answers import SAID, End, text_of, think
from tests.support.bad_line import LossyReader, Question, text_in
from tests.support.client import Client
from tests.support.proxy import End as EndOfLine
from tests.support.proxy import Proxy, Rule
from tests.support.server import Server
from tests.support.sse import BareDecoder
from tests.support.upstream import Upstream
from tests.support.wire_client import Stream

SHARED_SETTINGS = {"IDLE_TIMEOUT_SECONDS": 100}  # the model waits while an answer is cut at each of its bytes

HANDS = 8  # readers at once
TEXT = text_of()
ENDINGS: dict[End, list[str]] = {"completed": ["done"], "interrupted": ["upstream_interrupted", "done"]}


async def for_each(places: Iterable[int], act: Callable[[int], Awaitable[None]]) -> None:
    """Do `act` at every place, a few at a time."""
    left = iter(places)

    async def work() -> None:
        for place in left:
            await act(place)

    async with asyncio.TaskGroup() as group:
        for _ in range(HANDS):
            group.create_task(work())


def second_cut(place: int, whole: int, head: int) -> int:
    """Where the response that follows a cut at `place` is cut: anywhere in what is left, the same in every run."""
    return random.Random(place).randrange(1, max(2, whole - max(place, head) + head))


def head_of(wire: bytes) -> int:
    return wire.index(b"\r\n\r\n") + 4


def places_in(wire: bytes) -> list[int]:
    """Every byte of the body, and some of the head, where one is as good as another."""
    return [*range(0, head_of(wire), 20), *range(head_of(wire), len(wire) + 1)]


@pytest.mark.parametrize(("method", "end"), [("GET", "completed"), ("POST", "interrupted")])
async def test_a_reply_cut_at_any_byte_and_cut_again_is_read_whole_and_exactly_once(
    shared_client: Client, shared_upstream: Upstream, method: str, end: End
) -> None:
    shared_upstream.script(*think(end=end))
    question = Question(method, "Anything?", f"ended-by-{method}")
    first = await LossyReader(shared_client, question).read()
    again = await LossyReader(shared_client, question).read()  # from here on it is a replay, and always as long
    assert (first.text, first.ending, again.text, again.ending) == (TEXT, ENDINGS[end], TEXT, ENDINGS[end])
    whole, head = len(again.wire), head_of(again.wire)

    async def cut(place: int) -> None:
        reader = LossyReader(shared_client, question)
        await reader.read(place)
        await reader.read(second_cut(place, whole, head))
        await reader.read()
        assert (reader.text, reader.ending) == (TEXT, ENDINGS[end]), f"cut at byte {place}"

    await for_each(places_in(again.wire), cut)
    assert shared_upstream.calls == 1


async def test_a_reply_that_is_still_being_written_can_be_cut_at_any_byte(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think(last="end"))
    questions = [Question(method, "Still there?", "running") for method in ("GET", "POST")]
    first = await LossyReader(shared_client, questions[0]).read(enough=TEXT.__eq__)
    # What the first has got in several chunks comes in one from here on, and is always as long.
    again = await LossyReader(shared_client, questions[0]).read(enough=TEXT.__eq__)
    whole, head = len(again.wire), head_of(again.wire)

    async def cut(place: int) -> None:
        reader = LossyReader(shared_client, questions[place % 2])
        await reader.read(place)
        await reader.read(second_cut(place, whole, head), enough=TEXT.__eq__)
        await reader.read(enough=TEXT.__eq__)
        assert (reader.text, reader.ending) == (TEXT, []), f"cut at byte {place}"

    await for_each(places_in(again.wire), cut)
    shared_upstream.open("end")
    await first.read()
    assert (first.text, first.ending, shared_upstream.calls) == (TEXT, ["done"], 1)


async def test_readers_that_are_cut_while_the_text_comes_in_miss_nothing_and_see_nothing_twice(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think(gate="delta"))
    question = Question("GET", "Live?", "live")
    chance = random.Random(7)
    readers = [LossyReader(shared_client, question) for _ in range(60)]
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(suffer(reader, lambda: chance.randrange(1, 900)))
        await say_slowly(shared_upstream, await ask(shared_client, question))
    assert {(reader.text, *reader.ending) for reader in readers} == {(TEXT, "done")}
    assert shared_upstream.calls == 1


@pytest.mark.parametrize("end", ["rst", "fin"])
async def test_a_network_that_cuts_again_and_again_only_makes_it_slower(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream, end: EndOfLine
) -> None:
    shared_upstream.script(*think(gate="delta"))
    question = Question("POST", "Through it?", f"through-{end}")
    chance = random.Random(11)
    async with Proxy(shared_server.port) as proxy, asyncio.TaskGroup() as group:
        proxy.next(*(Rule(response=chance.randrange(1, 650), end=end) for _ in range(20)))
        reader = LossyReader(Client.at(proxy.url), question)
        group.create_task(suffer(reader, lambda: None))
        await say_slowly(shared_upstream, await ask(shared_client, question))
    assert (reader.text, reader.ending, shared_upstream.calls) == (TEXT, ["done"], 1)
    assert sum(connection.cut.is_set() for connection in proxy.connections) > 5


async def test_a_bare_post_cut_at_any_byte_and_repeated_with_its_key_gives_the_whole_from_the_start(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*think())
    question = Question("POST", "Plainly?", "bare", accept="*/*")
    request = question.request(shared_client.port)

    async def read(cut: int | None = None) -> tuple[bytes, bytes]:
        stream = await shared_client.wire(request)
        try:
            await stream.read_until(wire=cut, when=lambda stream: bool(stream.over))
        finally:
            stream.drop()
        return bytes(stream.wire), stream.body

    await read()
    wire, body = await read()
    decoder = BareDecoder()
    decoder.feed(body)
    assert "".join(frame.get("chunk", "") for frame in decoder.frames) == TEXT
    assert decoder.frames[-1] == {"done": True}

    async def cut(place: int) -> None:
        _, seen = await read(place)
        assert body.startswith(seen), f"cut at byte {place}"
        assert (await read())[1] == body, f"cut at byte {place}"

    await for_each(places_in(wire), cut)
    assert shared_upstream.calls == 1


async def suffer(reader: LossyReader, cut: Callable[[], int | None]) -> None:
    """Come back as often as it takes."""
    while not reader.cursor.endswith("end-2"):
        await reader.read(cut())


async def ask(client: Client, question: Question) -> Stream:
    """A reader whose line is good."""
    return await (await client.wire(question.request(client.port))).opened()


async def say_slowly(upstream: Upstream, watcher: Stream) -> None:
    """Let the answer through delta by delta, each once `watcher` has seen the text before it."""
    for number in range(len(SAID)):
        await watcher.read_until(when=lambda stream: text_in(stream) == text_of(SAID[:number]))  # noqa: B023 - called before the loop goes on
        upstream.open("delta", 1)
