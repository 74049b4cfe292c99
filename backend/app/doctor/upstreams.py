"""The endpoints: whether they answer, take the key and have the models. Nothing that is asked here costs anything."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec

from app.doctor.findings import Finding, duration, ok, unclear, wrong
from app.providers.discovery import LIST_SECONDS, MAX_LIST_BYTES
from app.providers.plan import Endpoint, Plan, missing
from app.providers.session import session
from app.settings import Settings

CLOCK_SECONDS = 60.0  # a `Date` is cut to the second, and the way takes one; certificates allow for minutes
_LATEST = ":latest"  # Ollama lists a model under its tag and answers to the name alone


class Visit(msgspec.Struct, frozen=True):
    """What asking an endpoint for its list of models gave."""

    status: int = 0  # 0: no answer
    problem: str = ""  # why there was none
    seconds: float = 0.0
    models: frozenset[str] | None = None  # None: what came is no list
    ahead: float | None = None  # of this machine's clock, by how many seconds the endpoint's is


class _Item(msgspec.Struct):
    id: str = ""


class _List(msgspec.Struct):
    data: list[_Item] | None


_decode = msgspec.json.Decoder(_List).decode
_decode_bare = msgspec.json.Decoder(list[_Item]).decode


async def examine(plan: Plan, settings: Settings) -> list[Finding]:
    """Every endpoint, its models, and this machine's clock beside theirs."""
    findings: list[Finding] = []
    ahead: dict[str, float] = {}
    async with session() as client:
        for endpoint in plan.endpoints:
            if not endpoint.base_url:
                findings.append(await asyncio.to_thread(_embedded, endpoint, plan, settings))
                continue
            visit = await _visit(client, endpoint, settings.connect_timeout_seconds)
            findings += _judged(endpoint, visit, plan)
            if visit.ahead is not None:
                ahead[endpoint.name] = visit.ahead
    findings.append(_clock(ahead))
    return findings


def _embedded(endpoint: Endpoint, plan: Plan, settings: Settings) -> Finding:
    problem = missing(plan, settings)
    subject = f"model {endpoint.name}"
    return ok(subject, "the embedded model is installed.") if problem is None else wrong(subject, problem)


async def _visit(client: aiohttp.ClientSession, endpoint: Endpoint, connect_timeout: float) -> Visit:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ai-chat-service"}
    if endpoint.key is not None:
        headers["Authorization"] = f"Bearer {endpoint.key.get_secret_value()}"
    began = time.monotonic()
    try:
        async with client.get(
            f"{endpoint.base_url}/models",
            headers=headers,
            allow_redirects=False,  # the key goes to the configured address and nowhere else
            timeout=aiohttp.ClientTimeout(total=LIST_SECONDS, connect=connect_timeout),
        ) as response:
            seconds = time.monotonic() - began
            ahead = _ahead(response)
            body = await response.content.read(MAX_LIST_BYTES) if response.status == 200 else b""
            while response.status == 200 and len(body) < MAX_LIST_BYTES and (more := await response.content.readany()):
                body += more
            return Visit(response.status, "", seconds, _models(body), ahead)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return Visit(problem=_why(error))


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "its certificate is not trusted, or it does not speak TLS"
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorError():
            return "nobody listens there"
        case _:
            return "the connection broke off"


def _models(body: bytes) -> frozenset[str] | None:
    """The names on a list of models, in OpenAI's shape or bare."""
    try:
        listed = _decode_bare(body) if body.lstrip()[:1] == b"[" else _decode(body).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return frozenset(item.id for item in listed or ())


def _ahead(response: aiohttp.ClientResponse) -> float | None:
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time()
    except (KeyError, TypeError, ValueError):
        return None


def _judged(endpoint: Endpoint, visit: Visit, plan: Plan) -> Iterator[Finding]:
    subject, said = f"endpoint {endpoint.name}", endpoint.said
    took = f"{visit.seconds * 1000:.0f} ms"
    match visit.status:
        case 0:
            yield wrong(subject, f"it cannot be reached ({visit.problem}). Check {said.url} and the network.")
        case 401 | 403:
            yield wrong(subject, f"it refuses the key (status {visit.status}). Check {said.key}.")
        case 429:
            yield unclear(subject, "it is overloaded, or its quota is spent (status 429). Look at your account there.")
        case status if status >= 500:
            yield wrong(subject, f"it is out of order (status {status}). Try again later, or look at its own log.")
        case status if 300 <= status < 400:
            yield wrong(
                subject, f"it sends elsewhere (status {status}). Write the address that it sends to into {said.url}."
            )
        case 200 if visit.models is not None:
            key = "takes the key" if endpoint.key is not None else "asks for no key"
            yield ok(subject, f"it answers in {took} and {key}.")
            yield from _named(endpoint, visit.models, plan)
        case status:
            yield unclear(
                subject,
                f"it answers in {took}, but gives no list of models (status {status}). "
                f"Check {said.url} if it does not answer questions.",
            )


def _named(endpoint: Endpoint, listed: frozenset[str], plan: Plan) -> Iterator[Finding]:
    known = listed | {name.removesuffix(_LATEST) for name in listed}
    named = [entry.id for entry in plan.entries if entry.id.partition("/")[0] == endpoint.name]
    for model_id in named:
        model = model_id.partition("/")[2]
        subject, is_default = f"model {model_id}", model_id == plan.default
        if model in known:
            yield ok(subject, "the endpoint has it." + (" It answers when none is named." if is_default else ""))
        elif is_default:
            yield wrong(
                subject,
                f"it answers when none is named, and the endpoint does not list it. Check {endpoint.said.model}.",
            )
        else:
            yield unclear(subject, "the endpoint does not list it; it may answer all the same. Check its name.")


def _clock(ahead: Mapping[str, float]) -> Finding:
    if not ahead:
        return unclear("clock", "there is nobody to compare it with.")
    name, most = max(ahead.items(), key=lambda one: abs(one[1]))
    if abs(most) <= CLOCK_SECONDS:
        return ok("clock", f"it agrees with that of {', '.join(ahead)}.")
    side = "behind" if most > 0 else "ahead of"
    return wrong(
        "clock",
        f"it is {duration(abs(most))} {side} that of {name}. Set it by the network (timedatectl set-ntp true): "
        "ids, the order of conversations and certificates go by it.",
    )
