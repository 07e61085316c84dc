"""Claims about models of navigation: all visits follow them, and the default is the chain of links and exits."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from scipy import stats

from analytics.sessions.visits import assign_visits
from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.class_identity import identities_of
from simulator.settings.components import NavigationSettings
from simulator.settings.site import SiteSettings
from simulator.settings.world import WorldSettings
from simulator.visitors.calibration import true_intercept
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.world.navigation import ByLinks, Navigation, NavigationModel, NavigationProfile, TowardPage


def page(exit_rate: float, **links: float) -> dict[str, Any]:
    """Settings of a page that matter to the chain."""
    words = {"path": "/", "title": "t", "category": "c", "stage": "top"}
    return {**words, "exit_rate": exit_rate, "links": links}


class NoWayBack(NavigationModel):
    """Nobody reads a page again at once, and nobody goes home: who would do so leaves."""

    class Settings(NavigationModel.Settings):
        """What is returned in place of that."""

        shape: int = 0
        value: float = 0.0

    def transitions(self, site: SiteSettings, profile: NavigationProfile) -> np.ndarray:
        """Without the links to the home page."""
        if self.settings.shape:
            return np.full((self.settings.shape,) * 2, self.settings.value)
        by_links = super().transitions(site, profile)
        by_links[:, list(site.pages).index("home")] = 0.0
        return by_links


def world_with(navigation: NavigationModel | None = None, **sections: Any) -> WorldSettings:
    """A few visitors with arms, personas and channels that differ in how they navigate."""
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1500.0},
            "clock": {"hours": 12},
            "intent": {"intercept": -3.0},
            **sections,
        }
    )
    if navigation is None:
        return world
    site = world.site.model_copy(update={"navigation": NavigationSettings.of(navigation)})
    return WorldSettings(**{**dict(world), "site": site})


def page_pairs(model: Model) -> set[tuple[str, str]]:
    """Pages viewed one after the other within a visit."""
    views = assign_visits(model.events).filter(pl.col("type") == "page").sort("anonymous_id", "visit", "timestamp")
    after = views.with_columns(pl.col("context_page_path").shift(-1).over("anonymous_id", "visit").alias("next"))
    return set(after.select("context_page_path", "next").drop_nulls().iter_rows())


def test_the_default_model_changes_nothing():
    """Named or not, visitors go by links; a pull of 1 is no pull."""
    bare, by_links, no_pull = (
        Model(world_with(each), seed=3).run() for each in (None, ByLinks(), TowardPage(pull=1.0))
    )
    assert by_links.events.equals(bare.events)
    # The pull is a factor of the weights: rounding aside, the chain is the same.
    np.testing.assert_allclose(
        Navigation(no_pull.world.site).transitions, Navigation(bare.world.site).transitions, rtol=1e-12
    )
    assert "navigation" not in bare.world.model_dump()["site"]


def test_a_pull_multiplies_the_odds_of_the_shorter_ways():
    """On a site of four pages the chain is that worked out by hand; how many leave does not change."""
    pages = {
        "a": page(0.5, b=1.0, c=1.0),
        "b": page(0.2, a=1.0, goal=1.0),
        "c": page(0.2, a=1.0),
        "goal": page(1.0, a=1.0),
    }
    site = SiteSettings.model_validate(
        {"pages": pages, "navigation": {"use": "toward_page", "page": "goal", "pull": 3.0}}
    )
    expected = [[0, 0.375, 0.125, 0], [0.2, 0, 0, 0.6], [0.8, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(Navigation(site).transition, expected, rtol=1e-12)


def test_page_frequencies_are_those_of_the_chain():
    """Transitions of a cohort's planned visits have the frequencies of the model's chain: χ² over all pairs."""
    world = world_with(TowardPage(pull=6.0), population={"personas": {}}, traffic={"visitors_per_day": 20_000.0})
    journeys, chain = CohortSampler(world, Streams(1)).draw(0, -5.0).journeys, Navigation(world.site)
    n = len(chain.names)
    following = np.where(np.diff(journeys.visit_of_view, append=-1) == 0, np.append(journeys.page[1:], 0), n)
    found = np.bincount(journeys.page * (n + 1) + following, minlength=n * (n + 1)).reshape(n, n + 1)
    rows = np.column_stack([chain.transition, 1 - chain.transition.sum(axis=1)])
    expected = rows * found.sum(axis=1, keepdims=True)
    some = rows > 0
    assert not found[~some].any()
    statistic = ((found[some] - expected[some]) ** 2 / expected[some]).sum()
    assert 1e-3 < stats.chi2(df=some.sum() - n).sf(statistic) < 1 - 1e-3
    assert found.sum() > 20_000


class Recall(Component):
    """Everybody makes one more visit, on the pricing page, which nobody has planned."""

    def touches(self, plan: Plan) -> np.ndarray:
        """All."""
        return plan.everybody

    def on_visit_end(self, visitor: Visitor) -> None:
        """An hour later."""
        if not visitor.state.get("back"):
            visitor.state["back"] = True
            visitor.come_back(visitor.now_ms + 3_600_000, "pricing")


def test_all_visits_follow_the_model():
    """Nobody goes home: neither in planned nor in unplanned visits, with all or few on the clock."""
    world = world_with(NoWayBack())
    plain, sparse, awake = (
        Model(world, seed=3, active_agents=active, components=components).run()
        for active, components in (("interacting", []), ("interacting", [Recall()]), ("all", [Recall()]))
    )
    assert sparse.events.equals(awake.events)
    assert sparse.events.height > plain.events.height
    home = world.site.pages["home"].path
    for model in (plain, awake):
        pairs = page_pairs(model)
        assert len(pairs) > 20
        assert home not in {following for _, following in pairs}
    # By links they would.
    assert home in {following for _, following in page_pairs(Model(world_with(), seed=3).run())}


def test_the_intercept_is_calibrated_with_the_model():
    """Whoever is drawn to the security page is more willing, so that the same conversion has a lower intercept."""
    by_links, drawn = (
        true_intercept(world_with(each, intent={"target_conversion": 0.05}))
        for each in (None, TowardPage(page="security", pull=20.0))
    )
    assert drawn < by_links - 0.2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": 3}, "a probability for each pair of"),
        ({"shape": len(SiteSettings().pages), "value": -0.1}, "a probability for each pair of"),
        ({"shape": len(SiteSettings().pages), "value": float("nan")}, "a probability for each pair of"),
        ({"shape": len(SiteSettings().pages), "value": 1.0}, "or visits would not end; from page 'home'"),
    ],
)
def test_what_is_no_chain_is_refused(wrong: dict[str, Any], message: str):
    """Probabilities for all pairs of pages, with a way out; else the scenario is refused."""
    with pytest.raises(ValidationError, match=message) as caught:
        world_with(NoWayBack(**wrong))
    assert [error["loc"] for error in caught.value.errors()] == [("site", "navigation")]


def test_the_manifest_names_the_model_and_the_sources():
    """Worlds with other classes are other worlds."""
    world = world_with(NoWayBack(), traffic={"sources": {"post": {"use": "burst"}}})
    identities = identities_of(world)
    assert list(identities) == ["traffic.sources.post", "site.navigation"]
    assert identities["site.navigation"].path == f"{__name__}:NoWayBack"
    assert identities["site.navigation"] != identities_of(world_with(ByLinks()))["site.navigation"]
