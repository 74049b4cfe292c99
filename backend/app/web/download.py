"""A file to an open response: piece by piece, no faster than it is taken, and broken off if it cannot be whole."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.web.connections import Connections, abort
from app.web.middleware import TRANSPORT
from app.web.sse import Watch

SLICE_BYTES = 64 * 1024  # as much as the server holds for a socket; so a slow reader is seen to take something


class Download(Response):
    """Writes what `pieces` gives. A reader that takes nothing is cut off; one that has gone ends the reading.

    What `pieces` raises breaks the connection: a file never looks whole that is not.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        connections: Connections,
        *,
        name: str,
        media_type: str,
        send_timeout: float,
        watch: Watch,
    ) -> None:
        """`name`: in ASCII, without quotes; `send_timeout`: how long the socket may take nothing, in seconds.

        `watch` as of `EventStream`.
        """
        super().__init__(
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
            media_type=media_type,
        )
        del self.headers["content-length"]
        self._pieces = pieces
        self._connections = connections
        self._send_timeout = send_timeout
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the file (ASGI)."""
        transport: asyncio.WriteTransport | None = scope.get(TRANSPORT)
        unwatch = self._watch(lambda: abort(transport) if transport is not None else None)
        try:
            await self._write_all(transport, send)
        finally:
            unwatch()

    async def _write_all(self, transport: asyncio.WriteTransport | None, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    for start in range(0, len(piece), SLICE_BYTES):
                        if transport is not None and transport.is_closing():
                            return  # the server swallows what is written to a closed socket
                        await self._write(send, piece[start : start + SLICE_BYTES])
        except TimeoutError:
            self._connections.slow += 1
            if transport is not None:
                abort(transport)  # closing politely would wait for the very reader that takes nothing
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if transport is not None:
            self._connections.flush(transport, self._send_timeout)

    async def _write(self, send: Send, data: bytes) -> None:
        async with asyncio.timeout(self._send_timeout):
            await send({"type": "http.response.body", "body": data, "more_body": True})
