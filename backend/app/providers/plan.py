"""What was said of endpoints and models before anybody was asked: values, made once at start."""

from collections.abc import Sequence

import msgspec
from pydantic import SecretStr

from app.providers.local import describe, problem
from app.providers.openai import Said, Style
from app.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"


class Endpoint(msgspec.Struct, frozen=True):
    """One provider: a place that answers. Without an address it is the embedded model."""

    name: str
    base_url: str = ""
    key: SecretStr | None = None
    discover: bool = False
    only: tuple[str, ...] = ()  # patterns of discovered names; none: all
    style: Style | None = None  # None: as its list of models says
    said: Said = Said()


class Entry(msgspec.Struct, frozen=True):
    """One model that was named. None: nobody said."""

    id: str
    name: str | None = None
    context_window: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    note: str | None = None
    style: Style | None = None
    fallbacks: tuple[str, ...] = ()
    input_price: float | None = None  # US dollars for a million tokens
    output_price: float | None = None


class Plan(msgspec.Struct, frozen=True):
    """The whole of it. The provider of every id in it is among the endpoints."""

    endpoints: Sequence[Endpoint]
    entries: Sequence[Entry]
    default: str


def plain(settings: Settings) -> Plan:
    """Without a file: the endpoint that the OPENAI_* variables name, else the embedded model."""
    if (endpoint := variables(settings)) is not None:
        entry = Entry(f"{endpoint.name}/{settings.openai_model}")
        return Plan([endpoint], [entry], entry.id)
    embedded = Entry(describe(settings.local_model_path).id)
    return Plan([Endpoint("embedded")], [embedded], embedded.id)


def variables(settings: Settings) -> Endpoint | None:
    """The endpoint that the OPENAI_* variables name, if they do."""
    if settings.openai_api_key is None and not settings.openai_base_url:
        return None
    return Endpoint("openai", settings.openai_base_url or OPENAI_URL, settings.openai_api_key)


def missing(plan: Plan, settings: Settings) -> str | None:
    """Why the embedded model cannot answer though it is to, as a sentence that says what to do, or None."""
    is_asked = any(not endpoint.base_url for endpoint in plan.endpoints)
    return problem(settings.local_model_path) if is_asked else None
