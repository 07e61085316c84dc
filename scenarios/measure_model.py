"""Measures of the intent model: what it estimates, and the truth it is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analytics.errors import AnalyticsError
from analytics.signals import SIGNALS
from scenarios.expressions import ExpressionError, Reference, Undefined
from scenarios.measure_words import Parts, Word, arguments_of, chosen, defined, plain_word
from simulator.experiments import arm_effects
from simulator.intent import Truth

if TYPE_CHECKING:
    from analytics.intent_results import IntentResults
    from scenarios.run import Run

__all__ = ["MODEL_WORDS"]

_ESTIMATES: Final = {
    "coefficient": "estimated effect of a term, in log-odds",
    "standard_error": "its standard error",
    "z": "coefficient by standard error",
    "p_value": "p-value of the test that the coefficient is 0",
    "p_adjusted": "the same, adjusted for the number of terms (Holm)",
    "ci_low": "lower end of the coefficient's 95 % interval",
    "ci_high": "upper end of the coefficient's 95 % interval",
    "odds_ratio": "exponential of the coefficient",
    "odds_ratio_low": "lower end of the odds ratio's 95 % interval",
    "odds_ratio_high": "upper end of the odds ratio's 95 % interval",
    "average_marginal_effect": "change in the probability of a request in a visit",
    "average_marginal_effect_se": "its standard error",
    "covered": "1 if the coefficient's interval holds the truth, else 0",
    "n_seen": "visits with the term",
    "requests_seen": "visits with the term that ended in a request",
}
_OF_THE_FIT: Final = {
    "n_visits": "visits in the fit",
    "n_visitors": "visitors in the fit",
    "n_accounts": "companies in the fit",
    "n_requests": "visits in the fit that ended in a request",
    "log_likelihood": "logarithm of the likelihood at its maximum",
    "pseudo_r2": "McFadden's pseudo-R²",
    "auc_in_sample": "area under the ROC curve, on the visits of the fit",
}


def _estimate_word(name: str, meaning: str) -> Word:
    def check(reference: Reference, parts: Parts) -> None:
        _check_term(reference, parts, _model_terms(parts))

    def read(reference: Reference, run: Run) -> float:
        term, model = arguments_of(reference, ("term",))["term"], _fitted(run)
        row = model.coefficients.filter(pl.col("signal") == pl.lit(term))
        if row.is_empty():
            raise Undefined(f"{reference.text}: {model.left_out.get(str(term), 'the events tell of no such term')}")
        return defined(row[name][0], f"{reference.text} has no value for this term")

    return Word(name, meaning, check, read, f'{name}("security_page_view")')


def _truth_word() -> Word:
    def check(reference: Reference, parts: Parts) -> None:
        terms = _model_terms(parts)
        if terms is not None and "intent" in parts:
            terms = list(dict.fromkeys([*terms, *parts["intent"].effects]))
        _check_term(reference, parts, terms)

    def read(reference: Reference, run: Run) -> float:
        # A product that the world does not name has no effect.
        return run.truth.terms.get(str(arguments_of(reference, ("term",))["term"]), 0.0)

    meaning = "true effect of a term, in log-odds; 0 for decoys"
    return Word("truth", meaning, check, read, 'truth("security_page_view")', needs_events=False)


def _check_term(reference: Reference, parts: Parts, terms: list[str] | None) -> None:
    term = str(arguments_of(reference, ("term",))["term"])
    if terms is None:
        return
    if term in _arms(parts) and term not in terms:
        raise ExpressionError(f"{reference.text}: {term} is the arm that the others are compared with")
    chosen("term", term, terms)


def _model_terms(parts: Parts) -> list[str] | None:
    """Terms that the model of a scenario holds; None where faulty settings leave that open."""
    if not {"analytics", "experiments"} <= parts.keys():
        return None
    signals, contrasts = [signal.name for signal in SIGNALS], Truth(0.0, {}, 0.0, _arms(parts)).terms
    return list(dict.fromkeys([*contrasts, *signals, *parts["analytics"].interactions]))


def _arms(parts: Parts) -> dict[str, float]:
    return arm_effects(parts.get("experiments", {}))


def _fitted(run: Run) -> IntentResults:
    try:
        return run.intent
    except AnalyticsError as error:
        raise Undefined(f"the intent model is not fitted: {error}") from None


def _fit_word(name: str, meaning: str) -> Word:
    return plain_word(f"model.{name}", meaning, lambda run: getattr(_fitted(run), name))


MODEL_WORDS: Final = (
    *(_estimate_word(name, meaning) for name, meaning in _ESTIMATES.items()),
    _truth_word(),
    *(_fit_word(name, meaning) for name, meaning in _OF_THE_FIT.items()),
)
"""Words about the intent model and the truth."""
