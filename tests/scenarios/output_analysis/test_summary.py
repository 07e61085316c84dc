"""Claims about summaries over replications: each is what an independent computation gives."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from scenarios.output_analysis.results import REPLICATIONS_SCHEMA
from scenarios.output_analysis.summary import differences, estimates, means, precision_remarks, ranks
from scenarios.studies.precision import Precision, PrecisionSettings

RNG = np.random.default_rng(8)
N = 40


def table(**responses: dict[int, np.ndarray]) -> pl.DataFrame:
    """A tidy table of responses, each a series of numbers by point; NaN stands for none."""
    rows = [
        (point, replication, name, None if math.isnan(value) else float(value))
        for name, points in responses.items()
        for point, values in points.items()
        for replication, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=REPLICATIONS_SCHEMA, orient="row").sort(
        "point", "replication", maintain_order=True
    )


def test_means_and_intervals_are_those_of_scipy():
    """Mean, standard error and t interval of the numbers that there are; what is missing is counted.

    Without a spread there is no interval, except of what is 0 or 1: that is a proportion, and has Wilson's.
    """
    x = RNG.normal(3.0, 2.0, N)
    x[[3, 5]] = np.nan
    row = means(table(x={0: x})).row(0, named=True)
    known = x[~np.isnan(x)]
    assert (row["n"], row["n_missing"]) == (N - 2, 2)
    assert row["mean"] == pytest.approx(known.mean())
    assert row["se"] == pytest.approx(stats.sem(known))
    interval = stats.t.interval(0.95, N - 3, known.mean(), stats.sem(known))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(interval)
    one, none = (means(table(x={0: np.array([number])})).row(0, named=True) for number in (2.0, np.nan))
    assert (one["mean"], one["se"], one["ci_low"], one["ci_high"]) == (2.0, None, None, None)
    assert (none["n"], none["mean"]) == (0, None)
    never, same = (means(table(x={0: np.full(20, number)})).row(0, named=True) for number in (0.0, 0.1))
    wilson = stats.binomtest(0, 20).proportion_ci(method="wilson")
    assert (never["mean"], never["ci_low"], never["ci_high"]) == (0.0, 0.0, pytest.approx(wilson.high))
    assert (same["ci_low"], same["ci_high"]) == (None, None)


def test_differences_are_paired():
    """The interval is that of a paired t test, and the variance saved is 1 − var(d) / (var + var).

    A replication counts only where both points have a number.
    """
    common, own = RNG.normal(0.0, 3.0, N), RNG.normal(1.0, 1.0, N)
    a, b = common, common + own
    row = differences(table(x={0: a, 1: b})).row(0, named=True)
    expected = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((expected.low, expected.high))
    assert row["variance_saved"] == pytest.approx(1 - own.var(ddof=1) / (a.var(ddof=1) + b.var(ddof=1)))
    a, b = np.array([1.0, np.nan, 3.0, 5.0]), np.array([2.0, 9.0, np.nan, 9.0])
    row = differences(table(x={0: a, 1: b})).row(0, named=True)
    assert (row["n"], row["difference"]) == (2, 2.5)


def test_differences_that_never_vary_have_no_interval():
    """Replications that all differ by one number, most often 0, do not say how rarely others would differ otherwise."""
    x = RNG.normal(0.0, 3.0, N)
    for shift in (0.0, 2.0):
        row = differences(table(x={0: np.round(x), 1: np.round(x) + shift})).row(0, named=True)
        assert (row["difference"], row["ci_low"], row["ci_high"]) == (shift, None, None)


def test_measures_of_estimates_are_those_of_their_definitions():
    """Bias, RMSE, empirical and mean SE, coverage, rejection and their Monte-Carlo errors, worked out by hand.

    Of a term that was never estimated the replications are counted as missing, and nothing else.
    """
    b, se = RNG.normal(0.6, 0.2, N), RNG.uniform(0.15, 0.25, N)
    truth, p = np.full(N, 0.5), 2 * stats.norm.sf(np.abs(b / se))
    covered = (np.abs(b - 0.5) <= 1.959964 * se).astype(float)
    columns = {
        "coefficient": b,
        "standard_error": se,
        "p_value": p,
        # Of few accounts, whose intervals are wider than those of the normal distribution.
        "ci_low": b - 2.3 * se,
        "ci_high": b + 2.3 * se,
        "ci_covers_truth": covered,
        "true_coefficient": truth,
    }
    columns["nonrobust_standard_error"] = se / 2
    row = estimates(table(**{f"{name}:x": {0: values} for name, values in columns.items()}), ["x"]).row(0, named=True)
    assert (row["n"], row["n_missing"], row["true_coefficient"]) == (N, 0, pytest.approx(0.5))
    assert row["bias"] == pytest.approx(b.mean() - 0.5)
    assert row["bias_mcse"] == pytest.approx(stats.sem(b))
    assert row["rmse"] == pytest.approx(math.sqrt(((b - 0.5) ** 2).mean()))
    assert row["empirical_se"] == pytest.approx(b.std(ddof=1))
    assert row["mean_se"] == pytest.approx(math.sqrt((se**2).mean()))
    assert row["mean_nonrobust_se"] == pytest.approx(row["mean_se"] / 2)
    assert row["coverage"] == covered.mean()
    assert row["coverage_mcse"] == pytest.approx(math.sqrt(covered.mean() * (1 - covered.mean()) / N))
    always = {"coefficient:x": b, "standard_error:x": se, "ci_covers_truth:x": np.ones(N)}
    of_all = estimates(table(**{name: {0: values} for name, values in always.items()}), ["x"]).row(0, named=True)
    assert (of_all["coverage"], of_all["coverage_mcse"]) == (1.0, None)
    assert row["bias_eliminated_coverage"] == (np.abs(b - b.mean()) <= 2.3 * se).mean()
    assert row["nonrobust_bias_eliminated_coverage"] == (np.abs(b - b.mean()) <= 1.959964 * se / 2).mean()
    assert row["rejected"] == (p < 0.05).mean()
    assert row["mean_z"] == pytest.approx(((b - 0.5) / se).mean())
    row = estimates(table(**{"coefficient:x": {0: np.full(3, np.nan)}}), ["x"]).row(0, named=True)
    assert (row["n"], row["n_missing"]) == (0, 3)
    assert all(value is None for name, value in row.items() if name not in {"point", "term", "n", "n_missing"})


def test_ranks_are_those_of_the_normal_distribution_and_need_a_truth():
    """Each is Φ of the standardised error; a replication without an estimate has none, nor a term without a truth."""
    b, se = RNG.normal(0.4, 1.0, N), RNG.uniform(0.5, 1.5, N)
    b[3] = np.nan
    data = table(**{
        "coefficient:x": {0: b}, "standard_error:x": {0: se}, "true_coefficient:x": {0: np.full(N, 0.4)},
        "coefficient:y": {0: b}, "standard_error:y": {0: se}, "true_coefficient:y": {0: np.full(N, np.nan)},
    })  # fmt: skip
    found = ranks(data, ["x", "y", "z"])
    assert {point: list(terms) for point, terms in found.items()} == {0: ["x"]}
    np.testing.assert_allclose(found[0]["x"], stats.norm.cdf(b, 0.4, se))


def test_targets_that_were_not_met_are_remarked():
    """A response that never varied is named, with what to do; one whose target is met is not."""
    goals = {"never": Precision(absolute=1.0), "known": Precision(absolute=1.0), "noisy": Precision(absolute=0.01)}
    settings = PrecisionSettings(precision=goals, max=40)
    values = {"never": np.zeros(N), "known": RNG.normal(5.0, 1.0, N), "noisy": RNG.normal(5.0, 1.0, N)}
    never, noisy = precision_remarks(table(**{name: {0: each} for name, each in values.items()}), settings)
    assert never.startswith(
        "never: the target precision is not met at 1 of 1 design points after 40 replications; at 1"
    )
    assert "take a response that cannot vary out of `precision`" in never
    assert noisy == "noisy: the target precision is not met at 1 of 1 design points after 40 replications"
