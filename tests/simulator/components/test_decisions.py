"""Claims about decision models: one outcome a decision, by one rule."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from simulator.agents.decision import DecisionModel
from simulator.components.live_chat import LiveChat
from simulator.engine.arrays import Floats
from simulator.errors import ComponentError
from simulator.model import Model
from simulator.settings.world import WorldSettings
from tests.helpers.component_runs import WORLD, run_with

CHOICES = ["Demo Requested", "Trial Started", "Contact Requested"]


def chosen(effect: float) -> dict[str, int]:
    """How often each outcome was chosen, where most visitors chat; no decision has two."""
    rule = {"use": "multinomial_logit", "trial": -1.5, "contact": -2.5}
    model = run_with(LiveChat("chat", agents=100, wants_rate=1.0, effect=effect), decision=rule)
    events = model.events.filter(pl.col("event").is_in(CHOICES))
    assert events.group_by("anonymous_id", "timestamp").len()["len"].max() == 1
    return dict(events["event"].value_counts().iter_rows())


@pytest.mark.parametrize("effect", [2.0, -2.0])
def test_a_decision_has_one_outcome_and_an_effect_moves_all_shares(effect: float) -> None:
    """What makes a demo likelier makes trials and messages rarer; nobody chooses two of them at once."""
    moved, usual = chosen(effect), chosen(0.0)
    assert [np.sign(moved[name] - usual[name]) for name in CHOICES] == [np.sign(effect) * sign for sign in (1, -1, -1)]


class HalfOverridden(DecisionModel):
    """Thresholds of a rule and refusals of another."""

    def thresholds(self, uniforms: Floats) -> Floats:
        """Twice the logit's."""
        return 2 * super().thresholds(uniforms)


class OneForAll(DecisionModel):
    """One threshold where one for each decision is asked for."""

    def thresholds(self, uniforms: Floats) -> Floats:
        """A single number."""
        return np.array([0.0])


class Falling(DecisionModel):
    """Lower thresholds for higher numbers."""

    def thresholds(self, uniforms: Floats) -> Floats:
        """The logit's, turned round."""
        return -super().thresholds(uniforms)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (HalfOverridden, r"thresholds\(\) and log_refusal\(\) are not of one rule"),
        (OneForAll, "one threshold for each number"),
        (Falling, "a larger one for a larger number"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(rule: type[DecisionModel], message: str) -> None:
    """Visitors would decide by the thresholds and the intercept be solved for something else."""
    with pytest.raises(ValueError, match=message):
        rule("rule").check(WorldSettings.model_validate(WORLD))


def test_a_rule_is_no_component() -> None:
    """It would be asked for nothing."""
    with pytest.raises(ComponentError, match="name a decision model under `decision`"):
        Model(WorldSettings.model_validate(WORLD), components=[DecisionModel("rule")])
