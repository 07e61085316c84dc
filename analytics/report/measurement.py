"""True, seen, estimated: what tracking has lost, and what several estimators make of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.events.dimensions import dimensions_of
from analytics.html.numbers import NONE, count, estimate, p_equals, percent
from analytics.intent.estimators import ESTIMATE_SCHEMA
from analytics.intent.findings import term_name
from analytics.intent.random_intercept import RandomIntercept
from analytics.logit.design import INTERCEPT
from analytics.report.trust import suspects_matter
from analytics.settings import EstimatorName
from analytics.statistics.measurement_loss import (
    Estimated,
    captured_twice,
    expected_unseen,
    probability_seen,
    rate_of_all,
    weighted_rate,
    weighted_total,
)

Method = str | None
"""How a quantity was estimated: ``weights``, ``capture-recapture``, ``without bots``, or not at all."""

MEASURED_SCHEMA: Final = pl.Schema(
    {
        "quantity": pl.String(),
        "true": pl.Float64(),
        "seen": pl.Float64(),
        "method": pl.String(),
        "estimated": pl.Float64(),
        "estimated_low": pl.Float64(),
        "estimated_high": pl.Float64(),
        "bound_low": pl.Float64(),
        "bound_high": pl.Float64(),
    }
)
"""Columns of what was measured, one row per quantity and method.

``quantity``: ``visitors``, ``visits``, ``page_views``, ``demo_requests`` or ``conversion``. ``true``: what happened, of
a simulation; null elsewhere. ``seen``: what the accepted events show. ``method``: ``weights`` (known loss rates),
``capture-recapture`` (requests without a visit), ``without bots`` (as seen, less visitors at the pace of bots) or null;
see :mod:`analytics.statistics.measurement_loss`.
``estimated``: what the method makes of it, with its interval where there is one. ``bound_low`` and ``bound_high``: the
estimates if the odds to be seen of who requests a demo are half or twice those of who does not.
"""

_COUNTS: Final = {"visitors": "visitors", "visits": "visits", "page_views": "true_page_views"}
"""Counts that the weights apply to, and their names among the true ones."""

_REQUESTS: Final = "demo_requests"

_MODEL: Final = "model"
_NO_ESTIMATES: Final = pl.DataFrame(schema={"estimator": pl.String(), **ESTIMATE_SCHEMA})


@dataclass(frozen=True, eq=False)
class Measurement:
    """What happened, what was seen, and what is estimated from it.

    Args:
        counts: Counts and conversion; columns as in :data:`MEASURED_SCHEMA`.
        coefficients: Estimates of each estimator, one row per estimator and term: ``estimator``, and the columns of
            :data:`analytics.intent.estimators.ESTIMATE_SCHEMA`. The first is that of the settings, ``model``.
        notes: What to know of an estimator, or why it has no estimates, by its name.
        remarks: What to know of the counts, in sentences without their full stops.
    """

    counts: pl.DataFrame
    coefficients: pl.DataFrame
    notes: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def is_of_interest(self) -> bool:
        """Whether anything was lost, as far as is known, or there are several estimators."""
        lost = self.counts.filter((pl.col("true") != pl.col("seen")) | pl.col("method").is_not_null())
        return not lost.is_empty() or self.has_several_estimators

    @property
    def has_several_estimators(self) -> bool:
        """Whether there are other estimators than the model's, or should be."""
        return self.coefficients["estimator"].n_unique() > 1 or not self.notes.keys() <= {_MODEL}


def measurement(analysis: Analysis, true_counts: Mapping[str, float] | None = None) -> Measurement:
    """Compare what happened with what was seen and with what is estimated from it.

    Args:
        analysis: The analysis; its model is fitted now if it has not been.
        true_counts: What happened, of a simulation: ``visitors``, ``visits``, ``true_page_views``, ``demo_requests``.

    >>> from analytics.events.tracking_plan import EVENT_SCHEMA
    >>> from analytics.settings import AnalyticsSettings
    >>> nothing = Analysis(lambda: pl.DataFrame(schema=EVENT_SCHEMA), AnalyticsSettings())
    >>> measurement(nothing, {"visitors": 3}).counts["quantity", "true", "seen"].row(0)
    ('visitors', 3.0, 0.0)
    """
    return Measurement(
        measured_counts(analysis, true_counts or {}), *_coefficients(analysis), tuple(_remarks(analysis))
    )


def measured_counts(analysis: Analysis, true_counts: Mapping[str, float]) -> pl.DataFrame:
    """Return what happened, what was seen and what is estimated from it, without a model.

    Args:
        analysis: The analysis.
        true_counts: What happened, as far as it is known.

    Returns:
        Columns as in :data:`MEASURED_SCHEMA`.
    """
    return pl.DataFrame(list(_counts(analysis, true_counts)), schema=MEASURED_SCHEMA, orient="row")


def _counts(analysis: Analysis, true: Mapping[str, float]) -> Iterator[tuple[Any, ...]]:
    seen, estimates = analysis.segments().row(0, named=True), _estimates(analysis)
    truth: dict[str, float | None] = {name: true.get(theirs) for name, theirs in _COUNTS.items()}
    truth[_REQUESTS] = true.get(_REQUESTS)
    if true.get("visitors") and _REQUESTS in true:
        truth["conversion"] = true[_REQUESTS] / true["visitors"]
    for quantity in (*_COUNTS, _REQUESTS, "conversion"):
        for method, value in estimates.get(quantity, {None: ()}).items():
            yield quantity, truth.get(quantity), seen[quantity], method, *value, *[None] * (5 - len(value))


def people_of(analysis: Analysis) -> Analysis:
    """The analysis without visitors at the pace of bots, where they matter; a few are not worth a second one.

    Bots are no visitors of whom some were lost: with weights each would count for several.

    Args:
        analysis: The analysis.
    """
    return analysis.without_suspected_bots if suspects_matter(analysis) else analysis


def _estimates(analysis: Analysis) -> dict[str, dict[Method, tuple[float | None, ...]]]:
    """Estimate, interval and bounds of each quantity by each method that can be used."""
    people, level = people_of(analysis), analysis.statistics.level
    rates, seen = analysis.settings.loss_rates or {}, people.segments().row(0, named=True)
    n_unseen = people.n_unseen_requesters
    n_requesters = seen["converted"] + n_unseen
    found: dict[str, dict[Method, tuple[float | None, ...]]] = {}
    if rates and seen["visitors"]:
        classes = people.segments(*dimensions_of(list(rates))).with_columns(probability_seen(rates))
        totals = {name: weighted_total(classes, name, level) for name in _COUNTS}
        # Visits are lost by the visitor, for which the interval of a count does not allow.
        found |= {name: {"weights": (total.value,)} for name, total in totals.items()}
        found["visitors"]["weights"] = _ends(totals["visitors"])
        # Where servers send the requests, all arrive; where browsers do, those of a lost visitor are lost.
        all_arrive = n_unseen > expected_unseen(classes) / 2
        rate = rate_of_all(n_requesters, totals["visitors"], level) if all_arrive else weighted_rate(classes, level)
        found["conversion"] = {"weights": _ends(rate)}
    elif people is not analysis:
        found |= {name: {"without bots": (seen[name],)} for name in (*_COUNTS, _REQUESTS)}
        found["conversion"] = {"without bots": (seen["conversion"], seen["conversion_low"], seen["conversion_high"])}
    if captured := captured_twice(seen["visitors"], seen["converted"], n_unseen, level):
        (visitors, bounds), of = captured, "capture-recapture"
        found.setdefault("visitors", {})[of] = *_ends(visitors), bounds.low, bounds.high
        # Where nothing but chance decides who is seen, the conversion of who was seen is that of all.
        ends = seen["conversion"], seen["conversion_low"], seen["conversion_high"]
        found.setdefault("conversion", {})[of] = *ends, n_requesters / bounds.high, n_requesters / bounds.low
    return found


def _remarks(analysis: Analysis) -> Iterator[str]:
    if people_of(analysis) is not analysis:
        n = analysis.n_suspected_bots
        yield f"{count(n)} of the visitors seen view pages at the pace of bots, and are in no estimate of these counts"
    yield from _unused_rates(analysis)


def _unused_rates(analysis: Analysis) -> Iterator[str]:
    """Yield a sentence for each value with a loss rate that no visitor has: it may be misspelt."""
    for dimension, rates in (analysis.settings.loss_rates or {}).items():
        values = analysis.segments(*dimensions_of([dimension]))[dimension].cast(pl.String).to_list()
        for value in rates:
            if value not in values:
                yield f"no visitor was seen with {dimension} {value!r}, of which a loss rate is given"


def _ends(estimated: Estimated) -> tuple[float, float, float]:
    return estimated.value, estimated.low, estimated.high


def _coefficients(analysis: Analysis) -> tuple[pl.DataFrame, dict[str, str]]:
    settings = analysis.settings
    wanted: dict[str, EstimatorName] = {_MODEL: settings.estimator, **{name: name for name in settings.estimators}}
    if settings.loss_rates:
        wanted["weighted"] = "weighted"
    tables, notes = [_NO_ESTIMATES], {}
    for name, estimator in wanted.items():
        try:
            table = analysis.estimates_by(estimator)
            tables.append(table.select(pl.lit(name).alias("estimator"), pl.all()))
        except AnalyticsError as error:
            notes[name] = str(error)
        else:
            if estimator == "random_intercept":
                notes[name] = _differences_of_accounts(analysis.random_intercept())
            elif estimator == "weighted" and not settings.loss_rates:
                notes[name] = "nothing is known to be lost, so that nothing is weighed"
            elif absent := sorted({*tables[1]["signal"]} - {*table["signal"]}):
                notes[name] = f"has no estimate of {', '.join(map(term_name, absent))}"
    return pl.concat(tables), notes


def _differences_of_accounts(found: RandomIntercept) -> str:
    error = "" if found.standard_error is None else f" (standard error {found.standard_error:.2f})"
    differ = f"accounts differ by a standard deviation of {found.standard_deviation:.2f}{error} in log-odds"
    return "; ".join([f"{differ}, {p_equals(found.p_value)} of no difference", *found.warnings])


def measured_sentences(found: Measurement) -> list[str]:
    """Say in words how many visitors were seen, and how many there are by each method; without full stops.

    Where loss rates are known they have the last word, because requests alone cannot tell who is seen less often.

    >>> row = ("visitors", 200.0, 100.0, "capture-recapture", 210.0, 180.0, 260.0, 150.0, 300.0)
    >>> counts = pl.DataFrame([row], schema=MEASURED_SCHEMA, orient="row")
    >>> for sentence in measured_sentences(Measurement(counts, _NO_ESTIMATES)):
    ...     print(sentence)
    Tracking saw 100 visitors, where there were 200
    Requests without a visit suggest 210 [180, 260] visitors; 150 to 300 if requesters are seen more or less often
    """
    by = {row["method"]: row for row in found.counts.filter(quantity="visitors").iter_rows(named=True)}
    first = next(iter(by.values()))
    sentences = [f"Tracking saw {count(first['seen'])} visitors, where there were {count(first['true'])}"]
    sentences = sentences if first["true"] is not None else []
    if weights := by.get("weights"):
        sentences.append(f"By the known loss rates there were {_with_ends(count, weights, 'estimated')} visitors")
    if captured := by.get("capture-recapture"):
        bounds = f"{count(captured['bound_low'])} to {count(captured['bound_high'])}"
        estimated = _with_ends(count, captured, "estimated")
        sentences.append(
            f"Requests without a visit alone would suggest {estimated}; they mislead where requesters are seen more or "
            "less often than others, and the loss rates do not"
            if weights
            else f"Requests without a visit suggest {estimated} visitors; {bounds} if requesters are seen more or less "
            "often"
        )
    return [*sentences, *(remark[0].upper() + remark[1:] for remark in found.remarks)]


def count_cells(found: Measurement, level: str) -> list[dict[str, str]]:
    """Write the counts for a reader: one row per quantity and method, by the headings of its columns.

    Args:
        found: What was measured.
        level: Confidence level of the intervals, such as ``95%``.
    """
    with_truth = found.counts["true"].is_not_null().any()
    rows = []
    for row in found.counts.iter_rows(named=True):
        write = percent if row["quantity"] == "conversion" else count
        rows.append(
            {
                "quantity": row["quantity"].replace("_", " "),
                **({"true": write(row["true"])} if with_truth else {}),
                "seen": write(row["seen"]),
                f"estimated [{level}]": _with_ends(write, row, "estimated"),
                "by": row["method"] or NONE,
                "bounds": _ends_alone(write, row["bound_low"], row["bound_high"]),
            }
        )
    return rows


def coefficient_cells(found: Measurement, named: Callable[[str], str] = str) -> list[dict[str, str]]:
    """Write the coefficients of all estimators for a reader: one row per term, by the headings of its columns.

    An asterisk marks an interval that does not contain the true value.

    Args:
        found: What was measured.
        named: Writes the name of a term.
    """
    estimates = found.coefficients.filter(pl.col("signal") != INTERCEPT)
    with_truth = estimates["true_coefficient"].is_not_null().any()
    rows: dict[str, dict[str, str]] = {}
    for row in estimates.iter_rows(named=True):
        truth = {"true": estimate(row["true_coefficient"], sign=True)} if with_truth else {}
        cells = rows.setdefault(row["signal"], {"signal": named(row["signal"]), **truth})
        missed = "*" if row["ci_covers_truth"] is False else ""
        ends = ", ".join(estimate(row[name], sign=True) for name in ("ci_low", "ci_high"))
        cells[row["estimator"]] = f"{estimate(row['coefficient'], sign=True)} [{ends}]{missed}"
    names = dict.fromkeys(name for cells in rows.values() for name in cells)
    return [{name: cells.get(name, NONE) for name in names} for cells in rows.values()]


def _with_ends(write: Callable[[float | None], str], row: Mapping[str, Any], name: str) -> str:
    ends = _ends_alone(write, row[f"{name}_low"], row[f"{name}_high"])
    return write(row[name]) if ends == NONE else f"{write(row[name])} {ends}"


def _ends_alone(write: Callable[[float | None], str], low: float | None, high: float | None) -> str:
    return NONE if low is None else f"[{write(low)}, {write(high)}]"
