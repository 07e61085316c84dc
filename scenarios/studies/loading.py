"""Reading and checking of study files: all faults of the file, its factors and its responses are reported together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analytics.settings import EstimatorName
from scenarios.config.layers import Layers
from scenarios.config.library import find_study, read_text
from scenarios.config.loading import load_beside, load_source, read_source
from scenarios.config.model_paths import fields_of, types_at, value_at
from scenarios.config.renamed import with_current_names, with_current_paths
from scenarios.config.validation import check
from scenarios.config.yaml_source import Path as Keys, YamlSource, dotted
from scenarios.errors import Fault, ScenarioError, advice
from scenarios.measures.expressions import ExpressionError, references
from scenarios.measures.model import BY_ESTIMATOR, model_terms
from scenarios.measures.registry import Measure, spans_clock
from scenarios.scenario import Scenario
from scenarios.studies.precision import PrecisionSettings
from scenarios.studies.settings import ScenarioSource, StudySettings
from simulator.settings.plugins import allow_plugins

ESTIMATES: Final = (
    "coefficient",
    "standard_error",
    "nonrobust_standard_error",
    "p_value",
    "ci_low",
    "ci_high",
    "ci_covers_truth",
    "true_coefficient",
)
"""Measures of each term under ``estimates``, by which the performance of the estimates is summarised."""


def estimate_response(measure: str, term: str, estimator: str | None = None) -> str:
    """Return the name of the response of an estimate.

    Args:
        measure: One of :data:`ESTIMATES`.
        term: The term.
        estimator: The estimator; None for that of the scenario's settings.

    >>> estimate_response("p_value", "company_email"), estimate_response("p_value", "company_email", "firth")
    ('p_value:company_email', 'p_value[firth]:company_email')
    """
    return f"{measure}{f'[{estimator}]' if estimator else ''}:{term}"


@dataclass(frozen=True)
class LoadedStudy:
    """A study with everything that its file refers to.

    Args:
        settings: The settings of the file.
        sources: The scenarios as they were found, before the overrides of the study.
        scenarios: The scenarios with the overrides of the study; they have no claims.
        responses: Expressions of all responses by name, including the estimates.
        terms: Terms of the intent model under ``estimates``.
    """

    settings: StudySettings
    sources: tuple[Scenario, ...]
    scenarios: tuple[Scenario, ...]
    responses: dict[str, str]
    terms: tuple[str, ...]


def load_study(name_or_path: str | Path) -> LoadedStudy:
    """Read a study of the library, by name, or a study file, by path.

    Args:
        name_or_path: Such as ``coverage`` or ``my-study.yaml``.

    Raises:
        ScenarioError: Something is wrong; with every fault and its line and column.

    >>> load_study("coverage").settings.name
    'coverage'
    """
    path = find_study(name_or_path)
    return _loaded(path, read_source(path, read_text(path), "study"))


def parse_study(text: str, name: str = "study.yaml") -> LoadedStudy:
    """Read a study from YAML text.

    Args:
        text: The content of a study file.
        name: Name of the text in messages; scenarios are looked for beside it.

    Raises:
        ScenarioError: Something is wrong; with every fault and its line and column.
    """
    path = Path(name)
    return _loaded(path, read_source(path, text, "study"))


def study_of(data: Mapping[str, Any]) -> LoadedStudy:
    """Make a study of plain data, as in a notebook.

    Args:
        data: The keys of a study file, and their values.

    Raises:
        ScenarioError: Something is wrong; with every fault.
    """
    return _loaded(Path("study"), YamlSource("study", dict(data), {}))


def _loaded(path: Path, source: YamlSource) -> LoadedStudy:
    source = with_current_names(StudySettings, source)
    for section in ("overrides", "factors"):
        source = with_current_paths(Scenario, source, section)
    layers = Layers(source.name, StudySettings)
    layers.lay_file(source)
    settings = check(StudySettings, layers)
    return _Checker(path, source, _with_plugins(settings, path, source)).checked()


def _with_plugins(settings: StudySettings, path: Path, source: YamlSource) -> StudySettings:
    """Allow the modules that a study names; files are looked for beside it, and are absolute paths in the result."""
    if not settings.plugins:
        return settings
    found = [str((path.parent / name).resolve()) if name.endswith(".py") else name for name in settings.plugins]
    for n, name in enumerate(found):
        try:
            allow_plugins(name)
        except ValueError as error:
            raise ScenarioError([Fault(source.where(("plugins", n)), f"plugins[{n}]", str(error))]) from None
    return settings.model_copy(update={"plugins": tuple(found)})


class _Checker:
    """Checks what a study file refers to: scenarios, their settings, measures."""

    def __init__(self, path: Path, source: YamlSource, settings: StudySettings) -> None:
        self._path = path
        self._source = source
        self._settings = settings
        self._faults: list[Fault] = []

    def checked(self) -> LoadedStudy:
        keys: list[Keys] = [("scenario",)] if self._settings.scenario is not None else []
        keys += [("scenarios", n) for n in range(len(self._settings.scenarios or ()))]
        found = [self._scenario(key, source) for key, source in zip(keys, self._settings.sources, strict=True)]
        self._raise_if_faulty()
        # After the check none is None; the filter is for the type checker.
        sources = tuple(scenario for scenario in found if scenario is not None)
        scenarios = tuple(self._changed(scenario) for scenario in sources)
        self._raise_if_faulty()
        self._check_names(scenarios)
        self._check_window(scenarios)
        # Factors are checked in one scenario; in another they are checked when their points are run.
        self._check_factors(scenarios[0])
        responses, terms = self._responses(scenarios)
        self._check_precision(responses)
        self._raise_if_faulty()
        return LoadedStudy(self._settings, sources, scenarios, responses, terms)

    def _fault(self, keys: Keys, message: str) -> None:
        self._faults.append(Fault(self._source.where(keys), dotted(keys), message))

    def _raise_if_faulty(self) -> None:
        if self._faults:
            # A dictionary drops faults that two scenarios share, and keeps their order.
            raise ScenarioError(dict.fromkeys(self._faults))

    def _scenario(self, keys: Keys, source: ScenarioSource) -> Scenario | None:
        try:
            if isinstance(source, str):
                fault = Fault(self._source.where(keys), dotted(keys), "")
                return load_beside(Scenario, source, self._path, fault)
            return load_source(Scenario, self._within(keys, source), self._path)
        except ScenarioError as error:
            self._faults.extend(error.faults)
            return None

    def _within(self, keys: Keys, data: Mapping[str, Any]) -> YamlSource:
        """Part of the file as a source of its own, whose values keep their lines and columns.

        Args:
            keys: The path of the part.
            data: The content of the part.
        """
        depth = len(keys)
        places = {path[depth:]: place for path, place in self._source.places.items() if path[:depth] == keys}
        return YamlSource(self._source.name, dict(data), places)

    def _changed(self, scenario: Scenario) -> Scenario:
        """The scenario with the overrides of the study, and without claims, which were about the unchanged world."""
        changed = self._replaced(
            scenario, {key: (("overrides", key), value) for key, value in self._settings.overrides.items()}
        )
        return changed.replace({"claims": {}}) if changed.claims else changed

    def _replaced(self, scenario: Scenario, changes: Mapping[str, tuple[Keys, Any]]) -> Scenario:
        try:
            return scenario.replace({key: value for key, (_, value) in changes.items()})
        except ScenarioError as error:
            for fault in error.faults:
                # A fault may lie deeper than the path that was set, as in a mapping given as a value.
                near = next((keys for key, (keys, _) in changes.items() if fault.path.startswith(key)), None)
                keys = near or next(iter(changes.values()))[0]
                self._fault(keys, fault.message if near else f"{fault.path}: {fault.message}")
            return scenario

    def _check_names(self, scenarios: tuple[Scenario, ...]) -> None:
        names = [scenario.name for scenario in scenarios]
        for n, name in enumerate(names):
            if name in names[:n]:
                self._fault(("scenarios", n), f"there is another scenario of the name {name!r}")

    def _check_window(self, scenarios: tuple[Scenario, ...]) -> None:
        window = self._settings.window
        for scenario in scenarios:
            if window.hours(scenario.clock) < 1:
                key = "warm_up_hours" if window.warm_up_hours else "cool_down_hours"
                self._fault((key,), f"nothing is left of the {scenario.clock.hours} hours of {scenario.name}")
        self._raise_if_faulty()

    def _check_factors(self, scenario: Scenario) -> None:
        """Check that each level of each factor alone is valid; combinations are checked when they are run."""
        data = scenario.to_data()
        for path, factor in self._settings.factors.items():
            keys: Keys = ("factors", path)
            if path.split(".")[0] in {"name", "description", "seed", "claims", "extends"}:
                self._fault(keys, "does not change the simulated world, so it cannot be a factor")
            elif not types_at(Scenario, tuple(path.split(".")), data):
                self._fault(keys, _no_setting(path, data))
            else:
                for level in factor.levels:
                    self._replaced(scenario, {path: (keys, level)})

    def _responses(self, scenarios: tuple[Scenario, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
        """All responses by name, and the terms whose estimates are among them."""
        responses = dict(self._settings.responses)
        for name, text in responses.items():
            self._check_expression(("responses", name), text, scenarios)
        wanted = self._settings.estimates
        parts = [{name: getattr(each, name) for name in type(each).model_fields} for each in scenarios]
        known = list(dict.fromkeys(term for each in parts for term in model_terms(each) or ()))
        terms = tuple(known) if wanted == "all" else wanted
        for n, term in enumerate(terms):
            if term not in known:
                self._fault(("estimates", n), f"there is no term {term!r}{advice(term, known)}")
        for term in terms:
            for estimator in self._settings.estimators or (None,):
                responses.update(_estimate_responses(term, estimator))
        return responses, terms

    def _check_expression(self, keys: Keys, text: str, scenarios: tuple[Scenario, ...]) -> None:
        window = self._settings.window
        for scenario in scenarios:
            parts = {name: getattr(scenario, name) for name in type(scenario).model_fields}
            # Hours and days of responses are counted from the end of the warm-up.
            parts["clock"] = scenario.clock.model_copy(update={"hours": window.hours(scenario.clock)})
            try:
                measure = Measure.parse(text, parts)
            except ExpressionError as error:
                self._fault(keys, str(error))
                return
            beyond = [each.text for each in references(measure.expression) if spans_clock(each)]
            if beyond and not window.is_whole:
                self._fault(keys, f"{beyond[0]} counts the whole clock, with the warm-up and the cool-down")
                return

    def _check_precision(self, responses: Mapping[str, str]) -> None:
        target = self._settings.replications
        for name in _unknown(target.precision, responses) if isinstance(target, PrecisionSettings) else ():
            self._fault(
                ("replications", "precision", name), f"there is no response {name!r}{advice(name, list(responses))}"
            )


def _estimate_responses(term: str, estimator: EstimatorName | None) -> Iterator[tuple[str, str]]:
    """Name and expression of each response of an estimate."""
    for measure in ESTIMATES:
        if estimator is None or measure == "true_coefficient":
            yield estimate_response(measure, term), f'{measure}("{term}")'
        elif measure in BY_ESTIMATOR:
            yield estimate_response(measure, term, estimator), f'{measure}("{term}", estimator="{estimator}")'


def _unknown(names: Mapping[str, object], known: Mapping[str, object]) -> Iterator[str]:
    return (name for name in names if name not in known)


def _no_setting(path: str, data: Mapping[str, Any]) -> str:
    """Describe at which part a dotted path fails, and what may have been meant.

    Args:
        path: A dotted path that leads to no setting.
        data: The settings of the scenario.
    """
    parts = path.split(".")
    depth = next(n for n in range(1, len(parts) + 1) if not types_at(Scenario, tuple(parts[:n]), data))
    section = tuple(parts[: depth - 1])
    if depth > 2 and value_at(data, section) is None:  # noqa: PLR2004 - the section and the name of a component
        named = list(data.get(parts[0], ()))
        return f"the scenario has nothing at {'.'.join(section)!r}{advice(section[-1], named)}"
    known = sorted(fields_of(types_at(Scenario, section, data), value_at(data, section)))
    return f"the scenario has no setting {'.'.join(parts[:depth])!r}{advice(parts[depth - 1], known)}"
