"""Claims about how session length enters the intent model of a run: by choice, and with its zero flag by default."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.intent.model import IntentModel
from analytics.intent.session_length import SessionLengthComparison
from analytics.signals.definitions import MULTI_PAGE_VISIT
from scenarios.errors import ScenarioError
from scenarios.run.run import Run
from scenarios.scenario import Scenario

SMALL = {"traffic.visitors_per_day": 4000, "intent.target_conversion": 0.2}


@cache
def run_with(form: str | None) -> Run:
    """A run whose analyst chose this form, or none."""
    return Scenario.load("baseline", SMALL | ({"analytics.session_length": form} if form else {})).run(seed=2)


def test_the_default_sets_visits_of_a_moment_apart_and_knows_that_nothing_depends_on_it():
    """The flag is that of minutes above 0, its truth is 0, and its estimate lies within 4 standard errors of that."""
    run = run_with(None)
    visits = run.analysis.visits
    assert visits["multi_page_visit"].equals(visits["log_session_minutes"] > 0, check_names=False)
    assert visits["multi_page_visit"].n_unique() == 2
    row = run.intent.coefficients.row(by_predicate=pl.col("signal") == "multi_page_visit", named=True)
    assert row["true_coefficient"] == 0
    assert abs(row["coefficient"]) < 4 * row["standard_error"]


@pytest.mark.slow
def test_without_the_flag_the_model_is_that_of_the_built_in_signals_alone():
    """The events are the same, and so is all else of the visit table; the flag makes no other truth.

    Of the forms compared each has a flag of its own or none, so that of the model does not enter the comparison.
    """
    flagged, plain = run_with(None), run_with("log1p")
    assert plain.manifest["digest"] == flagged.manifest["digest"]
    assert_frame_equal(plain.analysis.visits, flagged.analysis.visits.drop("multi_page_visit"))
    by_hand = IntentModel().fit(plain.analysis.visits, plain.truth.terms)
    assert_frame_equal(plain.intent.coefficients, by_hand.coefficients)
    truths = [
        dict(run.intent.coefficients.select("signal", "true_coefficient").iter_rows()) for run in (flagged, plain)
    ]
    assert truths[0] == {**truths[1], "multi_page_visit": 0.0}
    forms = [run.analysis.session_length for run in (flagged, plain)]
    assert all(isinstance(form, SessionLengthComparison) for form in forms)
    assert_frame_equal(forms[0].table, forms[1].table)
    with_flag = forms[1].table.row(by_predicate=pl.col("form") == "log1p", named=True)
    np.testing.assert_allclose(flagged.intent.log_likelihood, with_flag["log_likelihood"], rtol=1e-10)


@pytest.mark.parametrize(
    "text",
    [
        "analytics: {session_length: minutes}",
        "analytics: {signals: {multi_page_visit: {kind: minutes, longer_than: 0}}}",
    ],
)
def test_another_form_and_a_name_that_is_taken_are_refused(text: str):
    """The message has the place and what would do."""
    with pytest.raises(ScenarioError, match=r"log1p-zero-flag|multi_page_visit: is the name of a built-in signal"):
        Scenario.parse(f"name: x\n{text}\n")


def test_a_signal_of_the_analysts_own_that_says_the_same_has_no_known_truth():
    """Two names for one column: the later is left out, and what it stands for is not called its truth."""
    signals = {"long_enough": {"kind": "minutes", "longer_than": 0}}
    run = Scenario.load("baseline", SMALL | {"analytics.signals": signals}).run(seed=2)
    assert run.intent.dropped == {"long_enough": f"collinear: determined by {MULTI_PAGE_VISIT.name}"}
