"""Comparison of two scenarios with common random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from scenarios.run.pools import ExecutorChoice
from scenarios.scenario import Scenario
from scenarios.studies.execution import Execution, Progress
from scenarios.study import Study

RESPONSES: Final = (
    "counts.visitors",
    "counts.demo_requests",
    "page_views()",
    "conversion()",
    "sales.held",
    "store.accepted",
)
"""Default responses."""


def differing_parts(a: Scenario, b: Scenario) -> dict[str, tuple[Any, Any]]:
    """Settings of the decision model, components and probes that differ between two scenarios.

    Args:
        a: A scenario.
        b: Another scenario.

    Returns:
        Both values by dotted path, such as ``components.chat.agents``; None where a scenario has no such setting.

    >>> chat = Scenario.load("baseline", {"components.chat.use": "live_chat"})
    >>> differing_parts(chat, chat.replace({"components.chat.agents": 5}))
    {'components.chat.agents': (3, 5)}
    """
    first, second = _settings_of_parts(a), _settings_of_parts(b)
    paths = dict.fromkeys([*first, *second])
    values = {path: (first.get(path), second.get(path)) for path in paths}
    return {path: (one, other) for path, (one, other) in values.items() if one != other}


def _settings_of_parts(scenario: Scenario) -> dict[str, Any]:
    return {
        ".".join((*place, name)): value
        for place, part in scenario.classes.items()
        for name, value in part.model_dump(mode="json").items()
    }


def compare_scenarios(
    a: Scenario,
    b: Scenario,
    responses: Sequence[str] | None = None,
    *,
    replications: int = 20,
    seed: int | None = None,
    jobs: int | None = None,
    executor: ExecutorChoice = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Compare two scenarios, replication by replication with common random numbers.

    Args:
        a: A scenario.
        b: Another scenario.
        responses: Measures to compare, as expressions.
        replications: Number of runs of each.
        seed: Seed of the runs; that of ``a`` if not given.
        jobs: Number of parallel runs; the number of cores if not given.
        executor: Where to run, as for :func:`scenarios.run.pools.pool_of`.
        folder: Folder for the study and its report; none if not given.
        progress: Called with the number of completed runs.

    Returns:
        One row per response: ``n`` pairs in which both have a number, ``mean_a``, ``mean_b``, the ``difference`` b − a
        with ``se`` and the ends ``ci_low`` and ``ci_high`` of its paired 95 % interval, and ``variance_saved``, the
        variance reduction by common random numbers.

    Raises:
        ScenarioError: A response is invalid.
        OutputError: The folder holds another comparison, or something else, or cannot be written.

    >>> baseline = Scenario.load("baseline", {"clock.hours": 1})
    >>> faulty = baseline.replace({"tracking.ad_blocker_rate": 0.5}, name="faulty")
    >>> found = compare_scenarios(baseline, faulty, ["counts.visitors", "store.accepted"], replications=2, jobs=1)
    >>> found["difference"][0], found["difference"][1] < 0
    (0.0, True)
    """
    wanted = list(responses or RESPONSES)
    # Variants of one scenario have the same name, but scenarios of a study need different ones.
    names = (a.name, b.name) if a.name != b.name else ("a", "b")
    study = Study.from_dict(
        {
            # The name of a study has at most 100 characters and does not end in a hyphen.
            "name": "-against-".join(reversed(names))[:100].rstrip("-"),
            "description": f"{names[1]} against {names[0]}, with common random numbers.",
            "scenarios": [each.replace(name=name).to_data() for each, name in zip((a, b), names, strict=True)],
            "replications": replications,
            "seed": a.seed if seed is None else seed,
            "responses": dict(zip(wanted, wanted, strict=True)),
        }
    )
    results = study.execute(Execution(jobs, executor, progress, folder))
    table = pl.DataFrame({"response": wanted})
    for point, name in enumerate(("mean_a", "mean_b")):
        means = results.summary.filter(pl.col("point") == point).select("response", pl.col("mean").alias(name))
        table = table.join(means, on="response", how="left", maintain_order="left")
    gaps = results.differences.select("response", "n", "difference", "se", "ci_low", "ci_high", "variance_saved")
    joined = table.join(gaps, on="response", how="left", maintain_order="left").with_columns(pl.col("n").fill_null(0))
    return joined.select("response", "n", pl.exclude("response", "n"))
