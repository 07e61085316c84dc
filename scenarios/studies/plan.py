"""The plan of a study: its design points and their replications."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from scenarios.config.description import resolved_intercept
from scenarios.config.settings import yaml_text
from scenarios.errors import Fault, ScenarioError
from scenarios.files.versions import versions
from scenarios.scenario import Scenario
from scenarios.studies.design import design_values
from scenarios.studies.loading import LoadedStudy
from scenarios.studies.replication import Function, Replication
from scenarios.studies.settings import FactorValue, StudySettings
from simulator.settings.class_identity import ClassIdentity, identities_of

_NAMES_ONLY: Final = {"name", "description", "seed", "active_agents", "claims"}
"""Settings of a scenario on which no event depends."""

_APART: Final = 1_000_000
"""Replication numbers reserved for each point where points do not share random numbers."""


@dataclass(frozen=True)
class Point:
    """One combination of the factors, in one scenario.

    Args:
        number: Its number, from 0.
        scenario: Position of its scenario among those of the study.
        values: Values of factors, by dotted path; other factors keep the value of the scenario.
    """

    number: int
    scenario: int
    values: Mapping[str, FactorValue]


@dataclass(frozen=True)
class _Resolved:
    """The scenario of a point, the classes that it names, and the key of its replications."""

    scenario: Scenario
    classes: Mapping[str, ClassIdentity]
    key: str


class StudyPlan:
    """A study with its design points and replications.

    Args:
        loaded: The study as read and checked.
        functions: Responses that are Python functions, by name.
    """

    def __init__(self, loaded: LoadedStudy, functions: Mapping[str, Function] | None = None) -> None:
        self.loaded = loaded
        self.functions = dict(functions or {})
        self._scenarios: dict[int, _Resolved] = {}

    @property
    def settings(self) -> StudySettings:
        """The settings of the study file."""
        return self.loaded.settings

    @property
    def responses(self) -> list[str]:
        """Names of the responses, in order."""
        return [*self.loaded.responses, *self.functions]

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The design points, scenario by scenario."""
        settings = self.settings
        values = design_values(settings.factors, settings.design, settings.seed)
        scenarios = range(len(self.loaded.scenarios))
        combined = ((scenario, each) for scenario in scenarios for each in values)
        return tuple(Point(number, scenario, each) for number, (scenario, each) in enumerate(combined))

    @cached_property
    def design(self) -> pl.DataFrame:
        """The design points: ``point``, ``scenario``, and a column for each factor; text where kinds are mixed.

        Where a point does not change a factor, the column has the scenario's own value.
        """
        columns: dict[str, list[object]] = {
            "point": [point.number for point in self.points],
            "scenario": [self.loaded.scenarios[point.scenario].name for point in self.points],
        }
        for path in self.settings.factors:
            standing = [_setting(scenario, path) for scenario in self.loaded.scenarios]
            columns[path] = [point.values.get(path, standing[point.scenario]) for point in self.points]
        return pl.DataFrame([_column(name, values) for name, values in columns.items()])

    def scenario_of(self, point: Point) -> Scenario:
        """The scenario of a design point.

        Args:
            point: The design point.

        Raises:
            ScenarioError: The factors together do not make a valid scenario.
        """
        return self._resolved(point).scenario

    def replication(self, point: Point, number: int) -> Replication:
        """One replication of a point, to be run.

        Args:
            point: The design point.
            number: Which of its replications, from 0.

        Raises:
            ScenarioError: The factors together do not make a valid scenario.
        """
        resolved = self._resolved(point)
        # Points then use disjoint replications of one seed, whose random numbers are independent.
        number += 0 if self.settings.common_random_numbers else point.number * _APART
        settings, responses = self.settings, self.loaded.responses
        return Replication(
            resolved.key,
            number,
            resolved.scenario,
            settings.seed,
            responses,
            self.functions,
            settings.window,
            resolved.classes,
        )

    @cached_property
    def classes(self) -> dict[str, tuple[ClassIdentity, ...]]:
        """Classes that the scenarios name, by places such as ``components.chat``; several where points differ."""
        # Most studies have none, and need not resolve their points for this.
        if not (any(each.classes for each in self.loaded.scenarios) or any(map(_names_classes, self.settings.factors))):
            return {}
        found: dict[str, dict[ClassIdentity, None]] = {}
        for point in self.points:
            try:
                classes = self._resolved(point).classes
            except ScenarioError:
                continue  # such a point is never run
            for place, each in classes.items():
                found.setdefault(place, {})[each] = None
        return {place: tuple(each) for place, each in sorted(found.items())}

    @property
    def remarks(self) -> list[str]:
        """Sentences without their full stops that a reader of the results should know: where conversion cannot move."""
        first, *others = self.loaded.scenarios
        pairs = [(f"{other.name} against {first.name}", first, other) for other in others]
        # The ends of the design only: each intercept takes a moment, and one is enough to know.
        for number in sorted({0, len(self.points) - 1}, reverse=True) if self.settings.factors else ():
            point = self.points[number]
            with suppress(ScenarioError):
                pairs.append((f"design point {number}", self.loaded.scenarios[point.scenario], self.scenario_of(point)))
        found = [(where, resolved_intercept(changed, [base])) for where, base, changed in pairs]
        return [f"{where}: {note}" for where, note in found if note]

    def to_yaml(self) -> str:
        """Write the study as a file that refers to no other: scenarios are written out, with every default.

        Returns:
            YAML; read again, it gives a study with equal points and replications. Comments at its head name the classes
            of components and their sources.
        """
        data = self.settings.model_dump(mode="json", exclude_none=True)
        written = [scenario.to_data() for scenario in self.loaded.sources]
        for scenario in written:
            # A study checks no claims, and an override may have made them meaningless.
            scenario.pop("claims")
        data |= {"scenario": written[0]} if self.settings.scenario is not None else {"scenarios": written}
        # The scenarios are long and would hide the settings after them.
        in_order = sorted(data, key=lambda key: key in {"scenario", "scenarios"})
        # In the file, so that a study with changed classes is another study, as with changed settings.
        heads = [f"# {place}: {each}\n" for place, several in self.classes.items() for each in several]
        return "".join(heads) + yaml_text({key: data[key] for key in in_order}, flow=None)

    def _resolved(self, point: Point) -> _Resolved:
        if point.number not in self._scenarios:
            base = self.loaded.scenarios[point.scenario]
            scenario = base.replace(dict(point.values)) if point.values else base
            if self.settings.window.hours(scenario.clock) < 1:
                message = f"must be more than the warm-up and the cool-down together (got {scenario.clock.hours})"
                raise ScenarioError([Fault(scenario.name, "clock.hours", message)])
            # Kept: resolving a point validates all settings, and is asked for with every replication.
            classes = identities_of(scenario)
            self._scenarios[point.number] = _Resolved(scenario, classes, self._key(scenario, classes))
        return self._scenarios[point.number]

    def _key(self, scenario: Scenario, classes: Mapping[str, ClassIdentity]) -> str:
        """Digest of everything that the values of a replication depend on, except its number.

        Args:
            scenario: The scenario of the point.
            classes: The classes that it names.

        Returns:
            32 hexadecimal digits.
        """
        content = {
            "scenario": scenario.model_dump(mode="json", exclude=_NAMES_ONLY),
            "responses": self.loaded.responses,
            "seed": self.settings.seed,
            "window": [self.settings.warm_up_hours, self.settings.cool_down_hours],
            # Another version may give other numbers, so its replications are not mixed with these.
            "versions": versions(),
            # No key without any: studies from before components can be resumed.
            **({"classes": {place: each.to_dict() for place, each in classes.items()}} if classes else {}),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _names_classes(path: str) -> bool:
    """Whether the setting at a path may name a class."""
    return path.startswith(("decision", "components", "probes", "sales.routing", "traffic.sources", "site.navigation"))


def _setting(scenario: Scenario, path: str) -> object:
    """The value of a scenario at a dotted path; None where there is none.

    Args:
        scenario: The scenario.
        path: The dotted path of a setting.
    """
    value: object = scenario.model_dump(mode="json")
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _column(name: str, values: list[object]) -> pl.Series:
    if all(isinstance(value, bool) for value in values):
        return pl.Series(name, values, dtype=pl.Boolean)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        whole = all(isinstance(value, int) for value in values)
        return pl.Series(name, values, dtype=pl.Int64 if whole else pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
