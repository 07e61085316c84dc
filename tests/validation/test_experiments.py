"""Claims about experiments over many replications: error rates, coverage, variance reduction and power."""

from __future__ import annotations

import math
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from analytics.analysis import Analysis
from analytics.settings import AnalyticsSettings
from analytics.statistics.experiments import (
    compare_proportions,
    confidence_sequence,
    cuped,
    predicted_requests,
    sample_ratio_test,
    variance_by_accounts,
)
from scenarios.power import experiment_power
from scenarios.scenario import Scenario

Floats = NDArray[np.float64]


def within(share: float, nominal: float, n: int, *, at_most: bool = False) -> bool:
    """Whether a share of n replications is nominal, within three Monte-Carlo standard errors."""
    tolerance = 3 * math.sqrt(nominal * (1 - nominal) / n)
    return share - nominal < tolerance if at_most else abs(share - nominal) < tolerance


def visitors_one_by_one(
    rng: np.random.Generator, n: int, rates: tuple[float, float], delay: float = 0.0
) -> tuple[Floats, Floats]:
    """Requests and visitors so far in two arms of equal shares, after each of n visitors; shape (n, 2) each.

    Requests are known when so many more visitors have come, on average.
    """
    in_arm = rng.random(n) < 0.5
    who = np.flatnonzero(rng.random(n) < np.where(in_arm, rates[1], rates[0]))
    known_at = who + rng.exponential(delay, len(who)).astype(int)
    requests = np.zeros((n, 2))
    np.add.at(requests, (known_at[known_at < n], in_arm[who].astype(int)[known_at < n]), 1)
    return np.cumsum(requests, axis=0), np.cumsum(np.column_stack([~in_arm, in_arm]), axis=0, dtype=float)


def fixed_p_values(x: Floats, n: Floats) -> Floats:
    """P-values of the ordinary test of two proportions at each look; 1 before there are 20 requests."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = x.sum(axis=1) / n.sum(axis=1)
        z = (x / n) @ [-1, 1] / np.sqrt(pooled * (1 - pooled) * (1 / n).sum(axis=1))
    from scipy.special import erfc  # noqa: PLC0415 - slow to import

    return np.where(x.sum(axis=1) >= 20, np.nan_to_num(erfc(np.abs(z) / math.sqrt(2)), nan=1.0), 1.0)


@pytest.mark.validation
@pytest.mark.parametrize(("rate", "delay"), [(0.01, 0), (0.02, 0), (0.02, 3000), (0.2, 0)])
def test_peeking_after_every_visitor_finds_no_more_than_5_percent(rate: float, delay: int):
    """Of 2,000 A/A tests of 20,000 visitors, looked at after each, at most 5 % are rejected; by a test far more."""
    rng, n_tests, n = np.random.default_rng(2026), 2000, 20_000
    found, plain = np.zeros(n_tests, dtype=bool), np.zeros(n_tests, dtype=bool)
    for number in range(n_tests):
        x, visitors = visitors_one_by_one(rng, n, (rate, rate), delay)
        found[number] = np.nanmin(confidence_sequence(x, visitors)[2], initial=1) < 0.05
        plain[number] = fixed_p_values(x, visitors).min() < 0.05
    print(f"\nA/A at {rate:.0%}, requests known {delay} visitors later, peeked: sequence {found.mean():.4f},")
    print(f"repeated test {plain.mean():.4f} of {n_tests}")
    assert within(float(found.mean()), 0.05, n_tests, at_most=True)
    assert plain.mean() > 0.25


@pytest.mark.validation
def test_the_sequence_covers_at_all_looks_and_finds_what_is_there():
    """Of 1,000 tests of 1.5 % against 2.25 %, at least 95 % of the sequences cover 0.75 points at each of 20,000 looks.

    Their power is below that of one test at the end, which is the price of looking.
    """
    rng, n_tests, n, rates = np.random.default_rng(7), 1000, 20_000, (0.015, 0.0225)
    covered, found, at_end = (np.zeros(n_tests, dtype=bool) for _ in range(3))
    stopped = np.full(n_tests, n)
    for number in range(n_tests):
        x, visitors = visitors_one_by_one(rng, n, rates)
        low, high, p = confidence_sequence(x, visitors)
        covered[number] = not ((low > rates[1] - rates[0]) | (high < rates[1] - rates[0])).any()
        found[number], at_end[number] = p[-1] < 0.05, fixed_p_values(x, visitors)[-1] < 0.05
        stopped[number] = np.argmax(p < 0.05) if found[number] else n
    print(
        f"\ncovered at all looks {covered.mean():.3f}; power of the sequence {found.mean():.3f}, stopped at the median"
    )
    print(f"after {np.median(stopped):,.0f} of {n:,} visitors; power of one test at the end {at_end.mean():.3f}")
    assert within(1 - float(covered.mean()), 0.05, n_tests, at_most=True)
    assert 0.5 < found.mean() < at_end.mean()


@pytest.mark.validation
def test_the_difference_the_ratio_and_the_test_are_nominal():
    """Of 4,000 experiments at 1.5 and 2 %, intervals cover in 95 %, and of as many A/A tests 5 % are significant."""
    rng, n_tests, sizes, rates = np.random.default_rng(11), 4000, (6000, 4000), (0.015, 0.02)
    counts = [rng.binomial(n, rate, n_tests) for n, rate in zip(sizes, rates, strict=True)]
    tests = [compare_proportions(int(b), sizes[1], int(a), sizes[0]) for a, b in zip(*counts, strict=True)]
    ratio = rates[1] / rates[0]
    by_difference = np.mean([test.difference_low <= rates[1] - rates[0] <= test.difference_high for test in tests])
    by_ratio = np.mean([(test.ratio_low or 0) <= ratio <= (test.ratio_high or math.inf) for test in tests])
    equal = [rng.binomial(n, rates[0], n_tests) for n in sizes]
    p = [compare_proportions(int(b), sizes[1], int(a), sizes[0]).p_value or 1.0 for a, b in zip(*equal, strict=True)]
    found = float(np.mean(np.array(p) < 0.05))
    print(f"\ncovered: difference {by_difference:.4f}, ratio {by_ratio:.4f}; A/A significant {found:.4f} of {n_tests}")
    assert within(float(by_difference), 0.95, n_tests)
    assert within(float(by_ratio), 0.95, n_tests)
    assert within(found, 0.05, n_tests)


@pytest.mark.validation
def test_the_sample_ratio_test_raises_few_false_alarms_and_finds_a_mismatch():
    """Of 20,000 experiments as planned 0.1 % are below p = 0.001, and 5 % below 0.05; of 48 : 52 nearly all."""
    rng, n_tests, n = np.random.default_rng(5), 20_000, 20_000
    planned, skewed = np.array([0.5, 0.3, 0.2]), np.array([0.48, 0.32, 0.2])
    false, true = (
        np.array([sample_ratio_test(rng.multinomial(n, shares), planned) for _ in range(n_tests)], dtype=float)
        for shares in (planned, skewed)
    )
    alarms, nominal, found = float((false < 0.001).mean()), float((false < 0.05).mean()), float((true < 0.001).mean())
    print(f"\nsample ratio: p < 0.001 in {alarms:.5f}, p < 0.05 in {nominal:.4f}; of a mismatch found {found:.4f}")
    assert within(alarms, 0.001, n_tests)
    assert within(nominal, 0.05, n_tests)
    assert found > 0.99


@pytest.mark.validation
def test_cuped_saves_the_variance_that_it_claims():
    """Predicted out of fold, whatever the arm: the estimate is unbiased, covers, and varies as little as it says.

    3,000 experiments of 4,000 visitors whose conversion depends on three attributes, from 3 to 62 %.
    """
    rng, n_tests, n, effect = np.random.default_rng(13), 3000, 4000, 0.03
    found, plain = [], np.zeros(n_tests)
    for number in range(n_tests):
        kinds = {"channel": 5, "device": 3, "region": 4, "company_size": 4}
        codes = {name: rng.integers(0, n_levels, n) for name, n_levels in kinds.items()}
        log_odds = -3.5 + 0.5 * codes["channel"] + 0.4 * codes["device"] + 0.5 * codes["company_size"]
        in_arm = rng.random(n) < 0.5
        rate = 0.9 / (1 + np.exp(-log_odds)) + effect * in_arm
        requested = (rng.random(n) < rate).astype(float)
        table = pl.DataFrame({name: code.astype(str) for name, code in codes.items()}).with_columns(
            requested_at=pl.when(pl.Series(requested) > 0).then(1),
            account=pl.lit(None, dtype=pl.String),
            visitor=pl.Series(np.arange(n).astype(str)),
        )
        adjusted = cuped(requested, in_arm, predicted_requests(table)[:, None])
        assert adjusted is not None
        found.append(adjusted)
        plain[number] = requested[in_arm].mean() - requested[~in_arm].mean()
    check_cuped(plain, found, effect)
    assert np.mean([each.variance_reduction for each in found]) > 0.1


def check_cuped(plain: Floats, found: list[Any], truth: float) -> None:
    """Check that adjusted estimates are unbiased, cover, and have the variance that they claim, within 3 errors."""
    n, adjusted = len(found), np.array([each.difference for each in found])
    claimed = float(np.mean([each.variance_reduction for each in found]))
    saved = 1 - adjusted.var(ddof=1) / plain.var(ddof=1)
    covered = float(np.mean([each.low <= truth <= each.high for each in found]))
    # The logarithm of the ratio of variances of two correlated estimates has this standard error.
    error = 2 * math.sqrt((1 - np.corrcoef(plain, adjusted)[0, 1] ** 2) / (n - 1))
    bias = (adjusted.mean() - truth) / (adjusted.std(ddof=1) / math.sqrt(n))
    print(f"\nCUPED: variance reduction claimed {claimed:.3f}, empirical {saved:.3f} (± {(1 - saved) * error:.3f});")
    print(f"bias {bias:+.2f} Monte-Carlo standard errors; covered {covered:.3f} of {n}")
    assert abs(math.log((1 - saved) / (1 - claimed))) < 3 * error
    assert abs(bias) < 3
    assert within(covered, 0.95, n)


WORLD: dict[str, Any] = {
    "clock.hours": 24,
    "traffic.visitors_per_day": 3000,
    "visits.gap_hours": 2.0,
    "visits.return_rate": 0.6,
    "intent.target_conversion": 0.15,
    "intent.coefficients": {"device_mobile": -2.0, "pricing_page_view": 1.5, "utm_paid_search": 1.5},
    "intent.conversion_unit": "visitor",
    "experiments.form.arms": {"control": {"share": 0.5}, "short": {"share": 0.5, "log_odds": 0.3}},
}


@pytest.mark.validation
def test_the_effect_in_simulated_worlds_is_unbiased_and_covered():
    """In 400 worlds whose experiment begins with the second half of the day, CUPED has a past to go by.

    The arm acts from the visitor's first visit on, and so before the experiment too; who has requested by then is left
    out. Intervals of the difference, plain and adjusted, cover its mean over the worlds in 95 %.
    """
    scenario, rows = Scenario.load("baseline").replace(WORLD), []
    begin = scenario.clock.start + timedelta(hours=12)
    for replication in range(400):
        run = scenario.run(seed=77, replication=replication)
        label = pl.when(pl.col("timestamp") >= begin).then("context_experiments")
        events = run.events.with_columns(label.alias("context_experiments"))
        analysis = Analysis(events.clone, AnalyticsSettings(), conversion_unit="visitor")
        rows.append(analysis.experiments.effects.row(1, named=True))
    effects = pl.DataFrame(rows, infer_schema_length=None)
    plain, truth = effects["difference"].to_numpy(), effects["difference"].mean()
    assert isinstance(truth, float)
    covered = float(effects.select(pl.lit(truth).is_between("difference_low", "difference_high").mean()).item())
    print(f"\nworlds: mean difference {truth:.4f}, its standard error claimed {effects['standard_error'].mean():.5f},")
    print(f"empirical {plain.std(ddof=1):.5f}; covered {covered:.3f} of 400")
    assert within(covered, 0.95, 400)
    names = {"difference": "cuped_difference", "low": "cuped_low", "high": "cuped_high"}
    columns = effects.select(variance_reduction="variance_reduction", **names)
    check_cuped(plain, [SimpleNamespace(**row) for row in columns.iter_rows(named=True)], truth)
    assert columns["variance_reduction"].mean() > 0.02


@pytest.mark.validation
def test_the_power_of_closed_form_is_that_of_simulated_worlds():
    """At the size that the closed form gives, 400 tests of as many visitors find the effect of the arm in 80 %.

    And at the size of the scenario, in the share that the closed form gives; both within 3 Monte-Carlo standard errors.
    """
    world = Scenario.load("baseline").replace({**WORLD, "traffic.visitors_per_day": 1500})
    arm = experiment_power(world, "form").arms.row(0, named=True)
    size = 1500 * arm["visitors_needed"] / arm["visitors"]
    large = world.replace({"traffic.visitors_per_day": size})
    at_size = experiment_power(large, "form", seed=555).arms.row(0, named=True)
    for row in (arm, at_size):
        print(
            f"\n{row['visitors']:.0f} visitors: closed form {row['power']:.3f}, simulated {row['simulated_power']:.3f}"
        )
        assert within(row["simulated_power"], row["power"], 400)
    # The lift was estimated from 400 runs, each with the standard error of a difference.
    assert within(at_size["simulated_power"], 0.8, 200)


@pytest.mark.validation
@pytest.mark.parametrize("n_accounts", [10, 150])
def test_whole_accounts_in_one_arm_need_the_variance_by_accounts(n_accounts: int):
    """Where accounts are randomised, intervals with the design effect cover in 95 %, and those without in far fewer.

    1,000 experiments of accounts of 2 to 20 visitors, whose conversion differs between accounts. Where visitors are
    randomised, colleagues are in both arms, and the design effect is near 1.
    """
    rng, n_tests = np.random.default_rng(17), 1000
    covered, naive, effects, by_visitor = ([] for _ in range(4))
    for _ in range(n_tests):
        size = rng.integers(2, 21, n_accounts)
        account = np.repeat(np.arange(n_accounts), size)
        requested = (rng.random(len(account)) < rng.beta(0.5, 2, n_accounts)[account]).astype(float)
        in_arm = rng.permutation(np.arange(n_accounts) % 2 == 0)[account]
        _, effect = variance_by_accounts(requested, in_arm, account)
        for factor, found in ((effect, covered), (1.0, naive)):
            counts = [each / factor for arm in (in_arm, ~in_arm) for each in (requested[arm].sum(), arm.sum())]
            test = compare_proportions(*counts)
            found.append(test.difference_low <= 0 <= test.difference_high)
        effects.append(effect)
        by_visitor.append(variance_by_accounts(requested, rng.random(len(account)) < 0.5, account)[1])
    shares = f"covered {np.mean(covered):.3f}, without it"
    print(f"\n{n_accounts} accounts randomised: design effect {np.mean(effects):.2f}, {shares}")
    print(f"{np.mean(naive):.3f}; visitors randomised: design effect {np.mean(by_visitor):.2f} (1 at least)")
    assert within(float(np.mean(covered)), 0.95, n_tests)
    assert np.mean(naive) < 0.85
    # Of ten accounts it is by chance above 1 often, and Student's factor is 1.38.
    assert np.mean(by_visitor) < (1.15 if n_accounts > 10 else 1.8)
