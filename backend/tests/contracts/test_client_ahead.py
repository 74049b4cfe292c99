"""Connections that are opened ahead of who will ask: they are used, none is in vain for long, and none is an error."""

import asyncio

import pytest
import uvloop

from app.providers import connection as connections
from app.providers.client import Client, NoConnection
from tests.contracts.test_client import OK, asked, endpoint, poured, says
from tests.support.waiting import until

HELLO = says(OK + b"Content-Length: 5\r\n\r\nhello")


async def test_who_was_expected_finds_a_connection(client: Client) -> None:
    async with endpoint(HELLO) as one:
        for coming in (1, 2, 3):
            client.expect(one.url, coming, connect_timeout=5)
        await until(lambda: one.connections == 3, "three are opened before anybody asks")
        answers = await asyncio.gather(*(asked(client, one) for _ in range(3)))
        assert [await poured(answer) for answer in answers] == [b"hello"] * 3
        assert one.connections == 3


async def test_who_asks_before_it_is_open_waits_for_it(client: Client) -> None:
    async with endpoint(HELLO) as one:
        client.expect(one.url, 1, connect_timeout=5)
        assert await poured(await asked(client, one)) == b"hello"
        assert one.connections == 1


async def test_free_ones_are_enough(client: Client) -> None:
    async with endpoint(HELLO) as one:
        assert await poured(await asked(client, one)) == b"hello"
        client.expect(one.url, 1, connect_timeout=5)
        assert not client._opening[next(iter(client._opening))]
        assert await poured(await asked(client, one)) == b"hello"
        assert one.connections == 1


async def test_one_that_nobody_needs_is_closed_after_a_while(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_SECONDS", 0.05)
    async with endpoint(HELLO) as one:
        client.expect(one.url, 1, connect_timeout=5)
        await until(lambda: one.gone == 1, "the endpoint sees the end")
        assert not client._all


async def test_one_that_cannot_be_reached_is_told_to_who_asks_and_to_nobody_else(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    async with endpoint(HELLO) as one:
        pass
    client.expect(one.url, 1, connect_timeout=5)
    await until(lambda: not any(client._opening.values()), "it was refused")
    client.expect(one.url, 1, connect_timeout=5)
    with pytest.raises(NoConnection):
        await asked(client, one)
    assert not caplog.records, "no exception was left lying about"


@pytest.mark.parametrize("turns", range(4))
async def test_who_stops_waiting_for_it_leaves_it_to_others(client: Client, turns: int) -> None:
    """Whenever they stop: before it is open, in the moment in which it is, and after they were told."""
    async with endpoint(HELLO) as one:
        client.expect(one.url, 1, connect_timeout=5)
        asking = asyncio.create_task(asked(client, one))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await poured(await asked(client, one)) == b"hello"
        await until(lambda: len(client._all) == 1, "there is one connection, and no other is forgotten")
        assert client._free == {next(iter(client._all)).origin: [*client._all]}


@pytest.mark.parametrize("turns", range(6))
def test_one_whose_asker_goes_while_it_is_opened_is_not_kept(turns: int) -> None:
    """By the loop that serves, which closes it without a word to it."""

    async def kept() -> int:
        client = Client()
        async with endpoint(HELLO) as one:
            asking = asyncio.create_task(asked(client, one))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            await asyncio.sleep(0.01)  # for the loop to close what it closes
            return len(client._all)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(kept()) == 0


async def test_closing_closes_what_is_being_opened() -> None:
    client = Client()
    async with endpoint(HELLO) as one:
        client.expect(one.url, 1, connect_timeout=5)
        (opening,) = (task for tasks in client._opening.values() for task in tasks)
        client.close()
        await asyncio.wait([opening], timeout=5)
        assert opening.cancelled()
        assert not client._all
