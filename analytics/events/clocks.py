"""Impossible clocks: events whose times are so far from all others that a wrong clock must have set them.

One rule serves analyses, parts of events, stores and backfills. An event is impossible if one of these holds:

1. Its time is not in the years 2000 to 2099: before, there were no web analytics. (An arrival out of them vouches for
   it: such is a simulated world.)
2. Its time is far from the bulk: more than :data:`FARTHEST` plus 20 times the median absolute deviation from the median
   time, or more than :data:`FARTHEST` after the latest known arrival. Of uniform traffic all is within two deviations,
   of traffic that grows exponentially within about 20.

The second holds only if few devices are that far: one, or up to 10 that are at most a tenth of all, or 1 %. More are no
accident but history. What counts is devices, as one device has one clock, however many events it sends; only where all
events are one device's, events count. If most events are of a single one of many devices, and far from those of the
others, the single one is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.event_time import KNOWN_ARRIVAL
from analytics.events.times import epoch_ms

FARTHEST: Final = timedelta(days=366)
"""An event at most this far from the median time is never impossible, but for its year."""

DEVICE: Final = pl.coalesce(pl.col("anonymous_id").cast(pl.String), pl.col("user_id").cast(pl.String)).hash()
"""Expression of a number for each device: its browser, else its user."""

_TIME: Final = pl.col("event_time")
_FARTHEST_MS: Final = FARTHEST // timedelta(milliseconds=1)
_YEARS: Final = tuple(epoch_ms(datetime(year, 1, 1, tzinfo=UTC)) for year in (2000, 2100))
_SPREADS: Final = 20
_FEW, _FEW_SHARE, _SMALL_SHARE, _MANY = 10, 0.1, 0.01, 10


@dataclass(frozen=True)
class Bulk:
    """The span of times that are near the bulk of events.

    Args:
        begin: Its begin, in epoch milliseconds.
        end: Its last moment.
        judged: Which events are impossible: those outside it (``far``), inside (``near``), or none.
    """

    begin: float = -np.inf
    end: float = np.inf
    judged: str = "none"

    def is_far(self, ms: pl.Series) -> pl.Series:
        """Whether times, in epoch milliseconds, are outside the span."""
        return (ms < self.begin) | (ms > self.end)

    def impossible(self, time: pl.Expr = _TIME, arrival: pl.Expr = KNOWN_ARRIVAL) -> pl.Expr:
        """Expression of whether an event is impossible, also by its year.

        Args:
            time: Its time.
            arrival: Its known arrival, or null.
        """
        wrong = ~_in_years(time) & _in_years(arrival).fill_null(value=True)
        if self.judged != "none":
            ms = time.dt.epoch("ms")
            far = (ms < self.begin) | (ms > self.end)
            wrong |= far if self.judged == "far" else ~far
        return wrong.fill_null(value=False)


def bulk_span(ms: pl.Series, latest_arrival: datetime | None, counts: pl.Series | None = None) -> Bulk:
    """Return the span of the bulk of events, by which none is judged yet.

    Args:
        ms: Their times in epoch milliseconds, none null.
        latest_arrival: The latest known arrival.
        counts: Events at each of these times; one by default.
    """
    known = ms.to_numpy()
    # Nearly always: two passes over the times instead of two medians.
    if not len(known) or np.ptp(known) <= _FARTHEST_MS:
        return Bulk()
    median = _median(known, counts)
    bound = _FARTHEST_MS + _SPREADS * _median(np.abs(known - median), counts)
    latest = np.inf if latest_arrival is None else epoch_ms(latest_arrival) + _FARTHEST_MS
    return Bulk(median - bound, min(median + bound, latest))


def judged(span: Bulk, far: NDArray[Any], near: NDArray[Any], n_far_events: int, n_events: int) -> Bulk:
    """Return the span with which of its sides is impossible.

    Args:
        span: The span of the bulk.
        far: Numbers of the devices outside it, each once.
        near: Numbers of those within.
        n_far_events: Events outside.
        n_events: All events.
    """
    n_far, n_near, n = len(far), len(near), len(np.union1d(far, near))
    if n == 1:
        n_far, n_near, n = n_far_events, n_events - n_far_events, n_events
    if n_far <= max(1, min(_FEW, _FEW_SHARE * n), _SMALL_SHARE * n):
        return Bulk(span.begin, span.end, "far")
    return Bulk(span.begin, span.end, "near" if n_near == 1 and n >= _MANY else "none")


def bulk_of(events: pl.DataFrame, arrival: pl.Expr = KNOWN_ARRIVAL) -> Bulk:
    """Return the bulk of events, by which each is judged.

    Args:
        events: Events with ``event_time``.
        arrival: Expression of the known arrival of each, or null.
    """
    first, last = events.select(_TIME.min(), last=_TIME.max()).row(0)
    if first is None or last - first <= FARTHEST:
        return Bulk()
    known = events.filter(_TIME.is_not_null() & ~Bulk().impossible(arrival=arrival))
    ms = known["event_time"].dt.epoch("ms")
    span = bulk_span(ms, known.select(arrival.max()).item())
    far = span.is_far(ms)
    if not far.any():
        return Bulk()
    devices = known.select(DEVICE).to_series()
    outside, inside = (devices.filter(side).unique().to_numpy() for side in (far, ~far))
    return judged(span, outside, inside, int(far.sum()), len(far))


def are_impossible(events: pl.DataFrame, arrival: pl.Expr = KNOWN_ARRIVAL) -> pl.Series:
    """Return whether each event is impossible.

    Args:
        events: Events with ``event_time``, of which a null is not impossible.
        arrival: Expression of the known arrival of each, or null.

    Returns:
        Booleans; shape (events,).

    >>> from analytics.events.enrichment import conform, enrich
    >>> times = [datetime(year, 3, 3, tzinfo=UTC) for year in (1970, 2026, 2026, 2026, 2090)]
    >>> pages = pl.DataFrame({"type": "page", "timestamp": times, "anonymous_id": list("abcde")})
    >>> are_impossible(enrich(conform(pages))).to_list()
    [True, False, False, False, True]
    """
    return events.select(impossible=bulk_of(events, arrival).impossible(arrival=arrival)).to_series()


def without_impossible(events: pl.DataFrame, *, by_year: bool = False) -> tuple[pl.DataFrame, int]:
    """Return the events that are possible, and the number of the others.

    Args:
        events: Events with ``event_time``.
        by_year: Judge them by their years alone, as a part of the events does not show the bulk.
    """
    impossible = events.select(IMPOSSIBLE_YEAR).to_series() if by_year else are_impossible(events)
    n = int(impossible.sum())
    return events.filter(~impossible) if n else events, n


def _in_years(time: pl.Expr) -> pl.Expr:
    first, end = (pl.lit(ms).cast(pl.Datetime("ms", "UTC")) for ms in _YEARS)
    return time.is_between(first, end, closed="left")


def _median(values: NDArray[Any], counts: pl.Series | None) -> float:
    if counts is None:
        return float(np.median(values))
    order = np.argsort(values)
    up_to = np.cumsum(counts.to_numpy()[order])
    return float(values[order][np.searchsorted(up_to, up_to[-1] / 2)])


# Built once: for a small batch, building an expression takes longer than evaluating it.
IMPOSSIBLE_YEAR: Final = Bulk().impossible()
"""Expression of whether an event is impossible whatever the others are."""
