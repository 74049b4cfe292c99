"""The client of the chat API, as a careful stranger would write it: `ask`, drop, `follow`, `cancel`."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.support import sockets
from tests.support.http import Fields, Given, dumps, pairs, request_bytes
from tests.support.sse import BareDecoder
from tests.support.waiting import PATIENCE, until
from tests.support.wire_client import Over, Reply, Stream

CHAT = "/api/chat/stream"
ENDED = frozenset({"completed", "cancelled", "failed", "interrupted"})
JSON = ("Content-Type", "application/json")
SSE = ("Accept", "text/event-stream")

Until = int | Callable[["Answer"], bool] | None
"""When to drop: after so many frames with text, as soon as this is true, or never."""


@dataclass
class Answer:
    """What a reader has of an answer."""

    status: int
    headers: Fields
    over: Over = ""  # "" when the reader itself dropped
    text: str = ""  # of chunks, without the sentence of an error
    frames: list[dict[str, Any]] = field(default_factory=list)
    cursor: str = ""  # the last id: what goes into `follow(after=…)`
    done: bool = False
    error: dict[str, Any] | None = None
    body: bytes = b""
    chunks: int = 0  # frames with text

    @property
    def run_id(self) -> str:
        """Which run this is a reading of."""
        return self.headers["X-Run-Id"]

    @property
    def replayed(self) -> bool:
        """Whether the key was known."""
        return self.headers.get("Idempotent-Replayed") == "true"

    def take(self, frame: dict[str, Any]) -> None:
        """Add one frame of `format=chat`."""
        assert not self.done, f"a frame after done: {frame}"
        self.frames.append(frame)
        if "error" in frame:
            assert self.error is None, f"a second error: {frame}"
            self.error = frame["error"]
        elif "chunk" in frame:
            assert self.error is None or not frame["chunk"], f"text after an error: {frame}"
            self.text += frame["chunk"]
            self.chunks += bool(frame["chunk"])
        else:
            assert frame == {"done": True}, f"no frame of format=chat: {frame}"
            self.done = True


class Client:
    """Talks to the service at `port`. Each request has a connection of its own."""

    def __init__(self, port: int, patience: float = PATIENCE) -> None:
        self.port = port
        self._patience = patience
        self._streams: list[Stream] = []

    @classmethod
    def at(cls, url: str) -> "Client":
        """A client of `http://127.0.0.1:<port>`."""
        port = urlsplit(url).port
        assert port is not None
        return cls(port)

    async def wire(self, request: bytes, *, bodyless: bool = False, receive_buffer: int | None = None) -> Stream:
        """Send exactly these bytes; the response, unread (`await stream.opened()` reads its head)."""
        stream = Stream(await sockets.connected(self.port, receive_buffer), bodyless=bodyless, patience=self._patience)
        self._streams.append(stream)
        with contextlib.suppress(ConnectionError):  # the answer may be there before all is sent
            await stream.write(request)
        return stream

    async def open_stream(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Given = (),
        host: str | None = "",
        receive_buffer: int | None = None,
    ) -> Stream:
        """Send a request and read the response's head.

        `headers` may repeat names and hold any bytes. `host=None` sends no Host; one among `headers` replaces ours.
        """
        given = pairs(headers)
        names = {name.lower() for name, _ in given}
        payload = body if body is not None else dumps(json) if json is not None else b""
        lines: list[tuple[str, str | bytes]] = []
        if host is not None and "host" not in names:
            lines.append(("Host", host or f"127.0.0.1:{self.port}"))
        lines += given
        if json is not None and "content-type" not in names:
            lines.append(JSON)
        if (payload or method not in ("GET", "HEAD", "OPTIONS")) and not names & {
            "content-length",
            "transfer-encoding",
        }:
            lines.append(("Content-Length", str(len(payload))))
        target = path + (f"?{urlencode(query)}" if query else "")
        request = request_bytes(method, target, lines, payload)
        stream = await self.wire(request, bodyless=method == "HEAD", receive_buffer=receive_buffer)
        try:
            return await stream.opened()
        except BaseException:
            stream.close()
            raise

    async def request(self, method: str, path: str, **more: Any) -> Reply:
        """Send a request (as `open_stream`) and read the whole response."""
        async with await self.open_stream(method, path, **more) as stream:
            return await stream.read()

    async def open_chat(
        self,
        message: str,
        history: Sequence[Mapping[str, Any]] | None = None,
        *,
        key: str | None = None,
        resumable: bool = True,
        get: bool = False,
        format: str | None = None,
        headers: Given = (),
        receive_buffer: int | None = None,
    ) -> Stream:
        """Ask, and read only the head. `key` is the header of POST or the query's `key` of GET."""
        query = {"format": format} if format else {}
        lines = pairs(headers) + ([SSE] if resumable or get else [])
        if not get:
            lines += [("Idempotency-Key", key)] if key else []
            body: dict[str, Any] = {"message": message} | ({} if history is None else {"history": history})
            return await self.open_stream(
                "POST", CHAT, json=body, query=query, headers=lines, receive_buffer=receive_buffer
            )
        query = {"message": message, **query} | ({"key": key} if key else {})
        if history is not None:
            query["history"] = dumps(history).decode()
        return await self.open_stream("GET", CHAT, query=query, headers=lines, receive_buffer=receive_buffer)

    async def ask(
        self,
        message: str,
        history: Sequence[Mapping[str, Any]] | None = None,
        *,
        until: Until = None,
        bare: bool = False,
        **more: Any,
    ) -> Answer:
        """Ask (as `open_chat`) and read the answer, to its end or `until` and then drop. `bare`: as a naive client."""
        stream = await self.open_chat(message, history, resumable=not bare, **more)
        return await read_answer(stream, until, bare=bare)

    async def open_events(
        self,
        run_id: str,
        after: str | None = None,
        *,
        by: str = "header",
        format: str | None = None,
        headers: Given = (),
    ) -> Stream:
        """Read the log of a run after a cursor, handed over `by` "header" or "query"; only the head is read."""
        lines = [*pairs(headers), SSE, *([("Last-Event-ID", after)] if after and by == "header" else [])]
        query = ({"after": after} if after and by == "query" else {}) | ({"format": format} if format else {})
        return await self.open_stream("GET", f"/api/runs/{run_id}/events", query=query, headers=lines)

    async def follow(self, run_id: str, after: str | None = None, *, until: Until = None, **more: Any) -> Answer:
        """Read the log of a run after a cursor (as `open_events`), to its end or `until` and then drop."""
        return await read_answer(await self.open_events(run_id, after, **more), until)

    async def run(self, run_id: str) -> Reply:
        """The state of a run."""
        return await self.request("GET", f"/api/runs/{run_id}")

    async def cancel(self, run_id: str) -> Reply:
        """Ask for a run's end."""
        return await self.request("POST", f"/api/runs/{run_id}/cancel")

    async def ended(self, run_id: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until the run has ended; its body."""

        async def body() -> dict[str, Any] | None:
            found = (await self.run(run_id)).json
            return found if found["status"] in ENDED else None

        found = await until(body, f"run {run_id} ends", timeout=timeout)
        assert found is not None
        return found

    def close(self) -> None:
        """Drop what is still open."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()


@asynccontextmanager
async def client_of(port: int) -> AsyncGenerator[Client]:
    """A client that lets go of its connections at the end."""
    client = Client(port)
    try:
        yield client
    finally:
        client.close()


async def read_answer(stream: Stream, until: Until = None, *, bare: bool = False) -> Answer:
    """Read a stream of `format=chat`, to its end or `until` and then drop. A status other than 200 is only told."""
    answer = Answer(stream.status, stream.headers)
    decoder = BareDecoder()
    reached = _reached(until)
    async with stream, aclosing(stream.pieces()) as pieces:
        seen = 0
        stop = reached(answer)
        while not stop:
            piece = await anext(pieces, None)
            if piece is None:
                break
            if answer.status != 200:
                continue
            if bare:
                found = [(frame, "") for frame in decoder.feed(piece)]
            else:
                found = [(event.json, event.last_event_id) for event in stream.events[seen:]]
                seen = len(stream.events)
            for frame, cursor in found:
                answer.take(frame)
                answer.cursor = cursor
                if stop := reached(answer):
                    break
            if not stop and not bare:
                answer.cursor = stream.sse.last_event_id
        if stop:
            stream.drop()
        else:
            answer.over = stream.over
        answer.body = stream.body
    return answer


def _reached(until: Until) -> Callable[[Answer], bool]:
    if until is None:
        return lambda _: False
    if isinstance(until, int):
        return lambda answer: answer.chunks >= until
    return until
