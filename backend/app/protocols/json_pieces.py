"""A large JSON document to small ones, by its brackets: nothing is held but the piece that is being read.

A document has entries (conversations), an entry has members (its messages). Each member is handed out as the text of
one JSON object, after its last member the entry without them, at the end the document without its entries. Whoever
takes these texts parses them; what stands between them is checked here. So no byte goes unchecked, and no string,
however long, is held beyond the bound of its piece, which parsers that stream do not promise.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.errors import Invalid

MAX_NESTING = 64  # levels of brackets; foreign exports have up to 20
MAX_MEMBER_BYTES = 16 * 2**20  # of a message: a long text, escaped, and what a vendor says of it
MAX_ENTRY_BYTES = 128 * 2**20  # of a conversation, which is held whole: the text of a hundred novels
MAX_OUTSIDE_BYTES = 2**20  # of what a document or an entry says besides
MAX_GAP_BYTES = 4096  # between two pieces: a comma, white space, a name
MAX_MEMBERS = 200_000  # of an entry: small ones take more memory than they have bytes

_SPACE = rb"[ \t\r\n]*+"
# No group repeats possessively: Python before 3.11.5 gets that wrong (gh-106052). None of these goes back all the same,
# since what follows a group can never match what the group has taken.
_STRING_END = rb'[^"\\]*+(?:\\.[^"\\]*+)*"'
# Over whole strings to the next bracket, else to a quote whose string does not end in this chunk, else to its end.
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"' + _STRING_END + rb')*(["\[\]{}]|\Z)', re.DOTALL)
_TO_QUOTE = re.compile(_STRING_END, re.DOTALL)
_NAME = rb'"([^"\\]*+(?:\\.[^"\\]*+)*)"' + _SPACE + b":" + _SPACE


class Broken(Invalid):
    """The file cannot be taken."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where or 'The file'}: {why} Nothing was imported.")


class Shape(NamedTuple):
    """Where a document has its entries, and an entry its members."""

    entries: str  # the name of the list of entries; empty: the document is that list
    members: str
    named: bool  # whether each member stands under a name, or they are a list

    def place(self, entry: int | None = None, member: str | None = None) -> str:
        """A place in such a document, for a person. A member goes by its number, or its name as it is spelled."""
        if entry is None:
            return self.entries
        place = f"{self.entries}[{entry}]"
        return place if member is None else f"{place}.{self.members}[{member[:80]}]"


class Member(NamedTuple):
    """One of the members of entry number `entry`."""

    entry: int
    name: str  # or its number
    text: bytes


class Entry(NamedTuple):
    """An entry without its members, which came before it."""

    number: int
    text: bytes


class Beginning(NamedTuple):
    """The document as far as its entries, as if there were none and it ended with them."""

    text: bytes


class Rest(NamedTuple):
    """The document without its entries."""

    text: bytes
    listed: bool  # whether it has a list of entries


Piece = Beginning | Member | Entry | Rest


class _Items:
    """The entries or the members, while they are being read."""

    def __init__(self, bracket: bytes, depth: int) -> None:
        self.bracket = bracket
        self.depth = depth  # inside their bracket
        self.count = 0
        self.gap = bytearray()  # what stands before the next one

    def next_name(self) -> str | None:
        """The name, or the number, of the one that begins; None where a comma or the name is missing."""
        comma = _SPACE + b"," + _SPACE if self.count else _SPACE
        named = self.bracket == b"{"
        match = re.fullmatch(comma + _NAME if named else comma, self.gap, re.DOTALL)
        if match is None:
            return None
        name = match[1].decode("utf-8", "replace") if named else str(self.count)
        self.gap.clear()
        self.count += 1
        return name


class Splitter:
    """Takes one document in chunks of any size and gives its pieces."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._heads = [
            re.compile(rb'.*[{,]%b"%b"%b:%b' % (_SPACE, name.encode(), _SPACE, _SPACE), re.DOTALL)
            for name in (shape.entries, shape.members)
        ]
        if not shape.entries:
            self._heads[0] = re.compile(_SPACE)
        self._depth = 0
        self._in_string = False
        self._escaped = False  # whether the chunk ended after a backslash
        self._texts = [bytearray()]  # of the document, the entry in it, the member in that
        self._lists: list[_Items] = []  # the entries, the members; between two items as many as texts
        self._seen = [False, False]  # whether the document has shown its entries, the entry its members
        self._entry_bytes = 0
        self._name = ""

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[Piece]:
        """The pieces of the document that `chunks` make up.

        Raises:
            Broken: what is between two pieces is not JSON, or one is too large or nested too deep. And what reading
                `chunks` raises.
        """
        for chunk in chunks:
            yield from self._feed(chunk)
        if self._depth or self._in_string:
            raise Broken("", "It ends in the middle.")
        yield Rest(bytes(self._texts[0]), self._seen[0])

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _feed(self, chunk: bytes) -> Iterator[Piece]:
        start, at = 0, self._string_end(chunk, 0) if self._in_string else 0
        while not self._in_string and (match := _TO_BRACKET.match(chunk, at)) is not None and match[1]:
            at, sign = match.end(), match[1]
            if sign == b'"':
                at = self._string_end(chunk, at)
                continue
            self._keep(chunk[start : at - 1])
            piece = self._open(sign) if sign in b"[{" else self._close(sign)
            start = at
            if piece is not None:
                yield piece
        self._keep(chunk[start:])

    def _string_end(self, chunk: bytes, start: int) -> int:
        """The place after the string that goes on at `start`, or the end of the chunk if it goes on in the next."""
        match = _TO_QUOTE.match(chunk, start + self._escaped)
        self._in_string = match is None
        if match is not None:
            self._escaped = False
            return match.end()
        rest = chunk[start + self._escaped :]
        self._escaped = (len(rest) - len(rest.rstrip(b"\\"))) % 2 == 1 if chunk else self._escaped
        return len(chunk)

    def _open(self, sign: bytes) -> Piece | None:
        items = self._lists[-1] if self._between_items() else None
        if items is not None:
            self._begin_item(items, sign)
        elif self._is_list(sign):
            return self._begin_list(sign)
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Broken(self._place(), f"It is nested deeper than {MAX_NESTING} levels.")
        self._keep(sign)
        return None

    def _close(self, sign: bytes) -> Piece | None:
        self._depth -= 1
        if self._between_items():
            items = self._lists.pop()
            if not re.fullmatch(_SPACE, items.gap):
                raise Broken(self._place(), "Something in this list is not an object.")
            self._keep(items.bracket + sign)
            return None
        self._keep(sign)
        if self._depth < 0:
            raise Broken("", "It is not JSON: a bracket closes that was not opened.")
        if not self._lists or self._depth != self._lists[-1].depth:
            return None
        number = self._lists[0].count - 1
        text = bytes(self._texts.pop())
        return Member(number, self._name, text) if len(self._lists) == 2 else Entry(number, text)

    # ── What a bracket means ────────────────────────────────────────────────────────────────────────────────────────

    def _between_items(self) -> bool:
        return len(self._texts) == len(self._lists)

    def _is_list(self, sign: bytes) -> bool:
        """Whether this is the bracket of the entries, or of the members."""
        level = len(self._lists)
        if level == 2 or sign != (b"{" if level == 1 and self._shape.named else b"["):
            return False
        own = self._lists[0].depth + 1 if level == 1 else int(bool(self._shape.entries))
        return self._depth == own and self._heads[level].fullmatch(self._texts[level]) is not None

    def _begin_list(self, sign: bytes) -> Piece | None:
        level = len(self._lists)
        if self._seen[level]:
            raise Broken(self._place(), "It has the same name twice.")
        self._seen[level] = True
        self._depth += 1
        self._lists.append(_Items(sign, self._depth))
        if level == 1:
            return None
        return Beginning(bytes(self._texts[0]) + (b"[]}" if self._shape.entries else b"[]"))

    def _begin_item(self, items: _Items, sign: bytes) -> None:
        name = items.next_name()
        if name is None or sign != b"{":
            raise Broken(self._place(), "Something in this list is not an object, or a comma is missing.")
        if len(self._lists) == 1:
            self._seen[1], self._entry_bytes = False, 0
        elif items.count > MAX_MEMBERS:
            raise Broken(self._place(), f"It has more than {MAX_MEMBERS:,} messages.")
        self._name = name
        self._texts.append(bytearray())

    def _keep(self, text: bytes) -> None:
        if self._between_items():
            kept, most = self._lists[-1].gap, MAX_GAP_BYTES
        else:
            kept, most = self._texts[-1], MAX_MEMBER_BYTES if len(self._texts) == 3 else MAX_OUTSIDE_BYTES
        kept += text
        self._entry_bytes += len(text)
        if len(kept) > most:
            raise Broken(self._place(), f"It is longer than {most:,} bytes.")
        if self._lists and self._entry_bytes > MAX_ENTRY_BYTES:
            raise Broken(self._place(), f"The conversation is longer than {MAX_ENTRY_BYTES:,} bytes.")

    def _place(self) -> str:
        if not self._lists:
            return ""
        number = self._lists[0].count - 1
        if number < 0 or len(self._texts) == 1:
            return self._shape.place()
        return self._shape.place(number, self._name if len(self._texts) == 3 else None)
