"""A document is cut into the same pieces wherever its bytes are cut, and what is no document is refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocols import json_pieces
from app.protocols.json_pieces import Beginning, Broken, Entry, Member, Piece, Rest, Shape, Splitter

LISTED = Shape("conversations", "messages", named=False)
NAMED = Shape("", "mapping", named=True)


def lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)


texts = st.text(st.sampled_from('"\\{}[],: \n가😀a'), max_size=6)
values = st.recursive(st.none() | st.booleans() | st.integers(-5, 5) | texts, lists, max_leaves=6)
objects = st.dictionaries(texts, values, max_size=3)


def without(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return objects.map(lambda value: {name: one for name, one in value.items() if name not in names})


def pieces(shape: Shape, text: bytes, size: int = 10_000) -> list[Piece]:
    return list(Splitter(shape).pieces(_chunks(text, size)))


def _chunks(text: bytes, size: int) -> Iterator[bytes]:
    return (text[start : start + size] for start in range(0, len(text), size))


def spelled(value: Any, data: st.DataObject) -> bytes:
    indent = data.draw(st.sampled_from([None, 1]))
    return json.dumps(value, ensure_ascii=data.draw(st.booleans()), indent=indent).encode()


def put_together(found: list[Piece]) -> tuple[Any, list[Any], list[list[tuple[str, Any]]]]:
    """The document, its entries, and the members of each, as they are in the pieces."""
    entries: list[Any] = []
    members: list[list[tuple[str, Any]]] = [[]]
    document: Any = None
    for piece in found:
        match piece:
            case Member(number, name, text):
                assert number == len(entries)
                members[-1].append((name, json.loads(text)))
            case Entry(number, text):
                assert number == len(entries)
                entries.append(json.loads(text))
                members.append([])
            case Rest(text, _):
                document = json.loads(text)
            case Beginning(text):
                json.loads(text)
    return document, entries, members[:-1]


@given(
    without("conversations"), without("conversations"), st.lists(st.tuples(without("messages"), st.lists(objects))),
    st.integers(1, 40), st.data(),
)  # fmt: skip
def test_a_document_with_a_list_of_members_is_cut_into_its_pieces(
    before: dict[str, Any],
    after: dict[str, Any],
    entries: list[tuple[dict[str, Any], list[dict[str, Any]]]],
    size: int,
    data: st.DataObject,
) -> None:
    listed = [{**entry, "messages": members} for entry, members in entries]
    document = {**before, "conversations": listed, **{name: one for name, one in after.items() if name not in before}}
    found = put_together(pieces(LISTED, spelled(document, data), size))
    assert found == (
        {**document, "conversations": []},
        [{**entry, "messages": []} for entry, _ in entries],
        [[(str(number), member) for number, member in enumerate(members)] for _, members in entries],
    )


@given(
    st.lists(st.tuples(without("mapping"), st.dictionaries(texts, objects, max_size=3))), st.integers(1, 40), st.data()
)
def test_a_document_with_named_members_is_cut_into_its_pieces(
    entries: list[tuple[dict[str, Any], dict[str, dict[str, Any]]]], size: int, data: st.DataObject
) -> None:
    document = [{"mapping": members, **entry} for entry, members in entries]
    _, found, members = put_together(pieces(NAMED, spelled(document, data), size))
    assert found == [{"mapping": {}, **entry} for entry, _ in entries]
    assert [[(json.loads(f'"{name}"'), value) for name, value in some] for some in members] == [
        list(some.items()) for _, some in entries
    ]


BROKEN = [
    b"[",
    b"[{}",
    b'[{"a',
    b'[{"a\\',
    b"[1]",
    b"[[]]",
    b"[{},]",
    b"[,{}]",
    b"[{}{}]",
    b"[{};{}]",
    b"]",
    b"{}]",
    b'[{"mapping":{"a":1}}]',
    b'[{"mapping":{{}}}]',
    b'[{"mapping":{"a":{}"b":{}}}]',
    b'[{"mapping":{"a"{}}}]',
    b'[{"mapping":{},"mapping":{}}]',
    b"[" * 100,
    b'[{"a":' + b"[" * 100,
]


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:30].decode())
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_is_no_such_document_is_refused(text: bytes, size: int) -> None:
    with pytest.raises(Broken, match=r"Nothing was imported\.$"):
        pieces(NAMED, text, size)


@pytest.mark.parametrize("text", [b'{"conversations":[{"messages":[1]}]}', b'{"conversations":[],"conversations":[]}'])
def test_neither_is_one_with_something_else_in_its_lists(text: bytes) -> None:
    with pytest.raises(Broken):
        pieces(LISTED, text)


def endless(start: bytes, more: bytes) -> Iterator[bytes]:
    yield start
    while True:
        yield more


@pytest.mark.parametrize(
    "start",
    [b'{"x":"', b'{"conversations":[{"x":"', b'{"conversations":[{"messages":[{"x":"', b'{"conversations":[{},  '],
    ids=["the document", "an entry", "a member", "between two"],
)
def test_no_piece_grows_beyond_its_bound(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_MEMBER_BYTES", "MAX_ENTRY_BYTES", "MAX_OUTSIDE_BYTES", "MAX_GAP_BYTES"):
        monkeypatch.setattr(json_pieces, name, 10_000)
    with pytest.raises(Broken, match="longer than"):
        list(Splitter(LISTED).pieces(endless(start, b" " * 1000)))


@pytest.mark.parametrize(
    ("start", "more"),
    [(b'{"conversations":[{"messages":[{}', b",{}" * 100), (b'{"conversations":[{"x":[0', b",0" * 1000)],
    ids=["of many members", "of one long value"],
)
def test_an_entry_has_a_bound_for_all_that_is_in_it(start: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pieces, "MAX_MEMBERS", 500)
    monkeypatch.setattr(json_pieces, "MAX_ENTRY_BYTES", 100_000)
    with pytest.raises(Broken, match=r"longer than|more than 500"):
        list(Splitter(LISTED).pieces(endless(start, more)))


def test_it_says_where() -> None:
    text = b'{"conversations":[{},{"messages":[{},{"deep":' + b"[" * 70
    with pytest.raises(Broken, match=r"^conversations\[1\]\.messages\[1\]: It is nested deeper than 64 levels\."):
        pieces(LISTED, text)
