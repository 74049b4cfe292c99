"""`models.toml`: endpoints, and what is known of their models. Checked whole at start; docs/models.md explains it."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from app.errors import StartRefused
from app.models import MAX_MODEL_CHARS
from app.providers import plan as plans
from app.providers.local import describe
from app.providers.openai import Said, Style
from app.providers.plan import Endpoint, Entry, Plan
from app.providers.toml_lines import Place, line_of
from app.settings import BACKEND, Settings, base_url, secret, sendable, shown

MAX_FILE_BYTES = 256 * 2**10  # a page for each of a hundred models
MAX_FALLBACKS = 2  # three attempts in all
MAX_PRICE = 1_000_000  # a dollar for each token; whoever writes more has the unit wrong
MAX_PROBLEMS = 20  # told at once; whoever has more has one reason for them

_KEY_ENV = re.compile(r"[A-Z_][A-Z0-9_]*")
_QUERY = re.compile(r"\?.*")
_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")

ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,29}$")]
ModelId = Annotated[str, Field(min_length=1, max_length=MAX_MODEL_CHARS)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class ProviderTable(_Table):
    """`[providers.<name>]`: one place that answers."""

    base_url: str | None = Field(None, description="Where its chat/completions and models are.")
    key_env: str | None = Field(None, description="The name of the environment variable that holds its key.")
    discover: bool = Field(True, description="Whether to ask it for its models.")
    only: list[str] = Field([], max_length=100, description="Patterns of those that are wanted, such as gpt-*.")
    embedded: bool = Field(False, description="The embedded model, which has no address.")
    continues: Style | None = Field(None, description="How it is told to go on from an unfinished answer.")


class ModelTable(_Table):
    """`[models."<provider>/<model>"]`: what is known of one model."""

    name: str | None = Field(None, min_length=1, max_length=100, description="For people.")
    context_window: int | None = Field(None, ge=256, le=100_000_000, description="What it can read, in tokens.")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Longest answer asked of it, in tokens.")
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False, description="Randomness, 0 to 2.")
    input_price: float | None = Field(
        None, ge=0, le=MAX_PRICE, allow_inf_nan=False, description="US dollars for a million tokens that it reads."
    )
    output_price: float | None = Field(
        None, ge=0, le=MAX_PRICE, allow_inf_nan=False, description="US dollars for a million tokens that it writes."
    )
    fallbacks: list[ModelId] = Field([], max_length=MAX_FALLBACKS, description="Who is asked if it cannot be.")
    continues: Style | None = Field(None, description="As its provider's, for this model.")
    note: str | None = Field(None, max_length=500, description="What a person should know before asking it.")


class ModelsFile(_Table):
    """The whole file."""

    default: ModelId | None = Field(None, description="Who answers when none is named.")
    providers: dict[ProviderName, ProviderTable] = Field({}, max_length=50)
    models: dict[ModelId, ModelTable] = Field({}, max_length=2000)


Problem = tuple[Place, str]
"""Where, and why: the end of a sentence that begins with the place."""


def read(settings: Settings) -> Plan:
    """The plan that `models.toml` and the OPENAI_* variables make together.

    Raises:
        StartRefused: the file cannot be used. A sentence for each reason names line, key, what it was and may be.
    """
    name = str(settings.models_file)
    text = _text(settings)
    if text is None:
        return plans.plain(settings)
    lines = text.replace("\r\n", "\n").split("\n")
    document = _parsed(name, text)
    try:
        file = ModelsFile.model_validate(document)
    except ValidationError as error:
        _refuse(name, lines, [_problem(one) for one in error.errors(include_url=False)])
    if not document:
        return plans.plain(settings)
    planner = _Planner(file, settings)
    if problems := list(planner.problems()) or list(planner.no_default()):
        _refuse(name, lines, problems)
    return planner.plan()


def _text(settings: Settings) -> str | None:
    name = settings.models_file
    path = BACKEND / name.expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise StartRefused(f"MODELS_FILE: {name} is longer than {MAX_FILE_BYTES:,} bytes. Shorten it.")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        if name == Settings.model_fields["models_file"].default:
            return None
        raise StartRefused(f"MODELS_FILE cannot be {str(name)!r}: there is no such file ({path}).") from None
    except OSError as error:
        raise StartRefused(f"MODELS_FILE cannot be {str(name)!r}: it cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise StartRefused(f"MODELS_FILE: {name} is not UTF-8. Save it as UTF-8.") from None


def _parsed(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise StartRefused(f"{name} is no TOML: it is nested too deeply.") from None
    except tomllib.TOMLDecodeError as error:
        at = _LINE.search(str(error))
        line = int(at[1]) if at and at[1] else text.rstrip("\n").count("\n") + 1
        why = _LINE.sub("", str(error)).rstrip(".")
        hint = " A name with a / stands in quotes." if text.split("\n")[line - 1].lstrip().startswith("[") else ""
        raise StartRefused(f"{name}, line {line}: this is no TOML: {why}.{hint}") from None


def _refuse(name: str, lines: Sequence[str], problems: Sequence[Problem]) -> NoReturn:
    told = sorted((line_of(lines, place), why) for place, why in problems[:MAX_PROBLEMS])
    raise StartRefused("\n".join(f"{name}, line {line}: {why}." for line, why in told))


# ── One value ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _problem(error: ErrorDetails) -> Problem:
    place = tuple(key for key in error["loc"] if key != "[key]")
    if error["type"] == "extra_forbidden":
        known = ", ".join(_table_at(place).model_fields)
        hint = "; a key is never written here, but put into an environment variable that key_env names"
        secretive = hint if "key" in str(place[-1]).lower() else ""
        return place, f"{_spelled(place)} is not known here. What is: {known}{secretive}"
    value = error["input"]
    was = _shown(value) if isinstance(value, str | int | float) and "key_env" not in place else "what it is"
    return place, f"{_spelled(place)} cannot be {was}: {error['msg'].rstrip('.')}"


def _table_at(place: Place) -> type[_Table]:
    match place:
        case ("providers", _, *_):
            return ProviderTable
        case ("models", _, *_):
            return ModelTable
        case _:
            return ModelsFile


def _spelled(place: Place) -> str:
    words = [str(key) if isinstance(key, int) or re.fullmatch(r"[\w-]+", key) else f'"{key}"' for key in place]
    return ".".join(words) if all(word.isprintable() for word in words) else repr(place)


def _shown(value: object) -> str:
    return _QUERY.sub("?…'", shown(value))  # a key may be pasted into an address, too


# ── All together ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Planner:
    """Puts the file and the variables together, and says what does not fit."""

    def __init__(self, file: ModelsFile, settings: Settings) -> None:
        self._file = file
        self._file_name = settings.models_file.name
        self._variables = plans.variables(settings)
        if self._variables is not None and self._variables.name in file.providers:
            self._variables = None
        self._own = f"{self._variables.name}/{settings.openai_model}" if self._variables is not None else None
        embedded = [name for name, table in file.providers.items() if table.embedded]
        if not file.providers and self._variables is None:
            embedded = ["embedded"]
        variables = [self._variables.name] if self._variables is not None else []
        self._names = list(dict.fromkeys([*file.providers, *variables, *embedded]))
        self._embedded = [describe(settings.local_model_path, name).id for name in embedded]

    def problems(self) -> Iterator[Problem]:
        """What does not fit, each told once."""
        for name, table in self._file.providers.items():
            yield from self._problems_of_provider(("providers", name), table)
        if len(self._embedded) > 1:
            second = self._embedded[1].partition("/")[0]
            yield ("providers", second, "embedded"), f"{second} cannot be embedded: there is one embedded model"
        for model_id, model in self._file.models.items():
            place: Place = ("models", model_id)
            if (why := self._unknown(model_id, named=True)) is not None:
                yield place, f"{_spelled(place)} cannot be: {why}"
            if (model.input_price is None) != (model.output_price is None):
                missing = "output_price" if model.output_price is None else "input_price"
                yield (
                    place,
                    f"{_spelled((*place, missing))} is missing: a price has two halves, either of which may be 0",
                )
            yield from self._problems_of_fallbacks(model_id, model.fallbacks)
        if self._file.default is not None and (why := self._unknown(self._file.default)) is not None:
            yield ("default",), f"default cannot be {_shown(self._file.default)}: {why}"

    def no_default(self) -> Iterator[Problem]:
        """Where there are no other problems."""
        if self._default() is None:
            yield (), 'default is missing: say who answers when none is named, such as default = "ollama/llama3.2"'

    def _problems_of_provider(self, place: Place, table: ProviderTable) -> Iterator[Problem]:
        name = _spelled(place)
        if table.embedded:
            foreign = [field for field in ("base_url", "key_env", "only", "continues") if getattr(table, field)]
            for field in foreign:
                yield (*place, field), f"{name}.{field} cannot be: the embedded model has none"
            return
        if table.base_url is None:
            yield place, f"{name}.base_url is missing: an address such as http://127.0.0.1:11434/v1, or embedded = true"
        else:
            try:
                base_url(table.base_url, f"the variable that {name}.key_env names")
            except ValueError as error:
                yield (*place, "base_url"), f"{name}.base_url cannot be {_shown(table.base_url)}: {error}"
        if table.key_env is not None and (why := _unusable(table.key_env)) is not None:
            yield (*place, "key_env"), f"{name}.key_env cannot be {why}"

    def _problems_of_fallbacks(self, model_id: str, fallbacks: Sequence[str]) -> Iterator[Problem]:
        for number, fallback in enumerate(fallbacks):
            place: Place = ("models", model_id, "fallbacks", number)
            if fallback == model_id:
                yield place, f"{_spelled(place)} cannot be {_shown(fallback)}: a model cannot stand in for itself"
            elif fallback in fallbacks[:number]:
                yield place, f"{_spelled(place)} cannot be {_shown(fallback)}: it is there already"
            elif (why := self._unknown(fallback)) is not None:
                yield place, f"{_spelled(place)} cannot be {_shown(fallback)}: {why}"

    def _unknown(self, model_id: str, *, named: bool = False) -> str | None:
        """Why there can be no model of that id, or None. `named`: the file has a table for it."""
        provider, _, model = model_id.partition("/")
        if provider not in self._names or not model:
            return f"it must be provider/model, and a provider is one of {', '.join(self._names)}"
        if not model_id.isprintable() or model != model.strip():
            return "it must be of printable characters, without spaces around it"
        if (own := next((one for one in self._embedded if one.startswith(f"{provider}/")), None)) is not None:
            return None if model_id == own else f"the embedded model is called {own}"
        table = self._file.providers.get(provider)
        lists = table is not None and table.discover
        if named or lists or model_id in self._file.models or model_id == self._own:
            return None
        return f'{provider} is not asked for its models, so it needs a table [models."{model_id}"]'

    def _default(self) -> str | None:
        candidates = (self._file.default, self._own, *self._file.models, *self._embedded)
        return next((one for one in candidates if one is not None), None)

    def _endpoints(self) -> list[Endpoint]:
        named = [self._endpoint(name, table) for name, table in self._file.providers.items()]
        if self._variables is not None:
            named.append(self._variables)
        return named or [Endpoint("embedded")]

    def _endpoint(self, name: str, table: ProviderTable) -> Endpoint:
        if table.embedded:
            return Endpoint(name)
        said = Said(
            url=f"base_url of {name}",
            key=f"the variable {table.key_env}" if table.key_env else f"key_env of {name}",
            model=f"its name in {self._file_name}",
        )
        return Endpoint(
            name=name,
            base_url=(table.base_url or "").rstrip("/"),
            key=secret(table.key_env) if table.key_env else None,
            discover=table.discover,
            only=tuple(table.only),
            style=table.continues,
            said=said,
        )

    def plan(self) -> Plan:
        """Where there are no problems."""
        default = self._default()
        assert default is not None
        tables = {model_id: _entry(model_id, table) for model_id, table in self._file.models.items()}
        spoken_of = [default, *(one for entry in tables.values() for one in entry.fallbacks)]
        own = [self._own] if self._own is not None else []
        others = {model_id: Entry(model_id) for model_id in (*spoken_of, *own, *self._embedded)}
        return Plan(self._endpoints(), list((others | tables).values()), default)


def _entry(model_id: str, table: ModelTable) -> Entry:
    return Entry(
        id=model_id,
        name=table.name,
        context_window=table.context_window,
        max_tokens=table.max_tokens,
        temperature=table.temperature,
        note=table.note,
        style=table.continues,
        fallbacks=tuple(table.fallbacks),
        input_price=table.input_price,
        output_price=table.output_price,
    )


def _unusable(key_env: str) -> str | None:
    """Why no key can be had by that name, after what it was; None: it can."""
    if not _KEY_ENV.fullmatch(key_env):
        return "what it is: it must be the name of an environment variable, such as OPENAI_API_KEY, never a key"
    if (key := secret(key_env)) is None:
        return f"{key_env!r}: no variable of that name is set, in the environment or in .env"
    try:
        sendable(key)
    except ValueError as error:
        return f"{key_env!r}: what it holds is no key; {error}"
    return None
