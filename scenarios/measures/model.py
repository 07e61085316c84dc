"""Measures of the intent model: estimates, and true coefficients.

Most are of one term, which is their argument. Which terms there are depends on the scenario: its arms, its own signals
and its interactions. So a misspelt term is reported when the scenario is validated, and not after a long run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from analytics.errors import AnalyticsError
from analytics.settings import EstimatorName
from scenarios.errors import UndefinedMeasureError
from scenarios.measures.component_signals import analysis_settings
from scenarios.measures.definition import (
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    plain_measure,
    require_known,
    require_value,
)
from scenarios.measures.expressions import ExpressionError, Reference
from scenarios.measures.truth import known_truth
from simulator.errors import ComponentError
from simulator.settings.experiments import arm_effects
from simulator.visitors.truth import Truth

# For type checkers only: the results would load statsmodels in every worker.
if TYPE_CHECKING:
    from analytics.intent.results import IntentResults

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
    "ci_covers_truth": "1 if the coefficient's interval contains the true coefficient, else 0",
    "n_seen": "visits with the term",
    "requests_seen": "visits with the term that ended in a request",
}
"""Columns of the table of coefficients that are measures, and what they mean."""

BY_ESTIMATOR: Final = ("coefficient", "standard_error", "p_value", "ci_low", "ci_high", "ci_covers_truth")
"""Measures of a term that may be called with an ``estimator`` other than that of the settings."""

_JACKKNIFE: Final = {
    "standard_error": "its jackknife standard error over accounts",
    "ci_low": "lower end of the coefficient's 95 % jackknife interval over accounts",
    "ci_high": "upper end of the coefficient's 95 % jackknife interval over accounts",
}
"""Columns of the jackknife that are measures, under a longer name."""

_OF_THE_FIT: Final = {
    "n_visits": "visits in the fit",
    "n_visitors": "visitors in the fit",
    "n_accounts": "companies in the fit",
    "n_requests": "visits in the fit that ended in a request",
    "log_likelihood": "logarithm of the likelihood at its maximum",
    "pseudo_r2": "McFadden's pseudo-R²",
    "auc_in_sample": "in-sample AUC (optimistic)",
}
"""Attributes of the fit that are measures, and what they mean."""


def _term_measure(
    name: str,
    meaning: str,
    read: Callable[[Reference, RunView], float],
    known: Callable[[Parts], list[str] | None] | None = None,
    *,
    example: str = "security_page_view",
) -> MeasureDefinition:
    """Return a measure of one term of the intent model.

    Args:
        name: Name of the measure.
        meaning: Description of the number.
        read: Returns the value for a call, whose argument is the term.
        known: Terms that a scenario has; those of its model if not given.
        example: A term, for the example of the call.
    """

    def check(reference: Reference, parts: Parts) -> None:
        term, terms = _term(reference), (known or model_terms)(parts)
        if _estimator(reference) is not None and name not in BY_ESTIMATOR:
            raise ExpressionError(f"{reference.text}: an estimator has {', '.join(BY_ESTIMATOR)} only")
        # Invalid settings have faults of their own; a fault of the term would only repeat them.
        if terms is None:
            return
        # The first arm of an experiment is the reference, without a coefficient of its own.
        if term in _arms(parts) and term not in terms:
            raise ExpressionError(f"{reference.text}: {term} is the reference arm")
        require_known("term", term, terms)

    return MeasureDefinition(name, meaning, check, read, f'{name}("{example}")')


def _term(reference: Reference) -> str:
    """Return the term of a call.

    Raises:
        ExpressionError: There is none, or there are other arguments.
    """
    return str(arguments_of(reference, ("term",), ("estimator",))["term"])


def _estimator(reference: Reference) -> EstimatorName | None:
    """Return the estimator of a call; None for that of the settings."""
    value = arguments_of(reference, ("term",), ("estimator",)).get("estimator")
    return None if value is None else cast("EstimatorName", require_known("estimator", value, get_args(EstimatorName)))


def _estimate(column: str, reference: Reference, run: RunView) -> float:
    """Return an estimate of a term.

    Args:
        column: Column of the table of coefficients.
        reference: The call.
        run: The run.

    Raises:
        UndefinedMeasureError: The model is not fitted, or the term was dropped, or has no such value.
    """
    value = _row(reference, run)[column]
    if value is None and column == "ci_covers_truth":
        _require_known_truth(run)
    return require_value(value, f"{reference.text} has no value for this term")


def _require_known_truth(run: RunView) -> None:
    """Raise UndefinedMeasureError, with the reasons, if a run has no known truth: one for all terms."""
    if run.truth.why_unknown:
        raise UndefinedMeasureError(run.truth.why_unknown)


def _nonrobust(reference: Reference, run: RunView) -> float:
    """Return the nonrobust standard error of a term, which no table has: it is shown for comparison only."""
    return _fitted(run).nonrobust_standard_error[_row(reference, run)["signal"]]


def _jackknife(column: str, reference: Reference, run: RunView) -> float:
    """Return a number of the jackknife over accounts.

    Args:
        column: Column of the jackknife.
        reference: The call.
        run: The run.

    Raises:
        UndefinedMeasureError: The model is not fitted, no accounts are known, or too few have the term.
    """
    model, term = _fitted(run), _row(reference, run)["signal"]
    if model.jackknife is None:
        raise UndefinedMeasureError(f"{reference.text}: no accounts are known")
    # By position, because its rows are in the order of the model's terms.
    value = model.jackknife[column][model.terms.index(term)]
    return require_value(value, f"{reference.text}: fewer than two accounts have the term")


def _truth(reference: Reference, run: RunView) -> float:
    """Return the true coefficient of a term, with the effects that it carries for terms dropped from the model.

    Raises:
        UndefinedMeasureError: It is not known, as of a signal that stands for another.
    """
    _require_known_truth(run)
    term, known = _term(reference), dict[str, float | None](known_truth(run.truth, run.scenario.analysis))
    # A term that was dropped, or of a model that is not fitted, has that of the world.
    with suppress(AnalyticsError):
        known |= {name: row["true_coefficient"] for name, row in _rows(run.intent).items()}
    return require_value(known.get(term), f"{reference.text}: the true coefficient of this term is not known")


def _row(reference: Reference, run: RunView) -> dict[str, Any]:
    """Return the estimates of the term of a call, by column.

    Raises:
        UndefinedMeasureError: The model is not fitted, or does not have the term; the message says why.
    """
    term, estimator = _term(reference), _estimator(reference)
    rows = _rows(_fitted(run)) if estimator is None else _rows_by(estimator, run)
    if term not in rows:
        why = "the estimator has dropped this term"
        if estimator is None:
            why = _fitted(run).dropped.get(term, "the events have no such term")
        raise UndefinedMeasureError(f"{reference.text}: {why}")
    return rows[term]


@lru_cache(maxsize=1)
def _rows(model: IntentResults) -> dict[str, dict[str, Any]]:
    """Estimates by term; cached, because a study reads a hundred measures of one model."""
    return {row["signal"]: row for row in model.coefficients.iter_rows(named=True)}


def _rows_by(estimator: EstimatorName, run: RunView) -> dict[str, dict[str, Any]]:
    try:
        table = run.analysis.estimates_by(estimator)
    except AnalyticsError as error:
        # Without the call: all numbers of the estimator are missing for one reason.
        raise UndefinedMeasureError(f"the estimator {estimator}: {error}") from None
    return {row["signal"]: row for row in table.iter_rows(named=True)}


def model_terms(parts: Parts) -> list[str] | None:
    """Return the terms of a scenario's model; None if invalid settings leave them unknown.

    Args:
        parts: Settings of the scenario by name.

    Returns:
        The intercept, arms but the reference, built-in signals, signals of the scenario, terms of its components and
        interactions, each once.

    >>> from scenarios import Scenario
    >>> scenario = Scenario.load("pricing-ab-test")
    >>> parts = {name: getattr(scenario, name) for name in ("analytics", "experiments", "components")}
    >>> "pricing-page=b" in model_terms(parts)
    True
    >>> model_terms({}) is None
    True
    """
    if not {"analytics", "experiments", "components"} <= parts.keys():
        return None
    # The contrasts of arms are taken from the truth, so that estimates and truth have the same names.
    try:
        analytics, contrasts = analysis_settings(parts), Truth(0.0, {}, 0.0, _arms(parts)).terms
    except (ComponentError, ValueError):
        return None
    signals = [signal.name for signal in analytics.built_in_signals]
    # A dictionary and not a set: terms are listed in this order.
    return list(dict.fromkeys([*contrasts, *signals, *analytics.signals, *analytics.interactions]))


def _terms_with_effects(parts: Parts) -> list[str] | None:
    """Terms of the model, and those of the simulation that the model may leave out: these too have a true effect."""
    terms = model_terms(parts)
    return terms if terms is None or "intent" not in parts else list(dict.fromkeys([*terms, *parts["intent"].effects]))


def _arms(parts: Parts) -> dict[str, float]:
    return arm_effects(parts.get("experiments", {}))


def _fitted(run: RunView) -> IntentResults:
    """Return the intent model of a run.

    Raises:
        UndefinedMeasureError: It cannot be fitted; a study records that, and its other responses are read.
    """
    try:
        return run.intent
    except AnalyticsError as error:
        raise UndefinedMeasureError(f"the intent model is not fitted: {error}") from None


def _of_fit(name: str) -> Callable[[RunView], float]:
    return lambda run: getattr(_fitted(run), name)


MODEL_MEASURES: Final = (
    *(_term_measure(name, meaning, partial(_estimate, name)) for name, meaning in _ESTIMATES.items()),
    _term_measure(
        "nonrobust_standard_error",
        "its nonrobust standard error, which takes visits of colleagues as independent",
        _nonrobust,
    ),
    *(
        _term_measure(f"jackknife_{column}", meaning, partial(_jackknife, column), example="company_enterprise")
        for column, meaning in _JACKKNIFE.items()
    ),
    _term_measure(
        "true_coefficient",
        "true coefficient of a term, in log-odds; 0 for decoys; with the effects of dropped terms that it determines",
        _truth,
        _terms_with_effects,
    ),
    *(plain_measure(f"model.{name}", meaning, _of_fit(name)) for name, meaning in _OF_THE_FIT.items()),
)
"""Measures of the intent model and the truth."""
