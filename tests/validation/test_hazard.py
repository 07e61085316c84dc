"""Claims about the hazard over replications: bands of curves and effects within accounts keep their level."""

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_until_request
from scipy.special import expit

from analytics.intent.baseline import BaselineKind
from analytics.intent.model import IntentModel
from analytics.signals.definitions import EverSeen
from scenarios.study import Study

DOCS = EverSeen("docs", "has seen the docs", "high", "category", ("docs",))
INTERCEPT, EFFECT = -2.5, 0.8
N = 400


@pytest.mark.validation
def test_bands_of_both_curves_cover_the_true_share():
    """Of 400 worlds 95 % of the intervals hold the true share after each of the first five visits.

    The true share is that of the two kinds of visitors, ½ (1 − h₀)^k + ½ (1 − h₁)^k; that of the model's band is the
    product over the true mean probabilities of the visitors at risk, whose signals the model takes as given. Within
    3.5 Monte-Carlo errors, which one of ten comparisons exceeds by chance in less than 0.5 % of runs.
    """
    rng, visits = np.random.default_rng(2026), np.arange(1, 6)
    hazards = expit(INTERCEPT + EFFECT * np.array([0.0, 1.0]))
    share = ((1 - hazards) ** visits[:, np.newaxis]).mean(axis=1)
    covered = {"observed": np.zeros(5), "fitted": np.zeros(5)}
    for _ in range(N):
        table = visits_until_request(rng, 1_000, lambda _, docs: INTERCEPT + EFFECT * docs)
        curves = IntentModel([DOCS], []).fit(table).request_curves.head(5)
        known = table.select("visit", p=pl.Series(hazards[table["docs"].cast(pl.Int64).to_numpy()]))
        means = known.group_by("visit").agg(pl.col("p").mean()).sort("visit")["p"].head(5).to_numpy()
        for name, truth in (("observed", share), ("fitted", np.cumprod(1 - means))):
            low, high = curves[f"{name}_low"].to_numpy(), curves[f"{name}_high"].to_numpy()
            covered[name] += (low <= truth) & (truth <= high)
    print(f"\ncoverage by visit: observed {covered['observed'] / N}, fitted {covered['fitted'] / N}")
    for each in covered.values():
        assert np.abs(each / N - 0.95).max() < 3.5 * np.sqrt(0.05 * 0.95 / N)


@pytest.mark.validation
@pytest.mark.parametrize("baseline", ["visit_number", "time"])
def test_a_constant_baseline_is_rejected_in_one_of_twenty_worlds_that_have_one(baseline: BaselineKind):
    """Of 400 worlds 5 % have p < 0.05 in the joint test of the baseline, within 3 Monte-Carlo errors."""
    rng, model, rejected = np.random.default_rng(3), IntentModel([DOCS], [], baseline=baseline), 0
    for _ in range(N):
        tested = model.fit(visits_until_request(rng, 1_000, lambda _, docs: INTERCEPT + EFFECT * docs)).baseline_test
        rejected += tested is not None and tested.p_value < 0.05
    print(f"\n{baseline}: rejected {rejected / N:.3f}")
    assert abs(rejected / N - 0.05) < 3 * np.sqrt(0.05 * 0.95 / N)


@pytest.mark.validation
def test_where_no_account_differs_the_test_of_the_deviation_rejects_in_one_of_twenty():
    """Of 400 worlds without differences between accounts 5 % have p < 0.05, within 3 Monte-Carlo errors."""
    rng, p_values = np.random.default_rng(7), []
    for _ in range(N):
        table = visits_until_request(rng, 1_600, lambda _, docs: INTERCEPT + EFFECT * docs, per_account=16)
        p_values.append(IntentModel([DOCS], []).fit(table).random_intercept().p_value)
    rejected, at_0 = (np.array(p_values) < 0.05).mean(), (np.array(p_values) == 1).mean()
    print(f"\nrejected {rejected:.3f}, σ = 0 in {at_0:.3f}")
    assert abs(rejected - 0.05) < 3 * np.sqrt(0.05 * 0.95 / N)


@pytest.mark.validation
def test_effects_within_accounts_are_recovered_where_ordinary_ones_are_attenuated():
    """With account_sd 1, 95 % of the intervals of 400 worlds cover the true effect; fewer of the intent model do.

    Within 3 Monte-Carlo errors. The mean estimates miss the effect and σ by no more than 4 of their standard errors and
    a hundredth, which is more than the bias of order 1 / accounts; the ordinary one is the averaged effect likewise.
    """
    rng, rows = np.random.default_rng(13), []
    for _ in range(N):
        table = visits_until_request(
            rng, 1_600, lambda _, docs: INTERCEPT + EFFECT * docs, per_account=8, account_sd=1.0
        )
        results = IntentModel([DOCS], []).fit(table, {"docs": EFFECT})
        found = results.random_intercept()
        docs, ordinary = found.coefficients.row(1, named=True), results.coefficients.row(1, named=True)
        covers = [docs["ci_low"] <= EFFECT <= docs["ci_high"], ordinary["ci_covers_truth"]]
        rows.append([*covers, docs["coefficient"], docs["ordinary"], docs["averaged"], found.standard_deviation])
    covered, covered_by_ordinary, within, ordinary, averaged, deviation = np.mean(rows, axis=0)
    errors = np.std(rows, axis=0, ddof=1) / np.sqrt(N)
    print(
        f"\ncovered within {covered:.3f}, by the ordinary {covered_by_ordinary:.3f}; estimates: within {within:.3f}, "
        f"ordinary {ordinary:.3f}, averaged {averaged:.3f}, σ {deviation:.3f}"
    )
    assert abs(covered - 0.95) < 3 * np.sqrt(0.05 * 0.95 / N)
    assert covered_by_ordinary < 0.9
    assert abs(within - EFFECT) < 4 * errors[2] + 0.01
    assert abs(deviation - 1) < 4 * errors[5] + 0.01
    assert abs(averaged - ordinary) < 4 * errors[3] + 0.01


# An account that requests once makes fewer requests: twice as many of them are enough for each term.
ONE_REQUEST = {"intent.conversion_unit": "account", "traffic.visitors_per_day": 12_000, "population.accounts": 800}


@pytest.mark.validation
@pytest.mark.parametrize("changes", [{}, ONE_REQUEST], ids=["every visitor decides", "an account requests once"])
def test_effects_within_accounts_are_recovered_from_events_of_simulated_worlds(changes: dict[str, object]):
    """With account_sd 1, the mean σ of 120 worlds is 1, and 95 % of the intervals of all terms hold the truth.

    Within 3 standard errors over worlds. Events name the account of everybody who has one, so that the true accounts
    give the same. Visitors without one have no unobserved effect: where each is given an intercept as if they were an
    account, σ is between their 0 and 1, too low by more than 3 standard errors.
    """
    scenario, n = Study.load("coverage-heterogeneous").loaded.scenarios[0].replace(changes), 120
    model = IntentModel(interactions=scenario.analytics.interactions)
    rows: dict[str, list[tuple[float, float]]] = {"by account": [], "visitors as accounts": []}
    for replication in range(n):
        run = scenario.run(seed=37, replication=replication)
        visits = run.analysis.visits.with_columns(pl.col("account").cast(pl.String))
        true = visits.select("anonymous_id").join(run.people, on="anonymous_id", maintain_order="left")
        assert visits["account"].eq_missing(true["account"]).all()
        each = visits.with_columns(pl.coalesce("account", "anonymous_id").alias("account"))
        for name, table in zip(rows, (visits, each), strict=True):
            found = model.fit(table).random_intercept()
            truth = found.coefficients["signal"].replace_strict(run.truth.terms, default=0.0)
            covered = truth.is_between(found.coefficients["ci_low"], found.coefficients["ci_high"]).mean()
            rows[name].append((found.standard_deviation, covered))
    means = {name: np.mean(each, axis=0) for name, each in rows.items()}
    errors = {name: np.std(each, axis=0, ddof=1) / np.sqrt(n) for name, each in rows.items()}
    for name, (deviation, covered) in means.items():
        of_deviation, of_share = errors[name]
        print(f"\n{name}: σ {deviation:.3f} ± {of_deviation:.3f}, covered {covered:.3f} ± {of_share:.3f}", end="")
    assert (np.abs(means["by account"] - (1, 0.95)) < 3 * errors["by account"]).all()
    assert means["visitors as accounts"][0] < 1 - 3 * errors["visitors as accounts"][0]
