"""Several upstreams behind one `models.toml`: the file, the lists they give, and what they were asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.fixtures import Serve
from tests.support.script import Step, json_status, say
from tests.support.server import Server
from tests.support.upstream import Upstream
from tests.support.upstream_connection import Seen

LIST = "/v1/models"


def model_list(*models: str | Mapping[str, Any]) -> list[Step]:
    """A list of models as OpenAI gives it; a name alone is short for a model without details."""
    data = [{"id": model} if isinstance(model, str) else dict(model) for model in models]
    return json_status(200, {"object": "list", "data": [{"object": "model", "owned_by": "x"} | one for one in data]})


def offers(upstream: Upstream, listing: Sequence[Step], answer: Sequence[Step] | None = None) -> None:
    """`upstream` gives this list and this answer, whenever it is asked for one of them."""
    upstream.otherwise(answer=lambda seen: listing if seen.path == LIST else answer or say("Hello", " there"))


def asked(upstream: Upstream) -> list[Seen]:
    """The questions that reached it: what would be billed."""
    return [seen for seen in upstream.requests if seen.path != LIST]


def lists(upstream: Upstream) -> int:
    """How often it was asked for its list."""
    return len(upstream.requests) - len(asked(upstream))


def toml(text: str = "", **providers: Upstream | str) -> str:
    """A file with a provider for each keyword: an upstream or an address, and whatever `text` says after them.

    Providers whose name begins with `listed` are asked for their models.
    """
    lines: list[str] = []
    for name, place in providers.items():
        url = place if isinstance(place, str) else place.url
        lines += [f"[providers.{name}]", f'base_url = "{url}"', f"discover = {str(name.startswith('listed')).lower()}"]
    return "\n".join([*lines, text])


async def serving(serve: Serve, folder: Path, text: str, **env: Any) -> Server:
    """A running service with that `models.toml` and without the OPENAI_* variables."""
    (folder / "models.toml").write_text(text, "utf-8")
    plain = {"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None}
    return await serve(**{**plain, "MODELS_FILE": folder / "models.toml", **env})
