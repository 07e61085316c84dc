"""Claims about campaigns with a budget."""

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from simulator.settings.world import WorldSettings
from tests.helpers.component_runs import WORLD, assert_truth_is_what_was_seen, run_with

INVITING = {"personas": {"champion": {"invites": {"champion": 0.6}}}, "account_rate": 0.9, "invitation_hours": 2.0}


def with_campaign(**money: float) -> dict[str, Any]:
    """Settings of a world with a campaign of about 300 visitors within eight hours."""
    spring = {
        "start": "2026-03-03T06:00:00Z",
        "end": "2026-03-03T14:00:00Z",
        "channel": "paid_search",
        "visitors": 300.0,
        **money,
    }
    return {"traffic": {"campaigns": {"spring": spring}}, "population": INVITING}


def people(model: Any, inflow: str) -> pl.DataFrame:
    """Persons of an arrival source, by arrival."""
    table: pl.DataFrame = model.outcome.people
    return table.filter(pl.col("inflow") == inflow).unique("person_id").sort("first_seen_at")


@pytest.mark.slow
def test_the_budget_is_spent_and_never_overspent() -> None:
    """The first visitors come as they do without a budget, as many as it pays for; the others do not."""
    free = people(run_with(**with_campaign()), "campaign:spring")
    for budget, n in ((0.0, 0), (100.0, 33), (299.9, 99), (300.0, 100)):
        model = run_with(**with_campaign(budget=budget, cost_per_click=3.0))
        came = people(model, "campaign:spring")
        assert came["person_id"].to_list() == free["person_id"].to_list()[:n]
        assert model.components["campaign:spring"].measures() == {
            "clicks": n,
            "spent": 3.0 * n,
            "left": budget - 3.0 * n,
        }
        assert model.outcome.counts["visitors"] == model.outcome.people["person_id"].n_unique()
        assert_truth_is_what_was_seen(model)


def test_who_never_came_invites_nobody() -> None:
    """Colleagues come only if whoever invited them came; the ordinary visitors are the same with any budget."""
    free, poor = run_with(**with_campaign()), run_with(**with_campaign(budget=90.0, cost_per_click=1.0))
    came = set(people(poor, "campaign:spring")["person_id"])
    invited, all_invited = (people(model, "campaign:spring/invited") for model in (poor, free))
    assert 0 < invited.height < all_invited.height
    expected = all_invited.filter(pl.col("invited_by").is_in(came))
    assert set(invited["person_id"]) == set(expected["person_id"])
    assert people(free, "").equals(people(poor, ""))


def test_a_large_budget_changes_nothing() -> None:
    """With more money than clicks, the events are those of a campaign without a budget."""
    rich, free = run_with(**with_campaign(budget=1e6, cost_per_click=1.0)), run_with(**with_campaign())
    assert rich.events.equals(free.events)


@pytest.mark.parametrize("money", [{"budget": 100.0}, {"cost_per_click": 1.0}])
def test_a_budget_and_a_price_go_together(money: dict[str, float]) -> None:
    """One without the other is refused."""
    with pytest.raises(ValidationError, match="go together"):
        WorldSettings.model_validate({**WORLD, **with_campaign(**money)})
