"""Wild cluster score bootstrap: tests and intervals of one coefficient with few clusters, without refitting.

The model is fitted once with the coefficient held at the tested value. Each draw multiplies the scores of every cluster
by a random weight of mean 0 and variance 1, which keeps what visits of a cluster have in common. Sources: P. Kline and
A. Santos, Journal of Econometric Methods 1 (2012) 23–41; six-point weights for few clusters: M. D. Webb, Canadian
Journal of Economics 56 (2023) 839–858.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import expit

from analytics.errors import ConvergenceError, IntentModelError, TooFewVisitsError
from analytics.logit.design import Design
from analytics.logit.estimation import Estimate
from analytics.logit.likelihood import information, maximum
from analytics.logit.matrix import Floats, Integers
from analytics.logit.robust import MIN_CLUSTERS, sums_by_cluster
from analytics.logit.scaling import Scaling

_ENOUGH_FOR_SIGNS: Final = 12
"""Clusters from which random signs give enough different draws."""

_SIX_POINTS: Final[Floats] = np.sqrt([0.5, 1.0, 1.5])
"""Sizes of the weights for fewer, each with either sign."""

_WEIGHTS_AT_ONCE: Final = 1 << 22
_FURTHEST: Final = 64.0
"""Largest distance of an interval's end from the estimate, in standard errors without regard to clusters."""

_STEPS: Final = 20
"""Halvings of the bracket of an interval's end: a millionth of it is left."""


@dataclass(frozen=True)
class WildBootstrap:
    """A test of one coefficient, and an interval by inversion of such tests.

    Args:
        term: Name of the term.
        value: Tested value of its coefficient.
        p_value: P-value of the two-sided test.
        ci_low: Lower end of the interval; None where it has none, as with very few accounts.
        ci_high: Upper end, likewise.
        n_draws: Number of draws.
    """

    term: str
    value: float
    p_value: float
    ci_low: float | None
    ci_high: float | None
    n_draws: int


def wild_bootstrap(
    design: Design,
    estimate: Estimate,
    clusters: Integers | None,
    *,
    term: str,
    value: float,
    level: float,
    n_draws: int,
) -> WildBootstrap:
    """Test that the coefficient of a term has a value, and find the values that are not rejected.

    Args:
        design: Design of the model.
        estimate: Its maximum-likelihood estimate.
        clusters: Number of each visit's cluster, from 0.
        term: Name of a term.
        value: Tested value.
        level: Confidence level of the interval, between 0 and 1.
        n_draws: Number of draws, at least 99; their random numbers are always the same.

    Raises:
        IntentModelError: The term is not in the model, the likelihood is penalised, visits are taken as independent, or
            the draws are too few.
        TooFewVisitsError: There are fewer than three clusters.
        ConvergenceError: The model without the term could not be fitted.
    """
    if term not in design.terms:
        raise IntentModelError(f"term: must be one of the model (got {term!r}); it has {', '.join(design.terms)}")
    if clusters is None or estimate.estimator == "firth":
        why = "accounts are not known" if clusters is None else "the likelihood is penalised"
        raise IntentModelError(f"the wild bootstrap is of clusters at a maximum of the likelihood, but {why}")
    if n_draws < 99:  # noqa: PLR2004 - for 5 %, four lie on each side
        raise IntentModelError(f"n_draws: must be at least 99 (got {n_draws})")
    if (n_clusters := int(clusters.max()) + 1) < MIN_CLUSTERS:
        raise TooFewVisitsError(f"{n_clusters} accounts are too few for a bootstrap of accounts; observe more")
    tests = _Tests(design, clusters, design.terms.index(term), estimate.fit.coefficients, n_draws)
    at = float(estimate.fit.coefficients[tests.place])
    low, high = (tests.end(at, side, level) for side in (-1.0, 1.0))
    return WildBootstrap(term, value, tests.p_value(value), low, high, n_draws)


@dataclass(frozen=True, eq=False)
class _Tests:
    """Tests of all values of one coefficient, with the same random numbers."""

    design: Design
    clusters: Integers
    place: int
    coefficients: Floats
    n_draws: int

    def p_value(self, value: float) -> float:
        """P-value of the test of a value: the share of draws whose statistic is at least as large."""
        scores, _ = self._scores(value)
        observed = _squared_t(np.ones((1, len(scores))), scores)[0]
        # Draws equal to the observed one must count, whichever way they were rounded.
        larger = sum(int((_squared_t(weights, scores) >= observed * (1 - 1e-9)).sum()) for weights in self._weights())
        return (1 + larger) / (1 + self.n_draws)

    def end(self, at: float, side: float, level: float) -> float | None:
        """The end of the interval on one side of the estimate; None where no value so far is rejected."""
        inner, step = at, self._scores(at)[1]
        outer = at + 2 * side * step
        while self.p_value(outer) > 1 - level:
            inner, outer = outer, at + 2 * (outer - at)
            if abs(outer - at) > _FURTHEST * step:
                return None
        for _ in range(_STEPS):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if self.p_value(middle) > 1 - level else (inner, middle)
        return (inner + outer) / 2

    def _scores(self, value: float) -> tuple[Floats, float]:
        """Effective scores of the coefficient by cluster at a value, and its nonrobust standard error."""
        design = self.design
        others = [place for place in range(len(design.terms)) if place != self.place]
        rest, column = design.matrix.choose(others), design.matrix.column(self.place)
        b = maximum(rest, design.n_visits, design.n_requests, self.coefficients[others], value * column)
        if b is None:
            raise ConvergenceError(f"the model with {design.terms[self.place]} held at {value:g} has no maximum")
        p = expit(rest @ b + value * column)
        scaling = Scaling.of(design.matrix)
        scaled = replace(design, matrix=scaling.apply(design.matrix))
        residuals = design.outcome - design.by_visit(p)
        scores = np.vstack(list(sums_by_cluster(scaled, residuals, self.clusters)))
        # The part of the score that no other coefficient could explain.
        inverse = np.linalg.inv(information(scaled.matrix, design.n_visits, p))[self.place]
        return scores @ inverse, float(np.sqrt(inverse[self.place]) / scaling.size[self.place])

    def _weights(self) -> Iterator[Floats]:
        """Weights of the clusters, draws × clusters, in blocks."""
        rng, n_clusters = np.random.default_rng(0), int(self.clusters.max()) + 1
        size = max(1, _WEIGHTS_AT_ONCE // n_clusters)
        for begin in range(0, self.n_draws, size):
            shape = min(size, self.n_draws - begin), n_clusters
            signs = rng.integers(0, 2, shape) * 2.0 - 1
            sizes = np.ones(shape) if n_clusters >= _ENOUGH_FOR_SIGNS else rng.choice(_SIX_POINTS, shape)
            yield np.asarray(signs * sizes, np.float64)


def _squared_t(weights: Floats, scores: Floats) -> Floats:
    """Squared t statistics of weighted scores of clusters, one for each draw."""
    total, squares = weights @ scores, weights**2 @ scores**2
    return np.asarray(total**2 / (squares - total**2 / len(scores)))
