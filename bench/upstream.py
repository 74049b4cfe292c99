"""The upstream of the benchmark: OpenAI's streaming protocol, one token each so many microseconds, or unpaced.

    python -m bench.upstream PORT

One thread, epoll and ready-made bytes, so that a token costs it little more than the system call that sends it.
`GET /stats` tells what it has said, how late, and what that cost.
"""

import contextlib
import re
import select
import socket
import sys
import time
from collections import deque
from typing import NoReturn

import msgspec

from bench.answers import BEGINNING, FRAMES, Asked, asked_in, ending

MAX_REQUEST_BYTES = 64 * 2**20  # a long history; more is no request of ours
LATE_BUCKETS = 2001  # of a millisecond each; the last one holds whatever was later
TURN_TOKENS = 256  # unpaced, before sockets are looked at again
READ_BYTES = 64 * 2**10  # a larger buffer is mapped anew for every read
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_USAGE = re.compile(rb'"include_usage":\s*true')


class Stats(msgspec.Struct):
    """What was said since it started. `late[n]`: tokens that left n to n + 1 milliseconds after they were due."""

    answers: int = 0
    tokens: int = 0
    stalls: int = 0  # times that a socket took nothing
    cpu: float = 0.0  # seconds
    late: list[int] = msgspec.field(default_factory=lambda: [0] * LATE_BUCKETS)


class Stream:
    """One connection and the answer on its way."""

    __slots__ = ("asked", "buffer", "due", "open", "place", "rest", "sock", "usage")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = bytearray()  # of the request
        self.rest = b""  # of what the socket did not take
        self.asked = Asked(0, 0)
        self.place = 0
        self.due = 0.0
        self.usage = False
        self.open = True


class Upstream:
    """Serves until it is killed."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._streams: dict[int, Stream] = {}
        self._paced: dict[int, deque[Stream]] = {}  # by gap: each queue is in the order in which they are due
        self._unpaced: deque[Stream] = deque()
        self._stats = Stats()

    def serve(self) -> NoReturn:
        """Answer whoever asks."""
        while True:
            for descriptor, event in self._poll.poll(self._wait()):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif (stream := self._streams.get(descriptor)) is not None:
                    self._look(stream, event)
            for gap, queue in self._paced.items():
                self._tell_due(gap / 1e6, queue)
            self._tell_unpaced()

    def _wait(self) -> float:
        """Seconds until the next token is due; -1: nobody waits for one."""
        if self._unpaced:
            return 0
        due = min((queue[0].due for queue in self._paced.values() if queue), default=None)
        return -1 if due is None else max(0.0, due - time.perf_counter())

    # ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = self._listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._streams[sock.fileno()] = Stream(sock)
                self._poll.register(sock, select.EPOLLIN)

    def _look(self, stream: Stream, event: int) -> None:
        if event & select.EPOLLOUT and stream.rest:
            self._write_rest(stream)
        if event & ~select.EPOLLOUT and stream.open:
            self._read(stream)

    def _read(self, stream: Stream) -> None:
        try:
            data = stream.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        stream.buffer += data
        if not data or len(stream.buffer) > MAX_REQUEST_BYTES:
            self._close(stream)
            return
        head = stream.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(stream.buffer, 0, head)
        end = head + 4 + (int(length[1]) if length else 0)
        if len(stream.buffer) >= end:
            request = bytes(stream.buffer[:end])
            del stream.buffer[:end]
            self._answer(stream, request)

    def _close(self, stream: Stream) -> None:
        stream.open = False
        self._streams.pop(stream.sock.fileno(), None)
        stream.sock.close()  # which takes it out of the poll

    # ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, stream: Stream, request: bytes) -> None:
        asked = asked_in(request)
        if asked is None:
            self._send(stream, self._other(request))
            return
        stream.asked = asked
        stream.place = 0
        stream.usage = _USAGE.search(request) is not None
        stream.due = time.perf_counter() + asked.gap / 1e6
        self._stats.answers += 1
        self._send(stream, BEGINNING)
        self._queue(stream)

    def _other(self, request: bytes) -> bytes:
        if request.startswith(b"GET /stats "):
            self._stats.cpu = time.process_time()
            body = msgspec.json.encode(self._stats)
        elif b" /v1/models" in request.partition(b"\r\n")[0]:
            body = b'{"object":"list","data":[{"id":"gpt-3.5-turbo","object":"model"}]}'
        else:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    def _queue(self, stream: Stream) -> None:
        if not stream.open or stream.rest:
            return  # a socket that is full goes on where it was once it takes more
        gap = stream.asked.gap
        if gap == 0:
            self._unpaced.append(stream)
        else:
            self._paced.setdefault(gap, deque()).append(stream)

    def _tell_due(self, gap: float, queue: deque[Stream]) -> None:
        late = self._stats.late
        now = time.perf_counter()
        while queue and queue[0].due <= now:
            stream = queue.popleft()
            if stream.open and self._tell(stream):
                now = time.perf_counter()
                late[min(int((now - stream.due) * 1000), LATE_BUCKETS - 1)] += 1
                stream.due += gap
                self._queue(stream)

    def _tell_unpaced(self) -> None:
        """One frame a write, each stream in its turn: a model never says two tokens in one packet because it can."""
        for _ in range(min(len(self._unpaced), TURN_TOKENS)):
            stream = self._unpaced.popleft()
            if stream.open and self._tell(stream):
                self._queue(stream)

    def _tell(self, stream: Stream) -> bool:
        """Say the next token; whether another follows."""
        tokens, _, variant = stream.asked
        frame = FRAMES[(stream.place + variant) % len(FRAMES)]
        stream.place += 1
        self._stats.tokens += 1
        if stream.place < tokens:
            self._send(stream, frame)
            return True
        self._send(stream, frame)
        self._send(stream, ending(tokens, usage=stream.usage))
        return False

    def _send(self, stream: Stream, data: bytes) -> None:
        if not stream.open:
            return
        if stream.rest:
            stream.rest += data
            return
        try:
            sent = stream.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(stream)
            return
        if sent < len(data):
            self._stats.stalls += 1
            stream.rest = data[sent:]
            self._poll.modify(stream.sock, select.EPOLLIN | select.EPOLLOUT)

    def _write_rest(self, stream: Stream) -> None:
        data, stream.rest = stream.rest, b""
        self._send(stream, data)
        if stream.rest or not stream.open:
            return
        self._poll.modify(stream.sock, select.EPOLLIN)
        if stream.place < stream.asked.tokens:
            stream.due = max(stream.due, time.perf_counter())
            self._queue(stream)


if __name__ == "__main__":
    Upstream(int(sys.argv[1])).serve()
