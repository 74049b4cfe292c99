"""What a request may say about how it is answered: model, system text, temperature, length. Nothing said: as ever."""

from typing import Any

import pytest

from app.models import ChatRequest
from app.services.ai_service import fingerprint
from tests.support.client import CHAT, Client
from tests.support.problems import refused
from tests.support.upstream import Upstream
from tests.support.wire_client import Reply


async def asked(client: Client, **more: Any) -> Reply:
    return await client.request("POST", CHAT, json={"message": "Well?", **more})


async def test_a_request_says_how_it_is_to_be_answered(shared_client: Client, shared_upstream: Upstream) -> None:
    said = {"model": "openai/gpt-3.5-turbo", "system": "Be brief.\x00", "temperature": 0, "max_tokens": 7}
    assert (await asked(shared_client, **said)).status == 200
    question = shared_upstream.requests[0].json
    assert (question["model"], question["temperature"], question["max_tokens"]) == ("gpt-3.5-turbo", 0, 7)
    assert [turn["role"] for turn in question["messages"]] == ["system", "user"]
    assert question["messages"][0]["content"] == "Be brief.\ufffd"


async def test_null_is_as_if_nothing_was_said(shared_client: Client, shared_upstream: Upstream) -> None:
    await asked(shared_client, model=None, system=None, temperature=None, max_tokens=None)
    await asked(shared_client)
    assert shared_upstream.requests[0].json == shared_upstream.requests[1].json


@pytest.mark.settings(SYSTEM_PROMPT="Be polite.")
async def test_an_empty_system_text_takes_the_place_of_the_configured_one(client: Client, upstream: Upstream) -> None:
    await asked(client, system="")
    await asked(client)
    assert [turn["role"] for turn in upstream.requests[0].json["messages"]] == ["user"]
    assert [turn["role"] for turn in upstream.requests[1].json["messages"]] == ["system", "user"]


@pytest.mark.parametrize("name", ["gpt-3.5-turbo", "openai/gpt-3.5-turbo"])
async def test_a_model_may_be_named_without_its_provider_where_only_one_has_it(
    shared_client: Client, shared_upstream: Upstream, name: str
) -> None:
    reply = await asked(shared_client, model=name)
    run = (await shared_client.run(reply.headers["X-Run-Id"])).json
    assert run["model"] == "openai/gpt-3.5-turbo"


@pytest.mark.parametrize(
    "name", ["gpt-9", "openai/gpt-9", "nobody/gpt-3.5-turbo", "/", "openai/", " ", "OPENAI/x" * 20]
)
async def test_a_model_that_nobody_has_is_404_before_anything_is_kept(
    shared_client: Client, shared_upstream: Upstream, name: str
) -> None:
    key = [("Idempotency-Key", f"unknown-{name.encode().hex()[:60]}")]
    body = refused(
        await shared_client.request("POST", CHAT, json={"message": "Well?", "model": name}, headers=key), 404
    )
    assert (body["code"], body["retryable"]) == ("model_not_found", False)
    assert shared_upstream.calls == 0
    proper = await shared_client.request("POST", CHAT, json={"message": "Well?"}, headers=key)
    assert (proper.status, proper.headers.get("Idempotent-Replayed")) == (200, None), "the key stands for nothing yet"


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"model": "m" * 201},
        {"model": 7},
        {"system": ["Be brief."]},
        {"system": "x" * 100_001},
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": "hot"},
        {"temperature": True},
        {"max_tokens": 0},
        {"max_tokens": 1_000_001},
        {"max_tokens": 1.5},
        {"max_tokens": "7"},
    ],
)
async def test_what_cannot_be_is_refused(
    shared_client: Client, shared_upstream: Upstream, wrong: dict[str, Any]
) -> None:
    refused(await asked(shared_client, **wrong), 422)
    assert shared_upstream.calls == 0


@pytest.mark.parametrize(
    ("request_", "stored"),
    [
        ({"message": "Well?"}, "6d3e892e58703b72"),
        ({"message": "Well?", "history": [{"role": "user", "content": "안녕"}]}, "038d7734379067e7"),
    ],
)
def test_a_key_that_was_stored_before_requests_could_say_so_much_stays_good(
    request_: dict[str, Any], stored: str
) -> None:
    assert fingerprint("/api/chat/stream", ChatRequest.model_validate(request_)).startswith(stored)


@pytest.mark.parametrize(
    "more", [{"model": "openai/gpt-3.5-turbo"}, {"system": ""}, {"temperature": 0.7}, {"max_tokens": 1000}]
)
def test_whatever_is_said_makes_it_another_request(more: dict[str, Any]) -> None:
    plain, said = ({"message": "Well?", **more_} for more_ in ({}, more))
    assert fingerprint("/api/chat/stream", ChatRequest.model_validate(plain)) != fingerprint(
        "/api/chat/stream", ChatRequest.model_validate(said)
    )


async def test_the_models_are_listed_with_who_answers_by_default(shared_client: Client) -> None:
    listed = (await shared_client.request("GET", "/api/models")).json
    (model,) = listed["items"]
    assert listed["next"] is None
    assert (model["id"], model["name"], model["provider"]) == ("openai/gpt-3.5-turbo", "gpt-3.5-turbo", "openai")
    assert model["default"] is True
