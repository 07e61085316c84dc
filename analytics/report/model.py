"""The intent model: which signals predict a demo request, how certain that is, and the true values where known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.html.numbers import count
from analytics.intent.findings import BUILT_IN, coverage_sentence, significant, term_name
from analytics.intent.own_tables import TableColumn
from analytics.intent.results import IntentResults
from analytics.report.model_checks import Checks, checks_view
from analytics.signals.definitions import Signal, interaction_parts

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Coefficients:
    """Estimates of all terms.

    Args:
        level: Confidence level in percent.
        chart: The forest plot.
        narrow_chart: The same for a phone.
        covered: How many intervals cover the true value; empty where none is known.
        findings: What was found of each signal, by group and size.
        terms: Each coefficient with its errors and tests.
        interactions: What products do to the probability.
        e_values: How strong an unmeasured cause would have to be, by signal, in the order of the findings.
        signals: What each signal means.
    """

    level: str
    chart: Chart
    narrow_chart: Chart
    covered: str
    findings: Rows
    terms: Rows
    interactions: Rows
    e_values: Rows
    signals: Rows


@dataclass(frozen=True)
class Model:
    """The section on the model.

    Args:
        reason: Why there is no model; empty where there is one.
        facts: How it was fitted, to what, and how well, in a paragraph.
        warnings: What to read before using the numbers.
        coefficients: Its estimates; None for a model without terms.
        checks: How good it is; None likewise.
    """

    reason: str
    facts: str = ""
    warnings: tuple[str, ...] = ()
    coefficients: Coefficients | None = None
    checks: Checks | None = None


def model_view(results: IntentResults | None, error: str | None) -> Model:
    """Collect what the report says of the model, or why there is none.

    Args:
        results: The fitted model, if there is one.
        error: Why it could not be fitted.

    Returns:
        The section; with a reason only, with warnings only, or with all parts.
    """
    if results is None:
        # The template ends the sentence.
        return Model((error or "it was not asked for").rstrip("."))
    warnings = (
        *results.warnings,
        *(
            f"Dropped: {term_name(term)} ({reason})"
            for term, reason in results.dropped.items()
            if term not in results.unseen
        ),
        *([f"Not seen in these events: {', '.join(map(term_name, results.unseen))}"] if results.unseen else []),
    )
    # All signals were dropped: nothing is left to draw or to check.
    if results.terms == ("intercept",):
        return Model("", "", warnings)
    facts = (
        f"Logit by {results.method} on {count(results.n_visits)} visits, {count(results.n_requests)} of which ended in "
        f"a demo request; {count(results.n_visitors)} visitors, {count(results.n_accounts)} known companies. Standard "
        f"errors: {results.covariance}. McFadden's R² {results.pseudo_r2:.3f}; in-sample AUC "
        f"{results.auc_in_sample:.3f} (optimistic)."
    )
    return Model("", facts, warnings, _coefficients(results), checks_view(results))


def _coefficients(results: IntentResults) -> Coefficients:
    found = results.findings
    # Charts and tables must use the same names for the same terms.
    effects = ", ".join(term_name(row["signal"]) for row in found.to_dicts() if significant(row))
    title = f"Coefficients with intervals. Significant after adjustment: {effects or 'none'}"
    order = pl.DataFrame({"signal": ["intercept", *found["signal"]]})
    rows = order.join(results.coefficients, on="signal", how="left", maintain_order="left").to_dicts()
    # exp(intercept) is odds, not a ratio of odds
    rows[0] |= {name: None for name in rows[0] if "odds_ratio" in name}
    return Coefficients(
        f"{100 * results.level:g}%",
        chart_of(results.plot(), "coefficients", title),
        chart_of(results.plot(narrow=True), "narrow-coefficients", title),
        coverage_sentence(found, results.level),
        [
            row | {"term": term_name(row["signal"]), "marked": f"{row['mark']} {row['finding']}"}
            for row in found.to_dicts()
        ],
        [row | {"term": term_name(row["signal"])} for row in rows],
        [row | {"effect_of": _effect_of(row["signal"])} for row in results.interaction_effects.to_dicts()],
        [
            row | {"signal": term_name(row["signal"])}
            for row in order.join(results.e_values, on="signal", maintain_order="left").to_dicts()
        ],
        [
            {"name": each.name, "meaning": _meaning(each)}
            for each in results.basis.signals
            if each.name not in results.unseen
        ],
    )


def _meaning(signal: Signal | TableColumn) -> str:
    meaning = f"a visitor who {signal.meaning}" if signal.dtype == pl.Boolean() else signal.meaning
    is_own = not isinstance(signal, TableColumn) and BUILT_IN.get(signal.name, signal) != signal
    return f"{meaning} (own definition)" if is_own else meaning


def _effect_of(product: str) -> str:
    # As in “security page view by region europe”: the effect of the second, by the first.
    return " by ".join(map(term_name, reversed(interaction_parts(product))))
