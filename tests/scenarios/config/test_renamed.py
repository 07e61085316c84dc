"""Old names of settings are accepted for one version, with a warning that gives the new name and the place."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

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

NEW_SCENARIO = """name: old
active_agents: all
intent: {target_conversion: 0.05, conversion_unit: visitor}
tracking: {id_collision_rate: 0.1, undeclared_bots_per_day: 3}
sales:
  teams:
    default:
      account_executives: {headcount: 4, hires: [{rep: 2, on: 2026-03-04}]}
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

NEW_STUDY = """name: s
scenario: baseline
overrides: {intent.target_conversion: 0.1, clock.hours: 2}
factors:
  sales.teams.europe.sdrs.headcount: [1, 2]
  traffic.visitors_per_day: {loguniform: [100.0, 200.0]}
  sales.no_show_rate: {uniform: [0.0, 0.1]}
  sales.slot_minutes: {int: [30, 60]}
  sales.lead_hours: {categorical: [1.0, 2.0]}
design: {kind: sobol, samples: 4}
replications: {min: 10, max: 20, precision: {held: {absolute: 1.0}}}
responses: {held: sales.held}
"""


def test_old_names_in_a_scenario_say_the_same_and_are_warned_of() -> None:
    """Each old name is reported once, with its line and column, and the scenario is that of the new names."""
    with pytest.warns(FutureWarning) as caught:
        old = Scenario.parse(OLD_SCENARIO, "old.yaml")
    assert old == Scenario.parse(NEW_SCENARIO, "old.yaml")
    messages = [str(each.message) for each in caught]
    assert "old.yaml:3:10: intent.visitor_to_demo is now called 'target_conversion'" in messages[1]
    assert len(messages) == 8


def test_old_names_in_a_study_say_the_same_and_are_warned_of() -> None:
    """Kinds of factors, keys, and the paths of settings that are set or varied."""
    with pytest.warns(FutureWarning) as caught:
        old = Study.parse(OLD_STUDY)
    assert old.settings == Study.parse(NEW_STUDY).settings
    assert len(caught) == 10


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


def test_a_setting_cannot_be_given_by_both_names() -> None:
    """Neither of the two would be the one that is meant."""
    text = "name: s\nintent: {visitor_to_demo: 0.1, target_conversion: 0.2}\n"
    with pytest.raises(ScenarioError, match="is the old name of 'target_conversion': give one of the two"):
        Scenario.parse(text, "s.yaml")


@pytest.mark.parametrize("text", ["intent={visitor_to_demo: 0.2}", "sales.teams.default.executives={reps: 3}"])
def test_old_names_inside_a_value_are_renamed_too(text: str) -> None:
    """A mapping that is set at a path may hold old names, as a file may."""
    new = text.replace("visitor_to_demo", "target_conversion").replace("executives", "account_executives")
    with pytest.warns(FutureWarning):
        old = Scenario.parse("name: s\n", "s.yaml", [text])
    assert old == Scenario.parse("name: s\n", "s.yaml", [new.replace("reps", "headcount")])


def test_overrides_by_both_names_are_refused() -> None:
    """Neither depends on the order in which they are given."""
    changes = {"intent.target_conversion": 0.2, "intent.visitor_to_demo": 0.3}
    with pytest.warns(FutureWarning), pytest.raises(ScenarioError, match="is another name of"):
        Scenario.load("baseline", changes)


def test_a_factor_by_both_names_is_refused() -> None:
    """Else one of the two factors would be lost in silence."""
    text = OLD_STUDY.replace("  sales.lead_hours", "  sales.teams.europe.sdrs.headcount: [3, 4]\n  sales.lead_hours")
    with pytest.warns(FutureWarning), pytest.raises(ScenarioError, match="is the old name of"):
        Study.parse(text)


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
