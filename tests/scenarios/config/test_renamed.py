"""Old names of settings are accepted for one version, with a warning that gives the new name and the place."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics.events.dimensions import dimensions_of
from analytics.renaming import OldNameWarning, current_name
from analytics.settings import AnalyticsSettings
from scenarios.errors import ScenarioError
from scenarios.scenario import Scenario
from scenarios.study import Study

OLD_SCENARIO = """name: old
wake: all
intent: {visitor_to_demo: 0.05, demo_per: visitor}
tracking: {conflict_rate: 0.1, disguised_bots_per_day: 3}
sales:
  teams:
    default:
      executives: {reps: 4, joiners: [{rep: 2, on: 2026-03-04}]}
"""

OLD_STUDY = """name: s
scenario: baseline
set: {intent.visitor_to_demo: 0.1, clock.hours: 2}
factors:
  sales.teams.europe.sdrs.reps: [1, 2]
  traffic.visitors_per_day: {log: [100.0, 200.0]}
  sales.no_show_rate: {real: [0.0, 0.1]}
  sales.slot_minutes: {integer: [30, 60]}
  sales.lead_hours: {choice: [1.0, 2.0]}
design: {kind: sobol, points: 4}
replications: {least: 10, most: 20, precision: {held: {absolute: 1.0}}}
responses: {held: sales.held}
"""

RENAMED = {
    "wake": "active_agents",
    "visitor_to_demo": "target_conversion",
    "demo_per": "conversion_unit",
    "conflict_rate": "id_collision_rate",
    "disguised_bots_per_day": "undeclared_bots_per_day",
    "executives": "account_executives",
    "reps": "headcount",
    "joiners": "hires",
    "set": "overrides",
    "log": "loguniform",
    "real": "uniform",
    "integer": "int",
    "choice": "categorical",
    "points": "samples",
    "least": "min",
    "most": "max",
}


def renamed(text: str) -> str:
    """A text with the new names."""
    return re.sub(r"\w+", lambda word: RENAMED.get(word[0], word[0]), text)


@pytest.mark.parametrize(
    ("kind", "text", "n_warnings", "place"),
    [(Scenario, OLD_SCENARIO, 8, "3:10: intent.visitor_to_demo"), (Study, OLD_STUDY, 10, "3:1: set")],
    ids=["scenario", "study"],
)
def test_old_names_say_the_same_and_are_warned_of(kind: Any, text: str, n_warnings: int, place: str) -> None:
    """Each old name of a setting, key or kind of factor is reported once, with its line and column."""
    with pytest.warns(FutureWarning) as caught:
        old = kind.parse(text, "old.yaml")
    assert old.to_yaml() == kind.parse(renamed(text), "old.yaml").to_yaml()
    messages = [str(each.message) for each in caught]
    assert any(message.startswith(f"old.yaml:{place} is now called ") for message in messages), messages
    assert len(messages) == n_warnings


@pytest.mark.parametrize("changes", [{"intent.visitor_to_demo": 0.2}, ["intent.visitor_to_demo=0.2"]])
def test_old_names_in_overrides_lead_to_the_same_setting(changes: dict[str, float] | list[str]) -> None:
    """`--set` and `replace` with an old path change the setting of the new name."""
    with pytest.warns(FutureWarning, match=re.escape("intent.visitor_to_demo is now called 'target_conversion'")):
        changed = Scenario.load("baseline", changes)
    assert changed.intent.target_conversion == 0.2


def test_faults_stand_where_the_old_name_stands() -> None:
    """A wrong value under an old name is reported at its own line and column, by the new name."""
    with (
        pytest.warns(FutureWarning),
        pytest.raises(ScenarioError, match=r"s\.yaml:2:10: intent\.target_conversion: must"),
    ):
        Scenario.parse("name: s\nintent: {visitor_to_demo: 2.0}\n", "s.yaml")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "load",
    [
        lambda: Scenario.parse("name: s\nintent: {visitor_to_demo: 0.1, target_conversion: 0.2}\n"),
        lambda: Scenario.load("baseline", {"intent.target_conversion": 0.2, "intent.visitor_to_demo": 0.3}),
        lambda: Study.parse(OLD_STUDY.replace("factors:", "factors:\n  sales.teams.europe.sdrs.headcount: [3, 4]")),
    ],
    ids=["in a file", "in overrides", "as factors"],
)
def test_a_setting_cannot_be_given_by_both_names(load: Callable[[], object]) -> None:
    """Neither of the two would be the one that is meant, and one of two factors would be lost in silence."""
    with pytest.raises(ScenarioError, match=r"is (the old|another) name of"):
        load()


@pytest.mark.parametrize("text", ["intent={visitor_to_demo: 0.2}", "sales.teams.default.executives={reps: 3}"])
def test_old_names_inside_a_value_are_renamed_too(text: str) -> None:
    """A mapping that is set at a path may hold old names, as a file may."""
    with pytest.warns(FutureWarning):
        old = Scenario.parse("name: s\n", "s.yaml", [text])
    assert old == Scenario.parse("name: s\n", "s.yaml", [renamed(text)])


def test_an_old_signal_in_a_measure_is_the_new_one() -> None:
    """Claims and responses may still name `visit_lasts`."""
    with pytest.warns(FutureWarning, match="the signal 'visit_lasts' is now called 'multi_page_visit'"):
        scenario = Scenario.parse('name: s\nclaims: {"c": coefficient("visit_lasts") < 5}\n')
    assert list(scenario.claims) == ["c"]


def test_an_old_signal_among_the_estimates_of_a_study_is_the_new_one() -> None:
    """The study lists the term by its new name."""
    text = "name: s\nscenario: baseline\nestimates: [visit_lasts]\n"
    with pytest.warns(FutureWarning, match="the signal 'visit_lasts' is now called 'multi_page_visit'"):
        study = Study.parse(text)
    assert study.loaded.terms == ("multi_page_visit",)


@pytest.mark.parametrize(
    "use",
    [
        lambda: dimensions_of("content"),
        lambda: AnalyticsSettings(segments=("content",)),
        lambda: Scenario.parse("name: s\nwake: all\n"),
        lambda: Study.of({"name": "s", "scenario": "baseline", "responses": {"held": "sales.held"}}),
    ],
)
def test_the_warning_points_at_the_line_of_the_user(use: Callable[[], object]) -> None:
    """However deep in the packages, or in pydantic, the old name is found."""
    with pytest.warns(OldNameWarning, match="the next version will not accept the old name") as caught:
        use()
    assert {Path(each.filename).name for each in caught} == {Path(__file__).name}


def test_current_names_are_not_warned_of() -> None:
    """A name that is not an old one is returned as it is, whether it is known or not."""
    with warnings.catch_warnings(action="error"):
        assert current_name("region", {"content": "page_group"}, "dimension") == "region"
