"""What a reader of results should know of a scenario: its components, and whether its intercept was solved anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scenarios.config.settings import ScenarioSettings
from simulator import visitors

_DIGITS: Final = 2
"""Digits of an intercept after its point; a change of fewer is none that a reader could see."""


def component_rows(scenario: ScenarioSettings) -> list[tuple[str, str, str]]:
    """Return name, class and settings other than the defaults of each component, the decision model first.

    Args:
        scenario: The scenario.

    >>> from scenarios import Scenario
    >>> chatty = Scenario.load("baseline").replace({"components.chat": {"use": "live_chat", "agents": 1}})
    >>> component_rows(chatty)
    [('chat', 'LiveChat', 'agents = 1')]
    """
    named = {**({"decision": scenario.decision} if scenario.decision else {}), **scenario.components}
    return [
        (
            name,
            part.cls.__name__,
            ", ".join(f"{key} = {value}" for key, value in part.changed.items()) or "none",
        )
        for name, part in named.items()
    ]


def resolved_intercept(scenario: ScenarioSettings, bases: Sequence[ScenarioSettings] | None = None) -> str:
    """Say that a change of a scenario has left its conversion where it was, because the intercept gave way.

    Args:
        scenario: The scenario.
        bases: What to compare it with, the nearest first; the scenarios that it was made from unless given.

    Returns:
        A sentence without its full stop; empty if the scenario gives its intercept, or the intercept is that of what it
        was made from, or the target conversion is another, so that conversion moves anyway.

    >>> from scenarios import Scenario
    >>> changed = Scenario.load("baseline").replace({"intent.coefficients": {"security_page_view": 1.5}})
    >>> print(resolved_intercept(changed))
    intercept re-solved from -6.11 to -6.52 so that 2 % convert; set intent.intercept=-6.11 to let conversion move
    """
    target = scenario.intent.target_conversion
    if target is None:
        return ""
    for base in scenario.bases if bases is None else bases:
        if base.intent.target_conversion != target:
            return ""
        # Equal without being solved, which takes a moment.
        if visitors.calibration_settings(base.world) == visitors.calibration_settings(scenario.world):
            continue
        before, now = (round(visitors.true_intercept(each.world), _DIGITS) for each in (base, scenario))
        if before != now:
            return (
                f"intercept re-solved from {before:.2f} to {now:.2f} so that {100 * target:g} % convert; set "
                f"intent.intercept={before:.2f} to let conversion move"
            )
    return ""
