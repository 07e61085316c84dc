"""The tracking plan: calls, event names, and the columns of the flat event table.

The wire format is the `Segment Spec <https://segment.com/docs/connections/spec/>`_; flattened columns have the names
of Segment's warehouses. Every column is defined once, in :data:`COLUMNS`, for both directions (JSON to flat row, flat
row to JSON).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import polars as pl

from analytics.errors import EventFrameError

UTC_MS: Final = pl.Datetime("ms", "UTC")
"""Type of every time column: UTC, to the millisecond, as Segment writes its timestamps."""


class CallType(StrEnum):
    """The six calls of the Segment Spec; funnelsim sends the first three."""

    PAGE = "page"
    TRACK = "track"
    IDENTIFY = "identify"
    GROUP = "group"
    SCREEN = "screen"
    ALIAS = "alias"


class EventName(StrEnum):
    """Names of the `track` calls, in Segment's Object-Action form."""

    # Object and action in the past: what is done to what, as Segment's own events are named.
    WHITE_PAPER_DOWNLOADED = "White Paper Downloaded"
    WEBINAR_REGISTERED = "Webinar Registered"
    NEWSLETTER_SUBSCRIBED = "Newsletter Subscribed"
    DEMO_REQUESTED = "Demo Requested"
    DEMO_SCHEDULED = "Demo Scheduled"
    DEMO_HELD = "Demo Held"
    DEMO_MISSED = "Demo Missed"
    OPPORTUNITY_CREATED = "Opportunity Created"
    DEAL_WON = "Deal Won"


class FunnelStage(StrEnum):
    """How close to buying the reader of a page is: awareness, evaluation, decision."""

    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


SERVER_SIDE_EVENTS: Final = frozenset(
    {
        EventName.DEMO_REQUESTED,
        EventName.DEMO_SCHEDULED,
        EventName.DEMO_HELD,
        EventName.DEMO_MISSED,
        EventName.OPPORTUNITY_CREATED,
        EventName.DEAL_WON,
    }
)
"""Events sent by the company's servers, not by the visitor's browser: they neither start nor prolong a visit."""

SERVER_LIBRARIES: Final = frozenset(
    {
        "analytics-go",
        "analytics-java",
        "analytics-node",
        "analytics-php",
        "analytics-python",
        "analytics-ruby",
        "@segment/analytics-node",
        "Analytics.NET",
    }
)
"""Segment's libraries for servers: whatever event they send is server-side."""


@dataclass(frozen=True)
class Column:
    """One column of the flat event table: its name, where it stands in the JSON event, and what it means.

    Args:
        name: Column name, as in Segment's warehouses.
        path: Keys that lead to the value in the JSON event.
        dtype: Polars type. Vocabularies are ``Categorical``, free text is ``String``.
        meaning: What the value says, in one line.
        calls: Calls that carry the column; empty when all do.
    """

    name: str
    path: tuple[str, ...]
    dtype: pl.DataType
    meaning: str
    calls: tuple[CallType, ...] = ()


# Vocabularies are stored and grouped by code; of free text the table of categories would only grow.
_WORD: Final = pl.Categorical()
_TEXT: Final = pl.String()

_PAGE: Final = (CallType.PAGE,)
_TRACK: Final = (CallType.TRACK,)
_IDENTIFY: Final = (CallType.IDENTIFY,)
_ALIAS: Final = (CallType.ALIAS,)


def _column(name: str, path: str, dtype: pl.DataType, meaning: str, calls: tuple[CallType, ...] = ()) -> Column:
    return Column(name, tuple(path.split(".")), dtype, meaning, calls)


COLUMNS: Final[tuple[Column, ...]] = (
    _column("type", "type", _WORD, "Segment call: page, track, identify, group, screen or alias"),
    _column("message_id", "messageId", _TEXT, "identifier of the event; a second delivery carries the same one"),
    _column("anonymous_id", "anonymousId", _TEXT, "identifier of the browser"),
    _column("user_id", "userId", _TEXT, "identifier of the person, once known"),
    _column("event", "event", _WORD, "name of a track call, such as Demo Requested", _TRACK),
    _column("original_timestamp", "originalTimestamp", UTC_MS, "when it happened, by the clock of the device"),
    _column("sent_at", "sentAt", UTC_MS, "when it was sent, by the clock of the device"),
    _column("received_at", "receivedAt", UTC_MS, "when it arrived, by the clock of the collector"),
    _column("timestamp", "timestamp", UTC_MS, "when it happened, as corrected by the sender or collector"),
    _column("context_campaign_source", "context.campaign.source", _WORD, "utm_source of the visit"),
    _column("context_campaign_medium", "context.campaign.medium", _WORD, "utm_medium of the visit"),
    _column("context_campaign_name", "context.campaign.name", _WORD, "utm_campaign of the visit"),
    _column("context_campaign_term", "context.campaign.term", _WORD, "utm_term of the visit"),
    _column("context_campaign_content", "context.campaign.content", _WORD, "utm_content of the visit"),
    _column("context_page_path", "context.page.path", _TEXT, "path of the page on which the call was made"),
    _column("context_page_referrer", "context.page.referrer", _TEXT, "address the visit came from"),
    _column("context_page_title", "context.page.title", _TEXT, "title of the page"),
    _column("context_page_url", "context.page.url", _TEXT, "address of the page, with its query"),
    _column("context_device_type", "context.device.type", _WORD, "desktop, mobile or tablet"),
    _column("context_location_country", "context.location.country", _WORD, "ISO 3166-1 alpha-2 code of the country"),
    _column("context_timezone", "context.timezone", _WORD, "IANA time zone of the device"),
    _column("context_ip", "context.ip", _TEXT, "address of the device"),
    _column("context_user_agent", "context.userAgent", _TEXT, "user agent of the browser"),
    _column("context_group_id", "context.groupId", _TEXT, "identifier of the account (company) the device belongs to"),
    _column(
        "context_company_industry",
        "context.company.industry",
        _WORD,
        "industry of the company, from firmographic enrichment",
    ),
    _column(
        "context_company_size", "context.company.size", _WORD, "size band of the company, from firmographic enrichment"
    ),
    _column("context_experiments", "context.experiments", _WORD, "arms of the visitor: experiment=arm, joined by ;"),
    _column("context_library_name", "context.library.name", _WORD, "library that sent the call"),
    _column("name", "name", _TEXT, "name of the page", _PAGE),
    _column("category", "properties.category", _WORD, "page group: security, pricing, careers, …", _PAGE),
    _column("funnel_stage", "properties.funnel_stage", _WORD, "top, middle or bottom of the funnel", _PAGE),
    _column("asset", "properties.asset", _WORD, "what was downloaded, registered for or requested", _TRACK),
    _column("email", "traits.email", _TEXT, "address given in a form", _IDENTIFY),
    _column("previous_id", "previousId", _TEXT, "browser or person that an alias call joins to its own", _ALIAS),
    _column("extra", "extra", _TEXT, "fields that are not in the tracking plan, as one JSON object"),
)
"""Columns of the flat event table, in order.

A column that only some calls carry is null in the rows of all others, although another tool's event of that call may
have a value at the same path; that value then stays in ``extra``.
"""


def path_tree(leaves: Iterable[tuple[tuple[str, ...], object]]) -> dict[str, Any]:
    """Arrange values by their paths in the JSON event.

    Args:
        leaves: Path and value of each leaf.

    Returns:
        A tree of dictionaries: each key of a path leads to a further one or, at the end, to the value.

    >>> path_tree([(("context", "page", "path"), 1), (("context", "ip"), 2)])
    {'context': {'page': {'path': 1}, 'ip': 2}}
    """
    tree: dict[str, Any] = {}
    for path, leaf in leaves:
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = leaf
    return tree


EVENT_SCHEMA: Final = pl.Schema({column.name: column.dtype for column in COLUMNS})
"""Names and types of the flat event table.

Files of events, batches in memory and the journal of a store all have exactly these columns, in this order.
"""

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
