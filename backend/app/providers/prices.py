"""What models cost: what models.toml says, else the table of genai-prices.

The table takes 67 MB of memory and is asked a few dozen questions in the life of a service, so another process reads
it, answers, and is gone. Nothing is fetched: the table is the package's own.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence

import msgspec

from app.limits import Price
from app.providers.plan import Plan
from app.settings import BACKEND
from app.telemetry import log

WAIT_SECONDS = 10.0  # reading the table takes a third of a second of a whole core
RETRY_SECONDS = 60.0  # after a look that failed

_answer = msgspec.json.Decoder(list[Price | None])


class PriceTable:
    """Satisfies `providers.base.Prices`."""

    def __init__(self, plan: Plan, *, look: bool = True) -> None:
        """With `look` models that nobody said a price of are looked up; else they have none."""
        self._said = {
            entry.id: Price(entry.input_price, entry.output_price, entry.input_price)
            for entry in plan.entries
            if entry.input_price is not None and entry.output_price is not None
        }
        self._endpoints = {endpoint.name: endpoint for endpoint in plan.endpoints}
        self._first = [entry.id for entry in plan.entries]
        self._known: dict[str, Price | None] = {}
        self._look = look
        self._looking: asyncio.Task[None] | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """Look for the prices of the models that were named, in the background."""
        self._ask(self._first)

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def of(self, model_ids: Sequence[str]) -> Mapping[str, Price]:
        """See `Prices.of`."""
        while (looking := self._ask(model_ids)) is not None:
            await asyncio.wait([looking])
        prices = {one: self._said.get(one) or self._known.get(one) for one in model_ids}
        return {one: price for one, price in prices.items() if price is not None}

    def _ask(self, model_ids: Sequence[str]) -> "asyncio.Task[None] | None":
        """The look that is under way or is now begun; None where there is nothing to look for."""
        unknown = [one for one in model_ids if one not in self._said and one not in self._known and self._priced(one)]
        if not unknown:
            return None
        if self._looking is None and asyncio.get_running_loop().time() >= self._not_before:
            self._looking = asyncio.create_task(self._learn(unknown), name="prices")
            self._looking.add_done_callback(self._done)
        return self._looking

    def _priced(self, model_id: str) -> bool:
        """Whether the table may know it: not what runs on this machine, and costs its electricity."""
        endpoint = self._endpoints.get(model_id.partition("/")[0])
        return self._look and endpoint is not None and bool(endpoint.base_url)

    def _done(self, _: "asyncio.Task[None]") -> None:
        self._looking = None

    async def _learn(self, model_ids: Sequence[str]) -> None:
        names = [model_id.partition("/") for model_id in model_ids]
        asked = msgspec.json.encode([(name, self._endpoints[name].base_url, model) for name, _, model in names])
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                found = _answer.decode(await _table(asked))
            self._known |= dict(zip(model_ids, found, strict=True))
        except (OSError, TimeoutError, ValueError, msgspec.MsgspecError) as error:
            self._not_before = asyncio.get_running_loop().time() + RETRY_SECONDS
            log.warning("prices.failed", reason=type(error).__name__)


async def _table(asked: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.providers.price_worker", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=BACKEND
    )
    try:
        answer, _ = await process.communicate(asked)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer
