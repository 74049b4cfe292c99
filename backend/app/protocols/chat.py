"""The document's frames: `{"chunk": …}` and `{"done": true}`, in two dialects (api.md, 1)."""

import json

import msgspec

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.models import Ending, Piece

DONE = b'data: {"done": true}\n\n'
EMPTY = b'data: {"chunk": ""}\n\n'

_encode = msgspec.json.Encoder().encode


class BareChat:
    """One `data:` line a frame and nothing else, for clients that split on blank lines and strip `data: `."""

    name = "bare"
    heartbeat = EMPTY
    comes_back = False
    headers: tuple[tuple[str, str], ...] = ()

    def opening(self, log: LiveLog, cursor: Cursor) -> bytes:
        """See `WireFormat.opening`: nothing, the first frame is the first token."""
        return b""

    def piece(self, run_id: str, before: Piece | None, piece: Piece) -> bytes:
        """See `WireFormat.piece`. Reasoning is never in `chunk`."""
        return b'data: {"chunk": %b}\n\n' % _encode(piece.text) if piece.kind == "text" else b""

    def rest(self, run_id: str, piece: Piece, read: int) -> bytes:
        """See `WireFormat.rest`."""
        return b'data: {"chunk": %b}\n\n' % _encode(piece.text[read:]) if piece.kind == "text" else b""

    def note(self, log: LiveLog, cursor: str) -> bytes:
        """See `WireFormat.note`: there is no frame for it."""
        return b""

    def ending(self, log: LiveLog, told: int) -> bytes:
        """See `WireFormat.ending`."""
        assert log.ending is not None
        return _failure(log.run_id, log.ending) + DONE if told == 0 else DONE


class ResumableChat:
    """The same frames, each with the place after it, so that a reader can come back."""

    name = "chat"
    heartbeat = b": keepalive\n\n"
    comes_back = True
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, retry: int) -> None:
        """`retry`: how long a reader waits before it comes back, in milliseconds."""
        self._retry = retry

    def opening(self, log: LiveLog, cursor: Cursor) -> bytes:
        """See `WireFormat.opening`: the empty chunk arms `Last-Event-ID` (Firefox ignores an id without data)."""
        return b"retry: %d\nid: %b\n%b" % (self._retry, str(cursor).encode(), EMPTY)

    def piece(self, run_id: str, before: Piece | None, piece: Piece) -> bytes:
        """See `WireFormat.piece`."""
        return self.rest(run_id, piece, 0)

    def rest(self, run_id: str, piece: Piece, read: int) -> bytes:
        """See `WireFormat.rest`."""
        if piece.kind != "text":
            return b""
        text = piece.text[read:] if read else piece.text
        return b'id: %b-%d-%d\ndata: {"chunk": %b}\n\n' % (run_id.encode(), piece.part, piece.end, _encode(text))

    def note(self, log: LiveLog, cursor: str) -> bytes:
        """See `WireFormat.note`: there is no frame for it."""
        return b""

    def ending(self, log: LiveLog, told: int) -> bytes:
        """See `WireFormat.ending`."""
        assert log.ending is not None
        failure = _failure(log.run_id, log.ending) if told == 0 else b""
        if failure:
            failure = b"id: %b-end-1\n%b" % (log.run_id.encode(), failure)
        return b"%bid: %b-end-2\n%b" % (failure, log.run_id.encode(), DONE)


def _failure(run_id: str, ending: Ending) -> bytes:
    if ending.failure is None:
        return b""
    # A client that knows only `chunk` shows the sentence, as the document does.
    frame = {
        "chunk": f"Error: {ending.failure.message}",
        "error": {
            "code": ending.failure.code,
            "message": ending.failure.message,
            "retryable": ending.failure.retryable,
            "run_id": run_id,
        },
    }
    return b"data: %b\n\n" % json.dumps(frame, ensure_ascii=False).encode()
