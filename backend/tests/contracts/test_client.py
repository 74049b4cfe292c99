"""Our connections to endpoints: whatever a server does to the framing, a body is exact, or told to be broken."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app.providers import connection as connections
from app.providers.client import Client, NoConnection
from app.providers.connection import Broken, NotHttp, Response
from tests.support.waiting import until

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Endpoint:
    """A server that does `serve` on every connection."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.url = ""
        self.connections = 0
        self.gone = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone += 1
            writer.close()


@asynccontextmanager
async def endpoint(serve: Serve) -> AsyncGenerator[Endpoint]:
    one = Endpoint(serve)
    server = await asyncio.start_server(one, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/x"
    try:
        yield one
    finally:
        server.close()


async def asked(client: Client, one: Endpoint, body: bytes = b"{}") -> Response:
    return await client.ask("POST", one.url, {"X-Kind": "test"}, body, connect_timeout=5)


async def poured(response: Response) -> bytes:
    """The whole body, after which the connection is let go."""
    parts: list[bytes] = []
    try:
        await response.pour(parts.append)
    finally:
        response.let_go()
    return b"".join(parts)


def says(*parts: bytes, close: bool = False) -> Serve:
    """Answer every request with `parts`, each in a write of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            if close:
                return

    return serve


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    return head + await reader.readexactly(length)


@pytest.mark.parametrize(
    "parts",
    [
        [OK + b"Content-Length: 5\r\n\r\nhello"],
        [CHUNKED, b"2\r\nhe\r\n", b"3;ext=1\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n"],
        [byte.to_bytes() for byte in CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK + b"content-length: 5\r\n\r\n", b"hello"],
    ],
    ids=["length", "chunks", "byte by byte", "an interim response before it"],
)
async def test_a_body_is_exact_and_its_connection_is_used_again(client: Client, parts: list[bytes]) -> None:
    async with endpoint(says(*parts)) as one:
        for _ in range(3):
            assert await poured(await asked(client, one)) == b"hello"
        assert one.connections == 1


async def test_a_body_without_length_ends_with_its_connection(client: Client) -> None:
    async with endpoint(says(OK + b"\r\n", b"hel", b"lo", close=True)) as one:
        assert await poured(await asked(client, one)) == b"hello"
        assert await poured(await asked(client, one)) == b"hello"
        assert one.connections == 2


@pytest.mark.parametrize(
    "parts",
    [
        [OK + b"Content-Length: 9\r\n\r\nhello"],
        [CHUNKED, b"5\r\nhello\r\n"],
        [CHUNKED, b"5\r\nhello\r\nzz\r\n"],
    ],
    ids=["shorter than its length", "no last chunk", "a chunk that is none"],
)
async def test_what_came_before_a_break_is_given_and_the_break_is_told(client: Client, parts: list[bytes]) -> None:
    async with endpoint(says(*parts, close=True)) as one:
        response, got = await asked(client, one), bytearray()
        with pytest.raises(Broken):
            await response.pour(got.extend)
        response.close()
        assert got == b"hello"


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([], Broken),
        ([b"SSH-2.0-OpenSSH_9.9\r\n"], NotHttp),
        ([OK + b"X-Long: " + b"x" * 70_000, b"x" * 70_000], NotHttp),
        ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], Broken),
    ],
    ids=["nothing", "another protocol", "an endless head", "an upgrade that nobody wanted"],
)
async def test_what_is_no_response_is_told(client: Client, parts: list[bytes], error: type[Broken]) -> None:
    async with endpoint(says(*parts, close=True)) as one:
        with pytest.raises(error):
            await asked(client, one)


async def test_who_has_enough_for_now_is_not_given_more_until_then(client: Client) -> None:
    many = b"".join(b"3e8\r\n%b\r\n" % (b"x" * 1000) for _ in range(3000)) + b"0\r\n\r\n"
    async with endpoint(says(CHUNKED + many)) as one:
        response, got, waits = await asked(client, one), bytearray(), 0

        async def wait() -> None:
            nonlocal waits
            size = len(got)
            await asyncio.sleep(0.01)
            assert len(got) == size
            waits += 1

        def take(some: bytes) -> Awaitable[None]:
            got.extend(some)
            return wait()

        await response.pour(take)
        response.let_go()
        assert (len(got), waits > 1) == (3_000_000, True)


async def test_what_the_taker_raises_is_raised_to_who_pours(client: Client) -> None:
    async with endpoint(says(CHUNKED, b"5\r\nhello\r\n", b"0\r\n\r\n")) as one:
        response = await asked(client, one)

        def take(some: bytes) -> None:
            raise LookupError(some)

        with pytest.raises(LookupError):
            await response.pour(take)
        response.close()


async def test_a_taker_that_raised_is_given_nothing_more(client: Client) -> None:
    async with endpoint(says(CHUNKED, *[b"5\r\nhello\r\n"] * 50, b"0\r\n\r\n")) as one:
        response, taken = await asked(client, one), 0

        def take(_: bytes) -> None:
            nonlocal taken
            taken += 1
            raise LookupError

        pouring = asyncio.create_task(response.pour(take))
        await until(lambda: response._complete or response._error is not None, "it is over")
        response.received(b"more")
        with pytest.raises(LookupError):
            await pouring
        response.close()
        assert taken == 1


async def test_a_mistake_in_the_last_piece_is_not_hidden_by_the_end(client: Client) -> None:
    async with endpoint(says(OK + b"Content-Length: 5\r\n\r\nhello")) as one:
        response = await asked(client, one)

        def take(_: bytes) -> None:
            response.stop()
            raise LookupError

        with pytest.raises(LookupError):
            await response.pour(take)
        response.close()


async def test_a_connection_that_was_left_alone_is_read_again_by_the_next_answer(client: Client) -> None:
    async with endpoint(says(OK + b"Content-Length: 5\r\n\r\nhello")) as one:
        response = await asked(client, one)
        await response.pour(lambda _: None)
        response._connection.pause()
        response.let_go()
        assert await asyncio.wait_for(poured(await asked(client, one)), 5) == b"hello"
        assert one.connections == 1


async def test_what_comes_while_the_taker_has_enough_is_there_though_the_endpoint_has_gone(client: Client) -> None:
    enough = asyncio.Event()

    async def wait() -> None:
        await enough.wait()

    async with endpoint(says(CHUNKED, b"5\r\nhello\r\n", b"6\r\n there\r\n0\r\n\r\n", close=True)) as one:
        response, got = await asked(client, one), bytearray()

        def take(some: bytes) -> Awaitable[None]:
            got.extend(some)
            return wait()

        pouring = asyncio.create_task(response.pour(take))
        await until(lambda: one.gone == 1 and not client._all, "the endpoint has gone")
        enough.set()
        await pouring
        assert got == b"hello there"


async def test_a_connection_whose_rest_does_not_come_is_closed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.05)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED + b"5\r\nhello\r\n")
        await reader.read()

    async with endpoint(serve) as one:
        response = await asked(client, one)
        await response.pour(lambda _: response.stop())
        response.let_go()
        await until(lambda: one.gone == 1, "the endpoint sees the end")


async def test_a_connection_that_says_more_than_it_was_asked_is_not_used_again(client: Client) -> None:
    answer = OK + b"Content-Length: 5\r\n\r\nhello"
    async with endpoint(says(answer + answer)) as one:
        for count in (1, 2):
            assert await poured(await asked(client, one)) == b"hello"
            assert one.connections == count


async def test_one_that_the_endpoint_closed_meanwhile_is_not_used_again(client: Client) -> None:
    async with endpoint(says(OK + b"Content-Length: 5\r\n\r\nhello", close=True)) as one:
        assert await poured(await asked(client, one)) == b"hello"
        await until(lambda: not client._all, "the client has heard of the end")
        assert await poured(await asked(client, one)) == b"hello"
        assert one.connections == 2


async def test_a_free_connection_is_closed_after_a_while(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_SECONDS", 0.05)
    async with endpoint(says(OK + b"Content-Length: 5\r\n\r\nhello")) as one:
        assert await poured(await asked(client, one)) == b"hello"
        await until(lambda: one.gone == 1, "the endpoint sees the end")


async def test_who_cannot_be_reached_was_not_asked(client: Client) -> None:
    async with endpoint(says()) as one:
        pass
    with pytest.raises(NoConnection):
        await asked(client, one)
    with pytest.raises(NoConnection):
        await client.ask("GET", "http://name.invalid/x", {}, connect_timeout=5)


async def test_a_header_cannot_hold_another_one(client: Client) -> None:
    async with endpoint(says()) as one:
        with pytest.raises(ValueError, match="header"):
            await client.ask("GET", one.url, {"Authorization": "Bearer x\r\nX-Other: y"}, connect_timeout=5)
        assert one.connections == 0


async def test_an_address_is_sent_as_it_must_be(client: Client) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await request_of(reader))
        writer.write(OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n")

    async with endpoint(serve) as one:
        address = one.url.removesuffix("/v1/x")
        await poured(await client.ask("GET", f"{address}/모델 a?b=가", {}, connect_timeout=5))
        lines = heads[0].split(b"\r\n")
        assert lines[0] == b"GET /%EB%AA%A8%EB%8D%B8%20a?b=%EA%B0%80 HTTP/1.1"
        assert lines[1] == b"Host: " + address.removeprefix("http://").encode()


async def test_what_a_free_connection_says_is_never_the_next_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next question comes in the very turn of the loop in which the socket gave what nobody had asked for."""
    speaks, next_one = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        body = b"%d" % one.connections
        writer.write(OK + b"Content-Length: 1\r\n\r\n" + body)
        await speaks.wait()
        writer.write(OK + b"Content-Length: 6\r\n\r\nforged")
        await reader.read()

    async with endpoint(serve) as one:
        assert await poured(await asked(client, one)) == b"1"
        given = connections.Connection.data_received

        def and_ask(self: connections.Connection, data: bytes) -> None:
            next_one.set()  # who waits for it goes on before what was given is looked at
            given(self, data)

        async def ask_next() -> bytes:
            await next_one.wait()
            monkeypatch.undo()
            return await poured(await asked(client, one))

        following = asyncio.create_task(ask_next())
        monkeypatch.setattr(connections.Connection, "data_received", and_ask)
        speaks.set()
        assert await asyncio.wait_for(following, 5) == b"2"
