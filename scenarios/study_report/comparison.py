"""Several scenarios in one study: the settings in which they differ, and how their responses differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.studies import change_chart
from analytics.html.numbers import share

if TYPE_CHECKING:
    from scenarios.output_analysis.results import StudyResults
    from scenarios.scenario import Scenario

_MOST_CHANGES: Final = 40
"""Bars of the chart of differences; more cannot be read."""

_NOT_OF_THE_WORLD: Final = ("name", "description", "claims", "seed")
"""Settings that are not of the world: a study does not run by them, or has its own."""


@dataclass(frozen=True)
class Comparison:
    """How the responses of the other scenarios differ from those of the first.

    Args:
        first: Name of the first scenario.
        chart: The differences in percent; None where no mean of the first scenario can be divided by.
        differences: One row per response and other scenario: both means, their paired difference with its interval,
            and the difference as a share of the first mean.
    """

    first: str
    chart: Chart | None
    differences: list[dict[str, Any]]


def setting_gaps(scenarios: Sequence[Scenario]) -> dict[str, tuple[object, ...]]:
    """Return the settings in which scenarios differ: by dotted path the value in each; None where it has none.

    Args:
        scenarios: The scenarios, with every default.

    >>> from scenarios import Scenario
    >>> baseline = Scenario.load("baseline")
    >>> setting_gaps([baseline, baseline.replace({"clock.hours": 3})])
    {'clock.hours': (24, 3)}
    """
    flat = [dict(_leaves(scenario.to_data())) for scenario in scenarios]
    paths = dict.fromkeys(path for leaves in flat for path in leaves)
    by_path = {path: tuple(leaves.get(path) for leaves in flat) for path in paths}
    return {path: values for path, values in by_path.items() if any(each != values[0] for each in values)}


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted path and the value of each setting of the world.

    Args:
        data: Settings as plain data.
        prefix: Path of these settings, ended by a dot.
    """
    for key, each in data.items():
        if not prefix and key in _NOT_OF_THE_WORLD:
            continue
        # An empty mapping is a value too: it says that there are no personas, campaigns, ….
        if isinstance(each, Mapping) and each:
            yield from _leaves(each, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", each


def comparison_view(results: StudyResults) -> Comparison | None:
    """Collect the differences, replication by replication; None where there is no response.

    Args:
        results: The results of a study of several scenarios without factors, so that each scenario is a point.
    """
    first, *others = (scenario.name for scenario in results.plan.loaded.scenarios)
    gaps, only_one = _gaps(results), len(others) == 1
    if not gaps:
        return None
    for gap in gaps:
        # A mean of 0 has no percentage.
        known = gap["difference"] is not None and gap["first"]
        gap["relative"] = gap["difference"] / abs(gap["first"]) if known else None
    return Comparison(first, _chart(gaps, only_one=only_one), gaps)


def _gaps(results: StudyResults) -> list[dict[str, Any]]:
    """Return the differences from the first scenario beside both means, in the order of the study's responses.

    Args:
        results: The results of the study.
    """
    asked = list(results.plan.settings.responses)
    means = results.summary.select("response", "point", "mean")
    of_first = means.filter(pl.col("point") == 0).select("response", first="mean")
    found = (
        results.differences.join(means, on=["response", "point"], how="left")
        .join(of_first, on="response", how="left")
        .filter(pl.col("response").is_in(asked))
        .to_dicts()
    )
    named = [row | {"scenario": results.plan.loaded.scenarios[row["point"]].name} for row in found]
    return sorted(named, key=lambda row: (asked.index(row["response"]), row["point"]))


def _chart(gaps: Sequence[Mapping[str, Any]], *, only_one: bool) -> Chart | None:
    """Draw the differences: responses have many units, so in percent of the first scenario's mean.

    Args:
        gaps: Rows of the differences.
        only_one: Whether there is one other scenario, whose name need not stand at each bar.
    """
    # A bar without an interval would look certain.
    shown = [row for row in gaps if row["first"] and row["ci_low"] is not None][:_MOST_CHANGES]
    if not shown:
        return None
    ends = {"percent": "difference", "low": "ci_low", "high": "ci_high"}
    changes = pl.DataFrame(
        {
            "change": row["response"] if only_one else f"{row['response']}, {row['scenario']}",
            **{name: 100 * row[column] / abs(row["first"]) for name, column in ends.items()},
        }
        for row in shown
    )
    shares = "; ".join(f"{row['change']}: {share(row['percent'] / 100)}" for row in changes.to_dicts())
    return chart_of(change_chart(changes), "changes", f"Changes: {shares}")
