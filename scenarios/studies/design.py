"""The design of a study: which combinations of its factors are run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

from scenarios.studies.settings import DesignSettings, Factor, FactorValue

Floats = NDArray[np.float64]
Values = dict[str, FactorValue]
"""Values of factors, by dotted path; a factor that is not named keeps the value of the scenario."""

_MORRIS_LEVELS: Final = 4
MORRIS_STEP: Final = _MORRIS_LEVELS / (2 * (_MORRIS_LEVELS - 1))
"""Step of a Morris trajectory, as a share of the factor's range: half the levels."""


def design_values(factors: Mapping[str, Factor], design: DesignSettings, seed: int) -> list[Values]:
    """Return the values of the factors at each design point, in order.

    Args:
        factors: The varied settings, by dotted path.
        design: Which combinations.
        seed: Seed of the design's own randomness.

    >>> design_values({"clock.hours": Factor(categorical=(24, 48))}, DesignSettings(), seed=1)
    [{'clock.hours': 24}, {'clock.hours': 48}]
    """
    if not factors:
        return [{}]
    if design.kind == "one-at-a-time":
        return [{}, *({path: level} for path, factor in factors.items() for level in factor.levels)]
    if design.kind == "full-factorial":
        levels = (factor.levels for factor in factors.values())
        return [dict(zip(factors, combination, strict=True)) for combination in product(*levels)]
    shares = unit_design(design, len(factors), seed)
    return [
        {path: factor.at(share) for (path, factor), share in zip(factors.items(), row.tolist(), strict=True)}
        for row in shares
    ]


def unit_design(design: DesignSettings, n_factors: int, seed: int) -> Floats:
    """A design in the unit cube: the share of each factor's distribution that lies below its value.

    Args:
        design: A design that has ``samples``.
        n_factors: How many factors there are.
        seed: Seed of the design's own randomness.

    Returns:
        Shape (points, factors). With ``morris`` each trajectory is factors + 1 points in a row. With ``saltelli`` each
        base sample is factors + 2 points in a row: the point of the matrix A, that point with each factor in turn
        taken from B, and the point of B; with ``second_order``, before the last, that of B with each factor in turn
        taken from A.
    """
    # SciPy loads scipy.stats, which takes half a second, when it is named; few designs need it.
    qmc = scipy.stats.qmc
    n = design.samples or 1
    if design.kind == "morris":
        return _trajectories(n, n_factors, np.random.default_rng(seed))
    if design.kind == "latin-hypercube":
        return np.asarray(qmc.LatinHypercube(n_factors, rng=seed).random(n))
    if design.kind == "sobol":
        return np.asarray(qmc.Sobol(n_factors, rng=seed).random(n))
    # One sequence of twice as many dimensions makes the matrices A and B independent of each other.
    pairs = qmc.Sobol(2 * n_factors, rng=seed).random(n)
    a, b = pairs[:, :n_factors], pairs[:, n_factors:]
    swapped = [(a, b), (b, a)] if design.second_order else [(a, b)]
    mixed = [np.where(np.arange(n_factors) == j, taken, kept) for kept, taken in swapped for j in range(n_factors)]
    return np.stack([a, *mixed, b], axis=1).reshape(-1, n_factors)


def _trajectories(n: int, n_factors: int, rng: np.random.Generator) -> Floats:
    """Random trajectories that change one factor at a step.

    Source: M. D. Morris, Technometrics 33 (1991) 161–174, with four levels.
    """
    trajectories = np.empty((n, n_factors + 1, n_factors))
    for trajectory in trajectories:
        start = rng.integers(0, _MORRIS_LEVELS // 2, n_factors) / (_MORRIS_LEVELS - 1)
        # Each factor moves once, up or down by the same step, from a level that leaves room for it.
        upwards = rng.integers(0, 2, n_factors) == 1
        point = np.where(upwards, start, start + MORRIS_STEP)
        trajectory[0] = point
        for step, factor in enumerate(rng.permutation(n_factors), 1):
            point[factor] += MORRIS_STEP if upwards[factor] else -MORRIS_STEP
            trajectory[step] = point
    return trajectories.reshape(-1, n_factors)
