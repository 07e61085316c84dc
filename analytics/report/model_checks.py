"""Checks of the intent model: predictive quality, clustered errors, forms of session length, and naive analyses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.model import calibration_chart, request_curve_chart, session_length_chart
from analytics.errors import IntentModelError
from analytics.html.numbers import NONE, decimal, p_equals, percent
from analytics.intent.findings import term_name
from analytics.intent.naive_analyses import NaiveComparison
from analytics.intent.results import IntentResults
from analytics.intent.session_length import SessionForm, SessionLengthComparison

LEAST_AT_RISK: Final = 50
"""Visitors at risk below which a curve of the time to a request is not drawn any further."""

# Without a session length there is no curve, and the default form is the one with the band.
_OTHER_FORMS: Final[tuple[SessionForm, ...]] = ("spline", "over 15 minutes")


@dataclass(frozen=True)
class Clustering:
    """How clustering by account changes the standard errors.

    Args:
        least: Smallest ratio of a clustered to a naive standard error.
        most: Largest ratio.
        term: Name of the term with the largest.
        truth_known: Whether true coefficients stand beside the estimates.
    """

    least: float
    most: float
    term: str
    truth_known: bool


@dataclass(frozen=True)
class Checks:
    """How good the model is.

    Args:
        measures: Name, formatted value, and what to compare it with.
        calibration: Predicted against observed shares; None where no fold could be held out.
        clustering: Effect of clustering; None where visits count as independent.
        curves: Share without a request after each visit; None where few visitors came back, or visits have no number.
        curves_by: What the curves are over, ``visit`` or ``day``.
        least_at_risk: Visitors at risk at the last visit or day of the curves, at least.
    """

    measures: list[tuple[str, str, str]]
    calibration: Chart | None
    clustering: Clustering | None
    curves: Chart | None
    curves_by: str
    least_at_risk: int = LEAST_AT_RISK


@dataclass(frozen=True)
class SessionLength:
    """The part on session length.

    Args:
        chart: Its effect in log-odds, in several forms.
        reference_minutes: Length of the visit that effects are compared with, in minutes.
        nonlinearity: P-value of the test for nonlinearity; None where the spline could not be fitted.
        forms: One row per form, as of :attr:`analytics.intent.session_length.SessionLengthComparison.table`.
    """

    chart: Chart
    reference_minutes: float
    nonlinearity: float | None
    forms: list[dict[str, Any]]


@dataclass(frozen=True)
class NaiveAnalyses:
    """The part on naive analyses.

    Args:
        names: Columns of the table: ``true value``, and the analyses.
        coefficients: One row per term: ``term``, and a formatted estimate under each name.
        failures: Reason by name of each analysis that failed.
        verdicts: One row per analysis: how many intervals cover the truth, and the worst term.
    """

    names: tuple[str, ...]
    coefficients: list[dict[str, str]]
    failures: Mapping[str, str]
    verdicts: list[dict[str, Any]]


def checks_view(results: IntentResults) -> Checks:
    """Collect how good a model is.

    Args:
        results: A fitted model with a term besides the intercept.

    Returns:
        Measures, each with a reference, since none of them says anything by itself.
    """
    # The intercept has no inflation factor.
    # The terms of a spline determine each other nearly by themselves, which harms no signal.
    inflation = results.diagnostics.drop_nulls("vif").sort("vif", descending=True)
    others = inflation.filter(~pl.col("signal").is_in(results.basis.baseline_terms))
    worst = (inflation if others.is_empty() else others).row(0, named=True)
    collinear = f"of {term_name(worst['signal'])}; above 10, its effect is hardly separable from those of other terms"
    measures = [
        *_out_of_fold(results),
        ("Tjur's R², in-sample", decimal(results.tjur_r2, 3), "1: perfect prediction"),
        ("events per variable", decimal(results.events_per_variable, 1), "rule of thumb: at least 10"),
        ("largest variance inflation factor", decimal(worst["vif"], 1), collinear),
        _joint_test(results, results.terms[1:], "all {} terms"),
    ]
    if results.basis.baseline_terms:
        measures.append(_joint_test(results, results.basis.baseline_terms, "the {} of the baseline"))
    curves_by = "day" if results.basis.baseline.kind == "time" else "visit"
    return Checks(measures, _calibration(results), clustering_view(results), _curves(results), curves_by)


def _out_of_fold(results: IntentResults) -> Iterator[tuple[str, str, str]]:
    try:
        quality = results.out_of_fold
    except IntentModelError as error:
        # Too few accounts for five folds are common; the reason stands where the numbers would.
        yield "out-of-fold quality", NONE, str(error)
        return
    base_rate = f"{quality.brier_of_base_rate:.4f} with the base rate for every visit"
    yield "AUC, out-of-fold", decimal(quality.auc, 3), f"{results.auc_in_sample:.3f} in-sample (optimistic)"
    yield "Brier score, out-of-fold", decimal(quality.brier, 4), base_rate
    yield "calibration slope", decimal(quality.calibration_slope), "1; lower: predictions are too extreme"
    yield "calibration intercept", decimal(quality.calibration_intercept), "0; higher: predictions are too low"


def _joint_test(results: IntentResults, terms: Sequence[str], what: str) -> tuple[str, str, str]:
    name = f"joint test of {what.format(len(terms))}"
    try:
        tested = results.joint_test(terms)
    except IntentModelError as error:
        return (name, NONE, str(error))
    below = tested.denominator_degrees_of_freedom
    kind = "χ²" if below is None else f"F({tested.degrees_of_freedom}, {below:.0f})"
    return f"{name}, {kind}", decimal(tested.statistic, 1), p_equals(tested.p_value)


def _calibration(results: IntentResults) -> Chart | None:
    try:
        found = results.out_of_fold.calibration
    except IntentModelError:
        return None
    # For readers who cannot see the drawing, all that it shows.
    shares = [f"{percent(row['predicted'])} predicted, {percent(row['share'])} observed" for row in found.to_dicts()]
    return chart_of(calibration_chart(found), "calibration", f"Calibration: {'; '.join(shares)}")


def _curves(results: IntentResults) -> Chart | None:
    try:
        # Where few are left and none of them asks, Greenwood's interval does not grow: it would look certain.
        curves = results.request_curves.filter(pl.col("n_at_risk") >= LEAST_AT_RISK)
    except IntentModelError:
        return None
    # A single visit of each visitor makes no curve.
    if curves.height < 2:  # noqa: PLR2004
        return None
    of = curves.columns[0]
    shares = [
        f"after {of} {row[of]} {percent(row['observed'])} observed, {percent(row['fitted'])} by the model"
        for row in curves.to_dicts()
    ]
    return chart_of(request_curve_chart(curves), "curves", f"Visitors without a request: {'; '.join(shares)}")


def clustering_view(results: IntentResults) -> Clustering | None:
    """Compare clustered with naive standard errors.

    Args:
        results: A fitted model.

    Returns:
        The extremes of their ratio over the terms; None where visits count as independent, or no error is known.
    """
    if results.basis.clusters is None:
        return None
    errors = dict(zip(results.terms, results.coefficients["standard_error"], strict=True))
    # The ratio of two errors of one fit: what clustering alone changes.
    ratios = {
        term: errors[term] / naive
        for term, naive in results.nonrobust_standard_error.items()
        if errors[term] is not None
    }
    if not ratios:
        return None
    term, most = max(ratios.items(), key=lambda item: item[1])
    known = bool(results.coefficients["true_coefficient"].is_not_null().any())
    return Clustering(min(ratios.values()), most, term_name(term), known)


def session_view(comparison: SessionLengthComparison) -> SessionLength:
    """Collect the forms of session length, and draw those that could be fitted.

    Args:
        comparison: The model with session length in several forms.
    """
    # A form that could not be fitted has no curve; the table has the reason.
    fitted = comparison.table.filter(pl.col("not_available").is_null())["form"].to_list()
    others: Mapping[str, pl.DataFrame] = {form: comparison.curve(form) for form in _OTHER_FORMS if form in fitted}
    title = "Log-odds of a demo request by session length"
    chart = chart_of(session_length_chart(comparison.curve(), others), "session-length", title)
    return SessionLength(chart, comparison.reference, comparison.nonlinearity, comparison.table.to_dicts())


def naive_view(compared: NaiveComparison) -> NaiveAnalyses:
    """Collect the coefficients of each analysis, one row per term, with their errors in standard errors.

    Args:
        compared: The model beside the naive analyses.
    """
    known = bool(compared.results) and bool(compared.table["true_coefficient"].is_not_null().any())
    same = _repeated(compared)
    # A column of dashes would suggest that a truth was looked for.
    names = (*(("true value",) if known else ()), *(name for name in compared.results if name not in same))
    rows: dict[str, dict[str, str]] = {}
    for row in compared.table.filter(~pl.col("analysis").is_in(list(same))).to_dicts():
        off = "" if row["standardised_error"] is None else f" ({decimal(row['standardised_error'], 1, sign=True)} SE)"
        cells = rows.setdefault(row["signal"], {"term": term_name(row["signal"]), **dict.fromkeys(names, NONE)})
        cells[row["analysis"]] = f"{decimal(row['coefficient'], sign=True)}{off}"
        if row["true_coefficient"] is not None:  # analyses by visitor have no true intercept
            cells["true value"] = decimal(row["true_coefficient"], sign=True)
    verdicts = compared.verdicts.to_dicts() if known else []
    verdicts = [row | {"worst_term": term_name(row["worst_signal"])} for row in verdicts if row["analysis"] not in same]
    return NaiveAnalyses(names, list(rows.values()), {**compared.not_available, **same}, verdicts)


def _repeated(compared: NaiveComparison) -> dict[str, str]:
    """Analyses with the same coefficients as one before them, and why."""
    found: dict[str, str] = {}
    earlier: dict[tuple[float, ...], str] = {}
    for name, results in compared.results.items():
        first = earlier.setdefault(tuple(results.coefficients["coefficient"]), name)
        if first != name:
            found[name] = f"the same as {first}: nobody was seen to do anything after a request that would matter"
    return found
