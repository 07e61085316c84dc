"""Claims about identities: persons found by stitching, compared with the true ones."""

import polars as pl
import pytest

from analytics.sessions.identity import score_stitching, stitch, stitched
from analytics.statistics.funnel import FunnelStatistics
from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink


def simulated(seed: int, **tracking: object) -> tuple[pl.DataFrame, Outcome]:
    """Events and outcome of a world in which many use two devices and many fill in forms."""
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 2500},
            "population": {"second_device_rate": 0.6},
            "visits": {"return_rate": 0.75, "gap_hours": 0.3, "return_landing": {"white_paper": 1.0, "webinar": 1.0}},
            "intent": {"target_conversion": 0.1},
            "tracking": tracking,
        }
    )
    sink = CollectingSink()
    outcome = Model(world, seed=seed, sinks=[sink]).run().outcome
    return sink.events, outcome


def identified_pairs(events: pl.DataFrame, people: pl.DataFrame) -> int:
    """Persons identified in both of their browsers, counted by hand."""
    identified = set(events.filter(pl.col("user_id").is_not_null())["anonymous_id"])
    both = people.filter(pl.col("anonymous_id").is_in(list(identified))).group_by("person_id").len()
    return both.filter(pl.col("len") == 2).height


@pytest.mark.parametrize("seed", [1, 2])
def test_without_loss_identities_stitch_back_to_the_truth(seed: int):
    """No two persons are ever joined; of one all identified browsers are: all of them, if each event names its user."""
    events, outcome = simulated(seed)
    score = score_stitching(stitch(events), outcome.people)
    two = outcome.people.group_by("person_id").len().filter(pl.col("len") == 2).height
    n_pairs = identified_pairs(events, outcome.people)
    assert score.precision == 1.0
    assert score.recall == n_pairs / two
    assert 50 < n_pairs < two
    user = dict(outcome.people.select("anonymous_id", "user_id").iter_rows())
    named = events.with_columns(user_id=pl.col("anonymous_id").replace_strict(user))
    assert score_stitching(stitch(named), outcome.people).recall == 1.0


def test_stitching_brings_the_count_of_visitors_nearer_to_the_persons():
    """Browsers overstate persons, stitched events less so; with the true identities persons are counted."""
    events, outcome = simulated(4)
    n_persons = outcome.people["person_id"].n_unique()

    def visitors(table: pl.DataFrame, *, stitch: bool = True) -> int:
        return FunnelStatistics(table, stitch=stitch).totals()["visitors"].item()

    assert visitors(events, stitch=False) == outcome.people.height > visitors(events) > n_persons
    assert visitors(stitched(events, outcome.people)) == n_persons


def test_loss_costs_recall_and_not_precision():
    """Where ad blockers suppress forms, fewer browsers are joined, and still no two persons."""
    events, outcome = simulated(1, ad_blocker_rate=0.5)
    clean = simulated(1)[0]
    lossy, whole = (score_stitching(stitch(table), outcome.people) for table in (events, clean))
    assert lossy.precision == 1.0
    assert identified_pairs(events, outcome.people) < identified_pairs(clean, outcome.people)
    assert whole.recall is not None
