"""A file that is broken anywhere is refused, and it is said where; one that is not is read whole."""

import io
import json
from typing import Any

import pytest

from app.clock import rfc3339
from app.protocols.json_pieces import Broken
from app.services.import_file import Found, NotAnExport, read
from app.services.skipped import Skipped
from tests.support.files import an_id, chain, conversation, document, message, spelled
from tests.support.server import BACKEND

MOST = 1000  # characters of a message


def found(file: Any, max_chars: int = MOST) -> list[Found]:
    """What is in a file, of bytes or of a value."""
    body = file if isinstance(file, bytes) else spelled(file)
    return list(read(io.BytesIO(body), "ann", max_chars, lambda: None))


def with_message(**more: Any) -> dict[str, Any]:
    """A document whose second conversation has a third message with these fields."""
    return document(chain("a", 1), conversation("b", [*chain("b", 2)["messages"], {**message(2, of="b"), **more}]))


def with_conversation(**more: Any) -> dict[str, Any]:
    """A document whose second conversation has these fields."""
    return document(chain("a", 1), chain("b", 2) | more)


THIRD = "conversations[1].messages[2]"
ONE = spelled(document(chain("a", 1, "x")))
FIRST = "conversations[0].messages[0]"
MISSHAPEN = {
    "no text": (b"", "The file"),
    "only space": (b" \n", "The file"),
    "a number": (b"7", "The file"),
    "something else's list": (b"[1]", "The file"),
    "another service's list": (b'[{"chat_messages": []}]', "The file"),
    "another object": (b'{"a": 1}', "The file"),
    "another format": (document() | {"format": "other"}, "The file"),
    "no format": ({"version": 1, "conversations": []}, "The file"),
    "no version": ({"format": "ai-chat-service", "conversations": []}, "The file"),
    "a newer version": (document(chain("a", 1), version=2), "version"),
    "a version that is none": (document(version=0), "version"),
    "no conversations": ({"format": "ai-chat-service", "version": 1}, "The file"),
    "conversations that are no list": (document() | {"conversations": {}}, "The file"),
    "a cut-off file": (spelled(document(chain("a", 3)))[:-200], "The file"),
    "garbage after it": (spelled(document()) + b"x", "The file"),
    "a second document": (spelled(document()) * 2, "The file"),
    "NaN": (spelled(with_conversation(temperature=float("nan"))), "conversations[1]"),
    "a number beyond all": (ONE.replace(b'"max_tokens": null', b'"max_tokens": 1e999'), "conversations[0].max_tokens"),
    "a string with a line end": (ONE.replace(b"x 0", b"x\n0"), FIRST),
    "bytes that are no UTF-8": (ONE.replace(b"x 0", b"x\xff"), FIRST),
    "a nesting bomb": (spelled(with_message(more=0)).replace(b'"more": 0', b'"more": ' + b"[" * 100_000), THIRD),
    "an id that is none": (with_message(id="short"), f"{THIRD}.id"),
    "an id with a line end": (with_message(id="a" * 26 + "\n"), f"{THIRD}.id"),
    "an id twice": (with_message(id=chain("b", 2)["messages"][0]["id"]), f"{THIRD}.id"),
    "a conversation twice": (document(chain("a", 1), chain("a", 1)), "conversations[1].id"),
    "an unknown parent": (with_message(parent_id=an_id("nowhere")), f"{THIRD}.parent_id"),
    "a parent in another conversation": (with_message(parent_id=message(0)["id"]), f"{THIRD}.parent_id"),
    "itself as parent": (with_message(parent_id=message(2, of="b")["id"]), f"{THIRD}.parent_id"),
    "an unknown role": (with_message(role="system"), f"{THIRD}.role"),
    "an unknown kind of part": (with_message(parts=[{"type": "image", "text": ""}]), f"{THIRD}.parts[0].type"),
    "a part without text": (with_message(parts=[{"type": "text"}]), f"{THIRD}.parts[0]"),
    "no parts": (with_message(parts=None), f"{THIRD}.parts"),
    "a text that is too long": (with_message(parts=[{"type": "text", "text": "x" * 501}] * 2), THIRD),
    "a time that is none": (with_message(created_at="yesterday"), f"{THIRD}.created_at"),
    "a time without a zone": (with_message(created_at="2026-01-01T00:00:00"), f"{THIRD}.created_at"),
    "a day that is none": (with_message(created_at="2026-02-30T00:00:00Z"), f"{THIRD}.created_at"),
    "a time before 1970": (with_message(created_at="1969-12-31T23:59:59Z"), f"{THIRD}.created_at"),
    "a time after 2200": (with_message(created_at="2200-01-01T00:00:00Z"), f"{THIRD}.created_at"),
    "a reason that is none": (with_message(finish_reason="bored"), f"{THIRD}.finish_reason"),
    "an error without a code": (with_message(error={"message": "", "retryable": True}), f"{THIRD}.error"),
    "less than no tokens": (with_message(usage={"input_tokens": -1}), f"{THIRD}.usage.input_tokens"),
    "a joint with nothing": (with_message(joint={"message_id": an_id("x"), "part": 0, "offset": 0}), f"{THIRD}.joint"),
    "a head that is not there": (with_conversation(head_id=an_id("nowhere")), "conversations[1].head_id"),
    "a title that is too long": (with_conversation(title="x" * 201), "conversations[1].title"),
    "a temperature that is none": (with_conversation(temperature=2.1), "conversations[1].temperature"),
    "a flag that is none": (with_conversation(pinned=1), "conversations[1].pinned"),
    "a conversation's time": (with_conversation(updated_at="soon"), "conversations[1]"),
    "messages that are no list": (with_conversation(messages={}), "conversations[1].messages"),
    "messages under a name in disguise": (ONE.replace(b"messages", b"m\\u0065ssages"), "conversations[0].messages"),
    "a mapping that is none": (b'[{"mapping": []}]', "[0]"),
    "messages that are none": (with_conversation(messages=["hello"]), "conversations[1]"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSHAPEN)
def test_what_is_broken_is_refused_and_it_is_said_where(name: str) -> None:
    file, where = MISSHAPEN[name]
    with pytest.raises(Broken) as caught:
        found(file)
    assert caught.value.message.startswith(f"{where}: "), caught.value.message
    assert caught.value.message.endswith(". Nothing was imported.")
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "name",
    [
        "a number",
        "something else's list",
        "another service's list",
        "another object",
        "another format",
        "no format",
    ],
)
def test_what_is_no_export_at_all_is_told_by_a_code_of_its_own(name: str) -> None:
    with pytest.raises(NotAnExport):
        found(MISSHAPEN[name][0])


def test_a_newer_version_is_refused_before_its_conversations_are_looked_at() -> None:
    with pytest.raises(Broken, match="newer version of this service"):
        found(document(conversation("a", head_id=5), version=2))


def test_a_circle_is_refused() -> None:
    one, two = message(0), message(1)
    with pytest.raises(Broken, match=r"^conversations\[0\]\.messages\[0\]\.parent_id: .* in a circle"):
        found(document(conversation("a", [{**one, "parent_id": two["id"]}, {**two, "parent_id": one["id"]}])))


def test_what_it_does_not_know_is_left_out_and_what_is_not_there_is_as_always() -> None:
    short = {name: chain("a", 1)[name] for name in ("id", "title", "created_at", "updated_at")}
    one = {name: message(0)[name] for name in ("id", "role", "parent_id", "parts", "created_at")}
    part = {"type": "text", "text": "x", "lang": "en"}
    (only,) = found(document({**short, "messages": [{**one, "parts": [part], "stars": 5}], "tags": []}, by="me"))
    assert only.conversation is not None
    assert (only.conversation.titled, only.conversation.head_id, only.messages[0].text) == ("given", None, "x")


def test_what_cannot_be_stored_is_replaced_wherever_it_stands() -> None:
    text = "\\u0000 \\ud800 \\udc00x \\ud83d\\ude00 \ufffe"
    file = json.dumps(document(chain("a", 1, "TEXT", title="TEXT"))).replace("TEXT", text).encode()
    (only,) = found(file)
    assert only.conversation is not None
    assert only.messages[0].text == "\ufffd \ufffd \ufffdx 😀 \ufffe 0"
    assert only.conversation.title == "\ufffd \ufffd \ufffdx 😀 \ufffe"


def test_times_of_any_zone_are_the_same_moment() -> None:
    for spelled_time in (
        "2026-01-01T09:00:00.123456+09:00",
        "2026-01-01t00:00:00.123z",
        "2025-12-31T20:00:00.123-04:00",
    ):
        (only,) = found(document(conversation("a", [message(0, created_at=spelled_time)])))
        assert rfc3339(only.messages[0].created_at) == "2026-01-01T00:00:00.123Z"


def test_a_byte_order_mark_and_space_around_are_no_harm() -> None:
    assert len(found(b"\xef\xbb\xbf \n" + spelled(document(chain("a", 1))) + b"\n ")) == 1


def test_order_does_not_matter() -> None:
    one = dict(reversed(chain("a", 3).items()))
    one["messages"] = one["messages"][::-1]
    (only,) = found(dict(reversed(document(one).items())))
    assert [message.depth for message in only.messages] == [0, 1, 2]


CHATS = [
    {
        "title": "One",
        "create_time": 1_700_000_000,
        "id": "c-1",
        "mapping": {
            'odd "name" \\': {
                "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["안녕 \ud800"]}}
            },
            "b": {
                "parent": 'odd "name" \\',
                "message": {
                    "author": {"role": "assistant"},
                    "content": {"content_type": "multimodal_text", "parts": ["Hi.", {"content_type": "image"}]},
                },
            },
        },
        "current_node": "b",
    },
    {"title": "Two", "id": "c-2", "mapping": {}},
]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_file_of_chatgpt_is_read_and_what_is_left_behind_is_said_by_place(ascii_only: bool) -> None:
    file = json.dumps(CHATS, ensure_ascii=ascii_only, indent=1).encode("utf-8", "surrogatepass")
    if not ascii_only:
        with pytest.raises(Broken, match=r"It is not JSON"):  # a lone surrogate in UTF-8 is no UTF-8
            found(file)
        file = file.replace("\ud800".encode("utf-8", "surrogatepass"), "\ufffd".encode())
    one, two = found(file)
    assert [message.text for message in one.messages] == ["안녕 \ufffd", "Hi."]
    assert one.messages[1].parent_id == one.messages[0].id
    assert one.skipped == (Skipped("[0].mapping[b]", "kind", "image"),)
    assert (two.conversation, two.skipped) == (None, (Skipped("[1]", "no_text"),))


def test_an_empty_list_is_an_export_without_conversations() -> None:
    assert found(b"[]") == found(document()) == []


def test_reading_stops_where_it_is_told_to() -> None:
    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough

    with pytest.raises(Enough):
        list(read(io.BytesIO(spelled(document(*(chain(str(number), 50) for number in range(50))))), "ann", MOST, stop))


@pytest.mark.parametrize("page", ["moving-in-and-out.md", "moving-in-and-out.ko.md"])
def test_the_example_in_the_documentation_is_such_a_file(page: str) -> None:
    text = (BACKEND.parent / "docs" / page).read_text("utf-8")
    example = next(block for block in text.split("```json\n") if block.startswith('{"format"'))
    (only,) = found(example.partition("```")[0].encode())
    assert [message.role for message in only.messages] == ["user", "assistant"]
