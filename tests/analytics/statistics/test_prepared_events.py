"""Claims about the analysis of events in parts: whatever the parts, it is that of all events."""

from __future__ import annotations

import gc
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.analysis import Analysis
from analytics.statistics.prepared_events import EventsInParts
from scenarios.run.run import Run
from scenarios.scenario import Scenario

WORLDS = {
    "pricing-ab-test": {"traffic.visitors_per_day": 1500},
    "bot-storm": {"traffic.visitors_per_day": 1200},
    "ad-blocker-heavy": {"traffic.visitors_per_day": 4000, "clock.hours": 30},
}


@pytest.fixture(scope="module", params=WORLDS)
def run(request: pytest.FixtureRequest) -> Run:
    """A world with two arms, one with bots and one that loses events, doubles them and has clocks that are wrong."""
    return Scenario.load(request.param, WORLDS[request.param]).run(seed=4)


def analysis_in_parts(run: Run, n_parts: int) -> Analysis:
    """The analysis of the run's events, which come as two tables."""
    flat, settings, whole = _accepted(run), run.scenario.analysis, run.analysis
    tables = [flat[: flat.height // 3].lazy(), flat[flat.height // 3 :].lazy()]
    return Analysis(
        EventsInParts(lambda: tables, n_parts, settings),
        settings,
        truth=whole._truth,
        observed_from=whole._observed_from,
        observed_until=whole._observed_until,
        conversion_unit=whole._conversion_unit,
    )


def _accepted(run: Run) -> pl.DataFrame:
    return pl.concat(each.collect() for each in run.accepted.scan())


@pytest.mark.parametrize("n_parts", [1, 7])
def test_counts_visits_and_fits_are_those_of_all_events(run: Run, n_parts: int):
    """Counts are equal, and fits agree to ten digits: their sums are added up in another order."""
    whole, parts = run.analysis, analysis_in_parts(run, n_parts)
    assert parts.n_events == whole.n_events
    tables = parts.tables()
    assert tables.keys() == whole.tables().keys()
    for name, table in whole.tables().items():
        assert_frame_equal(tables[name], table, rel_tol=1e-12)
    for sentences in ("notes", "coverage_warnings", "name_warnings"):
        assert getattr(parts, sentences) == getattr(whole, sentences)
    assert parts.pages.warnings == whole.pages.warnings
    assert parts.experiments.warnings == whole.experiments.warnings
    assert_frame_equal(parts.visits, whole.visits, rel_tol=1e-14)
    assert_frame_equal(parts.intent.coefficients, whole.intent.coefficients, rel_tol=1e-10, abs_tol=1e-12)
    assert parts.intent.warnings == whole.intent.warnings
    assert parts.intent.n_visitors == whole.intent.n_visitors
    quality, of_whole = (asdict(each.intent.out_of_fold) for each in (parts, whole))
    assert_frame_equal(quality.pop("calibration"), of_whole.pop("calibration"), rel_tol=1e-9)
    assert quality == pytest.approx(of_whole, rel=1e-9)
    assert_frame_equal(parts.side_by_side.table, whole.side_by_side.table, rel_tol=1e-9, abs_tol=1e-12)


def test_a_question_that_was_not_announced_is_answered(run: Run):
    """By another dimension, the parts are read once more."""
    parts = analysis_in_parts(run, 3)
    assert_frame_equal(parts.statistics.segments("country"), run.analysis.statistics.segments("country"))
    assert_frame_equal(parts.statistics.hourly("country"), run.analysis.statistics.hourly("country"))


def test_files_last_as_long_as_the_analysis(run: Run, tmp_path: Path):
    """They are in the folder that was named, and go with the object."""
    settings = run.scenario.analysis
    parts = EventsInParts(run.accepted.scan, 2, settings, folder=tmp_path)
    assert sum(table.height for table in parts) == run.analysis.n_events
    assert len(list(tmp_path.glob("*/part-*.parquet"))) == 2
    assert not list(tmp_path.glob("*/cut/*"))
    del parts
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_browsers_as_they_are(run: Run):
    """Without stitching, persons are not looked for, and the parts are those of browsers."""
    settings = run.scenario.analysis.model_copy(update={"stitch": False})
    whole = Analysis(lambda: _accepted(run), settings, observed_from=run.scenario.clock.start)
    tables = [_accepted(run).lazy()]
    parts = Analysis(EventsInParts(lambda: tables, 4, settings), settings, observed_from=run.scenario.clock.start)
    assert_frame_equal(parts.statistics.totals(), whole.statistics.totals())
    assert parts.coverage_warnings == whole.coverage_warnings
    assert parts.persons.browsers.equals(whole.persons.browsers)
