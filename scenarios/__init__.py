"""Scenario files, what runs them, and the command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scenarios.errors import Fault, FunnelsimError, InputError, OutputError, ScenarioError
    from scenarios.run import Run
    from scenarios.run_folder import run_to_folder
    from scenarios.scenario import Scenario, scenario_schema

__all__ = [
    "Fault",
    "FunnelsimError",
    "InputError",
    "OutputError",
    "Run",
    "Scenario",
    "ScenarioError",
    "run_to_folder",
    "scenario_schema",
]

_HOMES: Final = {
    "Fault": "scenarios.errors",
    "FunnelsimError": "scenarios.errors",
    "InputError": "scenarios.errors",
    "OutputError": "scenarios.errors",
    "Run": "scenarios.run",
    "Scenario": "scenarios.scenario",
    "ScenarioError": "scenarios.errors",
    "run_to_folder": "scenarios.run_folder",
    "scenario_schema": "scenarios.scenario",
}


def __getattr__(name: str) -> object:
    # Loaded when first used: the command line imports this package on its way to `--help`.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
