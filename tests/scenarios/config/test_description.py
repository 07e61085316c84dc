"""Claims about what readers of results are told of a scenario: whether its conversion can move."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from scenarios.config.description import component_rows, resolved_intercept
from scenarios.config.settings import ScenarioSettings
from scenarios.scenario import Scenario
from scenarios.study import Study
from simulator.visitors.calibration import true_intercept

STRONGER = {"intent.coefficients.security_page_view": 1.5}


def baseline(changes: dict[str, Any] | None = None) -> Scenario:
    """The baseline with changes."""
    return Scenario.load("baseline", changes or {})


def note(before: ScenarioSettings, now: ScenarioSettings) -> str:
    """The sentence that should be shown."""
    old, new = (true_intercept(each.world) for each in (before, now))
    assert old != new
    return (
        f"intercept re-solved from {old:.2f} to {new:.2f} so that 2 % convert; set intent.intercept={old:.2f} to let "
        "conversion move"
    )


def test_a_change_that_solves_the_intercept_anew_is_named(tmp_path: Path) -> None:
    """By overrides, in Python, in a file, and through changes that do not matter, it is the same sentence."""
    said = note(baseline(), baseline(STRONGER))
    assert resolved_intercept(baseline(STRONGER)) == said
    assert resolved_intercept(baseline().replace(STRONGER)) == said
    assert resolved_intercept(baseline().replace(STRONGER).replace({"clock.hours": 2}, seed=8)) == said
    file = tmp_path / "mine.yaml"
    file.write_text("{name: mine, extends: baseline, intent: {coefficients: {security_page_view: 1.5}}}")
    assert resolved_intercept(Scenario.load(file)) == said
    assert resolved_intercept(Scenario.load(file, {"tracking.ad_blocker_rate": 0.4})) == said


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"traffic.visitors_per_day": 10},
        {"tracking.ad_blocker_rate": 0.4},
        {"components.chat": {"use": "live_chat"}},
        {"intent.target_conversion": 0.03, **STRONGER},
        {"intent.intercept": -6.11, **STRONGER},
    ],
)
def test_where_nothing_is_solved_anew_nothing_is_said(changes: dict[str, Any]) -> None:
    """Traffic, tracking and components leave the intercept alone; another target or an intercept moves conversion."""
    assert resolved_intercept(baseline().replace(changes)) == ""


def test_what_a_scenario_was_made_from_is_no_setting() -> None:
    """It is neither compared, written nor lost on the way to a worker, and does not grow."""
    changed = baseline()
    for hours in range(1, 10):
        changed = changed.replace({"clock.hours": hours})
    assert [base.clock.hours for base in changed.bases] == [8, 7, 6]
    assert all(base.bases == () for base in changed.bases)
    assert changed == Scenario.parse(changed.to_yaml())
    assert pickle.loads(pickle.dumps(changed)).bases == changed.bases  # noqa: S301 - our own
    assert "bases" not in changed.to_data()


def test_studies_and_comparisons_say_where_conversion_cannot_move() -> None:
    """A factor that solves the intercept anew is named by a design point, and a scenario by its name."""
    study: dict[str, Any] = {"name": "s", "responses": {"n": "counts.visitors"}}
    varied = Study.from_dict({**study, "scenario": "baseline", "factors": {next(iter(STRONGER)): [0.9, 1.5]}})
    assert varied.remarks == [f"design point 1: {note(baseline(), baseline(STRONGER))}"]
    moving = Study.from_dict(
        {
            **study,
            "scenario": "baseline",
            "overrides": {"intent.intercept": -6.11},
            "factors": {next(iter(STRONGER)): [0.9, 1.5]},
        }
    )
    assert moving.remarks == []
    stronger = baseline(STRONGER).replace(name="stronger")
    two = Study.from_dict({**study, "scenarios": ["baseline", stronger.to_data()]})
    assert two.remarks == [f"stronger against baseline: {note(baseline(), stronger)}"]


def test_components_are_described_by_what_is_not_the_default() -> None:
    """Name, class and changed settings, the decision model first."""
    changes = {
        "decision": {"use": "probit"},
        "components": {"chat": {"use": "live_chat", "agents": 1, "effect": 1.2}, "seats": {"use": "webinar"}},
    }
    assert component_rows(baseline(changes)) == [
        ("decision", "Probit", "none"),
        ("chat", "LiveChat", "agents = 1"),
        ("seats", "Webinar", "none"),
    ]
