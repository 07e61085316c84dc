"""Values of a response at the points of a design, as sensitivity indices need them: none missing, paired by draw."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.output_analysis.results import StudyResults

Floats = NDArray[np.float64]


def point_values(results: StudyResults, response: str, *designs: str) -> Floats:
    """Return the values of a response, design points × replications.

    Under common random numbers replication r has the same random numbers at every point. So where points have different
    numbers of replications, only those are returned that all of them have.

    Args:
        results: Results of the study.
        response: Name of a response.
        designs: The designs that will do.

    Raises:
        InputError: The design is not one of these, there is no such response, or a value is missing: an index
            computed without it would be wrong, and nothing would show it.
    """
    kind = results.plan.settings.design.kind
    if kind not in designs or len(results.plan.loaded.scenarios) > 1:
        raise InputError(f"this needs a study of one scenario with the design {' or '.join(designs)} (got {kind})")
    rows = results.replications.filter(response=response)
    if rows.is_empty():
        raise InputError(f"there is no response {response!r}; there are {', '.join(results.plan.responses)}")
    numbers = rows.group_by("point").len()["len"].to_list()
    rows = rows.filter(pl.col("replication") < min(numbers))
    if len(numbers) < len(results.plan.points) or rows["value"].null_count():
        raise InputError(
            f"{response} has no number in some replications, and an index computed around them would be wrong; "
            "choose a response that always has one, or narrower factors"
        )
    return rows.sort("point", "replication")["value"].to_numpy().reshape(len(numbers), -1)


def noise_share(values: Floats) -> float:
    """Return the Monte-Carlo variance of the points' means as a share of the variance between these means.

    Args:
        values: Points × replications.

    Returns:
        NaN for a single replication, or where the means do not vary.
    """
    n = values.shape[1]
    between = float(np.var(np.mean(values, axis=1), ddof=1))
    if n == 1 or between == 0:
        return float("nan")
    within = float(np.mean(np.var(values, axis=1, ddof=1)))
    return float(min(within / n / between, 1.0))
