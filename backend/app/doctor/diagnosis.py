"""All looks in their order: settings, disk and database, endpoints, clock, and a running service from outside."""

import asyncio
import time
from collections.abc import Iterator

from app.doctor import database, proxy, server, upstreams
from app.doctor.findings import Finding, ok, wrong
from app.errors import StartRefused
from app.providers import models_file
from app.settings import load


def diagnose(url: str | None = None) -> Iterator[Finding]:
    """What is found, as it is found. With `url`, also what a client of the service there gets to see."""
    try:
        settings = load()
        plan = models_file.read(settings)
    except StartRefused as refusal:
        yield from (wrong("settings", line) for line in refusal.message.splitlines())
    else:
        yield ok("settings", f"they can be; {plan.default} answers when no model is named.")
        if settings.is_shared:
            yield from server.examine(settings)
        else:
            yield from database.examine(settings.database_path, time.time())
        yield from asyncio.run(upstreams.examine(plan, settings))
    if url is not None:
        yield from asyncio.run(proxy.examine(url))
