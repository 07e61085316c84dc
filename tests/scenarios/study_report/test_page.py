"""Claims about the report of a study, and the polynomial in place of the simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from scenarios.errors import InputError
from scenarios.output_analysis.metamodel import fit_metamodel
from scenarios.output_analysis.results import StudyResults
from scenarios.studies.replication import Failure, Replicated
from scenarios.studies.running import PointRun
from scenarios.study import Study
from scenarios.study_report.page import study_report
from scenarios.study_report.stress_des import stress_checklist

TWO_RANGES = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}


def found(changes: Mapping[str, Any], value: Any, n: int = 3) -> StudyResults:
    """Results of a study that nobody has simulated: ``value`` of the point's values and the replication."""
    study = Study.from_dict({"name": "made-up", "scenario": "baseline", "responses": {"held": "sales.held"}, **changes})
    runs = []
    for point in study.points:
        values = [tuple(value(point.values, number) for _ in study.responses) for number in range(n)]
        runs.append(PointRun(point, tuple(Replicated("k", number, each) for number, each in enumerate(values))))
    return StudyResults(study, runs)


class _Page(HTMLParser):
    """Text, tags, and the ids of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text += data


def linear(values: Mapping[str, Any], number: int) -> float:
    """A response that rises with every factor that is a number, and has some luck."""
    return sum(float(v) for v in values.values() if not isinstance(v, str)) * 10 + [0.0, 1.0, 0.5][number % 3]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "baseline"),
        ({"scenarios": ["baseline", "month"], "scenario": None}, "Changes: held: 0%"),
        ({"factors": {"intent.intercept": [-6.0, -5.0]}}, "held by intent.intercept: −6"),
        ({"factors": TWO_RANGES, "design": "one-at-a-time"}, "no_show_rate = 0.4"),
        ({"factors": TWO_RANGES}, "highest mean of held"),
        ({"factors": TWO_RANGES, "design": {"kind": "latin-hypercube", "samples": 12}}, "12 points against"),
        ({"factors": TWO_RANGES, "design": {"kind": "morris", "samples": 4}}, "Mean absolute effects"),
        ({"factors": TWO_RANGES, "design": {"kind": "saltelli", "samples": 8}}, "Total Sobol indices"),
    ],
)
def test_every_design_has_its_picture(changes: dict[str, Any], told: str) -> None:
    """Whatever the design, the report draws each response in its way, in words too, and fetches nothing."""
    page = study_report(found({k: v for k, v in changes.items() if v is not None} | _without(changes), linear))
    parsed = _Page(page)
    assert told in page
    assert page.count('class="chart"') == (0 if not changes else page.count('role="img"'))
    assert "script" not in parsed.tags
    assert "http" not in page.replace("http-equiv", "")
    assert len(parsed.ids) == len(set(parsed.ids))


def _without(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"scenario": None} if "scenarios" in changes else {}


def test_the_numbers_are_those_of_the_results() -> None:
    """Means, intervals and paired differences of the page are those of the tables."""
    results = found({"factors": {"intent.intercept": [-6.0, -5.0]}}, linear)
    page = _Page(study_report(results)).text
    low, high = results.summary.select("ci_low", "ci_high").row(1)
    assert f"[{low:.4g}, {high:.4g}]".replace("-", "−") in page
    assert results.differences["difference"].to_list() == pytest.approx([10.0])
    assert "+10" in page


def test_failures_and_hostile_words_are_text() -> None:
    """What went wrong is listed with the way to see it again; names and messages stay text."""
    study = Study.from_dict(
        {
            "name": "hostile",
            "description": "<script>alert(1)</script>",
            "scenario": "baseline",
            "responses": {"\"'><img src=x onerror=alert(1)>": "sales.held"},
        }
    )
    failure = Failure("simulate", "<b>boom</b>\nsecond line", ())
    runs = [PointRun(study.points[0], (Replicated("k", 0, (None,), (failure,)),))]
    page = study_report(StudyResults(study, runs, "funnelsim study x --replay {}"))
    parsed = _Page(page)
    assert {"script", "img", "b"}.isdisjoint(parsed.tags)
    assert "<b>boom</b>" in parsed.text
    assert "funnelsim study x --replay 0:0" in parsed.text
    assert "No replication gave a number." in parsed.text


def test_a_study_leaves_its_report_and_the_same_one_again(tmp_path: Path) -> None:
    """The folder of a study holds the report; made again elsewhere it has the same bytes."""
    study = Study.from_dict(
        {
            "name": "small",
            "scenario": "baseline",
            "overrides": {"clock.hours": 2, "traffic.visitors_per_day": 500.0},
            "factors": {"tracking.ad_blocker_rate": [0.0, 0.5]},
            "replications": 2,
            "responses": {"visitors": "visitors()"},
        }
    )
    for name in ("one", "other"):
        study.run(jobs=1, folder=tmp_path / name)
    pages = [(tmp_path / name / "report.html").read_bytes() for name in ("one", "other")]
    assert pages[0] == pages[1]
    assert b"visitors by tracking.ad_blocker_rate" in pages[0]


def quadratic(values: Mapping[str, Any], _number: int) -> float:
    """3 + 2a − b + 0.5ab + a², with a and b from −1 to 1."""
    a, b = float(values["intent.intercept"]) + 5, 5 * float(values["sales.no_show_rate"]) - 1
    return 3 + 2 * a - b + 0.5 * a * b + a**2


GRID = {"factors": {"intent.intercept": [-6.0, -5.0, -4.0], "sales.no_show_rate": [0.0, 0.2, 0.4]}}


def test_a_polynomial_is_found_again() -> None:
    """What is a quadratic function of the factors is fitted by it exactly, in units of half a range."""
    model = fit_metamodel(found(GRID, quadratic), "held")
    expected = [3, 2, -1, 0.5, 1, 0]
    assert model.degree == "quadratic"
    assert model.terms["coefficient"].to_list() == pytest.approx(expected, abs=1e-9)
    assert (model.r2, model.r2_predicted) == pytest.approx((1, 1))


def test_prediction_is_judged_by_points_left_out_one_by_one() -> None:
    """R² of prediction is that of fits without each point in turn, by hand."""
    rng = np.random.default_rng(5)
    noise = {point: rng.normal() for point in range(9)}
    study = found(GRID, quadratic)
    table = study.design.with_columns(pl.Series("noise", [noise[p] for p in range(9)]))

    def noisy(values: Mapping[str, Any], number: int) -> float:
        same = (pl.col("intent.intercept") == values["intent.intercept"]) & (
            pl.col("sales.no_show_rate") == values["sales.no_show_rate"]
        )
        return quadratic(values, number) + table.filter(same)["noise"].item()

    results = found(GRID, noisy, n=1)
    model = fit_metamodel(results, "held")
    a = (table["intent.intercept"] + 5).to_numpy()
    b = (5 * table["sales.no_show_rate"] - 1).to_numpy()
    x = np.column_stack([np.ones(9), a, b, a * b, a**2, b**2])
    y = results.summary["mean"].to_numpy()
    left_out = [y[i] - x[i] @ np.linalg.lstsq(np.delete(x, i, 0), np.delete(y, i), rcond=None)[0] for i in range(9)]
    expected = 1 - np.square(left_out).sum() / np.square(y - y.mean()).sum()
    assert model.r2_predicted == pytest.approx(expected)
    assert model.r2_predicted < model.r2


def test_few_points_bear_a_simpler_polynomial() -> None:
    """Two levels tell no bends, and too few points tell nothing: refused by name."""
    two = {"factors": {"intent.intercept": [-6.0, -5.0, -4.0, -3.0, -2.0], "sales.no_show_rate": [0.0, 0.4]}}
    assert fit_metamodel(found(two, quadratic), "held").degree == "interactions"
    with pytest.raises(InputError, match="too few for a polynomial"):
        fit_metamodel(found({"factors": {"intent.intercept": [-6.0, -5.0]}}, linear), "held")
    with pytest.raises(InputError, match="no response of this study"):
        fit_metamodel(found(GRID, quadratic), "hold")


@pytest.mark.parametrize("replications", [5, {"min": 10, "max": 40, "precision": {"held": {"relative": 0.1}}}])
def test_the_checklist_says_what_was_done(replications: Any) -> None:
    """Every item of STRESS-DES has an answer, or says that the author must give it."""
    study = Study.from_dict(
        {"name": "s", "scenario": "baseline", "replications": replications, "responses": {"held": "sales.held"}, **GRID}
    )
    table = stress_checklist(study)
    assert _sections(table["item"].to_list()) == ["1", "2", "3", "4", "5", "6"]
    assert table["answer"].str.len_chars().min() > 0
    answers = dict(table.select("item", "answer").iter_rows())
    assert "held (sales.held)" in answers["1.2"]
    assert ("5 replications" if replications == 5 else "10 to 40 replications") in answers["4.3"]
    assert answers["4.2"] == "24 hours"


def _sections(items: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(item.split(".")[0] for item in items))
