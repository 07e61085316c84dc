"""The intent model: which behaviour foretells a demo request.

A discrete-time hazard: at the end of each visit a visitor who has not yet asked requests a demo with a probability
whose log-odds are an intercept plus the sum of coefficient × signal. Fitted as a logit on the person-period table of
:func:`analytics.sessions.visit_table` (P. D. Allison, Sociological Methodology 13 (1982) 61–98). What the data cannot
tell is left out and named, or refused: no number that must not be used is returned in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.intent_design import Design, eligible_visits, prepare
from analytics.intent_errors import IntentModelError
from analytics.intent_results import COEFFICIENT_SCHEMA, IntentResults
from analytics.likelihood import LogitFit, maximise
from analytics.marginal_effects import MarginalEffects
from analytics.signals import DEFAULT_INTERACTIONS, SIGNALS, Signal, interaction_parts

__all__ = ["IntentModel", "area_under_curve", "holm"]

Floats = NDArray[np.float64]

_FEW_EVENTS_PER_TERM: Final = 10
_FEW_CLUSTERS: Final = 40


class IntentModel:
    """The logit of demo requests on intent signals.

    Args:
        signals: Signals to hold, in the order of the results.
        interactions: Products of signals to hold, as ``a:b``; one whose signals are not all in the model is left out.
        level: Confidence level of the intervals, between 0 and 1.

    Raises:
        IntentModelError: An interaction names no known signal, a term is named twice, or the level is impossible.
    """

    def __init__(
        self,
        signals: Sequence[Signal] = SIGNALS,
        interactions: Sequence[str] = DEFAULT_INTERACTIONS,
        level: float = 0.95,
    ) -> None:
        self.signals, self.interactions, self.level = tuple(signals), tuple(interactions), level
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
            visits: A visit table, as of :func:`analytics.sessions.visit_table`.
            truth: Coefficients that produced the data, by term, to set beside the estimates.

        Returns:
            Estimates, intervals and effects; ``left_out`` and ``warnings`` say what to mind.

        Raises:
            VisitTableError: A column is missing or a signal has no value in some rows.
            OneOutcomeError: Every visit ends in a request, or none does.
            TooFewVisitsError: There are fewer requests than terms.
            SeparationError: Signals together foretell the outcome perfectly.
            ConvergenceError: Newton's method found no maximum.
        """
        names = [signal.name for signal in self.signals]
        eligible = eligible_visits(visits, names)
        design = prepare(eligible, names, self.interactions)
        clusters = _clusters(eligible)
        fitted = maximise(design, clusters)
        n_requests = int(design.outcome.sum())
        return IntentResults(
            coefficients=self._coefficients(fitted, design, truth or {}),
            n_visits=eligible.height,
            n_visitors=_n_unique(eligible, "anonymous_id"),
            n_accounts=_n_unique(eligible, "account"),
            n_requests=n_requests,
            log_likelihood=fitted.log_likelihood,
            pseudo_r2=1 - fitted.log_likelihood / _log_likelihood_of_intercept(n_requests, eligible.height),
            auc_in_sample=_area_under_curve(design.n_requests, design.n_visits - design.n_requests, fitted.p_request),
            covariance="nonrobust" if clusters is None else "cluster by account",
            covariance_matrix=fitted.covariance,
            level=self.level,
            warnings=_cautions(design, eligible, clusters),
            left_out=dict(design.left_out),
        )

    def _coefficients(self, fitted: LogitFit, design: Design, truth: Mapping[str, float]) -> pl.DataFrame:
        b, se, p = fitted.coefficients, fitted.standard_errors, fitted.p_values
        z = NormalDist().inv_cdf(0.5 + self.level / 2)
        low, high = b - z * se, b + z * se
        effects = self._effects(design, fitted)
        truths = [truth.get(term) for term in design.terms]
        seen = (design.matrix != 0).astype(np.float64)
        columns = {
            "signal": design.terms,
            "coefficient": b,
            "standard_error": se,
            "z": b / se,
            "p_value": p,
            "p_adjusted": [None, *holm(p[1:])],
            "ci_low": low,
            "ci_high": high,
            "odds_ratio": np.exp(b),
            "odds_ratio_low": np.exp(low),
            "odds_ratio_high": np.exp(high),
            "average_marginal_effect": [effect for effect, _ in effects],
            "average_marginal_effect_se": [error for _, error in effects],
            "truth": truths,
            "covered": [None if t is None else bool(a <= t <= c) for a, t, c in zip(low, truths, high, strict=True)],
            "n_seen": (design.n_visits @ seen).astype(np.int64),
            "requests_seen": (design.n_requests @ seen).astype(np.int64),
        }
        return pl.DataFrame([pl.Series(name, columns[name], dtype=t) for name, t in COEFFICIENT_SCHEMA.items()])

    def _effects(self, design: Design, fitted: LogitFit) -> list[tuple[float | None, float | None]]:
        yes_or_no = {signal.name: signal.dtype == pl.Boolean() for signal in self.signals}
        effects = MarginalEffects(design, fitted)
        return [
            effects.average(term, yes_or_no=yes_or_no[term]) if term in yes_or_no else (None, None)
            for term in design.terms
        ]


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for their number, so that any false alarm has at most the nominal probability.

    What is not a number stays so and is not counted. Source: S. Holm, Scandinavian Journal of Statistics 6 (1979)
    65–70.

    Args:
        p_values: Probabilities, any of them NaN.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def area_under_curve(outcome: Floats, score: Floats) -> float:
    """Return the share of pairs of one and zero that the score ranks rightly, ties counting half.

    Source: J. A. Hanley and B. J. McNeil, Radiology 143 (1982) 29–36 (the Mann–Whitney statistic).

    Args:
        outcome: Ones and zeros, at least one of each.
        score: One number each; higher for a likelier one.
    """
    return _area_under_curve(outcome, 1 - outcome, score)


def _area_under_curve(n_ones: Floats, n_zeros: Floats, score: Floats) -> float:
    """The area under the curve where each score stands for many ones and zeros."""
    distinct, place = np.unique(score, return_inverse=True)
    ones, zeros = (np.bincount(place, n, minlength=len(distinct)) for n in (n_ones, n_zeros))
    below = np.cumsum(zeros) - zeros
    return float(ones @ (below + zeros / 2) / (ones.sum() * zeros.sum()))


def _clusters(visits: pl.DataFrame) -> NDArray[np.int64] | None:
    """Number the clusters of the visits: account, else visitor; none when no account, or only one cluster, is known."""
    if "account" not in visits.columns or visits["account"].is_null().all():
        return None
    account = _numbered(visits["account"])
    alone = account.is_null()
    numbers = account.fill_null(0).to_numpy(writable=True)
    numbers[alone.to_numpy()] = numbers.max() + 1 + _numbered(visits["anonymous_id"].filter(alone)).to_numpy()
    return numbers if numbers.max() > 0 else None


def _numbered(names: pl.Series) -> pl.Series:
    """Numbers from 0 by name: sums over clusters are made in this order, and their last digits depend on it."""
    distinct = names.cast(pl.String).unique().drop_nulls().sort()
    return names.cast(pl.String).cast(pl.Enum(distinct)).to_physical().cast(pl.Int64)


def _cautions(design: Design, visits: pl.DataFrame, clusters: NDArray[np.int64] | None) -> tuple[str, ...]:
    n_requests, n_terms = int(design.outcome.sum()), len(design.terms) - 1
    rarer = min(n_requests, len(design.outcome) - n_requests)
    cautions = []
    if rarer < _FEW_EVENTS_PER_TERM * n_terms:
        cautions.append(
            f"{n_requests} requests for {n_terms} terms: fewer than {_FEW_EVENTS_PER_TERM} a term, so coefficients are "
            "biased away from 0 and intervals too narrow"
        )
    if clusters is None and _n_unique(visits, "account") == 1:
        cautions.append("all visits belong to one account, so standard errors cannot allow for what its people share")
    if clusters is not None and clusters.max() + 1 < _FEW_CLUSTERS:
        cautions.append(
            f"{clusters.max() + 1} accounts are few (fewer than {_FEW_CLUSTERS}): cluster-robust standard errors are "
            "too small"
        )
    return tuple(cautions)


def _log_likelihood_of_intercept(n_requests: int, n: int) -> float:
    p = n_requests / n
    return float(n_requests * np.log(p) + (n - n_requests) * np.log1p(-p))


def _n_unique(visits: pl.DataFrame, column: str) -> int:
    return visits[column].drop_nulls().n_unique() if column in visits.columns else 0
