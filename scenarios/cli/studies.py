"""Commands about studies: study, power, compare, warm-up."""

from __future__ import annotations

import json as json_module
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from analytics.html.escaping import as_lines
from scenarios.cli.options import (
    Executor,
    JsonOutput,
    OutputFolder,
    Overrides,
    ScenarioName,
    Seed,
    Workers,
    complete_scenario,
    complete_study,
)
from scenarios.cli.output import Output, notify
from scenarios.cli.progress import progress_bar
from scenarios.cli.text.power import experiment_power_text, power_text, warm_up_text
from scenarios.cli.text.studies import comparison_text, study_text
from scenarios.comparison import compare_scenarios, differing_parts
from scenarios.config.description import resolved_intercept
from scenarios.errors import InputError, OutputError, UndefinedMeasureError
from scenarios.files.plain_data import shown_json
from scenarios.power import SampleSize, Vary, experiment_power, sample_size
from scenarios.scenario import Scenario
from scenarios.study import Study, default_study_folder
from scenarios.warm_up import Series, find_warm_up

_RunsInTotal = Annotated[
    int, typer.Option(max=1_000_000, metavar="N", help="Runs in total; more give a narrower interval.")
]


def study(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="Name of a library study, or a YAML file.", autocompletion=complete_study),
    ],
    jobs: Workers = None,
    executor: Executor = None,
    out: OutputFolder = None,
    rerun: Annotated[
        str | None,
        typer.Option(metavar="P:R", help="Only run replication R of design point P again, and print its responses."),
    ] = None,
    *,
    json: JsonOutput = False,
) -> Output:
    """Run a designed experiment of many runs, or resume it."""
    plan = Study.load(study)
    if rerun is not None:
        return _rerun(plan, rerun, json=json)
    folder = out or default_study_folder(plan)
    with progress_bar(f"Running {plan.settings.name}") as bar:
        try:
            results = plan.run(
                jobs=jobs,
                executor=executor,
                folder=folder,
                progress=bar.count,
                # On standard error: another machine would estimate another cost, so it is not a result.
                announce=lambda cost: notify(str(cost)),
            )
        except KeyboardInterrupt:  # also after --quiet, as the finished replications took time
            done = f"{bar.done:,} of {bar.total:,} replications"
            notify(f"{done} are finished and saved in {folder}; run the same command to resume", even_if_quiet=True)
            raise
    status = 1 if results.all_failed else 0
    if json:
        # As written: read back from the file, the output cannot differ from it.
        manifest = json_module.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return Output(shown_json({**manifest, "folder": str(folder)}), status=status)
    return Output(study_text(results, folder), is_summary=not status, status=status)


def _rerun(plan: Study, text: str, *, json: bool) -> Output:
    """Run one replication again and read its responses; its errors are raised.

    Args:
        plan: The study.
        text: Design point and replication as written, such as ``3:17``.
        json: Whether to print JSON, in which a response without a value is null.

    Raises:
        InputError: The text has another form, or the study has no such point.
    """
    point, colon, number = text.partition(":")
    if not (colon and point.isdecimal() and number.isdecimal()):
        raise InputError(f"--rerun: must be a design point and a replication, such as 3:17 (got {text!r})")
    run = plan.replay(int(point), int(number))
    values: dict[str, float | None] = {}
    lines = []
    # Each by itself: one response that has no value must not hide the others.
    for name, expression in plan.loaded.responses.items():
        try:
            values[name] = run.measure(expression)
            lines.append(f"{name}: {values[name]}")
        except UndefinedMeasureError as error:
            values[name] = None
            lines.append(f"{name}: {error}")
    return Output(shown_json(values) if json else as_lines(lines))


def power(
    scenario: ScenarioName,
    *,
    signal: Annotated[str | None, typer.Option(help="The signal to detect, such as security_page_view.")] = None,
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="In place of a signal: the experiment whose arms to compare.")
    ] = None,
    lift: Annotated[
        float | None,
        typer.Option(help="Relative increase that the experiment is to detect, such as 0.1; by default its own."),
    ] = None,
    power: Annotated[float, typer.Option(help="Target power: the share of runs that detect the effect.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Significance level of the test.")] = 0.05,
    vary: Annotated[Vary, typer.Option(help="What to increase: visitors per day, or hours.")] = "visitors",
    replications: _RunsInTotal = 400,
    set_: Overrides = None,
    jobs: Workers = None,
    executor: Executor = None,
    json: JsonOutput = False,
) -> Output:
    """Estimate the traffic that is needed for a target power."""
    if (signal is None) == (experiment is None):
        raise InputError("power: needs either --signal, such as security_page_view, or --experiment with its name")
    if experiment is None and lift is not None:
        raise InputError("--lift: is of an experiment; that of a signal is in the scenario (intent)")
    settings = Scenario.load(scenario, set_ or ())
    with progress_bar(f"Detecting {signal or experiment} in {settings.name}") as bar:
        plan = partial(sample_size, vary=vary) if experiment is None else partial(experiment_power, lift=lift)
        found = plan(
            settings,
            signal or experiment or "",
            power=power,
            alpha=alpha,
            replications=replications,
            jobs=jobs,
            executor=executor,
            progress=bar.count,
        )
    if json:
        return Output(shown_json(found.to_dict()))
    return Output(power_text(found) if isinstance(found, SampleSize) else experiment_power_text(found))


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
        ),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The scenario to compare with it.", autocompletion=complete_scenario)
    ],
    *,
    response: Annotated[
        list[str] | None, typer.Option(metavar="EXPR", help="What to compare, such as 'conversion()'; may be repeated.")
    ] = None,
    replications: Annotated[int, typer.Option(min=2, max=1_000_000, metavar="N", help="Runs of each scenario.")] = 20,
    seed: Seed = None,
    out: OutputFolder = None,
    jobs: Workers = None,
    executor: Executor = None,
    json: JsonOutput = False,
) -> Output:
    """Compare two scenarios with common random numbers."""
    first, second = Scenario.load(a), Scenario.load(b)
    with progress_bar(f"Comparing {first.name} and {second.name}") as bar:
        differences = compare_scenarios(
            first,
            second,
            response,
            replications=replications,
            seed=seed,
            jobs=jobs,
            executor=executor,
            folder=out,
            progress=bar.count,
        )
    if not json:
        remark, parts = resolved_intercept(second, [first]), differing_parts(first, second)
        return Output(comparison_text(differences, a=first.name, b=second.name, parts=parts, folder=out, remark=remark))
    named = {**_compared(first, second), "replications": replications, "folder": None if out is None else str(out)}
    return Output(shown_json({**named, "differences": differences}))


def _compared(first: Scenario, second: Scenario) -> dict[str, object]:
    """Name two scenarios for JSON, with remarks and the settings of components that differ.

    Args:
        first: A scenario.
        second: The scenario that is compared with it.
    """
    remark, parts = resolved_intercept(second, [first]), differing_parts(first, second)
    named: dict[str, object] = {"a": first.name, "b": second.name, "remarks": [remark] if remark else []}
    # No key without any, as before there were components.
    return {**named, **({"components": parts} if parts else {})}


def warm_up(
    scenario: ScenarioName,
    *,
    series: Annotated[Series, typer.Option(help="The hourly counts to examine.")] = "page_views",
    replications: Annotated[int, typer.Option(min=2, max=1_000_000, metavar="N", help="Runs to average.")] = 10,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Save Welch's plot as SVG.")] = None,
    jobs: Workers = None,
    executor: Executor = None,
    json: JsonOutput = False,
) -> Output:
    """Estimate the warm-up period of a scenario."""
    settings = Scenario.load(scenario, set_ or ())
    with progress_bar(f"Simulating {settings.name}") as bar:
        found = find_warm_up(
            settings, series, replications=replications, jobs=jobs, executor=executor, progress=bar.count
        )
    if out is not None:
        try:
            found.chart().save(str(out), format="svg")
        except OSError as error:
            raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None
    return Output(shown_json(found.to_dict()) if json else warm_up_text(found, settings.name))
