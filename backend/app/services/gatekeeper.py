"""Who asks: a credential to a principal, and what happens to open streams once it is good no longer."""

import hashlib
from collections.abc import Callable

from app.accounts.base import Accounts, Known
from app.clock import Clock
from app.errors import NotSignedIn
from app.models import LOCAL, Principal

MAX_CREDENTIAL_CHARS = 200  # ours are shorter; hashing a longer one would be work for nothing
KEY_PREFIX = "sk-chat-"  # tells a key from a session's token, and scanners of leaked secrets what it is


def digest(token: str) -> str:
    """What is kept of a token or a key: they are random and long, so nothing slower is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Gatekeeper:
    """Knows everyone by what they show, the same way whatever carries it."""

    def __init__(self, accounts: Accounts | None, clock: Clock) -> None:
        """Without `accounts` everyone is `local`, whatever they show."""
        self._accounts = accounts
        self._clock = clock
        self._open: dict[Callable[[], None], Principal] = {}

    async def principal(self, shown: str | None) -> Principal:
        """Whom `shown`, a session's token or an API key, stands for.

        Raises:
            NotSignedIn: nobody.
        """
        if self._accounts is None:
            return LOCAL
        if not shown or len(shown) > MAX_CREDENTIAL_CHARS:
            raise NotSignedIn
        look = self._accounts.by_key if shown.startswith(KEY_PREFIX) else self._accounts.by_session
        known = await look(digest(shown), self._clock.now())
        if known is None:
            raise NotSignedIn
        return _principal(known, by_key=shown.startswith(KEY_PREFIX))

    def watch(self, principal: Principal, cut: Callable[[], None]) -> Callable[[], None]:
        """Have `cut` called once `principal` may no longer read. Returns what ends this watch."""
        self._open[cut] = principal
        return lambda: self._open.pop(cut, None) and None

    def cut(self, *, user_id: str | None = None, credential: str | None = None) -> None:
        """Cut the open streams of a user, or of one session or key."""
        for cut, principal in tuple(self._open.items()):
            if principal.id == user_id or (credential is not None and principal.credential == credential):
                cut()


def _principal(known: Known, *, by_key: bool) -> Principal:
    user = known.user
    return Principal(
        user.id, user.role, frozenset(known.scopes), known.credential, by_key, user.limits, known.key_limits
    )
