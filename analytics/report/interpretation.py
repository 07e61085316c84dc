"""Interpretation of the intent model: what each coefficient means for a reader who does not know logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import numpy as np
import polars as pl

from analytics.charts.model import SIGNIFICANT
from analytics.html.numbers import times
from analytics.intent.coefficients import unit_of
from analytics.intent.own_tables import TableColumn
from analytics.intent.results import IntentResults
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


@dataclass(frozen=True)
class Interpretation:
    """One coefficient in plain words.

    Args:
        sentence: What it means for the odds of a demo request, with its interval.
        verdict: Whether it is significant after Holm's adjustment.
        truth: The true factor, and whether the interval covers it; empty where it is not known.
    """

    sentence: str
    verdict: str
    truth: str


def term_name(term: str) -> str:
    """Name a term for a reader.

    Args:
        term: Name of a signal, or of a product of signals.

    >>> term_name("region_europe:security_page_view")
    'region europe × security page view'
    """
    return " × ".join(part.replace("_", " ") for part in interaction_parts(term))


def known_signals(results: IntentResults) -> Signals:
    """Signals whose meaning is known: the built-in ones and those of the model.

    Args:
        results: A fitted model.

    Returns:
        The signals by name.
    """
    return {**BUILT_IN, **{signal.name: signal for signal in results.basis.signals}}


def coefficient_groups(coefficients: pl.DataFrame, signals: Signals = BUILT_IN) -> dict[str, pl.DataFrame]:
    """Sort the coefficients without the intercept under headings: high intent, context, low intent, interactions.

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


def interpret(results: IntentResults) -> list[Interpretation]:
    """Put the coefficients into words.

    Args:
        results: A fitted model.

    Returns:
        One interpretation per term but the intercept, in the order of :func:`coefficient_groups`.
    """
    signals = known_signals(results)
    tables = coefficient_groups(results.coefficients, signals).values()
    return [
        Interpretation(_sentence(row, results, signals), _verdict(row), _truth(row, signals))
        for table in tables
        for row in table.to_dicts()
    ]


def _verdict(row: Mapping[str, Any]) -> str:
    if row["p_adjusted"] is None:
        return "cannot be tested: too few accounts"
    if not significant(row):
        return "not significant"
    return "raises the odds" if row["coefficient"] > 0 else "lowers the odds"


def _truth(row: Mapping[str, Any], signals: Signals) -> str:
    if row["true_coefficient"] is None:
        return ""
    # In the unit of the sentence beside it.
    factor = math.exp(row["true_coefficient"] * unit_of(row["signal"], signals).size)
    covered = {True: ", covered", False: ", not covered", None: ""}[row["ci_covers_truth"]]
    return f"× {factor:.2f}{covered}"


def _sentence(row: Mapping[str, Any], results: IntentResults, signals: Signals) -> str:
    term = row["signal"]
    if ":" in term:
        return _interaction(row, results, signals)
    signal = signals.get(term)
    others = _except(term, results, signals)
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


def _except(term: str, results: IntentResults, signals: Signals) -> str:
    """Where the signal is also part of an interaction, its own coefficient is about the others only."""
    products = [interaction_parts(other) for other in results.terms if ":" in other]
    partners = [part for parts in products if term in parts for part in parts if part != term]
    meanings = [signals[part].meaning for part in partners if _is_yes_or_no(signals.get(part))]
    return f", unless the visitor {' or '.join(meanings)}" if meanings else ""


def _is_yes_or_no(signal: Signal | TableColumn | None) -> TypeGuard[Signal | TableColumn]:
    return signal is not None and signal.dtype == pl.Boolean()


def _interaction(row: Mapping[str, Any], results: IntentResults, known: Signals) -> str:
    parts = interaction_parts(row["signal"])
    signals = [signal for part in parts if _is_yes_or_no(signal := known.get(part))]
    # Of a product with a quantity in it, a sentence could say no more than the factor.
    if len(parts) != 2 or len(signals) < len(parts):  # noqa: PLR2004 - a pair
        return f"{term_name(row['signal'])} multiplies the odds of a demo request by a further {_factor(row)}."
    first, second = signals
    both = f"{first.meaning} and {second.meaning}"
    extra = f"Interaction: if a visitor {both}, the odds are multiplied by a further {_factor(row)}"
    total = _joint(second.name, row["signal"], results)
    if total is None:
        return f"{extra}."
    return f"{extra}. So if the visitor {first.meaning}, the second signal multiplies the odds by {total} in total."


def _joint(term: str, interaction: str, results: IntentResults) -> str | None:
    """Effect of a signal where its partner holds: the sum of its own coefficient and the interaction's."""
    if term not in results.terms:
        return None
    i, j = results.terms.index(term), results.terms.index(interaction)
    both = np.zeros((1, len(results.terms)))
    both[0, [i, j]] = 1
    total = float((both @ results.coefficients["coefficient"].to_numpy())[0])
    half = float(results.basis.estimate.fit.half_widths(both, results.level)[0])
    if math.isnan(half):
        return f"{_exp(total):.2f}"
    return times(*map(_exp, (total, total - half, total + half)))
