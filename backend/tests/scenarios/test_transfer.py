"""Conversations out of one service and into another, or back again: nothing lost, nothing twice, nothing half."""

import asyncio
import signal
from typing import Any

import pytest

from app.clock import rfc3339
from tests.support import sockets
from tests.support.client import CHAT, Client, read_answer
from tests.support.files import (
    EXPORT,
    chain,
    conversation,
    document,
    exported,
    in_order,
    message,
    spelled,
    take,
)
from tests.support.fixtures import Serve
from tests.support.invariants import check
from tests.support.problems import refused
from tests.support.script import say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.waiting import until

LISTED = "/api/conversations"
NOTHING = {"conversations": 0, "messages": 0, "skipped": []}


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


async def ask_in(client: Client, conversation_id: str, question: str) -> str:
    """Ask in a conversation; the answer."""
    stream = await client.open_stream("POST", CHAT, json={"message": question, "conversation_id": conversation_id})
    answer = await read_answer(stream, bare=True)
    assert (answer.status, answer.done, answer.error) == (200, True, None)
    return answer.text


async def remove_all(client: Client) -> None:
    for one in await exported(client):
        assert (await client.request("DELETE", f"{LISTED}/{one['id']}")).status == 204


@pytest.fixture
async def empty(shared_client: Client) -> Client:
    """A client of the shared service, which holds no conversation."""
    await remove_all(shared_client)
    return shared_client


# ── There and back ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_imported_is_exported_word_for_word_and_twice_is_once(empty: Client) -> None:
    given = [tree(), chain("b", 7), conversation("empty")]
    reply = await take(empty, document(*given))
    assert (reply.status, reply.json) == (200, {"conversations": 3, "messages": 10, "skipped": []})
    assert await exported(empty) == in_order(given)
    for one in given:
        assert await exported(empty, one["id"]) == in_order([one])
    assert (await take(empty, document(*given))).json == NOTHING
    assert await exported(empty) == in_order(given)


async def test_what_was_asked_here_comes_back_after_it_was_deleted(empty: Client, shared_upstream: Upstream) -> None:
    shared_upstream.otherwise(*say("안녕", " 😀"))
    conversation_id = (await empty.request("POST", LISTED, json={"title": "Mine", "system": "Be kind."})).json["id"]
    await ask_in(empty, conversation_id, "Hello?")
    await ask_in(empty, conversation_id, "Again?")
    page = (await empty.request("GET", f"{LISTED}/{conversation_id}/messages")).json["items"]
    again = f"{LISTED}/{conversation_id}/messages/{page[1]['id']}/regenerate"
    await read_answer(await empty.open_stream("POST", again), bare=True)
    file = (await empty.request("GET", EXPORT)).body
    before = await exported(empty)
    assert [len(one["messages"]) for one in before] == [5]
    await remove_all(empty)
    assert (await empty.request("GET", LISTED)).json["items"] == []
    assert (await take(empty, file)).json == {"conversations": 1, "messages": 5, "skipped": []}
    assert await exported(empty) == before
    found = (await empty.request("GET", "/api/search", query={"q": "안녕"})).json["items"]
    assert len(found) == 3
    assert (await take(empty, file)).json == NOTHING
    assert await ask_in(empty, conversation_id, "Still there?") == "안녕 😀"


async def test_one_goes_on_with_what_was_imported_and_imports_again_beside_it(empty: Client) -> None:
    full = chain("a", 4)
    await take(empty, document({**full, "messages": full["messages"][:2], "head_id": full["messages"][1]["id"]}))
    await ask_in(empty, full["id"], "And here?")
    assert (await take(empty, document(full))).json == {"conversations": 0, "messages": 2, "skipped": []}
    (now,) = await exported(empty)
    assert len(now["messages"]) == 6
    shown = (await empty.request("GET", f"{LISTED}/{full['id']}/messages")).json["items"]
    assert [one["parts"][0]["text"] for one in shown] == ["Message 0", "Message 1", "And here?", "Hello there"]
    below = [one["id"] for one in now["messages"] if one["parent_id"] == full["messages"][1]["id"]]
    assert sorted(shown[2]["siblings"]) == sorted(below)
    assert len(below) == 2


async def test_what_is_temporary_is_exported_only_by_its_name(empty: Client) -> None:
    conversation_id = (await empty.request("POST", LISTED, json={"temporary": True})).json["id"]
    await ask_in(empty, conversation_id, "Between us")
    assert await exported(empty) == []
    (one,) = await exported(empty, conversation_id)
    assert {message["parts"][0]["text"] for message in one["messages"]} == {"Between us", "Hello there"}


async def test_an_answer_that_is_being_written_is_left_out_and_its_question_stays(
    empty: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.script(*say("one ", "two", gate="words"))
    shared_upstream.open("words", 1)
    full = chain("a", 2)
    await take(empty, document(full))
    stream = await empty.open_stream("POST", CHAT, json={"message": "Count.", "conversation_id": full["id"]})
    await stream.read_until(body=1)
    for path in (None, full["id"]):
        (now,) = await exported(empty, path)
        assert [one["parts"][0]["text"] for one in now["messages"]] == ["Message 0", "Message 1", "Count."]
        assert now["head_id"] == now["messages"][-1]["id"]
    text = (await empty.request("GET", f"{LISTED}/{full['id']}/export?format=markdown")).text
    assert text.endswith("## User\n\nCount.\n")
    file = (await empty.request("GET", EXPORT)).body
    shared_upstream.open("words")
    assert (await read_answer(stream, bare=True)).done
    assert (await take(empty, file)).json == NOTHING
    (now,) = await exported(empty)
    assert len(now["messages"]) == 4
    assert now["head_id"] == now["messages"][-1]["id"], "an import does not move it back"


async def test_a_file_of_chatgpt_is_taken_and_what_is_left_behind_is_said(empty: Client) -> None:
    pictures = {"content_type": "multimodal_text", "parts": ["Look", *[{"content_type": "image"}]]}
    nodes: dict[str, Any] = {
        f"n{number}": {
            "parent": f"n{number - 1}" if number else None,
            "message": {
                "author": {"role": "assistant" if number % 2 else "user"},
                "create_time": 1_700_000_000.5 + number,
                "content": pictures,
                "metadata": {"model_slug": "gpt-4o"},
            },
        }
        for number in range(1200)
    }
    file = [{"id": "c", "title": "사진", "create_time": 1_700_000_000, "mapping": nodes, "current_node": "n1199"}]
    reply = (await take(empty, file)).json
    assert (reply["conversations"], reply["messages"], len(reply["skipped"])) == (1, 1200, 1001)
    assert reply["skipped"][0] == {
        "where": "[0].mapping[n0]",
        "code": "kind",
        "kind": "image",
        "number": None,
        "why": "A part of the kind image is not taken over.",
    }
    assert reply["skipped"][-1] == {"where": "", "code": "more", "kind": None, "number": 200, "why": "And 200 more."}
    (one,) = (await empty.request("GET", LISTED)).json["items"]
    assert (one["title"], one["created_at"]) == ("사진", rfc3339(1_700_000_000_000))
    page = (await empty.request("GET", f"{LISTED}/{one['id']}/messages", query={"limit": "2"})).json["items"]
    assert [(item["role"], item["model"], item["created_at"]) for item in page] == [
        ("user", None, rfc3339(1_700_001_198_500)),
        ("assistant", "gpt-4o", rfc3339(1_700_001_199_500)),
    ]
    assert [(one["conversations"], one["messages"]) for one in [(await take(empty, file)).json]] == [(0, 0)]


async def test_the_live_list_hears_of_what_comes_in(empty: Client) -> None:
    events = await empty.open_stream("GET", "/api/events")
    await events.read_until(events=1)
    await take(empty, document(chain("a", 3)))
    name = chain("a", 3)["id"]
    await events.read_until(when=lambda stream: name.encode() in stream.body)
    events.close()


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_has_a_name_a_kind_and_is_kept_by_nobody_else(empty: Client) -> None:
    one = tree()
    await take(empty, document(one))
    for path, name, kind in (
        (EXPORT, "conversations-", "application/json"),
        (f"{LISTED}/{one['id']}/export", f"conversation-{one['id']}.json", "application/json"),
        (
            f"{LISTED}/{one['id']}/export?format=markdown",
            f"conversation-{one['id']}.md",
            "text/markdown; charset=utf-8",
        ),
    ):
        reply = await empty.request("GET", path)
        assert reply.headers["Content-Disposition"].startswith(f'attachment; filename="{name}')
        assert (reply.headers["Content-Type"], reply.headers["Cache-Control"]) == (kind, "no-store")
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    head = await empty.request("HEAD", EXPORT)
    assert (head.status, head.headers["Allow"], head.body) == (405, "GET", b"")


async def test_a_document_of_ours_says_what_it_is(empty: Client) -> None:
    await take(empty, document(chain("a", 1)))
    file = (await empty.request("GET", EXPORT)).json
    assert (file["format"], file["version"]) == ("ai-chat-service", 1)
    assert file["exported_at"] > rfc3339(1_700_000_000_000)


async def test_the_branch_shown_is_exported_as_markdown(empty: Client) -> None:
    await take(empty, document(tree()))
    reply = await empty.request("GET", f"{LISTED}/{tree()['id']}/export?format=markdown")
    assert reply.text == (
        "# 인사 😀\n"
        "\n## User\n\n안녕하세요? 😀\n\n```py\nprint(1)\n```\n"
        "\n## Assistant (scripted/one)\n\n네,\n\n> **Not finished:** It broke off.\n"
    )


async def test_nothing_of_a_file_is_in_the_log(empty: Client, shared_server: Server) -> None:
    secret = "canary in the text"
    await take(empty, document(chain("a", 3, secret, title=secret)))
    await take(empty, spelled(document(chain("a", 3, secret)))[:-5])
    await exported(empty)
    assert secret not in shared_server.log
    assert "import.ended" in shared_server.log


# ── Beside live answers ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_large_import_and_a_live_answer_both_come_to_their_end(
    empty: Client, shared_upstream: Upstream
) -> None:
    words = [f"{number} " for number in range(300)]
    shared_upstream.script(*say(*words, pause=0.005))
    file = spelled(document(*(chain(str(number), 20, "말씀 하신 대로 " * 20) for number in range(100))))
    answer = asyncio.create_task(empty.ask("Count."))
    await shared_upstream.request()
    reply = await take(empty, file)
    assert (reply.status, reply.json["messages"]) == (200, 2000)
    told = await answer
    assert (told.text, told.done, told.error) == ("".join(words), True, None)
    assert len(await exported(empty)) == 100


async def test_killed_in_the_middle_the_same_file_again_makes_it_whole(serve: Serve) -> None:
    given = [chain("long", 400, "긴 이야기 " * 10), *(chain(str(number), 5) for number in range(40))]
    server = await serve(FAILPOINT="app.store.transfer:_write@4")
    client = Client(server.port)
    with pytest.raises((ConnectionError, AssertionError)):
        await take(client, document(*given))
    await until(lambda: not server.running, "it kills itself")
    client.close()
    await server.restart(FAILPOINT=None)
    half = sum(len(one["messages"]) for one in await exported(client))
    assert 0 < half < 600
    reply = await take(client, document(*given))
    assert (reply.status, reply.json["messages"]) == (200, 600 - half)
    assert await exported(client) == in_order(given)
    for one in given[:3]:
        shown = (await client.request("GET", f"{LISTED}/{one['id']}/messages")).json["items"]
        assert shown[-1]["id"] == one["messages"][-1]["id"]
    assert len((await client.request("GET", "/api/search", query={"q": "이야기", "limit": "100"})).json["items"]) == 100
    client.close()
    await server.close()
    assert check(server.database).search == 600 + len(given)


async def test_while_it_stops_nothing_more_is_taken_in(serve: Serve, upstream: Upstream) -> None:
    upstream.script(*say("one ", "two", gate="words"))
    upstream.open("words", 1)
    server = await serve(DRAIN_SECONDS="20")
    client = Client(server.port)
    stream = await client.open_chat("Count.")
    await stream.read_until(when=lambda stream: b"one" in stream.body)
    body = spelled(document(chain("a", 3)))
    head = (
        b"POST /api/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    sending = await client.wire(head % len(body) + body[:10])
    await sockets.taken(sending._sock)  # a connection without a request would be closed
    server.send_signal(signal.SIGTERM)
    await until(lambda: is_closed(server.port), "it listens no more")
    await sending.write(body[10:])
    reply = await (await sending.opened()).read()
    assert refused(reply, 503)["code"] == "draining"
    upstream.open("words")
    assert (await read_answer(stream)).done
    await server.wait()
    client.close()
    await server.start()
    assert await exported(client) == []


async def is_closed(port: int) -> bool:
    try:
        (await sockets.connected(port)).close()
    except ConnectionRefusedError:
        return True
    return False
