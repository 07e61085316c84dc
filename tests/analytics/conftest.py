"""Events for the tests of the analytics: short to write, complete where they must be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics.events.tracking_plan import EVENT_SCHEMA

START = datetime(2026, 3, 3, tzinfo=UTC)
"""A Tuesday, midnight."""


def event_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    """Flat page views, one for each row given; ``at`` is the hour after START at which it happened and arrived."""
    complete = []
    for number, given in enumerate(rows):
        row = dict(given)
        at = START + timedelta(hours=row.pop("at", 0))
        times = dict.fromkeys(("original_timestamp", "sent_at", "received_at", "timestamp"), at)
        complete.append({"type": "page", "message_id": f"m{number}", "anonymous_id": "a", **times} | row)
    return pl.DataFrame(complete, schema=EVENT_SCHEMA)


@pytest.fixture(scope="session")
def make_events() -> Callable[..., pl.DataFrame]:
    """Maker of flat events; see :func:`event_rows`."""
    return event_rows


@pytest.fixture
def foreign() -> Path:
    """43 lines that funnelsim did not write: analytics.js, iOS and Node events, two blank lines, and broken ones."""
    return Path(__file__).parent / "data" / "foreign.ndjson"
