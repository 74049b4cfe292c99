"""Log to message and back: pure functions over values."""

from collections.abc import Iterable, Iterator, Sequence

from app.models import Part, PartKind, Piece, pieces_of


def fold(pieces: Iterable[Piece]) -> tuple[Part, ...]:
    """The parts that `pieces`, whole and in order, make up."""
    parts: list[tuple[PartKind, list[str]]] = []
    number = -1
    texts: list[str] = []
    for piece in pieces:
        if piece.part != number:
            number, texts = piece.part, []
            parts.append((piece.kind, texts))
        texts.append(piece.text)
    return tuple(Part(kind, "".join(texts)) for kind, texts in parts)


def whole(prefix: Sequence[Part], pieces: Iterable[Piece]) -> tuple[Part, ...]:
    """An answer that began with `prefix` and went on with `pieces`, which count from the answer's start."""
    return fold(_unbroken((*unfold(prefix), *pieces)))


def _unbroken(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """`pieces` up to the first that does not go on where the one before it ended."""
    part, offset = 0, 0
    for piece in pieces:
        if (piece.part, piece.offset) not in ((part, offset), (part + 1, 0)):
            return
        yield piece
        part, offset = piece.part, piece.end


def unfold(parts: Sequence[Part]) -> Iterator[Piece]:
    """The pieces of a saved message, as its log would have given them in the fewest frames."""
    for number, part in enumerate(parts):
        yield from pieces_of(number, part.kind, 0, part.text)


def rest(pieces: Sequence[Piece], parts: Sequence[Part]) -> Iterator[Piece]:
    """What `parts`, a saved message, say after `pieces`, which are its beginning."""
    last = pieces[-1] if pieces else None
    for piece in unfold(parts):
        if last is None or piece.part > last.part:
            yield piece
        elif piece.part == last.part and piece.end > last.end:
            read = max(0, last.end - piece.offset)
            yield Piece(piece.part, piece.kind, piece.offset + read, piece.text[read:])
