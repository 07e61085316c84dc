"""Claims about the curves of the time to a request: closed forms, Kaplan and Meier, and what is censored."""

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_until_request
from statsmodels.duration.survfunc import SurvfuncRight

from analytics.charts.model import request_curve_chart
from analytics.charts.style import to_svg
from analytics.errors import VisitTableError
from analytics.html.numbers import percent
from analytics.intent.model import IntentModel
from analytics.intent.time_to_request import CURVE_SCHEMA
from analytics.report.model_checks import checks_view
from analytics.signals.definitions import EverSeen

DOCS = EverSeen("docs", "has seen the docs", "high", "category", ("docs",))
VISITS = visits_until_request(np.random.default_rng(5), 3_000, lambda _, docs: -2.0 + 0.8 * docs)


def curves(visits: pl.DataFrame = VISITS, signals: tuple[EverSeen, ...] = (DOCS,)) -> pl.DataFrame:
    """Curves of the model with these signals."""
    return IntentModel(signals, []).fit(visits).request_curves


def test_a_constant_hazard_gives_the_geometric_distribution():
    """Without signals the model's share after visit k is (1 − h)^k, and its band that of h, carried over."""
    results = IntentModel([], []).fit(VISITS)
    table = results.request_curves
    visit = table["visit"].to_numpy()
    assert table.schema == CURVE_SCHEMA
    hazard = VISITS["requested_demo"].mean()
    np.testing.assert_allclose(table["fitted"], (1 - hazard) ** visit, rtol=1e-8)
    # log(−log S) is log k + log(−log(1 − h)): the half width is the same at all visits.
    ends = np.log(-np.log(table.select("fitted_low", "fitted_high").to_numpy()))
    widths = ends[:, 0] - ends[:, 1]
    np.testing.assert_allclose(widths, widths[0], rtol=1e-8)
    slope = hazard / -np.log1p(-hazard)
    half = results.basis.estimate.fit.half_widths(np.array([[slope]]), 0.95)[0]
    np.testing.assert_allclose(widths[0], 2 * half, rtol=1e-8)


def test_the_observed_curve_is_kaplan_and_meiers():
    """Shares and Greenwood's errors equal those of statsmodels on one row per visitor, where there are requests."""
    last = VISITS.sort("visit").group_by("anonymous_id").last()
    known = SurvfuncRight(last["visit"].to_numpy(), last["requested_demo"].to_numpy().astype(int))
    table = curves().filter(pl.col("requests") > 0)
    np.testing.assert_array_equal(table["visit"], known.surv_times)
    np.testing.assert_array_equal(table["n_at_risk"], known.n_risk)
    np.testing.assert_allclose(table["observed"], known.surv_prob, rtol=1e-12)
    log_share = np.log(known.surv_prob)
    half = 1.959963984540054 * known.surv_prob_se / known.surv_prob / -log_share
    np.testing.assert_allclose(table["observed_low"], np.exp(log_share * np.exp(half)), rtol=1e-9)
    np.testing.assert_allclose(table["observed_high"], np.exp(log_share * np.exp(-half)), rtol=1e-9)


def test_visits_that_are_not_at_risk_or_not_over_are_censored():
    """They count neither as visitors at risk nor as requests."""
    marked = VISITS.with_columns(
        at_risk=~((pl.col("visit") > 2) & (pl.col("visitor") % 3 == 0)),
        censored=(pl.col("visit") > 3) & (pl.col("visitor") % 3 == 1),
    )
    eligible = marked.filter(pl.col("at_risk") & ~pl.col("censored"))
    counted = eligible.group_by("visit").agg(pl.len(), pl.col("requested_demo").sum()).sort("visit")
    table = curves(marked)
    assert table.select("n_at_risk", "requests").rows() == counted.select("len", "requested_demo").rows()


def test_without_requests_or_visitors_left_there_is_no_interval():
    """Before the first request the observed share is 1, where the last visitors request 0; none has an interval."""
    visits = pl.DataFrame(
        {
            "anonymous_id": ["a", "b", "c", "a", "b", "a"],
            "visit": [1, 1, 1, 2, 2, 3],
            "requested_demo": [False, False, False, False, True, True],
        }
    ).with_columns(at_risk=True, censored=False)
    table = curves(visits, ())
    assert table["observed"].to_list() == [1.0, 0.5, 0.0]
    assert table["observed_low"].is_null().to_list() == [True, False, True]
    assert table["fitted_low"].is_not_null().all()


def test_the_fitted_curve_is_the_product_over_mean_probabilities():
    """Where visits are collapsed, the model's curve is the product over the mean probabilities of single visits."""
    collapsed = IntentModel([DOCS], []).fit(VISITS)
    assert collapsed.basis.design.pattern is not None
    means = (
        VISITS.with_columns(p=collapsed.predict(VISITS)).group_by("visit").agg(pl.col("p").mean()).sort("visit")["p"]
    )
    np.testing.assert_allclose(collapsed.request_curves["fitted"], np.cumprod(1 - means.to_numpy()), rtol=1e-10)


def by_day(visits: pl.DataFrame) -> pl.DataFrame:
    """Curves over days, of a model without signals."""
    return IntentModel([], [], baseline="time").fit(visits).request_curves


@pytest.mark.parametrize("unit", ["visitor", "account"])
def test_over_days_visitors_who_stay_away_are_at_risk(unit: str):
    """Shares equal those of statsmodels, censored when observation ends or, if accounts request, a colleague does."""
    began, end = pl.col("started_at"), VISITS["started_at"].max()
    asked = began.filter("requested_demo").min()
    who = "anonymous_id" if unit == "visitor" else "account"
    # Of an account that has asked, no later visit is at risk.
    visits = VISITS.filter((began <= asked.over(who)).fill_null(value=True))
    table = by_day(visits)
    people = (
        visits.with_columns(until=pl.min_horizontal(asked.over(who), pl.lit(end)))
        .group_by("anonymous_id")
        .agg(
            day=((pl.col("until").first() - began.min()).dt.total_hours() // 24).first(),
            asked=pl.col("requested_demo").any(),
        )
    )
    known = SurvfuncRight(people["day"].to_numpy(), people["asked"].to_numpy().astype(int))
    with_requests = table.filter(pl.col("requests") > 0)
    np.testing.assert_array_equal(with_requests["day"], known.surv_times)
    np.testing.assert_array_equal(with_requests["n_at_risk"], known.n_risk)
    np.testing.assert_allclose(with_requests["observed"], known.surv_prob, rtol=1e-12)


def test_over_days_the_model_expects_as_many_requests_as_there_are():
    """The curve is the product over days of 1 − expected requests / visitors at risk; over all days they add up."""
    results = IntentModel([DOCS], [], baseline="time").fit(VISITS)
    table, p = results.request_curves, results.basis.design.by_visit(results.basis.estimate.fit.p_request)
    # Visits of a visitor are a day apart, so that the day is the number of the visit less 1.
    expected = VISITS.with_columns(p=p).group_by("visit").agg(pl.col("p").sum()).sort("visit")["p"].to_numpy()
    np.testing.assert_allclose(table["fitted"], np.cumprod(1 - expected / table["n_at_risk"].to_numpy()), rtol=1e-10)
    assert expected.sum() == pytest.approx(VISITS["requested_demo"].sum())
    assert (table["fitted_low"] < table["fitted"]).all()
    assert checks_view(results).curves_by == "day"
    assert "days since the first visit" in to_svg(request_curve_chart(table), "curves")


def test_the_report_shows_them_and_the_test_of_the_baseline():
    """The figure's title has both shares after each visit; without a second visit there is no figure."""
    results = IntentModel([DOCS], [], baseline="visit_number").fit(VISITS)
    checks = checks_view(results)
    assert checks.curves is not None
    first = results.request_curves.row(0, named=True)
    shares = f"after visit 1 {percent(first['observed'])} observed, {percent(first['fitted'])} by the model"
    assert shares in checks.curves.title
    n_terms = len(results.basis.baseline_terms)
    assert any(name.startswith(f"joint test of the {n_terms} of the baseline, F(") for name, *_ in checks.measures)
    assert checks_view(IntentModel([DOCS], []).fit(VISITS.filter(pl.col("visit") == 1))).curves is None


def test_they_are_drawn_and_need_numbers_of_visits():
    """The chart names both axes; a table without visit numbers is refused by name."""
    drawn = to_svg(request_curve_chart(curves()), "curves")
    assert "share without a request" in drawn
    assert "visits so far" in drawn
    with pytest.raises(VisitTableError, match="no column visit"):
        curves(VISITS.drop("visit"))
