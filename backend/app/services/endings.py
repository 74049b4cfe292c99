"""The ways to end that are ours to decide, each with its sentence (api.md, Failure)."""

from app.models import SERVICE_STOPPED, STOPPED, Ending, Failure

CANCELLED = Ending("cancelled", failure=STOPPED)
ABANDONED = Ending(
    "cancelled", failure=Failure("abandoned", "Nobody was reading this answer any more, so it was stopped.", True)
)
INTERRUPTED = Ending("interrupted", failure=SERVICE_STOPPED)
NOT_SAVED = Ending(
    "failed",
    failure=Failure(
        "not_saved",
        "This answer could not be saved: there is no room left on the server's disk, or it cannot be written.",
        True,
    ),
)
TOO_SLOW = Ending(
    "failed",
    failure=Failure("upstream_timeout", "The model took too long to answer. What it said is kept; try again.", True),
)
TOO_LONG = Ending(
    "failed",
    failure=Failure("run_too_long", "The answer took longer than one answer may. What was said is kept.", True),
)
BROKEN = Ending(
    "failed",
    failure=Failure("internal", "Something went wrong inside the service. What was said is kept; try again.", True),
)
