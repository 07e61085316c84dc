"""Calls that belong to the form of a demo request, and so are no signals before it.

Many sites call ``identify`` with the address from the demo form a moment before they track the request. The address is
then known of those who requested only: it is a part of the outcome, and would seem to predict it perfectly.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from analytics.events.tracking_plan import CallType

FORM_TIME: Final = timedelta(seconds=30)
"""Longest time from a call that names the visitor to the track call of the form that it belongs to."""

_MS: Final = timedelta(milliseconds=1)

FORM_CALLS: Final = (
    (pl.col("type") == CallType.TRACK).fill_null(value=False).alias("track"),
    pl.col("type").is_in(["identify", "group", "alias"]).fill_null(value=False).alias("names"),
)
"""Facts of the timeline that :func:`after_form` needs: track calls, and calls that say who the visitor is."""


def after_form(line: pl.DataFrame) -> pl.DataFrame:
    """Move calls that belong to the form of a request behind the request, to its time and visit.

    An ``identify``, ``group`` or ``alias`` call belongs to the form whose track call follows it: if the visitor's next
    track call comes within :data:`FORM_TIME` and is a demo request, the call is a part of that. One that is followed
    first by another track call, such as a download, stays where it is, and so does one that follows another as closely
    or more: some sites name the visitor just after the form. Order within a millisecond does not count.

    Args:
        line: The timeline, as of :func:`analytics.sessions.timeline.timeline`, with :data:`FORM_CALLS`.

    >>> time = pl.Series([0, 60_000, 62_000]).cast(pl.Datetime("ms"))
    >>> flags = {"names": [False, True, False], "track": [False, False, True], "request": [False, False, True]}
    >>> line = pl.DataFrame({"visitor": "a", "event_time": time, "visit_so_far": 1, "in_visit": True, **flags})
    >>> after_form(line.cast({"visitor": pl.Categorical}))["names"].to_list()
    [False, False, True]
    """
    requests, calls = np.flatnonzero(line["request"]), np.flatnonzero(line["names"])
    calls = calls[calls < requests.max(initial=-1)]
    if not len(calls):
        return line
    visitor, time = (line[name].to_physical().to_numpy() for name in ("visitor", "event_time"))
    of_call = requests[np.searchsorted(requests, calls)]
    is_soon = (visitor[of_call] == visitor[calls]) & (time[of_call] - time[calls] <= FORM_TIME // _MS)
    calls, of_call = calls[is_soon], of_call[is_soon]
    rows = np.arange(line.height)
    is_later = (np.diff(time, prepend=time[0]) != 0) | (np.diff(visitor.astype(np.int64), prepend=-1) != 0)
    moment = np.maximum.accumulate(np.where(is_later, rows, 0))
    is_other = (line["track"] & ~line["request"]).to_numpy()
    n_others = np.cumsum(np.append(0, is_other))
    is_next = n_others[moment[of_call]] == n_others[moment[calls]]
    before = np.maximum.accumulate(np.where(is_other, rows, -1))[calls]
    is_after = (before >= 0) & (visitor[before] == visitor[calls])
    is_after &= time[calls] - time[before] <= time[of_call] - time[calls]
    calls, of_call = calls[is_next & ~is_after], of_call[is_next & ~is_after]
    source, place = rows.copy(), 2 * rows
    source[calls], place[calls] = of_call, 2 * of_call + 1
    moved = line.with_columns(line[name].gather(source) for name in ("event_time", "visit_so_far", "in_visit"))
    return moved[np.argsort(place, kind="stable")]
