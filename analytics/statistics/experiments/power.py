"""Power of an experiment: how many visitors show a difference of two conversion rates, and which difference they show.

The test of two proportions has the pooled variance under the null hypothesis and the unpooled one under the
alternative. Source: J. L. Fleiss, B. Levin and M. C. Paik, Statistical Methods for Rates and Proportions (3rd ed.,
2003), chapter 4, without continuity correction.
"""

from __future__ import annotations

from typing import Final

POWER: Final = 0.8
"""Usual target: the probability that a difference that exists is significant."""

ALPHA: Final = 0.05
"""Usual level of significance, of a two-sided test."""


def power_of_test(conversion: float, difference: float, n: float, reference_n: float, *, alpha: float = ALPHA) -> float:
    """Return the probability that a difference is significant.

    Args:
        conversion: Conversion in the reference arm, between 0 and 1.
        difference: Conversion in the other arm minus that.
        n: Visitors in the other arm.
        reference_n: Visitors in the reference arm.
        alpha: Significance level of the two-sided test.

    >>> round(power_of_test(0.02, 0.004, 21_108, 21_108), 3)
    0.8
    """
    from statsmodels.stats.proportion import power_proportions_2indep  # noqa: PLC0415 - slow to import

    ratio = reference_n / n
    return float(power_proportions_2indep(difference, conversion, n, ratio, alpha, return_results=False))


def visitors_needed(
    conversion: float, difference: float, *, ratio: float = 1.0, power: float = POWER, alpha: float = ALPHA
) -> float:
    """Return the visitors in an arm that show a difference with the target power.

    Args:
        conversion: Conversion in the reference arm, between 0 and 1.
        difference: Conversion in the other arm minus that; not 0.
        ratio: Visitors in the reference arm by those in the other.
        power: Target power.
        alpha: Significance level of the two-sided test.

    >>> round(visitors_needed(0.02, 0.004))
    21108
    """
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail  # noqa: PLC0415 - slow to import

    return float(samplesize_proportions_2indep_onetail(difference, conversion, power, ratio, alpha))


def detectable_difference(
    conversion: float, n: float, reference_n: float, *, power: float = POWER, alpha: float = ALPHA
) -> float | None:
    """Return the smallest increase of conversion that so many visitors show with the target power.

    Args:
        conversion: Conversion in the reference arm.
        n: Visitors in the other arm.
        reference_n: Visitors in the reference arm.
        power: Target power.
        alpha: Significance level of the two-sided test.

    Returns:
        The difference; None where there is no conversion to begin with, or no increase is large enough.

    >>> round(detectable_difference(0.02, 21_108, 21_108), 4)
    0.004
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import

    def missing(difference: float) -> float:
        return power_of_test(conversion, difference, n, reference_n, alpha=alpha) - power

    least, most = 1e-9, 1 - conversion - 1e-9
    if not 0 < conversion < 1 or missing(most) < 0:
        return None
    return float(brentq(missing, least, most, xtol=1e-9))
