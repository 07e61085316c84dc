"""The intent model with a random intercept by account: effects within accounts that differ in what no signal shows.

The log-odds of a visit are those of the intent model plus σ u, where u is standard normal, one for each account, and 0
for visitors without one: a partially nested design. The coefficients of the intent model are averages over accounts
that differ so, and are closer to 0 than these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import chdtrc, expit, logsumexp

from analytics.errors import ConvergenceError, IntentModelError, TooFewVisitsError
from analytics.intent.fit_context import FitContext
from analytics.logit.clusters import ACCOUNT_COLUMNS
from analytics.logit.design import Design
from analytics.logit.fit import quantile, two_sided
from analytics.logit.matrix import Floats, Integers
from analytics.logit.robust import MIN_CLUSTERS
from analytics.logit.scaling import Scaling

_NODES: Final = 25
"""Nodes of the quadrature, which is adapted to each account."""

_MODE_STEPS: Final = 50
_SHORT: Final = 1e-10
"""Step of a search at which it ends."""

_NOT_WORSE: Final = 1e-2
"""Log-likelihood that a step may lose."""

_GRADIENT: Final = 1e-5
"""Gradient of the log-likelihood, per coefficient on a common scale, at which it is taken as 0."""

_FACTOR: Final = (16 * np.sqrt(3) / (15 * np.pi)) ** 2
"""0.346: square of the factor by which a normal curve is closest to the logistic one."""


@dataclass(frozen=True, eq=False)
class RandomIntercept:
    """A fit with a random intercept by account.

    Args:
        coefficients: One row per term: ``signal``; ``coefficient`` within an account, with ``standard_error``,
            ``p_value`` of its z test and the interval ``ci_low`` to ``ci_high``; ``averaged``, what it is on average
            over accounts by ``attenuation``; and ``ordinary``, the coefficient of the intent model, which estimates
            that average without the formula.
        standard_deviation: Of the intercept, σ, in log-odds; 0 where accounts are no more different than by chance.
        standard_error: Of σ; None where σ is 0.
        log_likelihood: Natural logarithm of the likelihood.
        statistic: Likelihood-ratio statistic of the test that σ is 0.
        p_value: Of that test: half the probability of a larger χ² with 1 degree of freedom, because σ = 0 is at the
            edge of what is possible; 1 where σ is estimated as 0.
        n_accounts: Number of accounts.
        level: Confidence level of the intervals.
        warnings: What to know before using them.
    """

    coefficients: pl.DataFrame = field(repr=False)
    standard_deviation: float
    standard_error: float | None
    log_likelihood: float
    statistic: float
    p_value: float
    n_accounts: int
    level: float
    warnings: tuple[str, ...] = ()

    @property
    def attenuation(self) -> float:
        """Factor from coefficients within accounts to averages over accounts, 1 / √(1 + 0.346 σ²), approximately."""
        return _attenuation(self.standard_deviation)


def random_intercept(basis: FitContext) -> RandomIntercept:
    """Fit the intent model with a normal random intercept by account, by maximum likelihood.

    Visitors without an account have the intercept of an average account, not one of their own: D. J. Bauer, S. K.
    Sterba and D. D. Hallfors, Multivariate Behavioral Research 43 (2008) 210–236.

    The likelihood of an account is integrated by adaptive Gauss–Hermite quadrature (J. C. Pinheiro and D. M. Bates,
    Journal of Computational and Graphical Statistics 4 (1995) 12–35), and standard errors are from the observed
    information (T. A. Louis, JRSS B 44 (1982) 226–233). The test of σ is by S. G. Self and K.-Y. Liang, JASA 82 (1987)
    605–610; averages over accounts by S. L. Zeger, K.-Y. Liang and P. S. Albert, Biometrics 44 (1988) 1049–1060.

    Args:
        basis: A fit by maximum likelihood, with accounts.

    Raises:
        IntentModelError: No account is known, or the likelihood is penalised.
        TooFewVisitsError: There are fewer than three accounts, or none of them has two visits.
        ConvergenceError: The maximisation did not converge.
    """
    if basis.clusters is None:
        raise IntentModelError("no account is known, so that none can have an intercept of its own")
    if basis.estimate.estimator == "firth":
        raise IntentModelError("the likelihood is penalised, of which there is no model with a random intercept")
    accounts = next(basis.people[name] for name in ACCOUNT_COLUMNS if name in basis.people.columns)
    n_accounts, n_visits = accounts.drop_nulls().n_unique(), accounts.count()
    if n_accounts < MIN_CLUSTERS or n_accounts == n_visits:
        raise TooFewVisitsError(
            f"{n_accounts:,} accounts with {n_visits:,} visits do not show how accounts differ; "
            "at least three accounts, and some with several visits, are needed"
        )
    scaling = Scaling.of(basis.design.matrix)
    start, ordinary = scaling.scaled(basis.estimate.fit.coefficients), basis.estimate.fit.log_likelihood
    likelihood = _Likelihood.of(basis.design, basis.clusters, accounts.is_not_null().to_numpy(), scaling)
    found = _maximum(likelihood, np.append(start, 1.0))
    value, _, information = likelihood(found)
    if value - ordinary <= _GRADIENT:
        # The maximum is at the edge, where the model is the ordinary one.
        found, value = np.append(start, 0.0), ordinary
        covariance = np.linalg.inv(likelihood(found)[2][:-1, :-1])
    else:
        covariance = np.linalg.inv(information)
    deviation, statistic = abs(float(found[-1])), 2 * (value - ordinary)
    errors = np.sqrt(np.diag(scaling.covariance(np.asarray(covariance[: len(start), : len(start)], np.float64))))
    return RandomIntercept(
        coefficients=_table(basis, scaling.coefficients(found[:-1]), errors, _attenuation(deviation)),
        standard_deviation=deviation,
        standard_error=float(np.sqrt(covariance[-1, -1])) if deviation else None,
        log_likelihood=value,
        statistic=statistic,
        p_value=float(chdtrc(1, statistic)) / 2 if deviation else 1.0,
        n_accounts=n_accounts,
        level=basis.level,
        warnings=_without_account(accounts),
    )


def _without_account(accounts: pl.Series) -> tuple[str, ...]:
    """Warn of visits without an account, which may have none because they ended in no request."""
    if not (n := accounts.null_count()):
        return ()
    alike = f"{n:,} of {len(accounts):,} visits have no known account, and are taken as alike but for their signals"
    advice = "leave them out where they are not; where a form or a request makes the account known"
    return (f"{alike}: {advice}, σ and the coefficients are biased",)


def _attenuation(deviation: float) -> float:
    return float(1 / np.sqrt(1 + _FACTOR * deviation**2))


def _table(basis: FitContext, coefficients: Floats, errors: Floats, attenuation: float) -> pl.DataFrame:
    many = np.full(len(errors), np.inf)
    half = quantile(basis.level, many) * errors
    return pl.DataFrame(
        {
            "signal": basis.design.terms,
            "coefficient": coefficients,
            "standard_error": errors,
            "p_value": two_sided(coefficients / errors, many),
            "ci_low": coefficients - half,
            "ci_high": coefficients + half,
            "averaged": coefficients * attenuation,
            "ordinary": basis.estimate.fit.coefficients,
        }
    )


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """The likelihood of coefficients and σ, with its gradient and the observed information.

    Args:
        x: Terms of the visits with an account, scaled.
        outcome: Whether these ended in a request.
        clusters: Number of the account of each.
        members: Which visits an account has, accounts × visits.
        x_alone: Terms of the visits without an account.
        outcome_alone: Whether those ended in a request.
    """

    x: Floats
    outcome: Floats
    clusters: Integers
    members: csr_array
    x_alone: Floats
    outcome_alone: Floats

    @classmethod
    def of(cls, design: Design, clusters: Integers, known: NDArray[np.bool_], scaling: Scaling) -> _Likelihood:
        x = scaling.apply(design.matrix).rows(np.arange(len(known)) if design.pattern is None else design.pattern)
        # Numbered anew: those of visitors without an account would be gaps.
        numbers = np.unique(clusters[known], return_inverse=True)[1]
        members = csr_array((np.ones(len(numbers)), (numbers, np.arange(len(numbers)))))
        return cls(x[known], design.outcome[known], numbers, members, x[~known], design.outcome[~known])

    def _sums(self, values: Floats) -> Floats:
        return np.asarray(self.members @ values)

    def __call__(self, parameters: Floats) -> tuple[float, Floats, Floats]:
        value, gradient, information = self._of_accounts(parameters)
        log_odds = self.x_alone @ parameters[:-1]
        p = expit(log_odds)
        gradient[:-1] += (self.outcome_alone - p) @ self.x_alone
        information[:-1, :-1] += (self.x_alone.T * (p * (1 - p))) @ self.x_alone
        return value + float((self.outcome_alone * log_odds - np.logaddexp(0.0, log_odds)).sum()), gradient, information

    def _of_accounts(self, parameters: Floats) -> tuple[float, Floats, Floats]:
        b, sigma = parameters[:-1], parameters[-1]
        eta = self.x @ b
        mode, spread = self._modes(eta, sigma)
        nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
        # Of all accounts at a node at a time: all nodes of all visits would take much memory.
        u = mode[:, np.newaxis] + np.sqrt(2) * spread[:, np.newaxis] * nodes
        terms = np.stack([self._log_joint(eta, sigma, at) for at in u.T], axis=1)
        terms += np.log(weights) + nodes**2 + np.log(spread)[:, np.newaxis] - np.log(np.pi) / 2
        by_account = logsumexp(terms, axis=1)
        shares = np.exp(terms - by_account[:, np.newaxis])
        n = len(parameters)
        mean, products, complete = np.zeros((len(mode), n)), np.zeros((n, n)), np.zeros((n, n))
        for share, at in zip(shares.T, u.T, strict=True):
            effect = at[self.clusters]
            z = np.column_stack([self.x, effect])
            p = expit(eta + sigma * effect)
            scores = self._sums(z * (self.outcome - p)[:, np.newaxis])
            mean += share[:, np.newaxis] * scores
            products += (scores * share[:, np.newaxis]).T @ scores
            complete += (z * (share[self.clusters] * p * (1 - p))[:, np.newaxis]).T @ z
        # Louis: the information of complete data, less the variance of their score given what is seen.
        return float(by_account.sum()), mean.sum(axis=0), complete - (products - mean.T @ mean)

    def _log_joint(self, eta: Floats, sigma: float, u: Floats) -> Floats:
        """Logarithm of the probability of each account's outcomes given its u, times the density of u by √(2π)."""
        log_odds = eta + sigma * u[self.clusters]
        return self._sums(self.outcome * log_odds - np.logaddexp(0.0, log_odds)) - u**2 / 2

    def _modes(self, eta: Floats, sigma: float) -> tuple[Floats, Floats]:
        """Most probable u of each account, and the standard deviation of the normal curve there."""
        u = np.zeros(self.members.shape[0])
        for _ in range(_MODE_STEPS):
            p = expit(eta + sigma * u[self.clusters])
            curvature = sigma**2 * self._sums(p * (1 - p)) + 1
            # The joint density is concave; a step of more than 1 may still leap over the mode of a large account.
            step = np.clip((sigma * self._sums(self.outcome - p) - u) / curvature, -1.0, 1.0)
            u += step
            if np.abs(step).max() < _SHORT:
                break
        return u, 1 / np.sqrt(curvature)


def _maximum(likelihood: _Likelihood, start: Floats) -> Floats:
    """Newton's method with the observed information, damped where it is not positive or a step gains nothing."""
    at, damping = start, 0.0
    value, gradient, information = likelihood(at)
    for _ in range(100):
        if np.abs(gradient).max() < _GRADIENT:
            return at
        scale = np.diag(np.abs(np.diag(information)) + 1.0)
        damped = information + damping * scale
        step = np.linalg.solve(damped, gradient) if np.linalg.eigvalsh(damped)[0] > 0 else None
        if step is not None and np.abs(step).max() < _SHORT:
            return at
        if step is not None:
            tried = likelihood(at + step)
            # Near the maximum a step gains less than the error of the quadrature, and leads there all the same.
            if tried[0] > value - _NOT_WORSE:
                at, (value, gradient, information), damping = at + step, tried, damping / 10
                continue
        damping = max(10 * damping, 1e-4)
    raise ConvergenceError("the likelihood with a random intercept has not converged; fit fewer signals")
