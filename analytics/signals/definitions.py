"""The intent signals: what a visitor does or is that may foretell a demo request, each defined once.

A signal is read off events. The simulator decides by it and the analytics estimate it, so both read this one
definition: the simulator on the arrays of a cohort, the analytics on the flat event table. The two readings are held
equal, row for row, by a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from analytics.events.tracking_plan import UTC_MS, EventName

__all__ = [
    "DEFAULT_INTERACTIONS",
    "IDLE_MINUTES",
    "MULTI_PAGE_VISIT",
    "SIGNALS",
    "TECH_BLOG_DOMAINS",
    "VISIT_KEY_COLUMNS",
    "VISIT_OUTCOME_COLUMNS",
    "ConversionUnit",
    "EventCount",
    "EverSeen",
    "Expectation",
    "Scope",
    "SessionLength",
    "Signal",
    "interaction_parts",
    "signal_named",
    "visit_schema",
]

Expectation = Literal["high", "low", "context"]
"""What an analyst would expect of a signal: high intent, low intent, or a circumstance to hold constant."""

Scope = Literal["visit", "visitor"]
"""What a quantity is about: this visit alone, or all that the visitor has done until its end."""

TECH_BLOG_DOMAINS: Final = ("techblog.example.org", "news.ycombinator.com", "dev.to", "lobste.rs")
"""Hosts whose referrals count as coming from a tech blog; the simulator uses only the first."""


@dataclass(frozen=True)
class EverSeen:
    """A yes-or-no signal: some event of the visitor so far has one of these values in this column.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: What a 1 says about the visitor.
        expectation: What an analyst would expect of it.
        column: A column of the enriched event table, or the path of a value in the Segment event that has no column,
            such as ``properties.plan``.
        values: Values that count. A yes-or-no column has the value ``True``; a value found by its path is a text.
    """

    name: str
    meaning: str
    expectation: Expectation
    column: str
    values: tuple[str | bool, ...]

    @property
    def dtype(self) -> pl.DataType:
        """Type of the signal's column in the visit table."""
        return pl.Boolean()


@dataclass(frozen=True)
class SessionLength:
    """How long the visit has lasted, from its first to its last page view; the last page's dwell leaves no event.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: What its value says about the visit.
        expectation: What an analyst would expect of it.
        scale: ``log1p`` for the natural logarithm of 1 + minutes, ``minutes`` for minutes.
        within: ``visit`` for the length of this visit, ``visitor`` for that of all visits so far together.
        longer_than: Makes it a yes-or-no signal: whether there are more minutes than these. None for their number.
    """

    name: str
    meaning: str
    expectation: Expectation
    scale: Literal["log1p", "minutes"]
    within: Scope = "visit"
    longer_than: float | None = None

    @property
    def dtype(self) -> pl.DataType:
        """Type of the signal's column in the visit table."""
        return pl.Float64() if self.longer_than is None else pl.Boolean()


@dataclass(frozen=True)
class EventCount:
    """How often something has happened.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: What its value says about the visitor.
        expectation: What an analyst would expect of it.
        of: What is counted: ``page_views``, ``events`` of every kind, or ``visits``, this one included.
        column: Where an event must have one of the values to count, as for :class:`EverSeen`; None if all count.
        values: The values that count.
        within: ``visitor`` for all that has happened so far, ``visit`` for what has in this visit.
        scale: ``count`` for the number, ``log1p`` for the natural logarithm of 1 + number.
        at_least: Makes it a yes-or-no signal: whether the number is at least this. None for the number.
    """

    name: str
    meaning: str
    expectation: Expectation
    of: Literal["page_views", "events", "visits"] = "page_views"
    column: str | None = None
    values: tuple[str | bool, ...] = ()
    within: Scope = "visitor"
    scale: Literal["count", "log1p"] = "count"
    at_least: int | None = None

    @property
    def dtype(self) -> pl.DataType:
        """Type of the signal's column in the visit table."""
        if self.at_least is not None:
            return pl.Boolean()
        return pl.UInt32() if self.scale == "count" else pl.Float64()


Signal = EverSeen | SessionLength | EventCount

SIGNALS: Final[tuple[Signal, ...]] = (
    EverSeen(
        "white_paper_download",
        "has downloaded a white paper",
        "high",
        "event",
        (EventName.WHITE_PAPER_DOWNLOADED,),
    ),
    EverSeen("security_page_view", "has seen a page on security", "high", "category", ("security",)),
    EverSeen("pricing_page_view", "has seen the pricing page", "high", "category", ("pricing",)),
    EverSeen("customer_story_view", "has read a customer story", "high", "category", ("customers",)),
    EverSeen(
        "webinar_registration",
        "has registered for a webinar",
        "high",
        "event",
        (EventName.WEBINAR_REGISTERED,),
    ),
    EverSeen("company_email", "has given a company e-mail address", "high", "company_email", (True,)),
    EverSeen("careers_page_view", "has seen the careers page", "low", "category", ("careers",)),
    EverSeen("tech_blog_referral", "came from a tech blog", "low", "referrer_domain", TECH_BLOG_DOMAINS),
    EverSeen("utm_paid_search", "came by a paid search advertisement", "context", "context_campaign_medium", ("cpc",)),
    EverSeen(
        "utm_paid_social",
        "came by a paid social advertisement",
        "context",
        "context_campaign_medium",
        ("paid_social",),
    ),
    EverSeen("utm_email", "came by an e-mail campaign", "context", "context_campaign_medium", ("email",)),
    EverSeen("company_enterprise", "works for a large company", "context", "context_company_size", ("enterprise",)),
    EverSeen("device_mobile", "uses a mobile phone", "context", "context_device_type", ("mobile",)),
    EverSeen("region_europe", "is in Europe", "context", "region", ("europe",)),
    EverSeen("region_asia_pacific", "is in Asia or the Pacific", "context", "region", ("asia_pacific",)),
    SessionLength(
        "log_session_minutes",
        "natural logarithm of 1 + minutes from the first to the last page view of the visit",
        "high",
        "log1p",
    ),
)
"""The signals of the tracking plan, in the order in which they are reported."""

MULTI_PAGE_VISIT: Final = SessionLength(
    "multi_page_visit",
    "has stayed beyond the single moment of a first page view",
    "context",
    "minutes",
    longer_than=0.0,
)
"""Whether a visit has a length at all: the zero flag of session length, the other way round.

Of visits with a single page view the minutes are not known to be few, they are not known; in real data such visits are
of another kind. Nothing in the simulated world depends on it.
"""

DEFAULT_INTERACTIONS: Final = ("region_europe:security_page_view",)
"""Products of two signals that the model holds unless told otherwise."""

_BY_NAME: Final = {signal.name: signal for signal in SIGNALS}


def signal_named(name: str) -> Signal:
    """Return the signal of this name.

    Raises:
        KeyError: No signal has this name; the message lists those there are.
    """
    if name not in _BY_NAME:
        raise KeyError(f"no signal is called {name!r}; the signals are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def interaction_parts(name: str) -> tuple[str, ...]:
    """Split the name of a term into its signals: ``a:b`` into ``a`` and ``b``, ``a`` into ``a`` alone."""
    return tuple(name.split(":"))


IDLE_MINUTES: Final = 30.0
"""Idle time, in minutes, after which a visit is over: the time-out of Google Analytics and of Segment's warehouses."""

ConversionUnit = Literal["account", "visitor"]
"""Who asks for one demo at most: a whole account, its first visitor for all, or each visitor by themselves."""

VISIT_KEY_COLUMNS: Final = pl.Schema(
    {
        "anonymous_id": pl.String(),
        "visit": pl.UInt32(),
        "account": pl.String(),
        "experiments": pl.String(),
        "started_at": UTC_MS,
        "ended_at": UTC_MS,
        "n_page_views": pl.UInt32(),
    }
)
"""Columns of the visit table that come before the signals.

``visit`` counts a visitor's visits from 1; ``started_at`` and ``ended_at`` are the times of its first and last page
view; ``account`` is null when the company is not known; ``experiments`` holds the visitor's arms as ``experiment=arm``,
joined by ``;``, null when there are none.
"""

VISIT_OUTCOME_COLUMNS: Final = pl.Schema(
    {"at_risk": pl.Boolean(), "censored": pl.Boolean(), "requested_demo": pl.Boolean()}
)
"""Columns of the visit table that come after the signals.

``at_risk``: the visit could end in a first request: the visitor had not asked for a demo before it and, where an
account asks once, no colleague had asked by its last page view. ``censored``: observation stopped before the visit
could be known to be over (within the idle time-out of its last page view), so its outcome is left out, whatever it
was. ``requested_demo``: the visit ended in the visitor's first demo request.
"""


def visit_schema(signals: tuple[Signal, ...] = SIGNALS) -> pl.Schema:
    """Columns of the visit table, one row per visit: keys, the signals so far, the outcome."""
    return pl.Schema(
        {**VISIT_KEY_COLUMNS, **{signal.name: signal.dtype for signal in signals}, **VISIT_OUTCOME_COLUMNS}
    )
