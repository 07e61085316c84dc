"""Computation of signals: Polars expressions for the steps from events to the visit table.

Five steps, in this order: the signal in a single event (:func:`shown`), accumulated over events (:func:`so_far`), per
stretch of events (:func:`gathered`), at the end of each stretch (:func:`known`), and on the scale of the visit table
(:func:`values`). A *stretch* is a visit, or the events between visits. Events and stretches are sorted by visitor and
time.

Until the last step, columns of signals have a prefix, because users choose the names of their own signals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from analytics.events.tracking_plan import COLUMNS, CallType
from analytics.signals.definitions import EventCount, EverSeen, SeenInOrder, SeenRecently, SessionLength, Signal

_COLUMN_AT: Final = {column.path: column.name for column in COLUMNS}
_MS_PER_MINUTE: Final = 60_000
_MS_PER_HOUR: Final = 3_600_000


def shown(signals: Sequence[Signal]) -> list[pl.Expr]:
    """Return whether each event has each signal, on the enriched events; without signals that need several events.

    Args:
        signals: The signals.
    """
    return [expression for signal in _of_events(signals) for expression in _shown(signal)]


def so_far(signals: Sequence[Signal]) -> list[pl.Expr]:
    """Return signals accumulated to each row: whether the visitor has had it, or its count over all rows so far.

    Args:
        signals: The signals.

    Returns:
        Expressions on the timeline, with ``row`` (row number), ``since`` (row number of the visitor's first event),
        ``event_time`` and ``visit_so_far``.
    """
    return [_so_far(signal).alias(_prefixed(signal)) for signal in _of_events(signals)]


def gathered(signals: Sequence[Signal]) -> list[pl.Expr]:
    """Return each signal at the last event of each stretch, or its count in the stretch.

    Args:
        signals: The signals.

    Returns:
        Expressions on the last rows of all stretches.
    """
    columns = [(signal, pl.col(_prefixed(signal))) for signal in _of_events(signals)]
    return [
        # The very first stretch has no row above; its count is the running count itself.
        column.diff().fill_null(column.first()) if isinstance(signal, EventCount) else column
        for signal, column in columns
    ]


def known(signals: Sequence[Signal]) -> list[pl.Expr]:
    """Return each signal at the end of each stretch.

    Args:
        signals: The signals.

    Returns:
        Expressions on the sorted stretches, with ``row`` (row number), ``first_row`` (that of the visitor's
        first), ``visit``, ``started_at``, ``ended_at`` and ``n_page_views``.
    """
    return [_known(signal).alias(_prefixed(signal)) for signal in signals]


def known_columns(signals: Sequence[Signal]) -> list[str]:
    """Return the names of the columns of :func:`known`.

    Args:
        signals: The signals.
    """
    return [_prefixed(signal) for signal in signals]


def values(signals: Sequence[Signal]) -> list[pl.Expr]:
    """Return the signals on the scale of the visit table.

    Args:
        signals: The signals.
    """
    return [_value(signal, pl.col(_prefixed(signal))).alias(signal.name) for signal in signals]


def _prefixed(signal: Signal) -> str:
    return f"signal: {signal.name}"


_OfEvents = EverSeen | EventCount | SeenInOrder | SeenRecently
"""Signals that can be computed per event."""


def _of_events(signals: Sequence[Signal]) -> list[_OfEvents]:
    countable = [signal for signal in signals if not isinstance(signal, SessionLength)]
    return [signal for signal in countable if not isinstance(signal, EventCount) or signal.of != "visits"]


def _shown(signal: _OfEvents) -> list[pl.Expr]:
    if isinstance(signal, SeenInOrder):
        steps = [_has("category", (step,)) | _has("event", (step,)) for step in signal.steps]
        return [shows.alias(_step(signal, place)) for place, shows in enumerate(steps)]
    # Attributes stand on every call of a visitor; only page calls are views of a page.
    shows = pl.lit(value=True) if signal.column is None else _has(signal.column, signal.values)
    if isinstance(signal, EventCount) and signal.of == "page_views":
        shows &= (pl.col("type") == CallType.PAGE).fill_null(value=False)
    return [shows.alias(_prefixed(signal))]


def _step(signal: SeenInOrder, place: int) -> str:
    return f"{_prefixed(signal)} {place}"


def _so_far(signal: _OfEvents) -> pl.Expr:
    match signal:
        case EverSeen():
            return _ever(_last_row(pl.col(_prefixed(signal))))
        case EventCount():
            # Counts run on over all visitors: the differences between stretches, taken next, do not depend on the
            # start.
            return pl.col(_prefixed(signal)).cum_sum()
        case SeenRecently():
            shows = pl.col(_prefixed(signal))
            when = pl.col("visit_so_far") if signal.hours is None else pl.col("event_time")
            return pl.when(_ever(_last_row(shows))).then(pl.when(shows).then(when).forward_fill())
        case SeenInOrder():
            done = pl.lit(value=True)
            for place in range(len(signal.steps)):
                # A step counts from the next event on: one page does not make two steps.
                reached = _last_row(pl.col(_step(signal, place)) & done)
                done = _ever(reached.shift())
            return _ever(reached)


def _known(signal: Signal) -> pl.Expr:
    match signal:
        case SeenRecently():
            return _is_recent(signal)
        case EventCount(of="visits"):
            return pl.col("visit")
        case EverSeen() | SeenInOrder() | EventCount(within="visit"):
            return pl.col(_prefixed(signal))
        case EventCount():
            return _sum_so_far(pl.col(_prefixed(signal)).cast(pl.Int64))
        case SessionLength(within="visit"):
            return _length()
        case SessionLength():
            return _sum_so_far(_length_added())


def _is_recent(signal: SeenRecently) -> pl.Expr:
    last = pl.col(_prefixed(signal))
    if signal.hours is None:
        return (pl.col("visit") - last < signal.visits).fill_null(value=False)
    # A form after the last page view is less than no time ago.
    return ((pl.col("ended_at") - last).dt.total_milliseconds() <= hours_in_ms(signal)).fill_null(value=False)


def _value(signal: Signal, known_of_it: pl.Expr) -> pl.Expr:
    match signal:
        case EverSeen() | SeenInOrder() | SeenRecently():
            return known_of_it
        case EventCount(at_least=int()):
            return known_of_it >= signal.at_least
        case EventCount():
            count = known_of_it if signal.at_most is None else known_of_it.clip(upper_bound=signal.at_most)
            return count.cast(pl.Float64).log1p() if signal.scale == "log1p" else count
        case SessionLength(longer_than=float() | int() as threshold):
            # In milliseconds, which are whole: the last digit of a quotient depends on the library.
            return known_of_it > threshold * _MS_PER_MINUTE
        case SessionLength():
            # Divided only now: sums of whole milliseconds are exact, in whatever order.
            minutes = known_of_it / _MS_PER_MINUTE
            return minutes.log1p() if signal.scale == "log1p" else minutes


def _has(column: str, values: tuple[str | bool, ...]) -> pl.Expr:
    """Whether the event has one of the values; null counts as no."""
    plain = [str(value) if isinstance(value, str) else value for value in values]
    return _found(column).is_in(plain).fill_null(value=False)


def _found(column: str) -> pl.Expr:
    """A column by name, or a value by its path in the Segment event."""
    path = tuple(column.split("."))
    if len(path) == 1:
        return pl.col(column)
    # Properties outside the tracking plan are kept, nested as sent, in one JSON object.
    elsewhere = pl.col("extra").str.json_path_match("$" + "".join(f"['{key}']" for key in path))
    # Some columns are filled for one call only, such as the category of a page; other calls have the value there.
    return pl.coalesce(pl.col(_COLUMN_AT[path]).cast(pl.String), elsewhere) if path in _COLUMN_AT else elsewhere


def _last_row(shows: pl.Expr) -> pl.Expr:
    """The last row so far, of any visitor, for which this is true."""
    return pl.when(shows).then("row").forward_fill()


def _ever(last_row: pl.Expr) -> pl.Expr:
    """Whether a row is the visitor's own: it must not precede the visitor's first."""
    # A cumulative maximum without a window.
    return (last_row >= pl.col("since")).fill_null(value=False)


def hours_in_ms(signal: SeenRecently) -> int:
    """Time that a signal looks back on, in whole milliseconds: simulator and analytics must round alike."""
    return round((signal.hours or 0.0) * _MS_PER_HOUR)


def _sum_so_far(amount: pl.Expr) -> pl.Expr:
    """Cumulative sum over the visitor's stretches: that over all rows, less the value before the visitor's first."""
    total = amount.cum_sum()
    before = pl.when(pl.col("row") == pl.col("first_row")).then(total - amount).forward_fill()
    return total - before


def _length() -> pl.Expr:
    """Milliseconds from the first to the last page view."""
    return (pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds()


def _length_added() -> pl.Expr:
    """Milliseconds that a stretch adds to its visit; after a request, they count from the last page view before it."""
    continues = (pl.col("visit") == pl.col("visit").shift()) & (pl.col("row") != pl.col("first_row"))
    ended = pl.when(pl.col("n_page_views") > 0).then("ended_at")
    began = pl.coalesce(pl.when(continues).then(ended.shift()), "started_at")
    return (ended - began).dt.total_milliseconds().fill_null(0)
