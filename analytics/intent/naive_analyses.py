"""Naive analyses, for comparison with the intent model: one row per visitor instead of one per visit.

With everything that a visitor ever did in the row, behaviour after the request seems to predict it. With only what came
before, visitors who converted early had less time to do anything, and a long visit is averaged away. Both analyses give
coefficients, small standard errors and no warning; only a known truth shows their bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import polars as pl

from analytics.errors import IntentModelError
from analytics.events.clocks import without_impossible
from analytics.events.tracking_plan import EventName
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.logit.clusters import with_keys
from analytics.logit.design import INTERCEPT
from analytics.sessions.identity import stitched
from analytics.sessions.partitions import ChangedParts
from analytics.sessions.timeline import enriched
from analytics.sessions.visits import visit_table_of_parts
from analytics.signals.definitions import IDLE_MINUTES, ConversionUnit, EventCount, SessionLength, Signal

BY_VISIT: Final = "by visit"
BEFORE_REQUEST: Final = "by visitor, before the request"
EVERYTHING: Final = "by visitor, everything"


@dataclass(frozen=True, eq=False)
class NaiveComparison:
    """The same events analysed in three ways.

    Args:
        results: Results by name of the analysis; the first is the intent model's own.
        not_available: Reasons why an analysis failed, by name.
    """

    results: Mapping[str, IntentResults]
    not_available: Mapping[str, str]

    @property
    def table(self) -> pl.DataFrame:
        """Estimates of each analysis beside the truth.

        One row per analysis and term: ``analysis``, ``signal``, ``coefficient``, ``standard_error``,
        ``true_coefficient``, ``bias`` (the difference of the two), ``standardised_error`` (bias in standard errors) and
        ``ci_covers_truth``, the last four null where the truth is not known. It is not known for the intercept by
        visitor, which is another quantity than that by visit.
        """
        tables = [
            results.comparison.select(
                pl.lit(name).alias("analysis"),
                "signal",
                "coefficient",
                results.coefficients["standard_error"],
                "true_coefficient",
                "bias",
                "standardised_error",
                "ci_covers_truth",
            )
            for name, results in self.results.items()
        ]
        return pl.concat(tables) if tables else pl.DataFrame()

    @property
    def verdicts(self) -> pl.DataFrame:
        """Accuracy of each analysis over all terms with a known truth.

        One row per analysis: ``analysis``, ``n_terms`` with a known truth, ``n_covered`` whose intervals contain it,
        ``root_mean_square_error`` in standard errors (about 1 for an unbiased analysis), and of the term with the
        largest error in standard errors ``worst_signal``, ``worst_bias`` and ``worst_standardised_error``.
        """
        known = self.table.drop_nulls("true_coefficient")
        size = pl.col("standardised_error").abs()
        worst = {name: pl.col(name).sort_by(size).last() for name in ("signal", "bias", "standardised_error")}
        return known.group_by("analysis", maintain_order=True).agg(
            n_terms=pl.len(),
            n_covered=pl.col("ci_covers_truth").sum(),
            root_mean_square_error=(size**2).mean().sqrt(),
            **{f"worst_{name}": of_worst for name, of_worst in worst.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return both tables and the reasons, ready for JSON."""
        return {
            "coefficients": self.table.to_dicts(),
            "verdicts": self.verdicts.to_dicts() if self.results else [],
            "not_available": dict(self.not_available),
        }


def compare_analyses(
    events: pl.DataFrame | Iterable[pl.DataFrame],
    model: IntentModel,
    truth: Mapping[str, float] | None = None,
    *,
    observed_until: datetime | None = None,
    conversion_unit: ConversionUnit = "account",
    visits: pl.DataFrame | None = None,
    by_visit: IntentResults | None = None,
    stitch: bool = True,
) -> NaiveComparison:
    """Fit the same terms in three ways: by visit, as the intent model does, and in two ways by visitor.

    Args:
        events: Flat or enriched events; or parts of them, with all events of a person in one part, which can be read
            several times.
        model: The terms to fit.
        truth: True coefficients by term.
        observed_until: When observation stopped; the time of the latest event unless given.
        conversion_unit: Who requests one demo at most; only the analysis by visit uses it.
        visits: The visit table of these events, if it exists already.
        by_visit: Results of the model on it, if it was fitted already.
        stitch: Whether visitors are persons, as of :func:`analytics.sessions.identity.stitch`, or browsers.

    Raises:
        EventFrameError: The table is not a table of events.
    """
    prepare = stitched if stitch else enriched
    # A table is prepared once; parts are as often as they are read, as they may not fit into memory. Impossible clocks
    # are known by all events only, so that they are not in the parts.
    tables = (
        [without_impossible(prepare(events))[0]] if isinstance(events, pl.DataFrame) else ChangedParts(events, prepare)
    )
    # The intercept by visitor is another quantity, whose true value is unknown.
    without_intercept = {term: effect for term, effect in (truth or {}).items() if term != INTERCEPT}

    def fit_by_visit() -> IntentResults:
        # A fit takes longer than all else here, and a report has this one already.
        if by_visit is not None:
            return by_visit
        if visits is not None:
            return model.fit(visits, truth)
        rows = visit_table_of_parts(
            tables, observed_until=observed_until, signals=model.signals, conversion_unit=conversion_unit, stitch=False
        )
        return model.fit(rows, truth)

    def fit_by_visitor(*, everything: bool) -> IntentResults:
        # Part by part: the rows of visitors take less memory than their events, and without names a tenth of it.
        rows = (with_keys(_visitor_rows(table, model.signals, everything=everything)) for table in tables)
        return _of_visitors(model).fit(pl.concat(rows), without_intercept)

    analyses: dict[str, Callable[[], IntentResults]] = {
        BY_VISIT: fit_by_visit,
        BEFORE_REQUEST: partial(fit_by_visitor, everything=False),
        EVERYTHING: partial(fit_by_visitor, everything=True),
    }
    results, not_available = dict[str, IntentResults](), dict[str, str]()
    for name, fit in analyses.items():
        try:
            results[name] = fit()
        except IntentModelError as error:
            not_available[name] = str(error)
    return NaiveComparison(results, not_available)


def _of_visitors(model: IntentModel) -> IntentModel:
    """The same model with a constant baseline: a visitor's row has no number or time of a visit."""
    return IntentModel(
        model.signals, model.interactions, model.level, penalise=model.penalise, estimator=model.estimator
    )


def visitor_table(
    events: pl.DataFrame,
    signals: tuple[Signal, ...],
    *,
    everything: bool,
    idle_minutes: float = IDLE_MINUTES,
    stitch: bool = True,
) -> pl.DataFrame:
    """Aggregate all visits of a visitor into one row, regardless of their order.

    A row has whether the visitor ever requested a demo, the last value of each signal, and for session length the sum
    over visits. Earlier requests of the account and censoring are ignored.

    Args:
        events: Flat or enriched events.
        signals: Signals to compute.
        everything: Include events after the first request; otherwise only those strictly before it.
        idle_minutes: Idle time-out, in minutes, greater than 0.
        stitch: Whether visitors are persons, as of :func:`analytics.sessions.identity.stitch`, or browsers.

    Returns:
        A table with the columns of a visit table that the intent model needs, one row per visitor.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0.
    """
    table = stitched(events) if stitch else enriched(events)
    return _visitor_rows(without_impossible(table)[0], signals, everything=everything, idle_minutes=idle_minutes)


def _visitor_rows(
    table: pl.DataFrame, signals: tuple[Signal, ...], *, everything: bool, idle_minutes: float = IDLE_MINUTES
) -> pl.DataFrame:
    """:func:`visitor_table` of enriched events of some visitors, of which none has an impossible clock."""
    request = (pl.col("event") == EventName.DEMO_REQUESTED).fill_null(value=False)
    # Without requests in the events no visitor leaves the risk set: the table goes to the last event.
    followed = table.filter(~request) if everything else table
    visits = visit_table_of_parts(
        [followed], signals=signals, idle_minutes=idle_minutes, conversion_unit="visitor", stitch=False
    ).filter("at_risk")
    # Servers know the person, and often no browser.
    asked = table.filter(request).select(pl.coalesce("anonymous_id", "user_id").cast(pl.String)).to_series()
    return (
        visits.sort("anonymous_id", "visit")
        .group_by("anonymous_id", maintain_order=True)
        .agg(pl.col("account").last(), *(_over_visits(signal) for signal in signals))
        .with_columns(
            at_risk=pl.lit(value=True),
            censored=pl.lit(value=False),
            requested_demo=pl.col("anonymous_id").is_in(asked.drop_nulls().unique().implode()),
        )
    )


def _over_visits(signal: Signal) -> pl.Expr:
    """Value of a signal over all visits; one with the scope of a visitor is cumulative, so the last value counts."""
    column = pl.col(signal.name)
    if not isinstance(signal, EventCount | SessionLength) or signal.within == "visitor":
        return column.last()
    if signal.dtype == pl.Boolean():
        return column.any()
    # Minutes add up; their logarithms do not.
    return (column.exp() - 1).sum().log1p() if signal.scale == "log1p" else column.sum()
