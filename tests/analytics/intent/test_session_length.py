"""Claims about session length: the spline's shape, and what comparing its forms finds where the truth is known."""

import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of

from analytics.charts.model import session_length_chart
from analytics.charts.style import to_svg
from analytics.errors import IntentModelError, TooFewVisitsError
from analytics.intent.model import IntentModel
from analytics.intent.session_length import DEFAULT_FORM, FORM_SCHEMA, SessionLengthComparison
from analytics.logit.splines import knots_of, restricted_cubic
from analytics.signals.definitions import signal_named

KNOTS = np.array([1.0, 2.0, 4.0, 7.0])
MODEL = IntentModel([signal_named("security_page_view"), signal_named("log_session_minutes")], [])
B = 0.4


def visit_rows(n: int, effect: Callable[[np.ndarray], np.ndarray]) -> pl.DataFrame:
    """Visits of which a third last a moment only; effect gives the log-odds of minutes beyond those of the others."""
    rng = np.random.default_rng(23)
    minutes = np.where(rng.random(n) < 1 / 3, 0.0, rng.lognormal(1.5, 1.2, n))
    columns = {"security_page_view": rng.random(n) < 0.3, "log_session_minutes": np.log1p(minutes)}
    truth = {"intercept": -2.5, "security_page_view": 0.8}
    return visits_of(columns, truth, rng, per_account=3, unobserved=effect(minutes))


VISITS = visit_rows(12_000, lambda minutes: B * np.log1p(minutes))
LOGARITHMIC = SessionLengthComparison(VISITS, MODEL, B)


def test_a_restricted_cubic_spline_is_straight_outside_its_knots_and_smooth_at_them():
    """Second differences vanish beyond the outermost knots; between them value, slope and bend are continuous."""
    for x in (np.linspace(-3, 1, 20), np.linspace(7, 20, 20)):
        assert np.abs(np.diff(restricted_cubic(x, KNOTS), 2, axis=0)).max() < 1e-10
    for knot in KNOTS:
        h = 1e-3
        around = restricted_cubic(knot + h * np.array([-2.0, -1, 0, 1, 2]), KNOTS)
        bends = np.diff(around, 2, axis=0) / h**2
        # A cubic's bend is its argument's multiple, so over 2 h it changes by no more than 12 h / width².
        assert np.abs(np.diff(bends, axis=0)).max() < 12 * h


def test_a_restricted_cubic_spline_equals_its_definition():
    """Harrell's equation 2.25, written out with other words for one knot, gives the same column."""
    x = np.linspace(0, 10, 50)
    t1, t2, t3, t4 = KNOTS
    plus = lambda a: np.clip(a, 0, None) ** 3  # noqa: E731 - as in the book
    second = (plus(x - t2) - plus(x - t3) * (t4 - t2) / (t4 - t3) + plus(x - t4) * (t3 - t2) / (t4 - t3)) / (
        t4 - t1
    ) ** 2
    np.testing.assert_allclose(restricted_cubic(x, KNOTS)[:, 2], second, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(restricted_cubic(x, KNOTS)[:, 0], x)


def test_knots_lie_at_harrells_quantiles():
    """Of 0 to 100 the four knots are 5, 35, 65 and 95; values that are too similar have none."""
    np.testing.assert_allclose(knots_of(np.arange(101.0)), [5, 35, 65, 95])
    with pytest.raises(TooFewVisitsError, match="too similar"):
        knots_of(np.ones(50))
    with pytest.raises(TooFewVisitsError, match="too similar"):
        knots_of(np.empty(0))


def test_where_the_logarithm_is_the_truth_it_beats_the_flag_and_a_free_curve_gains_nothing():
    """By Akaike and out of fold the logarithm is ahead of the flag and of nothing; the spline needs no bends."""
    table = LOGARITHMIC.table
    assert table.schema == FORM_SCHEMA
    aic = dict(table.select("form", "aic").rows())
    loss = dict(table.select("form", "log_loss").rows())
    assert aic["log1p"] < aic["over 15 minutes"] < aic["none"]
    assert loss["log1p"] < loss["over 15 minutes"] < loss["none"]
    # Two bends that are not there lower −2 log-likelihood by a chi-square of 2: less than 13.8 with 99.9 %.
    assert aic["log1p"] - aic["spline"] < 13.8 - 4
    assert LOGARITHMIC.nonlinearity > 0.001
    assert DEFAULT_FORM == "log1p"


def test_aic_is_twice_the_terms_less_twice_the_log_likelihood():
    """And the log-likelihood of the form without session length is that of the model without it."""
    table = LOGARITHMIC.table
    for row in table.to_dicts():
        assert row["aic"] == pytest.approx(2 * row["n_terms"] - 2 * row["log_likelihood"], rel=1e-12)
    alone = IntentModel([signal_named("security_page_view")], []).fit(VISITS)
    assert table.filter(form="none")["log_likelihood"][0] == pytest.approx(alone.log_likelihood, rel=1e-10)
    assert table["aic_above_best"].min() == 0


def test_where_longer_stops_helping_the_spline_says_so():
    """When the odds rise to ten minutes and fall again, the free curve is ahead and linearity is refuted."""
    hump = SessionLengthComparison(visit_rows(4_000, lambda m: 2 - 1.5 * (np.log1p(m) - np.log(11)) ** 2), MODEL)
    aic = dict(hump.table.select("form", "aic").rows())
    assert aic["spline"] < aic["log1p"] - 20
    assert hump.nonlinearity < 1e-6
    assert hump.curve()["truth"].null_count() == hump.curve().height


def test_the_band_holds_the_true_curve():
    """Relative to a visit of the median length, the truth lies within four standard errors at every length."""
    for form in ("log1p", "spline"):
        curve = LOGARITHMIC.curve(form, minutes=[0, 1, 5, 15, 60])
        error = (curve["high"] - curve["low"]) / (2 * 1.959963984540054)
        assert ((curve["log_odds"] - curve["truth"]).abs() < 4 * error).all()


def test_the_curve_is_zero_at_the_reference_and_its_coefficient_is_the_slope():
    """A visit compared with itself has no difference; log-odds between two lengths are coefficient × their distance."""
    curve = LOGARITHMIC.curve(minutes=[3.0, 7.0, 15.0], reference=3.0)
    assert curve.select("log_odds", "low", "high", "truth").row(0) == (0.0, 0.0, 0.0, 0.0)
    slope = curve["log_odds"][1] / np.log(8 / 4)
    assert curve["log_odds"][2] == pytest.approx(slope * np.log(16 / 4), rel=1e-12)
    assert curve["truth"][2] == pytest.approx(B * np.log(4), rel=1e-12)


def test_a_form_that_cannot_be_fitted_is_named_with_its_reason():
    """Visits of two lengths have no knots: the other forms are still compared."""
    visits = VISITS.head(2_000).with_columns(
        log_session_minutes=pl.when(pl.col("log_session_minutes") > 0).then(2.0).otherwise(0.0)
    )
    compared = SessionLengthComparison(visits, MODEL)
    row = compared.table.row(by_predicate=pl.col("form") == "spline", named=True)
    assert "too similar" in row["not_available"]
    assert row["aic"] is None
    assert compared.nonlinearity is None
    with pytest.raises(IntentModelError, match="too similar"):
        compared.curve("spline")


def test_where_there_is_nothing_to_compare_that_is_an_error():
    """Visits of one length, and a model without session length, are refused with a reason, not curves of zeros."""
    with pytest.raises(IntentModelError, match="equally long"):
        SessionLengthComparison(VISITS.head(2_000).with_columns(log_session_minutes=pl.lit(0.0)), MODEL)
    with pytest.raises(IntentModelError, match="no session length"):
        SessionLengthComparison(VISITS.head(100), IntentModel([signal_named("security_page_view")], []))


def test_the_chart_names_its_curves_and_the_truth_where_it_is_known():
    """Every line has its name at its end, and nothing is said of a truth that is not known."""
    others = {form: LOGARITHMIC.curve(form) for form in ("spline", "over 15 minutes")}
    svg = to_svg(session_length_chart(LOGARITHMIC.curve(), others), "s")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"log1p", "spline", "over 15 minutes", "true effect"} <= set(texts)
    unknown = LOGARITHMIC.curve().with_columns(truth=pl.lit(None, dtype=pl.Float64))
    assert "true effect" not in to_svg(session_length_chart(unknown), "s")


@pytest.mark.parametrize("n", [1, 2])
def test_of_one_or_two_accounts_the_curve_has_no_band_and_no_test(n: int):
    """Nothing is known of the differences between accounts, so that only the curve itself is drawn."""
    few = VISITS.head(3_000).with_columns(account=pl.format("a{}", pl.int_range(pl.len()) % n))
    compared = SessionLengthComparison(few, MODEL, B)
    assert compared.nonlinearity is None
    curve = compared.curve()
    assert curve["log_odds"].is_finite().all()
    assert not curve["low"].is_finite().any()
