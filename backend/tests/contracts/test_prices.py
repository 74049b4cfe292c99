"""Prices: what was said wins, the table knows the rest by name, and what nobody knows has none."""

from collections.abc import AsyncGenerator

import pytest

from app.limits import Price
from app.models import Usage
from app.providers import prices
from app.providers.plan import Endpoint, Entry, Plan
from app.providers.prices import PriceTable

URL = "http://127.0.0.1:9/v1"  # nobody is asked there
PLAN = Plan(
    [
        Endpoint("openai", URL),
        Endpoint("mine", URL),
        Endpoint("router", "https://openrouter.ai/api/v1"),
        Endpoint("own"),
    ],
    [
        Entry("openai/gpt-4o-mini"),
        Entry("mine/big", input_price=2, output_price=8),
        Entry("mine/gift", input_price=0, output_price=0),
        Entry("own/small"),
    ],
    "openai/gpt-4o-mini",
)


@pytest.fixture
async def table() -> AsyncGenerator[PriceTable]:
    table = PriceTable(PLAN)
    table.start()
    yield table
    await table.close()


async def test_models_have_the_price_that_was_said_or_that_the_table_knows(table: PriceTable) -> None:
    asked = ["openai/gpt-4o-mini", "mine/big", "mine/gift", "mine/unheard-of", "own/small", "router/openai/gpt-4o"]
    found = await table.of(asked)
    assert found["mine/big"] == Price(2, 8, 2)
    assert found["mine/gift"] == Price(0, 0, 0)
    known = found["openai/gpt-4o-mini"]
    assert 0 < known.cached < known.input < known.output
    assert set(found) == {"mine/big", "mine/gift", "openai/gpt-4o-mini", "router/openai/gpt-4o"}


async def test_without_a_look_only_what_was_said_is_known() -> None:
    table = PriceTable(PLAN, look=False)
    assert set(await table.of(["openai/gpt-4o-mini", "mine/big"])) == {"mine/big"}


async def test_a_look_that_fails_is_not_repeated_at_once_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bytes] = []

    async def broken(asked: bytes) -> bytes:
        looks.append(asked)
        return b"no JSON"

    monkeypatch.setattr(prices, "_table", broken)
    table = PriceTable(PLAN)
    for _ in range(3):
        assert await table.of(["openai/gpt-4o-mini"]) == {}
    assert len(looks) == 1


def test_a_price_for_a_million_tokens_is_millionths_for_one() -> None:
    price = Price(0.5, 1.5, 0.1)
    assert price.of(Usage(1_000_000, 0)) == 500_000
    assert price.of(Usage(10, 10, 0, 4)) == round(6 * 0.5 + 4 * 0.1 + 10 * 1.5)
