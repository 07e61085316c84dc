"""Impossible clocks: events whose times are so far from all others that a wrong clock must have set them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

FARTHEST: Final = timedelta(days=366)
"""An event at most this far from the median time is never impossible."""

_SPREADS: Final = 20
_FEW: Final = 10
_SMALL_SHARE: Final = 0.01


def are_impossible(times: pl.Series, counts: pl.Series | None = None) -> pl.Series:
    """Return whether each event time is impossible, judged by the bulk of the others.

    A device whose clock says 1970 must not make a table of half a million hours, whatever ``sentAt`` says. A time is
    impossible if it is more than :data:`FARTHEST` plus 20 times the median absolute deviation from the median time. Of
    uniform traffic all is within two deviations, of traffic that grows exponentially within about 20. Where more than
    10 events and more than 1 % of them are that far, they are no accident but history, and none is impossible.

    Args:
        times: Event times; a null is not impossible.
        counts: Events at each of these times, none of which is then null; one by default.

    Returns:
        Booleans; shape (events,).

    >>> from datetime import UTC, datetime
    >>> times = [datetime(year, 3, 3, tzinfo=UTC) for year in (1970, 2026, 2026, 2026, 2090)]
    >>> are_impossible(pl.Series(times)).to_list()
    [True, False, False, False, True]
    """
    ms = times.dt.epoch("ms")
    known, farthest = ms.drop_nulls().to_numpy(), FARTHEST // timedelta(milliseconds=1)
    # Nearly always: two passes over the times instead of two medians.
    if not len(known) or np.ptp(known) <= farthest:
        return pl.repeat(value=False, n=len(ms), eager=True)
    median = _median(known, counts)
    bound = farthest + _SPREADS * _median(np.abs(known - median), counts)
    impossible = ((ms - median).abs() > bound).fill_null(value=False)
    n_of = pl.repeat(1, len(ms), eager=True) if counts is None else counts
    n, n_all = int(n_of.filter(impossible).sum()), int(n_of.sum())
    return impossible & (n <= max(_FEW, _SMALL_SHARE * n_all))


def _median(values: NDArray[Any], counts: pl.Series | None) -> float:
    if counts is None:
        return float(np.median(values))
    order = np.argsort(values)
    up_to = np.cumsum(counts.to_numpy()[order])
    return float(values[order][np.searchsorted(up_to, up_to[-1] / 2)])
