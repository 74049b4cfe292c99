"""What models an endpoint says it has (`GET /v1/models`): asked in the background, kept when it fails."""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, cast

import msgspec

from app.models import MAX_MODEL_CHARS
from app.providers.client import Client
from app.providers.openai import Style
from app.providers.plan import Endpoint
from app.telemetry import log

FRESH_SECONDS = 600.0  # a list is believed so long; vendors change theirs a few times a month
RETRY_SECONDS = 30.0  # after a failure
AGAIN_SECONDS = 5.0  # for somebody who names a model that is not on the list; it may just have been added
LIST_SECONDS = 10.0  # for the whole list
MAX_LIST_BYTES = 4 * 2**20  # the longest known list, of an aggregator with hundreds of models, has under 1 MiB
MAX_MODELS = 1000  # of one endpoint
MAX_ITEMS = 10 * MAX_MODELS  # that are looked at, whatever is left of them
MAX_WINDOW = 100_000_000  # tokens; above it, it is no window

# Names of what is no chat model. A name that this hides can be given in models.toml.
_OTHER = re.compile(
    r"embed|rerank|whisper|transcri|\btts\b|text-to-speech|dall-e|image|\bsora\b|realtime|moderation|babbage|davinci",
    re.IGNORECASE,
)
_WINDOWS = (
    "context_length",
    "max_model_len",
    "context_window",
    "max_context_length",
)  # OpenRouter, vLLM, Groq, Mistral
_STYLES: Mapping[str, Style] = {"llamacpp": "assistant", "vllm": "vllm"}


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw] | None


_decode = msgspec.json.Decoder().decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Found(msgspec.Struct, frozen=True):
    """One model on an endpoint's list."""

    context_window: int | None = None
    style: Style | None = None


class Listing:
    """The list of one endpoint."""

    def __init__(self, endpoint: Endpoint, client: Client, connect_timeout: float, changed: Callable[[], None]) -> None:
        """`changed` is called when the list is another one; `connect_timeout` is in seconds."""
        self.found: Mapping[str, Found] = {}
        self.arrived = False  # it has come at least once
        self.tried = False  # an attempt has ended, well or badly
        self._endpoint = endpoint
        self._client = client
        self._connect_timeout = connect_timeout
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._due = 0.0  # by the loop's clock
        self._ended_at = 0.0

    def refresh(self, *, soon: bool = False) -> "asyncio.Task[None] | None":
        """Ask in the background if it is time to; the attempt that is under way, if there is one.

        `soon`: somebody misses a model, so it is time a little after the last attempt.
        """
        now = asyncio.get_running_loop().time()
        due = not self.tried or now >= (self._ended_at + AGAIN_SECONDS if soon else self._due)
        if self._task is None and due:
            self._task = asyncio.create_task(self._ask(), name=f"models-of-{self._endpoint.name}")
        return self._task

    async def close(self) -> None:
        """Stop asking, and wait until it has."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _ask(self) -> None:
        pause = RETRY_SECONDS
        try:
            found = dict(models_in(await self._fetch(), self._endpoint.only))
            pause = FRESH_SECONDS
            news = found != self.found or not self.arrived
            self.found, self.arrived = found, True
            if news:
                log.info("models.listed", provider=self._endpoint.name, models=len(found))
                self._changed()
        except Exception as error:  # noqa: BLE001 - whatever breaks a list, what was known stays, and it is asked again
            reason = str(error) if isinstance(error, _NoList) else type(error).__name__
            log.warning("models.not_listed", provider=self._endpoint.name, reason=reason)
        finally:
            self._ended_at = asyncio.get_running_loop().time()
            self._due = self._ended_at + pause
            self.tried = True
            self._task = None

    async def _fetch(self) -> bytes:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ai-chat-service"}
        if self._endpoint.key is not None:
            headers["Authorization"] = f"Bearer {self._endpoint.key.get_secret_value()}"
        url = f"{self._endpoint.base_url}/models"
        body = bytearray()

        def take(some: bytes) -> None:
            body.extend(some)
            if len(body) > MAX_LIST_BYTES:
                raise _NoList("too long")

        async with asyncio.timeout(LIST_SECONDS):
            response = await self._client.ask("GET", url, headers, connect_timeout=self._connect_timeout)
            try:
                if response.status != 200:
                    raise _NoList(f"status {response.status}")
                await response.pour(take)
            finally:
                response.let_go()
        return bytes(body)


class _NoList(ValueError):
    """Why what came is no list, in our words."""


def models_in(body: bytes, only: tuple[str, ...]) -> Iterator[tuple[str, Found]]:
    """The chat models of a list, at most `MAX_MODELS` and those whose names can be shown.

    Raises:
        ValueError: it is no list of models.
    """
    left = MAX_MODELS
    for item in _items(body):
        model = _decode(item)
        if not isinstance(model, dict):
            continue
        known = cast(dict[str, Any], model)
        name = known.get("id")
        if isinstance(name, str) and _is_wanted(name, only):
            yield name, Found(_window(known), _style(known))
            left -= 1
        if left == 0:
            return


def _items(body: bytes) -> Iterable[msgspec.Raw]:
    """The list's items, not decoded: a hostile one of millions must not hold up the answers that are being written."""
    try:
        listed = _decode_list(body) if body.lstrip()[:1] == b"[" else _decode_envelope(body).data
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _NoList("no list of models") from error
    return islice(listed or (), MAX_ITEMS)  # null: an endpoint that has none


def _is_wanted(name: str, only: tuple[str, ...]) -> bool:
    if not 0 < len(name) <= MAX_MODEL_CHARS or not name.isprintable() or name != name.strip() or _OTHER.search(name):
        return False
    return not only or any(fnmatchcase(name, pattern) for pattern in only)


def _window(model: dict[str, Any]) -> int | None:
    meta: Any = model.get("meta")
    said: list[Any] = [model.get(field) for field in _WINDOWS]
    if isinstance(meta, dict):  # llama.cpp: what it was started with, else what the model was trained for
        said += [cast(dict[str, Any], meta).get(field) for field in ("n_ctx", "n_ctx_train")]
    return next((size for size in said if type(size) is int and 0 < size <= MAX_WINDOW), None)


def _style(model: dict[str, Any]) -> Style | None:
    owner: Any = model.get("owned_by")
    with suppress(TypeError):  # whatever else it may be
        return _STYLES.get(owner)
    return None
