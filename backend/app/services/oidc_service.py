"""Sign-in by an OpenID provider: away to it, and back to where one was. Who comes back is proved, or nobody."""

import base64
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING

import msgspec

from app.accounts.base import Challenge, Issuer
from app.clock import Clock
from app.errors import Invalid, IssuerUntrusted, NotFound, SignInDeclined, SignInExpired
from app.services.account_service import AccountService, SignedIn
from app.telemetry import log

if TYPE_CHECKING:
    from app.services.attempts import Attempts

CALLBACK = "/auth/oidc/callback"  # outside /api/: the browser is sent here by another site
JOURNEY_SECONDS = 600  # to sign in there, with a password manager and a second factor
MAX_NEXT_CHARS = 1000  # of a place in our pages
MAX_CODE_CHARS = 4096  # Microsoft's are the longest, with about 1,500
MAX_CARRIED_CHARS = 4096  # a cookie is no longer
MAX_REMEMBERED = 10_000  # journeys that ended within the last `JOURNEY_SECONDS`
_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")  # browsers read \\ as /, and leave tabs and line ends out
_OURS = ("/api/", "/v1/")  # no pages


class Journey(msgspec.Struct, frozen=True):
    """What a browser carries to the provider and back, in a cookie that is only for us.

    Everything that the provider must repeat is made from `secret`, so it fits to this browser alone.
    """

    secret: str
    began_at: int
    next: str
    redirect_uri: str
    invitation: str | None
    takes_over: bool

    def challenge(self) -> Challenge:
        """What the provider has to answer."""
        return Challenge(self._made("state"), self._made("nonce"), self._made("verifier"), self.redirect_uri)

    def _made(self, what: str) -> str:
        made = hmac.digest(self.secret.encode(), what.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


class Departure(msgspec.Struct, frozen=True):
    """Where a browser goes, and what it carries."""

    address: str
    carried: str


class Return(msgspec.Struct, frozen=True):
    """What a browser comes back with: its cookie, and what the provider put into the address."""

    carried: str | None
    state: str | None
    code: str | None
    error: str | None
    issuer: str | None  # RFC 9207


class OidcService:
    """The way to an OpenID provider and back."""

    def __init__(
        self, issuer: Issuer | None, address: str, accounts: AccountService, attempts: "Attempts | None", clock: Clock
    ) -> None:
        """`address` is the issuer's. Without `issuer` and `attempts` there is no way."""
        self._issuer = issuer
        self._address = address
        self._accounts = accounts
        self._attempts = attempts
        self._clock = clock
        self._over: dict[str, int] = {}  # states that came back, and when

    async def start(
        self, base_url: str, next: str, peer: str, *, invitation: str | None = None, takes_over: bool = True
    ) -> Departure:
        """Begin a journey; `base_url` is where this browser reaches us.

        Raises:
            NotFound: there is no provider.
            Invalid: `next` is no place in our pages.
            TooManyAttempts: from this peer.
            IssuerUnavailable, IssuerUntrusted: nobody knows the way.
        """
        if self._issuer is None or self._attempts is None:
            raise NotFound("There is no OpenID provider here. OIDC_ISSUER names one.")
        if len(next) > MAX_NEXT_CHARS or not _LOCAL.fullmatch(next) or next.startswith(_OURS):
            raise Invalid("query.next: it must be a path of one of our pages, such as /.")
        await self._attempts.check(peer=peer)
        journey = Journey(
            secret=secrets.token_urlsafe(32),
            began_at=self._clock.now(),
            next=next,
            redirect_uri=base_url + CALLBACK,
            invitation=invitation,
            takes_over=takes_over,
        )
        carried = base64.urlsafe_b64encode(msgspec.json.encode(journey)).decode()
        return Departure(await self._issuer.address(journey.challenge()), carried)

    async def finish(self, came: Return, peer: str) -> tuple[SignedIn, str]:
        """End a journey: who came back, signed in, and where they were going.

        Raises:
            SignInExpired: it is none of this browser's, too old, or has ended before.
            SignInDeclined: the provider says that they did not sign in.
            IssuerUnavailable, IssuerUntrusted: nobody was proved.
            Suspended, InvitationNeeded: they may not come in.
            TooManyAttempts: from this peer.
        """
        if self._issuer is None or self._attempts is None:
            raise NotFound("There is no OpenID provider here. OIDC_ISSUER names one.")
        await self._attempts.check(peer=peer)
        journey = self._ended(came)
        if came.issuer is not None and came.issuer.rstrip("/") != self._address.rstrip("/"):
            raise IssuerUntrusted("iss")
        if came.error is not None or not came.code:
            log.info("oidc.declined")
            raise SignInDeclined
        if len(came.code) > MAX_CODE_CHARS:
            raise SignInExpired
        identity = await self._issuer.identity(came.code, journey.challenge())
        signed_in = await self._accounts.come_in(identity, invitation=journey.invitation, takes_over=journey.takes_over)
        return signed_in, journey.next

    def _ended(self, came: Return) -> Journey:
        """The journey that this is the end of: each ends once."""
        journey, now = _read(came.carried), self._clock.now()
        if journey is None or not 0 <= now - journey.began_at <= JOURNEY_SECONDS * 1000:
            raise SignInExpired
        state = journey.challenge().state
        if not hmac.compare_digest(state.encode(), (came.state or "").encode("utf-8", "replace")):
            raise SignInExpired
        if state in self._over:
            raise SignInExpired
        for old, at in tuple(self._over.items()):  # in the order in which they ended
            if now - at <= JOURNEY_SECONDS * 1000 and len(self._over) < MAX_REMEMBERED:
                break
            del self._over[old]
        self._over[state] = now
        return journey


def _read(carried: str | None) -> Journey | None:
    if not carried or len(carried) > MAX_CARRIED_CHARS:
        return None
    try:
        journey = msgspec.json.decode(base64.urlsafe_b64decode(carried), type=Journey)
    except (ValueError, RecursionError):  # whoever sent this made it up
        return None
    return journey if _LOCAL.fullmatch(journey.next) and not journey.next.startswith(_OURS) else None
