"""The time of an event: one rule for which of its four times says when it happened.

Source: Segment, *Spec: Common Fields*, "Timestamps" (segmentio/segment-docs, ``src/connections/spec/common.md``):

* ``originalTimestamp``: "Time on the client device when call was invoked OR the ``timestamp`` value manually passed in
  through server-side libraries."
* ``sentAt``: "Time on client device when call was sent."
* ``receivedAt``: "time on Segment server clock when call was received".
* ``timestamp``: "Calculated by Segment to correct client-device clock skew using the following formula: ``receivedAt``
  - (``sentAt`` - ``originalTimestamp``)". "Recommended timestamp for analysis when chronology does matter."

So ``timestamp`` is the original time until a collector has computed its own and kept the other as
``originalTimestamp``. :func:`event_times` follows from this.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl


def event_times(events: pl.DataFrame) -> pl.Series:
    """Return the time of each event by the collector's clock.

    The first rule that applies decides:

    1. ``timestamp``, where there is an ``originalTimestamp`` that differs from it: a collector has corrected it.
    2. ``receivedAt - (sentAt - original)``, where all are given. *Original* is ``originalTimestamp``, else
       ``timestamp``: a payload that comes straight from a library has no other.
    3. The original time, where the sending or the arrival is unknown.
    4. ``receivedAt``.

    A time more than a minute after the arrival is impossible, and is replaced by it.

    The formula takes sending and arrival for the same moment, so what is delivered again days later gets a time days
    later. It is known by its ``messageId``, as long as that is remembered; see :mod:`analytics.store.event_store`.

    Args:
        events: Flat events.

    Returns:
        The column ``event_time``; shape (events,).

    >>> from analytics.events.enrichment import conform
    >>> raw = {"timestamp": "2026-03-03T09:50Z", "sent_at": "2026-03-03T10:00Z", "received_at": "2026-03-03T12:00Z"}
    >>> event_times(conform(pl.DataFrame([raw | {"type": "page"}]))).item().isoformat()
    '2026-03-03T11:50:00+00:00'
    """
    return events.select(event_time=COUNTED_TIME).to_series()


def _event_time() -> pl.Expr:
    # The clock of a device may be wrong by years, but it is so at both times: the difference is right.
    by_formula = ORIGINAL_TIME + DELIVERY_LAG
    is_corrected = pl.col("timestamp") != pl.col("original_timestamp")
    return pl.when(is_corrected).then("timestamp").otherwise(pl.coalesce(by_formula, ORIGINAL_TIME, "received_at"))


# Built once: for a small batch, building an expression takes longer than evaluating it.
ORIGINAL_TIME: Final = pl.coalesce("original_timestamp", "timestamp")
"""Expression of the time at which the event happened, by the clock of the device or server that reports it."""

DELIVERY_LAG: Final = pl.col("received_at") - pl.col("sent_at")
"""Expression of the time from sending to arrival, by two clocks."""

EVENT_TIME: Final = _event_time()
"""Expression of the time that an event claims, also if that is after its arrival."""

COUNTED_TIME: Final = (
    pl.when(pl.col("received_at") + timedelta(minutes=1) < EVENT_TIME).then("received_at").otherwise(EVENT_TIME)
)
"""Expression of :func:`event_times`."""

_IS_KNOWN: Final = pl.col("sent_at").is_not_null() | pl.col("received_at").ne_missing(
    pl.coalesce("timestamp", "original_timestamp")
)
KNOWN_ARRIVAL: Final = pl.when(_IS_KNOWN).then("received_at")
"""Expression of the arrival, or null where it is only the device's own time, as of events read without one."""
