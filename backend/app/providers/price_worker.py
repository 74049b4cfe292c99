"""The table of prices in a process of its own: `python -m app.providers.price_worker`.

It reads a list of [provider, address, model] from stdin and writes a list of [input, output, cached] or null to stdout,
in US dollars for a million tokens. A model that costs more beyond some length has the price that it has before.
"""

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelInfo


def main() -> None:
    """Answer once."""
    table = get_snapshot()
    asked: list[tuple[str, str, str]] = json.load(sys.stdin)
    json.dump([_price(table, *one) for one in asked], sys.stdout)


def _price(table: DataSnapshot, provider: str, address: str, model: str) -> tuple[float, float, float] | None:
    found = _find(table, provider, None, model) or _find(table, None, address, model)
    if found is None:
        return None
    prices = found.get_prices(datetime.now(UTC))
    read, written = _amount(prices.input_mtok), _amount(prices.output_mtok)
    if read is None or written is None:
        return None
    cached = _amount(prices.cache_read_mtok)
    return read, written, read if cached is None else cached


def _find(table: DataSnapshot, provider: str | None, address: str | None, model: str) -> ModelInfo | None:
    try:
        return table.find_provider_model(model, None, provider, address)[1]
    except LookupError:
        return None


def _amount(price: object) -> float | None:
    if isinstance(price, Decimal):
        return float(price)
    base = getattr(price, "base", None)
    return float(base) if base is not None else None


if __name__ == "__main__":
    main()
