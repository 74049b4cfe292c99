"""What Python can do at best: two sockets, uvloop, msgspec, and no HTTP library. It keeps nothing and refuses nothing.

    python server.py PORT UPSTREAM_PORT

It knows just enough of HTTP for this benchmark, and is no example of a server: it stands for the floor.
"""

import asyncio
import json
import sys
from typing import Any, cast

import msgspec
import uvloop


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


_decode = msgspec.json.Decoder(_Chunk).decode
_encode = msgspec.json.encode
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_READY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_END = _chunk(b'data: {"done": true}\n\n') + b"0\r\n\r\n"


class _Upstream(asyncio.Protocol):
    """A connection to the model's endpoint; free again after each answer."""

    def __init__(self) -> None:
        self.reader: asyncio.Transport | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        out: list[bytes] = []
        for line in lines:
            if not line.startswith(b"data: "):
                continue  # heads, sizes of chunks, and what separates events
            if line == b"data: [DONE]":
                out.append(_END)
                continue
            choices = _decode(line[6:]).choices
            if choices and (text := choices[0].delta.content):
                out.append(_chunk(b'data: {"chunk": %b}\n\n' % _encode(text)))
        if out and self.reader is not None:
            self.reader.write(b"".join(out))
            if out[-1] is _END:
                self.reader = None
                _free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in _free:
            _free.remove(self)


_free: list[_Upstream] = []


class _Reader(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if head.startswith(b"GET "):
            self._buffer = b""
            self._transport.write(_READY)
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            task = asyncio.get_running_loop().create_task(self._ask(json.loads(body)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, question: dict[str, Any]) -> None:
        if _free:
            upstream = _free.pop()
        else:
            loop = asyncio.get_running_loop()
            _, upstream = await loop.create_connection(_Upstream, "127.0.0.1", self._upstream_port)
        turns = [*(question.get("history") or ()), {"role": "user", "content": question["message"]}]
        body = _encode({"model": "gpt-3.5-turbo", "messages": turns, "stream": True})
        upstream.reader = self._transport
        self._transport.write(_HEAD)
        upstream.transport.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )


async def _serve(port: int, upstream_port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Reader(upstream_port), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
