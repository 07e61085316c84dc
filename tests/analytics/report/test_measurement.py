"""Claims about what was seen beside what happened: where it is told, what it says, and several estimators."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from pages import Page

from analytics.analysis import Analysis
from analytics.report.measurement import coefficient_cells, count_cells, measured_sentences, measurement
from analytics.settings import AnalyticsSettings
from scenarios.run.run import Run
from scenarios.saved_run import load_run
from scenarios.scenario import Scenario

DAY = {"traffic.visitors_per_day": 3_000, "intent.target_conversion": 0.15}
LOSSES = {"ad_blocker_rate": {"desktop": 0.5}, "consent_refusal_rate": {"europe": 0.3}}


@pytest.fixture(scope="module")
def lossy() -> Run:
    """A day of which a third is never seen."""
    estimators = {"analytics.estimators": ["firth", "random_intercept"]}
    return Scenario.load("baseline", {**DAY, "tracking": LOSSES, **estimators}).run(seed=4)


def test_what_happened_is_estimated_from_what_was_seen(lossy: Run):
    """Weights find the true number of visitors, far from the one that was seen; the bounds of requests include it.

    Desktops are blocked, and their users request more: by requests alone there seem to be too many visitors.
    """
    counts = lossy.measurement.counts
    true, seen = counts.filter(quantity="visitors")["true", "seen"].row(0)
    assert true == lossy.outcome.counts["visitors"]
    assert seen == lossy.statistics.totals()["visitors"].item() < 0.75 * true
    weights, captured = counts.filter(quantity="visitors").to_dicts()
    assert weights["estimated_low"] < true < weights["estimated_high"]
    assert captured["bound_low"] < true < captured["bound_high"]
    visits = counts.filter(quantity="page_views").row(0, named=True)
    assert visits["true"] == lossy.outcome.counts["true_page_views"]
    assert visits["estimated"] == pytest.approx(visits["true"], rel=0.05)
    by_weights = counts.filter(quantity="conversion", method="weights").row(0, named=True)
    assert by_weights["true"] == lossy.outcome.counts["demo_requests"] / true
    # All requests are known, and the number of visitors nearly.
    assert by_weights["estimated"] == pytest.approx(by_weights["true"], rel=0.05)


def test_bounds_are_wider_than_the_estimate_of_equal_odds(lossy: Run):
    """The bounds of conversion are those of visitors, turned round."""
    by = lossy.measurement.counts.filter(method="capture-recapture")
    visitors, conversion = by.to_dicts()
    assert visitors["bound_low"] < visitors["estimated"] < visitors["bound_high"]
    n_requests = lossy.statistics.totals()["converted"].item() + lossy.analysis.coverage.n_unseen
    assert conversion["bound_low"] == pytest.approx(n_requests / visitors["bound_high"])
    assert conversion["estimated"] == lossy.statistics.totals()["conversion"].item()


def test_without_losses_there_is_nothing_to_tell():
    """What was seen is what happened: neither the report nor the command line speaks of it."""
    run = Scenario.load("baseline", {**DAY, "clock.hours": 6}).run()
    assert not run.measurement.is_of_interest
    assert (run.measurement.counts["true"] == run.measurement.counts["seen"]).all()


def test_real_events_have_no_truth_and_no_weights(lossy: Run):
    """Only requests without a visit tell of losses; with loss rates of the settings, weights do too."""
    found = measurement(Analysis(lambda: lossy.events, AnalyticsSettings()))
    assert found.counts["true"].null_count() == found.counts.height
    assert found.counts["method"].drop_nulls().unique().to_list() == ["capture-recapture"]
    assert "true" not in count_cells(found, "95%")[0]
    assert len(measured_sentences(found)) == 1
    rates = {"device": LOSSES["ad_blocker_rate"], "region": LOSSES["consent_refusal_rate"]}
    weighted = measurement(Analysis(lambda: lossy.events, AnalyticsSettings(loss_rates=rates)))
    of_run = lossy.measurement.counts.filter(method="weights")["estimated"]
    assert weighted.counts.filter(method="weights")["estimated"].to_list() == of_run.to_list()
    assert set(weighted.coefficients["estimator"]) == {"model", "weighted"}


def test_coefficients_of_all_estimators_stand_side_by_side(lossy: Run):
    """In simulated losses weights are among them; an asterisk marks an interval that misses the truth."""
    rows = coefficient_cells(lossy.measurement)
    assert list(rows[0]) == ["signal", "true", "model", "firth", "random_intercept", "weighted"]
    missed = lossy.intent.coefficients.filter(pl.col("signal") != "intercept", ~pl.col("ci_covers_truth")).height
    assert sum(row["model"].endswith("*") for row in rows) == missed
    assert lossy.measurement.notes["random_intercept"].startswith("accounts differ by a standard deviation of ")


def test_an_estimator_that_fails_is_said_to():
    """The others have their columns all the same."""
    run = Scenario.load("baseline", {**DAY, "clock.hours": 12, "analytics.estimators": ["random_intercept"]}).run()
    events = run.events.with_columns(pl.lit(None, pl.String).alias("context_group_id"))
    found = measurement(Analysis(lambda: events, run.scenario.analysis))
    assert "no account is known" in found.notes["random_intercept"]
    assert set(found.coefficients["estimator"]) == {"model"}
    assert found.is_of_interest


def test_it_is_in_the_folder_and_on_the_page(lossy: Run, tmp_path: Path):
    """A table of counts, the estimators in the model's file, and a section; a saved run gives the same."""
    lossy.save(tmp_path / "run")
    saved = load_run(tmp_path / "run")
    assert saved.measurement.counts.equals(lossy.measurement.counts)
    table = saved.tables["measurement"]
    assert table["quantity"].to_list() == lossy.measurement.counts["quantity"].to_list()
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert set(model["estimators"]) == {"firth", "random_intercept", "weighted"}
    assert {"e_value", "e_value_of_interval"} <= model["coefficients"][1].keys()
    text = " ".join(Page((tmp_path / "run" / "report.html").read_text()).lines)
    assert "True, seen, estimated" in text
    assert "By the known loss rates there were" in text
    assert "no_consent" in text
    assert "How strong an unmeasured cause would have to be" in text
