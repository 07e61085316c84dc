"""What a model has found, in one table: each signal with its estimate, its test, a finding in words and a sentence.

The finding is that of the test after Holm's adjustment, at 5 %. Where the interval beside it, which is not adjusted,
excludes 0 and the adjusted test does not reject, the finding says so. "No effect shown" is no proof of none: that takes
a test of equivalence, by which an effect is too small to matter (D. J. Schuirmann, Journal of Pharmacokinetics and
Biopharmaceutics 15 (1987) 657–680).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

import numpy as np
import polars as pl

from analytics.html.numbers import SIGNIFICANT, times
from analytics.intent.coefficients import unit_of
from analytics.intent.fit_context import FitContext
from analytics.intent.own_tables import TableColumn
from analytics.logit.fit import quantile
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS, Signal, interaction_parts

Signals = Mapping[str, Signal | TableColumn]

BUILT_IN: Final[Signals] = {signal.name: signal for signal in (*SIGNALS, MULTI_PAGE_VISIT)}
"""The built-in signals by name."""

_HEADINGS: Final = {
    "high": "High-intent signals",
    "context": "Context",
    "low": "Low-intent signals",
    "together": "Interactions",
    "other": "Other terms",
}
_LARGEST_EXPONENT: Final = 700.0
"""The exponential of more is no floating-point number."""

NO_RELEVANT_EFFECT: Final = math.log(1.25)
"""Log-odds ratio per unit below which an effect is called too small to matter: odds between 0.8 and 1.25 times."""

_MARKS: Final = {
    "raises the odds": "●",
    "lowers the odds": "●",
    "only before adjustment": "○",
    "no relevant effect": "=",
    "no effect shown": "·",
    "not testable": "–",
}

FINDING_MARKS: Final = (
    "● significant after adjustment (Holm, 5%)   ○ interval excludes 0, not after adjustment   "
    "= too small to matter (odds within 0.8 to 1.25)   · no effect shown"
)
"""Key to the marks, in one line."""

FINDING_SCHEMA: Final = pl.Schema(
    {
        "group": pl.String(),
        "signal": pl.String(),
        "coefficient": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "odds_ratio": pl.Float64(),
        "p_value": pl.Float64(),
        "p_adjusted": pl.Float64(),
        "mark": pl.String(),
        "finding": pl.String(),
        "true_coefficient": pl.Float64(),
        "against_truth": pl.String(),
        "sentence": pl.String(),
    }
)
"""Columns of the table of findings, one row per signal and product, by group and falling effect per unit.

``finding`` is one of "raises the odds" and "lowers the odds" (significant after Holm's adjustment, ●), "only before
adjustment" (the interval excludes 0, the adjusted test does not reject, ○), "no relevant effect" (shown to be smaller
than :data:`NO_RELEVANT_EFFECT` per unit, of a number in one's own table per standard deviation, =), "no effect shown"
(·), or "not testable" (too few accounts, –).
``against_truth`` says of the interval "covered" or "missed" or, where the true coefficient is 0 and the finding an
effect, "false positive"; null where the truth is not known.
"""


def findings_of(coefficients: pl.DataFrame, basis: FitContext) -> pl.DataFrame:
    """Return what a model has found; columns of :data:`FINDING_SCHEMA`.

    Args:
        coefficients: As of ``IntentResults.coefficients``.
        basis: The fit.
    """
    signals = known_signals(basis)
    rows = []
    of_signals = coefficients.filter(~pl.col("signal").is_in(basis.baseline_terms))
    for group, table in coefficient_groups(of_signals, signals).items():
        units = {term: unit_of(term, signals).size for term in table["signal"]}
        for row in sorted(table.to_dicts(), key=lambda row: -row["coefficient"] * units[row["signal"]]):
            finding = _finding(row, basis, _margin_unit(row["signal"], basis, units[row["signal"]]))
            words = {"mark": _MARKS[finding], "finding": finding, "against_truth": _against_truth(row, finding)}
            rows.append({**row, **words, "group": group, "sentence": _sentence(row, basis, signals)})
    return pl.DataFrame(rows, schema=FINDING_SCHEMA) if rows else pl.DataFrame(schema=FINDING_SCHEMA)


def _finding(row: Mapping[str, Any], basis: FitContext, unit: float) -> str:
    if row["p_adjusted"] is None:
        return "not testable"
    if significant(row):
        return "raises the odds" if row["coefficient"] > 0 else "lowers the odds"
    if row["ci_low"] > 0 or row["ci_high"] < 0:
        return "only before adjustment"
    return "no relevant effect" if _is_equivalent(row, basis, unit) else "no effect shown"


def _margin_unit(term: str, basis: FitContext, unit: float) -> float:
    """Change of a signal of which the margin of equivalence is.

    Of a number in a table of the user's own it is a standard deviation: whether dollars or cents, "one more" of it may
    be too small to matter where the signal is not.
    """
    own = {signal.name for signal in basis.signals if isinstance(signal, TableColumn) and signal.dtype != pl.Boolean()}
    if own.isdisjoint(interaction_parts(term)):
        return unit
    place, n = basis.design.terms.index(term), basis.design.n_visits
    values = basis.design.matrix.column(place)
    return float(np.sqrt(np.cov(values, fweights=n.astype(np.int64))))


def _is_equivalent(row: Mapping[str, Any], basis: FitContext, unit: float) -> bool:
    """Two one-sided tests: whether the interval of level 1 − 2 · 5 % lies within the margin; none of a profile."""
    place = basis.design.terms.index(row["signal"])
    if basis.estimate.profiled[place]:
        return False
    half = quantile(1 - 2 * SIGNIFICANT, basis.estimate.fit.degrees_of_freedom[place]) * row["standard_error"]
    return bool(unit * (abs(row["coefficient"]) + half) < NO_RELEVANT_EFFECT)


def _against_truth(row: Mapping[str, Any], finding: str) -> str | None:
    if row["ci_covers_truth"] is None:
        return None
    if row["ci_covers_truth"]:
        return "covered"
    return "false positive" if row["true_coefficient"] == 0 and finding.endswith("the odds") else "missed"


def coverage_sentence(table: pl.DataFrame, level: float) -> str:
    """Say how many intervals cover the truth, and how probable so many misses are; empty where no truth is known.

    Args:
        table: Findings.
        level: Confidence level of the intervals, between 0 and 1.

    >>> table = pl.DataFrame({"against_truth": ["covered"] * 14 + ["missed"] * 4})
    >>> print(coverage_sentence(table, 0.95))
    14 of 18 intervals cover the true value: improbable by chance alone (1.1% of models); look for a cause
    >>> print(coverage_sentence(table.tail(15), 0.95))
    11 of 15 intervals cover the true value: improbable by chance alone (0.5% of models); look for a cause
    >>> print(coverage_sentence(table.head(15), 0.95))
    14 of 15 intervals cover the true value, as many as by chance
    """
    known = table["against_truth"].drop_nulls()
    n, n_missed = len(known), int((known != "covered").sum())
    if not n:
        return ""
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    said = f"{n - n_missed} of {n} intervals cover the true value"
    # As if intervals were independent, which those of one model nearly are.
    chance = float(binom.sf(n_missed - 1, n, 1 - level))
    if chance <= SIGNIFICANT + 1e-9:
        return f"{said}: improbable by chance alone ({100 * chance:.1f}% of models); look for a cause"
    return f"{said}, as many as by chance" if n_missed else said


def term_name(term: str) -> str:
    """Name a term for a reader.

    Args:
        term: Name of a signal, or of a product of signals.

    >>> term_name("region_europe:security_page_view")
    'region europe × security page view'
    """
    return " × ".join(part.replace("_", " ") for part in interaction_parts(term))


def known_signals(basis: FitContext) -> Signals:
    """Signals whose meaning is known, by name: the built-in ones and those of the model.

    Args:
        basis: The fit.
    """
    return {**BUILT_IN, **{signal.name: signal for signal in basis.signals}}


def coefficient_groups(coefficients: pl.DataFrame, signals: Signals = BUILT_IN) -> dict[str, pl.DataFrame]:
    """Sort the coefficients without the intercept under headings: by intent, then interactions.

    Args:
        coefficients: As of ``IntentResults.coefficients``.
        signals: Signals by name, with the effect that is expected of each.

    Returns:
        Rows of the coefficients by heading; headings without any row are left out.

    >>> table = pl.DataFrame({"signal": ["intercept", "careers_page_view", "pricing_page_view"]})
    >>> [(heading, rows["signal"].to_list()) for heading, rows in coefficient_groups(table).items()]
    [('High-intent signals', ['pricing_page_view']), ('Low-intent signals', ['careers_page_view'])]
    """
    groups = [_group(term, signals) for term in coefficients["signal"]]
    grouped = coefficients.with_columns(group=pl.Series(groups, dtype=pl.String))
    tables = {heading: grouped.filter(group=key).drop("group") for key, heading in _HEADINGS.items()}
    return {heading: table for heading, table in tables.items() if table.height}


def _group(term: str, signals: Signals) -> str | None:
    # Its exponential is odds, not a factor, so no sentence about a signal fits it.
    if term == "intercept":
        return None
    if ":" in term:
        return "together"
    return signals[term].expectation if term in signals else "other"


def significant(row: Mapping[str, Any]) -> bool:
    """Whether a coefficient is significant at 5% after Holm's adjustment.

    Args:
        row: A row with ``p_adjusted``, null where there is no test.

    >>> significant({"p_adjusted": 0.04}), significant({"p_adjusted": None})
    (True, False)
    """
    return row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT


def _sentence(row: Mapping[str, Any], basis: FitContext, signals: Signals) -> str:
    """What a coefficient means for the odds of a demo request, with its interval."""
    term = row["signal"]
    if ":" in term:
        return _interaction(row, basis, signals)
    signal = signals.get(term)
    others = _except(term, basis.design.terms, signals)
    # Only the meaning of a yes-or-no signal continues “a visitor who …”.
    if _is_yes_or_no(signal):
        return f"A visitor who {signal.meaning} has {_factor(row)} times the odds of a demo request{others}."
    unit = unit_of(term, signals)
    factor = _factor(row, unit.size)
    return f"With “{term_name(term)}” {unit.meaning}, a visitor has {factor} times the odds of a demo request{others}."


def _factor(row: Mapping[str, Any], size: float = 1.0) -> str:
    if row["ci_low"] is None:
        return f"{_exp(size * row['coefficient']):.2f}"
    return times(*(_exp(size * row[key]) for key in ("coefficient", "ci_low", "ci_high")))


def _exp(log_odds: float) -> float:
    # The interval of a separated term may end far away.
    return math.exp(min(log_odds, _LARGEST_EXPONENT))


def _except(term: str, terms: Sequence[str], signals: Signals) -> str:
    """Where the signal is also part of an interaction, its own coefficient is about the others only."""
    products = [interaction_parts(other) for other in terms if ":" in other]
    partners = [part for parts in products if term in parts for part in parts if part != term]
    meanings = [signals[part].meaning for part in partners if _is_yes_or_no(signals.get(part))]
    return f", unless the visitor {' or '.join(meanings)}" if meanings else ""


def _is_yes_or_no(signal: Signal | TableColumn | None) -> TypeGuard[Signal | TableColumn]:
    return signal is not None and signal.dtype == pl.Boolean()


def _interaction(row: Mapping[str, Any], basis: FitContext, known: Signals) -> str:
    parts = interaction_parts(row["signal"])
    signals = [signal for part in parts if _is_yes_or_no(signal := known.get(part))]
    # Of a product with a quantity in it, a sentence could say no more than the factor.
    if len(parts) != 2 or len(signals) < len(parts):  # noqa: PLR2004 - a pair
        return f"{term_name(row['signal'])} multiplies the odds of a demo request by a further {_factor(row)}."
    first, second = signals
    both = f"{first.meaning} and {second.meaning}"
    extra = f"Interaction: if a visitor {both}, the odds are multiplied by a further {_factor(row)}"
    total = _joint(second.name, row, basis)
    if total is None:
        return f"{extra}."
    return f"{extra}. So if the visitor {first.meaning}, the second signal multiplies the odds by {total} in total."


def _joint(term: str, product: Mapping[str, Any], basis: FitContext) -> str | None:
    """Effect of a signal where its partner holds: the sum of its own coefficient and the interaction's."""
    terms, fit = basis.design.terms, basis.estimate.fit
    if term not in terms:
        return None
    both = np.zeros((1, len(terms)))
    both[0, [terms.index(term), terms.index(product["signal"])]] = 1
    total = float((both @ fit.coefficients)[0])
    half = float(fit.half_widths(both, basis.level)[0])
    if math.isnan(half):
        return f"{_exp(total):.2f}"
    return times(*map(_exp, (total, total - half, total + half)))
