"""What an analyst of foreign events may choose, read from the analytical part of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import DemoPer
from scenarios.config.loading import load, parse
from scenarios.config.settings import ScenarioSettings
from scenarios.errors import Fault, ScenarioError

__all__ = ["analyst_settings"]

_PART: Final = "analytics"
_NOBODY: Final = "name: events\n"


def analyst_settings(scenario: str | None, overrides: Sequence[str] = ()) -> tuple[AnalyticsSettings, DemoPer]:
    """Read how events are to be analysed, and who asks for one demo at most.

    Args:
        scenario: Name of a library scenario or path of a scenario file, whose world does not matter here; the defaults
            if None.
        overrides: Settings to change, as the command line has them: ``["analytics.moving_average_hours=6"]``.

    Raises:
        ScenarioError: The scenario is faulty, or a setting is none of the analysis.
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key.split(".")[0] != _PART:
            message = "is no setting of the analysis, such as analytics.moving_average_hours"
            raise ScenarioError([Fault(f"--set {text}", key, message)])
    model = ScenarioSettings
    settings = parse(model, _NOBODY, _PART, overrides) if scenario is None else load(model, scenario, overrides)
    return settings.analytics, settings.intent.demo_per
