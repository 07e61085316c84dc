"""Claims about what was seen beside what happened: where it stands, what it says, and several estimators."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flat_events import DEMO, event, events_of
from pages import Page, assert_sections

from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.report.data import SimulatedTruth
from analytics.report.measurement import coefficient_cells, count_cells, measured_sentences, measurement
from analytics.report.render import analysis_report, render_report
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
    """Only requests without a visit show losses; with loss rates of the settings, weights do too."""
    found = measurement(Analysis(lambda: lossy.events, AnalyticsSettings()))
    assert found.counts["true"].null_count() == found.counts.height
    assert found.counts["method"].drop_nulls().unique().to_list() == ["capture-recapture"]
    assert "true" not in count_cells(found, "95%")[0]
    (sentence,) = measured_sentences(found)
    assert sentence.startswith("Requests without a visit suggest ")
    rates = {"device": LOSSES["ad_blocker_rate"], "region": LOSSES["consent_refusal_rate"]}
    weighted = measurement(Analysis(lambda: lossy.events, AnalyticsSettings(loss_rates=rates)))
    of_run = lossy.measurement.counts.filter(method="weights")["estimated"]
    assert weighted.counts.filter(method="weights")["estimated"].to_list() == of_run.to_list()
    assert set(weighted.coefficients["estimator"]) == {"model", "weighted"}


@pytest.mark.usefixtures("no_drawings")
def test_the_link_to_the_section_promises_no_truth_where_there_is_none(lossy: Run):
    """A simulation has what was true and seen, events from elsewhere what was seen."""
    for truth, name in ((SimulatedTruth(lossy.true_counts), "True and seen"), (SimulatedTruth(), "Seen")):
        data = analysis_report(lossy.analysis, lossy.store, title="lossy", provenance={}, truth=truth)
        page = Page(render_report(data))
        assert "measurement" in assert_sections(page)
        assert f" Signals {name} " in page.outline


def test_bots_are_no_visitors_of_whom_some_were_lost():
    """Undeclared ones would each count for several; they are in no estimate, and a sentence counts them."""
    tracking = {"ad_blocker_rate": 0.4, "undeclared_bots_per_day": 300.0}
    run = Scenario.load("baseline", {**DAY, "tracking": tracking}).run(seed=3)
    weights = run.measurement.counts.filter(quantity="visitors", method="weights").row(0, named=True)
    assert weights["estimated_low"] < weights["true"] < weights["estimated_high"] < weights["true"] + 300 / 0.6
    assert any("view pages at the pace of bots" in sentence for sentence in measured_sentences(run.measurement))


def test_losses_that_differ_by_persona_are_not_known():
    """Nobody could weigh by what no event shows, and the simulation does not pretend to."""
    tracking = {"ad_blocker_rate": 0.3, "ad_blocker_factors": {"evaluator": 2.0}}
    run = Scenario.load("baseline", {**DAY, "tracking": tracking}).run(seed=3)
    assert run.measurement.counts["method"].drop_nulls().unique().to_list() == ["capture-recapture"]
    with pytest.raises(AnalyticsError, match="loss_rates"):
        run.analysis.estimates_by("weighted")


def people(n_seen: int, n_asking: int, unseen: int, *, times: int = 1) -> pl.DataFrame:
    """Visitors of whom some ask for a demo, and people who ask, so many times, and are never seen."""
    seen = [event(n % 50, who=f"s{n}", context_device_type="desktop") for n in range(n_seen)]
    asked = [event(n % 50 + 1, DEMO, who=f"s{n}", message_id=f"d{n}") for n in range(n_asking)]
    alone = [
        event(n % 50 + k, DEMO, who=None, user_id=f"u{n}", message_id=f"u{n}-{k}")
        for n in range(unseen)
        for k in range(times)
    ]
    return events_of(*seen, *asked, *alone)


def visitors_of(events: pl.DataFrame, **settings: Any) -> dict[str, dict[str, Any]]:
    """Rows of visitors and of conversion, by quantity and method."""
    found = measurement(Analysis(lambda: events, AnalyticsSettings(**settings)))
    return {f"{row['quantity']} {row['method']}": row for row in found.counts.iter_rows(named=True)}


def test_people_who_ask_twice_are_captured_once():
    """However often somebody unseen asks, it is one person."""
    once, twice = (visitors_of(people(100, 10, 10, times=times)) for times in (1, 2))
    assert twice["visitors capture-recapture"] == once["visitors capture-recapture"]
    assert once["visitors capture-recapture"]["estimated"] == pytest.approx(101 * 21 / 11 - 1)


def test_one_request_that_nothing_joins_does_not_make_all_of_them_known():
    """Browsers send the requests: one of somebody unjoined does not halve the conversion, half of them would."""
    rates = {"device": {"desktop": 0.5}}
    alone, one, many = (visitors_of(people(1_000, 100, n), loss_rates=rates) for n in (0, 1, 100))
    assert one["conversion weights"]["estimated"] == alone["conversion weights"]["estimated"] == 0.1
    assert many["conversion weights"]["estimated"] == pytest.approx(200 / 2_000)


def test_what_was_not_seen_is_of_the_same_period():
    """Of half of the period, only requests of that half count, and the estimate is near what happened in it."""
    run = Scenario.load("baseline", {**DAY, "clock.hours": 48, "tracking.ad_blocker_rate": 0.3}).run(seed=6)
    until = run.scenario.clock.start + timedelta(hours=24)
    whole, half = (
        measurement(Analysis(lambda: run.events, AnalyticsSettings(), observed_until=end)).counts.filter(
            quantity="visitors", method="capture-recapture"
        )
        for end in (None, until)
    )
    assert half["seen"][0] < 0.7 * whole["seen"][0]
    # A visitor may come on both days.
    assert half["estimated"][0] < 0.7 * whole["estimated"][0]


def test_a_misspelt_value_with_a_loss_rate_is_told():
    """Nobody has it, so that nothing is weighed."""
    found = measurement(Analysis(lambda: people(100, 10, 5), AnalyticsSettings(loss_rates={"device": {"desktp": 0.5}})))
    assert found.remarks == ("no visitor was seen with device 'desktp', of which a loss rate is given",)
    assert measured_sentences(found)[-1].startswith("No visitor was seen")


def test_a_penalised_model_stands_beside_a_random_intercept():
    """It has a likelihood of its own, and needs no unpenalised model of the settings."""
    settings = {"analytics.estimator": "firth", "analytics.estimators": ["random_intercept"]}
    found = Scenario.load("baseline", {**DAY, **settings}).run(seed=4).measurement
    assert set(found.coefficients["estimator"]) == {"model", "random_intercept"}


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
