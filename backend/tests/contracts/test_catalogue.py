"""The catalogue: what endpoints list becomes models, whatever else they send; and how each is told to go on."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import SecretStr

from app.errors import ModelNotFound
from app.models import Prompt, TextDelta, Turn
from app.providers import catalog as catalogs
from app.providers import discovery
from app.providers.base import ModelInfo
from app.providers.catalog import Catalogue
from app.providers.openai import Style
from app.providers.plan import Endpoint, Entry, Plan
from app.settings import Settings
from tests.support.catalogue import LIST, asked, lists, model_list, offers
from tests.support.deltas import stream
from tests.support.script import Fin, Gate, Hang, Reset, Send, Sleep, Status, Step, error_status, json_status, say
from tests.support.upstream import Upstream
from tests.support.waiting import until

SETTINGS = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
KEY = SecretStr("sk-of-this-endpoint")


class Kit:
    """Catalogues over one upstream, called `up`, whose model `up/first` is the default."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._made: list[Catalogue] = []

    def catalogue(self, *entries: Entry, only: Sequence[str] = (), style: Style | None = None) -> Catalogue:
        endpoint = Endpoint("up", self.upstream.url, KEY, discover=True, only=tuple(only), style=style)
        plan = Plan([endpoint], [Entry("up/first"), *entries], "up/first")
        self._made.append(Catalogue(plan, Settings(_env_file=None)))  # pyright: ignore[reportCallIssue]
        return self._made[-1]

    async def found(self, listing: Sequence[Step], *, only: Sequence[str] = ()) -> dict[str, ModelInfo]:
        """What that list adds to the default."""
        offers(self.upstream, listing)
        catalogue = self.catalogue(only=only)
        await catalogue.refresh()
        return {info.name: info for info in catalogue.models() if info.id != catalogue.default}

    async def close(self) -> None:
        for catalogue in self._made:
            await catalogue.close()


@pytest.fixture
async def kit(upstream: Upstream) -> AsyncGenerator[Kit]:
    kit = Kit(upstream)
    yield kit
    await kit.close()


def body(data: bytes, content_type: str = "application/json") -> list[Step]:
    return [Status(200, {"Content-Type": content_type}, framing="chunked"), Send(data)]


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_list_becomes_models_in_the_order_of_their_names(kit: Kit) -> None:
    found = await kit.found(model_list("zeta", "alpha", "org/model:free"))
    assert [(info.id, info.name, info.provider) for info in found.values()] == [
        ("up/alpha", "alpha", "up"),
        ("up/org/model:free", "org/model:free", "up"),
        ("up/zeta", "zeta", "up"),
    ]
    request = kit.upstream.requests[0]
    assert (request.method, request.path, request.body) == ("GET", LIST, b"")
    assert request.authorization == f"Bearer {KEY.get_secret_value()}"


@pytest.mark.parametrize(
    ("model", "window", "continues"),
    [
        ({"id": "m"}, None, False),
        ({"id": "m", "context_length": 131072, "owned_by": "openrouter"}, 131072, False),
        ({"id": "m", "max_model_len": 32768, "owned_by": "vllm"}, 32768, True),
        ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}, 8192, True),
        ({"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}, 4096, True),
        ({"id": "m", "owned_by": "llamacpp", "meta": None}, None, True),
        ({"id": "m", "context_length": -1, "owned_by": ["vllm"]}, None, False),
        ({"id": "m", "context_length": True, "owned_by": {"vllm": 1}}, None, False),
        ({"id": "m", "context_length": "4096", "meta": [4096]}, None, False),
        ({"id": "m", "context_length": 10**12, "max_model_len": 2048}, 2048, False),
        ({"id": "m", "context_length": 4096.0}, None, False),
    ],
)
async def test_what_endpoints_say_of_a_model_is_taken_where_it_is_plausible(
    kit: Kit, model: Mapping[str, Any], window: int | None, continues: bool
) -> None:
    info = (await kit.found(model_list(model)))["m"]
    assert (info.context_window, info.continues) == (window, continues)


async def test_what_is_no_chat_model_is_left_out(kit: Kit) -> None:
    others = ["text-embedding-3-small", "whisper-1", "tts-1", "dall-e-3", "omni-moderation-latest", "gpt-image-1"]
    others += ["nomic-embed-text:latest", "gpt-4o-realtime-preview", "gpt-4o-transcribe", "davinci-002", "sora-2"]
    kept = ["gpt-4o", "gpt-4o-mini", "o3-mini", "llama3.2:latest", "qwen3:8b", "claude-sonnet-4-5", "mistral-small"]
    assert sorted(await kit.found(model_list(*others, *kept))) == sorted(kept)


async def test_only_what_is_wanted_is_taken(kit: Kit) -> None:
    found = await kit.found(model_list("gpt-4o", "gpt-image-1", "o3-mini", "o3", "llama"), only=["gpt-*", "o?-*"])
    assert list(found) == ["gpt-4o", "o3-mini"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"object": "list", "data": null}',
        b'{"object": "list", "data": []}',
        b"[]",
        b'{"data": [1, null, "m", [], {}, {"id": null}, {"id": 7}, {"id": ["m"]}, {"name": "m"}]}',
    ],
    ids=["null", "none", "bare", "no models"],
)
async def test_a_list_may_be_empty(kit: Kit, data: bytes) -> None:
    assert await kit.found(body(data)) == {}


async def test_names_that_cannot_be_shown_are_left_out(kit: Kit) -> None:
    hostile = [
        "",
        " ",
        " m",
        "m ",
        "a\nb",
        "a\x00b",
        "a\u202eb",
        "a\u2028b",
        "x" * 201,
        "y" * 198,
        "\x1b[31m",
    ]
    fine = ["x" * 197, "모델", "<script>alert(1)</script>", '"; DROP TABLE', "../../etc/passwd", "%s{}"]
    assert sorted(await kit.found(model_list(*hostile, *fine))) == sorted(fine)


async def test_a_list_without_its_envelope_is_taken(kit: Kit) -> None:
    assert list(await kit.found(body(b'[{"id": "m"}]'))) == ["m"]


async def test_of_an_endless_list_a_thousand_are_taken(kit: Kit) -> None:
    assert len(await kit.found(model_list(*(f"m{number}" for number in range(3000))))) == 1000


BROKEN: dict[str, Sequence[Step]] = {
    "401": error_status(401),
    "500": error_status(500),
    "redirect": [Status(302, {"Location": "/elsewhere", "Content-Length": "0"}, framing="length")],
    "page": body(b"<html><body>Sign in</body></html>", "text/html"),
    "half": [Status(200, {"Content-Type": "application/json"}), Send(b'{"data": [{"id": "x"'), Fin()],
    "half-whole": body(b'{"data": [{"id": "x"'),
    "reset": [Reset()],
    "number": json_status(200, 7),
    "text": json_status(200, "models"),
    "object": json_status(200, {"data": {"id": "x"}}),
    "deep": body(b"[" * 100_000),
    "huge": body(b'{"data": [' + b'{"id": "x"},' * 400_000 + b'{"id": "x"}]}'),
    "surrogate": body(b'{"data": [{"id": "\\ud800"}]}'),
    "no-data": body(b'{"models": [{"id": "x"}]}'),
    "bad-utf8": body(b'{"data": [{"id": "\xff"}]}'),
    "gzip": [Status(200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}), Send(b"\x1f\x8b\x08")],
}


@pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN)
async def test_a_broken_list_keeps_what_was_known(
    kit: Kit, steps: Sequence[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)
    offers(kit.upstream, model_list("m"))
    catalogue = kit.catalogue()
    await catalogue.refresh()
    before = catalogue.models()
    offers(kit.upstream, steps)
    await catalogue.refresh()
    await until(lambda: catalogue._listings["up"]._task is None and lists(kit.upstream) > 1, "it has asked again")
    assert [info.name for info in before] == ["first", "m"]
    assert catalogue.models() == before


# ── When it is asked for ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_list_is_believed_for_a_while_and_then_brought_up_to_date_without_waiting(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers(kit.upstream, model_list("m"))
    catalogue = kit.catalogue()
    for _ in range(5):
        await catalogue.refresh()
    assert lists(kit.upstream) == 1
    monkeypatch.setattr(discovery, "FRESH_SECONDS", 0)
    again = kit.catalogue()
    await again.refresh()
    offers(kit.upstream, [Gate("late"), *model_list("n")])
    await asyncio.wait_for(again.refresh(), 0.5)
    assert [info.name for info in again.models()] == ["first", "m"]
    kit.upstream.open("late")
    await until(lambda: [info.name for info in again.models()] == ["first", "n"], "the new list is taken")


async def test_nobody_waits_long_for_a_list_that_does_not_come(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogs, "WAIT_SECONDS", 0.2)
    offers(kit.upstream, [Hang()])
    catalogue = kit.catalogue()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await catalogue.refresh()
    with pytest.raises(ModelNotFound):
        await catalogue.chain("up/later")
    assert 0.3 < loop.time() - began < 2
    await catalogue.chain(None)
    await catalogue.chain("first")
    assert lists(kit.upstream) == 1, "one question is under way"


async def test_a_model_that_is_not_listed_yet_is_waited_for(kit: Kit) -> None:
    offers(kit.upstream, [Sleep(0.3), *model_list("later")])
    (provider,) = await kit.catalogue().chain("up/later")
    (same,) = await kit.catalogue().chain("later")
    assert provider.info.id == same.info.id == "up/later"


async def test_a_model_that_was_added_is_found_a_little_later(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    offers(kit.upstream, model_list("m"))
    catalogue = kit.catalogue()
    await catalogue.refresh()
    offers(kit.upstream, model_list("m", "added"))
    for _ in range(20):
        with pytest.raises(ModelNotFound):
            await catalogue.chain("up/added")
    assert lists(kit.upstream) == 1, "names that nobody has do not make it ask again and again"
    monkeypatch.setattr(discovery, "AGAIN_SECONDS", 0)
    with pytest.raises(ModelNotFound):
        await catalogue.chain("up/added")
    await until(lambda: catalogue.info("up/added") is not None, "the list is brought up to date")


async def test_what_the_file_says_wins_and_is_there_without_any_list(kit: Kit) -> None:
    entry = Entry("up/m", name="Em", context_window=999, max_tokens=5, temperature=0.1, note="n", style="none")
    offers(kit.upstream, model_list({"id": "m", "max_model_len": 32768, "owned_by": "vllm"}))
    catalogue = kit.catalogue(entry)
    before = catalogue.info("up/m")
    await catalogue.refresh()
    assert before == catalogue.info("up/m") == ModelInfo("up/m", "Em", "up", 999, "n", 5, 0.1, continues=False)


async def test_of_the_embedded_model_no_window_is_believed_that_it_does_not_have(kit: Kit) -> None:
    smol = "e/smollm2-135m-instruct"
    for said, window in ((None, 4096), (1000, 1000), (128_000, 4096)):
        entry = Entry(smol, context_window=said, max_tokens=5)
        catalogue = Catalogue(Plan([Endpoint("e")], [entry], smol), SETTINGS)
        (provider,) = await catalogue.chain(None)
        assert (provider.info.context_window, provider.info.max_tokens, provider.info.continues) == (window, 5, True)
        assert provider.info.note


async def test_a_provider_learns_what_its_list_says_and_keeps_what_it_has_learned_of_parameters(kit: Kit) -> None:
    refusal = error_status(400, message="max_tokens is not supported")
    offers(kit.upstream, model_list({"id": "first", "max_model_len": 4096, "owned_by": "vllm"}), refusal)
    catalogue = kit.catalogue()
    (provider,) = await catalogue.chain(None)
    assert provider.info.context_window is None
    kit.upstream.script(*refusal)
    kit.upstream.script(*say("one"))
    await said(stream(provider, PROMPT))
    await catalogue.refresh()
    (same,) = await catalogue.chain("up/first")
    assert same is provider
    assert (provider.info.context_window, provider.info.continues) == (4096, True)
    kit.upstream.script(*say("two"))
    await said(stream(provider, PROMPT))
    assert "max_completion_tokens" in asked(kit.upstream)[-1].json


async def test_a_bare_name_that_two_providers_have_is_nobody_s(kit: Kit) -> None:
    other = Endpoint("other", kit.upstream.url)
    entries = [Entry(one) for one in ("up/m", "other/m", "up/n", "other/up/q")]
    plan = Plan([Endpoint("up", kit.upstream.url), other], entries, "up/m")
    catalogue = Catalogue(plan, SETTINGS)
    assert [provider.info.id for provider in await catalogue.chain("n")] == ["up/n"]
    for name in ("m", "up/q", "up", "other/", ""):  # where a provider is named, no other one is asked
        with pytest.raises(ModelNotFound):
            await catalogue.chain(name)
    assert [info.id for info in catalogue.models()] == ["up/m", "other/m", "up/n", "other/up/q"]


# ── Going on from an unfinished answer ───────────────────────────────────────────────────────────────────────────────

PROMPT = Prompt((Turn("user", "Count."), Turn("assistant", "One, two")), 10, 0.7, continues=True)
TURNS = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "One, two"}]
NEW = {"continue_final_message", "add_generation_prompt"}


async def said(answer: Any) -> str:
    async with aclosing(answer) as all_deltas:
        return "".join([one.text async for some in all_deltas for one in some if isinstance(one, TextDelta)])


@pytest.mark.parametrize(
    ("style", "turn", "flags"),
    [
        ("none", {}, {}),
        ("assistant", {}, {}),
        ("vllm", {}, {"continue_final_message": True, "add_generation_prompt": False}),
        ("prefix", {"prefix": True}, {}),
    ],
)
async def test_an_endpoint_is_told_to_go_on_in_its_own_way(
    kit: Kit, style: Style, turn: dict[str, Any], flags: dict[str, Any]
) -> None:
    kit.upstream.otherwise(*say(", three"))
    (provider,) = await kit.catalogue(style=style).chain(None)
    assert provider.info.continues == (style != "none")
    assert await said(stream(provider, PROMPT)) == ", three"
    question = asked(kit.upstream)[0].json
    assert question["messages"] == [TURNS[0], TURNS[1] | turn]
    assert {key: question[key] for key in NEW & question.keys()} == flags
    await said(stream(provider, Prompt((Turn("user", "Count."),), 10, 0.7)))
    plain = asked(kit.upstream)[1].json
    assert not NEW & plain.keys()
    assert "prefix" not in json.dumps(plain)
