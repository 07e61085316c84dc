"""Claims about few accounts: intervals of every term cover the truth, with two accounts there are none."""

import warnings
from collections.abc import Iterator
from itertools import islice

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from scipy.stats import norm, t as student

from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.logit import score_bootstrap
from analytics.logit.robust import cluster_robust

pytestmark = pytest.mark.validation

TRUTH = {"intercept": -1.5, "docs": 0.4, "size": 0.5}
"""Of visits: docs differs within an account, size is the account's."""

N, VISITS = 1_000, 100


def tables(n_accounts: int, *, by_account: str, seed: int) -> Iterator[pl.DataFrame]:
    """Tables of some 100 visits an account, whose outcomes depend on nothing but the signals."""
    rng = np.random.default_rng(seed)
    for _ in range(N):
        account = np.repeat(np.arange(n_accounts), rng.integers(VISITS // 2, 3 * VISITS // 2, n_accounts))
        size = rng.normal(size=n_accounts) if by_account == "any number" else np.arange(n_accounts) % 2
        docs, size = rng.random(len(account)) < 0.3, size[account]
        asked = rng.random(len(account)) < expit(TRUTH["intercept"] + TRUTH["docs"] * docs + TRUTH["size"] * size)
        yield pl.DataFrame({"docs": docs, "size": size, "account": [f"a{a}" for a in account], "asked": asked})


def fit(table: pl.DataFrame) -> IntentResults:
    """The model of such a table."""
    return IntentModel.fit(table, signals=["docs", "size"], outcome="asked", account="account")


def before(results: IntentResults) -> np.ndarray:
    """Whether intervals by CR1 and the normal distribution, the default of most programmes, cover the truth."""
    basis = results.basis
    top = basis.estimate.fit
    design = basis.design
    x = design.matrix.dense()
    inverse = np.linalg.inv((x.T * (design.n_visits * top.p_request * (1 - top.p_request))) @ x)
    errors = np.sqrt(np.diag(cluster_robust(inverse, design, top.p_request, basis.clusters)))
    return np.abs(top.coefficients - list(TRUTH.values())) <= norm.ppf(0.975) * errors


@pytest.mark.parametrize("by_account", ["any number", "yes or no"])
@pytest.mark.parametrize("n_accounts", [2, 3, 6, 12, 24])
def test_intervals_cover_however_few_accounts_there_are(n_accounts: int, by_account: str):
    """At least 95 % less 3 Monte-Carlo errors of 1,000 intervals cover, of the visits' signal and of the account's.

    With few degrees of freedom CR2 is somewhat conservative. Below three accounts there is no interval. Of three with a
    yes or no, one has it alone or lacks it alone: then the others say nothing of it.
    """
    covered, earlier = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for table in tables(n_accounts, by_account=by_account, seed=n_accounts):
            results = fit(table)
            if results.estimator == "ml":
                row = results.coefficients.with_columns(truth=pl.Series(TRUTH.values()))
                covered.append(row.select(pl.col("truth").is_between("ci_low", "ci_high")).to_series())
                earlier.append(before(results))
    rates = pl.DataFrame([pl.Series(name, each) for name, each in zip(TRUTH, zip(*covered, strict=True), strict=True)])
    shown = ", ".join(
        f"{name} {'none' if rates[name].is_null().all() else f'{rates[name].mean():.3f}'}" for name in TRUTH
    )
    print(f"{n_accounts} accounts, {by_account}: {shown}; CR1 and z: {np.mean(earlier, axis=0).round(3)}")
    assert len(covered) > 0.99 * N
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / len(covered))
    for name in TRUTH:
        unknown = n_accounts == 2 or (n_accounts, by_account, name) == (3, "yes or no", "size")
        assert rates[name].is_null().all() if unknown else rates[name].mean() > least, name


def test_one_account_with_half_of_all_visits_is_not_wholly_allowed_for():
    """Of 41 accounts that differ in something unobserved, one has as many visits as all others together.

    CR2 is right on average only if accounts do not differ. Intervals cover more often than those with G − 1 degrees of
    freedom, and less than they should: known, and said in the documentation.
    """
    rng = np.random.default_rng(9)
    sizes, covered, earlier = np.array([1_200, *[30] * 40]), [], []
    for _ in range(N):
        size = rng.normal(size=len(sizes))
        account = np.repeat(np.arange(len(sizes)), sizes)
        shared = rng.normal(0, 0.3, len(sizes))[account]
        asked = rng.random(len(account)) < expit(-1 + 0.5 * size[account] + shared)
        table = pl.DataFrame({"size": size[account], "account": [f"a{a}" for a in account], "asked": asked})
        results = IntentModel.fit(table, signals=["size"], outcome="asked", account="account")
        row = results.coefficients.row(1, named=True)
        # Averaged over accounts, effects are a little smaller than within one.
        truth = 0.5 / np.sqrt(1 + (16 * np.sqrt(3) / (15 * np.pi)) ** 2 * 0.3**2)
        covered.append(row["ci_low"] <= truth <= row["ci_high"])
        half = student.ppf(0.975, len(sizes) - 1) * row["standard_error"]
        earlier.append(abs(row["coefficient"] - truth) <= half)
    print(f"one large account: {np.mean(covered):.3f}; CR2 with t(G − 1): {np.mean(earlier):.3f}")
    assert np.mean(covered) > max(np.mean(earlier), 0.92 - 3 * np.sqrt(0.92 * 0.08 / N))


@pytest.mark.parametrize("n_accounts", [6, 12])
def test_the_wild_bootstrap_has_its_level(n_accounts: int):
    """Of 400 tests of the true coefficient of the account's signal, at most 5 % and 3 errors reject."""
    p_values = []
    for table in islice(tables(n_accounts, by_account="any number", seed=3), 400):
        basis = fit(table).basis
        tests = score_bootstrap._Tests(basis.design, basis.clusters, 2, basis.estimate.fit.coefficients, 499)
        p_values.append(tests.p_value(TRUTH["size"]))
    share = np.mean(np.array(p_values) < 0.05)
    print(f"wild bootstrap, {n_accounts} accounts: {share:.3f} rejected at 5 %")
    assert share < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
