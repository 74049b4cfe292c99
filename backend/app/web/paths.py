"""Which door a request comes to, whatever prefix a proxy serves us under."""

from starlette.types import Scope

OPENAI = "/v1"  # the door of OpenAI's clients
_API = ("/api/", "/v1/")


def route_of(scope: Scope) -> str:
    """The path without the prefix that a proxy serves us under."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def is_api(scope: Scope) -> bool:
    """Whether it asks for what programs ask for, which may cost something, and not for a page."""
    return route_of(scope).startswith(_API)


def is_openai(scope: Scope) -> bool:
    """Whether it comes to the door of OpenAI's clients, where everything is told in their shape."""
    route = route_of(scope)
    return route == OPENAI or route.startswith(f"{OPENAI}/")
