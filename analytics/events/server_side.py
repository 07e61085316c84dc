"""Events that servers send: they belong to a visitor, but tell nothing of when that visitor was on the site."""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.events.tracking_plan import SERVER_LIBRARIES, SERVER_SIDE_EVENTS, CallType

# Ends of words in the names of libraries: analytics-node, @segment/analytics-node, rudder-sdk-python, posthog-php. A
# browser's are analytics.js, @segment/analytics-next, rudder-sdk-js.
_SERVER_LANGUAGE: Final = (
    r"(?i)(?:^|[-_./ ])(?:node|python|ruby|go|java|php|net|rust|elixir|scala|clojure|server)$|^http api"
)
# Channels of Segment's libraries; "server" is what all of those for servers send.
_CHANNEL: Final = "$['channel']"


def by_server() -> pl.Expr:
    """Return whether a server sent an event, on flat events.

    By ``channel``, which Segment sets; by the library; and by the name of a `track` call that only servers send, which
    are :data:`analytics.events.SERVER_SIDE_EVENTS`.

    >>> flat = {"type": "track", "event": "Invoice Paid", "context_library_name": None, "extra": '{"channel":"server"}'}
    >>> pl.DataFrame([flat]).select(by_server()).item()
    True
    """
    channel = pl.col("extra").str.json_path_match(_CHANNEL).str.to_lowercase()
    library = pl.col("context_library_name").cast(pl.String)
    name = pl.when(pl.col("type").cast(pl.String) == CallType.TRACK).then(pl.col("event").cast(pl.String))
    is_server = (
        channel == "server",
        library.is_in(list(SERVER_LIBRARIES)) | library.str.contains(_SERVER_LANGUAGE),
        name.is_in([str(event) for event in SERVER_SIDE_EVENTS]),
    )
    return pl.any_horizontal(each.fill_null(value=False) for each in is_server)
