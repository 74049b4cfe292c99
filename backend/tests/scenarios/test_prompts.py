"""What a model gets to see of a stored conversation, and what is said of what it does not."""

import json

from tests.support.client import Client
from tests.support.fixtures import Serve
from tests.support.script import Hang, Send, Status, chunk, say
from tests.support.talk import Talk
from tests.support.upstream import Upstream

LONG = "word " * 160  # two hundred tokens, about


def shown(upstream: Upstream) -> list[str]:
    """The texts of the newest prompt."""
    return [turn["content"] for turn in upstream.requests[-1].json["messages"]]


async def test_the_newest_whole_messages_that_fit_are_shown_and_the_rest_is_said(
    serve: Serve, upstream: Upstream
) -> None:
    server = await serve(CONTEXT_WINDOW=1000, MAX_TOKENS=200, TITLES=0)
    client = Client(server.port)
    talk = await Talk.begin(client, system="Be kind.")
    upstream.otherwise(*say(LONG, usage=False))
    left_out: list[int | None] = []
    for number in range(6):
        answer = await talk.ask(f"{number}?")
        run = (await client.run(answer.run_id)).json
        left_out.append(run.get("left_out"))
        prompt = shown(upstream)
        assert (prompt[0], prompt[-1]) == ("Be kind.", f"{number}?")
        assert sum(len(text) for text in prompt) < 800 * 4
        assert (await talk.branch())[-1]["left_out"] == left_out[-1]
    assert left_out == [None, None, None, None, 2, 4]
    assert shown(upstream)[1] == "2?"


async def test_a_window_of_its_own_makes_each_model_see_what_fits_it(serve: Serve, upstream: Upstream) -> None:
    server = serve.make(TITLES=0, MAX_TOKENS=100)
    (server.folder / "models.toml").write_text(
        f"""
        default = "scripted/large"
        [providers.scripted]
        base_url = "{upstream.url}"
        [models."scripted/large"]
        context_window = 100000
        [models."scripted/small"]
        context_window = 500
        """,
        "utf-8",
    )
    await server.start(MODELS_FILE=str(server.folder / "models.toml"))
    talk = await Talk.begin(Client(server.port))
    upstream.otherwise(*say(LONG, usage=False))
    for number in range(3):
        await talk.ask(f"{number}?")
    await talk.ask("Small?", model="scripted/small")
    assert len(shown(upstream)) == 3
    assert (await talk.branch())[-1]["model"] == "scripted/small"
    await talk.ask("Large?")
    assert len(shown(upstream)) == 9
    assert [message["left_out"] for message in (await talk.branch())[1::2]] == [None, None, None, 4, None]


async def test_the_provider_s_own_count_is_what_counts(serve: Serve, upstream: Upstream) -> None:
    server = await serve(CONTEXT_WINDOW=1000, MAX_TOKENS=200, TITLES=0)
    client = Client(server.port)
    talk = await Talk.begin(client)
    usage = {"prompt_tokens": 5, "completion_tokens": 900}
    for _ in range(2):
        upstream.script(*say("short", usage=False)[:-1], Send(chunk(finish_reason="stop", usage=usage)))
        answer = await talk.ask("Well?")
    assert shown(upstream) == ["Well?"], "five letters that cost 900 tokens do not fit"
    assert (await client.run(answer.run_id)).json["left_out"] == 2


async def test_a_very_long_conversation_costs_no_more_than_its_window(serve: Serve, upstream: Upstream) -> None:
    server = await serve(CONTEXT_WINDOW=2000, MAX_TOKENS=200, TITLES=0)
    client = Client(server.port)
    talk = await Talk.begin(client)
    upstream.otherwise(*say("x" * 100, usage=False))
    for number in range(150):
        await talk.ask(f"{number}?", key=f"{number}")
    prompt = shown(upstream)
    assert len(prompt) < 150
    branch = await talk.branch()
    assert prompt[0] == branch[branch[-1]["left_out"]]["parts"][0]["text"]


async def test_what_is_asked_while_a_tab_is_closed_is_in_no_prompt_twice(serve: Serve, upstream: Upstream) -> None:
    server = await serve(TITLES=0)
    client = Client(server.port)
    talk = await Talk.begin(client)
    upstream.script(Status(), Send(chunk("half ")), Hang())
    seen = await talk.ask("One?", until=1)
    await client.cancel(seen.run_id)
    await client.ended(seen.run_id)
    await talk.ask("Two?")
    assert shown(upstream) == ["One?", "half ", "Two?"]
    assert json.loads(upstream.requests[-1].body)["stream"] is True
