"""PAWN indices: how much the distribution of a response changes where a factor is fixed, beside a dummy factor's."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.output_analysis.point_values import point_values
from scenarios.output_analysis.results import StudyResults
from scenarios.studies.design import unit_design

Floats = NDArray[np.float64]

_MOST_SLICES: Final = 10
_POINTS_A_SLICE: Final = 10
_MIN_POINTS: Final = 50
"""Points without which there are no indices: five slices of ten points each."""

_PERMUTATIONS: Final = 200
_LEVEL: Final = 0.95


def pawn_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Return PAWN indices of each factor, from a study with a Latin hypercube or a Sobol sequence.

    Small samples differ even where a factor has no effect. So each factor is compared with a dummy: the same slices,
    filled with the responses at random.

    Args:
        results: Results of the study, of 50 points or more.
        response: Name of a response.

    Returns:
        One row per factor: ``median`` and ``maximum``, over slices of the factor, of the Kolmogorov–Smirnov distance
        between the response's distribution within the slice and over all points; ``dummy``, the mean of this median
        over 200 dummies, and ``noise_floor``, what the dummy's exceeds in 5 %; and whether the factor is
        ``above_noise``. The range is cut into a slice for every ten points, and ten at most.

    Raises:
        InputError: The design is neither of the two, it has fewer than 50 points, or a point has no number.
    """
    means = point_values(results, response, "latin-hypercube", "sobol").mean(axis=1)
    settings = results.plan.settings
    if len(means) < _MIN_POINTS:
        raise InputError(
            f"PAWN indices need {_MIN_POINTS} points or more (got {len(means)}), five slices of ten each: "
            "distributions of fewer points differ by chance"
        )
    shares = unit_design(settings.design, len(settings.factors), settings.seed)
    n_slices = min(_MOST_SLICES, len(means) // _POINTS_A_SLICE)
    distances, dummies = pawn_shares(shares, means, n_slices), dummy_medians(shares, means, n_slices)
    median, floor = np.nanmedian(distances, axis=1), np.quantile(dummies, _LEVEL, axis=1)
    return pl.DataFrame(
        {
            "factor": list(settings.factors),
            "median": median,
            "maximum": np.nanmax(distances, axis=1),
            "dummy": dummies.mean(axis=1),
            "noise_floor": floor,
            "above_noise": median > floor,
        }
    )


def pawn_shares(shares: Floats, values: Floats, n_slices: int = _MOST_SLICES) -> Floats:
    """Return Kolmogorov–Smirnov distances between a response within slices of each factor and over all points.

    The shape is factors × slices; NaN where a slice has no points.

    Source: F. Pianosi and T. Wagener, Environmental Modelling & Software 108 (2018) 197–207.

    Args:
        shares: The design in the unit cube.
        values: The response at its points.
        n_slices: Slices of equal width that each factor's range is cut into.
    """
    order, last = _sorted(values)
    return np.stack([_distances(place[order], last, n_slices) for place in _slices(shares, n_slices)])


def dummy_medians(shares: Floats, values: Floats, n_slices: int, n_permutations: int = _PERMUTATIONS) -> Floats:
    """Return medians of the distances of factors that have nothing to do with the response, factors × permutations.

    Source: S. Khorashadi Zadeh et al., Environmental Modelling & Software 91 (2017) 210–222, for the dummy.

    Args:
        shares: The design in the unit cube.
        values: The response at its points.
        n_slices: Slices of equal width that each factor's range is cut into.
        n_permutations: Number of dummies of each factor.
    """
    # A fixed seed, so that the same results always have the same floor.
    rng, (_, last) = np.random.default_rng(0), _sorted(values)
    medians: dict[tuple[int, ...], list[float]] = {}
    found = []
    for place in _slices(shares, n_slices):
        # Dummies differ by the sizes of their slices only, and most factors have the same.
        sizes = tuple(sorted(np.bincount(place, minlength=n_slices).tolist()))
        if sizes not in medians:
            permuted = (rng.permutation(place) for _ in range(n_permutations))
            medians[sizes] = [float(np.nanmedian(_distances(each, last, n_slices))) for each in permuted]
        found.append(medians[sizes])
    return np.array(found)


def _slices(shares: Floats, n_slices: int) -> NDArray[np.int64]:
    """The slice of each point, factors × points."""
    return np.minimum((shares.T * n_slices).astype(np.int64), n_slices - 1)


def _sorted(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order of the values, and the place of the last of each group of equal ones in it."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(values[order]) != 0, True))


def _distances(place: NDArray[np.int64], last: NDArray[np.int64], n_slices: int) -> Floats:
    """Distances of each slice, from the slices of the points in the order of their values."""
    counts = np.cumsum(place[:, np.newaxis] == np.arange(n_slices), axis=0)[last]
    with np.errstate(invalid="ignore"):
        within = counts / counts[-1]
    return np.asarray(np.abs(within - ((last + 1) / len(place))[:, np.newaxis]).max(axis=0))
