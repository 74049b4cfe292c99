"""Many models behind one service: listed, chosen by each request, asked with parameters of their own."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.catalogue import asked, lists, model_list, offers, serving, toml
from tests.support.client import CHAT, Client, read_answer
from tests.support.fixtures import Serve
from tests.support.outcome import outcome
from tests.support.problems import refused
from tests.support.script import Gate, Hang, error_status, say, serve_body
from tests.support.upstream import Upstream
from tests.support.waiting import until

SMOL = "embedded/smollm2-135m-instruct"


class Two:
    """Two endpoints."""

    def __init__(self, serve: Serve, folder: Path, one: Upstream, two: Upstream) -> None:
        self.one, self.two = one, two
        self.serve, self.folder = serve, folder


@pytest.fixture
async def two(serve: Serve, tmp_path: Path) -> AsyncGenerator[Two]:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(Upstream()) for _ in range(2)]
        yield Two(serve, tmp_path, one, other)
        one.hang_up()
        other.hang_up()


async def ids(client: Client) -> list[str]:
    """Of the models that are listed; the default comes first."""
    items = (await client.request("GET", "/api/models")).json["items"]
    assert [item["default"] for item in items] == [True] + [False] * (len(items) - 1)
    return [item["id"] for item in items]


async def ask(client: Client, **body: object) -> tuple[str, str]:
    """Who answered, and what."""
    stream = await client.open_stream(
        "POST", CHAT, json={"message": "Well?", **body}, headers=[("Accept", "text/event-stream")]
    )
    answer = await read_answer(stream)
    assert answer.done, answer
    return (await client.run(answer.run_id)).json["model"], answer.text


# ── Several at once ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_request_chooses_its_model_and_each_endpoint_gets_its_own_key(two: Two) -> None:
    text = toml('[models."a/x"]\nname = "Ex"\nnote = "n"\ncontext_window = 9000\n[models."b/y"]', a=two.one, b=two.two)
    keyed = text.replace(two.one.url + '"', two.one.url + '"\nkey_env = "A_KEY"')
    canary = two.serve.canary  # looked for in every log when the test is over
    client = Client((await serving(two.serve, two.folder, keyed, A_KEY=f"{canary}-a", B_KEY=f"{canary}-b")).port)
    two.one.otherwise(*say("from one"))
    two.two.otherwise(*say("from two"))
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "from one"}]
    assert await ask(client) == ("a/x", "from one")
    assert await ask(client, model="b/y", history=history) == ("b/y", "from two")
    assert await ask(client, model="x", history=history) == ("a/x", "from one")
    assert [seen.json["model"] for seen in two.one.requests] == ["x", "x"]
    assert [seen.json["model"] for seen in two.two.requests] == ["y"]
    assert two.one.requests[0].authorization == f"Bearer {canary}-a"
    assert two.two.requests[0].authorization is None
    listed = (await client.request("GET", "/api/models")).json
    assert listed == {
        "items": [
            {"id": "a/x", "name": "Ex", "provider": "a", "default": True, "context_window": 9000, "note": "n"},
            {"id": "b/y", "name": "y", "provider": "b", "default": False, "context_window": None, "note": None},
        ],
        "next": None,
    }
    assert canary not in json.dumps(listed)
    client.close()


async def test_a_model_s_own_parameters_go_between_the_request_s_and_the_settings(two: Two) -> None:
    text = toml('[models."a/x"]\nmax_tokens = 44\ntemperature = 0\n[models."b/y"]', a=two.one, b=two.two)
    client = Client((await serving(two.serve, two.folder, text, MAX_TOKENS="99")).port)
    for body in ({}, {"max_tokens": 7, "temperature": 2}, {"temperature": 0.1}):
        await ask(client, **body)
    await ask(client, model="b/y")
    sent = [(seen.json["max_tokens"], seen.json["temperature"]) for one in (two.one, two.two) for seen in one.requests]
    assert sent == [(44, 0), (7, 2), (44, 0.1), (99, 0.7)]
    client.close()


async def test_a_refused_parameter_is_remembered_of_that_model_alone(two: Two) -> None:
    client = Client((await serving(two.serve, two.folder, toml('[models."a/x"]\n[models."a/y"]', a=two.one))).port)
    two.one.script(*error_status(400, message="max_tokens is not supported"))
    await ask(client)
    await ask(client)
    await ask(client, model="a/y")
    fields = ["max_tokens" in seen.json for seen in two.one.requests]
    assert fields == [True, False, False, True]
    client.close()


async def test_the_embedded_model_stands_beside_others_and_the_variables_too(two: Two) -> None:
    text = toml('[providers.embedded]\nembedded = true\n[models."a/x"]', a=two.one)
    env = {"OPENAI_BASE_URL": two.two.url, "OPENAI_MODEL": "y"}
    server = await serving(two.serve, two.folder, text, **env)
    client = Client(server.port)
    assert await ids(client) == ["openai/y", SMOL, "a/x"]
    started = next(json.loads(line) for line in server.log.splitlines() if '"started"' in line)
    assert (started["model"], started["models"]) == ("openai/y", 3)
    assert (await ask(client), await ask(client, model="a/x")) == (("openai/y", "Hello there"), ("a/x", "Hello there"))
    client.close()


async def test_a_refusal_names_where_the_model_was_set_up(two: Two) -> None:
    text = toml('[models."a/x"]', a=two.one)
    server = await serving(two.serve, two.folder, text.replace("discover", 'key_env = "A_KEY"\ndiscover'), A_KEY="k")
    client = Client(server.port)
    told: list[str] = []
    for code in (401, 404):
        two.one.otherwise(*error_status(code))
        told.append((await outcome(client)).run["error"]["message"])
    assert "A_KEY" in told[0]
    assert "'x'" in told[1]
    assert not any("OPENAI" in sentence for sentence in told)
    client.close()


# ── Discovery ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_endpoints_list_can_be_asked(two: Two) -> None:
    offers(two.one, model_list("big", "small", "text-embedding-3"), say("from one"))
    offers(two.two, model_list("own"), say("from two"))
    text = toml('only = ["*g*"]\n', listed_b=two.two)
    text = 'default = "listed_a/small"\n' + toml(listed_a=two.one) + "\n" + text.replace("*g*", "o*")
    client = Client((await serving(two.serve, two.folder, text)).port)
    assert await ids(client) == ["listed_a/small", "listed_a/big", "listed_b/own"]
    assert await ask(client, model="listed_a/big") == ("listed_a/big", "from one")
    assert await ask(client, model="own") == ("listed_b/own", "from two")
    for _ in range(3):
        await ids(client)
    assert (lists(two.one), lists(two.two)) == (1, 1)
    client.close()


@pytest.mark.parametrize("late", ["hangs", "is a page", "is refused"])
async def test_a_list_that_does_not_come_holds_up_neither_the_start_nor_an_answer(two: Two, late: str) -> None:
    steps = {"hangs": [Hang()], "is a page": serve_body(b"<html>", content_type="text/html")}
    offers(two.one, steps.get(late, error_status(401, message=two.serve.canary)), say("one ", "two", gate="word"))
    offers(two.two, model_list("own"), say("from two"))
    text = toml('[models."listed_a/x"]\nfallbacks = ["listed_b/own"]', listed_a=two.one, listed_b=two.two)
    server = await serving(two.serve, two.folder, text)
    client = Client(server.port)
    loop = asyncio.get_running_loop()
    stream = await client.open_chat("Well?")
    two.one.open("word", 1)
    await two.one.at_gate("word", 2)
    began = loop.time()
    assert await ids(client) == ["listed_a/x", "listed_b/own"]
    assert loop.time() - began < 4
    two.one.open("word")
    answer = await read_answer(stream)
    assert (answer.text, answer.done) == ("one two", True)
    refused(await client.request("POST", CHAT, json={"message": "Well?", "model": "listed_a/y"}), 404)
    assert [seen.json["model"] for seen in asked(two.one)] == ["x"]
    if late != "hangs":
        await until(lambda: "models.not_listed" in server.log, "the log says so")
        line = next(line for line in server.log.splitlines() if "models.not_listed" in line)
        assert json.loads(line)["provider"] == "listed_a"
        assert "html" not in line.lower().replace("text/html", "")
        assert str(two.one.port) not in line
    client.close()


async def test_a_question_to_a_model_that_is_about_to_be_listed_waits_for_the_list(two: Two) -> None:
    offers(two.one, [Gate("late"), *model_list("x", "y")])
    client = Client((await serving(two.serve, two.folder, 'default = "listed/x"\n' + toml(listed=two.one))).port)
    asking = asyncio.create_task(ask(client, model="listed/y"), name="asking")
    await two.one.at_gate("late")
    assert await ask(client) == ("listed/x", "Hello there")
    two.one.open("late")
    assert await asking == ("listed/y", "Hello there")
    client.close()


async def test_names_from_a_list_are_never_markup_or_frames(two: Two) -> None:
    hostile = ["<img src=x>", 'a"}\n\ndata: {"done": true}', "b\x00c", "안녕"]
    offers(two.one, model_list(*hostile))
    client = Client((await serving(two.serve, two.folder, 'default = "listed/x"\n' + toml(listed=two.one))).port)
    assert await ids(client) == ["listed/x", "listed/<img src=x>", "listed/안녕"]
    reply = await client.request("GET", "/api/models")
    assert reply.headers["content-type"] == "application/json"
    assert await ask(client, model="listed/안녕") == ("listed/안녕", "Hello there")
    client.close()


async def test_the_service_stops_in_time_while_a_list_does_not_come(two: Two) -> None:
    offers(two.one, [Hang()])
    server = await serving(two.serve, two.folder, 'default = "listed/x"\n' + toml(listed=two.one))
    await two.one.request()
    assert await server.terminate(timeout=5) in (0, -15)


# ── Refused at start ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("plain", [False, True], ids=["our command", "the document's command"])
async def test_a_file_that_cannot_be_is_refused_at_start_with_its_lines(
    serve: Serve, tmp_path: Path, plain: bool
) -> None:
    path = tmp_path / "models.toml"
    path.write_text(f'[providers.a]\nbase_url = "a"\nkey_env = "{serve.canary}"\n', "utf-8")
    for file, lines in ((path, 2), (tmp_path / "none.toml", 1)):
        server = serve.make(plain=plain, MODELS_FILE=file)
        server.spawn()
        assert await server.wait() == 1
        said = server.log.splitlines()
        assert len(said) == lines
        assert all(line.startswith((f"{path}, line ", "MODELS_FILE cannot be ")) for line in said)
