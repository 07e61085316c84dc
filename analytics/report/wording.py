"""The intent model in plain words: what each coefficient says to somebody who has never seen a logit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.model import SIGNIFICANT
from analytics.intent.coefficients import unit_of
from analytics.report.html import times
from analytics.signals.definitions import MULTI_PAGE_VISIT, SIGNALS, Signal, interaction_parts

if TYPE_CHECKING:
    from analytics.intent.results import IntentResults

__all__ = ["Interpretation", "coefficient_groups", "interpret", "known_signals", "term_name"]

Signals = Mapping[str, Signal]

_BUILT_IN: Final[Signals] = {signal.name: signal for signal in (*SIGNALS, MULTI_PAGE_VISIT)}
_HEADINGS: Final = {
    "high": "High-intent signals",
    "context": "Circumstances",
    "low": "Low-intent signals",
    "together": "Two together (interactions)",
    "other": "Other terms",
}


_PAIR: Final = 2


@dataclass(frozen=True)
class Interpretation:
    """One coefficient, read aloud.

    Args:
        sentence: What it says, with its interval.
        verdict: Whether it can be told from no effect.
        truth: Whether the truth lies within the interval; empty where it is not known.
    """

    sentence: str
    verdict: str
    truth: str


def term_name(term: str) -> str:
    """Name a term for a reader: ``security_page_view`` is ``security page view``."""
    return " × ".join(part.replace("_", " ") for part in interaction_parts(term))


def known_signals(results: IntentResults) -> Signals:
    """The signals whose meaning can be told, by name: the built-in ones and those that the model was asked for."""
    return {**_BUILT_IN, **{signal.name: signal for signal in results.basis.signals}}


def coefficient_groups(coefficients: pl.DataFrame, signals: Signals = _BUILT_IN) -> dict[str, pl.DataFrame]:
    """Sort the coefficients without the intercept under headings: high intent, circumstances, low intent, interactions.

    Args:
        coefficients: As of ``IntentResults.coefficients``.
        signals: Signals by name, to tell what is expected of them.
    """
    groups = [_group(term, signals) for term in coefficients["signal"]]
    grouped = coefficients.with_columns(group=pl.Series(groups, dtype=pl.String))
    tables = {heading: grouped.filter(group=key).drop("group") for key, heading in _HEADINGS.items()}
    return {heading: table for heading, table in tables.items() if table.height}


def _group(term: str, signals: Signals) -> str | None:
    if term == "intercept":
        return None
    if ":" in term:
        return "together"
    return signals[term].expectation if term in signals else "other"


def interpret(results: IntentResults) -> list[Interpretation]:
    """Read the coefficients aloud, in the order of their groups."""
    signals = known_signals(results)
    tables = coefficient_groups(results.coefficients, signals).values()
    return [_reading(row, results, signals) for table in tables for row in table.to_dicts()]


def _reading(row: Mapping[str, Any], results: IntentResults, signals: Signals) -> Interpretation:
    p = row["p_adjusted"]
    told = p is not None and p < SIGNIFICANT
    direction = "raises" if row["coefficient"] > 0 else "lowers"
    verdict = f"{direction} the odds" if told else "cannot be told from no effect"
    return Interpretation(_sentence(row, results, signals), verdict, _truth(row, signals))


def _truth(row: Mapping[str, Any], signals: Signals) -> str:
    if row["true_coefficient"] is None:
        return ""
    factor = math.exp(row["true_coefficient"] * unit_of(row["signal"], signals).size)
    return f"× {factor:.2f}, {'inside' if row['ci_covers_truth'] else 'outside'} the interval"


def _sentence(row: Mapping[str, Any], results: IntentResults, signals: Signals) -> str:
    term = row["signal"]
    if ":" in term:
        return _interaction(row, results, signals)
    signal = signals.get(term)
    others = _except(term, results, signals)
    if signal is not None and signal.dtype == pl.Boolean():
        factor = times(row["odds_ratio"], row["odds_ratio_low"], row["odds_ratio_high"])
        return f"A visitor who {signal.meaning}{others} has {factor} times the odds of a demo request."
    unit = unit_of(term, signals)
    # More than this is no number, and no reader would mind.
    factor = times(*(math.exp(min(unit.size * row[key], 700.0)) for key in ("coefficient", "ci_low", "ci_high")))
    return f"With “{term_name(term)}” {unit.meaning}, a visitor{others} has {factor} times the odds of a demo request."


def _except(term: str, results: IntentResults, signals: Signals) -> str:
    """Where the signal is also part of an interaction, its own coefficient is about the others only."""
    partners = [
        part
        for other in results.terms
        if ":" in other and term in (parts := interaction_parts(other))
        for part in parts
    ]
    meanings = [signals[part].meaning for part in partners if part != term and _is_yes_or_no(signals.get(part))]
    return f", but not one who also {' or '.join(meanings)}," if meanings else ""


def _is_yes_or_no(signal: Signal | None) -> bool:
    return signal is not None and signal.dtype == pl.Boolean()


def _interaction(row: Mapping[str, Any], results: IntentResults, known: Signals) -> str:
    parts = interaction_parts(row["signal"])
    factor = times(row["odds_ratio"], row["odds_ratio_low"], row["odds_ratio_high"])
    signals = [known[part] for part in parts if part in known]
    if len(parts) != _PAIR or len(signals) < len(parts) or not all(map(_is_yes_or_no, signals)):
        return f"{term_name(row['signal'])} multiplies the odds of a demo request by a further {factor}."
    first, second = signals
    extra = f"A visitor who {first.meaning} and {second.meaning} has a further {factor} times the odds"
    total = _joint(second.name, row["signal"], results)
    if total is None:
        return f"{extra}."
    return f"{extra}: among those of whom the first holds, the second multiplies the odds by {total} in all."


def _joint(term: str, interaction: str, results: IntentResults) -> str | None:
    """Effect of a signal where its partner holds: the sum of its own coefficient and the interaction's."""
    if term not in results.terms:
        return None
    i, j = results.terms.index(term), results.terms.index(interaction)
    b, v = results.coefficients["coefficient"], results.covariance_matrix
    error = math.sqrt(max(0.0, v[i, i] + v[j, j] + 2 * v[i, j])) * NormalDist().inv_cdf(0.5 + results.level / 2)
    total = b[i] + b[j]
    return times(*(math.exp(min(x, 700.0)) for x in (total, total - error, total + error)))
