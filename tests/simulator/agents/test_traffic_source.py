"""Claims about traffic sources: their visitors come as stated, cost what they cost, and change nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError
from scipy import stats
from small_worlds import simulated

from analytics.events.times import HOUR_MS
from simulator.agents.component import Component
from simulator.agents.traffic_source import TrafficSource
from simulator.components.traffic_sources import Burst
from simulator.engine.streams import Streams
from simulator.errors import ComponentError
from simulator.model import Model
from simulator.settings.components import SourceSettings
from simulator.settings.plugins import SOURCES, class_named
from simulator.settings.world import WorldSettings
from simulator.visitors.calibration import true_intercept
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.world.arrival_sources import arrival_sources_of
from simulator.world.traffic_rule import Hours
from tests.helpers.component_runs import assert_truth_is_what_was_seen, run_with

MORNING = datetime(2026, 3, 3, 6, tzinfo=UTC)
INVITING = {"personas": {"champion": {"invites": {"champion": 0.6}}}, "account_rate": 0.9, "invitation_hours": 2.0}


class Steps(TrafficSource):
    """Some visitors in each of three hours."""

    class Settings(TrafficSource.Settings):
        """Their numbers."""

        per_hour: tuple[float, ...] = (40.0, 10.0, 120.0)

    def expected_visitors(self, hours: Hours) -> np.ndarray:
        """From the third hour on."""
        expected = np.zeros(len(hours))
        expected[2 : 2 + len(self.settings.per_hour)] = self.settings.per_hour
        return expected


class EveryOther(Steps):
    """Every other visitor finds the stand closed."""

    def start(self) -> None:
        """Nobody has come."""
        self.n_asked = 0

    def admits(self, visitor: Any) -> bool:
        """The first, the third, …; and all who are invited."""
        if visitor.invited_by is not None:
            return True
        self.n_asked += 1
        return self.n_asked % 2 == 1


def fair(cls: type[TrafficSource] = Steps, **settings: Any) -> dict[str, Any]:
    """Traffic with a source."""
    return {"sources": {"fair": SourceSettings.of(cls(**settings))}}


def world_of(**traffic: Any) -> WorldSettings:
    """Six hours with some ordinary visitors, none of whose requests is in the way of another."""
    return WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 800, **traffic},
            "clock": {"hours": 6},
            "intent": {"target_conversion": 0.2, "conversion_unit": "visitor"},
            "population": {**INVITING, "accounts": 100},
            "sales": {"teams": {"default": {"sdrs": {"headcount": 500}, "account_executives": {"headcount": 500}}}},
        }
    )


def people(model: Model, inflow: str) -> pl.DataFrame:
    """Persons of an arrival source, by arrival."""
    table: pl.DataFrame = model.outcome.people
    return table.filter(pl.col("inflow") == inflow).unique("person_id").sort("first_seen_at")


def test_arrivals_are_a_poisson_process_with_the_stated_expectation():
    """Over 30 seeds the numbers in each hour are independent Poisson numbers: χ² fits, neither too large nor too small.

    Within an hour the times are uniform, in every time zone.
    """
    world = world_of(**fair())
    source, expected = arrival_sources_of(world.traffic)[1], np.array([0.0, 0.0, 40.0, 10.0, 120.0, 0.0])
    assert source.name == "source:fair"
    counts, within = [], []
    for seed in range(30):
        cohort = CohortSampler(world, Streams(seed), source).draw(0, -5.0)
        counts.append(np.bincount(cohort.arrival_ms // HOUR_MS, minlength=6))
        within.append(cohort.arrival_ms % HOUR_MS / HOUR_MS)
    found = np.stack(counts)
    assert not found[:, expected == 0].any()
    some = expected > 0
    statistic = float(((found[:, some] - expected[some]) ** 2 / expected[some]).sum())
    assert 1e-3 < stats.chi2(df=30 * 3).sf(statistic) < 1 - 1e-3
    assert abs(found.sum() - 30 * 170) < 4 * np.sqrt(30 * 170)
    assert stats.kstest(np.concatenate(within), "uniform").pvalue > 1e-3


def test_a_source_changes_no_other_visitor():
    """The events of all others are the same with it, and so are its own with another source; so is the intercept."""
    bare, one = simulated(world_of())[0], simulated(world_of(**fair()))[0]
    others = {"post": {"use": "burst", "start": "2026-03-03T01:00:00Z", "visitors": 200.0}}
    two, outcome = simulated(world_of(sources={**fair()["sources"], **others}))
    assert outcome.truth.intercept == true_intercept(world_of())
    for smaller, larger in ((bare, one), (one, two)):
        known = smaller["anonymous_id"].unique().implode()
        assert larger["anonymous_id"].n_unique() > smaller["anonymous_id"].n_unique() + 100
        assert_frame_equal(larger.filter(pl.col("anonymous_id").is_in(known)), smaller)


def test_visitors_come_by_the_link_of_the_settings():
    """From the channel's referrer, with UTM parameters, to the landing pages of the source."""
    utm = {"source": "fair", "medium": "event", "name": "hanover"}
    link = {"channel": "partner", "landing": {"pricing": 1.0}, "utm": utm, "engagement": 0.01}
    model = run_with(traffic=fair(**link), clock={"hours": 6})
    ids = people(model, "source:fair")["person_id"].implode()
    views = model.events.filter(pl.col("anonymous_id").is_in(ids) & (pl.col("type") == "page"))
    first = views.unique("anonymous_id", keep="first")
    assert set(first["context_page_path"]) == {"/pricing"}
    assert set(first["context_campaign_name"]) == {"hanover"}
    assert set(first["context_page_referrer"]) == {"https://partner.example.net/marketplace"}
    inherited = arrival_sources_of(world_of(**fair(channel="email")).traffic)[1].origins["source:fair/email"]
    assert inherited.campaign.name == "fair"
    assert inherited.campaign.medium == "email"


def test_a_budget_is_spent_and_never_overspent():
    """The first come as without a budget, as many as it pays for; with a large one nothing changes."""
    free = run_with(traffic=fair(), clock={"hours": 6})
    for budget, n in ((0.0, 0), (100.0, 33), (1e6, people(free, "source:fair").height)):
        model = run_with(traffic=fair(budget=budget, cost_per_click=3.0), clock={"hours": 6})
        came, all_came = (people(each, "source:fair")["person_id"].to_list() for each in (model, free))
        assert came == all_came[:n]
        measures = model.components["source:fair/budget"].measures()
        assert measures == {"clicks": n, "spent": 3.0 * n, "left": budget - 3.0 * n}
        assert_frame_equal(people(model, ""), people(free, ""))


def test_a_source_may_refuse_its_visitors_on_the_clock():
    """Only whom it admits comes, and pays; all on the clock and only its own visitors there give the same events."""
    world = world_of(**fair(EveryOther, budget=60.0, cost_per_click=1.0))
    sparse, awake = (Model(world, seed=5, active_agents=each).run() for each in ("interacting", "all"))
    assert_frame_equal(sparse.events, awake.events)
    assert_frame_equal(sparse.outcome.visits, awake.outcome.visits)
    assert_truth_is_what_was_seen(sparse)
    everybody = people(Model(world_of(**fair()), seed=5).run(), "source:fair")["person_id"].to_list()
    assert people(sparse, "source:fair")["person_id"].to_list() == everybody[: 2 * 60 : 2]
    assert sparse.components["source:fair/budget"].clicks == 60
    assert len(sparse.visitors) < len(awake.visitors)


def test_a_source_without_hooks_has_nobody_on_the_clock():
    """It costs what ordinary visitors cost; its colleagues come too."""
    model = run_with(traffic=fair(), population=INVITING, clock={"hours": 6})
    assert not model.visitors
    assert people(model, "source:fair/invited").height > 0


def test_a_burst_decays_by_its_half_life():
    """Half of the visitors come within the half-life, a quarter in the next; none before the start."""
    burst = Burst(start=MORNING + timedelta(minutes=30), visitors=800.0, half_life_hours=2.0)
    expected = burst.expected_visitors(Hours(MORNING - timedelta(hours=2), 24 * 30))
    assert not expected[:2].any()
    assert expected[2] == pytest.approx(800 * (1 - 2 ** (-0.5 / 2)))
    assert expected.sum() == pytest.approx(800)
    later = Burst(start=MORNING - timedelta(hours=4), visitors=800.0, half_life_hours=2.0)
    assert later.expected_visitors(Hours(MORNING, 2)).sum() == pytest.approx(800 / 4 / 2)


def test_the_hours_of_the_clock_can_be_had_in_local_time():
    """With summer time: on the day on which it starts in Berlin, 01:00 is followed by 03:00."""
    hours = Hours(datetime(2026, 3, 28, 23, tzinfo=UTC), 4)
    assert hours.hour_of_day("Europe/Berlin").tolist() == [0, 1, 3, 4]
    assert hours.weekday("America/New_York").tolist() == [5] * 4
    assert hours.weekday().tolist() == [5, 6, 6, 6]
    start = datetime(2026, 3, 29, 1, 15, tzinfo=timezone(timedelta(hours=1)))
    assert hours.part_within(start, start + timedelta(hours=2)).tolist() == [0, 0.75, 1, 0.25]
    assert hours.part_within(start + timedelta(hours=2), start).tolist() == [0] * 4
    assert hours.since(start).tolist() == [-1.25, -0.25, 0.75, 1.75]


class Wrong(Steps):
    """A source that states what its settings say."""

    class Settings(Steps.Settings):
        """What."""

        shape: int = 6
        value: float = 1.0

    def expected_visitors(self, hours: Hours) -> Any:
        """Whatever."""
        return np.full(self.settings.shape, self.settings.value) if self.settings.shape else None


@pytest.mark.parametrize(
    "wrong", [{"shape": 5}, {"value": -1.0}, {"value": np.nan}, {"value": np.inf}, {"value": 1e9}, {"shape": 0}]
)
def test_what_is_no_expectation_is_refused(wrong: dict[str, Any]):
    """A number for each hour, finite and not negative; else the scenario is refused, with the place of the source."""
    with pytest.raises(ValidationError, match="must return one number for each of 6 hours") as caught:
        world_of(**fair(Wrong, **wrong))
    assert [error["loc"] for error in caught.value.errors()] == [("traffic", "sources", "fair")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"use": "brust"}, "there is no traffic source 'brust'; did you mean 'burst'"),
        ({"use": "burst", "visitors": 0.0}, "visitors"),
        ({"use": "burst", "chanel": "email"}, "chanel"),
        ({"use": "burst", "channel": "e-mail"}, "sources.fair.channel: there is no channel 'e-mail'; did you mean"),
        ({"use": "burst", "landing": {"princing": 1.0}}, "sources.fair.landing: there is no page 'princing'"),
        ({"use": "burst", "budget": 5.0}, "budget and cost_per_click go together"),
        ({"use": "live_chat"}, "'live_chat' is a component; name it under 'components'"),
        ({"use": "numpy:array"}, "so it is not imported"),
    ],
)
def test_settings_that_do_not_fit_are_refused(source: dict[str, Any], message: str):
    """Of the source, of its link, and classes that are none."""
    with pytest.raises(ValidationError, match=message):
        world_of(sources={"fair": source})


def plain_settings() -> None:
    """A source without the settings of a link."""

    class Fair(TrafficSource):
        class Settings(Component.Settings):
            visitors: float = 1.0


def effect() -> None:
    """A source that persuades."""

    class Fair(TrafficSource):
        def effect(self, visitor: Any) -> float:
            return 1.0


def misspelt() -> None:
    """A method that would never be called."""

    class Fair(TrafficSource):
        def expected_visitor(self, hours: Hours) -> np.ndarray:
            return np.zeros(len(hours))


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (plain_settings, "Settings must be derived from TrafficSource.Settings"),
        (effect, "moves no decision"),
        (misspelt, r"did you mean expected_visitors\(\)"),
    ],
)
def test_a_class_that_would_mislead_is_refused_when_it_is_defined(define: Callable[[], None], message: str):
    """In one line that says what to write."""
    with pytest.raises(ComponentError, match=message):
        define()


def test_a_source_is_no_component_of_a_model():
    """The arrivals of a world are known before its model, so a source belongs to the scenario."""
    with pytest.raises(ComponentError, match=r"under `traffic\.sources`"):
        Model(world_of(), components=[Steps()])
    assert class_named("burst", SOURCES) is Burst
    assert "sources" not in world_of().model_dump()["traffic"]
