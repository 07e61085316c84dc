"""Events in files of many shapes, and what is read of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from analytics.events.dead_letters import DeadLetter
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.reading import EventFormat, read_events

EXPORTS = Path(__file__).parents[1] / "analytics" / "data" / "exports"


def page(number: int, **more: Any) -> dict[str, Any]:
    """A page view of the Segment Spec, a minute after the one before."""
    when = f"2026-03-03T10:{number:02}:00Z"
    return {"type": "page", "messageId": f"m{number}", "anonymousId": "a", "timestamp": when} | more


PAGES = [page(number) for number in range(5)]
LINES = "".join(json.dumps(each) + "\n" for each in PAGES).encode()


def read_all(source: Any, form: EventFormat | None = None, **more: Any) -> tuple[pl.DataFrame, list[DeadLetter]]:
    """All events and dead letters of a source."""
    batches = list(read_events(source, form, **more))
    frame = pl.concat([EVENT_SCHEMA.to_frame(), *(batch.frame for batch in batches)])
    return frame, [letter for batch in batches for letter in batch.dead_letters]


def ids(source: Any, form: EventFormat | None = None) -> list[str]:
    """Identifiers of the events of a source, which has no dead letters."""
    frame, letters = read_all(source, form)
    assert letters == []
    return frame["message_id"].to_list()
