"""Claims about units: a fit does not depend on them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_of

from analytics.errors import VisitTableError
from analytics.intent.model import IntentModel
from analytics.intent.results import IntentResults
from analytics.logit.matrix import DesignMatrix
from analytics.logit.scaling import Scaling
from analytics.logit.separation import find_separation
from analytics.signals.definitions import EverSeen, SessionLength

QUANTITY = SessionLength("x", "a quantity", "context", "minutes")
FLAG = EverSeen("flag", "a flag", "context", "event", ("x",))


def fitted(x: Any) -> IntentResults:
    """The model of a quantity and a flag, with enough requests for both."""
    rng = np.random.default_rng(8)
    flag = rng.random(len(x)) < 0.4
    table = pl.DataFrame({"x": x, "flag": flag, "asked": rng.random(len(x)) < 0.2 + 0.2 * flag})
    return IntentModel.fit(table, signals=["x", "flag"], outcome="asked")


@pytest.mark.parametrize("far", [1.0, 3e5, 1e9])
def test_a_column_that_varies_in_its_last_digits_is_named(far: float):
    """Its digits may be the rounding errors of some calculation: it is dropped, with its values; no flag is."""
    noise = np.random.default_rng(5).integers(-2, 3, 400)
    results = fitted(far * (1 + noise * 2e-16))
    assert list(results.dropped) == ["x"]
    assert results.dropped["x"].startswith(f"constant but for the last digits: from {far * (1 - 4e-16)!r} to ")
    assert "x" in fitted(far * (1 + noise * 1e-6)).terms


@pytest.mark.parametrize("unit", [1e-80, 1e80, 1e300])
def test_a_unit_in_which_squares_are_no_numbers_is_refused(unit: float):
    """The message names the column, its largest value and what to do."""
    with pytest.raises(VisitTableError, match=r"x: its largest value is .*; give it in a unit in which it is near 1"):
        fitted(unit * np.arange(1, 401.0))


@pytest.mark.parametrize("unit", [1e-60, 1e60])
def test_any_other_unit_fits(unit: float):
    """Tests and p-values are those of the unit 1."""
    x = np.random.default_rng(6).normal(size=400)
    for column in ("z", "p_value"):
        found, known = fitted(unit * x).coefficients[column], fitted(x).coefficients[column]
        np.testing.assert_allclose(found, known, rtol=1e-9)


def balanced(k: float) -> pl.DataFrame:
    """Visits with x = k, of which 7 in 8 end in a request, and as many with x = −k, of which 1 in 8 do."""
    requested = [True] * 70 + [False] * 10 + [True] * 10 + [False] * 70
    table = pl.DataFrame({"x": [k] * 80 + [-k] * 80, "requested_demo": requested})
    return table.with_columns(at_risk=True, censored=False)


@pytest.mark.parametrize("k", [1.0, 1e9, 1e-6, 3e5, 1e-9, 1e12])
def test_a_balanced_logit_is_log_seven_in_any_unit(k: float):
    """The coefficient is ln 7 / k and its error √(64/7n) / k in any unit, of patterns as of single visits."""
    for table in (balanced(k), balanced(k).with_columns(pl.col("x") * (1 + 1e-9 * pl.int_range(pl.len())))):
        results = IntentModel([QUANTITY], []).fit(table)
        _, x = results.coefficients.to_dicts()
        assert x["coefficient"] * k == pytest.approx(math.log(7), rel=1e-6)
        # 160 visits with p (1 − p) = 7/64.
        assert x["standard_error"] * k == pytest.approx(1 / math.sqrt(160 * 7 / 64), rel=1e-6)
        assert x["average_marginal_effect"] * k == pytest.approx(math.log(7) * 7 / 64, rel=1e-6)
        assert results.predict(table)[0] == pytest.approx(7 / 8, rel=1e-6)
        assert results.warnings == ()


def visits(k: float, far: float = 0.0) -> pl.DataFrame:
    """Visits with a quantity in units of 1/k, counted from a point far away, and a flag."""
    rng = np.random.default_rng(5)
    columns = {"x": rng.exponential(size=900), "flag": rng.random(900) < 0.4}
    table = visits_of(columns, {"intercept": -1.0, "x": 0.6, "flag": 0.5, "x:flag": -0.4}, rng)
    return table.with_columns(x=(pl.col("x") + far) * k)


def numbers_of(results: IntentResults, k: float) -> list[Any]:
    """What a fit finds, converted to the unit 1."""
    power = np.array([k ** term.count("x") for term in results.terms])
    rows, jackknife = results.coefficients, results.jackknife
    assert jackknife is not None
    scaled = [rows["coefficient"], rows["standard_error"], rows["ci_low"], jackknife["standard_error"]]
    scaled.append(pl.Series(results.nonrobust_standard_error.values()))
    return [
        *(column.to_numpy() * power for column in scaled),
        results.covariance_matrix * np.outer(power, power),
        rows["p_value"].to_numpy(),
        results.log_likelihood,
        rows["average_marginal_effect"][1] * k,
        rows["average_marginal_effect_se"][1] * k,
        results.diagnostics["vif"][1:].to_numpy(),
        results.diagnostics["effective_accounts"].to_numpy(),
        results.all_signals.statistic,
        results.out_of_fold.log_loss,
        results.interaction_effects["effect"].to_numpy() * k,
    ]


@pytest.mark.parametrize("k", [1e9, 1e-6])
@pytest.mark.parametrize("rare", [False, True])
def test_everything_a_fit_finds_scales_with_the_unit(k: float, rare: bool):  # noqa: FBT001 - a parameter of a test
    """Coefficients, covariances, diagnostics and cross-validation are the same, penalised and separated or not."""
    model = IntentModel([QUANTITY, FLAG], ["x:flag"])
    table = visits(1.0)
    if rare:
        # Nobody with the flag requests a demo: separated, so that the likelihood is penalised.
        table = table.with_columns(requested_demo=pl.col("requested_demo") & ~pl.col("flag"))
    here, there = model.fit(table), model.fit(table.with_columns(pl.col("x") * k))
    assert here.basis.estimate.separated == there.basis.estimate.separated
    assert bool(here.basis.estimate.separated) is rare
    for one, other in zip(numbers_of(here, 1.0), numbers_of(there, k), strict=True):
        assert other == pytest.approx(one, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("far", [2026.0, 1e5])
def test_a_quantity_counted_from_far_away_has_the_same_effect(far: float):
    """Of years, or kelvins, the slope is that of years since, and only the intercept differs."""
    model = IntentModel([QUANTITY, FLAG], [])
    here, there = model.fit(visits(1.0)), model.fit(visits(1.0, far))
    for column in ("coefficient", "standard_error"):
        assert there.coefficients[column][1:].to_list() == pytest.approx(here.coefficients[column][1:].to_list())
    intercept, slope = here.coefficients["coefficient"][:2]
    assert there.coefficients["coefficient"][0] == pytest.approx(intercept - far * slope)
    assert there.log_likelihood == pytest.approx(here.log_likelihood)


@pytest.mark.parametrize("far", [1e6, 5e7, 1e8, 1e9, 1e12])
def test_one_more_or_less_than_a_large_sum_has_its_effect(far: float):
    """The slope ln 7, its error and that of the marginal effect are those near 0, however far the sum is."""
    here = IntentModel([QUANTITY], []).fit(balanced(1.0))
    table = balanced(1.0).with_columns(pl.col("x") + far)
    there = IntentModel([QUANTITY], []).fit(table)
    assert there.dropped == {}
    assert there.coefficients["coefficient"][1] == pytest.approx(math.log(7), rel=1e-9)
    for column in ("standard_error", "average_marginal_effect", "average_marginal_effect_se"):
        assert there.coefficients[column][1] == pytest.approx(here.coefficients[column][1], rel=1e-3)
    near, ours = (found.predictions(rows) for found, rows in ((here, balanced(1.0)), (there, table)))
    assert ours.row(0) == pytest.approx(near.row(0), rel=1e-3)


def test_what_is_collinear_far_away_is_found():
    """Another quantity is determined by one that is far away, in either order and from any distance."""
    other = SessionLength("y", "another quantity", "context", "minutes")
    for x, y in ((1e9, 0.0), (0.0, 1e9), (1e9, 2e9)):
        table = balanced(1.0).with_columns(pl.col("x") + x, y=2 * pl.col("x") + y)
        (reason,) = IntentModel([QUANTITY, other], []).fit(table).dropped.values()
        assert reason.startswith("collinear: determined by")
        assert "x" in reason


def test_seconds_since_1970_have_the_effect_of_hours():
    """Times of one day, in seconds or milliseconds since 1970, are fitted like its hours."""
    hours = visits(1.0).with_columns(pl.col("x").clip(0, 24))
    plain = IntentModel([QUANTITY], []).fit(hours).coefficients["coefficient"][1]
    for second in (1, 1e3):
        table = hours.with_columns(x=(1_772_528_400 + pl.col("x") * 3600) * second)
        found = IntentModel([QUANTITY], []).fit(table).coefficients["coefficient"][1]
        assert found * 3600 * second == pytest.approx(plain, rel=1e-4)


def test_scaling_there_and_back_changes_nothing():
    """Coefficients and covariances are converted to the scaled columns and back; moderate columns are not touched."""
    matrix = np.column_stack([np.ones(3), [0.0, 1.0, 0.0], [1e9, 2e9, 5e9], [2024.0, 2025.0, 2026.0]])
    scaling, b = Scaling.of(DesignMatrix.of(matrix)), np.array([0.5, -1.0, 2e-9, 0.3])
    assert scaling.apply(DesignMatrix.of(matrix)) @ scaling.scaled(b) == pytest.approx(matrix @ b)
    assert scaling.coefficients(scaling.scaled(b)) == pytest.approx(b)
    there = scaling.scaled(np.eye(4)[2]), scaling.scaled(np.eye(4)[3])
    assert [scaling.coefficients(each).round(12).tolist() for each in there] == [[0, 0, 1, 0], [0, 0, 0, 1]]
    moderate = DesignMatrix.of(np.array([[1.0, 0.0], [1.0, 5.0]]))
    assert Scaling.of(moderate).apply(moderate) is moderate


@pytest.mark.parametrize(("k", "far"), [(1e9, 0.0), (1e-6, 0.0), (1.0, 1e5)])
def test_separation_is_found_in_any_unit(k: float, far: float):
    """A quantity that predicts the outcome runs to infinity in any unit, and the intercept with it."""
    x = (np.arange(6.0) + 1 + far) * k
    found = find_separation(np.column_stack([np.ones(6), x]), np.ones(6), np.array([0.0, 0, 0, 1, 1, 1]))
    assert found.direction.tolist() == [-1, 1]


def test_statsmodels_confirms_a_fit_in_any_unit():
    """The results of statsmodels at the maximum are the same numbers."""
    results = IntentModel([QUANTITY, FLAG], []).fit(visits(1e6))
    confirmed = results.to_statsmodels()
    assert np.asarray(confirmed.params) == pytest.approx(results.coefficients["coefficient"].to_numpy(), rel=1e-8)
    assert np.asarray(confirmed.bse) == pytest.approx(results.coefficients["standard_error"].to_numpy(), rel=1e-6)


@pytest.mark.parametrize(
    "far", [pytest.param(1e3, marks=pytest.mark.slow), 1e6, pytest.param(1e8, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("clustered", [False, True])
def test_a_separated_quantity_counted_from_far_away_has_the_same_effect(far: float, clustered: bool):  # noqa: FBT001
    """What predicts the outcome perfectly is penalised alike wherever it is counted from, with interval and test.

    The intercept, at a quantity of 0, then lies far outside of the data, and has Wald's interval.
    """
    table = visits(1.0).with_columns(requested_demo=pl.col("x") > 1)
    if clustered:
        table = table.with_columns(account=pl.format("a{}", pl.int_range(pl.len()) // 3))
    model = IntentModel([QUANTITY, FLAG], [])
    here, there = (model.fit(table.with_columns(pl.col("x") + shift)) for shift in (0.0, far))
    for column in ("coefficient", "standard_error", "ci_low", "ci_high", "z"):
        assert there.coefficients[column][1:].to_list() == pytest.approx(here.coefficients[column][1:].to_list(), 1e-4)
    assert there.diagnostics["interval"].to_list() == ["wald", "profile", "profile"]
    # Far away, the quantity itself has fewer digits.
    found = there.predict(table.with_columns(pl.col("x") + far)).to_list()
    assert found == pytest.approx(here.predict(table).to_list(), abs=1e-5)
    assert there.all_signals.statistic == pytest.approx(here.all_signals.statistic, rel=1e-6)
    assert there.out_of_fold.log_loss == pytest.approx(here.out_of_fold.log_loss, rel=1e-4)
