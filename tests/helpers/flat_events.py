"""Events for the tests of the analytics: short to write, complete where they must be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from analytics.events.tracking_plan import EVENT_SCHEMA, EventName

Row = dict[str, Any]
START: Final = datetime(2026, 3, 3, tzinfo=UTC)
"""A Tuesday, midnight."""
TIMES: Final = ("original_timestamp", "sent_at", "received_at", "timestamp")
DEMO, HELD = str(EventName.DEMO_REQUESTED), str(EventName.DEMO_HELD)
CRAWLER: Final = "Googlebot/2.1"
FOREIGN: Final = Path(__file__).parents[1] / "analytics" / "data" / "foreign.ndjson"
"""43 lines that funnelsim did not write: analytics.js, iOS and Node events, two blank lines, and broken ones."""


def make_events(*rows: Row) -> pl.DataFrame:
    """Flat page views, one for each row given; ``at`` is the hour after START at which it happened and arrived."""
    complete = []
    for number, given in enumerate(rows):
        row = dict(given)
        times = dict.fromkeys(TIMES, START + timedelta(hours=row.pop("at", 0)))
        complete.append({"type": "page", "message_id": f"m{number}", "anonymous_id": "a", **times} | row)
    return pl.DataFrame(complete, schema=EVENT_SCHEMA)


def event(minute: float, name: str = "page", who: str | None = "ann", **columns: object) -> Row:
    """One event so many minutes after START; a name other than those of two calls is that of a track call."""
    call = {"type": name, "event": None} if name in {"page", "identify"} else {"type": "track", "event": name}
    return {**call, "anonymous_id": who, "timestamp": START + timedelta(minutes=minute), **columns}


def view(
    minute: float, who: str = "ann", category: str | None = None, country: str | None = None, **columns: object
) -> Row:
    """A page view of somebody somewhere."""
    return event(minute, "page", who, category=category, context_location_country=country, **columns)


def request(minute: float, who: str = "ann", **columns: object) -> Row:
    """A demo request."""
    return view(minute, who, **columns) | {"type": "track", "event": DEMO}


UNCOUNTED = pytest.mark.filterwarnings("ignore::analytics.errors.EventFrameWarning")
"""Allows events of nobody among others."""


def are_countable(rows: list[Row]) -> bool:
    """Whether a table of these events is not refused: some are of somebody, or there are none."""
    return not rows or any(row["anonymous_id"] or row.get("user_id") for row in rows)


def events_of(*rows: Row) -> pl.DataFrame:
    """The flat table of these events; what a row does not name is null."""
    return pl.DataFrame(list(rows), schema=EVENT_SCHEMA)
