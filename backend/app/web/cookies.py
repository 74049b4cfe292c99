"""The cookies: a sign-in, and a journey to an OpenID provider. No script reads them, and no neighbour sets them."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from app.settings import Settings

SESSION = "chat_session"  # not `session`: cookies know no ports, and other programs of this machine like that name
JOURNEY = "chat_oidc"


class Cookies:
    """The cookies of one request, and of its response."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self._cookies = request.cookies
        # A proxy that ends TLS may not say so, or not be trusted; the setting knows.
        self.secure = request.url.scheme == "https" or settings.public_url.startswith("https:")

    def get(self, name: str) -> str | None:
        """What the browser sent. Under TLS only what we ourselves set: a neighbour could set the other name."""
        return self._cookies.get(self._named(name))

    def put(
        self, response: Response, name: str, value: str, seconds: int, *, same_site: Literal["lax", "strict"]
    ) -> None:
        """Have the browser keep it for so long. `lax`: another site may send the browser here with it."""
        response.set_cookie(
            self._named(name),
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            secure=self.secure,
            samesite=same_site,
        )

    def remove(self, response: Response, name: str) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self._named(name), path="/", httponly=True, secure=self.secure)

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name
