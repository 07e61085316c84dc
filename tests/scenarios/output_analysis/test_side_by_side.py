"""Claims about several estimators in one study: each has its own performance, of the same replications."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_studies import results_of
from pages import Page

from scenarios.cli.text.studies import study_text
from scenarios.errors import ScenarioError
from scenarios.output_analysis.results import StudyResults
from scenarios.output_analysis.side_by_side import bias_by_point, bias_cells
from scenarios.study import Study
from scenarios.study_report import study_report

WORLD = {"name": "tiny", "clock": {"hours": 12}, "traffic": {"visitors_per_day": 3000}, "intent": {"intercept": -3.5}}
TERM = "security_page_view"
STUDY = {
    "name": "several",
    "scenario": WORLD,
    "factors": {"tracking.ad_blocker_rate": [0.0, 0.4]},
    "replications": 3,
    "estimates": [TERM],
    "estimators": ["ml", "firth", "weighted"],
}


@pytest.fixture(scope="module")
def study() -> StudyResults:
    """Three estimators of one term, at two rates of ad blockers."""
    return Study.from_dict(STUDY).run(jobs=1)


def test_each_estimator_has_its_own_performance(study: StudyResults):
    """The bias is that of its coefficients; the truth is one for all."""
    table = study.estimates
    assert table["estimator"].to_list() == ["ml", "firth", "weighted"] * 2
    wide = study.wide
    for row in table.iter_rows(named=True):
        of_point = wide.filter(point=row["point"])
        errors = of_point[f"coefficient[{row['estimator']}]:{TERM}"] - of_point[f"true_coefficient:{TERM}"]
        assert row["bias"] == pytest.approx(errors.mean())
        assert row["true_coefficient"] == pytest.approx(0.9)
    ml, firth, weighted = (table.filter(point=0, estimator=name)["mean"][0] for name in ("ml", "firth", "weighted"))
    assert firth != ml
    # Nothing is lost at the first point, so that nothing is weighed.
    assert weighted == pytest.approx(ml, abs=1e-7)


def test_they_are_shown_side_by_side(study: StudyResults):
    """In the report with a chart of a term, and in the command line as one table of a term."""
    cells = bias_cells(study, TERM)
    assert [list(row) for row in cells] == [["point", "ml", "firth", "weighted"]] * 2
    assert bias_by_point(study, TERM).height == 6
    page = Page(study_report(study))
    assert "Mean estimate less the true value at each design point" in page.outline
    assert page.row(cells[1]["point"])[1:] == list(cells[1].values())[1:]
    text = str(study_text(study, Path("runs/x")))
    assert "coefficients by several estimators" in text
    assert cells[0]["firth"].split(" ")[0] in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimates": [], "responses": {"v": "visitors()"}}, "estimators: need estimates"),
        ({"estimators": ["ml", "ml"]}, "one is given twice"),
        ({"estimators": ["lasso"]}, "ml"),
    ],
)
def test_estimators_that_cannot_be_are_refused(changes: dict[str, object], message: str):
    """Before any run."""
    with pytest.raises(ScenarioError, match=message):
        Study.from_dict({**STUDY, **changes})


def test_an_estimator_without_estimates_has_a_dash():
    """All replications failed to estimate: nothing is drawn, and nothing is made up."""
    nothing = results_of({"estimates": [TERM], "estimators": ["ml"], "responses": None}, lambda *_: None)
    assert bias_cells(nothing, TERM) == [{"point": "unchanged", "ml": "–"}]
    assert bias_by_point(nothing, TERM).is_empty()
    assert "Mean estimate less" not in study_report(nothing)
