"""Claims about the intent model: its digits, its recovery of the truth, and what it refuses."""

import json

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.special import expit
from statsmodels.discrete.discrete_model import Logit

from analytics.errors import (
    ConvergenceError,
    IntentModelError,
    OneOutcomeError,
    SeparationError,
    TooFewVisitsError,
    VisitTableError,
)
from analytics.intent.coefficients import COEFFICIENT_SCHEMA
from analytics.intent.model import IntentModel
from analytics.logit import design as intent_design, likelihood
from analytics.logit.design import INTERCEPT, design_matrix, prepare
from analytics.logit.firth import PenalisedLogit
from analytics.logit.likelihood import climb
from analytics.signals.definitions import DEFAULT_INTERACTIONS, SIGNALS, SessionLength, signal_named, visit_schema

TRUTH = {
    INTERCEPT: -2.5,
    "security_page_view": 0.9,
    "careers_page_view": 0.0,
    "region_europe": -0.3,
    "log_session_minutes": 0.4,
    "region_europe:security_page_view": 0.5,
}
NAMES = tuple(term for term in TRUTH if term != INTERCEPT and ":" not in term)
FEW = tuple(signal_named(name) for name in NAMES)


def visit_rows(n: int, seed: int, truth: dict[str, float] = TRUTH, account_sd: float = 0.0):
    """Make a visit table of n independent visits whose true coefficients are known, five visitors to an account."""
    rng = np.random.default_rng(seed)
    columns = {
        signal.name: np.log1p(rng.exponential(8, n)) if isinstance(signal, SessionLength) else rng.random(n) < 0.3
        for signal in SIGNALS
    }
    accounts = np.arange(n) // 5
    table = pl.DataFrame(columns).with_columns(
        anonymous_id=pl.Series([f"v{i}" for i in range(n)]),
        account=pl.Series([f"a{i}" for i in accounts]),
        experiments=pl.lit(None),
        visit=pl.lit(1),
        started_at=pl.lit(None),
        ended_at=pl.lit(None),
        n_page_views=pl.lit(1),
        at_risk=pl.lit(value=True),
        censored=pl.lit(value=False),
    )
    log_odds = design_matrix(table, list(truth)) @ np.array(list(truth.values()))
    log_odds += account_sd * rng.standard_normal(accounts.max() + 1)[accounts]
    asked = pl.Series(rng.random(n) < expit(log_odds))
    return table.with_columns(requested_demo=asked).select(
        pl.col(name).cast(dtype) for name, dtype in visit_schema().items()
    )


VISITS = visit_rows(4_000, seed=1)
ALONE = VISITS.with_columns(account=pl.lit(None, dtype=pl.String))


def fit(visits: pl.DataFrame = VISITS, **truth: float):
    """Fit the few signals and their interaction."""
    return IntentModel(FEW).fit(visits, truth or None)


def by_hand(visits: pl.DataFrame, terms: tuple[str, ...], **covariance: object):
    """Fit with statsmodels alone."""
    outcome = visits["requested_demo"].cast(pl.Float64).to_numpy()
    return Logit(outcome, design_matrix(visits, terms)).fit(method="newton", disp=False, **covariance)


def test_coefficients_and_errors_equal_statsmodels():
    """Without accounts: every column that statsmodels has too is equal to 1e-8."""
    results, hand = fit(ALONE), by_hand(ALONE, tuple(TRUTH))
    table = results.coefficients
    assert results.covariance == "nonrobust"
    assert table["signal"].to_list() == list(TRUTH)
    for column, expected in [
        ("coefficient", hand.params),
        ("standard_error", hand.bse),
        ("z", hand.tvalues),
        ("p_value", hand.pvalues),
        ("ci_low", hand.conf_int()[:, 0]),
        ("ci_high", hand.conf_int()[:, 1]),
        ("odds_ratio_high", np.exp(hand.conf_int()[:, 1])),
    ]:
        np.testing.assert_allclose(table[column].to_numpy(), expected, rtol=1e-8, atol=1e-12, err_msg=column)
    assert results.log_likelihood == pytest.approx(hand.llf, rel=1e-12)
    assert results.pseudo_r2 == pytest.approx(hand.prsquared, rel=1e-8)


def test_clustered_errors_equal_the_explicit_sandwich():
    """With accounts: bread × sum over accounts of score outer products × bread, with the usual small-sample factor."""
    results = fit()
    x, b = design_matrix(VISITS, results.terms), results.coefficients["coefficient"].to_numpy()
    residual = VISITS["requested_demo"].to_numpy() - expit(x @ b)
    bread = np.linalg.inv((x * (expit(x @ b) * expit(-x @ b))[:, None]).T @ x)
    scores = (x * residual[:, None]).reshape(-1, 5, x.shape[1]).sum(axis=1)
    (n, k), g = x.shape, len(scores)
    expected = bread @ (scores.T @ scores) @ bread * (g / (g - 1)) * ((n - 1) / (n - k))
    assert results.covariance == "cluster by account"
    np.testing.assert_allclose(results.covariance_matrix, expected, rtol=1e-7)


DISCRETE = VISITS.with_columns(pl.col("log_session_minutes").round(0))
"""Visits that are alike in all signals of many others: one of them counts, the others are yes or no."""


def test_collapsed_visits_give_the_same_ten_digits():
    """On collapsed patterns, estimates, errors, p-values and likelihood are those of all visits, to ten digits."""
    results = fit(DISCRETE)
    groups = DISCRETE["account"].rank("dense").to_numpy().astype(np.int64)
    hand = by_hand(DISCRETE, results.terms, cov_type="cluster", cov_kwds={"groups": groups})
    for column, expected in [
        ("coefficient", hand.params), ("standard_error", hand.bse), ("p_value", hand.pvalues),
    ]:  # fmt: skip
        np.testing.assert_allclose(results.coefficients[column].to_numpy(), expected, rtol=1e-10, err_msg=column)
    # A covariance near 0 is what is left of large numbers: its digits are those of the standard errors it is made of.
    scale = np.outer(hand.bse, hand.bse)
    np.testing.assert_allclose(results.covariance_matrix / scale, hand.cov_params() / scale, rtol=0, atol=1e-10)
    assert results.log_likelihood == pytest.approx(hand.llf, rel=1e-12)


def test_collapsing_changes_no_result(monkeypatch: pytest.MonkeyPatch):
    """Every number of the results is the same to ten digits whether or not visits are collapsed."""
    collapsed, names = fit(DISCRETE), [signal.name for signal in FEW]
    assert len(prepare(DISCRETE, names, ()).matrix) < DISCRETE.height / 4
    monkeypatch.setattr(intent_design, "_MIN_VISITS_PER_PATTERN", DISCRETE.height)
    single = fit(DISCRETE)
    assert len(prepare(DISCRETE, names, ()).matrix) == DISCRETE.height
    assert_frame_equal(collapsed.coefficients, single.coefficients, rel_tol=1e-10, abs_tol=1e-14)
    assert collapsed.auc_in_sample == pytest.approx(single.auc_in_sample, rel=1e-12)
    assert collapsed.pseudo_r2 == pytest.approx(single.pseudo_r2, rel=1e-10)
    assert collapsed.dropped == single.dropped


def test_what_is_left_out_does_not_depend_on_collapsing(monkeypatch: pytest.MonkeyPatch):
    """Constant, collinear and separated signals are found in patterns as in visits, with the same reasons."""
    security = pl.col("security_page_view")
    visits = DISCRETE.with_columns(
        device_mobile=pl.lit(value=True),
        webinar_registration=pl.col("requested_demo") & security,
        region_europe=~security,
    )
    names = ["security_page_view", "device_mobile", "webinar_registration", "region_europe", "log_session_minutes"]
    patterns = prepare(visits, names, ())
    monkeypatch.setattr(intent_design, "_MIN_VISITS_PER_PATTERN", visits.height)
    single = prepare(visits, names, ())
    assert (patterns.terms, patterns.dropped, patterns.separated) == (single.terms, single.dropped, single.separated)
    assert {reason.split(":")[0] for reason in single.dropped.values()} == {"constant", "collinear"}
    assert single.separated == {"webinar_registration": "every visit with it ended in a request"}


def test_more_patterns_than_a_number_can_name():
    """Seventy binary columns have more combinations than 64 bits; visits are still distinguished by all of them."""
    rng = np.random.default_rng(5)
    columns = {f"s{number}": np.repeat(rng.random(3) < 0.5, 10) for number in range(70)}
    columns["s0"], columns["s69"] = np.repeat([True, False, False], 10), np.repeat([True, True, False], 10)
    pattern, rows = intent_design._collapsed(pl.DataFrame(columns), list(columns))
    assert pattern is not None
    assert rows[pattern].equals(pl.DataFrame(columns))
    assert rows.height == 3


def test_errors_do_not_depend_on_what_was_read_before():
    """Errors are equal to the last bit, in whatever order the process has met the names of the accounts."""
    before = fit().covariance_matrix
    keep = pl.Series(["account " + name for name in VISITS["account"].unique().sort(descending=True)])
    met = keep.cast(pl.Categorical)
    assert met.to_physical().is_sorted()
    np.testing.assert_array_equal(fit().covariance_matrix, before)


def test_a_visitor_without_an_account_is_a_cluster_of_their_own():
    """Clusters by hand, accounts where known and visitors elsewhere, give the same errors, whatever their names."""
    nobody = pl.int_range(pl.len()) % 3 == 0
    visits = VISITS.with_columns(
        account=pl.when(~nobody).then("account"),
        anonymous_id=pl.when(nobody).then(pl.format("a{}", pl.int_range(pl.len()) // 2)).otherwise("anonymous_id"),
    )
    groups = visits.select(
        pl.when(pl.col("account").is_null()).then(pl.format("me {}", "anonymous_id")).otherwise("account")
    )
    hand = by_hand(
        visits, tuple(TRUTH), cov_type="cluster", cov_kwds={"groups": groups.to_series().rank("dense").to_numpy()}
    )
    np.testing.assert_allclose(fit(visits).coefficients["standard_error"].to_numpy(), hand.bse, rtol=1e-8)


def test_the_truth_is_recovered():
    """Of 18 terms on 60,000 visits, each estimate lies within 4 standard errors, and their mean square error is as due.

    The sum of squared standardised errors of 18 nearly independent normals is chi-square: below 42.3 with 99.9 %.
    """
    truth = (
        {INTERCEPT: -3.0}
        | {s.name: 0.6 - 0.1 * (i % 7) for i, s in enumerate(SIGNALS)}
        | {DEFAULT_INTERACTIONS[0]: 0.5}
    )
    results = IntentModel().fit(visit_rows(60_000, seed=2, truth=truth), truth)
    table = results.coefficients
    errors = ((table["coefficient"] - table["true_coefficient"]) / table["standard_error"]).to_numpy()
    assert len(errors) == 18
    assert np.abs(errors).max() < 4
    assert (errors**2).sum() < 42.3
    inside = table.select(
        (pl.col("true_coefficient") >= pl.col("ci_low")) & (pl.col("true_coefficient") <= pl.col("ci_high"))
    ).to_series()
    assert table["ci_covers_truth"].to_list() == inside.to_list()


def test_only_visits_at_risk_and_over_count():
    """Visits after the request and visits cut off by the end of observation change nothing, even without signals."""
    more = VISITS.head(300).with_columns(
        at_risk=pl.int_range(pl.len()) % 2 == 0,
        censored=pl.int_range(pl.len()) % 2 == 0,
        security_page_view=pl.lit(None, dtype=pl.Boolean),
    )
    assert fit(pl.concat([more, VISITS])).coefficients.equals(fit().coefficients)


def test_counts_describe_the_fit():
    """Visits, visitors, accounts and requests of the fit, and visits and requests with each signal."""
    results = fit()
    n_requests = VISITS["requested_demo"].sum()
    assert (results.n_visits, results.n_visitors, results.n_accounts) == (4_000, 4_000, 800)
    assert results.n_requests == n_requests
    row = results.coefficients.row(by_predicate=pl.col("signal") == "security_page_view", named=True)
    seen = VISITS.filter("security_page_view")
    assert (row["n_seen"], row["requests_seen"]) == (seen.height, seen["requested_demo"].sum())
    assert results.coefficients.select("n_seen", "requests_seen").row(0) == (4_000, n_requests)
    assert results.coefficients.schema == COEFFICIENT_SCHEMA


def effects_by_hand(visits: pl.DataFrame, terms: tuple[str, ...], b: np.ndarray, signal: str):
    """Average marginal effect of a signal by changing the table itself."""
    column, eps = pl.col(signal), 1e-5
    quantity = signal == "log_session_minutes"
    ends = (column - eps, column + eps) if quantity else (pl.lit(value=False), pl.lit(value=True))
    low, high = (expit(design_matrix(visits.with_columns(end.alias(signal)), terms) @ b) for end in ends)
    return float(np.mean(high - low)) / (2 * eps if quantity else 1)


@pytest.mark.parametrize("interaction", ["region_europe:security_page_view", "log_session_minutes:security_page_view"])
@pytest.mark.parametrize("signal", NAMES)
def test_marginal_effects_equal_changing_the_table(signal: str, interaction: str):
    """Setting the signal for everybody, products and all, gives the effect; wiggling coefficients, its error."""
    results = IntentModel(FEW, [interaction]).fit(VISITS)
    b = results.coefficients["coefficient"].to_numpy()
    row = results.coefficients.row(by_predicate=pl.col("signal") == signal, named=True)
    effect = effects_by_hand(VISITS, results.terms, b, signal)
    eps = 1e-4
    gradient = np.array(
        [
            (
                effects_by_hand(VISITS, results.terms, b + move, signal)
                - effects_by_hand(VISITS, results.terms, b - move, signal)
            )
            / (2 * eps)
            for move in eps * np.eye(len(b))
        ]
    )
    error = np.sqrt(gradient @ results.covariance_matrix @ gradient)
    assert row["average_marginal_effect"] == pytest.approx(effect, rel=1e-6, abs=1e-9)
    assert row["average_marginal_effect_se"] == pytest.approx(error, rel=1e-4)


def test_a_product_and_the_intercept_have_no_marginal_effect_of_their_own():
    """An interaction cannot move by itself, so its effect is null, not a number."""
    effects = dict(fit().coefficients.select("signal", "average_marginal_effect").rows())
    assert [term for term, effect in effects.items() if effect is None] == [
        INTERCEPT,
        "region_europe:security_page_view",
    ]


def test_a_constant_signal_is_left_out_with_its_product():
    """A region nobody comes from is named, and so is the interaction that needs it."""
    results = fit(VISITS.with_columns(region_europe=pl.lit(value=False)))
    assert results.dropped == {
        "region_europe": "constant: 0 in every visit",
        "region_europe:security_page_view": "incomplete: region_europe not in the model",
    }
    assert results.terms == (INTERCEPT, "security_page_view", "careers_page_view", "log_session_minutes")


def test_of_two_equal_signals_the_later_is_left_out_and_its_twin_named():
    """Two names for one column have one coefficient between them."""
    results = fit(VISITS.with_columns(careers_page_view=pl.col("security_page_view")))
    assert results.dropped == {"careers_page_view": "collinear: determined by security_page_view"}


def test_signals_that_always_sum_to_one_are_collinear_with_the_intercept():
    """The complement of a signal says nothing new."""
    results = fit(VISITS.with_columns(region_europe=~pl.col("careers_page_view")))
    assert results.dropped["region_europe"] == "collinear: determined by intercept, careers_page_view"


@pytest.mark.parametrize(
    ("careers", "reason"),
    [
        (~pl.col("requested_demo") & pl.col("careers_page_view"), "no visit with it ended in a request"),
        (pl.col("requested_demo") & pl.col("careers_page_view"), "every visit with it ended in a request"),
        (pl.col("requested_demo") | pl.col("careers_page_view"), "no visit without it ended in a request"),
        (~pl.col("requested_demo") | pl.col("careers_page_view"), "every visit without it ended in a request"),
    ],
)
def test_a_separated_signal_is_penalised_and_named(careers: pl.Expr, reason: str):
    """An empty cell of signal × outcome would mean an infinite coefficient: the penalty is said, and why."""
    visits = VISITS.with_columns(careers_page_view=careers)
    results = fit(visits)
    assert (results.estimator, results.dropped) == ("firth", {})
    assert any(f"separated: careers_page_view ({reason})" in warning for warning in results.warnings)
    row = results.coefficients.row(by_predicate=pl.col("signal") == "careers_page_view", named=True)
    sign = -1 if reason in {"no visit with it ended in a request", "every visit without it ended in a request"} else 1
    assert sign * row["coefficient"] > 0
    assert row["ci_low"] < row["coefficient"] < row["ci_high"]
    with pytest.raises(SeparationError, match="careers_page_view"):
        IntentModel(FEW, penalise=False).fit(visits)


def test_a_separation_that_only_two_signals_show_is_found():
    """No signal has an empty cell alone, yet with neither of two nobody asks: all that is infinite is named."""
    seen = pl.col("security_page_view") | pl.col("careers_page_view")
    visits = VISITS.with_columns(requested_demo=pl.col("requested_demo") & seen)
    interactions = ["careers_page_view:security_page_view"]
    results = IntentModel(FEW, interactions).fit(visits)
    separated = {"intercept", "security_page_view", "careers_page_view", *interactions}
    assert results.estimator == "firth"
    assert set(results.diagnostics.filter("separated")["signal"]) == separated
    with pytest.raises(SeparationError, match="infinite") as refusal:
        IntentModel(FEW, interactions, penalise=False).fit(visits)
    assert set(refusal.value.terms) == separated


def test_with_accounts_only_separated_terms_are_profiled():
    """The profile likelihood knows no accounts; terms that are not separated keep cluster-robust intervals."""
    visits = VISITS.head(1_500).with_columns(careers_page_view=~pl.col("requested_demo") & pl.col("careers_page_view"))
    clustered, alone = fit(visits), fit(visits.with_columns(account=pl.lit(None, dtype=pl.String)))
    assert clustered.diagnostics.filter(interval="profile")["signal"].to_list() == ["careers_page_view"]
    assert set(alone.diagnostics["interval"]) == {"profile"}
    assert clustered.coefficients["coefficient"].equals(alone.coefficients["coefficient"])
    wald = clustered.coefficients.filter(pl.col("signal") != "careers_page_view")
    half = (wald["ci_high"] - wald["ci_low"]) / 2
    np.testing.assert_allclose(half, 1.959963984540054 * wald["standard_error"], rtol=1e-12)


def test_with_many_requests_the_profile_is_walds_interval_and_not_worked_out():
    """From 100 requests a term on, only separated terms are profiled; for the others it would change next to nothing.

    A profile differs from Wald's interval by about z² / 6 of the likelihood's skewness, in standard errors; that is one
    over the root of the requests seen with a signal, of which there are 230: 0.64 / √230 = 0.04.
    """
    visits = ALONE.with_columns(careers_page_view=~pl.col("requested_demo") & pl.col("careers_page_view"))
    results = fit(visits)
    assert results.diagnostics.filter(interval="profile")["signal"].to_list() == ["careers_page_view"]
    design = prepare(visits, [signal.name for signal in FEW], DEFAULT_INTERACTIONS)
    penalised = PenalisedLogit(design.matrix, design.n_visits, design.n_requests)
    for row in results.coefficients.with_row_index().filter(pl.col("signal") != "careers_page_view").to_dicts():
        ends = np.array(penalised.interval(row["index"], 0.95))
        assert np.abs(ends - [row["ci_low"], row["ci_high"]]).max() < 0.04 * row["standard_error"], row["signal"]


def test_a_large_coefficient_that_is_finite_is_no_separation():
    """A quantity in thousandths has a coefficient of hundreds; the linear programme shows that it is finite."""
    visits = VISITS.with_columns(log_session_minutes=pl.col("log_session_minutes") / 1000)
    small, usual = fit(visits), fit()
    rows = [r.coefficients.filter(signal="log_session_minutes")["coefficient"][0] for r in (small, usual)]
    assert small.estimator == "ml"
    assert rows[0] == pytest.approx(1000 * rows[1], rel=1e-8)


@pytest.mark.slow
def test_outcomes_that_a_quantity_predicts_perfectly_are_reported():
    """When exactly the long visits end in a request, all is separated: finite by the penalty alone, and said."""
    visits = VISITS.with_columns(requested_demo=pl.col("log_session_minutes") > 2.5)
    results = fit(visits)
    assert any("log_session_minutes (with others it predicts" in warning for warning in results.warnings)
    assert results.coefficients.select(pl.col("ci_low", "ci_high", "p_value").is_finite().all()).row(0) == (True,) * 3
    assert results.auc_in_sample == 1
    with pytest.raises(SeparationError, match="log_session_minutes"):
        IntentModel(FEW, penalise=False).fit(visits)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_search_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    """With two steps allowed Newton's method cannot have found the maximum: no number is returned."""
    monkeypatch.setattr(likelihood, "_MAX_ITERATIONS", 2)
    for visits in (VISITS, DISCRETE):
        with pytest.raises(ConvergenceError, match="did not converge in 2 steps"):
            fit(visits)


@pytest.mark.parametrize("asked", [True, False])
def test_one_outcome_alone_is_refused(asked: bool):  # noqa: FBT001 - a parameter of the test
    """When all or none convert, nothing can be estimated; the message says so, with advice."""
    which = "every" if asked else "no"
    with pytest.raises(OneOutcomeError, match=rf"{which} visit of [0-9]+ ended in a demo request.*observe longer"):
        fit(VISITS.with_columns(requested_demo=pl.lit(asked)))


@pytest.mark.parametrize(
    ("n", "reason"), [(0, "no visit is at risk"), (10, "10 visits with 2 requests are too few for [345] signals")]
)
def test_too_few_visits_are_refused(n: int, reason: str):
    """No visits, or ten with two requests, are too few for five terms; the message gives advice."""
    asked = VISITS.filter("requested_demo").head(n // 5)
    rest = VISITS.filter(~pl.col("requested_demo")).head(n - n // 5)
    with pytest.raises(TooFewVisitsError, match=f"{reason}.*observe longer"):
        fit(pl.concat([asked, rest]))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("security_page_view", None),
        ("log_session_minutes", float("nan")),
        ("log_session_minutes", float("inf")),
        ("requested_demo", None),
    ],
)
def test_a_missing_value_is_refused_and_named(column: str, value: float | None):
    """A row without a finite value is neither dropped nor taken for a no: the column and the number are named."""
    hole = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit(value, dtype=VISITS.schema[column])).otherwise(column)
    with pytest.raises(VisitTableError, match=rf"no value \(null, NaN or infinite\) in {column} \(3\)"):
        fit(VISITS.with_columns(hole.alias(column)))


def test_a_table_that_is_no_visit_table_is_refused():
    """The message names the missing column and where a visit table comes from."""
    with pytest.raises(VisitTableError, match=r"no column security_page_view, censored; .*visit_table"):
        fit(VISITS.drop("security_page_view", "censored"))


@pytest.mark.parametrize("interaction", ["region_europe", "region_europe:secruity_page_view"])
def test_an_impossible_interaction_is_refused(interaction: str):
    """A single signal is no product and a misspelt one is unknown."""
    with pytest.raises(IntentModelError, match="interaction"):
        IntentModel(interactions=[interaction])


def test_a_term_named_twice_and_an_impossible_level_are_refused():
    """Both are mistakes in the call, found before any data are seen."""
    with pytest.raises(IntentModelError, match="twice"):
        IntentModel((*FEW, FEW[0]))
    with pytest.raises(IntentModelError, match="level"):
        IntentModel(level=95)


def test_few_requests_per_term_are_a_warning():
    """Fewer than ten requests a term: the numbers come with the caution."""
    visits = visit_rows(400, seed=3)
    few = pl.concat([visits.filter("requested_demo").head(40), visits.filter(~pl.col("requested_demo"))])
    assert any(warning.startswith("40 requests for 5 terms: fewer than 10 a term") for warning in fit(few).warnings)
    assert fit().warnings == ()


def test_where_nearly_all_ask_those_who_do_not_are_few():
    """What limits the fit is the rarer outcome, and that is the one the caution counts."""
    visits = visit_rows(4_000, seed=3)
    asked = visits.filter("requested_demo")
    others = visits.filter(~pl.col("requested_demo")).sample(40, seed=1)
    warnings = fit(pl.concat([asked, others])).warnings
    assert any(warning.startswith("40 visits without a request for 5 terms: fewer") for warning in warnings)


def test_few_or_one_account_are_a_warning():
    """Ten accounts are too few to trust robust errors; one account leaves none to compute."""
    ten = fit(VISITS.with_columns(account=pl.format("a{}", pl.int_range(pl.len()) % 10)))
    assert any("10 accounts are few" in warning for warning in ten.warnings)
    one = fit(VISITS.with_columns(account=pl.lit("a")))
    assert one.covariance == "nonrobust"
    assert any("one account" in warning for warning in one.warnings)


def test_shared_circumstances_widen_the_errors_of_what_accounts_share():
    """When colleagues share an unseen inclination, errors of an account-level signal grow by clustering."""
    visits = visit_rows(4_000, seed=5, account_sd=1.5).with_columns(
        region_europe=(pl.int_range(pl.len()) // 5) % 2 == 0
    )
    clustered, naive = fit(visits), fit(visits.with_columns(account=pl.lit(None, dtype=pl.String)))
    errors = [
        dict(r.coefficients.select("signal", "standard_error").rows())["region_europe"] for r in (clustered, naive)
    ]
    assert errors[0] > 1.05 * errors[1]


def test_the_truth_is_set_beside_the_estimates():
    """A known coefficient is shown with whether the interval holds it; an unknown one is null."""
    rows = {row["signal"]: row for row in fit(security_page_view=0.9, careers_page_view=9.0).coefficients.to_dicts()}
    assert (rows["security_page_view"]["true_coefficient"], rows["security_page_view"]["ci_covers_truth"]) == (
        0.9,
        True,
    )
    assert rows["careers_page_view"]["ci_covers_truth"] is False
    assert (rows["region_europe"]["true_coefficient"], rows["region_europe"]["ci_covers_truth"]) == (None, None)


def test_prediction_gives_the_fitted_probabilities():
    """Over the visits of the fit they average to the share of requests: the score equation of the intercept."""
    results = fit()
    p = results.predict(VISITS)
    assert p.mean() == pytest.approx(VISITS["requested_demo"].mean(), rel=1e-10)
    with pytest.raises(VisitTableError, match="careers_page_view"):
        results.predict(VISITS.drop("careers_page_view"))


def test_results_become_json_and_text():
    """The dictionary survives strict JSON; the renderings name the requests, what was left out and the warnings."""
    results = fit(VISITS.with_columns(region_europe=pl.lit(value=False)))
    read = json.loads(json.dumps(results.to_dict(), allow_nan=False))
    assert [row["signal"] for row in read["coefficients"]] == list(results.terms)
    assert read["dropped"] == results.dropped
    for text in (repr(results), results._repr_html_()):
        assert f"{results.n_requests:,} requests in 4,000 visits" in text
        assert "dropped: region_europe (constant: 0 in every visit)" in text
    assert results.summary.height == len(results.terms)


def test_steps_that_overshoot_are_shortened():
    """From a start far off, where full Newton steps run away, the search still ends at the maximum's closed form."""
    matrix = np.array([[1.0, 0.0], [1.0, 1.0]])
    n_visits, n_requests = np.array([1000.0, 1000.0]), np.array([20.0, 60.0])
    found, converged = climb(matrix, n_visits, n_requests, np.array([4.0, 0.0]))
    assert converged
    rates = np.log(n_requests / (n_visits - n_requests))
    np.testing.assert_allclose(found, [rates[0], rates[1] - rates[0]], rtol=1e-10)
