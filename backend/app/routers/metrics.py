"""The numbers, for who collects them. Who may come in is decided at the gate."""

import asyncio

from fastapi import APIRouter, Response

from app.web.deps import CurrentServices
from app.web.middleware import METRICS

router = APIRouter(include_in_schema=False)  # for everybody else there is nothing here

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get(METRICS)
async def metrics(services: CurrentServices) -> Response:
    """Everything that is counted, in Prometheus' text format."""
    body = await asyncio.to_thread(services.metrics.exposed)
    return Response(body, headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})
