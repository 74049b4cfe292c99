"""What becomes of ChatGPT's conversations: the text and its branches, and a word about whatever is left behind."""

from collections.abc import Sequence
from typing import Any

from app.models import Message
from app.services.chatgpt import Made, convert, node_of
from app.services.skipped import Skipped
from app.services.tree_order import grown

NOW = 1_700_000_000.25  # seconds, as they write it


def node(parent: str | None, role: str | None = None, content: Any = None, at: float | None = None, **more: Any) -> Any:
    """A node as it stands in a mapping; without a role it has no message."""
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    message = {
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "content": content,
        "status": "finished_successfully",
        "end_turn": True,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
        **more,
    }
    return {"parent": parent, "message": message if role else None, "children": []}


def made(mapping: dict[str, Any], max_chars: int = 1000, owner: str = "ann", **more: Any) -> Made:
    """What becomes of a conversation with these nodes."""
    value = {"id": "c-1", "title": "A title", "create_time": NOW, "update_time": NOW + 60, "mapping": {}, **more}
    result = convert(value, [node_of(name, one) for name, one in mapping.items()], owner, max_chars)
    assert len(grown(result.messages)) == len(result.messages), "it is always a tree"
    return result


def outline(messages: Sequence[Message]) -> dict[str, str | None]:
    """The text of each message, and of the one that it follows."""
    texts = {message.id: message.text for message in messages}
    return {message.text: texts.get(message.parent_id or "") for message in messages}


def reasons(result: Made) -> dict[str, str]:
    return {one.where: one.why for one in result.skipped}


PLAIN = {
    "root": node(None),
    "system": node("root", "system", "", metadata={"is_visually_hidden_from_conversation": True}),
    "about": node(
        "system",
        "user",
        {"content_type": "user_editable_context", "user_profile": "I am."},
        metadata={"is_visually_hidden_from_conversation": True, "is_user_system_message": True},
    ),
    "q1": node("about", "user", "안녕? 😀", NOW + 1),
    "a1": node("q1", "assistant", "안녕하세요!", NOW + 2, metadata={"model_slug": "gpt-4o"}),
    "a1b": node(
        "q1",
        "assistant",
        "네.",
        NOW + 3,
        metadata={"model_slug": "o3", "finish_details": {"type": "max_tokens"}},
    ),
    "q2": node("a1", "user", "And then?", NOW + 4),
    "tool": node("q2", "tool", {"content_type": "execution_output", "text": "42"}, NOW + 5),
    "a2": node("tool", "assistant", "Then.", NOW + 6),
}


def test_text_branches_times_and_models_are_kept_and_what_says_nothing_is_passed_through() -> None:
    result = made(PLAIN, current_node="a2", default_model_slug="gpt-4", is_archived=True, is_starred=None)
    assert outline(result.messages) == {
        "안녕? 😀": None,
        "안녕하세요!": "안녕? 😀",
        "네.": "안녕? 😀",
        "And then?": "안녕하세요!",
        "Then.": "And then?",
    }
    told = {message.text: (message.role, message.model, message.finish_reason) for message in result.messages}
    assert told["안녕? 😀"] == ("user", None, None)
    assert told["안녕하세요!"] == ("assistant", "gpt-4o", "stop")
    assert told["네."] == ("assistant", "o3", "length")
    assert told["Then."] == ("assistant", "gpt-4", "stop")
    assert {message.text: message.created_at for message in result.messages}["And then?"] == 1_700_000_004_250
    conversation = result.conversation
    assert conversation is not None
    assert (conversation.title, conversation.titled, conversation.archived, conversation.pinned) == (
        "A title",
        "given",
        True,
        False,
    )
    assert (conversation.created_at, conversation.updated_at) == (1_700_000_000_250, 1_700_000_060_250)
    assert conversation.model is None, "theirs is none of our models"
    shown = next(message for message in result.messages if message.id == conversation.head_id)
    assert shown.text == "Then."
    assert result.skipped == []


def test_the_same_conversation_becomes_the_same_and_another_owner_s_another() -> None:
    assert made(PLAIN) == made(PLAIN)
    ours, theirs = made(PLAIN), made(PLAIN, owner="bob")
    ids = [
        {message.id for message in one.messages} | {one.conversation and one.conversation.id} for one in (ours, theirs)
    ]
    assert ids[0] & ids[1] == set()


def test_of_pictures_and_voice_the_text_is_kept_and_the_rest_is_said() -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1", "width": 10},
        {"content_type": "audio_transcription", "text": "What I said", "direction": "in"},
        {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://1"},
        "What is this?",
    ]
    only = [{"content_type": "image_asset_pointer"}]
    result = made(
        {
            "q": node(None, "user", {"content_type": "multimodal_text", "parts": parts}),
            "a": node("q", "assistant", {"content_type": "multimodal_text", "parts": only}),
            "b": node("a", "assistant", "A cat."),
        }
    )
    assert outline(result.messages) == {"What I said\nWhat is this?": None, "A cat.": "What I said\nWhat is this?"}
    assert result.skipped == [
        Skipped(".mapping[q]", "kind", "image_asset_pointer"),
        Skipped(".mapping[q]", "kind", "audio_asset_pointer"),
        Skipped(".mapping[a]", "kind", "image_asset_pointer"),
    ]


def test_thoughts_go_into_the_answer_that_follows() -> None:
    thoughts = [{"summary": "Looking", "content": "Hmm.", "chunks": []}, {"summary": "", "content": "Aha."}]
    result = made(
        {
            "q": node(None, "user", "Why?"),
            "t": node("q", "assistant", {"content_type": "thoughts", "thoughts": thoughts}),
            "tool": node("t", "tool", "found"),
            "r": node("tool", "assistant", {"content_type": "reasoning_recap", "content": "Thought for 3 seconds"}),
            "a": node("r", "assistant", "Because."),
        }
    )
    question, answer = result.messages
    assert (answer.parent_id, [(part.kind, part.text) for part in answer.parts]) == (
        question.id,
        [("reasoning", "Looking\nHmm.\n\nAha.\n\nThought for 3 seconds"), ("text", "Because.")],
    )
    assert result.skipped == []


def test_thoughts_that_no_answer_follows_or_several_are_said() -> None:
    def thought(parent: str, text: str) -> Any:
        return node(parent, "assistant", {"content_type": "thoughts", "thoughts": [{"content": text}]})

    result = made(
        {
            "q": node(None, "user", "Why?"),
            "split": thought("q", "which?"),
            "a": node("split", "assistant", "One."),
            "b": node("split", "assistant", "Two."),
            "last": thought("a", "nothing more"),
            "before": thought("b", "a question comes"),
            "q2": node("before", "user", "And?"),
        }
    )
    assert outline(result.messages) == {"Why?": None, "One.": "Why?", "Two.": "Why?", "And?": "Two."}
    assert all(part.kind == "text" for message in result.messages for part in message.parts)
    assert reasons(result) == {
        ".mapping[split]": "It was thought, and which answer it belongs to is not clear.",
        ".mapping[last]": "It was thought, and no answer follows it.",
        ".mapping[before]": "It was thought, and no answer follows it.",
    }


def test_code_stays_code() -> None:
    def code(text: str, language: str = "python") -> Any:
        return node(None, "assistant", {"content_type": "code", "language": language, "text": text})

    result = made({"a": code("print(1)"), "b": code("```\nx\n```", "unknown"), "c": code("  ")})
    assert [message.text for message in result.messages] == ["```python\nprint(1)\n```", "````\n```\nx\n```\n````"]


def test_missing_times_are_those_of_what_was_before() -> None:
    mapping = {
        "q": node(None, "user", "1"),
        "a": node("q", "assistant", "2", NOW + 5),
        "b": node("a", "user", "3"),
        "c": node("b", "assistant", "4", float("1e300")),
    }
    times = [message.created_at for message in made(mapping).messages]
    assert times == [1_700_000_000_250, *[1_700_000_005_250] * 3]
    timeless = made(mapping, create_time=None, update_time="yesterday").conversation
    assert timeless is not None
    assert (timeless.created_at, timeless.updated_at) == (1_700_000_005_250, 1_700_000_005_250)
    nowhere = made({"q": node(None, "user", "1")}, create_time=None, update_time=None)
    assert [message.created_at for message in nowhere.messages] == [0]


def test_a_circle_is_cut_and_said() -> None:
    result = made(
        {
            "q": node(None, "user", "Fine."),
            "x": node("z", "user", "X", NOW + 1),
            "y": node("x", "assistant", "Y", NOW + 2),
            "z": node("y", "user", "Z", NOW + 3),
            "self": node("self", "user", "Me", NOW + 4),
        }
    )
    assert outline(result.messages) == {"Fine.": None, "X": None, "Y": "X", "Z": "Y", "Me": None}
    assert reasons(result) == {
        ".mapping[x]": "What it follows goes in a circle, so it begins a branch.",
        ".mapping[self]": "What it follows goes in a circle, so it begins a branch.",
    }


def test_what_follows_nothing_that_is_there_begins_a_branch() -> None:
    result = made({"a": node("gone", "assistant", "Alone"), "b": node("a", "user", "With it")}, current_node="nowhere")
    assert outline(result.messages) == {"Alone": None, "With it": "Alone"}
    assert reasons(result) == {".mapping[a]": "What it follows is not in the file, so it begins a branch."}


def test_the_branch_shown_ends_at_the_nearest_message_that_is_kept() -> None:
    mapping = {
        "q": node(None, "user", "Q"),
        "a": node("q", "assistant", "A"),
        "b": node("q", "assistant", "B", NOW + 9),
        "tool": node("a", "tool", "…"),
    }
    for current, text in (("tool", "A"), ("a", "A"), (None, "B"), (7, "B")):
        result = made(mapping, current_node=current)
        assert result.conversation is not None
        assert next(one.text for one in result.messages if one.id == result.conversation.head_id) == text


def test_what_is_too_long_is_cut_and_said() -> None:
    thoughts = {"content_type": "thoughts", "thoughts": [{"content": "t" * 60}]}
    result = made(
        {
            "t": node(None, "assistant", thoughts),
            "a": node("t", "assistant", "x" * 60),
            "b": node("a", "user", "y" * 101),
        },
        max_chars=100,
        title="가" * 201,
    )
    assert result.conversation is not None
    assert result.conversation.title == "가" * 199 + "…"
    assert [[len(part.text) for part in message.parts] for message in result.messages] == [[40, 60], [100]]
    assert reasons(result) == {
        ".mapping[a]": "It is cut to 100 characters.",
        ".mapping[b]": "It is cut to 100 characters.",
        ".title": "It is cut to 200 characters.",
    }


def test_a_conversation_without_text_is_left_out_and_said() -> None:
    result = made({"root": node(None), "q": node("root", "user", "  \n")})
    assert (result.conversation, result.messages) == (None, ())
    assert result.skipped == [Skipped("", "no_text")]


def test_whatever_stands_in_a_node_it_is_read_as_far_as_it_can_be() -> None:
    odd = [
        {},
        {"message": 1},
        {"message": {"author": "me"}},
        {"message": {"author": {"role": ["user"]}}},
        {"message": {"author": {"role": "user"}, "content": "text"}},
        {"message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": "text"}}},
        {"message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [1, None, {"text": 2}]}}},
        {"message": {"author": {"role": "user"}, "content": {"content_type": 5}, "metadata": []}},
        {"message": {"author": {"role": "assistant"}, "content": {"content_type": "thoughts", "thoughts": [1]}}},
        {
            "parent": 7,
            "message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["A\0\ud800"]}},
        },
        {"message": {"author": {"role": "user"}, "create_time": True, "content": {"content_type": "new kind"}}},
    ]
    result = made(
        {str(number): one for number, one in enumerate(odd)}, title=3, id=None, create_time=[], update_time={}
    )
    assert [message.text for message in result.messages] == ["A\ufffd\ufffd"]
    assert reasons(result)[".mapping[10]"] == "A part of the kind new kind is not taken over."
