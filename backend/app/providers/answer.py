"""The bytes of one streamed answer to its deltas, up to its end or its failure."""

from app.errors import ProviderError, UpstreamInterrupted, UpstreamProtocol
from app.models import Delta, FinishDelta
from app.providers.chunks import ChunkReader
from app.providers.sse import Event, LineTooLong, SSEDecoder

MAX_LINE_BYTES = 2**20  # a chunk has a few hundred bytes; past this it is an attack or not the protocol

MAX_DONE_BYTES = 64  # of `[DONE]` and the white space around it: no chunk is copied to look for it
_NAMES = (b"", b"message", b"error")

INTERRUPTED = "The connection to the model broke off. What it said is kept; try again or go on from there."


class AnswerReader:
    """Feed it what the socket gave. It raises nothing: `failure` comes after the deltas that were there before it."""

    def __init__(self) -> None:
        self.failure: ProviderError | None = None
        self.finished = False  # the model said why it stopped: from here on an end of the stream is no accident
        self.over = False  # [DONE] was seen: nothing that follows counts
        self._decoder = SSEDecoder(MAX_LINE_BYTES)
        self._chunks = ChunkReader()

    def feed(self, received: bytes) -> list[Delta]:
        """The deltas that `received` completes."""
        deltas: list[Delta] = []
        data = self._decoder.only(received)
        if data is not None:
            self._read(data, deltas)
            return deltas
        try:
            self._take(self._decoder.feed(received), deltas)
        except LineTooLong:
            self._fail(UpstreamProtocol())
        return deltas

    def end(self) -> list[Delta]:
        """The last deltas, once the stream has ended without [DONE]."""
        deltas: list[Delta] = []
        self._take(self._decoder.flush(), deltas)
        deltas += self._chunks.flush()
        if not self.finished:
            self._fail(UpstreamInterrupted(INTERRUPTED))
        return deltas

    def whole(self, document: bytes) -> list[Delta]:
        """The deltas of an answer that came as one JSON document."""
        deltas: list[Delta] = []
        self._take([Event(document)], deltas)
        if not self._chunks.recognized:
            self._fail(UpstreamProtocol())
        deltas += self.end() if self.failure is None else []
        self.over = self.failure is None
        return deltas

    def _take(self, events: list[Event], deltas: list[Delta]) -> None:
        for event in events:
            data = event.data
            if len(data) < MAX_DONE_BYTES and data.strip() == b"[DONE]":
                deltas += self._chunks.flush()
                if not self.finished:  # some servers say [DONE] and never why
                    self.finished = True
                    deltas.append(FinishDelta("stop"))
                self.over = True
                return
            is_heartbeat = not data or data.isspace()
            if event.name in _NAMES and not is_heartbeat and not self._read(data, deltas):
                return

    def _read(self, data: bytes, deltas: list[Delta]) -> bool:
        chunks = self._chunks
        try:
            chunks.read(data, deltas)
        except ProviderError as error:
            self.finished = self.finished or chunks.finished
            self._fail(error)
            return False
        if chunks.finished:
            self.finished = True
        return True

    def _fail(self, error: ProviderError) -> None:
        if self.finished:
            self.over = True  # what goes wrong after the end does not undo the answer
        elif self.failure is None:
            self.failure = error
