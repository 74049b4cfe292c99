"""One reader of the load: its connection, and what it was told there."""

import contextlib
import socket
from itertools import accumulate

import msgspec

from bench.answers import Asked
from bench.wire import LAST_CHUNK, Broken, Head, Wire, body_of, characters, text_of


class Answer:
    """What one request was answered, as it came."""

    __slots__ = ("asked", "chunks", "ended_at", "first", "head", "last", "number", "received", "sent_at", "times")

    def __init__(self, number: int, asked: Asked, sent_at: float) -> None:
        self.number = number  # of its question
        self.asked = asked
        self.sent_at = sent_at
        self.chunks: list[bytes] = []
        self.received = 0  # bytes
        self.ended_at = 0.0
        self.last = b""  # at least as much of its end as tells whether it is the end
        self.head: Head | None = None
        self.first = 0.0  # when its first text came
        self.times: list[float] = []  # of every read from the first text on

    def take(self, data: bytes) -> None:
        """More of it.

        Raises:
            Broken: it does not begin as a response does.
        """
        self.chunks.append(data)
        self.received += len(data)
        self.last = data if len(data) >= len(LAST_CHUNK) else self.last + data
        if self.head is None:
            self.head = Head.read(b"".join(self.chunks))

    @property
    def over(self) -> bool:
        """Whether all of it is here."""
        head = self.head
        if head is None:
            return False
        if head.chunked:
            return self.last.endswith(LAST_CHUNK)
        return head.length is not None and self.received >= head.size + head.length

    @property
    def refused(self) -> bool:
        """Whether the server said that it cannot now."""
        return self.head is not None and self.head.status in {429, 503}

    def check(self, wire: Wire) -> None:
        """Compare it with what was asked for.

        Raises:
            Broken: it is not exactly that.
        """
        head = self.head
        if head is None or head.status != 200:
            raise Broken(f"status {head.status if head else 'unknown'}")
        try:
            text = text_of(body_of(head, b"".join(self.chunks)), wire)
        except (ValueError, KeyError, msgspec.DecodeError) as error:
            raise Broken(f"it cannot be parsed: {error}") from error
        if text != self.asked.text:
            raise Broken(f"{len(text)} characters of text instead of {len(self.asked.text)}, or others")

    def progress(self) -> list[tuple[int, float]]:
        """How many characters there were after each read that brought some, and when that was."""
        known = len(self.chunks) - len(self.times)
        ends = accumulate(map(len, self.chunks[known:]), initial=sum(map(len, self.chunks[:known])))
        next(ends)
        frames, made = characters(b"".join(self.chunks)), 0
        found: list[tuple[int, float]] = []
        frame = next(frames, None)
        for end, time in zip(ends, self.times, strict=True):
            before = made
            while frame is not None and frame[0] <= end:
                made += frame[1]
                frame = next(frames, None)
            if made > before:
                found.append((made, time))
        return found


class Reader:
    """A connection on which one answer after the other is read."""

    __slots__ = ("answer", "connecting", "descriptor", "follows", "port", "sock")

    def __init__(self, port: int, answer: Answer) -> None:
        self.port = port
        self.answer = answer
        self.connecting = True
        self.follows = ""  # the id of a run that it reads, if it asked for none itself
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.descriptor = self.sock.fileno()
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(("127.0.0.1", port))

    def send(self, request: bytes) -> None:
        """Send a request. One that the socket does not take at once is waited for.

        Raises:
            OSError: the connection is gone.
        """
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self.sock.send(request)
        if sent < len(request):
            self.sock.settimeout(5)
            self.sock.sendall(request[sent:])
            self.sock.setblocking(False)
