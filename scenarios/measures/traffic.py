"""Measures of traffic as analysts see it: counts and conversion by segment, hour, day and funnel stage.

They are read off the analysis of the received events, so bots, lost events and split identities are in them as in any
analysis. Segments, series and windows are checked against the scenario before any run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from statistics import fmean, median
from typing import Any, Final

import polars as pl

from analytics.events.dimensions import DIMENSIONS, NOT_SET
from analytics.events.geography import REGIONS
from analytics.events.tracking_plan import FunnelStage
from analytics.signals.arms import arm_dimension
from scenarios.errors import UndefinedMeasureError
from scenarios.measures.definition import (
    Arguments,
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    require_known,
    require_value,
)
from scenarios.measures.expressions import ExpressionError, Reference
from simulator.settings.experiments import arm_effects
from simulator.settings.sales import WEEKDAYS
from simulator.settings.traffic import DEFAULT_CHANNELS, TrafficSettings

# As many as the statistics of an analysis can be divided by.
_MOST_DIMENSIONS: Final = 2

_COUNTS: Final = {
    "visitors": "visitors with a page view",
    "visits": "visits with a page view",
    "page_views": "page views",
    "demo_requests": "demo requests, including those of visitors without a page view",
    "converted": "visitors with a page view who requested a demo",
}
"""Counts of a segment, which are 0 where it has no visitors."""

_RATES: Final = {
    "conversion": "share of visitors who requested a demo",
    "conversion_low": "lower end of the conversion's 95 % interval",
    "conversion_high": "upper end of the conversion's 95 % interval",
}
"""Rates of a segment, which do not exist where it has no visitors."""

_AGGREGATES: Final[Mapping[str, Callable[[list[int]], float]]] = {
    "sum": sum,
    "mean": fmean,
    "median": median,
    "min": min,
    "max": max,
}
_HOURLY: Final = ("page_views", "visitors", "visits", "demo_requests")
# Hourly visitors do not sum: a visitor counts in each hour of a day with a page view.
_DAILY: Final = ("page_views", "visits", "demo_requests")
_FUNNEL: Final = {
    "stage_visitors": ("visitors", "visitors who reach a stage of the funnel or a later one"),
    "stage_share": ("share", "their share of all visitors"),
    "step_rate": ("step_rate", "their share of those who reach the stage before"),
}
# The funnel ends with the request, which is no stage of a page.
_STAGES: Final = (*map(str, FunnelStage), "demo request")
# The analytics derive channels by rules, in which they are not listed.
_CHANNELS: Final = (
    *("direct", "organic_search", "paid_search", "organic_social", "paid_social", "display", "email", "referral"),
    "other",
)


def _own_channels(traffic: TrafficSettings | None) -> list[str]:
    return [name for name in (traffic.channels if traffic else ()) if name not in {*DEFAULT_CHANNELS, *_CHANNELS}]


# Section of the scenario, and function, for the values of a dimension; no section if values are fixed.
_VALUES: Final[Mapping[str, tuple[str, Callable[[Any], list[str]]]]] = {
    "region": ("", lambda _: list(REGIONS)),
    "channel": ("traffic", lambda traffic: [*_CHANNELS, *_own_channels(traffic)]),
    "stage": ("", lambda _: [str(stage) for stage in FunnelStage]),
    "country": ("population", lambda population: list(population.countries)),
    "device": ("population", lambda population: list(population.devices)),
    "page_group": ("site", lambda site: sorted({page.category for page in site.pages.values()})),
    "page": ("site", lambda site: sorted(page.path for page in site.pages.values())),
    "arm": ("experiments", lambda experiments: list(arm_effects(experiments))),
}


def _segment_measure(name: str, meaning: str) -> MeasureDefinition:
    """Return a count or rate of the visitors of a segment, or of all.

    Args:
        name: Name of the measure, and of the column of the statistics.
        meaning: Description of the number.
    """

    def check(reference: Reference, parts: Parts) -> None:
        _check_segment(arguments_of(reference, optional=DIMENSIONS), parts)

    def read(reference: Reference, run: RunView) -> float:
        segment = arguments_of(reference, optional=DIMENSIONS)
        rows = _rows_of(run.analysis.segments, segment)
        if rows.height:
            return require_value(rows[name][0], f"{reference.text}: no visitors there")
        # A segment without visitors has no row: its counts are 0, its rates undefined.
        if name in _COUNTS:
            return 0.0
        raise UndefinedMeasureError(f"{reference.text}: no visitors there")

    return MeasureDefinition(name, meaning, check, read, f'{name}(), {name}(region="europe", page_group="security")')


def _check_segment(segment: Arguments, parts: Parts) -> None:
    """Refuse more than two dimensions, and values that no event of the scenario can have.

    Args:
        segment: Values by dimension.
        parts: Settings of the scenario by name.

    Raises:
        ExpressionError: The segment is one of these.
    """
    if len(segment) > _MOST_DIMENSIONS:
        raise ExpressionError(f"at most {_MOST_DIMENSIONS} dimensions can be combined (got {', '.join(segment)})")
    for name, value in segment.items():
        if not isinstance(value, str):
            raise ExpressionError(f"{name} must be a string in quotes (got {value:g})")
        known = _values_of(name, parts)
        # Values that depend on the run, such as accounts, cannot be checked before it.
        if known is not None:
            # Events without the value are a segment too; of an experiment one can only ask for its arms.
            require_known(name, value, known if name == "arm" else [*known, NOT_SET])


def _values_of(dimension: str, parts: Parts) -> list[str] | None:
    """Return the possible values of a dimension in a scenario; None if they depend on the run.

    Args:
        dimension: Name of the dimension.
        parts: Settings of the scenario by name.

    >>> _values_of("stage", {})
    ['top', 'middle', 'bottom']
    >>> _values_of("account", {}) is None
    True
    """
    part, values = _VALUES.get(dimension, ("", None))
    # Channels are known without a scenario too, but for those of its own.
    if values is None or part not in {"", "traffic", *parts}:
        return None
    mapped = parts["analytics"].pages.values() if dimension == "page_group" and "analytics" in parts else ()
    return [*values(parts.get(part)), *(page.category for page in mapped if page.category)]


def _rows_of(table: Callable[..., pl.DataFrame], segment: Arguments) -> pl.DataFrame:
    """Rows for a segment of the table that its dimensions lead to.

    Args:
        table: Returns statistics by the dimensions that it is called with.
        segment: Values by name of their dimension; that of ``arm`` is ``EXPERIMENT=ARM``.
    """
    dimensions, wanted = [], []
    for name, given in segment.items():
        experiment, _, arm = str(given).partition("=")
        # The arms of each experiment are a dimension of their own.
        dimensions.append(replace(arm_dimension(experiment), name=name) if name == "arm" else DIMENSIONS[name])
        wanted.append(pl.col(name) == pl.lit(arm if name == "arm" else given))
    rows = table(*dimensions)
    return rows.filter(wanted) if wanted else rows


def _series_measure(
    name: str, meaning: str, usage: str, known: tuple[str, ...], *, step_hours: int, others: tuple[str, ...] = ()
) -> MeasureDefinition:
    """Return a measure that aggregates a count by hour or by day.

    Args:
        name: Name of the measure.
        meaning: Description of the number.
        usage: Examples of calls.
        known: The counts that can be aggregated.
        step_hours: Hours over which the count is summed before it is aggregated.
        others: Arguments besides the window and the segment.
    """

    def check(reference: Reference, parts: Parts) -> None:
        series, window, segment = _series_call(reference, known, others)
        _check_window(reference, window, parts["clock"].hours // step_hours if "clock" in parts else None)
        # The weekday is no dimension, so it must not be taken for part of the segment.
        if "weekday" in segment:
            require_known("weekday", segment.pop("weekday"), WEEKDAYS)
        _check_segment(segment, parts)
        require_known("aggregate", series["aggregate"], _AGGREGATES)

    def read(reference: Reference, run: RunView) -> float:
        series, window, segment = _series_call(reference, known, others)
        weekday = segment.pop("weekday", None)
        hours = _hourly(run, str(series["series"]), segment)
        # A day that the clock ends in the middle of is no whole day, and does not count.
        n_steps = len(hours) // step_hours
        counts = [
            sum(hours[step * step_hours : (step + 1) * step_hours])
            for step in range(int(window.get("start", 0)), min(int(window.get("end", n_steps)), n_steps))
            if weekday is None or weekday == _weekday(run, step)
        ]
        if not counts:
            raise UndefinedMeasureError(f"{reference.text}: the run has no such hours")
        return float(_AGGREGATES[str(series["aggregate"])](counts))

    return MeasureDefinition(name, meaning, check, read, usage)


def _series_call(
    reference: Reference, known: tuple[str, ...], others: tuple[str, ...]
) -> tuple[Arguments, dict[str, float], Arguments]:
    """Sort the arguments of a call.

    Args:
        reference: The call.
        known: The counts that can be aggregated.
        others: Arguments besides the window and the segment.

    Returns:
        Series and aggregate; the window, as far as it is given; the segment with other arguments.

    Raises:
        ExpressionError: An argument is missing or unknown, or a bound of the window is no whole number.
    """
    found = arguments_of(reference, ("series", "aggregate"), ("start", "end", *others, *DIMENSIONS))
    series = {"series": require_known("series", found.pop("series"), known), "aggregate": found.pop("aggregate")}
    bounds: dict[str, float] = {}
    for name in ("start", "end"):
        bound = found.pop(name, None)
        # All numbers of an expression are floats, also whole ones.
        if isinstance(bound, str) or (bound is not None and (bound < 0 or bound != int(bound))):
            raise ExpressionError(f"{reference.text}: {name} must be a whole number, 0 or above")
        if bound is not None:
            bounds[name] = bound
    return series, bounds, found


def _check_window(reference: Reference, window: dict[str, float], longest: int | None) -> None:
    """Refuse a window that is empty, or that no run of the scenario can fill.

    Args:
        reference: The call, for the message.
        window: ``start`` and ``end``, counted in the steps of the measure from the start of the clock.
        longest: Steps of the clock; None where the clock is invalid.

    Raises:
        ExpressionError: The window is one of these.
    """
    start, end = window.get("start", 0), window.get("end", longest)
    if end is not None and start >= end:
        raise ExpressionError(f"{reference.text}: end must come after start")
    if longest is not None and end is not None and end > longest:
        raise ExpressionError(f"{reference.text}: the window ends after the simulation ({longest})")


def _hourly(run: RunView, series: str, segment: Arguments) -> list[int]:
    """Return the counts of a segment by UTC hour, from the start of the clock, or of the window of a study.

    Args:
        run: The run.
        series: The count, such as ``page_views``.
        segment: Values by dimension; empty for all visitors.
    """
    rows = _rows_of(run.analysis.hourly, segment)
    # A segment that never occurs has no rows, but its hours exist.
    if rows.is_empty():
        return [0] * run.analysis.hourly().height
    counts: list[int] = rows.sort("hour")[series].to_list()
    return counts


def _weekday(run: RunView, day: int) -> str:
    """Return the name of the weekday on which a day of the run begins.

    Args:
        run: The run.
        day: Number of the day, from 0 at the start of the clock or of the window.
    """
    return WEEKDAYS[(run.window.period(run.scenario.clock)[0] + timedelta(days=day)).weekday()]


def _funnel_measure(name: str, column: str, meaning: str) -> MeasureDefinition:
    """Return a measure of one stage of the funnel, which is its argument.

    Args:
        name: Name of the measure.
        column: Column of the table of the funnel.
        meaning: Description of the number.
    """

    def check(reference: Reference, parts: Parts) -> None:
        own = [step.step for step in parts["analytics"].funnel] if "analytics" in parts else []
        require_known("stage", arguments_of(reference, ("stage",))["stage"], own or _STAGES)

    def read(reference: Reference, run: RunView) -> float:
        stage = arguments_of(reference, ("stage",))["stage"]
        row = run.statistics.funnel().row(by_predicate=pl.col("stage") == str(stage), named=True)
        why = "no visitors at the stage before" if run.statistics.has_stages else "no page has a funnel stage"
        return require_value(row[column], f"{reference.text}: {why}")

    return MeasureDefinition(name, meaning, check, read, f'{name}("bottom")')


SEGMENT_MEASURES: Final = (
    *(_segment_measure(name, meaning) for name, meaning in {**_COUNTS, **_RATES}.items()),
    _series_measure(
        "hourly",
        "a count by UTC hour, aggregated over hours: sum, mean, median, min or max",
        'hourly("page_views", "max"), hourly("demo_requests", "mean", start=9, end=17, region="europe")',
        _HOURLY,
        step_hours=1,
    ),
    _series_measure(
        "daily",
        "a count by whole days of 24 hours from the start, aggregated over days",
        'daily("page_views", "mean", weekday="sunday"), daily("visits", "sum", start=0, end=7)',
        _DAILY,
        step_hours=24,
        others=("weekday",),
    ),
    *(_funnel_measure(name, column, meaning) for name, (column, meaning) in _FUNNEL.items()),
)
"""Measures of traffic as analysts see it."""
