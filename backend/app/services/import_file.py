"""A file to the conversations in it, each checked whole. Blocks, for a worker's thread; two readings give the same."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

import msgspec

from app.models import Conversation, Message, storable
from app.protocols import transfer
from app.protocols.json_pieces import Beginning, Broken, Entry, Member, Piece, Rest, Shape, Splitter
from app.services import chatgpt
from app.services.skipped import Skipped
from app.services.tree_order import NoTree, grown

OURS = Shape("conversations", "messages", named=False)
CHATGPT = Shape("", "mapping", named=True)

CHUNK_BYTES = 64 * 1024  # small, so that the loop gets the interpreter in between
BREATHE_SECONDS = 0.002  # of work, after which the loop gets it for sure
BREATH_SECONDS = 0.00005  # shorter than what it costs to ask
MAX_CONVERSATIONS = 1_000_000  # in a file: so many ids are remembered, to find one that is used twice
MAX_SHOWN_CHARS = 200  # of a reason that quotes the file

_BOM = b"\xef\xbb\xbf"

T = TypeVar("T")


class Found(NamedTuple):
    """A conversation of a file: its messages are a tree, each after those it needs."""

    place: str
    conversation: Conversation | None  # None: nothing of it is taken over
    messages: Sequence[Message]
    skipped: Sequence[Skipped]


class NotAnExport(Broken):
    """The file is none that can be imported."""

    code = "not_an_export"

    def __init__(self) -> None:
        super().__init__("", "This is neither an export of this service nor ChatGPT's conversations.json.")


def read(file: BinaryIO, owner_id: str, max_chars: int, go_on: Callable[[], None]) -> Iterator[Found]:
    """The conversations of `file`. No message may have more than `max_chars` characters.

    `go_on` is called now and then; what it raises ends the reading.

    Raises:
        NotAnExport: the file is neither an export of ours nor one of ChatGPT's.
        Broken: something in it cannot be.
    """
    file.seek(0)
    first = file.read(CHUNK_BYTES)
    # An object, or a list of objects: its first two signs, white space aside.
    signs = b"".join(first.removeprefix(_BOM).split(maxsplit=2))[:2]
    if not signs:
        raise Broken("", "It is empty.")
    ours = signs.startswith(b"{")
    if not ours and signs not in (b"[{", b"[]", b"["):
        raise NotAnExport
    reader = _Ours(owner_id, max_chars) if ours else _ChatGPT(owner_id, max_chars)
    pieces = Splitter(OURS if ours else CHATGPT).pieces(_chunks(file, first.removeprefix(_BOM)))
    ids: set[bytes] = set()
    since = time.perf_counter()
    for piece in pieces:
        found = reader.take(piece)
        if found is not None:
            if ours:
                _check_once(found, ids)
            yield found
        if time.perf_counter() - since > BREATHE_SECONDS:
            go_on()
            time.sleep(BREATH_SECONDS)
            since = time.perf_counter()


def _chunks(file: BinaryIO, first: bytes) -> Iterator[bytes]:
    yield first
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _check_once(found: Found, ids: set[bytes]) -> None:
    assert found.conversation is not None
    mark = blake2b(found.conversation.id.encode(), digest_size=8).digest()
    if mark in ids:
        raise Broken(f"{found.place}.id", "Another conversation of the file has it, too.")
    if len(ids) >= MAX_CONVERSATIONS:
        raise Broken(found.place, f"The file has more than {MAX_CONVERSATIONS:,} conversations. Split it.")
    ids.add(mark)


# ── Our own ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Ours:
    def __init__(self, owner_id: str, max_chars: int) -> None:
        self._owner_id = owner_id
        self._max_chars = max_chars
        self._messages: list[Message] = []
        self._message = msgspec.json.Decoder(transfer.MessageRecord)
        self._conversation = msgspec.json.Decoder(transfer.EmptiedRecord)
        self._beginning = msgspec.json.Decoder(transfer.BeginningRecord)
        self._format = msgspec.json.Decoder(transfer.FormatRecord)
        self._document = msgspec.json.Decoder(transfer.DocumentRecord)

    def take(self, piece: Piece) -> Found | None:
        """What this piece completes."""
        match piece:
            case Member(number, name, text):
                self._messages.append(self._message_of(OURS.place(number, name), text))
                return None
            case Entry(number, text):
                return self._found(OURS.place(number), text)
            case Beginning(text):
                beginning = _decoded("", text, self._beginning)
                if beginning.format != transfer.FORMAT:
                    raise NotAnExport
                _check_version(beginning.version)
                return None
            case Rest(text, listed):
                if _decoded("", text, self._format).format != transfer.FORMAT:
                    raise NotAnExport
                _check_version(_decoded("", text, self._document).version)
                if not listed:
                    raise Broken("", "It has no list of `conversations`.")
                return None

    def _message_of(self, place: str, text: bytes) -> Message:
        record = _decoded(place, text, self._message)
        if sum(len(part.text) for part in record.parts) > self._max_chars:
            raise Broken(place, f"It has more than {self._max_chars:,} characters, which is `MAX_OUTPUT_CHARS`.")
        try:
            return transfer.message_of(record, "")
        except ValueError:
            raise Broken(f"{place}.created_at", "It is no time of RFC 3339 between 1970 and 2200.") from None

    def _found(self, place: str, text: bytes) -> Found:
        record = _decoded(place, text, self._conversation)
        messages, self._messages = self._messages, []
        try:
            conversation = transfer.conversation_of(record, self._owner_id)
        except ValueError:
            raise Broken(place, "Its times are none of RFC 3339 between 1970 and 2200.") from None
        try:
            tree = grown(messages)
        except NoTree as error:
            raise Broken(f"{place}.messages[{error.number}].{error.field}", error.why) from None
        if conversation.head_id is not None and conversation.head_id not in {message.id for message in tree}:
            raise Broken(f"{place}.head_id", "There is no such message in this conversation.")
        return Found(place, conversation, tree, ())


def _check_version(version: int) -> None:
    if version > transfer.VERSION:
        raise Broken(
            "version",
            f"The file was written by a newer version of this service (format {version}). "
            "Import it there, or bring this one up to date.",
        )


# ── ChatGPT's ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _ChatGPT:
    def __init__(self, owner_id: str, max_chars: int) -> None:
        self._owner_id = owner_id
        self._max_chars = max_chars
        self._nodes: list[chatgpt.Node] = []
        self._object = msgspec.json.Decoder(dict[str, Any])
        self._list = msgspec.json.Decoder(list[Any])

    def take(self, piece: Piece) -> Found | None:
        """What this piece completes."""
        match piece:
            case Member(number, name, text):
                value = _decoded(CHATGPT.place(number, name), text, self._object)
                self._nodes.append(chatgpt.node_of(_spelled(name), value))
                return None
            case Entry(number, text):
                return self._found(number, _decoded(CHATGPT.place(number), text, self._object))
            case Rest(text):
                _decoded("", text, self._list)
                return None
            case Beginning():
                return None

    def _found(self, number: int, value: dict[str, Any]) -> Found | None:
        place = CHATGPT.place(number)
        nodes, self._nodes = self._nodes, []
        if value.get("mapping") != {}:  # what was in it has been taken out
            raise Broken(place, "It has no messages under `mapping`.") if number or "mapping" in value else NotAnExport
        made = chatgpt.convert(value, nodes, self._owner_id, self._max_chars)
        skipped = tuple(one._replace(where=f"{place}{one.where}") for one in made.skipped)
        return Found(place, made.conversation, grown(made.messages), skipped)


def _spelled(name: str) -> str:
    """The name that a JSON string spells."""
    try:
        return msgspec.json.decode(f'"{name}"', type=str)
    except msgspec.DecodeError:
        return name


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _decoded(place: str, text: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """The value that `text` spells, in its shape; what cannot be stored in its strings replaced where JSON hides it."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _misshapen(place, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # lone surrogates are JSON, but not for msgspec
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_no_number, parse_int=_integer)
        return msgspec.convert(_storable(value), decoder.type)
    except msgspec.ValidationError as error:
        raise _misshapen(place, error) from None
    except ValueError:
        raise Broken(place, "It is not JSON.") from None


def _misshapen(place: str, error: msgspec.ValidationError) -> Broken:
    why, _, path = str(error).partition(" - at `$")
    return Broken((place + path.removesuffix("`")).lstrip("."), f"{why[:MAX_SHOWN_CHARS]}.")


def _storable(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list():
            return [_storable(item) for item in cast(list[Any], value)]
        case dict():
            items = cast(dict[str, Any], value).items()
            return {_storable(name): _storable(item) for name, item in items}
        case float() if not math.isfinite(value):
            raise ValueError
        case _:
            return value


def _no_number(constant: str) -> float:
    raise ValueError(constant)


def _integer(digits: str) -> int | float:
    """As msgspec takes it: what no column would hold is a float."""
    return int(digits) if len(digits) < 20 else float(digits)
