"""Limits: what an account or a key may spend, and whether one more answer fits. Values and sums; it reads nothing."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from app.errors import BudgetSpent, LimitReached, TokensSpent, TooManyRequests, TooManyRunsOfYours
from app.models import NO_LIMITS, Limits, Prompt, Usage

BYTES_A_TOKEN = 4  # of UTF-8, about: an English word and a space, or a syllable and a third of Korean
TURN_TOKENS = 4  # what a chat template puts around each turn, about
LEAST_TOKENS = 16  # an answer of fewer says nothing, so it is not begun
OVER = 2  # an answer may have so many bytes more than its tokens have on average before it is asked about
MINUTE = 60_000
DAY = 24 * 3600 * 1000
RUNS_RETRY_SECONDS = 5  # an answer ends within seconds, mostly

# The endpoint answered with a refusal, or not at all: nothing of it is on any bill.
UNBILLED = frozenset({"upstream_rejected", "upstream_rate_limited", "upstream_unavailable", "model_not_configured"})


class Price(msgspec.Struct, frozen=True, array_like=True):
    """US dollars for a million tokens, which are millionths of a dollar for one."""

    input: float
    output: float
    cached: float  # of the input, what the endpoint had read before

    def of(self, usage: Usage) -> int:
        """What `usage` costs, in millionths of a dollar."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        plain = usage.input_tokens - cached
        return round(plain * self.input + cached * self.cached + usage.output_tokens * self.output)


class Charge(msgspec.Struct, frozen=True):
    """What an answer may come to, before it is asked for."""

    input_tokens: int = 0  # estimated
    output_tokens: int = 0  # what the model is asked for at most
    prices: Mapping[str, Price] = {}  # of the models that may answer; who is not in it costs nothing
    key_id: str | None = None
    limits: Limits = NO_LIMITS  # of the account
    key_limits: Limits = NO_LIMITS

    @property
    def price(self) -> Price | None:
        """The highest of them: nobody knows yet who will answer."""
        return max(self.prices.values(), key=lambda price: (price.output, price.input), default=None)


class Bill(msgspec.Struct, frozen=True):
    """Of a `Charge`, what the cost of its answer is reckoned by at the end."""

    input_tokens: int  # estimated
    prices: Mapping[str, Price]
    key_id: str | None


class Spent(msgspec.Struct, frozen=True):
    """What an account or a key has spent, with what is set aside for answers that are being written."""

    runs: int = 0
    recent: Sequence[tuple[int, int, bool]] = ()  # of the last minute: when, tokens, and whether it was a request
    day: int = 0  # tokens
    month: int = 0  # millionths of a dollar


def tokens_in(size: int) -> int:
    """About how many tokens `size` bytes of text are."""
    return -(-size // BYTES_A_TOKEN)


def tokens_of(prompt: Prompt) -> int:
    """About how many tokens `prompt` has."""
    return sum(tokens_in(len(turn.content.encode())) + TURN_TOKENS for turn in prompt.turns)


def estimate(input_tokens: int, said: int, failure: str | None) -> Usage:
    """What an answer of `said` bytes has cost where its endpoint does not tell: something wherever it may be billed."""
    if not said and failure in UNBILLED:
        return Usage()
    return Usage(input_tokens, tokens_in(said))


def day_began(now: int) -> int:
    """The midnight before `now`, UTC."""
    return now // DAY * DAY


def month_began(now: int) -> int:
    """The beginning of the month of `now`, UTC."""
    return _milliseconds(_month(now))


def day_ends(now: int) -> int:
    """The midnight after `now`, UTC."""
    return day_began(now) + DAY


def month_ends(now: int) -> int:
    """The beginning of the month after that of `now`, UTC."""
    return _milliseconds((_month(now) + timedelta(days=32)).replace(day=1))


def grant(charge: Charge, limits: Limits, spent: Spent, now: int, whose: str = "You have") -> int:
    """How many tokens the answer may have: as many as are asked for, or as `limits` leave.

    Raises:
        LimitReached: too few for an answer; it says what was spent of what, and when to come back.
    """
    if limits.runs and spent.runs >= limits.runs:
        raise TooManyRunsOfYours(
            f"{whose} {spent.runs:,} answers being written, of {limits.runs:,} at once. "
            "Wait for one to end, or stop one.",
            retry_after=RUNS_RETRY_SECONDS,
        )
    asked = [(at, 1) for at, _, is_request in spent.recent if is_request]
    if limits.requests_per_minute and len(asked) >= limits.requests_per_minute:
        wait = _wait(asked, len(asked) - limits.requests_per_minute + 1, now)
        raise TooManyRequests(
            f"{whose} asked {len(asked):,} times within a minute, of {limits.requests_per_minute:,}. "
            f"Ask again in {wait} seconds.",
            retry_after=wait,
        )
    least = min(LEAST_TOKENS, charge.output_tokens)
    lefts = [
        _by_minute(charge, limits, spent, now, least, whose),
        _by_day(charge, limits, spent, now, least, whose),
        _by_month(charge, limits, spent, now, least, whose),
    ]
    return min([charge.output_tokens, *(left for left in lefts if left is not None)])


def _by_minute(charge: Charge, limits: Limits, spent: Spent, now: int, least: int, whose: str) -> int | None:
    if not limits.tokens_per_minute:
        return None
    used = [(at, tokens) for at, tokens, _ in spent.recent]
    total = sum(tokens for _, tokens in used)
    left = limits.tokens_per_minute - total - charge.input_tokens
    if left < least:
        wait = _wait(used, least - left, now)
        raise TokensSpent(
            f"{whose} spent {total:,} of {limits.tokens_per_minute:,} tokens within a minute, "
            f"and this takes {charge.input_tokens + least:,} at least. Ask again in {wait} seconds.",
            retry_after=wait,
        )
    return left


def _by_day(charge: Charge, limits: Limits, spent: Spent, now: int, least: int, whose: str) -> int | None:
    if not limits.tokens_per_day:
        return None
    left = limits.tokens_per_day - spent.day - charge.input_tokens
    if left < least:
        raise TokensSpent(
            f"{whose} spent {spent.day:,} of {limits.tokens_per_day:,} tokens today, "
            f"and this takes {charge.input_tokens + least:,} at least. {_then(day_ends(now))}",
            retry_after=_seconds(day_ends(now) - now),
        )
    return left


def _by_month(charge: Charge, limits: Limits, spent: Spent, now: int, least: int, whose: str) -> int | None:
    price = charge.price
    if not limits.budget_per_month or price is None or not (price.input or price.output):
        return None  # what costs nothing goes on when the money is gone
    left = limits.budget_per_month - spent.month - charge.input_tokens * price.input
    if left < least * price.output or left < 0:
        raise BudgetSpent(
            f"{whose} spent {dollars(spent.month)} of {dollars(limits.budget_per_month)} this month, and this "
            f"takes {dollars(math.ceil(charge.input_tokens * price.input + least * price.output))} at least. "
            f"{_then(month_ends(now))}",
            retry_after=_seconds(month_ends(now) - now),
        )
    return int(left / price.output) if price.output else None


def dollars(micros: int) -> str:
    """An amount as people read it: cents, and further digits only where it is less than a dollar."""
    if micros % 10_000 == 0 or micros >= 1_000_000:
        return f"${micros / 1e6:,.2f}"
    return f"${micros / 1e6:.6f}".rstrip("0")


def is_limited(charge: Charge) -> bool:
    """Whether any limit counts what is being written."""
    return any((*msgspec.structs.astuple(charge.limits), *msgspec.structs.astuple(charge.key_limits)))


def is_bounded(charge: Charge) -> bool:
    """Whether any limit can be reached while an answer is being written."""
    return any(
        limit
        for limits in (charge.limits, charge.key_limits)
        for limit in (limits.tokens_per_minute, limits.tokens_per_day, limits.budget_per_month)
    )


def ceiling(charge: Charge, granted: int, before: int) -> int:
    """The bytes after which an answer has to ask for more: `before` were there when it began.

    An answer that got all it asked for ends by itself: the model was told how long it may be. It is asked about only
    where it cannot have kept to that.
    """
    return before + granted * BYTES_A_TOKEN * (OVER if granted >= charge.output_tokens else 1)


def reached(error: LimitReached) -> str:
    """`error` for somebody whose answer was cut short by it."""
    return f"This answer was stopped, since its limit was reached. {error.message} What was said is kept."


def _wait(used: Sequence[tuple[int, int]], needed: int, now: int) -> int:
    """Seconds until `needed` of what was used is a minute old."""
    freed = 0
    for at, amount in sorted(used):
        freed += amount
        if freed >= needed:
            return _seconds(at + MINUTE - now)
    return MINUTE // 1000


def _seconds(milliseconds: int) -> int:
    return max(1, math.ceil(milliseconds / 1000))


def _then(at: int) -> str:
    return f"Ask again after {datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC."


def _month(now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
