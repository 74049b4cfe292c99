"""What was exported and is imported is the same, word for word, and adding it twice adds nothing."""

from typing import Any

from tests.support.client import Client
from tests.support.files import chain, conversation, document, exported, in_order, message, take

LISTED = "/api/conversations"


def tree() -> dict[str, Any]:
    """A conversation with two branches, and all that a message can say."""
    first = message(0, "안녕하세요? 😀\n\n```py\nprint(1)\n```")
    half = message(
        1,
        "네, ",
        parent=first["id"],
        model="scripted/one",
        error={"code": "upstream_interrupted", "message": "It broke off.", "retryable": True},
        usage={"input_tokens": 3, "output_tokens": 2, "reasoning_tokens": 1, "cached_tokens": 0},
        left_out=2,
    )
    whole = message(
        3,
        parent=first["id"],
        parts=[{"type": "reasoning", "text": "흠…"}, {"type": "text", "text": "네, 안녕하세요!"}],
        model="scripted/two",
        finish_reason="stop",
        joint={"message_id": half["id"], "part": 0, "offset": 3},
    )
    return conversation(
        "tree",
        [first, half, whole],
        title="인사 😀",
        titled="model",
        model="scripted/one",
        system="Be kind.\n",
        temperature=0.5,
        max_tokens=77,
        pinned=True,
        archived=True,
        head_id=half["id"],
    )


async def test_what_is_imported_is_exported_word_for_word(client: Client) -> None:
    given = [tree(), chain("b", 7), conversation("empty")]
    reply = await take(client, document(*given))
    assert (reply.status, reply.json) == (200, {"conversations": 3, "messages": 10, "skipped": []})
    assert await exported(client) == in_order(given)
    for one in given:
        assert await exported(client, one["id"]) == in_order([one])
