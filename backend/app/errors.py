"""Every error a person can meet: its status, its code, whether trying again makes sense, and its sentence.

ChatError
├── Refusal             told with a status, before a run exists
├── RunFailed           told with a status, to a caller that waited for a run
├── ProviderError       what an upstream did; told at the end of the stream
├── StorageError        what the disk did
├── RunStopped          what somebody else did to a run
└── StartRefused        why the service does not start; the process exits with its sentence
"""


class ChatError(Exception):
    """`status` is for HTTP, `code` for programs, `message` (ours, never a provider's) for people."""

    status = 500
    code = "internal"
    retryable = False
    run_id: str | None = None  # of the run that it is about, where there is one

    def __init__(self, message: str, *, retry_after: int | None = None, param: str | None = None) -> None:
        """`retry_after` is in seconds; `param` is the place in the body, for doors that tell it by itself."""
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.param = param


class Refusal(ChatError):
    """Refused before a run exists, so with a status."""


class Malformed(Refusal):
    status, code = 400, "malformed"


class BadCursor(Refusal):
    status, code = 400, "bad_cursor"

    def __init__(self) -> None:
        super().__init__("This is not a position in the answer. Ask without Last-Event-ID to start again.")


class NotSignedIn(Refusal):
    """No credential, or one that opens nothing: the same answer for all of them."""

    status, code = 401, "not_signed_in"

    def __init__(self) -> None:
        super().__init__("Sign in first, or send an API key.")


class WrongPassword(Refusal):
    status, code = 401, "wrong_password"

    def __init__(self) -> None:
        super().__init__("The name or the password is wrong.")


class SignInExpired(Refusal):
    """What came back from an OpenID provider does not belong to anything that this browser began just now."""

    status, code = 400, "sign_in_expired"

    def __init__(self) -> None:
        super().__init__("This sign-in took too long, was begun in another window, or is over already. Sign in again.")


class SignInDeclined(Refusal):
    status, code = 403, "sign_in_declined"

    def __init__(self) -> None:
        super().__init__("You were not signed in there. Sign in again if you meant to.")


class Suspended(Refusal):
    """Told only to who has proved that it is them."""

    status, code = 403, "suspended"

    def __init__(self) -> None:
        super().__init__("This account is suspended. Ask the administrator.")


class IssuerUnavailable(Refusal):
    status, code, retryable = 503, "issuer_unavailable", True

    def __init__(self) -> None:
        super().__init__("The place to sign in does not answer. Try again in a moment.", retry_after=10)


class IssuerUntrusted(Refusal):
    """`what` of its answer was not as it must be: for the log, never in the sentence."""

    status, code = 502, "issuer_untrusted"

    def __init__(self, what: str) -> None:
        super().__init__("The place to sign in answered with something that proves nothing. Tell the administrator.")
        self.what = what


class NotAllowed(Refusal):
    status, code = 403, "not_allowed"


class InvitationNeeded(Refusal):
    status, code = 403, "invitation_needed"

    def __init__(self) -> None:
        super().__init__("An account needs an invitation that is still good. Ask the administrator for one.")


class ForbiddenOrigin(Refusal):
    status, code = 403, "forbidden_origin"


class NotFound(Refusal):
    status, code = 404, "not_found"


class NothingHere(NotFound):
    """No such address; also said of one that not everybody is to know of."""

    def __init__(self) -> None:
        super().__init__("There is nothing at this address. The addresses are listed at /docs.")


class RunNotFound(NotFound):
    """No such run, someone else's, or one whose keeping is over: the same answer for all three."""

    code = "run_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such run, or it is no longer kept.")


class ModelNotFound(NotFound):
    code = "model_not_found"

    def __init__(self) -> None:
        super().__init__(
            "There is no model of that name, or two providers have it. GET /api/models lists them.", param="model"
        )


class ConversationNotFound(NotFound):
    """No such conversation, someone else's, or a deleted one: the same answer for all three."""

    code = "conversation_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such conversation, or it was deleted.")


class MessageNotFound(NotFound):
    code = "message_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such message in this conversation.")


class UserNotFound(NotFound):
    code = "user_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class KeyNotFound(NotFound):
    code = "key_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such key, or it was revoked.")


class InvitationNotFound(NotFound):
    code = "invitation_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such invitation, or it was used or has expired.")


class NameTaken(Refusal):
    status, code = 409, "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"The name {name!r} is taken. Choose another one.")


class LastAdministrator(Refusal):
    status, code = 409, "last_administrator"

    def __init__(self) -> None:
        super().__init__("This is the only administrator. Make somebody else one first.")


class StillWriting(Refusal):
    status, code, retryable = 409, "still_writing", True

    def __init__(self) -> None:
        super().__init__("That answer is still being written. Wait for its end, or stop it first.")


class MethodNotAllowed(Refusal):
    status, code = 405, "method_not_allowed"


class BodyTooSlow(Refusal):
    status, code, retryable = 408, "body_too_slow", True

    def __init__(self) -> None:
        super().__init__("The rest of the body did not come. Send the request again.")


class BodyTooLarge(Refusal):
    status, code = 413, "body_too_large"


class QueryTooLong(Refusal):
    status, code = 414, "query_too_long"


class UnsupportedMedia(Refusal):
    status, code = 415, "unsupported_media_type"


class WrongHost(Refusal):
    status, code = 421, "wrong_host"


class Invalid(Refusal):
    status, code = 422, "invalid"


class KeyReused(Refusal):
    status, code = 422, "key_reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request. Use a new key.")


class TooManyAttempts(Refusal):
    status, code, retryable = 429, "too_many_attempts", True


class LimitReached(Refusal):
    """An account or a key has spent what it may. The sentence says what of what, and when to come back."""

    status, code, retryable = 429, "limit_reached", True


class TooManyRequests(LimitReached):
    code = "too_many_requests"


class TooManyRunsOfYours(LimitReached):
    code = "too_many_runs_of_yours"


class TokensSpent(LimitReached):
    code = "tokens_spent"


class BudgetSpent(LimitReached):
    code = "budget_spent"


class TooManyRuns(Refusal):
    status, code, retryable = 503, "too_many_runs", True


class ImportBusy(Refusal):
    """One import at a time: a second one is told before it sends its file, instead of waiting with it."""

    status, code, retryable = 503, "import_busy", True

    def __init__(self) -> None:
        super().__init__("Another import is running. Try again when it is over.", retry_after=10)


class TooManyTrials(Refusal):
    status, code, retryable = 503, "too_many_trials", True

    def __init__(self) -> None:
        super().__init__("Enough people are looking at the test stream. Try again in a moment.", retry_after=2)


class Draining(Refusal):
    status, code, retryable = 503, "draining", True

    def __init__(self) -> None:
        super().__init__("The service is shutting down. Try again in a moment.", retry_after=5)


class NotReady(Refusal):
    """Work cannot be accepted, for the reason that another error gives."""

    status, retryable = 503, True

    def __init__(self, reason: ChatError) -> None:
        super().__init__(reason.message, retry_after=5)
        self.code = reason.code


class RunFailed(ChatError):
    """A run did not complete, and whoever waits for it has been sent nothing yet: so it is told with a status."""

    def __init__(self, run_id: str, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.run_id = run_id
        self.status = status
        self.code = code


class ProviderError(ChatError):
    """What went wrong upstream. The provider's own words are never in it."""

    status = 502
    unbilled = False  # nothing was answered, and nothing can have been billed


class UpstreamInterrupted(ProviderError):
    code, retryable = "upstream_interrupted", True


class UpstreamTimeout(ProviderError):
    code, retryable = "upstream_timeout", True


class UpstreamRejected(ProviderError):
    code = "upstream_rejected"


class UpstreamRateLimited(ProviderError):
    code, retryable = "upstream_rate_limited", True


class UpstreamUnavailable(ProviderError):
    code, retryable = "upstream_unavailable", True


class UpstreamProtocol(ProviderError):
    code = "upstream_protocol"

    def __init__(self) -> None:
        super().__init__("The endpoint answered with something that is not its protocol. Check its base URL.")


class ModelNotConfigured(ProviderError):
    code = "model_not_configured"


class StorageError(ChatError):
    """The database did not take a write. Nothing of that write is kept."""

    status, code, retryable = 503, "storage_unavailable", True


class StorageFull(StorageError):
    status, code = 507, "no_room"


class RunStopped(ChatError):
    """Somebody has asked for a run to stop, or has deleted it: nothing is added to what it said."""

    code = "run_stopped"

    def __init__(self) -> None:
        super().__init__("This answer was stopped.")


class LeaseLost(StorageError):
    """This replica was out of reach for too long: others have ended its runs, and it may write nothing of them."""

    code = "lease_lost"

    def __init__(self) -> None:
        super().__init__("This replica had lost its database for a while. Try again.", retry_after=1)


class StartRefused(ChatError):
    """Why the service does not start, in one sentence that says what to do."""

    code = "start_refused"
