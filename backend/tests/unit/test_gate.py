"""Who may come in, where no test on one machine can come from: other machines, sockets without an address, a prefix."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.settings import Settings
from app.web.middleware import Gate


async def status(settings: Any = None, **scope: Any) -> int:
    """What the gate answers to a request with this scope; 200 where it lets it in."""
    answers: list[Message] = []

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answers.append(message)

    settings = settings or Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
    whole = {
        "type": "http",
        "method": "GET",
        "path": "/api/models",
        "headers": [(b"host", b"localhost:8000")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        **scope,
    }
    await Gate(inside, settings)(whole, receive, send)
    return answers[0]["status"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_comes_in(address: str) -> None:
    assert await status(client=(address, 50000)) == 200


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.1", "::ffff:203.0.113.9", "2001:db8::1", "unknown", ""])
async def test_other_machines_do_not(address: str) -> None:
    assert await status(client=(address, 50000)) == 421


async def test_a_peer_without_an_address_comes_in_only_by_a_file_s_socket() -> None:
    assert await status(client=None, server=("/run/chat.sock", None)) == 200
    assert await status(client=None, server=("0.0.0.0", 8000)) == 421  # it hid its address by leaving
    assert await status(client=None, server=None) == 421


async def test_a_prefix_of_a_proxy_changes_nothing() -> None:
    prefix = {"root_path": "/chat", "path": "/chat/api/chat/stream"}
    navigation = [
        (b"sec-fetch-site", b"cross-site"),
        (b"sec-fetch-mode", b"navigate"),
        (b"sec-fetch-dest", b"document"),
    ]
    host = (b"host", b"localhost")
    assert await status(**prefix, headers=[host]) == 200
    assert await status(**prefix, headers=[host, *navigation]) == 403
    assert await status(**prefix, headers=[host, (b"sec-purpose", b"prefetch")]) == 403
    assert await status(root_path="/chat", path="/chat/docs", headers=[host, *navigation]) == 200
    assert await status(root_path="/chat", path="/chat/health", headers=[(b"host", b"192.0.2.1")]) == 200


async def test_numbers_are_for_this_machine_and_other_machines_are_refused_as_everywhere() -> None:
    own = [(b"host", b"127.0.0.1:8000")]
    assert await status(path="/metrics", headers=own) == 200
    assert await status(path="/metrics", headers=own, client=("203.0.113.9", 50000)) == 421
    assert await status(path="/metrics", headers=own, client=None, server=None) == 421
    assert await status(path="/metrics", headers=[(b"host", b"203.0.113.9")]) == 421
    assert await status(path="/metrics/", headers=own) == 200  # nothing of ours; the router says so


async def test_where_other_machines_may_come_in_they_find_no_numbers() -> None:
    let_in = Settings(_env_file=None, allow_insecure=True, allowed_hosts=("chat.example.org", "127.0.0.1"))  # pyright: ignore[reportCallIssue]
    far = {"client": ("203.0.113.9", 50000), "settings": let_in}
    for host in (b"chat.example.org", b"127.0.0.1"):
        assert await status(path="/metrics", headers=[(b"host", host)], **far) == 404
    assert await status(path="/metrics", headers=[(b"host", b"chat.example.org")], settings=let_in) == 404
    assert await status(path="/metrics", headers=[(b"host", b"127.0.0.1")], settings=let_in) == 200


async def test_with_accounts_numbers_stay_for_this_machine() -> None:
    signed_in = Settings(_env_file=None, accounts=True, allowed_hosts=("chat.example.org", "127.0.0.1"))  # pyright: ignore[reportCallIssue]
    own = {"headers": [(b"host", b"127.0.0.1")], "settings": signed_in}
    assert await status(path="/metrics", **own) == 200
    assert await status(path="/metrics", client=("203.0.113.9", 50000), **own) == 404
    assert await status(path="/metrics", headers=[(b"host", b"chat.example.org")], settings=signed_in) == 404
