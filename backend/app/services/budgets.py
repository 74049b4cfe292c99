"""What somebody may spend: charges before an answer, an allowance while it is written, and what was spent on what."""

import re
from collections.abc import Sequence

import msgspec

from app.accounts.base import Accounts
from app.clock import Clock
from app.errors import BudgetSpent, Invalid, LimitReached, TokensSpent
from app.limits import (
    DAY,
    Charge,
    ceiling,
    day_ends,
    estimate,
    grant,
    is_bounded,
    month_ends,
    reached,
    tokens_of,
)
from app.models import NO_LIMITS, Ending, Failure, Limits, Principal, Prompt, Run, Usage
from app.providers.base import Prices
from app.services.asking import Candidate
from app.settings import Settings
from app.store.base import DayOfUse, Extra, Store, Usages
from app.usage_bodies import LeftBody, Share, UsageBody, UsageOfDay, UsageOfUserAndDay, UsageOfUsers

_PLACE = re.compile(r"([0-9]{1,6})\.([0-9a-z]{1,26})\.(.{1,200})")


class Allowance:
    """What one run may say. The engine compares one number; only beyond it anybody is asked."""

    def __init__(self, usages: Usages, charge: Charge, run: Run, before: int) -> None:
        """`before`: bytes that the answer has already when the run begins."""
        self._usages = usages
        self._charge = charge
        self._run = run
        self._before = before
        self._granted = charge.output_tokens if run.allowed is None else run.allowed
        self.bytes = ceiling(charge, self._granted, before)

    async def widen(self) -> Ending | None:
        """Have more, since others have ended meanwhile or time has passed; or how the run ends.

        Raises:
            StorageError: nobody can say.
        """
        try:
            self._granted = await self._usages.widen(self._run, self._charge, self._granted)
        except LimitReached as error:
            soon = isinstance(error, TokensSpent)
            return Ending("failed", failure=Failure(BudgetSpent.code, reached(error), soon))
        self.bytes = ceiling(self._charge, self._granted, self._before)
        return None


class Budgets:
    """Limits of accounts and keys, and what was spent of them. Without accounts there are none."""

    def __init__(
        self,
        store: Store,
        usages: Usages,
        prices: Prices,
        accounts: Accounts | None,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Without `accounts` nothing is limited; what is spent is counted all the same."""
        self._store = store
        self._usages = usages
        self._prices = prices
        self._accounts = accounts
        self._clock = clock
        self._default = Limits(
            runs=settings.max_runs_per_user,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            tokens_per_day=settings.tokens_per_day,
            budget_per_month=round(settings.budget_per_month * 1_000_000),
        )

    # ── One answer ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def charge(self, principal: Principal, candidates: Sequence[Candidate]) -> Charge:
        """What an answer by one of `candidates` may come to, and what it counts against."""
        prices = await self._prices.of([candidate.provider.info.id for candidate in candidates])
        return Charge(
            input_tokens=max(tokens_of(candidate.prompt) for candidate in candidates),
            output_tokens=max(candidate.prompt.max_tokens for candidate in candidates),
            prices=prices,
            key_id=principal.credential if principal.by_key else None,
            limits=self._limits(principal),
            key_limits=principal.key_limits,
        )

    def allowance(self, charge: Charge, run: Run, before: int) -> Allowance | None:
        """What `run`, which was accepted with `charge`, may say beyond `before` bytes; None: nothing limits it."""
        return Allowance(self._usages, charge, run, before) if is_bounded(charge) else None

    # ── One title ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def title_fits(self, run: Run, model: str, prompt: Prompt) -> bool:
        """Whether the owner of `run` can pay for a title."""
        if self._accounts is None or (user := await self._accounts.user(run.owner_id)) is None:
            return True
        now = self._clock.now()
        limits = msgspec.structs.replace(user.limits.over(self._default), runs=0, requests_per_minute=0)
        charge = Charge(tokens_of(prompt), prompt.max_tokens, await self._prices.of([model]))
        try:
            grant(charge, limits, await self._usages.spent(run.owner_id, now), now)
        except LimitReached:
            return False
        return True

    async def spend_on_title(self, run: Run, model: str, prompt: Prompt, said: str, usage: Usage | None) -> None:
        """Count what a title has cost, for whoever asked for `run`."""
        known = usage or estimate(tokens_of(prompt), len(said.encode()), None)
        price = (await self._prices.of([model])).get(model)
        extra = Extra(run.id, price.of(known) if price is not None else None, usage is None)
        await self._store.spend(run.owner_id, "title", model, known, extra)

    # ── What was spent ──────────────────────────────────────────────────────────────────────────────────────────────

    async def usage(self, principal: Principal, days: int, limit: int, before: str | None) -> UsageBody:
        """The asker's use by day and model, newest first, and what is left of each limit."""
        found = await self._usages.of(principal.id, self._since(days), limit + 1, _place(before))
        shown = found[:limit]
        left = [await self._left(principal.id, self._limits(principal), None)]
        if principal.by_key:
            left.append(await self._left(principal.id, principal.key_limits, principal.credential))
        return UsageBody(
            items=[UsageOfDay.of(one) for one in shown],
            next=_next(found, limit),
            left=left[0],
            left_of_key=left[1] if len(left) > 1 else None,
        )

    async def everyone_s(self, user_id: str | None, days: int, limit: int, before: str | None) -> UsageOfUsers:
        """Everybody's use, or one user's, by day, user and model, newest first."""
        since, place = self._since(days), _place(before)
        if user_id is not None:
            found = await self._usages.of(user_id, since, limit + 1, place)
        else:
            found = await self._usages.everyone_s(since, limit + 1, place)
        return UsageOfUsers(items=[UsageOfUserAndDay.of(one) for one in found[:limit]], next=_next(found, limit))

    def _limits(self, principal: Principal) -> Limits:
        return principal.limits.over(self._default) if self._accounts is not None else NO_LIMITS

    def _since(self, days: int) -> int:
        return self._clock.now() // DAY - days + 1

    async def _left(self, owner_id: str, limits: Limits, key_id: str | None) -> LeftBody:
        now = self._clock.now()
        spent = await self._usages.spent(owner_id, now, key_id)
        return LeftBody(
            runs=Share.of(limits.runs, spent.runs),
            requests_per_minute=Share.of(limits.requests_per_minute, sum(asked for _, _, asked in spent.recent)),
            tokens_per_minute=Share.of(limits.tokens_per_minute, sum(tokens for _, tokens, _ in spent.recent)),
            tokens_per_day=Share.of(limits.tokens_per_day, spent.day, day_ends(now)),
            budget_per_month=Share.of(limits.budget_per_month, spent.month, month_ends(now), unit=1e6),
        )


def _place(before: str | None) -> tuple[int, str, str] | None:
    if before is None:
        return None
    match = _PLACE.fullmatch(before)
    if match is None:
        raise Invalid("query.before: this is no place in the list. Take `next` of the page before.")
    return int(match[1]), match[2], match[3]


def _next(found: Sequence[DayOfUse], limit: int) -> str | None:
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    return f"{last.day}.{last.owner_id}.{last.model}"
