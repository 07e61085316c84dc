"""Definitions of the intent signals: behaviour and attributes of visitors that may predict a demo request.

Signals are computed from events. Both the simulator, whose visitors decide by them, and the analytics, which estimate
their effects, use these definitions: the simulator on arrays of a cohort, the analytics on the event table. A test
holds both computations equal, row for row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from analytics.events.tracking_plan import UTC_MS, EventName
from analytics.renaming import current_name

Expectation = Literal["high", "low", "context"]
"""What an analyst would expect of a signal: high intent, low intent, or a circumstance to hold constant."""

Scope = Literal["visit", "visitor"]
"""Scope of a quantity: this visit alone, or all of the visitor's events until its end."""

TECH_BLOG_DOMAINS: Final = ("techblog.example.org", "news.ycombinator.com", "dev.to", "lobste.rs")
"""Hosts whose referrals count as coming from a tech blog; the simulator uses only the first."""


@dataclass(frozen=True)
class EverSeen:
    """A binary signal: whether any event of the visitor so far has one of these values in a column.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: Meaning of a 1.
        expectation: What an analyst would expect of it.
        column: A column of the enriched event table, or the path in the Segment event of a value without a column,
            such as ``properties.plan``.
        values: Values that count. A boolean column has the value ``True``; a value at a path is a string.

    >>> EverSeen("docs_view", "has seen the docs", "high", "category", ("docs",)).dtype
    Boolean
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
    """Minutes from the first to the last page view of the visit; the dwell time on the last page leaves no event.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: Meaning of its value.
        expectation: What an analyst would expect of it.
        scale: ``log1p`` for the natural logarithm of 1 + minutes, ``minutes`` for minutes.
        within: ``visit`` for the length of this visit, ``visitor`` for that of all visits so far together.
        longer_than: Threshold in minutes that makes it a binary signal; None for the number of minutes.
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
    """Number of page views, events or visits.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: Meaning of its value.
        expectation: What an analyst would expect of it.
        of: What is counted: ``page_views``, ``events`` of every kind, or ``visits``, this one included.
        column: Column in which an event must have one of the values, as for :class:`EverSeen`; None if all count.
        values: The values that count.
        within: ``visitor`` for all that has happened so far, ``visit`` for what has in this visit.
        scale: ``count`` for the number, ``log1p`` for the natural logarithm of 1 + number.
        at_least: Threshold that makes it a binary signal; None for the number.
        at_most: Number beyond which more make no difference; None without a limit.
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
    at_most: int | None = None

    @property
    def dtype(self) -> pl.DataType:
        """Type of the signal's column in the visit table."""
        if self.at_least is not None:
            return pl.Boolean()
        # A count stays a whole number, so that many visits have equal values and can be collapsed.
        return pl.UInt32() if self.scale == "count" else pl.Float64()


@dataclass(frozen=True)
class SeenInOrder:
    """A binary signal: whether the visitor has done several things one after another, whatever came between.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: Meaning of a 1.
        expectation: What an analyst would expect of it.
        steps: Page categories or names of `track` calls, in order; each by an event after that of the step before.

    >>> SeenInOrder("checked", "has seen prices after security", "high", ("security", "pricing")).dtype
    Boolean
    """

    name: str
    meaning: str
    expectation: Expectation
    steps: tuple[str, ...]

    @property
    def dtype(self) -> pl.DataType:
        """Type of the signal's column in the visit table."""
        return pl.Boolean()


@dataclass(frozen=True)
class SeenRecently:
    """A binary signal: whether an event of late has had one of these values in a column.

    Args:
        name: Name of the signal; also its column in the visit table.
        meaning: Meaning of a 1.
        expectation: What an analyst would expect of it.
        column: A column of the enriched event table, or a path, as for :class:`EverSeen`.
        values: Values that count.
        visits: Number of visits to look back on, this one included; None where hours are given.
        hours: Hours to look back on from the last page view of the visit; None where visits are given.

    >>> SeenRecently("hot", "has seen prices today", "high", "category", ("pricing",), hours=24.0).dtype
    Boolean
    """

    name: str
    meaning: str
    expectation: Expectation
    column: str
    values: tuple[str | bool, ...]
    visits: int | None = None
    hours: float | None = None

    @property
    def dtype(self) -> pl.DataType:
        """Type of the signal's column in the visit table."""
        return pl.Boolean()


Signal = EverSeen | SessionLength | EventCount | SeenInOrder | SeenRecently
"""A signal of any kind: a name, a meaning, and how it follows from the events of a visitor."""

# Not the column "channel", in which channels of one's own may have taken the place of these.
_CHANNEL: Final = "default_channel"

# Columns, terms and true coefficients come in this order everywhere.
SIGNALS: Final[tuple[Signal, ...]] = (
    EverSeen(
        "white_paper_download", "has downloaded a white paper", "high", "event", (EventName.WHITE_PAPER_DOWNLOADED,)
    ),
    EverSeen("security_page_view", "has seen a page on security", "high", "category", ("security",)),
    EverSeen("pricing_page_view", "has seen the pricing page", "high", "category", ("pricing",)),
    EverSeen("customer_story_view", "has read a customer story", "high", "category", ("customers",)),
    EverSeen("webinar_registration", "has registered for a webinar", "high", "event", (EventName.WEBINAR_REGISTERED,)),
    EverSeen("company_email", "has given a company e-mail address", "high", "company_email", (True,)),
    EverSeen("careers_page_view", "has seen the careers page", "low", "category", ("careers",)),
    EverSeen("tech_blog_referral", "came from a tech blog", "low", "referrer_domain", TECH_BLOG_DOMAINS),
    EverSeen("utm_paid_search", "came by a paid search advertisement", "context", _CHANNEL, ("paid_search",)),
    EverSeen("utm_paid_social", "came by a paid social advertisement", "context", _CHANNEL, ("paid_social",)),
    EverSeen("utm_email", "came by an e-mail campaign", "context", _CHANNEL, ("email",)),
    EverSeen("company_enterprise", "works for a large company", "context", "context_company_size", ("enterprise",)),
    EverSeen("device_mobile", "uses a mobile phone", "context", "device_type", ("mobile",)),
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
    "multi_page_visit", "has viewed more than one page in the visit", "context", "minutes", longer_than=0.0
)
"""Whether a visit has more than one page view: the inverse of the zero flag of session length.

The length of a visit with a single page view is unknown, not short; in real data such visits differ from others.
Nothing in the simulated world depends on it.
"""

DEFAULT_INTERACTIONS: Final = ("region_europe:security_page_view",)
"""Interactions of the model by default."""

_BY_NAME: Final = {signal.name: signal for signal in SIGNALS}


def signal_named(name: str) -> Signal:
    """Return the signal of this name.

    Raises:
        KeyError: There is no signal of this name; the message lists all.
    """
    if name not in _BY_NAME:
        raise KeyError(f"there is no signal {name!r}; the signals are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def interaction_parts(name: str) -> tuple[str, ...]:
    """Split the name of a term into its signals.

    >>> interaction_parts("region_europe:security_page_view")
    ('region_europe', 'security_page_view')
    """
    return tuple(name.split(":"))


_RENAMED: Final = {"visit_lasts": "multi_page_visit"}


def current_term(name: str) -> str:
    """Return a term by the names that its signals have now, with a FutureWarning where an old one is given.

    Args:
        name: Name of a term of the intent model; one that is unknown is returned as it is.

    >>> current_term("region_europe:security_page_view")
    'region_europe:security_page_view'
    """
    return ":".join(current_name(part, _RENAMED, "signal") for part in interaction_parts(name))


IDLE_MINUTES: Final = 30.0
"""Idle time, in minutes, after which a visit is over: the time-out of Google Analytics and of Segment's warehouses."""

ConversionUnit = Literal["account", "visitor"]
"""Unit that requests one demo at most: an account (its first visitor for all), or each visitor."""

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
view; ``account`` is null if the company is unknown; ``experiments`` has the visitor's arms as ``experiment=arm``,
joined by ``;``, null when there are none.
"""

VISIT_OUTCOME_COLUMNS: Final = pl.Schema(
    {"at_risk": pl.Boolean(), "censored": pl.Boolean(), "requested_demo": pl.Boolean()}
)
"""Columns of the visit table that come after the signals.

``at_risk``: a first request was possible: the visitor had not requested a demo before and, with one request per
account, no colleague had by its last page view. ``censored``: observation stopped within the idle time-out of the last
page view, so the visit may not be completed and its outcome is ignored.
``requested_demo``: the visit ended in the visitor's first demo request.
"""


def visit_schema(signals: tuple[Signal, ...] = SIGNALS) -> pl.Schema:
    """Return the columns of the visit table: keys, signals so far, outcome."""
    return pl.Schema(
        {**VISIT_KEY_COLUMNS, **{signal.name: signal.dtype for signal in signals}, **VISIT_OUTCOME_COLUMNS}
    )
