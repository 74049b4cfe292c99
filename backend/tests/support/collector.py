"""A collector of traces: takes what is sent to it by OTLP over HTTP, and keeps it."""

import asyncio
import contextlib
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http import CRLF
from tests.support.sockets import LOOPBACK
from tests.support.waiting import until


class Collector:
    """`spans` is what came; `bytes` is all of it as it came, heads and all."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resource: dict[str, Any] = {}
        self.bytes = b""
        self.port = 0

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is set to."""
        return f"http://{LOOPBACK}:{self.port}"

    async def span(self, name: str) -> Any:
        """Wait for the first span of that name."""
        return await until(
            lambda: next((span for span in self.spans if span.name == name), None), f"a span called {name!r} comes"
        )

    async def __aenter__(self) -> "Collector":
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            while True:
                head = await reader.readuntil(CRLF * 2)
                lines = head.decode("latin-1").lower().split("\r\n")
                length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
                self._take(head, await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()

    def _take(self, head: bytes, body: bytes) -> None:
        assert head.startswith(b"POST /v1/traces HTTP/1.1\r\n"), head
        self.bytes += head + body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = values(group.resource.attributes)
            self.spans += [span for scope in group.scope_spans for span in scope.spans]


def values(attributes: Any) -> dict[str, Any]:
    """Attributes of a span, a resource or an event, by name."""
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)
