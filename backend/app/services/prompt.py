"""History to prompt: a pure function."""

from collections.abc import Sequence

from app.models import ChatMessage, Turn


def build(system: str, history: Sequence[ChatMessage], message: str) -> tuple[Turn, ...]:
    """What the model gets to see: the system text, the history, the message.

    Empty assistant messages are left out: they are answers that never came, and endpoints refuse them.
    """
    turns = [Turn("system", system)] if system else []
    turns += [Turn(item.role, item.content) for item in history if item.content or item.role == "user"]
    return (*turns, Turn("user", message))
