"""Claims about experiments: who is in which arm, what an arm changes, and that nothing else is changed."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import simulated

from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort_sampler import CohortSampler


def arms(**of_b: object) -> dict[str, Any]:
    """Arms in halves, of which b has these effects."""
    return {"arms": {"a": {"share": 0.5}, "b": {"share": 0.5, **of_b}}}


def world_of(**experiments: object) -> WorldSettings:
    """A world with these experiments, independent decisions and no invitations."""
    return WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 2000},
            "intent": {"target_conversion": 0.2, "conversion_unit": "visitor"},
            "sales": {"teams": {"default": {"sdrs": {"headcount": 1000}, "account_executives": {"headcount": 1000}}}},
            "experiments": experiments,
            "population": {"personas": {}},
        }
    )


@pytest.fixture(scope="module")
def ordinary() -> tuple[pl.DataFrame, Outcome]:
    """The world without experiments."""
    return simulated(world_of())


@pytest.mark.parametrize(
    "experiments",
    [
        {"e": arms()},
        {"e": arms(), "f": {"arms": {"x": {"share": 0.1}, "y": {"share": 0.2}, "z": {"share": 0.7}}}},
        {"e": arms(links={"pricing": 1.0}, exit_rate={"home": 1.0}, log_odds=0.0)},
    ],
    ids=["one", "two", "factors of 1"],
)
def test_an_experiment_without_effect_changes_nothing(
    experiments: dict[str, Any], ordinary: tuple[pl.DataFrame, Outcome]
):
    """All events and visits are the same but for the column that names the arm."""
    events, outcome = simulated(world_of(**experiments))
    assert_frame_equal(events.drop("context_experiments"), ordinary[0].drop("context_experiments"))
    assert_frame_equal(outcome.visits.drop("experiments"), ordinary[1].visits.drop("experiments"))
    assert ordinary[0]["context_experiments"].is_null().all()
    assert events["context_experiments"].null_count() == 0


@pytest.mark.parametrize(
    "effect", [{"links": {"pricing": 4.0}}, {"exit_rate": {"product": 0.3}}, {"log_odds": 2.0}], ids=str
)
def test_an_effect_is_felt_in_its_arm_alone(effect: dict[str, Any], ordinary: tuple[pl.DataFrame, Outcome]):
    """Visitors of the other arm do what they do without the experiment; those of the arm do not. Each keeps the arm."""
    events, outcome = simulated(world_of(e=arms(**effect)))
    for table, column in ((events, "context_experiments"), (outcome.visits, "experiments")):
        per_visitor = table.group_by("anonymous_id").agg(pl.col(column).n_unique(), pl.len())
        assert (per_visitor[column] == 1).all()
        assert (per_visitor["len"] > 1).sum() > 200
    label = pl.col("context_experiments").cast(pl.String)
    control, treated = (events.filter(label == f"e={arm}").drop("context_experiments") for arm in "ab")
    before = ordinary[0].drop("context_experiments")
    ids = control["anonymous_id"].unique().implode()
    assert_frame_equal(control, before.filter(pl.col("anonymous_id").is_in(ids)))
    assert not treated.equals(before.filter(~pl.col("anonymous_id").is_in(ids)))


def test_arms_have_their_shares():
    """Of 40,000 visitors every arm has its share within 4 SE, in one experiment as in combination with another.

    Who is in which arm stays when another experiment is added before it.
    """
    shares = {"x": 0.1, "y": 0.25, "z": 0.65}
    world = world_of(d={"arms": {name: {"share": share} for name, share in shares.items()}}, e=arms())
    samplers = [CohortSampler(world, Streams(seed)) for seed in range(20)]
    labels = pl.concat([sampler.draw(0, -5.0).experiments for sampler in samplers])
    alone = CohortSampler(world_of(e=arms()), Streams(0)).draw(0, -5.0).experiments
    assert (labels[: len(alone)].cast(pl.String).str.extract("(e=.)") == alone.cast(pl.String)).all()
    n = len(labels)
    assert n > 35_000
    for arm in "ab":
        for name, share in shares.items():
            p = 0.5 * share
            assert abs((labels == f"d={name};e={arm}").mean() - p) < 4 * np.sqrt(p * (1 - p) / n), (arm, name)


def test_a_link_is_taken_as_often_as_its_arm_says():
    """From a page with two links of equal weight, an arm that trebles one has it taken ¾ of the times, within 4 SE."""
    page = {"path": "/", "title": "t", "category": "c", "stage": "top", "exit_rate": 0.2}
    pages = {
        "a": {**page, "links": {"b": 1.0, "c": 1.0}},
        "b": {**page, "links": {"a": 1.0}},
        "c": {**page, "links": {"a": 1.0}},
    }
    world = WorldSettings.model_validate(
        {
            "site": {"pages": pages},
            "traffic": {"channels": {"x": {"share": 1.0, "landing": {"a": 1.0}}}, "visitors_per_day": 4000},
            "visits": {"return_landing": {"a": 1.0}},
            "experiments": {"e": arms(links={"c": 3.0}, exit_rate={"a": 2.0})},
        }
    )
    cohort = CohortSampler(world, Streams(2)).draw(0, -5.0)
    journeys = cohort.journeys
    treated = (cohort.experiments == "e=b").to_numpy()[journeys.visitor][journeys.visit_of_view]
    last = np.zeros(len(journeys.page), dtype=bool)
    last[journeys.first_view + journeys.n_pages - 1] = True
    for who, p_leave, p_link in ((treated, 0.4, 0.75), (~treated, 0.2, 0.5)):
        on_a = np.flatnonzero(who & (journeys.page == 0))
        assert abs(last[on_a].mean() - p_leave) < 4 * np.sqrt(p_leave * (1 - p_leave) / len(on_a))
        following = journeys.page[on_a[~last[on_a]] + 1]
        assert abs((following == 2).mean() - p_link) < 4 * np.sqrt(p_link * (1 - p_link) / len(following))


def test_an_arm_adds_its_log_odds_to_the_decision():
    """The decision margin of the arm's visits changes by exactly its effect, that of the others not at all."""
    plain, moved = (
        CohortSampler(world_of(e=arms(log_odds=effect)), Streams(1)).draw(0, -5.0) for effect in (0.0, 0.75)
    )
    treated = (moved.experiments == "e=b").to_numpy()[moved.journeys.visitor]
    np.testing.assert_allclose(moved.decision_margin - plain.decision_margin, np.where(treated, 0.75, 0.0), atol=1e-12)


def test_the_truth_names_the_arms_against_the_first():
    """The first arm by name is the reference, as in the model; its own effect goes into the intercept."""
    experiment = {"arms": {"b": {"share": 0.5, "log_odds": 1.0}, "a": {"share": 0.5, "log_odds": 0.25}}}
    truth = Model(world_of(e=experiment), seed=1).truth
    plain = Model(world_of(), seed=1).truth
    assert truth.arms == {"e=b": 1.0, "e=a": 0.25}
    assert truth.terms == {**plain.terms, "intercept": plain.intercept + 0.25, "e=b": 0.75}
