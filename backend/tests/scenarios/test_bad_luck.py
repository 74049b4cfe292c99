"""Whatever is thrown at one request or one run, the process lives, and everyone else is served as before."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.client import Client, client_of
from tests.support.faulty import BREAK, COLLECT, faulty
from tests.support.fixtures import Serve
from tests.support.script import Hang, Send, Status, Step, say
from tests.support.server import Server
from tests.support.upstream import Upstream

WORDS = [f"{number} 가나다 " for number in range(60)]
WHOLE = "".join(WORDS)


async def test_bad_requests_of_every_kind_on_every_route_are_refused_and_the_process_lives(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream
) -> None:
    schema = (await shared_client.request("GET", "/openapi.json")).json
    pid = shared_server.pid
    bodies = [
        b"",
        b"{",
        b"[[[[",
        b"null",
        b"\xff\xfe",
        b'{"message": NaN}',
        b"[" * 5000,
        b'{"message": 1e999}',
        b"\0" * 100,
    ]
    for path in [*schema["paths"], "/", "/nowhere"]:
        for method in ("DELETE", "PUT", "PATCH", "POST", "OPTIONS", "BREW"):
            for body in bodies:
                target = path.replace("{run_id}", "x" * 26)
                headers = {"Content-Type": "application/json"}
                reply = await shared_client.request(method, target, body=body, headers=headers)
                assert 400 <= reply.status < 500, (method, target, body, reply)
    assert (shared_server.running, shared_server.pid) == (True, pid)
    assert shared_upstream.calls == 0
    assert (await shared_client.ask("Still there?")).text == "Hello there"


@pytest.mark.parametrize("steps", [[Hang()], [Status(), Hang()], [Status(), Send(b'data: {"cho'), Hang()]])
async def test_stopped_at_any_moment_the_upstream_is_closed_and_the_log_is_clean(
    shared_server: Server, shared_client: Client, shared_upstream: Upstream, steps: Sequence[Step]
) -> None:
    """An unclean generator would say so in the log, which is read when the service has ended."""
    shared_upstream.script(*steps)
    reader = await shared_client.open_chat("Stop me.")
    seen = await shared_upstream.request()
    assert (await shared_client.cancel(reader.headers["X-Run-Id"])).status == 202
    await seen.is_closed()
    assert (await shared_client.ended(reader.headers["X-Run-Id"]))["status"] == "cancelled"
    assert "ignored GeneratorExit" not in shared_server.log


async def test_readers_that_leave_at_any_moment_disturb_nothing(
    shared_client: Client, shared_upstream: Upstream
) -> None:
    shared_upstream.otherwise(*say(*WORDS, pause=0.001))
    whole = await shared_client.open_chat("Leave me.")
    reply = await whole.read()
    run_id = whole.headers["X-Run-Id"]

    async def leave(after: int) -> None:
        stream = await shared_client.open_chat(f"Leave {after}.")
        await stream.read_until(body=min(after, len(reply.body) // 2))
        stream.drop() if after % 2 else stream.close()

    await asyncio.gather(*(leave(after) for after in range(0, 600, 15)))
    assert (await shared_client.follow(run_id)).text == WHOLE


async def test_no_answer_is_lost_to_the_garbage_collector(serve: Serve, upstream: Upstream) -> None:
    upstream.otherwise(*say(*WORDS, pause=0.01))
    async with faulty(serve, COLLECT) as server, client_of(server.port) as client:
        dropped = [await client.ask(f"Dropped {number}", until=1) for number in range(5)]
        answers = await asyncio.gather(*(client.ask(f"Question {number}") for number in range(10)))
        assert [answer.text for answer in answers] == [WHOLE] * 10
        for answer in dropped:
            assert (await client.ended(answer.run_id))["status"] == "completed"
            assert (await client.follow(answer.run_id)).text == WHOLE
    assert upstream.calls == 15


async def test_a_mistake_of_ours_ends_one_run_or_one_request_and_not_the_process(
    serve: Serve, upstream: Upstream
) -> None:
    upstream.otherwise(*say(*WORDS, pause=0.01))
    async with faulty(serve, BREAK) as server, client_of(server.port) as client:
        others = [asyncio.create_task(client.ask(f"Question {number}")) for number in range(5)]
        broken = await client.ask("Break the run.")
        assert (broken.done, WHOLE.startswith(broken.text), (broken.error or {})["code"]) == (True, True, "internal")
        await next(seen for seen in upstream.requests if seen.question == "Break the run.").is_closed()
        reply = await client.run(broken.run_id)
        assert (reply.status, reply.json["code"]) == (500, "internal")
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert [(await one).text for one in others] == [WHOLE] * 5
        assert (await client.ask("And now?")).text == WHOLE
        again = await client.follow(broken.run_id)
        assert (again.text, (again.error or {})["code"], again.done) == (broken.text, "internal", True)
        assert server.running
        assert b"private words" not in reply.body + broken.body
        assert "run.broke" in server.log
        assert "request.broke" in server.log
        assert "private words" not in server.log
