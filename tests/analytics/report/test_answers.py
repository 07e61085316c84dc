"""Claims about questions that a report answers on several scales: one verdict, and the other figures beside it."""

from __future__ import annotations

import re

import polars as pl
import pytest
from pages import Page

from analytics.html.numbers import percent
from analytics.report.answers import answers_of
from analytics.report.data import ReportData
from analytics.report.render import analysis_report, render_report
from scenarios.run.run import Run
from scenarios.scenario import Scenario


@pytest.fixture(scope="module")
def run() -> Run:
    """A day of the baseline, whose model has the product of Europe and the security page."""
    return Scenario.load("baseline", {"traffic.visitors_per_day": 12_000}).run(seed=7)


@pytest.fixture(scope="module")
def data(run: Run) -> ReportData:
    """What its report is about."""
    return analysis_report(run.analysis, run.store, title="answers", provenance={})


def test_the_verdict_is_the_models_and_every_other_figure_is_named(
    run: Run, data: ReportData, no_drawings: None
) -> None:
    """Four figures of one question, each with its scale and population, and all but the first with a reason."""
    (answer,) = answers_of(data)
    assert answer.question == "Does “security page view” matter more with “region europe”?"
    finding = run.intent.findings.filter(group="Interactions")["finding"].item()
    verdicts = {"raises the odds": "Yes, more", "no effect shown": "Not shown", "only before adjustment": "Perhaps"}
    assert answer.verdict.startswith(verdicts[finding])
    names = [figure["name"] for figure in answer.figures]
    assert [re.split(r"[ :,]", name)[0] for name in names] == ["the", "the", "Breslow–Day", "conversion"]
    assert [bool(figure["why"]) for figure in answer.figures] == [False, True, True, True]
    assert all(figure["scale"] and figure["population"] for figure in answer.figures)


def test_the_figures_are_those_of_the_analysis(run: Run, data: ReportData) -> None:
    """Rates by hand from the events' own table, and the p-value of the test of odds ratios."""
    (answer,) = answers_of(data)
    of_test, rates = answer.figures[2]["value"], answer.figures[3]["value"]
    p = run.analysis.content_by("region").tests.filter(content="security")["p_adjusted"].item()
    assert of_test.endswith(f"p = {p:.3f}")
    seen = run.statistics.segments(["region", "page_group"]).filter(page_group="security")
    here, elsewhere = (
        seen.filter(condition).select(pl.col("converted").sum() / pl.col("n").sum()).item()
        for condition in (pl.col("region") == "europe", pl.col("region") != "europe")
    )
    assert rates == f"{percent(here)} there, {percent(elsewhere)} elsewhere"


def test_the_page_has_the_question_as_a_heading(data: ReportData, no_drawings: None) -> None:
    """With the verdict in words below it."""
    outline = Page(render_report(data)).outline
    assert "### Does “security page view” matter more with “region europe”?" in outline


def test_without_such_a_product_there_is_no_question(run: Run, data: ReportData) -> None:
    """A model without interactions, or none at all, has nothing to answer."""
    plain = Scenario.load("baseline", {"traffic.visitors_per_day": 12_000, "analytics.interactions": []}).run(seed=7)
    assert answers_of(analysis_report(plain.analysis, plain.store, title="plain", provenance={})) == []
