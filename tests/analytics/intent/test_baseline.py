"""Claims about the baseline of the hazard: its terms over visits and time, their recovery, and what it refuses."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from made_up_visits import visits_until_request
from statsmodels.discrete.discrete_model import Logit

from analytics.errors import IntentModelError, VisitTableError
from analytics.intent.baseline import Baseline, BaselineKind
from analytics.intent.model import IntentModel
from analytics.logit.splines import restricted_cubic
from analytics.signals.definitions import EventCount, EverSeen
from scenarios.scenario import Scenario

DOCS = EverSeen("docs", "has seen the docs", "high", "category", ("docs",))
VISITS = visits_until_request(
    np.random.default_rng(7), 6_000, lambda visit, docs: -3.0 + 0.8 * docs + 0.9 * np.log(visit), p_return=0.8
)
"""The log-odds grow with the logarithm of the visit number."""


def model(baseline: BaselineKind) -> IntentModel:
    """The model of the docs alone."""
    return IntentModel([DOCS], [], baseline=baseline)


@pytest.mark.parametrize(
    ("numbers", "n_terms"), [([1], 1), ([1, 2], 1), ([1, 2, 3], 1), ([1, 2, 3, 4], 2), ([1, 2, 3, 4, 5], 3)]
)
def test_few_different_visit_numbers_have_fewer_terms(numbers: list[int], n_terms: int):
    """Up to three numbers give a line, four two terms, more of them three."""
    visits = pl.DataFrame({"visit": numbers * 5})
    assert len(Baseline.of(visits, "visit_number").terms) == n_terms
    assert Baseline.of(visits, "constant").terms == ()


def test_a_rare_large_number_moves_no_knot():
    """One visitor with 300 visits leaves the knots where the others' are."""
    usual = pl.DataFrame({"visit": [1] * 5_000 + [2] * 3_000 + [3] * 2_000 + [4] * 1_500 + [5] * 600})
    with_one = pl.concat([usual, pl.DataFrame({"visit": range(1, 301)})])
    knots = [Baseline.of(visits, "visit_number").knots for visits in (usual, with_one)]
    np.testing.assert_array_equal(*knots)


def test_the_fit_equals_a_logit_on_the_splines_columns():
    """A logit of statsmodels on the signal and Harrell's columns of log visit number gives the same estimates."""
    results = model("visit_number").fit(VISITS)
    knots = results.basis.baseline.knots
    assert knots is not None
    spline = restricted_cubic(np.log(VISITS["visit"].to_numpy()), knots)
    columns = np.column_stack([np.ones(VISITS.height), VISITS["docs"].to_numpy(), spline])
    expected = Logit(VISITS["requested_demo"].to_numpy().astype(float), columns).fit(disp=False)
    assert results.terms == ("intercept", "docs", *(term.name for term in results.basis.baseline.terms))
    np.testing.assert_allclose(results.coefficients["coefficient"], expected.params, rtol=1e-6)
    np.testing.assert_allclose(results.predict(VISITS), expected.predict(), rtol=1e-6)


def test_a_baseline_that_grows_is_found_and_a_constant_one_is_not():
    """The joint test rejects where the odds grow, with bends that are none; the model without it does not test."""
    grows = model("visit_number").fit(VISITS)
    assert grows.baseline_test is not None
    assert grows.baseline_test.p_value < 1e-6
    assert grows.joint_test(grows.basis.baseline_terms[1:]).p_value > 0.001
    # They are no hypotheses of their own, and no findings.
    assert set(grows.basis.baseline_terms).isdisjoint(grows.findings["signal"])
    of_baseline = grows.coefficients.filter(pl.col("signal").is_in(grows.basis.baseline_terms))
    assert of_baseline["p_adjusted"].is_null().all()
    flat = visits_until_request(np.random.default_rng(8), 6_000, lambda _, docs: -2.0 + 0.8 * docs, p_return=0.8)
    tested = model("visit_number").fit(flat).baseline_test
    assert tested is not None
    assert tested.p_value > 0.001
    assert model("constant").fit(flat).baseline_test is None


def test_days_count_from_the_first_visit_of_each_visitor():
    """Visits of a day apart are as many days after the first; one that begun before the table is named."""
    baseline = Baseline.of(VISITS, "time")
    days = baseline.added(VISITS)["days_since_first_visit"]
    assert days.to_list() == (VISITS["visit"].cast(pl.Float64) - 1).to_list()
    assert baseline.warnings == []
    later = VISITS.filter(pl.col("visit") > 1)
    results = model("time").fit(later)
    assert results.warnings[0].startswith(f"{later['anonymous_id'].n_unique():,} visitors began before")
    shifted = VISITS.with_columns(pl.col("started_at") + timedelta(days=400))
    fitted = model("time").fit(VISITS)
    assert fitted.predict(shifted).to_list() == fitted.predict(VISITS).to_list()


@pytest.mark.parametrize(
    ("baseline", "visits", "message"),
    [
        ("visit_number", VISITS.drop("visit"), "no column visit, which the hazard"),
        ("visit_number", VISITS.with_columns(visit=pl.lit(0)), "visit: must be the number of each visit"),
        ("visit_number", VISITS.with_columns(pl.col("visit").cast(pl.Float64)), "visit: must be the number"),
        ("time", VISITS.drop("started_at"), "no column started_at"),
        ("time", VISITS.with_columns(started_at=pl.lit(5)), "started_at: must be a time in every row"),
        ("time", VISITS.drop("anonymous_id"), "no column anonymous_id"),
    ],
)
def test_a_table_without_numbers_or_times_of_visits_is_refused(
    baseline: BaselineKind, visits: pl.DataFrame, message: str
):
    """The error names the column and what needs it."""
    with pytest.raises(VisitTableError, match=message):
        model(baseline).fit(visits)


def test_what_has_no_baseline_is_refused():
    """An unknown kind, a signal with the name of a term, and a table whose rows are no visits."""
    with pytest.raises(IntentModelError, match="baseline: must be constant or visit_number or time"):
        IntentModel([DOCS], [], baseline="linear")  # type: ignore[arg-type]
    count = EventCount("visit_number", "number of visits", "context", of="visits")
    with pytest.raises(IntentModelError, match="a term is given twice"):
        IntentModel([count], [], baseline="visit_number")
    with pytest.raises(IntentModelError, match="baseline: rows of your own table are no visits"):
        model("time").fit({"docs": [0, 1], "y": [0, 1]}, outcome="y")


@pytest.mark.parametrize("baseline", ["visit_number", "time"])
def test_in_a_simulated_world_its_true_coefficients_are_0(baseline: str):
    """Visitors do not decide by the number of a visit: terms of the baseline are decoys, and so in all analyses."""
    world = {"traffic.visitors_per_day": 6000, "intent.target_conversion": 0.1, "analytics.baseline": baseline}
    run = Scenario.load("baseline", world).run(seed=3)
    found = run.intent.coefficients.filter(pl.col("signal").is_in(run.intent.basis.baseline_terms))
    assert found.height >= 1
    assert set(found["true_coefficient"]) == {0.0}
    assert run.analysis.side_by_side.not_available == {}
