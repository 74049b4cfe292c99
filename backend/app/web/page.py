"""The web page: files as they were built, and its index wherever a browser goes that no route answers.

Why not a library: decision 0014.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, cast

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from app.errors import NothingHere
from app.web.negotiation import encodings, prefers_html, prefers_korean
from app.web.paths import route_of
from app.web.problems import problem

INDEX = "index.html"
IDENTITY = "identity"
_ASSETS = "assets/"  # what is in here has a name made from its content
_ELSEWHERE = (
    "/api/",
    "/v1/",
    "/auth/",
    "/docs/",
    "/redoc/",
    "/health/",
    "/ready/",
    "/metrics/",
    "/assets/",
    "/openapi.json/",
)
# Not the system's table: where that calls scripts plain text, browsers run none of them.
_MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
}
_SUFFIXES = {"br": ".br", "gzip": ".gz", IDENTITY: ""}
# React sets styles through the CSSOM, which no policy forbids; nothing of the page is inline.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NEWEST = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # a year, the most that caches understand

_NOT_BUILT = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>AI Chat Service</title>
</head>
<body>
{text}
</body>
</html>
"""
_ENGLISH = """<h1>The page is not built yet</h1>
<p>The service runs, but its web page has not been built. In the folder of the service, type:</p>
<pre>make install</pre>
<p>Then load this page again. The API works already: <a href="/docs">/docs</a>.</p>"""
_KOREAN = """<h1>아직 웹 페이지를 빌드하지 않았습니다</h1>
<p>서비스는 실행 중이지만 웹 페이지가 아직 없습니다. 서비스 폴더에서 다음을 입력하세요.</p>
<pre>make install</pre>
<p>끝나면 이 페이지를 새로 고치세요. API는 지금도 쓸 수 있습니다: <a href="/docs">/docs</a></p>"""


class Page:
    """The page in `folder`. Every request looks there anew, so a page that is built now is there now."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what no route answers (ASGI)."""
        response = await self._answer(scope)
        if response is None:
            response = problem(scope, NothingHere())
            response.headers["Vary"] = "Accept"
        await response(scope, receive, send)

    async def index(self, headers: Headers) -> Response:
        """The page itself, or, where it is not built, one that says what to type."""
        response = await self._file(INDEX, headers) or _not_built(headers)
        response.headers["Vary"] = f"Accept, {response.headers['Vary']}"
        return response

    async def _answer(self, scope: Scope) -> Response | None:
        if scope["method"] not in ("GET", "HEAD"):
            return None
        headers, path = Headers(scope=scope), route_of(scope)
        if "." in path.rpartition("/")[2]:  # a file: the index in its place would be taken for it
            return await self._file(path.removeprefix("/"), headers)
        if prefers_html(headers) and not f"{path}/".startswith(_ELSEWHERE):
            return await self.index(headers)
        return None

    async def _file(self, name: str, headers: Headers) -> Response | None:
        """The file in the best of its encodings that the client takes."""
        found = await anyio.to_thread.run_sync(self._find, name, [*encodings(headers), IDENTITY])
        if found is None:
            return None
        path, status, encoding = found
        more = {"Vary": "Accept-Encoding"} | (_FOREVER if name.startswith(_ASSETS) else _NEWEST)
        if encoding != IDENTITY:
            more["Content-Encoding"] = encoding
        media_type = _MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
        response = FileResponse(path, headers=more, media_type=media_type, stat_result=status)
        if self._files.is_not_modified(response.headers, headers):
            return NotModifiedResponse(response.headers)
        return response

    def _find(self, name: str, accepted: Sequence[str]) -> tuple[str, os.stat_result, str] | None:
        """Path, stat and encoding of the first of the `accepted` that the file was built in."""
        if any(part.startswith(".") for part in name.split("/")):
            return None
        for encoding in accepted:
            try:
                path, status = self._files.lookup_path(name + _SUFFIXES[encoding])
            except (OSError, ValueError):  # too long, with NUL in it, not readable: no file of the page
                return None
            if status is not None and stat.S_ISREG(status.st_mode):
                return path, status, encoding
        return None


def install(app: FastAPI, folder: Path) -> None:
    """Have `app` serve the page in `folder` wherever no route answers; `CurrentPage` is that page."""
    app.state.page = app.router.default = Page(folder)


async def _page(request: Request) -> Page:
    return cast(Page, request.app.state.page)


CurrentPage = Annotated[Page, Depends(_page)]


def _not_built(headers: Headers) -> HTMLResponse:
    language, text = ("ko", _KOREAN) if prefers_korean(headers) else ("en", _ENGLISH)
    more = _NEWEST | {"Cache-Control": "no-store", "Vary": "Accept-Language", "Content-Language": language}
    return HTMLResponse(_NOT_BUILT.format(language=language, text=text), 503, more)
