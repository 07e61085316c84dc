"""Claims about clustered errors: bias-reduced covariance, degrees of freedom, and the wild bootstrap."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.linalg import block_diag, fractional_matrix_power
from scipy.stats import f as fisher, t as student

from analytics.errors import IntentModelError, TooFewVisitsError
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.logit.design import design_matrix

SIGNALS = ["docs", "size", "minutes"]


def accounts(sizes: list[int], seed: int = 5) -> pl.DataFrame:
    """Visits of accounts of these sizes; docs and minutes differ by visit, size by account."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(len(sizes)), sizes)
    size, n = rng.normal(size=len(sizes))[account], len(account)
    docs, minutes = rng.random(n) < 0.4, rng.exponential(5.0, n)
    shared = rng.normal(0, 0.5, len(sizes))[account]
    asked = rng.random(n) < 1 / (1 + np.exp(1.0 - docs + 0.3 * size - 0.1 * minutes - shared))
    names = {"account": [f"a{each}" for each in account], "asked": asked}
    return pl.DataFrame({"docs": docs, "size": size, "minutes": minutes, **names})


def fit(table: pl.DataFrame, signals: list[str] | None = None) -> IntentResults:
    """The model of such a table."""
    return IntentModel.fit(table, signals=signals or SIGNALS, outcome="asked", account="account")


class Dense:
    """CR2 and its moments as they are defined, with matrices of visits × visits, of the last Newton step."""

    def __init__(self, table: pl.DataFrame, results: IntentResults) -> None:
        x, y = design_matrix(table, results.terms), table["asked"].cast(pl.Float64).to_numpy()
        p = 1 / (1 + np.exp(-x @ results.coefficients["coefficient"].to_numpy()))
        root = np.sqrt(p * (1 - p))
        self.x, residuals = x * root[:, np.newaxis], (y - p) / root
        self.inverse = np.linalg.inv(self.x.T @ self.x)
        self.left = np.eye(len(y)) - self.x @ self.inverse @ self.x.T
        self.groups = [
            np.flatnonzero(table["account"] == name) for name in table["account"].unique(maintain_order=True)
        ]
        adjusted = [fractional_matrix_power(self.left[np.ix_(rows, rows)], -0.5).real for rows in self.groups]
        self.adjust = block_diag(*adjusted)
        scores = [(self.x.T[:, rows] @ self.adjust[np.ix_(rows, rows)] @ residuals[rows]) for rows in self.groups]
        self.covariance = self.inverse @ sum(np.outer(each, each) for each in scores) @ self.inverse

    def products(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of the accounts' contributions to two sums, if visits are independent; accounts × accounts."""
        sides = []
        for row in (one, other):
            weights = self.adjust @ self.x @ self.inverse @ row
            sides.append(np.array([self.left[:, rows] @ weights[rows] for rows in self.groups]))
        return sides[0] @ sides[1].T

    def degrees_of_freedom(self, row: np.ndarray) -> float:
        """Satterthwaite's, of the eigenvalues of those covariances."""
        values = np.linalg.eigvalsh(self.products(row, row))
        return float(values.sum() ** 2 / (values**2).sum())

    def wishart(self, rows: np.ndarray) -> float:
        """The η of Pustejovsky and Tipton (2018), by the covariance of the elements of the standardised covariance."""
        rows = np.linalg.solve(np.linalg.cholesky(rows @ self.inverse @ rows.T), rows)
        pairs = [[self.products(one, other) for other in rows] for one in rows]
        q = len(rows)
        variance = sum(
            (pairs[s][s] * pairs[t][t]).sum() + (pairs[s][t] * pairs[s][t].T).sum() for s in range(q) for t in range(q)
        )
        return q * (q + 1) / variance


TABLE = accounts([3, 8, 12, 5, 30, 9, 7, 4])
RESULTS = fit(TABLE)
DENSE = Dense(TABLE, RESULTS)


def test_errors_and_degrees_of_freedom_are_those_of_the_definition():
    """By matrices of visits × visits: the covariance, each term's degrees of freedom, and tests and intervals."""
    assert RESULTS.covariance == "cluster by account (CR2)"
    scale = np.sqrt(np.outer(np.diag(DENSE.covariance), np.diag(DENSE.covariance)))
    np.testing.assert_allclose(RESULTS.covariance_matrix / scale, DENSE.covariance / scale, atol=1e-8)
    freedom = np.array([DENSE.degrees_of_freedom(row) for row in np.eye(4)])
    np.testing.assert_allclose(RESULTS.diagnostics["degrees_of_freedom"], freedom, rtol=1e-6)
    b, se = RESULTS.coefficients["coefficient"].to_numpy(), np.sqrt(np.diag(DENSE.covariance))
    np.testing.assert_allclose(RESULTS.coefficients["p_value"], 2 * student.sf(np.abs(b / se), freedom), rtol=1e-6)
    np.testing.assert_allclose(RESULTS.coefficients["ci_low"], b - student.ppf(0.975, freedom) * se, rtol=1e-6)


def test_clubsandwich_prints_the_same():
    """The numbers of R's clubSandwich 0.5.8 for the same eight accounts, in the linear regression of the last step.

    ``vcovCR(lm(y ~ x - 1), cluster, "CR2")`` of the weighted columns x and residuals y, ``coef_test`` and
    ``Wald_test(test = "HTZ")``. For ``glm`` itself the package weighs visits of an account in another way, which is as
    unbiased: its errors are 0.5183, 0.2783, 0.3275 and 0.0718, the degrees of freedom the same to the second decimal.
    """
    table = pl.read_csv(Path(__file__).parents[1] / "data" / "accounts.csv", comment_prefix="#")
    results = fit(table.with_columns(pl.col("docs").cast(pl.Boolean)))
    expected = [0.5203924058462, 0.2767484058063, 0.3239957480742, 0.0736142136487]
    freedom = [4.49189812235, 3.56576622183, 2.10531703056, 3.13407744587]
    np.testing.assert_allclose(results.coefficients["standard_error"], expected, rtol=1e-10)
    np.testing.assert_allclose(results.diagnostics["degrees_of_freedom"], freedom, rtol=1e-10)
    tested = [results.joint_test(terms).denominator_degrees_of_freedom for terms in (("docs", "minutes"), SIGNALS)]
    np.testing.assert_allclose(tested, [2.29008510991, 1.06417739472], rtol=1e-10)


def test_many_small_accounts_have_the_same_errors():
    """Accounts of one or two visits beside a few large ones: their shares are small, and a series replaces them."""
    table = accounts([60, 40, *[1, 2] * 60])
    results, dense = fit(table), None
    dense = Dense(table, results)
    assert results.covariance == "cluster by account (CR2)"
    np.testing.assert_allclose(results.coefficients["standard_error"], np.sqrt(np.diag(dense.covariance)), rtol=1e-7)
    freedom = [dense.degrees_of_freedom(row) for row in np.eye(4)]
    np.testing.assert_allclose(results.diagnostics["degrees_of_freedom"], freedom, rtol=1e-5)


def test_if_visits_are_independent_the_expectation_of_cr2_is_the_nonrobust_covariance():
    """That is what the correction is for: the trace of the contributions is the variance, for every term."""
    for row, variance in zip(np.eye(4), np.diag(DENSE.inverse), strict=True):
        assert np.trace(DENSE.products(row, row)) == pytest.approx(variance, rel=1e-10)


@pytest.mark.parametrize("terms", [("docs",), ("docs", "minutes"), ("docs", "size", "minutes")])
def test_joint_tests_are_hotellings(terms: tuple[str, ...]):
    """F with η − q + 1 degrees of freedom, η by the definition; of one term it is the squared t of its own test."""
    rows = np.eye(4)[[RESULTS.terms.index(term) for term in terms]]
    q, eta = len(terms), DENSE.wishart(rows)
    b = rows @ RESULTS.coefficients["coefficient"].to_numpy()
    wald = b @ np.linalg.solve(rows @ DENSE.covariance @ rows.T, b)
    tested = RESULTS.joint_test(terms)
    assert tested.denominator_degrees_of_freedom == pytest.approx(eta - q + 1, rel=1e-6)
    statistic = (eta - q + 1) / (eta * q) * wald
    assert (tested.statistic, tested.degrees_of_freedom) == (pytest.approx(statistic, rel=1e-6), q)
    assert tested.p_value == pytest.approx(fisher.sf(statistic, q, eta - q + 1), rel=1e-6)
    if q == 1:
        assert tested.p_value == pytest.approx(RESULTS.coefficients.filter(signal="docs")["p_value"][0], rel=1e-9)


def test_units_and_origins_change_nothing_but_the_scale():
    """A signal in other units, counted from far away, has the same t, p-value and degrees of freedom."""
    other = fit(TABLE.with_columns(pl.col("minutes") * 1e6 + 3e8))
    for column in ("z", "p_value"):
        np.testing.assert_allclose(other.coefficients[column][1:], RESULTS.coefficients[column][1:], rtol=1e-5)
    freedom = RESULTS.diagnostics["degrees_of_freedom"]
    np.testing.assert_allclose(other.diagnostics["degrees_of_freedom"][1:], freedom[1:], rtol=1e-6)


def test_results_without_visits_have_the_same_intervals():
    """Curves are drawn of fits whose visits are gone: their degrees of freedom are kept."""
    fitted, rows = RESULTS.basis.estimate.fit, np.array([[0.0, 1.0, 0.0, 2.0], [1.0, 0.0, 1.0, 0.0]])
    kept = RESULTS.basis.without_visits().estimate.fit
    np.testing.assert_array_equal(kept.half_widths(rows, 0.9), fitted.half_widths(rows, 0.9))
    expected = [DENSE.degrees_of_freedom(row) for row in rows]
    np.testing.assert_allclose(fitted.inference.freedom_of(rows), expected, rtol=1e-6)


def test_where_accounts_are_many_the_correction_vanishes(monkeypatch: pytest.MonkeyPatch):
    """CR1 with G − 1 degrees of freedom, from a threshold on; there both agree to a part in a thousand."""
    table = accounts([2] * 2_000)
    many = fit(table)
    assert many.covariance == "cluster by account (CR1)"
    assert many.diagnostics["degrees_of_freedom"].to_list() == [1999.0] * 4
    monkeypatch.setattr("analytics.logit.robust._MANY_EFFECTIVE", np.inf)
    same = fit(table)
    assert same.covariance == "cluster by account (CR2)"
    np.testing.assert_allclose(same.coefficients["standard_error"], many.coefficients["standard_error"], rtol=2e-3)


def test_a_penalised_fit_has_no_jackknife():
    """Where no visit with a signal ended in a request, leaving out an account hardly moves the estimate."""
    separated = fit(TABLE.with_columns(docs=pl.col("docs") & ~pl.col("asked")))
    assert separated.estimator == "firth"
    assert separated.jackknife.drop("signal", "degrees_of_freedom").null_count().row(0) == (4, 4, 4)
    assert RESULTS.jackknife.null_count().row(0) == (0,) * 5


def test_the_wild_bootstrap_agrees_with_t_where_accounts_are_many():
    """Of 300 accounts alike, p-value and interval are nearly those of Student's t; a far value is rejected."""
    results = fit(accounts([4] * 300))
    row = results.coefficients.filter(signal="docs").row(0, named=True)
    found = results.wild_bootstrap("docs")
    assert (found.ci_low, found.ci_high) == pytest.approx(
        (row["ci_low"], row["ci_high"]), abs=0.15 * row["standard_error"]
    )
    assert results.wild_bootstrap("docs", row["ci_low"]).p_value == pytest.approx(0.05, abs=0.02)
    assert results.wild_bootstrap("docs", row["coefficient"] + 9 * row["standard_error"]).p_value < 0.002
    assert results.wild_bootstrap("docs") == found


def test_an_end_that_no_value_is_rejected_at_is_missing():
    """Of three accounts no test rejects at 1 %, however far the value is."""
    results = fit(accounts([60, 70, 80]), ["docs"])
    strict = IntentModel(level=0.99).fit(accounts([60, 70, 80]), signals=["docs"], outcome="asked", account="account")
    found = strict.wild_bootstrap("docs")
    assert (found.ci_low, found.ci_high) == (None, None)
    assert 0 < results.wild_bootstrap("docs").p_value <= 1


def test_where_a_wild_bootstrap_means_nothing_it_is_refused():
    """One clear error for each: an unknown term, too few draws, no accounts, two accounts, a penalised likelihood."""
    with pytest.raises(IntentModelError, match=r"term: must be one of the model \(got 'doc'\); it has intercept, docs"):
        RESULTS.wild_bootstrap("doc")
    with pytest.raises(IntentModelError, match="n_draws: must be at least 99"):
        RESULTS.wild_bootstrap("docs", n_draws=10)
    alone = IntentModel.fit(TABLE, signals=SIGNALS, outcome="asked")
    with pytest.raises(IntentModelError, match="accounts are not known"):
        alone.wild_bootstrap("docs")
    with pytest.raises(TooFewVisitsError, match="2 accounts are too few"):
        fit(accounts([60, 70]), ["docs"]).wild_bootstrap("docs")
    separated = fit(TABLE.with_columns(docs=pl.col("docs") & ~pl.col("asked")))
    with pytest.raises(IntentModelError, match="the likelihood is penalised"):
        separated.wild_bootstrap("docs")
