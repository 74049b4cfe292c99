"""What a client prefers, by the headers it sends (RFC 9110, 12.5)."""

import re

from starlette.datastructures import Headers

_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def weights(headers: Headers, name: str) -> dict[str, float]:
    """Each thing that the header `name` lists, in lower case, with its weight from 0 to 1."""
    found: dict[str, float] = {}
    for item in ",".join(headers.getlist(name)).split(","):
        thing, *parameters = (part.strip() for part in item.split(";"))
        given = next((match[1] for each in parameters if (match := _WEIGHT.fullmatch(each))), "1")
        if thing:
            found[thing.lower()] = max(float(given), found.get(thing.lower(), 0))
    return found


def prefers_html(headers: Headers) -> bool:
    """Whether `Accept` prefers a page to JSON, as browsers do when somebody goes somewhere; `*/*` has no preference."""
    accepted = weights(headers, "accept")
    anything = accepted.get("*/*", 0)
    html = accepted.get("text/html", accepted.get("text/*", anything))
    return html > accepted.get("application/json", accepted.get("application/*", anything))


def encodings(headers: Headers) -> list[str]:
    """Which of `br` and `gzip` the client takes, best first."""
    accepted = weights(headers, "accept-encoding")
    weighed = {name: accepted.get(name, accepted.get("*", 0)) for name in ("br", "gzip")}
    return sorted((name for name, weight in weighed.items() if weight), key=lambda name: -weighed[name])


def prefers_korean(headers: Headers) -> bool:
    """Whether `Accept-Language` has Korean before English."""
    accepted = weights(headers, "accept-language")

    def weight(language: str) -> float:
        return max((value for tag, value in accepted.items() if tag.partition("-")[0] == language), default=0)

    return weight("ko") > weight("en")
