"""The intent model: which behaviour predicts a demo request.

A discrete-time hazard model. At the end of each visit, a visitor without a request so far requests a demo with a
probability whose log-odds are an intercept plus the sum of coefficient × signal. It is fitted as a logit on the
person-period table of :func:`analytics.visit_table` (P. D. Allison, Sociological Methodology 13 (1982) 61–98). A term
that the data cannot identify is dropped or penalised with a warning, or the fit is refused: no unusable number is
returned without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MethodType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, get_args

import numpy as np
import polars as pl

from analytics.errors import IntentModelError, VisitTableError
from analytics.intent.baseline import BASELINE_COLUMNS, Baseline, BaselineKind, baseline_names
from analytics.intent.coefficients import coefficient_table
from analytics.intent.fit_context import FitContext
from analytics.intent.own_tables import Categories, own_table
from analytics.intent.results import IntentResults
from analytics.intent.validation import area_under_curve, coefficient_of_discrimination
from analytics.logit.clusters import ACCOUNT_COLUMNS, VISITOR_COLUMNS, cluster_numbers
from analytics.logit.design import (
    ALWAYS_WITH,
    INTERCEPT,
    NEVER_WITHOUT,
    OUTCOME_ITSELF,
    Design,
    prepare,
)
from analytics.logit.eligibility import eligible_visits
from analytics.logit.estimation import Estimate, Estimator, estimate
from analytics.logit.robust import MIN_CLUSTERS
from analytics.signals.definitions import DEFAULT_INTERACTIONS, SIGNALS, Signal, interaction_parts

# Rule of thumb: P. Peduzzi et al., Journal of Clinical Epidemiology 49 (1996) 1373–1379.
_MIN_EVENTS_PER_VARIABLE: Final = 10
_MIN_DEGREES_OF_FREEDOM: Final = 10.0
"""Degrees of freedom of a t test below which its intervals are a tenth wider than with many accounts."""

P = ParamSpec("P")
R = TypeVar("R")


class _OfClassToo(Generic[P, R]):
    """A method that can be called on the class as well: it is then that of a model with default settings.

    Args:
        method: The method.
    """

    def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None:
        self._method, self.__doc__ = method, method.__doc__

    def __get__(self, model: object, owner: type) -> Callable[P, R]:
        return MethodType(self._method, owner() if model is None else model)


class IntentModel:
    """The logit of demo requests on intent signals, or of any outcome on the columns of one's own table.

    Args:
        signals: Signals of the model, in the order of the results.
        interactions: Products of signals, as ``a:b``; one whose signals are not all in the model is dropped.
        level: Confidence level of the intervals, between 0 and 1.
        penalise: With separated terms, fit Firth's penalised likelihood and warn; if False, raise instead.
        estimator: ``ml`` for maximum likelihood; ``firth`` for Firth's penalised likelihood in any case, which is
            nearly unbiased with few requests.
        baseline: What the odds of a request change with, besides the signals: with nothing (``constant``), with the
            number of the visit or with the time since the first one; see :mod:`analytics.intent.baseline`.

    Raises:
        IntentModelError: An interaction has an unknown signal, a term is given twice, the level is out of range, or
            the estimator or the baseline is unknown.

    >>> from analytics.signals.definitions import EverSeen
    >>> model = IntentModel([EverSeen("docs", "has seen docs", "high", "category", ("docs",))], [])
    >>> docs, requested = [True] * 50 + [False] * 150, ([True] * 20 + [False] * 30) + ([True] * 15 + [False] * 135)
    >>> visits = pl.DataFrame({"docs": docs, "requested_demo": requested}).with_columns(at_risk=True, censored=False)
    >>> round(model.fit(visits).coefficients["odds_ratio"][1], 3)  # (20 × 135) / (30 × 15)
    6.0
    """

    def __init__(
        self,
        signals: Sequence[Signal] = SIGNALS,
        interactions: Sequence[str] = DEFAULT_INTERACTIONS,
        level: float = 0.95,
        *,
        penalise: bool = True,
        estimator: Estimator = "ml",
        baseline: BaselineKind = "constant",
    ) -> None:
        if any(isinstance(signal, str) for signal in signals):
            raise IntentModelError(
                "signals: are no names here; for columns of your own table use fit(table, signals=[…], outcome=…)"
            )
        self.signals, self.interactions, self.level = tuple(signals), tuple(interactions), level
        self.penalise, self.estimator, self.baseline = penalise, estimator, baseline
        for name, value, known in (("estimator", estimator, Estimator), ("baseline", baseline, BaselineKind)):
            if value not in get_args(known):
                raise IntentModelError(f"{name}: must be {' or '.join(get_args(known))} (got {value!r})")
        names = [signal.name for signal in self.signals]
        # A built-in signal that this model leaves out is no misspelling: its interactions are dropped, not refused.
        factors = {*names, *(signal.name for signal in SIGNALS)}
        for term in self.interactions:
            parts = interaction_parts(term)
            if len(parts) < 2 or not factors.issuperset(parts):  # noqa: PLR2004 - a product has two factors
                raise IntentModelError(
                    f"interaction {term!r}: must be two or more signals joined by ':', of {sorted(factors)}"
                )
        terms = [*names, *baseline_names(baseline), *self.interactions]
        if len(set(terms)) < len(terms):
            raise IntentModelError(f"a term is given twice: {', '.join(terms)}")
        if not 0 < level < 1:
            raise IntentModelError(f"level: must lie between 0 and 1 (got {level})")

    @_OfClassToo
    def fit(
        self,
        visits: Any,  # noqa: ANN401 - a visit table, or whatever Polars reads as a frame
        truth: Mapping[str, float] | None = None,
        *,
        signals: Sequence[str] | None = None,
        outcome: str | None = None,
        account: str | None = None,
        weights: str | None = None,
        categories: Categories | None = None,
    ) -> IntentResults:
        """Fit the model on a visit table, or on any table with an outcome of 0 and 1.

        Of a visit table, completed visits of visitors at risk are fitted: those who could make a first request.
        Standard errors are clustered by account where accounts are known, because colleagues share unobserved causes.
        A visitor without an account is a cluster of their own.

        With ``outcome``, it is a table of any columns, a Polars or pandas frame with one row per observation. Rows
        without a value are left out, with a warning that counts them. Results and messages call a row a visit, and a
        row with the outcome 1 a request.

        Args:
            visits: A visit table, as of :func:`analytics.visit_table`; or, with ``outcome``, any table.
            truth: True coefficients by term, to show beside the estimates; see ``Design.true_coefficients``.
            signals: Columns that are signals, and products of them as ``a:b``; by default those of the model, and if
                that has the built-in signals, all columns of numbers.
            outcome: Column of 0 and 1, or of false and true.
            account: Column of the account, for clustered standard errors; nonrobust errors unless given.
            weights: Column of frequency weights: the whole number of equal rows that a row stands for.
            categories: Text columns among the signals with their reference levels, such as ``{"plan": "free"}``; each
                other level is a signal, such as ``plan=pro``.

        Returns:
            Estimates, intervals and effects. Read ``dropped`` and ``warnings`` before using them.

        Raises:
            VisitTableError: A column is missing or cannot be used; or a signal of a visit table has no value in some
                rows.
            OneOutcomeError: Every visit ends in a request, or none does.
            TooFewVisitsError: There are fewer requests than terms.
            SeparationError: Signals predict the outcome perfectly, and ``penalise`` is False.
            ConvergenceError: The maximisation did not converge.

        >>> table = pl.DataFrame({"trial": [1, 1, 0, 0], "bought": [1, 0, 1, 0], "n": [20, 30, 15, 135]})
        >>> found = IntentModel.fit(table, signals=["trial"], outcome="bought", weights="n")
        >>> round(found.coefficients["odds_ratio"][1], 3)  # (20 × 135) / (30 × 15)
        6.0
        """
        if outcome is None:
            if signals is not None or account or weights or categories:
                raise VisitTableError("outcome: name the column of 0 and 1 of your own table")
            names = [signal.name for signal in self.signals]
            eligible = eligible_visits(visits, names)
            return self._results(eligible, self.fit_context(eligible, names, self.interactions), truth or {})
        if self.baseline != "constant":
            raise IntentModelError("baseline: rows of your own table are no visits; make a signal of its columns")
        if signals is None and self.signals != SIGNALS:
            signals = [*(signal.name for signal in self.signals), *self.interactions]
        own = own_table(visits, signals, outcome, account=account, weights=weights, categories=categories)
        basis = self.fit_context(own.visits, [signal.name for signal in own.signals], own.interactions)
        results = self._results(own.visits, replace(basis, signals=own.signals, levels=own.levels), truth or {})
        return replace(results, outcome=outcome, warnings=(*own.warnings, *results.warnings))

    def _results(self, eligible: pl.DataFrame, basis: FitContext, truth: Mapping[str, float]) -> IntentResults:
        design, found = basis.design, basis.estimate
        ones, zeros, p = design.n_requests, design.n_visits - design.n_requests, found.fit.p_request
        n_requests = int(design.outcome.sum())
        return IntentResults(
            coefficients=coefficient_table(basis, truth),
            n_visits=eligible.height,
            n_visitors=_n_unique(eligible, VISITOR_COLUMNS),
            n_accounts=_n_unique(eligible, ACCOUNT_COLUMNS),
            n_requests=n_requests,
            log_likelihood=found.fit.log_likelihood,
            pseudo_r2=1 - found.fit.log_likelihood / _log_likelihood_of_intercept(n_requests, eligible.height),
            tjur_r2=coefficient_of_discrimination(ones, zeros, p),
            auc_in_sample=area_under_curve(ones, zeros, p),
            covariance=_kind_of_errors(basis),
            covariance_matrix=found.fit.covariance,
            level=self.level,
            basis=basis,
            estimator=found.estimator,
            warnings=(*_warnings(basis), *_lost_effects(design, truth)),
            dropped=dict(design.dropped),
        )

    def fit_context(self, eligible: pl.DataFrame, names: Sequence[str], interactions: Sequence[str]) -> FitContext:
        """Estimate the coefficients, and keep what diagnostics need.

        Args:
            eligible: The visits to fit, as of :func:`analytics.logit.eligibility.eligible_visits`.
            names: Columns of the signals; other columns than the model's own where another form of one is tried.
            interactions: Products of these.

        Raises:
            IntentModelError: As for :meth:`fit`.
        """
        baseline = Baseline.of(eligible, self.baseline)
        columns = [*names, *(term.name for term in baseline.terms)]
        design = prepare(baseline.added(eligible), columns, interactions)
        clusters = cluster_numbers(eligible)
        found = estimate(design, clusters, self.level, penalise=self.penalise, estimator=self.estimator)
        # A table need not have any of these columns.
        kept = (*VISITOR_COLUMNS, *ACCOUNT_COLUMNS, *BASELINE_COLUMNS)
        people = eligible.select(name for name in kept if name in eligible.columns)
        signals = (*self.signals, *baseline.terms)
        return FitContext(signals, design, found, clusters, people, self.level, baseline=baseline)


def _kind_of_errors(basis: FitContext) -> str:
    if basis.n_clusters is None:
        return "nonrobust"
    if basis.n_clusters < MIN_CLUSTERS:
        return f"unknown: fewer than {MIN_CLUSTERS} accounts"
    return f"cluster by account ({basis.estimate.fit.inference.kind})"


def _warnings(basis: FitContext) -> tuple[str, ...]:
    design = basis.design
    warnings = [*basis.baseline.warnings, *_because_of_request(design), *_few_requests(basis), *_few_accounts(basis)]
    if basis.estimate.separated:
        warnings.append(_penalty(design, basis.estimate))
    return tuple(warnings)


def _because_of_request(design: Design) -> list[str]:
    """Warn of signals that may be known because of the request, instead of predicting it."""
    suspects = {term: reason for term, reason in design.dropped.items() if reason == OUTCOME_ITSELF}
    suspects |= {term: cell for term, cell in design.separated.items() if cell in {ALWAYS_WITH, NEVER_WITHOUT}}
    return [
        f"{term}: {reason}. The data cannot show whether it predicts requests or is known because of them: check that "
        "it is known before the request, or leave it out of the signals"
        for term, reason in suspects.items()
        if len(interaction_parts(term)) == 1
    ]


def _lost_effects(design: Design, truth: Mapping[str, float]) -> list[str]:
    """Warn of dropped terms whose effect is part of the true coefficients of others."""
    warnings = []
    for dropped in design.dropped_effects(truth):
        if dropped not in design.determined:
            warnings.append(f"the true coefficients are not known: {dropped} has an effect, and was dropped")
        elif carriers := [term for term in design.determined[dropped] if term != INTERCEPT]:
            warnings.append(
                f"true coefficients include the effect of {dropped}, which was dropped: {', '.join(carriers)}"
            )
    return warnings


def _few_requests(basis: FitContext) -> list[str]:
    design = basis.design
    n_requests, n_terms = int(design.outcome.sum()), len(design.terms) - 1
    # The rarer outcome limits how many coefficients can be estimated.
    rarer = min(n_requests, len(design.outcome) - n_requests)
    if rarer >= _MIN_EVENTS_PER_VARIABLE * n_terms:
        return []
    what = "requests" if rarer == n_requests else "visits without a request"
    few = f"{rarer} {what} for {n_terms} term{'s' * (n_terms != 1)}: fewer than {_MIN_EVENTS_PER_VARIABLE} a term"
    if basis.estimate.estimator == "firth":
        return [f"{few}; the penalty makes coefficients nearly unbiased, but what is known of them is little"]
    return [f"{few}, so coefficients are biased away from 0 and intervals are too narrow"]


def _few_accounts(basis: FitContext) -> list[str]:
    """Warn of terms whose standard errors are unknown, or rest on few accounts."""
    inference, freedom = basis.estimate.fit.inference, basis.estimate.fit.degrees_of_freedom
    if basis.n_clusters is not None and basis.n_clusters < MIN_CLUSTERS:
        one = "one account" if basis.n_clusters == 1 else f"{basis.n_clusters} accounts"
        reason = f"all visits belong to {one}, so that nothing is known of differences between accounts"
        advice = "there are no standard errors and tests; drop the column account to take visits as independent"
        return [f"{reason}: {advice}"]
    if inference.satterthwaite is None:
        return []
    slopes = {term: n for term, n in zip(basis.design.terms, freedom.tolist(), strict=True) if term != INTERCEPT}
    unknown = [term for term, n in slopes.items() if np.isnan(n)]
    few = [f"{term} ({n:.1f})" for term, n in slopes.items() if n < _MIN_DEGREES_OF_FREEDOM]
    warnings = []
    if unknown:
        warnings.append(
            f"one account alone shows what {', '.join(unknown)} would be without it, so that no standard error can be "
            "given; observe more accounts"
        )
    if few:
        warnings.append(
            "few accounts, or few large ones, decide on these signals, with degrees of freedom in brackets: "
            f"{', '.join(few)}; intervals allow for it and are wide, below 4 p-values are rough"
        )
    return warnings


def _penalty(design: Design, found: Estimate) -> str:
    """Warn that the likelihood was penalised, and name the separated terms.

    Args:
        design: Design of the model, which knows terms with an empty cell.
        found: The penalised estimate, which knows all separated terms.
    """
    why = [
        f"{term} ({design.separated.get(term, 'with others it predicts the outcome perfectly')})"
        for term in found.separated
        # The intercept diverges along with other terms; by itself it says something.
        if term != INTERCEPT or len(found.separated) == 1
    ]
    intervals = (
        "all intervals and p-values are of the profile likelihood"
        if found.profiled.all()
        else "intervals and p-values of separated terms are of the profile likelihood, which assumes independent visits"
    )
    return (
        f"separated: {'; '.join(why)}. Maximum-likelihood estimates would be infinite, so all coefficients are of "
        f"Firth's penalised likelihood, and {intervals}"
    )


def _log_likelihood_of_intercept(n_requests: int, n: int) -> float:
    p = n_requests / n
    return float(n_requests * np.log(p) + (n - n_requests) * np.log1p(-p))


def _n_unique(visits: pl.DataFrame, columns: Sequence[str]) -> int:
    """Number of values in the first of the columns that the table has."""
    found = (visits[name].drop_nulls().n_unique() for name in columns if name in visits.columns)
    return next(found, 0)
