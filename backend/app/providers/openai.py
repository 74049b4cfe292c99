"""Any endpoint that speaks OpenAI's chat completions."""

import asyncio
import math
import random
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import aiohttp
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
from app.providers.base import ModelInfo, Unbilled

MAX_WHOLE_BYTES = 4 * 2**20  # a whole answer in one JSON document
MAX_REFUSAL_BYTES = 64 * 2**10  # enough of a refusal to see which parameter it names
MAX_CHANGES = 2  # of parameters that a model refuses: there are two that some do not know
MAX_RETRY_AFTER_SECONDS = 10  # nobody waits longer in front of an empty answer
LINGER_SECONDS = 1  # for the last bytes of a response whose answer is over; a new connection costs more than the wait
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
    """Satisfies `providers.base.Provider`. The session is the caller's, who closes it."""

    def __init__(self, info: ModelInfo, config: OpenAIConfig, session: aiohttp.ClientSession) -> None:
        self._info = info
        self._config = config
        self._session = session
        self._length_field = "max_tokens"  # newer models of OpenAI know only max_completion_tokens
        self._with_temperature = True
        self._lingering: set[asyncio.Task[None]] = set()

    @property
    def info(self) -> ModelInfo:
        """Who answers."""
        return self._info

    async def close(self) -> None:
        """Nothing is held between answers but connections that are about to be free again."""
        for task in self._lingering:
            task.cancel()
        await asyncio.gather(*self._lingering, return_exceptions=True)

    def _linger(self, response: aiohttp.ClientResponse) -> None:
        """The answer is over, the end of its body is not here yet: a moment later the connection can be used again."""

        async def wait() -> None:
            try:
                async with asyncio.timeout(LINGER_SECONDS):
                    while await response.content.readany():
                        pass  # nothing that follows [DONE] counts
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass  # then it is closed instead
            finally:
                _close(response)

        task = asyncio.create_task(wait(), name="lingering")
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    def become(self, info: ModelInfo, config: OpenAIConfig) -> None:
        """More is known of the same model. What is being answered goes on as it was asked."""
        self._info = info
        self._config = config

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Delta]]:
        """See `Provider.stream`."""
        response = await self._ask(prompt)
        answer = AnswerReader()
        try:
            async with aclosing(_read(response, answer)) as deltas:
                async for some in deltas:
                    yield some
        finally:
            if answer.over and answer.failure is None and not response.content.at_eof():
                self._linger(response)
            else:
                _close(response)
                await asyncio.sleep(0)  # the loop closes the socket in its next turn; who waits for us may then say so

    # ── The question ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, prompt: Prompt) -> aiohttp.ClientResponse:
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
                _close(response)
            if response.status == 400 and changes < MAX_CHANGES:
                changes += 1
                if length_field == "max_tokens" and "max_tokens" in refusal:
                    length_field = "max_completion_tokens"
                    continue
                if with_temperature and "temperature" in refusal:
                    with_temperature = False
                    continue
            raise verdict

    async def _post(self, prompt: Prompt, length_field: str, with_temperature: bool) -> aiohttp.ClientResponse:
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
            return await self._session.post(
                f"{self._config.base_url}/chat/completions",
                data=msgspec.json.encode(body),
                headers=headers,
                allow_redirects=False,  # the key goes to the configured address and nowhere else
                timeout=aiohttp.ClientTimeout(total=None, connect=self._config.connect_timeout),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            unreached = f"The model's endpoint cannot be reached. Check {self._config.said.url} and the network."
            raise Unbilled(UpstreamUnavailable(unreached), _jitter()) from error
        except (aiohttp.ClientResponseError, aiohttp.InvalidURL, ValueError) as error:
            raise UpstreamProtocol from error
        except (aiohttp.ClientError, OSError) as error:
            # The request may have arrived, and may be billed: never asked again.
            raise UpstreamUnavailable(
                "The model's endpoint closed the connection without an answer. Try again."
            ) from error

    def _judged(self, response: aiohttp.ClientResponse) -> Unbilled | ProviderError:
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


def _asked_for(response: aiohttp.ClientResponse) -> float | None:
    """The pause that an endpoint wants, in seconds; None: it wants none, one that cannot be read, or a past one."""
    asked = response.headers.get("Retry-After", "")
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


async def _refusal(response: aiohttp.ClientResponse) -> str:
    """The start of a refusal, to look for the names of parameters in it. It is never shown, logged or kept."""
    if response.status != 400:
        return ""
    text = bytearray()
    try:
        async with asyncio.timeout(AFTER_FINISH_SECONDS):
            while len(text) < MAX_REFUSAL_BYTES and (some := await response.content.readany()):
                text += some
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass  # the status alone says what matters
    return text.decode("utf-8", "replace")


# ── The answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _read(response: aiohttp.ClientResponse, answer: AnswerReader) -> AsyncGenerator[Sequence[Delta]]:
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" or response.content_type == "text/html":
        raise UpstreamProtocol
    content = response.content
    forget = _tell_when_gone(response)
    try:
        received = await _first(content)
        if received.startswith(b"{"):  # some servers ignore `stream`
            yield answer.whole(await _document(content, received))
            received = b""
        until: float | None = None
        while received and not answer.over and answer.failure is None:
            if deltas := answer.feed(received):
                yield deltas
            if answer.finished and until is None:
                until = asyncio.get_running_loop().time() + AFTER_FINISH_SECONDS
            if not answer.over:
                received = await _next(content, until)
        if not answer.over and answer.failure is None:
            yield answer.end()
    except (aiohttp.ClientError, OSError) as error:
        if answer.failure is None and not answer.over and (rest := _unread(content)):
            yield answer.feed(rest)
        if not answer.finished and answer.failure is None:
            raise UpstreamInterrupted(INTERRUPTED) from error
    finally:
        forget()
    if answer.failure is not None:
        raise answer.failure
    await asyncio.sleep(0)  # lets the last bytes of the response in, so that the connection can be used again


async def _first(content: aiohttp.StreamReader) -> bytes:
    """The first bytes that tell: some servers name the wrong type, and some send white space while they think."""
    received = (await content.readany()).lstrip()
    while not received and not content.at_eof():
        received = (await content.readany()).lstrip()
    if received.startswith(b"<"):
        raise UpstreamProtocol
    return received


def _unread(content: aiohttp.StreamReader) -> bytes:
    """What had come before the connection broke: it is still there if we were slow to read it (a full disk)."""
    return b"".join(content._buffer)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - read_nowait() would raise


def _tell_when_gone(response: aiohttp.ClientResponse) -> Callable[[], None]:
    """aiohttp closes a connection whose framing breaks, and tells whoever reads the body nothing.

    Returns what ends this watch: the connection outlives the response.
    """
    protocol = response.connection.protocol if response.connection is not None else None
    closed = protocol.closed if protocol is not None else None
    content = response.content

    def gone(done: "asyncio.Future[None]") -> None:
        if not done.cancelled():
            done.exception()
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection is gone"))

    if closed is None:
        return lambda: None
    closed.add_done_callback(gone)

    def forget() -> None:
        closed.remove_done_callback(gone)

    return forget


async def _next(content: aiohttp.StreamReader, until: float | None) -> bytes:
    """More of the stream, or nothing at its end; `until`: the answer is complete, so do not wait any longer."""
    if until is None:
        return await content.readany()
    try:
        async with asyncio.timeout_at(until):
            return await content.readany()
    except TimeoutError:
        return b""


async def _document(content: aiohttp.StreamReader, first: bytes) -> bytes:
    document = bytearray(first)
    while some := await content.readany():
        document += some
        if len(document) > MAX_WHOLE_BYTES:
            raise UpstreamProtocol
    return bytes(document)


def _close(response: aiohttp.ClientResponse) -> None:
    """Close the socket now: under TLS a polite close would wait for the other side, which is being paid meanwhile."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()
