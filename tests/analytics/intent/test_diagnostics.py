"""Claims about what can be asked of a fitted model: tests, inflation, units, comparison with the truth, statsmodels."""

import json
import pickle

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of
from scipy.stats import f as fisher
from statsmodels.discrete.discrete_model import Logit
from statsmodels.stats.outliers_influence import variance_inflation_factor

from analytics.errors import IntentModelError, TooFewVisitsError, VisitTableError
from analytics.intent.model import IntentModel
from analytics.logit.design import INTERCEPT, design_matrix
from analytics.signals.definitions import SIGNALS, signal_named

NAMES = ("security_page_view", "careers_page_view", "region_europe", "log_session_minutes")
PRODUCT = "region_europe:security_page_view"
TRUTH = {INTERCEPT: -2.0, "security_page_view": 0.8, "careers_page_view": 0.0, "log_session_minutes": 0.4}
MODEL = IntentModel([signal_named(name) for name in NAMES], [PRODUCT])


def visit_rows(n: int = 3_000) -> pl.DataFrame:
    """A visit table whose true coefficients are those of TRUTH."""
    rng = np.random.default_rng(17)
    columns = {s.name: rng.random(n) < 0.3 for s in SIGNALS if s.dtype == pl.Boolean()}
    minutes = np.log1p(rng.exponential(8, n) * (rng.random(n) < 0.7))
    return visits_of(columns | {"log_session_minutes": minutes}, TRUTH, rng)


VISITS = visit_rows()
RESULTS = MODEL.fit(VISITS, TRUTH)


def by_hand():
    """The same model by statsmodels alone."""
    groups = np.arange(VISITS.height) // 5
    outcome = VISITS["requested_demo"].cast(pl.Float64).to_numpy()
    model = Logit(outcome, design_matrix(VISITS, RESULTS.terms))
    return model.fit(disp=False, cov_type="cluster", cov_kwds={"groups": groups})


@pytest.mark.parametrize("terms", [("security_page_view",), ("security_page_view", PRODUCT), RESULTS.terms[1:]])
def test_joint_tests_equal_statsmodels(terms: tuple[str, ...]):
    """Wald's F of any set of terms is that of statsmodels with the same clusters: chi-square by the number of terms."""
    tested = RESULTS.joint_test(terms)
    hypothesis = np.eye(len(RESULTS.terms))[[RESULTS.terms.index(term) for term in terms]]
    expected = by_hand().wald_test(hypothesis, scalar=True)
    below = RESULTS.basis.n_clusters - 1
    assert tested.statistic == pytest.approx(expected.statistic / len(terms), rel=1e-8)
    assert tested.p_value == pytest.approx(fisher.sf(expected.statistic / len(terms), len(terms), below), rel=1e-6)
    assert tested.denominator_degrees_of_freedom == below
    assert (tested.degrees_of_freedom, tested.kind) == (len(terms), "wald")
    if len(terms) == 1:
        z = RESULTS.coefficients.filter(signal=terms[0])["z"][0]
        assert tested.statistic == pytest.approx(z**2, rel=1e-10)


def test_a_joint_test_of_separated_terms_is_a_likelihood_ratio():
    """Where an estimate would be infinite Wald's test has no power; the penalised likelihood ratio has.

    Statsmodels knows no penalised likelihood: asked for its results, the separated term is named instead of a number.
    """
    visits = VISITS.with_columns(careers_page_view=~pl.col("requested_demo") & pl.col("careers_page_view"))
    results = MODEL.fit(visits)
    tested = results.joint_test(["careers_page_view"])
    assert tested.kind == "penalised likelihood ratio"
    assert tested.p_value == pytest.approx(results.coefficients.filter(signal="careers_page_view")["p_value"][0])
    assert tested.p_value < 1e-10
    with pytest.raises(IntentModelError, match="careers_page_view"):
        results.to_statsmodels()


@pytest.mark.parametrize("terms", [(), ("careers",), ("careers_page_view", "careers_page_view")])
def test_a_joint_test_of_what_is_no_set_of_terms_is_refused(terms: tuple[str, ...]):
    """None, an unknown one, or one named twice, is refused."""
    with pytest.raises(IntentModelError, match="different terms of the model"):
        RESULTS.joint_test(terms)


def test_a_joint_test_of_more_terms_than_accounts_is_refused():
    """The covariance of four clusters has no more than four dimensions, so five terms cannot be tested at once."""
    results = MODEL.fit(VISITS.with_columns(account=pl.format("a{}", pl.int_range(pl.len()) % 4)))
    with pytest.raises(TooFewVisitsError, match="4 accounts are too few for a joint test of 5 terms"):
        _ = results.all_signals
    assert "4 accounts are too few" in results.to_dict()["all_signals"]["not_available"]


@pytest.mark.parametrize("visits", [VISITS, VISITS.with_columns(pl.col("log_session_minutes").round(0))])
def test_variance_inflation_equals_statsmodels(visits: pl.DataFrame):
    """On single visits and on collapsed patterns it is that of statsmodels on the whole matrix."""
    results = MODEL.fit(visits)
    matrix = design_matrix(visits, results.terms)
    expected = [variance_inflation_factor(matrix, j) for j in range(1, matrix.shape[1])]
    np.testing.assert_allclose(results.diagnostics["vif"].drop_nulls().to_numpy(), expected, rtol=1e-8)
    assert results.diagnostics["vif"][0] is None


def test_bias_and_standardised_error_compare_with_the_truth():
    """Coefficient less truth, and that in standard errors; null where the truth is not known."""
    truth = TRUTH | {"careers_page_view": 9.0}
    results = MODEL.fit(VISITS, truth)
    assert results.coefficients["ci_covers_truth"].to_list() == [True, True, False, None, True, None]
    for row in results.comparison.join(results.coefficients.select("signal", "standard_error"), on="signal").to_dicts():
        if row["signal"] in truth:
            assert row["bias"] == pytest.approx(row["coefficient"] - truth[row["signal"]], abs=1e-15)
            assert row["standardised_error"] == pytest.approx(row["bias"] / row["standard_error"], rel=1e-12)
            assert row["ci_covers_truth"] == (abs(row["standardised_error"]) <= 1.959963984540054)
        else:
            assert (row["bias"], row["standardised_error"], row["ci_covers_truth"]) == (None, None, None)


def test_odds_ratios_are_per_unit_that_means_something():
    """A visit twice as long has 2 to the power of the coefficient times the odds; a page seen, its exponential."""
    units = {row["signal"]: row for row in RESULTS.odds_ratio_unit.to_dicts()}
    b = dict(RESULTS.coefficients.select("signal", "coefficient").rows())
    assert units["log_session_minutes"]["odds_ratio_per_unit"] == pytest.approx(2 ** b["log_session_minutes"])
    assert units["log_session_minutes"]["unit"] == "doubled (as 1 + minutes)"
    assert units["security_page_view"]["odds_ratio_per_unit"] == pytest.approx(np.exp(b["security_page_view"]))
    assert units[INTERCEPT]["odds_ratio_per_unit"] is None


def test_requests_per_term_count_the_rarer_outcome():
    """Requests by terms, or visits without one where those are fewer."""
    n_requests = VISITS["requested_demo"].sum()
    assert RESULTS.events_per_variable == n_requests / 5
    mostly = MODEL.fit(VISITS.with_columns(~pl.col("requested_demo")))
    assert mostly.events_per_variable == n_requests / 5


def test_statsmodels_results_are_of_the_same_model():
    """The object from statsmodels has its names, coefficients, clustered errors and likelihood."""
    fitted = RESULTS.to_statsmodels()
    assert fitted.model.exog_names == list(RESULTS.terms)
    assert fitted.model.endog_names == "requested_demo"
    np.testing.assert_allclose(fitted.params, RESULTS.coefficients["coefficient"], rtol=1e-8)
    np.testing.assert_allclose(fitted.bse, RESULTS.coefficients["standard_error"], rtol=1e-8)
    assert fitted.llf == pytest.approx(RESULTS.log_likelihood, rel=1e-12)
    collapsed = MODEL.fit(VISITS.with_columns(pl.col("log_session_minutes").round(0)))
    assert collapsed.to_statsmodels().nobs == VISITS.height


def test_tjur_and_out_of_fold_are_reported():
    """In and out of sample: on 3,000 visits they agree within the noise of some hundred requests."""
    p = RESULTS.predict(VISITS).to_numpy()
    asked = VISITS["requested_demo"].to_numpy()
    assert RESULTS.tjur_r2 == pytest.approx(p[asked].mean() - p[~asked].mean(), rel=1e-12)
    assert RESULTS.out_of_fold.auc < RESULTS.auc_in_sample
    assert RESULTS.out_of_fold.brier < RESULTS.out_of_fold.brier_of_base_rate
    assert RESULTS.cross_validate(3).n_folds == 3
    with pytest.raises(IntentModelError, match="at least 2"):
        RESULTS.cross_validate(1)


def test_json_holds_everything():
    """Strict JSON has the diagnostics of each term, the joint test and the quality out of fold."""
    read = json.loads(json.dumps(RESULTS.to_dict(), allow_nan=False))
    row = next(row for row in read["coefficients"] if row["signal"] == "security_page_view")
    assert {"bias", "vif", "p_false_discovery", "separated", "interval", "unit", "odds_ratio_per_unit"} <= row.keys()
    assert read["out_of_fold"]["auc"] == RESULTS.out_of_fold.auc
    assert read["all_signals"]["degrees_of_freedom"] == 5
    assert read["estimator"] == "ml"


def test_results_survive_a_pickle():
    """Workers of a study hand them over whole: what is worked out later is the same."""
    again = pickle.loads(pickle.dumps(MODEL.fit(VISITS, TRUTH)))  # noqa: S301 - our own
    assert again.diagnostics.equals(RESULTS.diagnostics)
    assert again.out_of_fold == RESULTS.out_of_fold


def test_visits_unlike_those_of_the_fit_are_not_predicted():
    """Visits with a region, or with signals apart, that the fit never saw are refused."""
    nobody = MODEL.fit(VISITS.with_columns(region_europe=pl.lit(value=False)))
    unseen = VISITS.with_columns(region_europe=pl.int_range(pl.len()) < 7)
    with pytest.raises(VisitTableError, match=r"region_europe was dropped.*differs in 7 of these 3,000 visits"):
        nobody.predict(unseen)
    twins = MODEL.fit(VISITS.with_columns(careers_page_view=pl.col("security_page_view")))
    with pytest.raises(VisitTableError, match="careers_page_view was dropped"):
        twins.predict(VISITS)
    alike = VISITS.with_columns(careers_page_view=pl.col("security_page_view"))
    assert twins.predict(alike).is_between(0, 1).all()


def test_a_column_determined_by_quantities_is_predicted_where_it_still_is():
    """The weights of a collinear column are in its own unit, whatever the lengths of the columns."""
    double = VISITS.with_columns(careers_page_view=3 * pl.col("log_session_minutes") - 2)
    model = IntentModel([signal_named(n) for n in ("log_session_minutes", "careers_page_view")], [])
    results = model.fit(double)
    assert list(results.dropped) == ["careers_page_view"]
    assert results.predict(double).len() == VISITS.height
