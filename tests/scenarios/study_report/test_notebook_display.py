"""What a notebook shows: the numbers of the object, and hostile text as text."""

from __future__ import annotations

import re

import pytest

from analytics.analysis import Charts
from scenarios import Run, Scenario, Study
from scenarios.run.progress import text_bar
from simulator import Visitor

HOSTILE = "<script>alert(\"1\")</script> & 'x'"


@pytest.fixture(scope="module")
def run() -> Run:
    """A small world whose texts are hostile."""
    changes = {
        "description": HOSTILE,
        "traffic.visitors_per_day": 3000.0,
        "intent.target_conversion": 0.2,
        "visits.gap_hours": 1.0,
        "traffic.channels": {"email": {"campaign": {"source": HOSTILE, "medium": HOSTILE}}},
        "site.pages": {"home": {"category": HOSTILE}},
    }
    return Scenario.load("baseline").replace(changes).run(seed=3)


def test_a_run_shows_its_counts_and_a_scenario_its_file(run: Run) -> None:
    """Name, seed and each count of the manifest; the scenario its file; hostile text is text."""
    shown = run._repr_html_()
    assert "<strong>baseline</strong>, seed 3" in shown
    for name, count in run.outcome.counts.items():
        assert f'<th scope="row">{name.replace("_", " ")}</th><td>{count:,}</td>' in shown
    file = run.scenario._repr_html_()
    assert "visitors_per_day: 3000.0" in file
    assert "<script" not in shown + file
    assert "&lt;script&gt;" in shown


def test_an_analysis_shows_totals_and_funnel(run: Run) -> None:
    """Two tables with the numbers of the statistics."""
    shown = run.analysis._repr_html_()
    assert shown.count("<table") == 2
    assert str(run.statistics.totals()["visitors"][0]) in shown
    assert repr(run.analysis) == repr(run.analysis)
    assert "0x" not in repr(run.analysis)


def test_a_study_shows_design_and_responses() -> None:
    """The design points, and the names of the responses as text."""
    study = Study.from_dict(
        {
            "name": "s",
            "description": HOSTILE,
            "scenario": "baseline",
            "factors": {"tracking.ad_blocker_rate": [0.0, 0.25]},
            "replications": 2,
            "responses": {HOSTILE: "counts.visitors"},
        }
    )
    shown = study._repr_html_()
    assert "2 design points" in shown
    assert "0.25" in shown
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 2
    assert repr(study) == "<Study s: 2 points>"


@pytest.mark.parametrize("name", ["hourly", "funnel", "heat_map", "coefficients", "segments"])
def test_a_chart_is_an_svg_with_a_title(run: Run, name: str) -> None:
    """A drawing without scripts, with a label for those who cannot see it; the old name of charts is warned of."""
    with pytest.warns(FutureWarning, match=r"Analysis\.charts"):
        assert isinstance(run.analysis.pictures, Charts)
    charts = run.analysis.charts
    chart = charts.segments("page_group") if name == "segments" else getattr(charts, name)()
    shown = chart._repr_html_()
    assert re.match(r'<div role="img" aria-label="[^"<]+" style="[^"]+"><svg ', shown)
    assert "<script" not in shown


def test_progress_is_shown_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """`progress=True` shows a bar, of a run and of a study; without it nothing is shown.

    It is drawn when it has grown, on standard error, and ends its line when all is done.
    """
    show = text_bar("Working")
    for share in (0.0, 0.001, 0.5, 1.0):
        show(share)
    out, err = capsys.readouterr()
    assert (out, err.count("\r")) == ("", 3)
    assert err.endswith(f"Working {'█' * 30} 100%\n")
    small = Scenario.load("baseline").replace({"traffic.visitors_per_day": 50.0})
    small.run()
    assert capsys.readouterr().err == ""
    small.run(progress=True)
    assert "Simulating baseline" in capsys.readouterr().err
    data = {"name": "s", "scenario": "baseline", "overrides": {"traffic.visitors_per_day": 50.0}, "replications": 2}
    Study.from_dict({**data, "responses": {"n": "counts.visitors"}}).run(jobs=1, progress=True)
    assert capsys.readouterr().err.endswith("100%\n")


def test_a_scenario_is_run_with_visitors_of_a_subclass() -> None:
    """`Scenario.run(visitor=...)` wakes the agents of that class: who never asks makes no request."""

    class Shy(Visitor):
        def decide(self) -> bool:
            return False

    small = Scenario.load("baseline").replace({"traffic.visitors_per_day": 500.0, "intent.target_conversion": 0.2})
    assert small.run(visitor=Shy).outcome.counts["demo_requests"] == 0 < small.run().outcome.counts["demo_requests"]
