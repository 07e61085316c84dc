"""The report of a study: what each section shows as plain values, without markup, and the page that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.studies import bias_chart, response_chart
from analytics.html.numbers import count, decimal, setting, share
from analytics.html.rendering import render
from analytics.statistics import wilson_interval
from scenarios.errors import InputError
from scenarios.files.versions import versions
from scenarios.output_analysis.metamodel import Metamodel
from scenarios.output_analysis.side_by_side import bias_by_point, bias_cells
from scenarios.study_report.comparison import Comparison, comparison_view, setting_gaps
from scenarios.study_report.designs import Finding, finding, metamodel
from scenarios.study_report.stress_des import stress_checklist

if TYPE_CHECKING:
    from scenarios.output_analysis.results import StudyResults
    from scenarios.studies.settings import Factor, StudySettings

_FEW_POINTS: Final = 60
"""Design points up to which the differences from the first are listed; a longer list says nothing."""

_MOST_POWERS: Final = 12
"""Terms whose power is drawn; the table has all of them."""

Rows = list[dict[str, Any]]
"""Rows of a table, by name of the column."""


@dataclass(frozen=True)
class Response:
    """One response of a study.

    Args:
        name: Its name.
        expression: Its expression; empty where that is the name.
        finding: Its chart, in the form that suits the design; None where the means say it all.
        metamodel: A polynomial of the factors; None where the design does not allow one.
        means: Mean and interval at each point; empty where no replication returned a number.
    """

    name: str
    expression: str
    finding: Finding | None
    metamodel: Metamodel | None
    means: Rows


@dataclass(frozen=True)
class Estimates:
    """The estimates of the intent model over the replications.

    Args:
        rows: Their performance, one row per point and term.
        powers: For a study of one factor, terms with a chart of their power by that factor.
        ranks: Their rank calibration at the first point; None where no truth is known.
        biases: For several estimators, terms with a chart of the bias of each, and the same as text by point.
    """

    rows: Rows
    powers: list[tuple[str, Chart]]
    ranks: Chart | None
    biases: list[tuple[str, Chart, list[dict[str, str]]]]


@dataclass(frozen=True)
class StudyView:
    """What the report of a study shows, section by section; empty or None where a section is omitted.

    Args:
        name: Name of the study.
        description: The question it answers.
        remarks: Sentences to read with the description.
        random_numbers: Which random numbers are used, and which hours responses exclude.
        facts: Tiles at the top: label, value and note.
        factors: The values of each factor as text, by dotted path.
        scenarios: Descriptions of the scenarios, by name.
        gaps: Settings in which the scenarios differ, with the value in each.
        comparison: Differences from the first scenario, where scenarios are compared and nothing else varies.
        responses: The responses, where scenarios are not compared.
        differences: Paired differences from the first point, where points are few.
        estimates: The estimates of the intent model, if the study collects them.
        failures: What went wrong, one entry each.
        checklist: The STRESS-DES checklist.
        provenance: Study, seed and versions.
    """

    name: str
    description: str
    remarks: Sequence[str]
    random_numbers: str
    facts: list[tuple[str, str, str]]
    factors: Mapping[str, str]
    scenarios: Mapping[str, str]
    gaps: Mapping[str, tuple[object, ...]]
    comparison: Comparison | None
    responses: list[Response]
    differences: Rows
    estimates: Estimates | None
    failures: Sequence[Mapping[str, Any]]
    checklist: Rows
    provenance: Mapping[str, object]


def study_report(results: StudyResults) -> str:
    """Return the report of a study as one HTML page. Equal results make equal bytes.

    Args:
        results: The results of the study.

    >>> from scenarios import Study
    >>> study = Study.from_dict(
    ...     {
    ...         "name": "short",
    ...         "scenario": "baseline",
    ...         "overrides": {"clock.hours": 1},
    ...         "replications": 2,
    ...         "responses": {"seen": "visitors()"},
    ...     }
    ... )
    >>> "<h1><bdi>short</bdi></h1>" in study_report(study.run(jobs=1))
    True
    """
    return render("study.html.j2", "scenarios.study_report", study=study_view(results))


def study_view(results: StudyResults) -> StudyView:
    """Collect what the report of a study shows.

    Args:
        results: The results of the study.
    """
    settings, scenarios = results.plan.settings, results.plan.loaded.scenarios
    # With factors, each scenario has points of its own, and a difference of two scenarios would mix them.
    compared = len(scenarios) > 1 and not settings.factors
    return StudyView(
        name=settings.name,
        description=settings.description,
        remarks=results.remarks,
        random_numbers=_random_numbers(settings),
        facts=list(_facts(results, compared=compared)),
        factors={path: _values(factor) for path, factor in settings.factors.items()},
        scenarios={each.name: each.description for each in scenarios},
        gaps=setting_gaps(scenarios),
        comparison=comparison_view(results) if compared else None,
        responses=[] if compared else list(_responses(results)),
        differences=[] if compared else _differences(results),
        estimates=_estimates(results) if results.plan.loaded.terms else None,
        failures=results.failures,
        checklist=stress_checklist(results.plan).to_dicts(),
        provenance={"study": settings.name, "seed": settings.seed, **versions()},
    )


def _random_numbers(settings: StudySettings) -> str:
    """Say which random numbers are used, and which hours responses exclude.

    Args:
        settings: Settings of the study.
    """
    ends = {"first": settings.warm_up_hours, "last": settings.cool_down_hours}
    excluded = " and ".join(f"the {end} {hours:,}" for end, hours in ends.items() if hours)
    common = (
        "Replication r uses the same random numbers at every point (common random numbers), so that differences are "
        "due to the changes only."
        if settings.common_random_numbers
        else "Each run has its own random numbers."
    )
    return f"Seed {settings.seed}. {common}" + (f" Responses exclude {excluded} hours." if excluded else "")


def _facts(results: StudyResults, *, compared: bool) -> Iterator[tuple[str, str, str]]:
    """Yield label, value and note of each tile.

    Args:
        results: The results of the study.
        compared: Whether the study compares scenarios, which then are its points.
    """
    settings, n_failures = results.plan.settings, len(results.failures)
    if not compared:
        yield "Design", settings.design.kind.replace("-", " ").capitalize() if settings.factors else "no factors", ""
    yield "Scenarios" if compared else "Design points", count(len(results.plan.points)), ""
    n = results.replications.select("point", "replication").n_unique()
    yield "Replications", count(n), "of all points together"
    yield "Failures", count(n_failures), "in failures.ndjson" if n_failures else ""


def _values(factor: Factor) -> str:
    """Write the values of a factor: the categories, or the kind of range and its ends.

    Args:
        factor: The factor.
    """
    kind = next(name for name in ("categorical", "uniform", "loguniform", "int") if getattr(factor, name) is not None)
    values = [setting(each) for each in getattr(factor, kind)]
    return ", ".join(values) if kind == "categorical" else f"{kind}, {' to '.join(values)}"


def _responses(results: StudyResults) -> Iterator[Response]:
    """Yield what is shown of each response, in the order of the study.

    Args:
        results: The results of the study.
    """
    for index, (response, written) in enumerate(results.plan.settings.responses.items()):
        expression = "" if written == response else written
        means = _at_points(results, results.summary.filter(pl.col("response") == response))
        # A chart without a point would look like a fault of the report.
        if means["mean"].null_count() == means.height:
            yield Response(response, expression, None, None, [])
        else:
            drawn = finding(results, response, means, f"r{index}")
            yield Response(response, expression, drawn, metamodel(results, response), means.to_dicts())


def _at_points(results: StudyResults, found: pl.DataFrame) -> pl.DataFrame:
    """Put what was found at each point beside the values of the factors.

    Args:
        results: The results of the study.
        found: A table with a column ``point``; a point that is not in it gets nulls.
    """
    design = results.design.with_columns(pl.col("point").cast(pl.UInt32))
    return design.join(found, on="point", how="left", maintain_order="left")


def _differences(results: StudyResults) -> Rows:
    """Paired differences from the first point, where points are few enough to be looked at one by one."""
    if len(results.plan.points) > _FEW_POINTS:
        return []
    gaps = results.differences.filter(pl.col("response").is_in(list(results.plan.settings.responses)))
    return gaps.sort("response", "point", maintain_order=True).to_dicts()


def _estimates(results: StudyResults) -> Estimates:
    """Collect what is shown of the estimates.

    Args:
        results: The results of a study with ``estimates``.
    """
    factors = list(results.plan.settings.factors)
    if results.plan.settings.estimators:
        return Estimates(results.estimates.to_dicts(), [], None, list(_biases(results)))
    one_curve = len(factors) == 1 and len(results.plan.loaded.scenarios) == 1
    powers = list(_powers(results, factors[0])) if one_curve else []
    return Estimates(results.estimates.to_dicts(), powers, _ranks(results), [])


def _biases(results: StudyResults) -> Iterator[tuple[str, Chart, list[dict[str, str]]]]:
    """Draw the bias of each estimator at each point, term by term."""
    for index, term in enumerate(results.plan.loaded.terms[:_MOST_POWERS]):
        rows = bias_by_point(results, term)
        if not rows.is_empty():
            biases = "; ".join(f"{point}, {name}: {decimal(bias)}" for point, name, bias, *_ in rows.iter_rows())
            chart = chart_of(bias_chart(rows), f"bias{index}", f"Bias of {term}: {biases}")
            yield term, chart, bias_cells(results, term)


def _ranks(results: StudyResults) -> Chart | None:
    """Draw the rank calibration at the first point; None where no truth is known there.

    Args:
        results: The results of the study.
    """
    try:
        return chart_of(results.calibration_chart(), "ranks", "Calibration of the estimates, a panel for each term")
    except InputError:
        return None


def _powers(results: StudyResults, factor: str) -> Iterator[tuple[str, Chart]]:
    """Draw how often each term is significant, by the factor.

    Args:
        results: The results of a study of one factor.
        factor: Its dotted path.

    Yields:
        A term and its chart.
    """
    found = _at_points(results, results.estimates)
    for index, term in enumerate(results.plan.loaded.terms[:_MOST_POWERS]):
        rows = found.filter(pl.col("term") == term).drop_nulls("rejected")
        if rows.is_empty():
            continue
        n = rows["n"].to_numpy()
        low, high = wilson_interval(np.rint(rows["rejected"].to_numpy() * n), n)
        curve = rows.select(x=factor, mean="rejected", low=pl.lit(pl.Series(low)), high=pl.lit(pl.Series(high)))
        shares = "; ".join(f"{row['x']}: {share(row['mean'])}" for row in curve.to_dicts())
        chart = response_chart(curve, factor, "share significant at 5%").properties(width=300, height=170)
        yield term, chart_of(chart, f"power{index}", f"Share significant of {term}: {shares}")
