"""Who asks: a credential to a principal, and what happens to open streams once it is good no longer."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from app.accounts.base import Accounts
from app.clock import Clock
from app.errors import NotSignedIn
from app.models import LOCAL, Principal

MAX_CREDENTIAL_CHARS = 200  # ours are shorter; hashing a longer one would be work for nothing
MAX_CUTS = 1000  # remembered: a request that is overtaken by more is cut, and comes back
KEY_PREFIX = "sk-chat-"  # tells a key from a session's token, and scanners of leaked secrets what it is


def digest(token: str) -> str:
    """What is kept of a token or a key: they are random and long, so nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class _Cut(NamedTuple):
    user_id: str | None
    credential: str | None

    def hits(self, principal: Principal) -> bool:
        return principal.id == self.user_id or (self.credential is not None and principal.credential == self.credential)


class Gatekeeper:
    """Knows everyone by what they show, the same way whatever carries it."""

    def __init__(self, accounts: Accounts | None, clock: Clock) -> None:
        """Without `accounts` everyone is `local`, whatever they show."""
        self._accounts = accounts
        self._clock = clock
        self._open: dict[Callable[[], None], Principal] = {}
        self._cuts = 0
        self._latest: deque[_Cut] = deque(maxlen=MAX_CUTS)

    async def principal(self, shown: str | None) -> Principal:
        """Whom `shown`, a session's token or an API key, stands for.

        Raises:
            NotSignedIn: nobody.
        """
        if self._accounts is None:
            return LOCAL
        if not shown or len(shown) > MAX_CREDENTIAL_CHARS:
            raise NotSignedIn
        by_key, cuts = shown.startswith(KEY_PREFIX), self._cuts  # counted first: what is looked up may be over by then
        known = await (self._accounts.by_key if by_key else self._accounts.by_session)(digest(shown), self._clock.now())
        if known is None:
            raise NotSignedIn
        user = known.user
        return Principal(
            user.id,
            user.role,
            frozenset(known.scopes),
            known.credential,
            by_key,
            limits=user.limits,
            key_limits=known.key_limits,
            expires_at=known.expires_at,
            cuts=cuts,
        )

    def is_cut(self, principal: Principal) -> bool:
        """Whether what `principal` came with was taken back since it was looked up: a request may take a while."""
        since = self._cuts - principal.cuts
        if principal.credential is None or since == 0:
            return False
        # Of one that waited longer than is remembered nobody can say; it may come back and be looked up again.
        return since > len(self._latest) or any(cut.hits(principal) for cut in islice(reversed(self._latest), since))

    def watch(self, principal: Principal, cut: Callable[[], None]) -> Callable[[], None]:
        """Have `cut` called once `principal` may no longer read, which may be now. Returns what ends this watch."""
        self._open[cut] = principal
        expiry: asyncio.TimerHandle | None = None
        if self.is_cut(principal):
            cut()
        elif principal.expires_at is not None:
            left = max(0, principal.expires_at - self._clock.now()) / 1000
            expiry = asyncio.get_running_loop().call_later(left, cut)

        def end() -> None:
            self._open.pop(cut, None)
            if expiry is not None:
                expiry.cancel()

        return end

    def cut(self, *, user_id: str | None = None, credential: str | None = None) -> None:
        """Cut the open streams of a user, or of one session or key, and those that are about to open."""
        now = _Cut(user_id, credential)
        self._cuts += 1
        self._latest.append(now)
        for cut, principal in tuple(self._open.items()):
            if now.hits(principal):
                cut()
