"""The bodies of responses about what was spent: their public face."""

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from app.clock import rfc3339
from app.limits import DAY
from app.store.base import DayOfUse


class Share(BaseModel):
    """A limit, and what was spent of it, with what is set aside for answers that are being written."""

    limit: float | None = Field(description="None: there is none.")
    spent: float
    left: float | None
    renewed_at: str | None = Field(None, description="When it begins anew, RFC 3339. None: it slides, or never does.")

    @classmethod
    def of(cls, limit: int | None, spent: int, renewed_at: int | None = None, unit: float = 1) -> "Share":
        """Of `limit` (0 and None: there is none) what is left; amounts are told in `unit`."""
        return cls(
            limit=limit / unit if limit else None,
            spent=spent / unit,
            left=max(0, limit - spent) / unit if limit else None,
            renewed_at=rfc3339(renewed_at) if renewed_at is not None else None,
        )


class LeftBody(BaseModel):
    """All limits of an account, or of a key."""

    runs: Share = Field(description="Answers being written at once.")
    requests_per_minute: Share
    tokens_per_minute: Share
    tokens_per_day: Share
    budget_per_month: Share = Field(description="In US dollars.")


class UsageOfDay(BaseModel):
    """What was spent on one model in one day."""

    day: str = Field(description="Of UTC.", examples=["2026-11-25"])
    model: str
    requests: int = Field(description="Questions. What was spent on titles is in the rest, too.")
    input_tokens: int
    output_tokens: int
    cost: float = Field(description="In US dollars.")
    priced: bool = Field(description="Whether the price of all of it was known; what has none costs nothing here.")
    estimated: bool = Field(description="Whether some of it is an estimate: not every endpoint tells.")

    @classmethod
    def of(cls, use: DayOfUse) -> "UsageOfDay":
        """The public face of `use`."""
        return cls(
            day=f"{datetime.fromtimestamp(use.day * DAY / 1000, UTC):%Y-%m-%d}",
            model=use.model,
            requests=use.requests,
            input_tokens=use.input_tokens,
            output_tokens=use.output_tokens,
            cost=use.cost / 1e6,
            priced=use.priced,
            estimated=use.estimated,
        )


class UsageOfUserAndDay(UsageOfDay):
    """The same, of one of many users."""

    user_id: str

    @classmethod
    def of(cls, use: DayOfUse) -> "UsageOfUserAndDay":
        """The public face of `use`."""
        return cls(**UsageOfDay.of(use).model_dump(), user_id=use.owner_id)


class UsageBody(BaseModel):
    """What somebody spent, newest day first, and what is left to them."""

    items: list[UsageOfDay]
    next: str | None = Field(None, description="`before` of the next page; none on the last one.")
    left: LeftBody
    left_of_key: LeftBody | None = Field(None, description="With a key: what of its own limits is left.")


class UsageOfUsers(BaseModel):
    """What everybody spent, newest day first."""

    items: list[UsageOfUserAndDay]
    next: str | None = Field(None, description="`before` of the next page; none on the last one.")
