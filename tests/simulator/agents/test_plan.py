"""Claims about plans: over arrays they say what visitors do if nothing touches them."""

import numpy as np
import pytest
from acting import Everywhere, lived

from analytics.events.times import HOUR_MS
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.model import Model


class Census(Everywhere):
    """Keeps the plans."""

    def touches(self, plan: Plan) -> Bools:
        """Everybody; keeps the plan."""
        self.plans: dict[tuple[int, ...], Plan] = getattr(self, "plans", {})
        self.plans[plan._cohort.rank] = plan
        return plan.everybody


class Encouraging(Census):
    """Moves all decisions by two."""

    effect_range = (0.0, 2.0)

    def effect(self, visitor: Visitor) -> float:
        """Two."""
        return 2.0


def of_visitors(model: Model, name: str, *given: object) -> dict[str, object]:
    """What the plans say of each visitor, by identifier."""
    found = {}
    for plan in model.components["census"].plans.values():
        values = getattr(plan, name)
        values = values(*given) if callable(values) else values
        assert len(values) == len(plan) == plan.everybody.sum()
        found.update(zip(plan._cohort.person_ids.to_list(), values.tolist(), strict=True))
    return found


@pytest.fixture(scope="module")
def model() -> Model:
    """Everybody lives as planned, and nobody requests a demo."""
    return lived(Census("census"), traffic={"visitors_per_day": 700})


@pytest.mark.parametrize("name", ["country", "region", "persona", "device", "channel"])
def test_a_plan_knows_who_visitors_are(model: Model, name: str):
    """Attributes in arrays are those of the objects."""
    planned = of_visitors(model, name)
    # The device of the plan is that of the first browser, with which the first visit need not be made.
    visitors = [each for each in model.visitors if not each.visits or not each.visit.itinerary.second_browser]
    assert {each.id: getattr(each, name) for each in visitors} == {each.id: planned[each.id] for each in visitors}
    assert len(set(planned.values())) > 1


def test_a_plan_knows_accounts_and_arrivals(model: Model):
    """Whether a company is recognised, and when the first visit begins."""
    accounts, arrivals = of_visitors(model, "has_account"), of_visitors(model, "arrival_ms")
    assert {each.id: each.account is not None for each in model.visitors} == accounts
    assert {each.visits[0].times_ms[0] for each in model.visitors if each.visits} == {
        time for time in arrivals.values() if time < model.clock.length_ms
    }


@pytest.mark.parametrize("window", [(), (3 * HOUR_MS, 5 * HOUR_MS), (11 * HOUR_MS, 99 * HOUR_MS)])
def test_a_plan_knows_the_pages(model: Model, window: tuple[int, ...]):
    """Whoever views a page in a time, and before the end, is who the plan says."""
    since, until = window or (0, model.clock.length_ms)
    page = model._state.live_world.page_named("pricing").index
    seen = {
        each.id
        for each in model.visitors
        for visit in each.visits
        for time, viewed in zip(visit.times_ms, visit.pages, strict=True)
        if viewed == page and since <= time < until
    }
    assert seen == {who for who, views in of_visitors(model, "views", "pricing", *window).items() if views}
    assert seen


def test_a_plan_knows_the_forms(model: Model):
    """Whoever submits the form of a page before the end is who the plan says."""
    page = model._state.live_world.page_named("white_paper").index
    sent = {
        each.id
        for each in model.visitors
        for visit in each.visits
        for view, _ in visit.forms
        if visit.pages[view] == page
    }
    assert sent == {who for who, submits in of_visitors(model, "submits", "white_paper").items() if submits}
    assert sent


def test_a_plan_knows_who_may_request():
    """With a constant effect those who request are those whose log-odds suffice when raised by it; fewer without."""
    settings = {"intent": {"target_conversion": 0.1, "conversion_unit": "visitor"}}
    model = lived(Encouraging("census"), active_agents="all", **settings)
    might = {who for who, may in of_visitors(model, "might_request").items() if may}
    assert {each.id for each in model.visitors if each.has_requested} == might
    assert of_visitors(model, "might_request", 2.0) == of_visitors(model, "might_request")
    without = {who for who, may in of_visitors(model, "might_request", 0.0).items() if may}
    assert without < might
    usual = lived(Census("census"), **settings)
    assert {each.id for each in usual.visitors if each.has_requested} == without
    for plan in model.components["census"].plans.values():
        certain = plan.decides_below(np.ones_like)
        assert (certain >= plan.might_request()).all()
        assert not plan.decides_below(np.zeros_like).any()
        assert (plan.decides_below(lambda odds: odds / (1 + odds)) == plan.might_request()).all()
