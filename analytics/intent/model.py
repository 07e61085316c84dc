"""The intent model: which behaviour foretells a demo request.

A discrete-time hazard: at the end of each visit a visitor who has not yet asked requests a demo with a probability
whose log-odds are an intercept plus the sum of coefficient × signal. Fitted as a logit on the person-period table of
:func:`analytics.visit_table` (P. D. Allison, Sociological Methodology 13 (1982) 61–98). What the data cannot
tell is left out and named, penalised and named, or refused: no number that must not be used is returned in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import IntentModelError
from analytics.intent.coefficients import coefficient_table
from analytics.intent.fit_context import FitContext
from analytics.intent.results import IntentResults
from analytics.intent.validation import area_under_curve, coefficient_of_discrimination
from analytics.logit.clusters import cluster_numbers
from analytics.logit.design import INTERCEPT, Design, eligible_visits, prepare
from analytics.logit.estimation import Estimate, estimate
from analytics.signals.definitions import DEFAULT_INTERACTIONS, SIGNALS, Signal, interaction_parts

__all__ = ["IntentModel"]

_FEW_EVENTS_PER_TERM: Final = 10
_FEW_CLUSTERS: Final = 40
_FEW_EFFECTIVE: Final = 20
"""Accounts in effect below which clustered errors are noticeably too small: with 11 of them by 12 %, in simulations."""


class IntentModel:
    """The logit of demo requests on intent signals.

    Args:
        signals: Signals to hold, in the order of the results.
        interactions: Products of signals to hold, as ``a:b``; one whose signals are not all in the model is left out.
        level: Confidence level of the intervals, between 0 and 1.
        penalise: Answer separation with Firth's penalised likelihood, and say so; refuse the fit otherwise.

    Raises:
        IntentModelError: An interaction names no known signal, a term is named twice, or the level is impossible.
    """

    def __init__(
        self,
        signals: Sequence[Signal] = SIGNALS,
        interactions: Sequence[str] = DEFAULT_INTERACTIONS,
        level: float = 0.95,
        *,
        penalise: bool = True,
    ) -> None:
        self.signals, self.interactions, self.level = tuple(signals), tuple(interactions), level
        self.penalise = penalise
        names = [signal.name for signal in self.signals]
        known = {*names, *(signal.name for signal in SIGNALS)}
        for term in self.interactions:
            parts = interaction_parts(term)
            if len(parts) < 2 or not known.issuperset(parts):  # noqa: PLR2004 - a product has two factors
                raise IntentModelError(
                    f"interaction {term!r}: must be two or more signals joined by ':', of {sorted(known)}"
                )
        terms = [*names, *self.interactions]
        if len(set(terms)) < len(terms):
            raise IntentModelError(f"a term is named twice: {', '.join(terms)}")
        if not 0 < level < 1:
            raise IntentModelError(f"level: must lie between 0 and 1 (got {level})")

    def fit(self, visits: pl.DataFrame, truth: Mapping[str, float] | None = None) -> IntentResults:
        """Fit the model on the visits that are over and at whose end a first request could be made.

        Standard errors are clustered by account where accounts are known, a visitor without one being their own
        cluster: colleagues share what we do not see.

        Args:
            visits: A visit table, as of :func:`analytics.visit_table`.
            truth: Coefficients that produced the data, by term, to set beside the estimates.

        Returns:
            Estimates, intervals and effects; ``dropped`` and ``warnings`` say what to mind.

        Raises:
            VisitTableError: A column is missing or a signal has no value in some rows.
            OneOutcomeError: Every visit ends in a request, or none does.
            TooFewVisitsError: There are fewer requests than terms.
            SeparationError: Signals foretell the outcome perfectly, and a penalty is not wanted.
            ConvergenceError: The search found no maximum.
        """
        names = [signal.name for signal in self.signals]
        eligible = eligible_visits(visits, names)
        design = prepare(eligible, names, self.interactions)
        clusters = cluster_numbers(eligible)
        found = estimate(design, clusters, self.level, penalise=self.penalise)
        basis = FitContext(self.signals, design, found, clusters, eligible.select(pl.col("^(account|anonymous_id)$")))
        ones, zeros, p = design.n_requests, design.n_visits - design.n_requests, found.fit.p_request
        n_requests = int(design.outcome.sum())
        results = IntentResults(
            coefficients=coefficient_table(basis, truth or {}),
            n_visits=eligible.height,
            n_visitors=_n_unique(eligible, "anonymous_id"),
            n_accounts=_n_unique(eligible, "account"),
            n_requests=n_requests,
            log_likelihood=found.fit.log_likelihood,
            pseudo_r2=1 - found.fit.log_likelihood / _log_likelihood_of_intercept(n_requests, eligible.height),
            tjur_r2=coefficient_of_discrimination(ones, zeros, p),
            auc_in_sample=area_under_curve(ones, zeros, p),
            covariance="nonrobust" if clusters is None else "cluster by account",
            covariance_matrix=found.fit.covariance,
            level=self.level,
            basis=basis,
            estimator=found.estimator,
            warnings=_cautions(basis, eligible),
            dropped=dict(design.dropped),
        )
        caution = _few_in_effect(results) if _has_many_clusters(results) else None
        return replace(results, warnings=(*results.warnings, caution)) if caution else results


def _cautions(basis: FitContext, visits: pl.DataFrame) -> tuple[str, ...]:
    cautions = [*_few_requests(basis.design), *_few_accounts(visits, basis.clusters)]
    if basis.estimate.estimator == "firth":
        cautions.append(_penalty(basis.design, basis.estimate))
    return tuple(cautions)


def _few_requests(design: Design) -> list[str]:
    n_requests, n_terms = int(design.outcome.sum()), len(design.terms) - 1
    rarer = min(n_requests, len(design.outcome) - n_requests)
    if rarer >= _FEW_EVENTS_PER_TERM * n_terms:
        return []
    what = "requests" if rarer == n_requests else "visits without a request"
    few = f"{rarer} {what} for {n_terms} terms: fewer than {_FEW_EVENTS_PER_TERM} a term"
    return [f"{few}, so coefficients are biased away from 0 and intervals too narrow"]


def _few_accounts(visits: pl.DataFrame, clusters: NDArray[np.int64] | None) -> list[str]:
    if clusters is None:
        if _n_unique(visits, "account") != 1:
            return []
        return ["all visits belong to one account, so standard errors cannot allow for what its people share"]
    n_clusters = int(clusters.max()) + 1
    if n_clusters >= _FEW_CLUSTERS:
        return []
    return [f"{n_clusters} accounts are few (fewer than {_FEW_CLUSTERS}): cluster-robust standard errors are too small"]


def _has_many_clusters(results: IntentResults) -> bool:
    """Whether clusters are many, and their errors no matter of a penalty: of few it has been said already."""
    return results.estimator == "ml" and (results.basis.n_clusters or 0) >= _FEW_CLUSTERS


def _few_in_effect(results: IntentResults) -> str | None:
    """Say which terms rest on few accounts, though accounts are many, and what can be said of them then."""
    effective = results.basis.effective_clusters or {}
    few = [term for term, n in effective.items() if term != INTERCEPT and n < _FEW_EFFECTIVE]
    if not few or results.jackknife is None:
        return None
    rows = {row["signal"]: row for row in results.jackknife.to_dicts()}
    told = ", ".join(f"{term} ({effective[term]:.0f} in effect; {_interval(rows[term])})" for term in few)
    return (
        f"few of the {results.basis.n_clusters:,} accounts and lone visitors tell of {told}: cluster-robust standard "
        "errors and intervals are too small there; in brackets those of the jackknife over accounts, which are not"
    )


def _interval(row: dict[str, float | None]) -> str:
    if row["ci_low"] is None:
        return "nothing can be said"
    return f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"


def _penalty(design: Design, found: Estimate) -> str:
    """Say that the likelihood was penalised, and for which terms' sake."""
    why = [
        f"{term} ({design.separated.get(term, 'with others it foretells the outcome perfectly')})"
        for term in found.separated
        if term != INTERCEPT or len(found.separated) == 1
    ]
    intervals = (
        "all intervals and p-values go by the profile likelihood"
        if found.profiled.all()
        else "intervals and p-values of the separated go by the profile likelihood, which supposes independent visits"
    )
    return (
        f"separated: {'; '.join(why)}. Estimates of greatest likelihood would be infinite, so all coefficients are of "
        f"Firth's penalised likelihood, and {intervals}"
    )


def _log_likelihood_of_intercept(n_requests: int, n: int) -> float:
    p = n_requests / n
    return float(n_requests * np.log(p) + (n - n_requests) * np.log1p(-p))


def _n_unique(visits: pl.DataFrame, column: str) -> int:
    return visits[column].drop_nulls().n_unique() if column in visits.columns else 0
