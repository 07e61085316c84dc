"""Signals of the user's own that visitors decide by: which definitions the simulator can follow.

The simulator computes signals from plans, before any event is sent. It knows pages, forms, origins, devices, places and
companies; it does not know what only exists on the clock, such as the events of components and of the sales team.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from analytics.signals.definitions import EventCount, SeenInOrder, SeenRecently, SessionLength, Signal

PAGE_COLUMNS: Final = frozenset({"category", "name", "funnel_stage", "context_page_path", "context_page_title"})
"""Columns that depend on the page that is viewed."""

FORM_COLUMNS: Final = frozenset({"event", "asset", "company_email"})
"""Columns that depend on a form that is sent."""

ORIGIN_COLUMNS: Final = frozenset(
    {
        "channel",
        "default_channel",
        "referrer_domain",
        *(f"campaign_{key}" for key in ("source", "medium", "name")),
        *(f"context_campaign_{key}" for key in ("term", "content")),
    }
)
"""Columns that depend on what leads to a visit."""

VISITOR_COLUMNS: Final = frozenset(
    {
        "region",
        "country_code",
        "context_location_country",
        "device_type",
        "context_device_type",
        "context_company_size",
        "context_company_industry",
    }
)
"""Columns that depend on the visitor, and on the browser of the visit."""

_KNOWN: Final = PAGE_COLUMNS | FORM_COLUMNS | ORIGIN_COLUMNS | VISITOR_COLUMNS
# Page and track calls have these to themselves; the others stand on the events of components too.
_OF_ONE_CALL: Final = FORM_COLUMNS | {"category", "name", "funnel_stage"}


def why_unknown(signal: Signal, form_events: Collection[str], categories: Collection[str]) -> str | None:
    """Why visitors cannot decide by a signal; None if they can.

    Args:
        signal: The signal.
        form_events: Events that the forms of the site send.
        categories: Categories of the pages of the site.

    >>> from analytics.signals.definitions import EverSeen
    >>> read = EverSeen("plan", "has a plan", "high", "properties.plan", ("pro",))
    >>> why_unknown(read, ["Webinar Registered"], ["pricing"])
    "it reads 'properties.plan', which the simulator does not know before an event is sent"
    """
    if isinstance(signal, SessionLength):
        return None
    if isinstance(signal, SeenInOrder):
        return _why_steps(signal.steps, form_events, categories)
    if isinstance(signal, EventCount) and signal.column is None and signal.of != "events":
        return None
    if isinstance(signal, EventCount) and signal.of == "events" and signal.column not in FORM_COLUMNS:
        return (
            "it counts events of every kind, and those of components and of the sales team are not known before they "
            "happen; count page_views, or events by the attribute event"
        )
    if isinstance(signal, SeenRecently) and signal.column in _KNOWN - _OF_ONE_CALL:
        return (
            f"{signal.column!r} stands on events of every kind, and those of components are not known before they "
            "happen; look back on page_group or event"
        )
    return _why_column(signal.column or "", signal.values, form_events)


def _why_steps(steps: Sequence[str], form_events: Collection[str], categories: Collection[str]) -> str | None:
    for step in steps:
        if step not in categories and step not in form_events:
            return f"no page of the site has the category {step!r}, and no form sends the event {step!r}"
    return None


def _why_column(column: str, values: Collection[str | bool], form_events: Collection[str]) -> str | None:
    if column not in _KNOWN:
        return f"it reads {column!r}, which the simulator does not know before an event is sent"
    for value in values if column == "event" else ():
        if value not in form_events:
            return (
                f"no form of the site sends the event {value!r}; what a component's event changes is an effect of the "
                "component"
            )
    return None
