"""The report of a study: one HTML file that says what was varied, what came of it, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.charts.studies import response_chart
from analytics.report.html import Html, count, element, figure, join, number_table, numbers, page
from scenarios.errors import InputError
from scenarios.files.versions import versions
from scenarios.study_report.numbers import NONE, cell, interval, number, share
from scenarios.study_report.pictures import pictures
from scenarios.study_report.scenarios import comparison_section, is_comparison, settings_section
from scenarios.study_report.stress_des import stress_checklist

if TYPE_CHECKING:
    from scenarios.output_analysis.results import StudyResults
    from scenarios.studies.settings import StudySettings

__all__ = ["study_report"]

_MOST_ROWS: Final = 60
_MOST_POWERS: Final = 12


def study_report(results: StudyResults) -> str:
    """Lay out a study as one HTML page. Equal results make equal bytes.

    Args:
        results: What the study found.
    """
    found = [comparison_section(results)] if is_comparison(results) else _by_point(results)
    sections = [
        _headline(results),
        settings_section(results),
        *found,
        *_estimates(results),
        *_failures(results),
        _stress(results),
        _provenance(results),
    ]
    return page(f"{results.plan.settings.name} – funnelsim study", element("main", *sections))


def _headline(results: StudyResults) -> Html:
    settings = results.plan.settings
    n = results.replications.select("point", "replication").n_unique()
    design = settings.design.kind.replace("-", " ") if settings.factors else "no factors"
    facts = [
        *([] if is_comparison(results) else [("Design", design, "")]),
        ("Scenarios" if is_comparison(results) else "Design points", count(len(results.plan.points)), ""),
        ("Replications", count(n), "of all points together"),
        ("Failures", count(len(results.failures)), "in failures.ndjson" if results.failures else ""),
    ]
    luck = (
        "Replication r has the same luck at every point (common random numbers), so that nothing differs but what was "
        "changed."
        if settings.common_random_numbers
        else "Every run has luck of its own."
    )
    return join(
        [
            element("h1", element("bdi", settings.name)),
            element("p", settings.description),
            element("p", f"Seed {settings.seed}. {luck}{_left_out(settings)}", class_="soft"),
            element("dl", *(_fact(*fact) for fact in facts), class_="facts"),
            _factors(results),
        ]
    )


def _left_out(settings: StudySettings) -> str:
    """Say which hours responses leave out."""
    ends = {"first": settings.warm_up_hours, "last": settings.cool_down_hours}
    told = " and ".join(f"the {end} {hours:,}" for end, hours in ends.items() if hours)
    return f" Responses leave out {told} hours." if told else ""


def _fact(name: str, value: str, note: str) -> Html:
    return element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))


def _factors(results: StudyResults) -> Html:
    rows = []
    for path, factor in results.plan.settings.factors.items():
        kind = next(
            name for name in ("categorical", "uniform", "loguniform", "int") if getattr(factor, name) is not None
        )
        values = ", ".join(cell(value) for value in getattr(factor, kind))
        rows.append((path, values if kind == "categorical" else f"{kind}, from {values.replace(', ', ' to ')}"))
    if not rows:
        return Html("")
    return number_table(["factor", "values"], rows, "What is varied", n_texts=2)


def _by_point(results: StudyResults) -> Iterator[Html]:
    """What the design points have found, response by response, and how they differ."""
    for index, response in enumerate(results.plan.settings.responses):
        yield _response(results, response, f"r{index}")
    yield from _differences(results)


def _response(results: StudyResults, response: str, name: str) -> Html:
    """One response: the picture that suits the design, and the numbers."""
    title = element("h2", response)
    written = results.plan.settings.responses[response]
    expression = element("p", written, class_="soft") if written != response else Html("")
    table = _means(results, response)
    if table["mean"].null_count() == table.height:
        return join([title, expression, element("p", "No replication gave a number.", class_="notice")])
    return join([title, expression, *pictures(results, response, table, name), _mean_table(results, response, table)])


def _means(results: StudyResults, response: str) -> pl.DataFrame:
    """Mean and interval of a response at each point, beside what the factors were set to."""
    found = results.summary.filter(pl.col("response") == response)
    return results.design.with_columns(pl.col("point").cast(pl.UInt32)).join(
        found, on="point", how="left", maintain_order="left"
    )


def _mean_table(results: StudyResults, response: str, table: pl.DataFrame) -> Html:
    told = [*(["scenario"] if len(results.plan.loaded.scenarios) > 1 else []), *results.plan.settings.factors]
    rows = [
        (
            str(row["point"]),
            *(cell(row[name]) for name in told),
            count(row["n"]),
            number(row["mean"]),
            interval(row),
        )
        for row in table.head(_MOST_ROWS).to_dicts()
    ]
    cut = f", the first {_MOST_ROWS} points; summary.csv has all" if table.height > _MOST_ROWS else ""
    heads = ["point", *told, "n", "mean", "95% interval"]
    drawn = number_table(heads, rows, f"{response}{cut}", n_texts=1 + len(told))
    return drawn if table.height == 1 else numbers(drawn)


def _differences(results: StudyResults) -> Iterator[Html]:
    """Paired differences from the first point, where points are few enough to be looked at one by one."""
    if not 1 < len(results.plan.points) <= _MOST_ROWS or not results.plan.settings.responses:
        return
    gaps = results.differences.filter(pl.col("response").is_in(list(results.plan.settings.responses)))
    rows = [
        (
            row["response"],
            str(row["point"]),
            count(row["n"]),
            number(row["difference"], sign=True),
            interval(row),
            NONE if row["variance_saved"] is None else share(row["variance_saved"]),
        )
        for row in gaps.sort("response", "point", maintain_order=True).head(4 * _MOST_ROWS).to_dicts()
    ]
    yield element("h2", "Differences from the first point")
    caption = (
        "Means of the differences, replication by replication, with their 95% intervals, and the share of their "
        "variance that the common luck saves against independent runs"
    )
    heads = [
        "response",
        "point",
        "pairs",
        "difference",
        "95% interval",
        "variance saved",
    ]
    yield numbers(number_table(heads, rows, caption, n_texts=2))


def _estimates(results: StudyResults) -> Iterator[Html]:
    """How good the estimates of the intent model are, and how often each term is found."""
    if not results.plan.loaded.terms:
        return
    yield element("h2", "Estimates of the intent model")
    factors = list(results.plan.settings.factors)
    if len(factors) == 1 and len(results.plan.loaded.scenarios) == 1:
        yield element("div", *_powers(results, factors[0]), class_="pair")
    heads = ["point", "term", "n", "truth", "bias", "empirical SE", "mean SE", "coverage", "significant", "mean z"]
    rows = [
        (
            str(row["point"]),
            row["term"],
            count(row["n"]),
            *(number(row[name], sign=True) for name in ("true_coefficient", "bias")),
            *(number(row[name]) for name in ("empirical_se", "mean_se")),
            *(_with_error(row, name) for name in ("coverage", "rejected")),
            number(row["mean_z"], sign=True),
        )
        for row in results.estimates.head(4 * _MOST_ROWS).to_dicts()
    ]
    caption = (
        "Of each term over the replications: bias, spread beside the stated standard error, share of the 95% intervals "
        "that hold the truth, and share of replications in which it is significant at 5%; ± is a Monte-Carlo standard "
        "error"
    )
    yield number_table(heads, rows, caption, n_texts=2)
    yield from _calibration(results)


def _calibration(results: StudyResults) -> Iterator[Html]:
    """Whether estimates lie about the truth as their errors claim, at the first point."""
    try:
        chart = results.calibration_chart()
    except InputError:
        return
    caption = (
        "Where the truth lies among what each estimate thinks possible, over the replications: at every rank as often "
        "as at any other, if estimates and errors are right. The line should stay in the band, which it then leaves in "
        "5% of studies."
    )
    yield element("h3", "Calibration of the estimates")
    yield figure(chart, "ranks", caption, "Calibration of the estimates, a panel for each term", "wide")


def _powers(results: StudyResults, factor: str) -> Iterator[Html]:
    table = results.estimates.join(
        results.design.with_columns(pl.col("point").cast(pl.UInt32)), on="point", maintain_order="left"
    )
    for index, term in enumerate(results.plan.loaded.terms[:_MOST_POWERS]):
        rows = table.filter(pl.col("term") == term).drop_nulls("rejected")
        if rows.is_empty():
            continue
        half = 1.96 * pl.col("rejected_mcse")
        low, high = ((pl.col("rejected") + sign * half).clip(0, 1) for sign in (-1, 1))
        curve = rows.select(x=factor, mean="rejected", low=low, high=high)
        told = "; ".join(f"{row['x']}: {share(row['mean'])}" for row in curve.to_dicts())
        chart = response_chart(curve, factor, "share significant at 5%").properties(width=300, height=170)
        heading = element("h3", term)
        yield element("div", heading, figure(chart, f"power{index}", "", f"Share significant of {term}: {told}"))


def _with_error(row: dict[str, Any], name: str) -> str:
    return NONE if row[name] is None else f"{row[name]:.3f} ± {row[f'{name}_mcse']:.3f}"


def _failures(results: StudyResults) -> Iterator[Html]:
    if not results.failures:
        return
    yield element("h2", "Failures")
    rows = [
        (
            f"{failure['point']}:{NONE if failure['replication'] is None else failure['replication']}",
            failure["stage"],
            failure["message"].splitlines()[0] if failure["message"] else "",
            failure["replay"],
        )
        for failure in results.failures[:_MOST_ROWS]
    ]
    cut = f", the first {_MOST_ROWS}; failures.ndjson has all" if len(results.failures) > _MOST_ROWS else ""
    heads = ["point:replication", "stage", "what went wrong", "to see it again"]
    yield number_table(heads, rows, f"{count(len(results.failures))} failures{cut}", n_texts=4)


def _stress(results: StudyResults) -> Html:
    rows = [(row["item"], row["what"], row["answer"]) for row in stress_checklist(results.plan).to_dicts()]
    caption = "STRESS-DES checklist (Monks et al. 2019), filled in as far as the study knows"
    table = number_table(["item", "what", "answer"], rows, caption, n_texts=3)
    return join([element("h2", "For a paper"), element("details", element("summary", "The checklist"), table)])


def _provenance(results: StudyResults) -> Html:
    settings = results.plan.settings
    rows = [("study", settings.name), ("seed", str(settings.seed)), *versions().items()]
    table = number_table(["what", "value"], rows, "Where these numbers come from", n_texts=2, classes="mono")
    return join([element("h2", "Provenance"), table])
