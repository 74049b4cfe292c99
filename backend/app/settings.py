"""Every environment variable: its type, default, unit and one sentence of help. Read once, at start."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, NoDecode, SettingsConfigDict

from app.errors import StartRefused

BACKEND = Path(__file__).resolve().parent.parent
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

MAX_SHOWN_CHARS = 200  # of a value that is refused; a longer one is a text, perhaps a private one

_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+")
_HEADER_TEXT = re.compile(r"[!-~]+")
_PASSWORD = re.compile(r"[^/'\"]*:[^/?#]*@")
POSTGRES = ("postgresql://", "postgres://")

Seconds = Annotated[float, Field(ge=0.1, le=7 * 24 * 3600, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """The settings of one process. Environment first, then `backend/.env`, then the default."""

    model_config = SettingsConfigDict(
        env_file=BACKEND / ".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    openai_api_key: SecretStr | None = Field(
        None, description="Key of the endpoint. Without key and URL the embedded model answers."
    )
    openai_base_url: str = Field(
        "", description="An OpenAI-compatible endpoint, such as http://127.0.0.1:11434/v1. Empty: OpenAI's own."
    )
    openai_model: str = Field(
        "gpt-3.5-turbo", min_length=1, max_length=190, description="The model that the endpoint is asked for."
    )
    models_file: Path = Field(
        Path("models.toml"),
        description="Several endpoints and what is known of their models; a relative path starts at backend/.",
    )
    local_model_path: Path | None = Field(
        None, description="A GGUF file for the embedded model. Empty: the packaged SmolLM2-135M-Instruct."
    )
    local_model_idle_seconds: Seconds = Field(
        600, description="The embedded model leaves memory after this long without a question, in seconds."
    )

    system_prompt: str = Field("", max_length=100_000, description="Put before every conversation. Empty: nothing.")
    max_tokens: int = Field(1000, ge=1, le=1_000_000, description="Longest answer asked of the model, in tokens.")
    context_window: int = Field(
        16_000, ge=256, le=100_000_000, description="What a model is taken to read where nobody says, in tokens."
    )
    temperature: float = Field(
        0.7, ge=0, le=2, allow_inf_nan=False, description="Randomness asked of the model, 0 to 2."
    )

    titles: bool = Field(
        True, description="Name a new conversation by a short model call after its first answer. Off: its first words."
    )

    database_url: str = Field(
        "sqlite:///data/chat.db",
        description="Where everything is kept: a file (a relative path starts at backend/), or postgresql://….",
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address that `make run` listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that `make run` listens on.")
    page_path: Path = Field(
        Path("../frontend/dist"),
        description="Folder of the built web page; a relative path starts at backend/.",
    )
    cors_origins: Names = Field(
        ("http://localhost:5173", "http://127.0.0.1:5173"),
        description="Origins of pages that may call the service, comma-separated.",
    )
    allowed_hosts: Names = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="Host names the service answers to, comma-separated, without ports.",
    )
    allow_insecure: bool = Field(
        False, description="Let other machines in although everyone who comes is the same user."
    )

    accounts: bool = Field(False, description="Have everyone sign in. The first to sign up is the administrator.")
    sign_up: Literal["invitation", "open"] = Field(
        "invitation", description="Who may make an account: invitation (only who has one) or open (anybody)."
    )
    session_days: int = Field(30, ge=1, le=365, description="How long a sign-in is good, in days.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Who sends it as a bearer token may read /metrics. Without one, only programs of this machine.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "", description="Where traces go, by OTLP over HTTP, such as http://127.0.0.1:4318. Empty: nothing is traced."
    )
    public_url: str = Field(
        "", description="Where people reach the service, such as https://chat.example.org. Empty: as each one asked."
    )
    oidc_issuer: str = Field(
        "", description="An OpenID provider to sign in with, such as https://login.example.org. Empty: none."
    )
    oidc_client_id: str = Field("", max_length=256, description="What the service is called there.")
    oidc_client_secret: SecretStr | None = Field(None, description="Its secret there. Empty: a public client.")
    oidc_name: str = Field("OpenID", min_length=1, max_length=64, description="What the button to sign in there says.")

    max_runs: int = Field(512, ge=1, le=100_000, description="Answers being written at once, by each process.")
    max_runs_per_user: int = Field(
        8, ge=0, le=100_000, description="Answers being written at once for one account (with accounts). 0: any number."
    )
    requests_per_minute: int = Field(
        60, ge=0, description="Questions of one account within a minute (with accounts). 0: any number."
    )
    tokens_per_minute: int = Field(
        0, ge=0, description="Tokens of one account within a minute, read and written (with accounts). 0: any number."
    )
    tokens_per_day: int = Field(
        0, ge=0, description="Tokens of one account in a day of UTC, read and written (with accounts). 0: any number."
    )
    budget_per_month: Decimal = Field(
        Decimal(0),
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="What one account may spend in a month of UTC, in US dollars (with accounts). 0: any amount.",
    )
    max_live_bytes: int = Field(
        256 * 2**20, ge=65536, description="Text of answers being written, held in memory, in bytes."
    )
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="Largest request body, in bytes.")
    import_max_bytes: int = Field(2**30, ge=1024, description="Largest file that can be imported, in bytes.")
    max_message_chars: int = Field(32_000, ge=1, description="Longest message, in characters.")
    max_history_items: int = Field(400, ge=0, description="Most messages in a request's history.")
    max_output_chars: int = Field(400_000, ge=1, description="Longest answer kept, in characters.")
    run_retention_hours: float = Field(
        24, ge=1, le=24 * 366, description="How long an answer without a conversation is kept, in hours."
    )

    connect_timeout_seconds: Seconds = Field(
        5, description="Longest wait for a connection to the endpoint, in seconds."
    )
    first_token_timeout_seconds: Seconds = Field(300, description="Longest wait for the first token, in seconds.")
    idle_timeout_seconds: Seconds = Field(120, description="Longest pause inside an answer, in seconds.")
    run_timeout_seconds: Seconds = Field(1800, description="Longest time one answer may take, in seconds.")
    abandon_seconds: Seconds = Field(
        60, description="An answer without a conversation that nobody reads this long is stopped, in seconds."
    )
    keepalive_seconds: Seconds = Field(
        15, description="Longest silence on a stream, in seconds; proxies close idle ones at 30 to 60."
    )
    send_timeout_seconds: Seconds = Field(
        30, description="A reader whose socket takes nothing this long is cut off, in seconds."
    )
    save_timeout_seconds: Seconds = Field(
        30, description="How long a failed write is tried again before the answer ends, in seconds."
    )
    drain_seconds: Seconds = Field(30, description="How long running answers may go on after SIGTERM, in seconds.")
    lease_seconds: Seconds = Field(
        20, description="How long a replica owns a run without renewing it, in seconds (several replicas only)."
    )

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, separator, rest = origin.partition("://")
            if not (separator and scheme in {"http", "https"} and rest) or "/" in rest or "*" in origin:
                raise ValueError(f"{origin!r} is no origin; it looks like https://chat.example.org, and * is not one")
        # Browsers leave the default port out.
        return tuple(re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", origin.lower()) for origin in origins)

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names:
            raise ValueError("it must name at least one host, such as localhost")
        for name in names:
            bare = name.removeprefix("[").removesuffix("]") if name.startswith("[") else name
            if not bare or "/" in name or "*" in name or (":" in name and not name.startswith("[")):
                raise ValueError(f"{name!r} is no host name; write names without scheme, port or *")
        return tuple(name.lower() for name in names)

    @field_validator("openai_base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        return base_url(url, "OPENAI_API_KEY") if url else url

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _is_a_collector(cls, url: str) -> str:
        return base_url(url, "OTEL_EXPORTER_OTLP_HEADERS") if url else url

    @field_validator("openai_api_key", "metrics_token")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        return sendable(key) if key is not None else None

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, url: str) -> str:
        if url.startswith(POSTGRES):
            return url
        if not url.startswith("sqlite:///") or url in {"sqlite:///", "sqlite:///:memory:"}:
            raise ValueError(
                "it must be sqlite:/// and a file's path, such as sqlite:///data/chat.db, or postgresql:// and "
                "where that is"
            )
        return url

    @field_validator("oidc_issuer", "public_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return url and checked_address(url, "https://chat.example.org")

    @field_validator("oidc_issuer")
    @classmethod
    def _cannot_be_overheard(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and parts.scheme != "https" and parts.netloc.rpartition(":")[0] not in LOOPBACK_NAMES:
            raise ValueError("it must begin with https://, since whoever can change its answers can be anybody")
        return url

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID, which the provider gives out")
        if self.oidc_issuer and not self.accounts:
            raise ValueError("OIDC_ISSUER needs ACCOUNTS=1, since without accounts nobody signs in")
        if not self.oidc_issuer and (self.oidc_client_id or self.oidc_client_secret):
            raise ValueError("OIDC_CLIENT_ID and OIDC_CLIENT_SECRET need OIDC_ISSUER, whose they are")
        name = urlsplit(self.public_url).hostname
        if name and not {name, f"[{name}]"} & set(self.allowed_hosts):
            raise ValueError(f"PUBLIC_URL needs its name {name!r} in ALLOWED_HOSTS, else nobody is answered there")
        return self

    @model_validator(mode="after")
    def _only_loopback_without_accounts(self) -> Self:
        beyond = [name for name in self.allowed_hosts if name not in LOOPBACK_NAMES]
        if beyond and not self.allow_insecure and not self.accounts:
            raise ValueError(
                f"ALLOWED_HOSTS names {beyond[0]!r}, beyond this machine, while everyone who comes is the same user. "
                "Set ACCOUNTS=1 so that people sign in, or ALLOW_INSECURE=1 if whoever reaches it may see and use "
                "everything"
            )
        return self

    @property
    def page_folder(self) -> Path:
        """Where the built page lies; a relative path starts at `backend/`."""
        return BACKEND / self.page_path

    @property
    def is_shared(self) -> bool:
        """Whether the database is PostgreSQL, which several replicas may share."""
        return self.database_url.startswith(POSTGRES)

    @property
    def database_path(self) -> Path:
        """The SQLite file; a relative path starts at `backend/`."""
        return BACKEND / self.database_url.removeprefix("sqlite:///")


def base_url(url: str, key_setting: str) -> str:
    """`url` as addresses are put together from it; `key_setting` is where a key belongs.

    Raises:
        ValueError: nobody can be asked there.
    """
    checked_address(url, "http://127.0.0.1:11434/v1", f"; put the key into {key_setting}")
    return url.rstrip("/")


def checked_address(url: str, example: str, advice: str = "") -> str:
    """`url`, if it is one of HTTP without a name, a password, a query or a fragment.

    Raises:
        ValueError: it is not. It says so with the example and the advice.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = False
        parts = urlsplit("")
    if not usable or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise ValueError(f"it must be an address such as {example}")
    if "@" in parts.netloc:
        raise ValueError(f"it must not hold a user name or password{advice}")
    return url


def sendable(key: SecretStr) -> SecretStr:
    """`key`, if a header can hold it.

    Raises:
        ValueError: it cannot.
    """
    if not _HEADER_TEXT.fullmatch(key.get_secret_value()):
        raise ValueError("it must be of printable ASCII characters, without spaces or line ends")
    return key


def secret(name: str) -> SecretStr | None:
    """What the environment, else `backend/.env`, holds under exactly this name; nothing and empty are None."""
    for source in (
        EnvSettingsSource(Settings, case_sensitive=True),
        DotEnvSettingsSource(Settings, case_sensitive=True),
    ):
        if value := source.env_vars.get(name):
            return SecretStr(value)
    return None


def shown(value: object) -> str:
    """`value` as a refusal shows it: without a password in an address, and not at all if it is long."""
    was = repr(value)
    return _PASSWORD.sub("…@", was) if len(was) <= MAX_SHOWN_CHARS else "what it is"


def load() -> Settings:
    """The settings of this process.

    Raises:
        StartRefused: a value cannot be. The sentence names the variable, what it was (no secret) and what it may be.
    """
    try:
        return Settings()  # pyright: ignore[reportCallIssue]
    except UnicodeDecodeError:
        raise StartRefused(f"{BACKEND.name}/.env is not UTF-8. Save it as UTF-8.") from None
    except ValidationError as error:
        raise StartRefused("\n".join(_sentence(problem) for problem in error.errors(include_url=False))) from None


def _sentence(problem: ErrorDetails) -> str:
    why = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if not problem["loc"]:
        return f"{why}."
    name = str(problem["loc"][0])
    is_secret = Settings.model_fields[name].annotation == SecretStr | None
    was = "what it is" if is_secret else shown(problem["input"])
    return f"{name.upper()} cannot be {was}: {why}."
