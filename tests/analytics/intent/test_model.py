"""Claims about the intent model: its digits, its recovery of the truth, and what it refuses."""

import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of
from polars.testing import assert_frame_equal
from scipy.special import expit
from scipy.stats import t as student
from statsmodels.discrete.discrete_model import Logit

from analytics.charts.style import to_svg
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
from analytics.intent.results import IntentResults
from analytics.logit import design as intent_design, likelihood
from analytics.logit.design import INTERCEPT, design_matrix, prepare
from analytics.logit.firth import PenalisedLogit
from analytics.logit.likelihood import climb
from analytics.logit.matrix import DesignMatrix
from analytics.report.model import model_view
from analytics.signals.definitions import DEFAULT_INTERACTIONS, SIGNALS, SessionLength, signal_named

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


def visit_rows(n: int, seed: int, truth: dict[str, float] = TRUTH) -> pl.DataFrame:
    """Make a visit table of n independent visits whose true coefficients are known, five visitors to an account."""
    rng = np.random.default_rng(seed)
    columns = {
        signal.name: np.log1p(rng.exponential(8, n)) if isinstance(signal, SessionLength) else rng.random(n) < 0.3
        for signal in SIGNALS
    }
    return visits_of(columns, truth, rng)


VISITS = visit_rows(4_000, seed=1)
ALONE = VISITS.with_columns(account=pl.lit(None, dtype=pl.String))
DISCRETE = VISITS.with_columns(pl.col("log_session_minutes").round(0))
"""Visits that are alike in all signals of many others: one of them counts, the others are yes or no."""
IS_LONE = pl.int_range(pl.len()) % 3 == 0
SOME_ALONE = VISITS.with_columns(
    account=pl.when(~IS_LONE).then("account"),
    anonymous_id=pl.when(IS_LONE).then(pl.format("a{}", pl.int_range(pl.len()) // 2)).otherwise("anonymous_id"),
)
"""Visits of which some have no account, and a visitor named as an account is."""
ASKED = pl.col("requested_demo")


def fit(visits: pl.DataFrame = VISITS) -> IntentResults:
    """Fit the few signals and their interaction."""
    return IntentModel(FEW).fit(visits)


@pytest.mark.parametrize(
    ("visits", "rtol"),
    [(VISITS, 1e-8), (ALONE, 1e-8), (SOME_ALONE, 1e-8), (DISCRETE, 1e-10)],
    ids=["by account", "no accounts", "visitors without an account are clusters of their own", "collapsed patterns"],
)
def test_every_number_equals_statsmodels(visits: pl.DataFrame, rtol: float):
    """Every column that statsmodels has too is equal, and so are the covariance and the likelihood."""
    results, covariance = fit(visits), {}
    if visits is not ALONE:
        name = pl.coalesce(pl.format("account {}", "account"), pl.format("visitor {}", "anonymous_id"))
        groups = visits.select(name).to_series().rank("dense").to_numpy().astype(np.int64)
        covariance = {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    hand = Logit(visits["requested_demo"].cast(pl.Float64).to_numpy(), design_matrix(visits, list(TRUTH)))
    hand = hand.fit(method="newton", disp=False, **covariance)
    assert results.covariance == ("cluster by account (CR1)" if covariance else "nonrobust")
    freedom = groups.max() - 1 if covariance else np.inf
    half = student.ppf(0.975, freedom) * hand.bse
    assert results.coefficients["signal"].to_list() == list(TRUTH)
    for column, expected in [
        ("coefficient", hand.params),
        ("standard_error", hand.bse),
        ("z", hand.tvalues),
        ("p_value", 2 * student.sf(np.abs(hand.tvalues), freedom)),
        ("ci_low", hand.params - half),
        ("ci_high", hand.params + half),
        ("odds_ratio_high", np.exp(hand.params + half)),
    ]:
        np.testing.assert_allclose(results.coefficients[column], expected, rtol=rtol, atol=1e-12, err_msg=column)
    # A covariance near 0 is what is left of large numbers: its digits are those of the standard errors it is made of.
    scale = np.outer(hand.bse, hand.bse)
    np.testing.assert_allclose(results.covariance_matrix / scale, hand.cov_params() / scale, rtol=0, atol=rtol)
    assert results.log_likelihood == pytest.approx(hand.llf, rel=1e-12)
    assert results.pseudo_r2 == pytest.approx(hand.prsquared, rel=1e-8)


def test_collapsing_changes_no_result(monkeypatch: pytest.MonkeyPatch):
    """Every number of the results is the same to ten digits whether or not visits are collapsed."""
    collapsed, names = fit(DISCRETE), [signal.name for signal in FEW]
    assert prepare(DISCRETE, names, ()).matrix.n_rows < DISCRETE.height / 4
    monkeypatch.setattr(intent_design, "_MIN_VISITS_PER_PATTERN", DISCRETE.height)
    single = fit(DISCRETE)
    assert prepare(DISCRETE, names, ()).matrix.n_rows == DISCRETE.height
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


def test_the_truth_is_recovered():
    """Of 18 terms on 20,000 visits, each estimate lies within 4 standard errors, and their mean square error is as due.

    The sum of squared standardised errors of 18 nearly independent normals is chi-square: below 42.3 with 99.9 %.
    """
    truth = (
        {INTERCEPT: -3.0}
        | {s.name: 0.6 - 0.1 * (i % 7) for i, s in enumerate(SIGNALS)}
        | {DEFAULT_INTERACTIONS[0]: 0.5}
    )
    results = IntentModel().fit(visit_rows(20_000, seed=2, truth=truth), truth)
    table = results.coefficients
    errors = ((table["coefficient"] - table["true_coefficient"]) / table["standard_error"]).to_numpy()
    assert len(errors) == 18
    assert np.abs(errors).max() < 4
    assert (errors**2).sum() < 42.3


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
    """Setting the signal for everybody, products and all, gives the effect; moving coefficients, its error.

    A product cannot move by itself, nor the intercept: they have no effect of their own.
    """
    results = IntentModel(FEW, [interaction]).fit(VISITS)
    b = results.coefficients["coefficient"].to_numpy()
    row = results.coefficients.row(by_predicate=pl.col("signal") == signal, named=True)
    effect = effects_by_hand(VISITS, results.terms, b, signal)
    eps = 1e-4
    ends = [
        [effects_by_hand(VISITS, results.terms, b + side * move, signal) for side in (-1, 1)]
        for move in eps * np.eye(len(b))
    ]
    gradient = np.diff(ends, axis=1)[:, 0] / (2 * eps)
    error = np.sqrt(gradient @ results.covariance_matrix @ gradient)
    null = results.coefficients.filter(pl.col("average_marginal_effect").is_null())
    assert null["signal"].to_list() == [INTERCEPT, interaction]
    assert row["average_marginal_effect"] == pytest.approx(effect, rel=1e-6, abs=1e-9)
    assert row["average_marginal_effect_se"] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        (
            {"region_europe": pl.lit(value=False)},
            {
                "region_europe": "constant: 0 in every visit",
                "region_europe:security_page_view": "incomplete: region_europe not in the model",
            },
        ),
        (
            {"careers_page_view": pl.col("security_page_view")},
            {"careers_page_view": "collinear: determined by security_page_view"},
        ),
        (
            {"region_europe": ~pl.col("careers_page_view")},
            {"region_europe": "collinear: determined by intercept, careers_page_view"},
        ),
    ],
    ids=["a constant, and its product", "the later of two equal ones", "one that is 1 less another"],
)
def test_a_signal_that_says_nothing_new_is_left_out_and_named(change: dict[str, pl.Expr], dropped: dict[str, str]):
    """The reason names what it is determined by; the other terms stay."""
    results = fit(VISITS.with_columns(**change))
    assert dropped.items() <= results.dropped.items()
    assert results.terms == tuple(term for term in TRUTH if term not in results.dropped)


@pytest.mark.parametrize(
    ("change", "true"),
    [
        ({"careers_page_view": pl.col("security_page_view")}, {"security_page_view": 0.9 + 0.7}),
        ({"region_europe": pl.lit(value=True)}, {INTERCEPT: -2.5 - 0.3, "security_page_view": 0.9 + 0.5}),
        ({"region_europe": pl.lit(value=False)}, {}),
    ],
    ids=["one equal to another", "a constant, and its product", "one that is never seen"],
)
def test_terms_carry_the_effects_of_dropped_terms_that_they_determine(
    change: dict[str, pl.Expr], true: dict[str, float]
):
    """Their true coefficients are those of the same model without the dropped terms; the others keep theirs."""
    truth = TRUTH | {"careers_page_view": 0.7}
    results = IntentModel(FEW).fit(VISITS.with_columns(**change), truth)
    expected = {term: (truth | true)[term] for term in results.terms}
    assert dict(results.coefficients.select("signal", "true_coefficient").iter_rows()) == pytest.approx(expected)
    said = any("true coefficients include the effect of" in warning for warning in results.warnings)
    assert said == ("security_page_view" in true)


def test_no_truth_is_known_where_the_effect_of_a_dropped_product_is_in_no_term():
    """A product of a dropped signal that is no sum of terms has an effect for which any term may be a proxy."""
    results = IntentModel(FEW).fit(VISITS.with_columns(region_europe=~pl.col("careers_page_view")), TRUTH)
    assert results.coefficients["true_coefficient"].null_count() == len(results.terms)
    assert results.coefficients["ci_covers_truth"].null_count() == len(results.terms)
    product = "region_europe:security_page_view"
    assert f"the true coefficients are not known: {product} has an effect, and was dropped" in results.warnings


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


@pytest.mark.parametrize("careers", [pl.col("requested_demo"), pl.col("requested_demo") | pl.col("careers_page_view")])
def test_a_signal_that_may_be_known_because_of_the_request_is_named(careers: pl.Expr):
    """If nobody without it, or everybody with it, requests, it may be a part of the request: the user has to check."""
    visits = VISITS.with_columns(careers_page_view=careers & (pl.col("requested_demo") | IS_LONE))
    (warning,) = (each for each in fit(visits).warnings if each.startswith("careers_page_view: "))
    assert "known because of them: check that it is known before the request, or leave it out" in warning
    rare = VISITS.with_columns(careers_page_view=~pl.col("requested_demo") & pl.col("careers_page_view"))
    assert not [each for each in fit(rare).warnings if "known because" in each]


def test_a_signal_that_equals_the_outcome_is_left_out_of_the_others_way():
    """With it every outcome is predicted, and no other effect could be estimated; without it they are what they are."""
    rest = IntentModel([signal for signal in FEW if signal.name != "careers_page_view"]).fit(VISITS)
    results = fit(VISITS.with_columns(careers_page_view="requested_demo"))
    assert results.estimator == "ml"
    assert results.dropped["careers_page_view"].startswith("the outcome itself: every visit with it ended in a request")
    assert any(each.startswith("careers_page_view: the outcome itself") for each in results.warnings)
    assert_frame_equal(results.coefficients, rest.coefficients)


def test_alone_a_signal_that_equals_the_outcome_is_penalised():
    """Nothing else is to be estimated: in a two-by-two table the log odds ratio has half a visit in each cell."""
    table = pl.DataFrame({"a": [True] * 10 + [False] * 20}).with_columns(y="a")
    results = IntentModel.fit(table, outcome="y")
    assert results.coefficients["coefficient"][1] == pytest.approx(math.log(10.5 / 0.5 * 20.5 / 0.5), abs=1e-6)
    assert any(each.startswith("a: every visit with it ended in a request") for each in results.warnings)


def test_where_signals_together_predict_every_outcome_no_effect_seems_certain():
    """Residuals are 0 then, and robust errors with them: all errors are nonrobust, and all intervals profiles."""
    visits = VISITS.head(600).with_columns(requested_demo=pl.col("log_session_minutes") > 2.5)
    results = fit(visits)
    assert set(results.diagnostics["interval"]) == {"profile"}
    others = results.coefficients.filter(~pl.col("signal").is_in(["intercept", "log_session_minutes"]))
    assert others["p_value"].min() > 0.05


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
    freedom = clustered.diagnostics.filter(pl.col("signal") != "careers_page_view")["degrees_of_freedom"].to_numpy()
    np.testing.assert_allclose(half, student.ppf(0.975, freedom) * wald["standard_error"].to_numpy(), rtol=1e-9)


def test_with_many_requests_the_profile_is_walds_interval_and_not_worked_out():
    """From 100 requests a term on, only separated terms are profiled; for the others it would change next to nothing.

    A profile differs from Wald's interval by about z² / 6 of the likelihood's skewness, in standard errors; that is one
    over the root of the requests seen with a signal, of which there are 230: 0.64 / √230 = 0.04.
    """
    visits = ALONE.with_columns(careers_page_view=~pl.col("requested_demo") & pl.col("careers_page_view"))
    results = fit(visits)
    assert results.diagnostics.filter(interval="profile")["signal"].to_list() == ["careers_page_view"]
    design = prepare(visits, [signal.name for signal in FEW], DEFAULT_INTERACTIONS)
    penalised = PenalisedLogit(design.matrix.dense(), design.n_visits, design.n_requests)
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


def with_hole(column: str, value: float | None) -> pl.DataFrame:
    """The visits, of which three have no value in a column."""
    hole = pl.when(pl.int_range(pl.len()) < 3).then(pl.lit(value, dtype=VISITS.schema[column])).otherwise(column)
    return VISITS.with_columns(hole.alias(column))


NO_VALUE = r"no value \(null, NaN or infinite\) in {} \(3\)"


@pytest.mark.parametrize(
    ("visits", "error", "message"),
    [
        (VISITS.filter(ASKED), OneOutcomeError, r"every visit of [0-9]+ ended in a demo request.*observe longer"),
        (VISITS.filter(~ASKED), OneOutcomeError, r"no visit of [0-9]+ ended in a demo request.*observe longer"),
        (VISITS.clear(), TooFewVisitsError, "no visit is at risk.*observe longer"),
        (
            pl.concat([VISITS.filter(ASKED)[2:4], VISITS.filter(~ASKED).head(8)]),
            TooFewVisitsError,
            "10 visits, 2 of them with a request, are too few for 3 signals.*observe longer",
        ),
        (with_hole("security_page_view", None), VisitTableError, NO_VALUE.format("security_page_view")),
        (with_hole("log_session_minutes", float("nan")), VisitTableError, NO_VALUE.format("log_session_minutes")),
        (with_hole("log_session_minutes", float("inf")), VisitTableError, NO_VALUE.format("log_session_minutes")),
        (with_hole("requested_demo", None), VisitTableError, NO_VALUE.format("requested_demo")),
        (
            VISITS.drop("security_page_view", "censored"),
            VisitTableError,
            r"no column security_page_view, censored; .*visit_table",
        ),
    ],
    ids=["all ask", "none asks", "empty", "too few", "null", "NaN", "infinite", "null outcome", "columns missing"],
)
def test_a_table_of_which_nothing_can_be_estimated_is_refused(
    visits: pl.DataFrame, error: type[IntentModelError], message: str
):
    """A row without a value is neither dropped nor taken for a no: the message names the column, or gives advice."""
    assert issubclass(error, IntentModelError)
    with pytest.raises(error, match=message):
        fit(visits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interactions": ["region_europe"]}, "interaction"),
        ({"interactions": ["region_europe:secruity_page_view"]}, "interaction"),
        ({"signals": (*FEW, FEW[0])}, "twice"),
        ({"level": 95}, "level"),
    ],
    ids=["no product", "misspelt", "twice", "level"],
)
def test_an_impossible_model_is_refused(options: dict[str, Any], message: str):
    """Mistakes in the call are found before any data are seen."""
    with pytest.raises(IntentModelError, match=message):
        IntentModel(**options)


@pytest.mark.parametrize(("rare", "rows"), [(ASKED, "requests"), (~ASKED, "visits without a request")])
def test_few_of_the_rarer_outcome_are_a_warning(rare: pl.Expr, rows: str):
    """Fewer than ten a term of whichever outcome is rarer limit the fit: the numbers come with the caution."""
    few = pl.concat([VISITS.filter(rare).head(40), VISITS.filter(~rare)])
    assert any(each.startswith(f"40 {rows} for 5 terms: fewer than 10 a term") for each in fit(few).warnings)
    assert fit().warnings == ()


def test_few_accounts_have_fewer_degrees_of_freedom():
    """Ten accounts alike have nearly nine degrees of freedom, which a warning names."""
    ten = fit(VISITS.with_columns(account=pl.format("a{}", pl.int_range(pl.len()) % 10)))
    assert ten.covariance == "cluster by account (CR2)"
    freedom = ten.diagnostics["degrees_of_freedom"].to_numpy()
    assert ((freedom > 8.9) & (freedom < 9)).all()
    assert any("security_page_view (9.0)" in warning for warning in ten.warnings)


@pytest.mark.parametrize(("n", "named"), [(1, "one account"), (2, "2 accounts")])
def test_of_one_or_two_accounts_nothing_but_coefficients_is_known(n: int, named: str):
    """All that needs a standard error is missing, in the table and everywhere else, and a warning says why."""
    found = fit(VISITS.with_columns(account=pl.format("a{}", pl.int_range(pl.len()) % n)))
    assert any(f"all visits belong to {named}" in warning for warning in found.warnings)
    columns = ("standard_error", "z", "p_value", "p_adjusted", "ci_low", "ci_high", "odds_ratio_low", "ci_covers_truth")
    assert found.coefficients.select(pl.col(columns).is_null().all()).row(0) == (True,) * len(columns)
    assert found.coefficients["coefficient"].equals(fit(VISITS).coefficients["coefficient"])
    assert found.predictions(VISITS)["p_low"].is_null().all()
    assert found.interaction_effects["ci_low"].is_null().all()
    assert found.jackknife["standard_error"].is_null().all()
    json.dumps(found.to_dict(), allow_nan=False)
    assert "–" in repr(found) or "null" in repr(found)
    with pytest.raises(TooFewVisitsError, match="too few for a joint test"):
        found.joint_test(["security_page_view"])
    assert found.covariance == "unknown: fewer than 3 accounts"
    model_view(found, None)


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
        # The product with it is named with it, and neither has a line of its own.
        assert "not seen in these events: region_europe, region_europe:security_page_view" in text
        assert "dropped: " not in text
    assert read["unseen"] == ["region_europe", "region_europe:security_page_view"]
    assert results.findings.height == len(results.terms) - 1
    assert repr(results.summary()) == repr(results)
    assert "High-intent signals" in repr(results)
    assert to_svg(results.plot(), "coefficients").startswith("<svg")


def test_steps_that_overshoot_are_shortened():
    """From a start far off, where full Newton steps run away, the search still ends at the maximum's closed form."""
    matrix = np.array([[1.0, 0.0], [1.0, 1.0]])
    n_visits, n_requests = np.array([1000.0, 1000.0]), np.array([20.0, 60.0])
    found, converged = climb(DesignMatrix.of(matrix), n_visits, n_requests, np.array([4.0, 0.0]))
    assert converged
    rates = np.log(n_requests / (n_visits - n_requests))
    np.testing.assert_allclose(found, [rates[0], rates[1] - rates[0]], rtol=1e-10)


def test_the_penalty_on_request_and_predictions_that_add_up():
    """With few requests Firth's estimates are closer to 0, no term is called separated, and predictions add up."""
    few = ALONE.head(400)
    firth = IntentModel(FEW, DEFAULT_INTERACTIONS, estimator="firth").fit(few)
    known = fit(few)
    assert (firth.estimator, known.estimator) == ("firth", "ml")
    assert not firth.diagnostics["separated"].any()
    assert not any("separated" in warning for warning in firth.warnings)
    assert firth.coefficients["coefficient"][1:].abs().sum() < known.coefficients["coefficient"][1:].abs().sum()
    n_requests = int(few["requested_demo"].sum())
    assert firth.predict(few).sum() == pytest.approx(n_requests, abs=1e-6)
    # Without the shift of the intercept they would be more.
    b = firth.coefficients["coefficient"].to_numpy()
    assert expit(design_matrix(few, firth.terms) @ b).sum() > n_requests + 1
    with pytest.raises(IntentModelError, match="estimator: must be ml or firth"):
        IntentModel(FEW, estimator="lasso")
