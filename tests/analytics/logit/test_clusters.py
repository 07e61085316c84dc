"""Claims about how many accounts a coefficient rests on, and about standard errors by leaving each of them out."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import t as student

from analytics.errors import TooFewVisitsError
from analytics.intent.model import IntentModel
from analytics.logit.clusters import with_keys
from analytics.logit.design import design_matrix
from analytics.signals.definitions import signal_named

NAMES = ("security_page_view", "company_enterprise")
MODEL = IntentModel([signal_named(name) for name in NAMES])


def table(security: Any, enterprise: Any, accounts: Any, asked: Any) -> pl.DataFrame:
    """A visit table of these visits, all at risk and over."""
    columns = {"security_page_view": security, "company_enterprise": enterprise, "requested_demo": asked}
    who = {"account": [f"a{i}" for i in accounts], "anonymous_id": [f"v{i}" for i in range(len(asked))]}
    return pl.DataFrame(columns | who).with_columns(at_risk=pl.lit(value=True), censored=pl.lit(value=False))


def visits_of(sizes: list[int], enterprise_accounts: int, seed: int = 3) -> pl.DataFrame:
    """Accounts of these sizes, the first few of them enterprises."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(len(sizes)), sizes)
    asked, seen = rng.random(len(account)) < 0.4, rng.random(len(account)) < 0.5
    return table(seen, account < enterprise_accounts, account, asked)


def test_accounts_that_are_all_alike_count_in_full():
    """Of G accounts with the same visits each coefficient rests on G, whatever the visits are."""
    security, enterprise, n = [True, False, False, True], [False, True, False, True], 50
    asked = np.random.default_rng(1).random(4 * n) < 0.4
    results = MODEL.fit(table(security * n, enterprise * n, np.arange(4 * n) // 4, asked))
    assert results.diagnostics["effective_accounts"].to_list() == pytest.approx([n] * 3)


def test_one_account_that_outweighs_the_others_leaves_few():
    """What an account adds to the variance of the intercept is its size squared: G* is (Σ size²)² / Σ size⁴."""
    sizes = np.array([30, *[1] * 60])
    visits = visits_of(sizes.tolist(), enterprise_accounts=0)
    results = IntentModel([]).fit(visits)
    expected = (sizes**2).sum() ** 2 / (sizes**4).sum()
    assert results.diagnostics["effective_accounts"][0] == pytest.approx(expected)


def test_the_jackknife_leaves_out_one_account_after_the_other(monkeypatch: pytest.MonkeyPatch):
    """Errors are those of the coefficients that one Newton step gives without each account, by hand; pooled or not.

    However few visits fit into memory at once, the errors are the same.
    """
    visits = visits_of([1, 2, 3, 9, 4] * 10, enterprise_accounts=12)
    results = MODEL.fit(visits)
    x, y = design_matrix(visits, results.terms), visits["requested_demo"].cast(pl.Float64).to_numpy()
    b = results.coefficients["coefficient"].to_numpy()
    p = 1 / (1 + np.exp(-x @ b))
    changes = []
    for account in visits["account"].unique():
        kept = (visits["account"] != account).to_numpy()
        information = (x[kept].T * (p * (1 - p))[kept]) @ x[kept]
        # At the whole maximum the scores of the others are minus those of the account.
        changes.append(np.linalg.solve(information, x[kept].T @ (y - p)[kept]))
    n = len(changes)
    expected = np.sqrt((np.array(changes) ** 2).sum(axis=0) * (n - 1) / n)
    assert results.jackknife["standard_error"].to_list() == pytest.approx(expected, rel=1e-8)
    with monkeypatch.context() as patch:
        patch.setattr("analytics.logit.robust._VISITS_AT_ONCE", 5)
        in_parts = MODEL.fit(visits).jackknife["standard_error"].to_list()
    assert in_parts == pytest.approx(results.jackknife["standard_error"].to_list(), rel=1e-12)
    assert (expected > results.coefficients["standard_error"].to_numpy()).all()
    freedom = results.diagnostics["effective_accounts"] - 1
    assert results.jackknife["degrees_of_freedom"].to_list() == pytest.approx(freedom.to_list())
    half = student.ppf(0.975, freedom.to_numpy()) * expected
    assert results.jackknife["ci_high"].to_list() == pytest.approx(b + half, rel=1e-8)
    assert results.jackknife["ci_low"].to_list() == pytest.approx(b - half, rel=1e-8)


def test_a_term_that_few_accounts_inform_is_named():
    """With three enterprises among a hundred accounts the reader is warned, by name and with the degrees of freedom.

    With the only one left out nothing is known of enterprises: there is no number for the term, and the others have
    theirs.
    """
    results = MODEL.fit(visits_of([6] * 100, enterprise_accounts=3))
    (caution,) = results.warnings
    assert "in brackets: company_enterprise (2.1); " in caution
    assert "security_page_view" not in caution
    assert not MODEL.fit(visits_of([6] * 100, enterprise_accounts=50)).warnings
    one = MODEL.fit(visits_of([6] * 100, enterprise_accounts=1))
    unknown = one.coefficients.filter(signal="company_enterprise")
    assert (
        unknown.select("standard_error", "z", "p_value", "p_adjusted", "ci_low", "odds_ratio_high").row(0)
        == (None,) * 6
    )
    assert unknown["coefficient"][0] is not None
    assert one.jackknife.filter(signal="company_enterprise")["standard_error"].to_list() == [None]
    assert "one account alone shows what company_enterprise would be" in one.warnings[0]
    assert one.coefficients["standard_error"].null_count() == 1
    assert one.coefficients["average_marginal_effect_se"].null_count() == 2  # with the intercept's
    assert one.interaction_effects.is_empty()
    with pytest.raises(TooFewVisitsError, match="100 accounts are too few for a joint test of 2 terms"):
        one.joint_test(NAMES)


def test_visits_without_accounts_have_neither():
    """Where visits count as independent there are no accounts to leave out."""
    results = MODEL.fit(visits_of([6] * 100, 50).with_columns(account=pl.lit(None, pl.String())))
    assert results.jackknife is None
    assert results.diagnostics["effective_accounts"].is_null().all()


@pytest.mark.parametrize("far", [0.0, 1e6, 1e8, 1e9])
def test_the_jackknife_of_a_signal_far_from_0_is_right_or_none(far: float):
    """With too few digits left to tell whether a term is known without an account, there is no number."""
    rng, n = np.random.default_rng(2), 3000
    near, account = rng.normal(size=n), rng.integers(0, 200, n)
    asked = rng.random(n) < 1 / (1 + np.exp(1.0 - near))
    table = pl.DataFrame({"t": near + far, "account": [f"a{each}" for each in account], "asked": asked})
    found = IntentModel.fit(table, signals=["t"], outcome="asked", account="account")
    error, robust = found.jackknife["standard_error"][1], found.coefficients["standard_error"][1]
    assert error is None or error == pytest.approx(robust, rel=0.05)
    assert (error is None) == (far > 1e7)


def test_visits_with_keys_are_the_same_visits():
    """Clusters, folds and numbers of people are those of names; a number of 64 bits is a name like any other."""
    rng, n = np.random.default_rng(4), 600
    names = pl.Series("anonymous_id", rng.integers(0, 300, n) * 10, dtype=pl.UInt64)
    known = [f"a{each}" if each < 30 else None for each in rng.integers(0, 60, n)]
    visits = table(rng.random(n) < 0.4, rng.random(n) < 0.5, range(n), rng.random(n) < 0.3)
    visits = visits.with_columns(names, account=pl.Series(known))
    by_name = MODEL.fit(visits.with_columns(pl.col("anonymous_id").cast(pl.String)))
    for same in (visits, with_keys(visits)):
        found = MODEL.fit(same)
        counts = (found.n_visitors, found.n_accounts, found.basis.n_clusters, found.warnings)
        assert counts == (by_name.n_visitors, by_name.n_accounts, by_name.basis.n_clusters, by_name.warnings)
        assert_frame_equal(found.coefficients, by_name.coefficients, rel_tol=1e-12)
        assert found.out_of_fold.log_loss == pytest.approx(by_name.out_of_fold.log_loss, rel=1e-12)
