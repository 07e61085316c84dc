"""Claims about retargeting."""

import numpy as np
import polars as pl

from simulator.components.retargeting import Retargeting
from tests.helpers.component_runs import assert_truth_is_what_was_seen, requesters, run_with

OFTEN = {"page": "product", "hours_between": 0.5, "landing": "pricing"}


def test_a_click_is_a_visit_with_its_parameters() -> None:
    """Each click pays for one visit, which starts on the landing page; only those who saw the page before click."""
    model = run_with(Retargeting("ads", click_rate=0.2, cost_per_click=2.5, **OFTEN))
    by_ad = model.events.filter(pl.col("context_campaign_name") == "retargeting")
    measures = model.components["ads"].measures()
    # A visitor who clicks just before the end, or while on the site, may not have come before the end.
    assert 0.9 * measures["clicks"] <= by_ad.height <= measures["clicks"]
    assert measures["spent"] == 2.5 * measures["clicks"]
    assert set(by_ad["context_page_path"]) == {"/pricing"}
    assert set(by_ad["context_campaign_medium"]) == {"paid_social"}
    product = model.events.filter(pl.col("context_page_path") == "/product").group_by("anonymous_id")
    before = by_ad.join(product.agg(pl.col("timestamp").min()), on="anonymous_id", suffix="_product")
    assert before.height > 0.9 * by_ad.height, "the others saw the page on their second device"
    assert (before["timestamp"] > before["timestamp_product"]).all()
    assert_truth_is_what_was_seen(model)


def test_the_frequency_cap_limits_clicks() -> None:
    """Of those who see n advertisements, 1 − (1 − p)ⁿ click; each visitor clicks once at most."""
    for impressions in (1, 4):
        model = run_with(
            Retargeting("ads", click_rate=0.2, impressions=impressions, page="product", hours_between=0.001),
            intent={"intercept": -50.0},
        )
        saw = model.events.filter(pl.col("context_page_path") == "/product", pl.col("timestamp").dt.hour() < 20)
        n, share = saw["anonymous_id"].n_unique(), 1 - 0.8**impressions
        clicks = model.events.filter(pl.col("context_campaign_name") == "retargeting")
        of_those = clicks.join(saw.select("anonymous_id").unique(), on="anonymous_id")
        assert clicks["anonymous_id"].n_unique() == clicks.height
        assert abs(of_those.height / n - share) < 4.5 * np.sqrt(share * (1 - share) / n)


def test_the_budget_is_never_overspent() -> None:
    """It is spent to the last click that it pays for, where there are more of them."""
    model = run_with(Retargeting("ads", click_rate=0.5, cost_per_click=0.1, budget=0.3, **OFTEN))
    # Three times 0.1 is more than 0.3 in floating point, so the third click is not paid for.
    assert model.components["ads"].measures()["clicks"] == 2
    assert model.events.filter(pl.col("context_campaign_name") == "retargeting").height <= 2


def test_whoever_has_requested_a_demo_does_not_come_back_by_it() -> None:
    """Where everybody requests a demo in the first visit, nobody clicks, though they keep visiting."""
    settings = {"intent": {"intercept": 50.0}, "visits": {"after_request_rate": 1.0}}
    model = run_with(Retargeting("ads", click_rate=1.0, **OFTEN), **settings)
    assert len(requesters(model)) > 100
    assert model.components["ads"].measures()["clicks"] == 0
