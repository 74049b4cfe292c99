"""/docs and /redoc: their scripts and styles come from us, so they work offline and under a strict policy."""

import mimetypes
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

ASSETS = "/docs/assets"

# ReDoc starts a worker from a blob, and both write style attributes.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}

_SWAGGER = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Chat Service</title>
<link rel="icon" href="{ASSETS}/favicon.png">
<link rel="stylesheet" href="{ASSETS}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{ASSETS}/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""
_REDOC = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Chat Service</title>
<link rel="icon" href="{ASSETS}/favicon.png">
<style>body {{ margin: 0 }}</style>
</head>
<body>
<redoc spec-url="/openapi.json" disable-google-font="true"></redoc>
<script src="/redoc/redoc.js"></script>
</body>
</html>
"""

_STATIC = Path(str(files("fastapi_offline"))) / "static"
_FOREIGN_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger() -> HTMLResponse:
    """Swagger UI."""
    return HTMLResponse(_SWAGGER, headers=_HEADERS)


@router.get("/docs/start.js")
async def start() -> Response:
    """What an inline script would do, if the policy let it."""
    return Response(_START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/redoc")
async def redoc() -> HTMLResponse:
    """ReDoc."""
    return HTMLResponse(_REDOC, headers=_HEADERS)


@router.get("/redoc/redoc.js")
def redoc_script() -> Response:
    """ReDoc's script without the picture that it would fetch from its maker. Reads a file, so it runs in a thread."""
    script = (_STATIC / "redoc.standalone.js").read_bytes().replace(_FOREIGN_LOGO, f"{ASSETS}/favicon.png".encode())
    return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def assets() -> StaticFiles:
    """The scripts and styles of both, out of the package that bundles them."""
    mimetypes.init()  # reads the system's tables now, instead of in the event loop at the first file
    return StaticFiles(directory=_STATIC)
