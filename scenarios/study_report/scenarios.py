"""Several scenarios in one study, in its report: what they set differently, and how their responses differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.studies import change_chart
from analytics.report.html import Html, count, element, figure, join, number_table, numbers
from scenarios.study_report.numbers import NONE, cell, interval, number, share

if TYPE_CHECKING:
    from scenarios.output_analysis.results import StudyResults
    from scenarios.scenario import Scenario

__all__ = ["comparison_section", "is_comparison", "setting_gaps", "settings_section"]

_MOST_ROWS: Final = 60
_FEW_ROWS: Final = 12
_MOST_CHANGES: Final = 40
# What a study does not run by, or says itself.
_NOT_OF_THE_WORLD: Final = ("name", "description", "claims", "seed")


def setting_gaps(scenarios: Sequence[Scenario]) -> dict[str, tuple[object, ...]]:
    """Return the settings in which scenarios differ: dotted path, and what each has there; None where it has nothing.

    Args:
        scenarios: The scenarios, with every default.
    """
    flat = [dict(_leaves(scenario.to_data())) for scenario in scenarios]
    paths = dict.fromkeys(path for leaves in flat for path in leaves)
    told = {path: tuple(leaves.get(path) for leaves in flat) for path in paths}
    return {path: values for path, values in told.items() if any(value != values[0] for value in values)}


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in data.items():
        if not prefix and key in _NOT_OF_THE_WORLD:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def settings_section(results: StudyResults) -> Html:
    """Say what each scenario is for, and in which settings they differ; nothing where there is only one."""
    scenarios = results.plan.loaded.scenarios
    if len(scenarios) == 1:
        return Html("")
    told = [
        element("p", element("strong", each.name), f": {each.description or 'no description'}") for each in scenarios
    ]
    gaps = setting_gaps(scenarios)
    rows = [(path, *(NONE if value is None else cell(value) for value in gaps[path])) for path in gaps]
    cut = f", the first {_MOST_ROWS} of {len(rows):,}" if len(rows) > _MOST_ROWS else ""
    heads = ["setting", *(each.name for each in scenarios)]
    table = number_table(heads, rows[:_MOST_ROWS], f"Settings in which they differ{cut}", n_texts=len(heads))
    nothing = element("p", "They differ in nothing that the world is made of.", class_="notice")
    shown = nothing if not rows else table if len(rows) <= _FEW_ROWS else numbers(table)
    return join([element("h2", "The scenarios"), *told, shown])


def is_comparison(results: StudyResults) -> bool:
    """Whether a study has nothing but scenarios to tell its points apart by."""
    return len(results.plan.loaded.scenarios) > 1 and not results.plan.settings.factors


def comparison_section(results: StudyResults) -> Html:
    """Say how the responses of the other scenarios differ from those of the first, replication by replication."""
    first, *others = (scenario.name for scenario in results.plan.loaded.scenarios)
    gaps, only_one = _gaps(results), len(others) == 1
    if not gaps:
        return Html("")
    rows = [
        (
            row["response"],
            *([] if only_one else [row["scenario"]]),
            count(row["n"]),
            number(row["first"]),
            number(row["mean"]),
            number(row["difference"], sign=True),
            interval(row),
            NONE if row["difference"] is None or not row["first"] else share(row["difference"] / abs(row["first"])),
            NONE if row["variance_saved"] is None else share(row["variance_saved"]),
        )
        for row in gaps[: 4 * _MOST_ROWS]
    ]
    caption = (
        "Means, their differences replication by replication with 95% intervals, and how much of the differences' "
        "variance the common luck saves"
    )
    means = [others[0]] if only_one else ["mean"]
    told = [] if only_one else ["scenario"]
    heads = ["response", *told, "pairs", first, *means, "difference", "95% interval", "in %", "luck saves"]
    table = number_table(heads, rows, caption, n_texts=1 if only_one else 2)
    return join([element("h2", f"Differences from {first}"), _changes(gaps, first, only_one=only_one), table])


def _gaps(results: StudyResults) -> list[dict[str, Any]]:
    """Differences from the first scenario beside both means, in the order of the study's responses."""
    asked = list(results.plan.settings.responses)
    means = results.summary.select("response", "point", "mean")
    of_first = means.filter(pl.col("point") == 0).select("response", first="mean")
    found = (
        results.differences.join(means, on=["response", "point"], how="left")
        .join(of_first, on="response", how="left")
        .to_dicts()
    )
    told = [row | {"scenario": results.plan.loaded.scenarios[row["point"]].name} for row in found]
    return sorted(
        (row for row in told if row["response"] in asked),
        key=lambda row: (asked.index(row["response"]), row["point"]),
    )


def _changes(gaps: Sequence[Mapping[str, Any]], first: str, *, only_one: bool) -> Html:
    """Draw the differences: responses are of many units, so in percent of the first scenario's mean."""
    shown = [row for row in gaps if row["first"] and row["ci_low"] is not None][:_MOST_CHANGES]
    if not shown:
        return Html("")
    ends = {"percent": "difference", "low": "ci_low", "high": "ci_high"}
    changes = pl.DataFrame(
        {
            "change": row["response"] if only_one else f"{row['response']}, {row['scenario']}",
            **{name: 100 * row[column] / abs(row["first"]) for name, column in ends.items()},
        }
        for row in shown
    )
    told = "; ".join(f"{row['change']}: {share(row['percent'] / 100)}" for row in changes.to_dicts())
    caption = (
        f"By how much the means differ from those of {first}, in percent of them, with paired 95% "
        "intervals. An interval that crosses the line leaves open which way."
    )
    return figure(change_chart(changes), "changes", caption, f"Changes: {told}", "middle")
