"""Claims about p-values of many tests."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from analytics.statistics.multiplicity import benjamini_hochberg, holm

METHODS = [(holm, "holm"), (benjamini_hochberg, "fdr_bh")]
Adjust = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@pytest.mark.parametrize(("adjust", "name"), METHODS)
@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_adjusted_p_values_equal_statsmodels(adjust: Adjust, name: str, n: int):
    """Adjusted p-values are those of statsmodels, also where some are equal."""
    p_values = np.round(np.random.default_rng(n).random(n) ** 3, 1 if n == 16 else 6)
    np.testing.assert_allclose(adjust(p_values), multipletests(p_values, method=name)[1], rtol=1e-12)


@pytest.mark.parametrize(("adjust", "second"), [(holm, 0.04), (benjamini_hochberg, 0.04)])
def test_what_is_not_a_number_does_not_count(adjust: Adjust, second: float):
    """A NaN stays NaN and makes the others no worse: of two tests 0.01 becomes 0.02."""
    np.testing.assert_allclose(adjust(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, second])
