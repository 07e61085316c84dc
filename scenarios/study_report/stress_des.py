"""STRESS-DES, the checklist of what a paper on a simulation study reports, filled in from the study.

Source: T. Monks, C. S. M. Currie, B. S. Onggo, S. Robinson, M. Kunc and S. J. E. Taylor, Strengthening the reporting of
empirical simulation studies, Journal of Simulation 13 (2019) 55-67.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from scenarios.config.description import component_rows
from scenarios.errors import ScenarioError
from scenarios.files.versions import versions
from scenarios.scenario import Scenario
from scenarios.studies.plan import StudyPlan
from scenarios.studies.precision import PrecisionSettings

STRESS_SCHEMA: Final = pl.Schema({"item": pl.String(), "what": pl.String(), "answer": pl.String()})
"""Columns of the checklist: number and name of the item, and the answer."""

_FOR_THE_AUTHOR: Final = "to be filled in by the author"

_LOGIC: Final = (
    "visitors arrive, move through the funnel visit by visit and page by page, and request a demo at the end of a "
    "visit with a probability that is logistic in their signals so far; a sales desk with office hours serves requests"
)
_COMPONENTS: Final = (
    "entities: visitors, accounts, demo requests; resources: sales and executive teams by region; queues: requests for "
    "an answer, demos for a slot; entry: arrivals by channel, campaign and launch; exit: end of interest, request, end "
    "of the simulation (censored)"
)


def stress_checklist(plan: StudyPlan) -> pl.DataFrame:
    """Fill in the checklist of a study, except for what only its author knows.

    Args:
        plan: The study.

    Returns:
        Table of :data:`STRESS_SCHEMA`, one row per item, in the order of the checklist.

    >>> from scenarios import Study
    >>> stress_checklist(Study.load("coverage")).row(0)[:2]
    ('1.1', 'purpose of the model')
    """
    rows = [*_objectives(plan), *_logic(plan), *_data(plan), *_experimentation(plan), *_implementation()]
    return pl.DataFrame(rows, schema=STRESS_SCHEMA, orient="row")


Rows = Iterator[tuple[str, str, str]]
"""Number, name and answer of each item."""


def _objectives(plan: StudyPlan) -> Rows:
    """Section 1: what is asked, and what is varied and recorded to answer it."""
    settings = plan.settings
    yield "1.1", "purpose of the model", settings.description or _FOR_THE_AUTHOR
    outputs = [f"{name} ({text})" for name, text in settings.responses.items()]
    if plan.loaded.terms:
        outputs.append(f"estimates of the intent model: {', '.join(plan.loaded.terms)}")
    yield "1.2", "model outputs", "; ".join(outputs)
    factors = ", ".join(settings.factors) or "none"
    yield "1.3", "aims of experimentation", f"factors: {factors}; {len(plan.points):,} design points"


def _logic(plan: StudyPlan) -> Rows:
    """Section 2: how the model works, and how the scenarios differ from the base model."""
    yield (
        "2.1",
        "diagram of the base model",
        "none; the documentation of funnelsim describes visitors, funnel, sales desk, tracker",
    )
    yield "2.2", "logic of the base model", _LOGIC
    names = ", ".join(dict.fromkeys(scenario.name for scenario in plan.loaded.scenarios))
    changed = ", ".join(f"{path} = {value}" for path, value in plan.settings.overrides.items())
    yield "2.3", "logic of the scenarios", f"{names}{f', with {changed}' if changed else ''}; written out in study.yaml"
    yield "2.4", "algorithms", "arrivals by inversion, navigation as a Markov chain, hazard in discrete time"
    yield "2.5", "components", _COMPONENTS + "".join(_added(scenario) for scenario in plan.loaded.scenarios)


def _added(scenario: Scenario) -> str:
    """Name the components of a scenario, each with its class and the settings that are not the default."""
    rows = [f"{name} ({kind}; {changed})" for name, kind, changed in component_rows(scenario)]
    return f"; components of {scenario.name}, with settings other than the defaults: {', '.join(rows)}" if rows else ""


def _data(plan: StudyPlan) -> Rows:
    """Section 3: where the numbers in the settings come from."""
    yield "3.1", "data sources", f"{_FOR_THE_AUTHOR}; the values in the library are assumptions"
    yield (
        "3.2",
        "input parameters",
        f"those of {len(plan.loaded.scenarios):,} scenario(s), all in study.yaml",
    )
    yield "3.3", "pre-processing", "none"
    components = any(scenario.components for scenario in plan.loaded.scenarios)
    deter = f"the state of the world can only deter a request{', but components may also encourage one' * components}"
    yield "3.4", "assumptions", f"given the signals, decisions are independent; {deter}"


def _experimentation(plan: StudyPlan) -> Rows:
    """Section 4: initial state, run length, replications and random numbers."""
    settings = plan.settings
    warm_up = (
        f"; responses exclude the first {settings.warm_up_hours} hours (warm-up)" if settings.warm_up_hours else ""
    )
    yield "4.1", "initialisation", f"empty: no visitor and no request at the start{warm_up}"
    # The length may itself be a factor, and a point may be invalid.
    hours = sorted({plan.scenario_of(point).clock.hours for point in plan.points if _is_valid(plan, point.number)})
    cool_down = f"; responses exclude the last {settings.cool_down_hours}" if settings.cool_down_hours else ""
    yield "4.2", "run length", f"{', '.join(f'{each:,}' for each in hours)} hours{cool_down}"
    target = settings.replications
    n = (
        f"{target.min} to {target.max} replications of each point, until the target precision is reached"
        # Where the number is open, what can be stated is the rule that ends it.
        if isinstance(target, PrecisionSettings)
        else f"{target:,} replications of each point"
    )
    draws = "common random numbers across points" if settings.common_random_numbers else "independent points"
    yield "4.3", "estimation approach", f"{n}, {draws}; means with 95% intervals, paired differences"


def _implementation() -> Rows:
    """Sections 5 and 6: software, random numbers, and how to run the study again."""
    software = ", ".join(f"{name} {version}" for name, version in versions().items())
    yield "5.1", "software", software
    yield "5.2", "random sampling", "SplitMix64 by address: seed, replication, source, cohort, visitor, visit, page"
    yield "5.3", "execution of the model", "discrete events on a SimPy clock; the same numbers on any number of workers"
    yield "5.4", "system specification", _FOR_THE_AUTHOR
    yield "6.1", "access to the code", "study.yaml of the study's folder runs it again: funnelsim study study.yaml"


def _is_valid(plan: StudyPlan, number: int) -> bool:
    """Whether the factors of a point together make a valid scenario; one that does not has failed, and no run length.

    Args:
        plan: The study.
        number: Number of the point.
    """
    try:
        plan.scenario_of(plan.points[number])
    except ScenarioError:
        return False
    return True
