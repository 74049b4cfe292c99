"""Requests that bring all of their history along, as standard clients send them: their limits, and their prompt."""

import msgspec

from app.errors import Invalid
from app.models import Sampling, Turn
from app.settings import Settings

MAX_SYSTEM_CHARS = 100_000  # of one system message, as of `system` elsewhere


class History(msgspec.Struct, frozen=True):
    """All that was said so far, the question last, and how it is to be answered. None: as the model's settings say."""

    turns: tuple[Turn, ...]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    known: str = ""  # what the model should know beside what was said
    sampling: Sampling = Sampling()


def check(history: History, settings: Settings) -> None:
    """Whether it is within the limits.

    Raises:
        Invalid: it is not; the sentence names the place.
    """
    if len(history.known) > MAX_SYSTEM_CHARS:
        raise Invalid(f"The context has more than {MAX_SYSTEM_CHARS:,} characters. Shorten it.", param="context")
    turns = history.turns
    most = settings.max_history_items + 1
    if len(turns) > most:
        raise Invalid(
            f"There are {len(turns):,} messages; at most {most:,} are taken. Leave out the oldest.", param="messages"
        )
    if not any(turn.content.strip() for turn in turns if turn.role != "system"):
        raise Invalid("Nothing is said in the messages. Write something.", param="messages")
    for index, turn in enumerate(turns):
        limit = _limit(turn, settings, last=index + 1 == len(turns))
        if len(turn.content) > limit:
            raise Invalid(
                f"messages[{index}] has {len(turn.content):,} characters; at most {limit:,} are taken. Shorten it.",
                param=f"messages[{index}].content",
            )


def prompt_of(history: History, system: str) -> tuple[Turn, ...]:
    """What the model gets to see. `system` is put before it where the history has no system message of its own.

    Empty assistant messages are left out: they are answers that never came, and endpoints refuse them.
    """
    said = [turn for turn in history.turns if turn.content or turn.role != "assistant"]
    if system and not any(turn.role == "system" for turn in said):
        said.insert(0, Turn("system", system))
    if history.known:
        first = next((at for at, turn in enumerate(said) if turn.role != "system"), len(said))
        said.insert(first, Turn("system", history.known))
    return tuple(said)


def _limit(turn: Turn, settings: Settings, *, last: bool) -> int:
    if turn.role == "system":
        return MAX_SYSTEM_CHARS
    return settings.max_message_chars if last and turn.role == "user" else settings.max_output_chars
