"""The command line: `python -m app.cli serve`, `doctor`, `openapi`, `users`."""

import json
import sys
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from app import data_commands, user_commands
from app.errors import StartRefused
from app.log_stream import log_stream
from app.main import create_app
from app.settings import Settings, load
from app.web import server
from app.web.http import BoundedHttp

GRACE_SECONDS = 5  # after the drain: for the last endings to be saved and the last frames to be written
KEEP_ALIVE_SECONDS = 75  # longer than common proxies keep theirs, so that they are the ones to close

cli = typer.Typer(add_completion=False, no_args_is_help=True, help="AI Chat Service.")
cli.add_typer(user_commands.cli, name="users")
for command in (data_commands.backup, data_commands.restore, data_commands.migrate_data):
    cli.command()(command)


@cli.callback()
def main_callback() -> None:
    """AI Chat Service."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: PORT.")] = None,
) -> None:
    """Serve until told to stop; then drain, save and exit."""
    sys.stderr = log_stream(sys.stderr)  # uvicorn's lines, too
    settings, app = _made()
    config = uvicorn.Config(
        app,
        host=host or settings.host,
        port=settings.port if port is None else port,
        access_log=False,
        server_header=False,
        ws="none",
        http=BoundedHttp,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds + settings.save_timeout_seconds) + GRACE_SECONDS,
    )
    server.run(config)


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document, the same for every setting: what the types of the web page are made from."""
    _, app = _made()
    typer.echo(json.dumps(app.openapi(), ensure_ascii=False, indent=1))


@cli.command()
def doctor(
    url: Annotated[
        str | None, typer.Option(help="A running service as its clients reach it, such as https://chat.example.org.")
    ] = None,
) -> None:
    """Look at all that the service needs; a line for each, and what to do where something is wrong. Costs nothing."""
    from app.doctor.diagnosis import diagnose  # noqa: PLC0415 - it brings what serving does without

    healthy = True
    for finding in diagnose(url):
        typer.echo(str(finding))
        healthy = healthy and finding.state != "wrong"
    raise typer.Exit(0 if healthy else 1)


def _made() -> tuple[Settings, FastAPI]:
    """The settings and the service by them, not started; if they cannot be, the sentence and the end."""
    try:
        settings = load()
        return settings, create_app(settings)
    except StartRefused as refusal:
        typer.echo(refusal.message, err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Run the command that the arguments name."""
    cli()


if __name__ == "__main__":
    main()
