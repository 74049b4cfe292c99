"""Any endpoint that speaks OpenAI's chat completions."""

import asyncio
import math
import random
import re
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec
from pydantic import SecretStr

from app.errors import (
    ProviderError,
    UpstreamInterrupted,
    UpstreamProtocol,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamUnavailable,
)
from app.models import Delta, Prompt
from app.providers.answer import INTERRUPTED, AnswerReader
from app.providers.base import ModelInfo, Take, Unbilled
from app.providers.client import Client, NoConnection
from app.providers.connection import Broken, NotHttp, Response

MAX_WHOLE_BYTES = 4 * 2**20  # a whole answer in one JSON document
MAX_REFUSAL_BYTES = 64 * 2**10  # enough of a refusal to see which parameter it names
MAX_CHANGES = 2  # of parameters that a model refuses: there are two that some do not know
MAX_RETRY_AFTER_SECONDS = 10  # nobody waits longer in front of an empty answer
AFTER_FINISH_SECONDS = 2  # for the usage and [DONE]; the answer itself is complete by then


Style = Literal["none", "assistant", "vllm", "prefix"]
"""How an endpoint is told to go on from a last assistant turn: not at all, by that turn alone, or by a flag."""


class Said(msgspec.Struct, frozen=True):
    """Where address, key and name were set up: what a person is told to look at."""

    url: str = "OPENAI_BASE_URL"
    key: str = "OPENAI_API_KEY"
    model: str = "OPENAI_MODEL"


class OpenAIConfig(msgspec.Struct, frozen=True):
    """One model behind one endpoint. `connect_timeout` is in seconds."""

    model: str  # as the endpoint calls it
    base_url: str
    key: SecretStr | None
    connect_timeout: float
    style: Style = "none"
    said: Said = Said()


class OpenAIProvider:
    """Satisfies `providers.base.Provider`. The client is the caller's, who closes it."""

    def __init__(self, info: ModelInfo, config: OpenAIConfig, client: Client) -> None:
        self._info = info
        self._config = config
        self._client = client
        self._length_field = "max_tokens"  # newer models of OpenAI know only max_completion_tokens
        self._with_temperature = True

    @property
    def info(self) -> ModelInfo:
        """Who answers."""
        return self._info

    async def close(self) -> None:
        """Nothing is held between answers but the client's connections."""

    def become(self, info: ModelInfo, config: OpenAIConfig) -> None:
        """More is known of the same model. What is being answered goes on as it was asked."""
        self._info = info
        self._config = config

    def expect(self, coming: int) -> None:
        """See `Provider.expect`."""
        with suppress(ValueError):  # an address that is none: the question will tell
            self._client.expect(self._url, coming, connect_timeout=self._config.connect_timeout)

    async def answer(self, prompt: Prompt, take: Take) -> None:
        """See `Provider.answer`."""
        response = await self._ask(prompt)
        reading = _Reading(response, take)
        try:
            await reading.run()
        finally:
            if reading.is_whole:
                response.let_go()
            else:
                response.close()
                await asyncio.sleep(0)  # the loop closes the socket in its next turn; who waits for us may then say so

    # ── The question ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, prompt: Prompt) -> Response:
        """A response with status 200."""
        changes = 0
        length_field, with_temperature = self._length_field, self._with_temperature
        while True:
            response = await self._post(prompt, length_field, with_temperature)
            verdict = None if response.status == 200 else self._judged(response)
            if verdict is None or isinstance(verdict, Unbilled):  # the next attempt asks in the same way
                self._length_field, self._with_temperature = length_field, with_temperature
            if verdict is None:
                return response
            try:
                refusal = await _refusal(response)
            finally:
                response.close()
            if response.status == 400 and changes < MAX_CHANGES:
                changes += 1
                if length_field == "max_tokens" and "max_tokens" in refusal:
                    length_field = "max_completion_tokens"
                    continue
                if with_temperature and "temperature" in refusal:
                    with_temperature = False
                    continue
            raise verdict

    @property
    def _url(self) -> str:
        return f"{self._config.base_url}/chat/completions"

    async def _post(self, prompt: Prompt, length_field: str, with_temperature: bool) -> Response:
        body: dict[str, Any] = {
            "model": self._config.model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.turns],
            "stream": True,
            "stream_options": {"include_usage": True},
            length_field: prompt.max_tokens,
        }
        if with_temperature:
            body["temperature"] = prompt.temperature
        body |= {name: value for name, value in msgspec.structs.asdict(prompt.sampling).items() if value is not None}
        if prompt.continues:
            _express(self._config.style, body)
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",  # a stream that waits for a compressor's block is no stream
            "User-Agent": "ai-chat-service",
        }
        if self._config.key is not None:
            headers["Authorization"] = f"Bearer {self._config.key.get_secret_value()}"
        try:
            return await self._client.ask(
                "POST",
                self._url,
                headers,
                msgspec.json.encode(body),
                connect_timeout=self._config.connect_timeout,
            )
        except NoConnection as error:
            unreached = f"The model's endpoint cannot be reached. Check {self._config.said.url} and the network."
            raise Unbilled(UpstreamUnavailable(unreached), _jitter()) from error
        except (NotHttp, ValueError) as error:
            raise UpstreamProtocol from error
        except Broken as error:
            # The request may have arrived, and may be billed: never asked again.
            raise UpstreamUnavailable(
                "The model's endpoint closed the connection without an answer. Try again."
            ) from error

    def _judged(self, response: Response) -> Unbilled | ProviderError:
        """What a status other than 200 means."""
        said = self._config.said
        asked = _asked_for(response)
        match response.status:
            case 429:
                told = "The endpoint is overloaded, or its quota is spent. Try again later."
                return Unbilled(UpstreamRateLimited(told, retry_after=_seconds(asked)), _pause(asked))
            case 408:
                return Unbilled(UpstreamUnavailable("The endpoint gave up waiting. Try again."), _pause(asked))
            case status if status >= 500:
                told = "The model's endpoint is out of order. Try again in a moment."
                return Unbilled(UpstreamUnavailable(told, retry_after=_seconds(asked)), _pause(asked))
            case 401 | 403:
                return UpstreamRejected(f"The endpoint refused the key. Check {said.key}.")
            case status if 400 <= status < 500:
                return UpstreamRejected(
                    f"The endpoint refused the request for the model {self._config.model!r}. "
                    f"Check {said.model}; if it is right, shorten the conversation."
                )
            case _:
                return UpstreamProtocol()


def _express(style: Style, body: dict[str, Any]) -> None:
    """Say in `body`, in the endpoint's own way, that the last turn is to be gone on from."""
    match style:
        case "vllm":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        case "prefix":
            body["messages"][-1]["prefix"] = True
        case "none" | "assistant":
            pass  # the turn's place says it


def _jitter() -> float:
    return 0.25 + random.random() / 2  # noqa: S311 - spreads retries; no secret


def _asked_for(response: Response) -> float | None:
    """The pause that an endpoint wants, in seconds; None: it wants none, one that cannot be read, or a past one."""
    asked = response.headers.get("retry-after", "")
    if (date := _date(asked)) is not None:
        seconds = (date - datetime.now(UTC)).total_seconds()
    elif re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", asked):
        seconds = float(asked)
    else:
        return None
    return seconds if seconds >= 0 else None


def _pause(asked: float | None) -> float | None:
    if asked is None:
        return _jitter()
    return asked if asked <= MAX_RETRY_AFTER_SECONDS else None


def _seconds(asked: float | None) -> int | None:
    """As a header of ours says it."""
    return math.ceil(asked) if asked is not None else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


async def _refusal(response: Response) -> str:
    """The start of a refusal, to look for the names of parameters in it. It is never shown, logged or kept."""
    if response.status != 400:
        return ""
    text = bytearray()

    def take(some: bytes) -> None:
        text.extend(some)
        if len(text) >= MAX_REFUSAL_BYTES:
            response.stop()

    try:
        async with asyncio.timeout(AFTER_FINISH_SECONDS):
            await response.pour(take)
    except (Broken, TimeoutError):
        pass  # the status alone says what matters
    return text.decode("utf-8", "replace")


# ── The answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Reading:
    """One answer, from the bytes of its response to who takes its deltas."""

    def __init__(self, response: Response, take: Take) -> None:
        self._response = response
        self._take = take
        self._answer = AnswerReader()
        self._begun = False  # the first byte that tells is here
        self._document: bytearray | None = None  # some servers ignore `stream`
        self._patience: asyncio.TimerHandle | None = None  # for what follows an answer that is complete

    @property
    def is_whole(self) -> bool:
        """Whether nothing that counts can follow: the connection can be used again."""
        return self._answer.over and self._answer.failure is None

    async def run(self) -> None:
        """Read it to its end.

        Raises:
            ProviderError: it did not complete.
        """
        headers = self._response.headers
        encoding, media_type = headers.get("content-encoding", "identity"), headers.get("content-type", "")
        if encoding.lower() != "identity" or media_type.partition(";")[0].strip().lower() == "text/html":
            raise UpstreamProtocol
        answer = self._answer
        try:
            await self._response.pour(self._received)
        except Broken as error:
            if not answer.finished and answer.failure is None:
                raise UpstreamInterrupted(INTERRUPTED) from error
        else:
            if not answer.over and answer.failure is None:
                await self._give(answer.end() if self._document is None else answer.whole(bytes(self._document)))
        finally:
            if self._patience is not None:
                self._patience.cancel()
        if answer.failure is not None:
            raise answer.failure

    def _received(self, data: bytes) -> Awaitable[None] | None:
        if not self._begun:
            data = data.lstrip()  # some servers name the wrong type, and some send white space while they think
            if not data:
                return None
            self._begun = True
            if data.startswith(b"<"):
                raise UpstreamProtocol
            if data.startswith(b"{"):
                self._document = bytearray()
        if self._document is not None:
            self._document += data
            if len(self._document) > MAX_WHOLE_BYTES:
                raise UpstreamProtocol
            return None
        answer = self._answer
        deltas = answer.feed(data)
        waiting = self._take(deltas) if deltas else None
        if answer.finished or answer.failure is not None:
            self._finish()
        return waiting

    def _finish(self) -> None:
        if self._answer.over or self._answer.failure is not None:
            self._response.stop()
        elif self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(AFTER_FINISH_SECONDS, self._response.stop)

    async def _give(self, deltas: Sequence[Delta]) -> None:
        if deltas and (waiting := self._take(deltas)) is not None:
            await waiting
