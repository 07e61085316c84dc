"""Claims about the report of a study, of one scenario or of several: it shows the numbers of the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from made_up_studies import linear, results_of
from pages import Page, assert_golden, assert_self_contained

from analytics.html.numbers import general, interval
from scenarios.comparison import compare_scenarios
from scenarios.output_analysis.results import StudyResults
from scenarios.scenario import Scenario
from scenarios.studies.replication import Failure, Replicated
from scenarios.studies.running import PointRun
from scenarios.study import Study
from scenarios.study_report.comparison import setting_gaps
from scenarios.study_report.stress_des import stress_checklist
from scenarios.study_report.view import study_report, study_view

BAD = "<b>held</b>"
TINY = Scenario(name="tiny").replace({"clock.hours": 1, "traffic.visitors_per_day": 2000, "intent.intercept": -2.0})
TWO_RANGES = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}


@pytest.mark.parametrize(
    ("changes", "kind", "title"),
    [
        ({}, None, ""),
        ({"factors": {"intent.intercept": [-6.0, -5.0]}}, "curve", "held by intent.intercept: −6"),
        ({"factors": TWO_RANGES, "design": "one-at-a-time"}, "tornado", "no_show_rate = 0.4"),
        ({"factors": TWO_RANGES}, "grid", "highest mean of held"),
        ({"factors": TWO_RANGES, "design": {"kind": "latin-hypercube", "samples": 12}}, "scatter", "held at 12 points"),
        (
            {"factors": TWO_RANGES, "design": {"kind": "morris", "samples": 4}},
            "elementary effects",
            "Mean absolute effec",
        ),
        ({"factors": TWO_RANGES, "design": {"kind": "saltelli", "samples": 8}}, "Sobol indices", "Total Sobol indices"),
        (
            {"factors": TWO_RANGES, "design": {"kind": "saltelli", "samples": 16, "second_order": True}},
            "Sobol indices",
            "by the number of base samples",
        ),
        (
            {"factors": TWO_RANGES, "design": {"kind": "latin-hypercube", "samples": 50}},
            "scatter",
            "PAWN indices: median",
        ),
    ],
)
def test_every_design_has_its_chart(changes: dict[str, Any], kind: str | None, title: str):
    """Whatever the design, each response is drawn in the form that suits it, in words too, and fetches nothing."""
    results = results_of(changes, linear)
    (response,) = study_view(results).responses
    assert (response.finding.kind if response.finding else None) == kind
    html = study_report(results)
    page = Page(html)
    assert_self_contained(page)
    assert title in page.outline
    assert "http" not in html.replace("http-equiv", "")


def test_the_page_says_all_that_is_known(monkeypatch: pytest.MonkeyPatch):
    """Every section, table and caption of a study with a metamodel, estimates and a failure; equal in equal bytes."""
    for module in ("view", "stress_des"):
        monkeypatch.setattr(f"scenarios.study_report.{module}.versions", lambda: {"funnelsim": "0.0.0"})
    factors = {"intent.intercept": [-6.0, -5.0, -4.0], "sales.no_show_rate": [0.0, 0.2, 0.4]}
    known = {"description": "nine points", "estimates": ["company_email"], "warm_up_hours": 2, "cool_down_hours": 1}
    results = results_of({"factors": factors, **known}, lambda values, n: 0.3 + n / 10 + linear(values, n) % 0.37 / 10)
    results.failures.append({"point": 8, "replication": None, "stage": "check", "message": "bad\nworld", "replay": "x"})
    html = study_report(results)
    assert_golden(Page(html), Path(__file__).parent / "golden.txt")
    assert study_report(results) == html


@pytest.mark.parametrize("point", [0, 1])
def test_the_numbers_are_those_of_the_results(point: int):
    """Means, intervals and paired differences of the page are those of the tables."""
    results = results_of({"factors": {"intent.intercept": [-6.0, -5.0]}}, linear)
    page = Page(study_report(results))
    mean, low, high = results.summary.select("mean", "ci_low", "ci_high").row(point)
    assert page.row(str(point), ("−6", "−5")[point])[2:] == ["3", general(mean), interval(low, high)]
    (gap,) = results.differences.to_dicts()
    assert page.row("held", "1", "3")[3:5] == ["+10", interval(gap["ci_low"], gap["ci_high"])]


def test_failures_and_hostile_words_are_text():
    """Failures are listed with the way to run them again; names, descriptions and messages stay text."""
    hostile = {
        "description": "<script>alert(1)</script>",
        "responses": {"\"'><img src=x onerror=alert(1)>": "sales.held"},
    }
    study = Study.from_dict({"name": "hostile", "scenario": "baseline", **hostile})
    failure = Failure("simulate", "<b>boom</b>\nsecond line", ())
    runs = [PointRun(study.points[0], (Replicated("k", 0, (None,), (failure,)),))]
    page = Page(study_report(StudyResults(study, runs, "funnelsim study x --replay {}")))
    assert_self_contained(page)
    assert "b" not in page.tags
    assert page.row("0", "0", "simulate") == ["0", "0", "simulate", "<b>boom</b>", "funnelsim study x --replay 0:0"]
    assert "# hostile\n<script>alert(1)</script>\n" in page.outline
    assert "No replication returned a number." in page.outline


@pytest.mark.parametrize("replications", [5, {"min": 10, "max": 40, "precision": {"held": {"relative": 0.1}}}])
def test_the_checklist_says_what_was_done(replications: Any):
    """Every item of STRESS-DES has an answer, or says that the author must give it."""
    factors = {"intent.intercept": [-6.0, -5.0], "sales.no_show_rate": [0.0, 0.2]}
    settings = {"name": "s", "scenario": "baseline", "responses": {"held": "sales.held"}, "factors": factors}
    checklist = stress_checklist(Study.from_dict({**settings, "replications": replications}))
    answers = dict(checklist.select("item", "answer").iter_rows())
    assert list(dict.fromkeys(item.split(".")[0] for item in answers)) == ["1", "2", "3", "4", "5", "6"]
    assert all(answers.values())
    assert "held (sales.held)" in answers["1.2"]
    assert ("5 replications" if replications == 5 else "10 to 40 replications") in answers["4.3"]
    assert answers["4.2"] == "24 hours"


def test_only_settings_that_differ_are_listed():
    """Names, descriptions and seeds make no difference; a number that becomes a mapping does, entry by entry."""
    other = TINY.replace({"tracking.ad_blocker_rate": {"desktop": 0.4}, "clock.hours": 2}, name="other")
    assert setting_gaps([TINY, TINY.replace(name="b", description="of another name")]) == {}
    assert setting_gaps([TINY, other]) == {
        "clock.hours": (1, 2),
        "tracking.ad_blocker_rate": (0.0, None),
        "tracking.ad_blocker_rate.desktop": (None, 0.4),
    }


def page_of(**values: list[float]) -> Page:
    """The report of a study of scenarios whose one response has these values, by the name of the scenario."""
    scenarios = [TINY.replace(name=name).to_data() for name in values]
    study = Study.from_dict({"name": "made-up", "scenarios": scenarios, "responses": {BAD: "sales.held"}})
    runs = [
        PointRun(point, tuple(Replicated("k", n, (value,)) for n, value in enumerate(each)))
        for point, each in zip(study.points, values.values(), strict=True)
    ]
    return Page(study_report(StudyResults(study, runs)))


def test_two_scenarios_are_compared():
    """Both means, the paired difference with its interval, and its share of the first mean, are those by hand."""
    page = page_of(first=[10.0, 20.0, 30.0], second=[9.0, 18.0, 27.0])
    half = 4.302652729911275 / 3**0.5  # t with two degrees of freedom, and the spread of the differences is 1
    assert page.row(BAD)[:-1] == [BAD, "3", "20", "18", "−2", interval(-2 - half, -2 + half), "−10%"]
    assert "## Differences from first\n" in page.outline
    assert "All settings are equal." in page.outline
    assert "b" not in page.tags


def test_of_several_scenarios_each_is_named():
    """With three, rows and chart say which is meant; where the first mean is 0 there is no share of it and no chart."""
    page = page_of(a=[0.0, 0.0], b=[1.0, 2.0], c=[2.0, 3.0])
    assert page.row(BAD, "b")[2:-1] == ["2", "0", "1.5", "+1.5", "[−4.853, 7.853]", "–"]
    assert page.row(BAD, "c")[2:-1] == ["2", "0", "2.5", "+2.5", "[−3.853, 8.853]", "–"]
    assert "image:" not in page.outline
    assert f"{BAD}, c: 150%" in page_of(a=[2.0, 2.0], b=[1.0, 2.0], c=[4.0, 6.0]).outline


def test_a_comparison_leaves_the_folder_of_a_study(tmp_path: Path):
    """The report shows the differences returned; variants of one name get their own; a second call runs nothing."""
    variant, folder = TINY.replace({"tracking.ad_blocker_rate": 0.5}), tmp_path / "folder"
    table = compare_scenarios(TINY, variant, ["page_views()"], replications=3, jobs=1, folder=folder)
    page = Page((folder / "report.html").read_text())
    assert "## Differences from a\n" in page.outline
    assert page.row("tracking.ad_blocker_rate") == ["tracking.ad_blocker_rate", "0", "0.5"]
    assert pl.read_csv(folder / "differences.csv").item(0, "difference") == table.item(0, "difference")
    begun = (folder / "journal.ndjson").read_bytes()
    compare_scenarios(TINY, variant, ["page_views()"], replications=3, jobs=1, folder=folder)
    assert (folder / "journal.ndjson").read_bytes() == begun


def test_a_study_leaves_its_report_and_the_same_one_again(tmp_path: Path):
    """The folder of a study holds the report; made again elsewhere it has the same bytes."""
    world = {"clock.hours": 2, "traffic.visitors_per_day": 500.0}
    varied = {"factors": {"tracking.ad_blocker_rate": [0.0, 0.5]}, "replications": 2}
    settings = {"name": "small", "scenario": "baseline", "overrides": world, "responses": {"visitors": "visitors()"}}
    for name in ("one", "other"):
        Study.from_dict({**settings, **varied}).run(jobs=1, folder=tmp_path / name)
    pages = [(tmp_path / name / "report.html").read_bytes() for name in ("one", "other")]
    assert pages[0] == pages[1]
    assert b"visitors by tracking.ad_blocker_rate" in pages[0]
