"""Claims about what the report of a study says of several scenarios, and so of the report of a comparison."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from scenarios.comparison import compare_scenarios
from scenarios.output_analysis.results import StudyResults
from scenarios.scenario import Scenario
from scenarios.studies.replication import Replicated
from scenarios.studies.running import PointRun
from scenarios.study import Study
from scenarios.study_report.page import study_report
from scenarios.study_report.scenarios import setting_gaps

TINY = Scenario(name="tiny").replace({"clock.hours": 1, "traffic.visitors_per_day": 2000, "intent.intercept": -2.0})


def report_of(names: list[str], values: list[list[float]]) -> str:
    """The report of a study of scenarios whose one response has these values, scenario by scenario."""
    scenarios = [TINY.replace(name=name).to_data() for name in names]
    study = Study.from_dict({"name": "made-up", "scenarios": scenarios, "responses": {"<b>held</b>": "sales.held"}})
    runs = [
        PointRun(point, tuple(Replicated("k", number, (value,)) for number, value in enumerate(values[point.scenario])))
        for point in study.points
    ]
    return study_report(StudyResults(study, runs))


def rows_of(page: str) -> list[list[str]]:
    """Cells of all the rows of its tables, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row.replace("−", "-")) for row in rows]


def test_settings_that_differ_are_told_and_no_others():
    """Names, stories and seeds make no difference; a number that becomes a mapping does, entry by entry."""
    other = TINY.replace({"tracking.ad_blocker_rate": {"desktop": 0.4}, "clock.hours": 2}, name="other")
    assert setting_gaps([TINY, TINY.replace(name="b", description="of another name")]) == {}
    assert setting_gaps([TINY, other]) == {
        "clock.hours": (1, 2),
        "tracking.ad_blocker_rate": (0.0, None),
        "tracking.ad_blocker_rate.desktop": (None, 0.4),
    }


def test_two_scenarios_are_told_side_by_side():
    """Both means, the paired difference with its interval, and its share of the first mean, are those by hand."""
    page = report_of(["first", "second"], [[10.0, 20.0, 30.0], [9.0, 18.0, 27.0]])
    half = 4.302652729911275 / 3**0.5  # t with two degrees of freedom, and the spread of the differences is 1
    assert ["&lt;b&gt;held&lt;/b&gt;", "3", "20", "18", "-2", f"[{-2 - half:.4g}, {-2 + half:.4g}]", "-10%"] in [
        row[:-1] for row in rows_of(page)
    ]
    assert "Differences from first" in page
    assert "They differ in nothing that the world is made of." in page
    assert "<b>held" not in page


def test_of_several_scenarios_each_is_named():
    """With three, rows and picture say which is meant; where the first mean is 0 there is no share of it."""
    page = report_of(["a", "b", "c"], [[0.0, 0.0], [1.0, 2.0], [2.0, 3.0]])
    assert [row[1:-1] for row in rows_of(page) if row[:1] == ["&lt;b&gt;held&lt;/b&gt;"]] == [
        ["b", "2", "0", "1.5", "+1.5", "[-4.853, 7.853]", "–"],
        ["c", "2", "0", "2.5", "+2.5", "[-3.853, 8.853]", "–"],
    ]
    assert "change in percent" not in page
    assert "held&lt;/b&gt;, c: 150%" in report_of(["a", "b", "c"], [[2.0, 2.0], [1.0, 2.0], [4.0, 6.0]])


def test_a_comparison_leaves_the_folder_of_a_study(tmp_path: Path):
    """The report shows the differences that are returned; variants of one name are told apart; once is enough."""
    variant = TINY.replace({"tracking.ad_blocker_rate": 0.5})
    table = compare_scenarios(TINY, variant, ["page_views()"], replications=3, jobs=1, folder=tmp_path / "folder")
    page = (tmp_path / "folder" / "report.html").read_text()
    assert "Differences from a" in page
    assert ["tracking.ad_blocker_rate", "0", "0.5"] in rows_of(page)
    assert pl.read_csv(tmp_path / "folder" / "differences.csv").item(0, "difference") == table.item(0, "difference")
    begun = (tmp_path / "folder" / "journal.ndjson").read_bytes()
    compare_scenarios(TINY, variant, ["page_views()"], replications=3, jobs=1, folder=tmp_path / "folder")
    assert (tmp_path / "folder" / "journal.ndjson").read_bytes() == begun
