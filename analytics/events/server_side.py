"""Events that servers send: they belong to a visitor, but tell nothing of when that visitor was on the site.

A page view is the visitor's own, whoever reports it: a site that renders its pages on a server tracks them there.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from analytics.events.tracking_plan import SERVER_LIBRARIES, SERVER_SIDE_EVENTS, CallType

# Ends of words in the names of libraries: analytics-node, @segment/analytics-node, rudder-sdk-python, posthog-php. A
# browser's are analytics.js, @segment/analytics-next, rudder-sdk-js.
_SERVER_LANGUAGE: Final = re.compile(
    r"(?i)(?:^|[-_./ ])(?:node|python|ruby|go|java|php|net|rust|elixir|scala|clojure|server)"
    r"(?:[._ ]?js)?(?:[ -]sdk)?$|^http(?: api|$)"
)

_CALL: Final = pl.col("type").cast(pl.String)


def by_server() -> pl.Expr:
    """Return whether a server sent an event that is no page view, on flat events.

    As :func:`sent_by_server`, or by the name of a `track` call that only servers send, which are
    :data:`analytics.events.SERVER_SIDE_EVENTS`.
    """
    name = pl.when(_CALL == CallType.TRACK).then(pl.col("event").cast(pl.String))
    return sent_by_server() | name.is_in([str(event) for event in SERVER_SIDE_EVENTS]).fill_null(value=False)


def sent_by_server() -> pl.Expr:
    """Return whether a server sent an event that is no page view: by ``channel``, which Segment sets, or the library.

    >>> flat = {"type": "track", "event": "Invoice Paid", "context_library_name": None, "extra": '{"channel":"server"}'}
    >>> pl.DataFrame([flat]).select(sent_by_server()).item()
    True
    """
    library = pl.col("context_library_name").map_batches(_of_servers, return_dtype=pl.Boolean).fill_null(value=False)
    is_view = _CALL.is_in([str(CallType.PAGE), str(CallType.SCREEN)]).fill_null(value=False)
    return ~is_view & (sent_by_channel().is_not_null() | library)


def sent_by_channel() -> pl.Expr:
    """Return what is left of ``extra`` when only the channel of servers is kept; null for all other events."""
    channel = pl.col("extra").cast(pl.String).str.json_path_match("$['channel']").str.to_lowercase()
    return pl.when(channel == "server").then(pl.lit('{"channel":"server"}'))


def _of_servers(libraries: pl.Series) -> pl.Series:
    # A stream has a handful of libraries, which are judged once.
    names = libraries.unique().cast(pl.String).drop_nulls()
    found = [name for name in names if name in SERVER_LIBRARIES or _SERVER_LANGUAGE.search(name)]
    return libraries.is_in(pl.Series(found, dtype=pl.String).implode())
