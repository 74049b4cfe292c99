"""The answers that the upstream gives: their text, the frames that carry it, and how a question asks for it.

An answer's text is a fixed function of its length and its variant, so whoever reads it can tell whether it is whole.
Pure; the upstream and the load are both made of it.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import msgspec

# A prime number of tokens, of about four characters as a model's are, a quarter of them Korean: where one is lost, told
# twice or out of place, the text differs.
TOKENS = (
    *(" the", " log", " reads", " of", " one", " writer", " and", " many", " never", " lost", " a"),
    *(" 대답", "은 ", "기록", "입니다", ".", " 안녕", "하세요", " 😀"),
    *(' "so"', "\n", " is", " told", " once", " in", " order", ",", " then", " it", " ends", " here"),
)
VARIANTS = 16  # neighbouring streams tell different texts, so that two that were mixed up are noticed
PROMPT_TOKENS = 12
_MARK = re.compile(rb"bench tokens=(\d+) gap=(\d+) variant=(\d+)")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


class Asked(NamedTuple):
    """What a question asks of the upstream."""

    tokens: int
    gap: int  # microseconds from a token to the next; 0: as fast as the socket takes them
    variant: int = 0

    @property
    def text(self) -> str:
        """The whole answer."""
        return text(self.tokens, self.variant)


def question(asked: Asked) -> str:
    """The message whose answer is `asked`. It passes through whatever stands between."""
    return f"bench tokens={asked.tokens} gap={asked.gap} variant={asked.variant}"


def asked_in(body: bytes) -> Asked | None:
    """What a request asks for: the last question in it, since what comes before is history."""
    found = _MARK.findall(body)
    return Asked(*map(int, found[-1])) if found else None


@lru_cache(maxsize=64)
def text(tokens: int, variant: int) -> str:
    """The text of an answer."""
    return "".join(TOKENS[(place + variant) % len(TOKENS)] for place in range(tokens))


# ── As OpenAI streams it ─────────────────────────────────────────────────────────────────────────────────────────────


def _frame(choices: object, **more: object) -> bytes:
    said = {
        "id": "chatcmpl-C4xq9vT0mPzK2sLr8wYbN1dFgHjAe",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-3.5-turbo-0125",
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
        **more,
    }
    data = b"data: %b\n\n" % msgspec.json.encode(said)
    return b"%x\r\n%b\r\n" % (len(data), data)


def _choice(delta: dict[str, str], reason: str | None = None) -> list[dict[str, object]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]


FRAMES = tuple(_frame(_choice({"content": token})) for token in TOKENS)
"""A frame for each token, about 250 bytes, as a chunk of the body."""

BEGINNING = _HEAD + _frame(_choice({"role": "assistant", "content": ""}))


def ending(tokens: int, *, usage: bool) -> bytes:
    """What follows the last token."""
    counted = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens}
    counts = _frame([], usage=counted) if usage else b""
    return b"%b%be\r\ndata: [DONE]\n\n\r\n0\r\n\r\n" % (_frame(_choice({}, "stop")), counts)
