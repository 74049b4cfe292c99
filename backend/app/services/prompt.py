"""History to prompt: pure functions. A client's own history goes as it is; a stored branch as far as it fits."""

from collections.abc import Iterable, Sequence

import msgspec

from app.models import ChatMessage, Message, Turn

CHARS_A_TOKEN = 4  # of ASCII text; of any other writing a character counts as a token, which is on the safe side
TURN_TOKENS = 4  # what a chat template puts around each turn, about
PLAIN_RATIO, MOST_OFF = 1.0, 4.0  # an estimate that is further off than this has other reasons than the tokenizer
MEASURABLE_TOKENS = 20  # a shorter answer says little about the tokenizer
GO_ON = "Go on exactly where you stopped, in the same language. Repeat nothing, and do not begin anew."


class Shown(msgspec.Struct, frozen=True):
    """What of a branch a model is shown."""

    turns: tuple[Turn, ...]
    left_out: int  # messages at its beginning that are not shown


def build(system: str, history: Sequence[ChatMessage], message: str) -> tuple[Turn, ...]:
    """What the model gets to see of a client's own history: the system text, the history, the message.

    Empty assistant messages are left out: they are answers that never came, and endpoints refuse them.
    """
    turns = _system(system)
    turns += [Turn(item.role, item.content) for item in history if item.content or item.role == "user"]
    return (*turns, Turn("user", message))


def room_for(window: int, max_tokens: int) -> int:
    """Tokens that a prompt may have, so that the answer fits beside it; a quarter of the window in any case."""
    return max(window - max_tokens, window // 4)


def show(system: str, branch: Sequence[Message], last: Sequence[Turn], room: int, model: str) -> Shown:
    """The system text, of `branch` (newest first) the newest whole messages that fit into `room` tokens, and `last`.

    `last` is there in any case: it is what is to be answered. Where something is left out, what is shown begins with
    a question, as endpoints want it. What `model` itself said has the cost that its endpoint counted; all else is
    estimated, and the estimate corrected by what is known of this model's answers in the branch.
    """
    ratio = _ratio(branch, model)
    left = room - sum(_estimate(turn.content, ratio) for turn in (*_system(system), *last))
    fitting: list[Message] = []
    for message in branch:
        left -= cost(message, ratio, model)
        if left < 0:
            break
        fitting.append(message)
    if len(fitting) < len(branch):
        while fitting and fitting[-1].role == "assistant":
            fitting.pop()
    turns = [Turn(message.role, message.text) for message in reversed(fitting) if message.text]
    oldest = fitting[-1].depth if fitting else branch[0].depth + 1 if branch else 0
    return Shown((*_system(system), *turns, *last), oldest)


def enough(branch: Sequence[Message], room: int, model: str) -> bool:
    """Whether `branch` (newest first) cannot fit into `room` whole, so that nobody need read what is above it."""
    ratio = _ratio(branch, model)
    return sum(cost(message, ratio, model) for message in branch) > room


def cost(message: Message, ratio: float, model: str) -> int:
    """Tokens that `message` takes in a prompt for `model`."""
    if not message.text:
        return 0
    known = _counted(message, model)
    return known + TURN_TOKENS if known is not None else _estimate(message.text, ratio)


def _system(system: str) -> list[Turn]:
    return [Turn("system", system)] if system else []


def _estimate(text: str, ratio: float) -> int:
    return TURN_TOKENS + int(_plain(text) * ratio) + 1


def _plain(text: str) -> float:
    others = 0 if text.isascii() else sum(character > "\x7f" for character in text)
    return (len(text) - others) / CHARS_A_TOKEN + others


def _counted(message: Message, model: str) -> int | None:
    """What the model itself counted for its answer, where that was all of the answer and nothing else."""
    if message.role != "assistant" or message.usage is None or message.model != model or message.joint is not None:
        return None
    counted = message.usage.output_tokens - message.usage.reasoning_tokens
    return counted if counted > 0 else None


def _ratio(branch: Iterable[Message], model: str) -> float:
    """How many tokens of this model's an estimated one is."""
    counted = estimated = 0.0
    for message in branch:
        known = _counted(message, model)
        if known is not None and known >= MEASURABLE_TOKENS:
            counted += known
            estimated += _plain(message.text)
    if not estimated:
        return PLAIN_RATIO
    return min(max(counted / estimated, 1 / MOST_OFF), MOST_OFF)
