"""The models of all providers under one roof: what was said of them at start, and what their endpoints say."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from app.errors import ModelNotFound
from app.models import MAX_MODEL_CHARS
from app.providers.base import ModelInfo, Provider
from app.providers.client import Client
from app.providers.discovery import Found, Listing
from app.providers.local import LocalProvider, describe
from app.providers.openai import OpenAIConfig, OpenAIProvider, Style
from app.providers.plan import Endpoint, Entry, Plan
from app.settings import Settings

WAIT_SECONDS = 2.0  # for lists that have never come; whoever asks for one waits in front of an empty page


class Catalogue:
    """Satisfies `providers.base.Catalog`. Closing it closes its providers and their connections."""

    def __init__(self, plan: Plan, settings: Settings, then: Sequence[Callable[[], None]] = ()) -> None:
        """`then` is done, in its order, behind what endpoints said in one turn of the loop and in the same breath."""
        self._plan = plan
        self._client = Client()
        self._client.inbox.follow(*then)
        self._settings = settings
        self._endpoints = {endpoint.name: endpoint for endpoint in plan.endpoints}
        self._entries = {entry.id: entry for entry in plan.entries}
        self._listings = {
            endpoint.name: Listing(endpoint, self._client, settings.connect_timeout_seconds, self._learn)
            for endpoint in plan.endpoints
            if endpoint.discover
        }
        self._infos: dict[str, ModelInfo] = {}
        self._providers: dict[str, Provider] = {}
        self._learn()

    def start(self) -> None:
        """Ask for the lists, in the background: nobody waits for them yet."""
        for listing in self._listings.values():
            listing.refresh()

    async def close(self) -> None:
        """Stop asking, and let go of connections and processes. Nothing may be streaming."""
        await asyncio.gather(*(listing.close() for listing in self._listings.values()))
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))
        self._client.close()

    @property
    def default(self) -> str:
        """See `Catalog.default`."""
        return self._plan.default

    def models(self) -> Sequence[ModelInfo]:
        """See `Catalog.models`."""
        return tuple(self._infos.values())

    def info(self, model_id: str) -> ModelInfo | None:
        """See `Catalog.info`."""
        return self._infos.get(model_id)

    async def chain(self, name: str | None) -> Sequence[Provider]:
        """See `Catalog.chain`."""
        model_id = self.default if name is None else self._find(name) or await self._await(name)
        entry = self._entries.get(model_id)
        return [self._provider(one) for one in (model_id, *(entry.fallbacks if entry else ()))]

    async def refresh(self) -> None:
        """See `Catalog.refresh`."""
        tasks = {listing: listing.refresh() for listing in self._listings.values()}
        await _wait({task for listing, task in tasks.items() if not listing.tried})

    # ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, name: str) -> str | None:
        if name in self._infos:
            return name
        provider, slash, _ = name.partition("/")
        if slash and provider in self._endpoints:
            return None  # one provider was named, so no other is asked
        bare = [one for provider in self._endpoints if (one := f"{provider}/{name}") in self._infos]
        return bare[0] if len(bare) == 1 else None

    async def _await(self, name: str) -> str:
        """The model of that name, once lists that may have it were asked for again."""
        provider, slash, _ = name.partition("/")
        named = self._listings.get(provider) if slash else None
        listings = [named] if named is not None else list(self._listings.values())
        arrived = {listing: listing.arrived for listing in listings}
        tasks = {listing: listing.refresh(soon=True) for listing in listings}
        await _wait({task for listing, task in tasks.items() if not arrived[listing]})
        if (found := self._find(name)) is None:
            raise ModelNotFound
        return found

    # ── What is known ───────────────────────────────────────────────────────────────────────────────────────────────

    def _learn(self) -> None:
        """Put together what is known now, and tell it to those that are asked already."""
        infos = {entry.id: self._describe(entry.id) for entry in self._plan.entries}
        for name, listing in self._listings.items():
            ids = [f"{name}/{model}" for model in sorted(listing.found)]
            infos |= {one: self._describe(one) for one in ids if len(one) <= MAX_MODEL_CHARS and one not in infos}
        self._infos = {self.default: infos[self.default]} | infos
        for model_id, provider in self._providers.items():
            if isinstance(provider, OpenAIProvider) and (info := self._infos.get(model_id)) is not None:
                provider.become(info, self._config(model_id))

    def _parts(self, model_id: str) -> tuple[Endpoint, str, Entry, Found]:
        provider, _, model = model_id.partition("/")
        listing = self._listings.get(provider)
        found: Mapping[str, Found] = listing.found if listing is not None else {}
        entry = self._entries.get(model_id) or Entry(model_id)
        return self._endpoints[provider], model, entry, found.get(model) or Found()

    def _describe(self, model_id: str) -> ModelInfo:
        endpoint, model, entry, found = self._parts(model_id)
        if not endpoint.base_url:
            return self._describe_embedded(endpoint, entry)
        return ModelInfo(
            id=model_id,
            name=entry.name or model,
            provider=endpoint.name,
            context_window=entry.context_window or found.context_window,
            note=entry.note,
            max_tokens=entry.max_tokens,
            temperature=entry.temperature,
            continues=_style(endpoint, entry, found) != "none",
        )

    def _describe_embedded(self, endpoint: Endpoint, entry: Entry) -> ModelInfo:
        known = describe(self._settings.local_model_path, endpoint.name)
        most = known.context_window  # it is started with so much, whatever is said
        window = entry.context_window
        return msgspec.structs.replace(
            known,
            name=entry.name or known.name,
            context_window=min(window, most) if window is not None and most is not None else most,
            note=entry.note if entry.note is not None else known.note,
            max_tokens=entry.max_tokens,
            temperature=entry.temperature,
            continues=entry.style != "none",
        )

    def _config(self, model_id: str) -> OpenAIConfig:
        endpoint, model, entry, found = self._parts(model_id)
        return OpenAIConfig(
            model=model,
            base_url=endpoint.base_url,
            key=endpoint.key,
            connect_timeout=self._settings.connect_timeout_seconds,
            style=_style(endpoint, entry, found),
            said=endpoint.said,
        )

    def _provider(self, model_id: str) -> Provider:
        """The provider of a model, made when it is first asked: it remembers which parameters the model refuses."""
        if (known := self._providers.get(model_id)) is not None:
            return known
        info, settings = self._infos.get(model_id) or self._describe(model_id), self._settings
        made: Provider
        if self._endpoints[info.provider].base_url:
            made = OpenAIProvider(info, self._config(model_id), self._client)
        else:
            made = LocalProvider(settings.local_model_path, settings.local_model_idle_seconds, info)
        self._providers[model_id] = made
        return made


def _style(endpoint: Endpoint, entry: Entry, found: Found) -> Style:
    return entry.style or endpoint.style or found.style or "none"


async def _wait(tasks: "set[asyncio.Task[None] | None]") -> None:
    running = {task for task in tasks if task is not None}
    if running:
        await asyncio.wait(running, timeout=WAIT_SECONDS)
