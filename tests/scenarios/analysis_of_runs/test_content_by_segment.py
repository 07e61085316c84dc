"""Claims about conversion by segment and content in what a run leaves behind."""

from __future__ import annotations

import pytest

from analytics.intent.naive_analyses import BY_VISIT
from scenarios.run.run import Run
from scenarios.scenario import Scenario


def run_with(effect: float) -> Run:
    """A run in which pages on security matter more in Europe by this much, in log-odds."""
    changes = {
        "clock.hours": 48,
        "traffic.visitors_per_day": 4000,
        "intent.target_conversion": 0.1,
        "intent.interactions": {"region_europe:security_page_view": effect},
    }
    return Scenario.load("baseline", changes).run()


@pytest.mark.slow
def test_an_interaction_of_the_world_is_found_where_it_is_and_nowhere_else() -> None:
    """With an effect of 2 the odds ratio of security in Europe stands out and is significant; with 0 it is not.

    The odds ratios rest on some hundred requests, so their logarithms are known to about 0.2: an effect of 2 is ten
    standard errors away, and without one a p-value below 0.001 comes once in a thousand seeds.
    """
    with_effect, without = (run_with(effect).analysis.content_by("region") for effect in (2.0, 0.0))
    assert with_effect.tests["content"][0] == "security"
    assert with_effect.tests["p_adjusted"][0] < 1e-6
    ratios = dict(with_effect.conversion.filter(content="security").select("region", "odds_ratio").iter_rows())
    assert ratios["europe"] > 2 * ratios["north_america"]
    assert without.tests.filter(content="security")["p_value"].item() > 0.001


@pytest.mark.parametrize(("segments", "crossed"), [("[region, page_group]", False), ('["page_group:channel"]', True)])
def test_the_table_is_made_where_content_is_crossed_with_a_segment(segments: str, *, crossed: bool) -> None:
    """`analytics.segments` decides; the table and its tests are among the statistics."""
    changes = ["clock.hours=2", "traffic.visitors_per_day=500", f"analytics.segments={segments}"]
    run = Scenario.load("baseline", changes).run()
    tables = run.analysis.tables()
    assert ("content_by_channel" in tables) is ("content_by_channel_tests" in tables) is crossed
    if crossed:
        eligible = run.analysis.visits.filter(run.analysis.visits["at_risk"] & ~run.analysis.visits["censored"])
        docs = tables["content_by_channel"].filter(content="docs")
        assert docs["n_seen"].sum() + docs["n_unseen"].sum() == eligible.height > 0


def test_the_model_by_visit_is_fitted_once():
    """What the side by side shows of it is what the run shows: one and the same object."""
    changes = {"traffic.visitors_per_day": 3000, "intent.target_conversion": 0.15}
    analysis = Scenario.load("baseline", changes).run().analysis
    assert analysis.side_by_side.results[BY_VISIT] is analysis.intent
