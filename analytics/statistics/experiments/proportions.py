"""Two proportions: the difference and the ratio with their intervals, the score test, and the power of that test.

statsmodels computes them; counts may be fractions, as the effective ones of visitors who are not independent are.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TwoProportions:
    """How a proportion differs from that of the reference.

    Args:
        difference: Difference of the proportions.
        difference_low: Lower end of its interval, by Newcombe's hybrid score method.
        difference_high: Upper end.
        ratio: The proportion by that of the reference; None where either is 0 or 1, and so are the ends.
        ratio_low: Lower end of its interval, by Koopman's score method.
        ratio_high: Upper end.
        p_value: P-value of the score test that they are equal; None where it has no variance: all succeed, or none.
    """

    difference: float
    difference_low: float
    difference_high: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p_value: float | None


def compare_proportions(
    successes: float, n: float, reference_successes: float, reference_n: float, level: float = 0.95
) -> TwoProportions:
    """Compare a proportion with that of the reference.

    Sources: R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890, method 10 (difference); P. A. R. Koopman,
    Biometrics 40 (1984) 513–517, and O. Miettinen and M. Nurminen, Statistics in Medicine 4 (1985) 213–226 (ratio, and
    the test, with their correction n / (n − 1) of the variance). The interval of the ratio excludes 1 exactly where the
    test is significant; that of the difference may disagree with both in the second digit of p.

    Args:
        successes: Successes, from 0 to ``n``.
        n: Trials, above 0.
        reference_successes: Successes of the reference.
        reference_n: Trials of the reference, above 0.
        level: Confidence level, between 0 and 1.

    >>> found = compare_proportions(56, 70, 48, 80)
    >>> round(found.difference, 4), round(found.difference_low, 4), round(found.difference_high, 4)
    (0.2, 0.0524, 0.3339)
    """
    # Takes a second to import; counts and rates must not wait for it.
    from statsmodels.stats.proportion import confint_proportions_2indep, score_test_proportions_2indep  # noqa: PLC0415

    counts, alpha = (successes, n, reference_successes, reference_n), 1 - level
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff", alpha=alpha)
    ratio = ratio_low = ratio_high = p_value = None
    # statsmodels' roots are of no use where all succeed in an arm.
    if 0 < successes < n and 0 < reference_successes < reference_n:
        ratio = successes / n / (reference_successes / reference_n)
        ratio_low, ratio_high = map(
            float, confint_proportions_2indep(*counts, method="score", compare="ratio", alpha=alpha)
        )
    if 0 < successes + reference_successes < n + reference_n:
        p_value = float(score_test_proportions_2indep(*counts).pvalue)
    difference = successes / n - reference_successes / reference_n
    return TwoProportions(difference, float(low), float(high), ratio, ratio_low, ratio_high, p_value)
