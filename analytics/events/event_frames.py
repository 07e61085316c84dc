"""Whether a table is one of events: what has other names would be read as nothing, and counted as zeros."""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.errors import EventFrameError
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS

_WHO: Final = ("anonymous_id", "user_id")
_TIMES: Final = tuple(name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS)
_MOST_NAMED: Final = 20


def refuse_other_tables(events: pl.DataFrame) -> None:
    """Refuse a table whose rows would be read as events of which hardly anything is known.

    Args:
        events: Any table; one without rows is that of no events.

    Raises:
        EventFrameError: It has no column ``type``, or names that differ from the tracking plan's in spelling alone.

    >>> refuse_other_tables(pl.DataFrame({"type": ["page"], "anonymousId": ["a"]}))
    Traceback (most recent call last):
    analytics.errors.EventFrameError: anonymousId is called anonymous_id in a table of events: rename it, or read the \
file with read_events, which knows such names; the table's columns are type, anonymousId
    """
    if events.is_empty():
        return
    near = _near_names(events.columns)
    if near:
        called = ", ".join(f"{theirs} is called {ours}" for theirs, ours in near.items())
        raise EventFrameError(
            f"{called} in a table of events: rename {'it' if len(near) == 1 else 'them'}, or read the file with "
            f"read_events, which knows such names; {_columns(events)}"
        )
    if "type" not in events.columns:
        raise EventFrameError(
            "the table has no column type, which says of each event whether it is a page view (page), a track call or "
            "another: rename yours, read the file with read_events or, for a table of page views alone, add it with "
            f"with_columns(type=pl.lit('page')); {_columns(events)}"
        )


def refuse_uncountable(events: pl.DataFrame) -> None:
    """Refuse a table of events of which nothing can be counted, as no column says whose they are, or when they were.

    Args:
        events: Flat or enriched events.

    Raises:
        EventFrameError: All columns of identities are missing, or all of times.

    >>> refuse_uncountable(pl.DataFrame({"type": ["page"], "anonymous_id": ["a"]}))
    Traceback (most recent call last):
    analytics.errors.EventFrameError: the table has none of the columns original_timestamp, sent_at, received_at, \
timestamp, so nothing says when its events happened; rename yours to one of them; the table's columns are type, \
anonymous_id
    """
    if events.is_empty():
        return
    refuse_other_tables(events)
    for wanted, unknown in ((_WHO, "whose its events are"), (_TIMES, "when its events happened")):
        if not set(wanted) & set(events.columns):
            raise EventFrameError(
                f"the table has none of the columns {', '.join(wanted)}, so nothing says {unknown}; rename yours to "
                f"one of them; {_columns(events)}"
            )


def _near_names(columns: list[str]) -> dict[str, str]:
    """Columns whose names differ only in case, underscores and dots from those of missing columns, with the latter."""
    missing = {_plain(name): name for name in EVENT_SCHEMA if name not in columns}
    others = [name for name in columns if name not in EVENT_SCHEMA]
    return {name: missing[_plain(name)] for name in others if _plain(name) in missing}


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(".", "").strip()


def _columns(events: pl.DataFrame) -> str:
    names = [*events.columns[:_MOST_NAMED], *(["…"] if events.width > _MOST_NAMED else [])]
    return f"the table's columns are {', '.join(names) or 'none'}"
