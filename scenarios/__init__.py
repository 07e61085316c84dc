"""Scenario files, what runs them, and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scenarios.comparison import compare_scenarios
    from scenarios.errors import Fault, FunnelsimError, InputError, OutputError, ScenarioError
    from scenarios.output_analysis.results import StudyResults
    from scenarios.output_analysis.sensitivity import morris_indices, pawn_indices, sobol_indices
    from scenarios.power import SampleSize, sample_size
    from scenarios.run.folder import run_to_folder
    from scenarios.run.run import Run
    from scenarios.scenario import Scenario, scenario_schema
    from scenarios.study import Study, run_study, study_schema

__all__ = [
    "Fault",
    "FunnelsimError",
    "InputError",
    "OutputError",
    "Run",
    "SampleSize",
    "Scenario",
    "ScenarioError",
    "Study",
    "StudyResults",
    "compare_scenarios",
    "morris_indices",
    "pawn_indices",
    "run_study",
    "run_to_folder",
    "sample_size",
    "scenario_schema",
    "sobol_indices",
    "study_schema",
]

_HOMES: Final = {
    "Fault": "scenarios.errors",
    "FunnelsimError": "scenarios.errors",
    "InputError": "scenarios.errors",
    "OutputError": "scenarios.errors",
    "Run": "scenarios.run.run",
    "SampleSize": "scenarios.power",
    "Scenario": "scenarios.scenario",
    "ScenarioError": "scenarios.errors",
    "Study": "scenarios.study",
    "StudyResults": "scenarios.output_analysis.results",
    "compare_scenarios": "scenarios.comparison",
    "morris_indices": "scenarios.output_analysis.sensitivity",
    "pawn_indices": "scenarios.output_analysis.sensitivity",
    "run_study": "scenarios.study",
    "run_to_folder": "scenarios.run.folder",
    "sample_size": "scenarios.power",
    "scenario_schema": "scenarios.scenario",
    "sobol_indices": "scenarios.output_analysis.sensitivity",
    "study_schema": "scenarios.study",
}


def __getattr__(name: str) -> object:
    # Loaded when first used: the command line imports this package on its way to `--help`.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
