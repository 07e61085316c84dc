"""Claims about p-values of many tests."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from other_processes import printed_by

from analytics.statistics.multiplicity import benjamini_hochberg, holm

Adjust = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def holm_by_definition(p: NDArray[np.float64], i: int) -> float:
    """The largest of the p-values up to this one, each times the number of those that are not smaller."""
    return min(1.0, max(float(q) * int((p >= q).sum()) for q in p if q <= p[i]))


def benjamini_hochberg_by_definition(p: NDArray[np.float64], i: int) -> float:
    """The smallest of the p-values from this one on, each times the number of tests by its rank."""
    return min(1.0, *(float(q) * len(p) / int((p <= q).sum()) for q in p if q >= p[i]))


@pytest.mark.parametrize(
    ("adjust", "definition"), [(holm, holm_by_definition), (benjamini_hochberg, benjamini_hochberg_by_definition)]
)
@pytest.mark.parametrize("n", [0, 1, 2, 5, 16])
def test_adjusted_p_values_follow_the_definition(
    adjust: Adjust, definition: Callable[[NDArray[np.float64], int], float], n: int
):
    """Adjusted p-values equal their definition, also where some are equal; NaN stays NaN and is not a test."""
    p = np.round(np.random.default_rng(n).random(n) ** 3, 1 if n == 16 else 6)
    expected = [definition(p, i) for i in range(n)]
    np.testing.assert_allclose(adjust(p), expected, rtol=1e-12)
    np.testing.assert_allclose(adjust(np.append(np.nan, p)), [np.nan, *expected], rtol=1e-12)


def test_counts_do_not_wait_for_statsmodels():
    """Importing the statistics and the analysis loads no statsmodels, which takes a second."""
    code = "import analytics, analytics.analysis, analytics.statistics.segment_content, sys; print(*sys.modules)"
    loaded = printed_by(code).split()
    assert "analytics.statistics.multiplicity" in loaded
    assert "statsmodels" not in loaded
