"""A small web page as a build leaves it, and how a browser asks for it."""

import base64
import gzip
from pathlib import Path

from tests.support.client import Client
from tests.support.http import Fields
from tests.support.wire_client import Reply

GREETING = {"message": "AI Chat Service API"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
INDEX = (
    '<!doctype html><title>fake</title><link rel="icon" href="/favicon.svg">'
    '<link rel="stylesheet" href="/assets/index-4f.css"><script type="module" src="/assets/index-1a.js"></script>'
)
SCRIPT = "document.title = 'it runs';\n" + "// padding\n" * 200
# The script in Brotli, which Python's own library cannot make.
BROTLI = base64.b64decode("G7MI6I2UrM2xESo9X07SWgFkhw4o48BpTXx1In54dQBQFBbdBKTeTbRg+hwJAAA=")
FILES = {
    "index.html": INDEX.encode(),
    "assets/index-1a.js": SCRIPT.encode(),
    "assets/index-1a.js.gz": gzip.compress(SCRIPT.encode()),
    "assets/index-1a.js.br": BROTLI,
    "assets/index-4f.css": b"body { margin: 0 }",
    "assets/letters-9c.woff2": b"wOF2",
    "sw.js": b"self.addEventListener('fetch', () => {});",
    "manifest.webmanifest": b'{"name": "fake"}',
    "icon-192.png": b"\x89PNG",
    "favicon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ".stamp": b"of nobody's concern",
}


def build(folder: Path) -> Path:
    """Put the page into `folder`, and beside it what is nobody's business."""
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder.parent / "secret.txt").write_bytes(b"secret")
    (folder / "assets" / "way-out.txt").symlink_to(folder.parent / "secret.txt")
    return folder


async def get(client: Client, path: str, accept: str | None = BROWSER, method: str = "GET", **headers: str) -> Reply:
    """Ask as a browser that goes to `path`, or as whoever sends `accept`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request(method, path, headers=fields | ({} if accept is None else {"Accept": accept}))


def vary(headers: Fields) -> set[str]:
    """What the response depends on, in lower case."""
    return {name.strip().lower() for value in headers.all("vary") for name in value.split(",")}


def is_index(reply: Reply) -> bool:
    """Whether it is the page itself."""
    return (reply.status, reply.body) == (200, FILES["index.html"])
