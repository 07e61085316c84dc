"""Claims about the analysis of events in parts: whatever the parts, it is that of all events."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.analysis import Analysis
from analytics.errors import AnalyticsError, EventFrameError
from analytics.report.trust import trust_checks
from analytics.sessions.partitions import NOT_ANALYSED
from analytics.settings import AnalyticsSettings
from analytics.statistics.prepared_events import EventsInParts
from analytics.store.hour import IN_ORDER
from scenarios.run.run import Run
from scenarios.scenario import Scenario

WORLDS = {
    "pricing-ab-test": {"traffic.visitors_per_day": 1500},
    "bot-storm": {"traffic.visitors_per_day": 1200},
    "ad-blocker-heavy": {"traffic.visitors_per_day": 4000, "clock.hours": 30},
}

BEGIN = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture(scope="module", params=WORLDS)
def run(request: pytest.FixtureRequest) -> Run:
    """A world with two arms, one with bots and one that loses events, doubles them and has clocks that are wrong."""
    return Scenario.load(request.param, WORLDS[request.param]).run(seed=4)


def analysis_in_parts(run: Run, n_parts: int) -> Analysis:
    """The analysis of the run's events, which come as two tables."""
    flat, settings, whole = _accepted(run), run.scenario.analysis, run.analysis
    tables = [flat[: flat.height // 3].lazy(), flat[flat.height // 3 :].lazy()]
    return Analysis(
        EventsInParts(lambda: tables, n_parts, order=IN_ORDER),
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
    for sentences in ("notes", "name_warnings", "n_suspected_bots"):
        assert getattr(parts, sentences) == getattr(whole, sentences)
    assert [*parts.coverage.warnings()] == [*whole.coverage.warnings()]
    assert [*trust_checks(parts)] == [*trust_checks(whole)]
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
    read = parts.events.columns
    assert set(whole.events.columns) - set(read) == NOT_ANALYSED - {"message_id"}
    assert_frame_equal(parts.events, whole.events.select(read).sort(IN_ORDER), categorical_as_str=True)


def test_a_question_that_was_not_announced_is_answered(run: Run):
    """By another dimension, the parts are read once more."""
    parts = analysis_in_parts(run, 3)
    assert_frame_equal(parts.statistics.segments("country"), run.analysis.statistics.segments("country"))
    assert_frame_equal(parts.statistics.hourly("country"), run.analysis.statistics.hourly("country"))


def test_files_last_as_long_as_the_analysis(run: Run, tmp_path: Path):
    """They are in the folder that was named, and go with the object."""
    parts = Analysis(EventsInParts(run.accepted.scan, 2, folder=tmp_path), run.scenario.analysis)
    assert parts.n_events == run.analysis.n_events
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
    parts = Analysis(EventsInParts(lambda: tables, 4), settings, observed_from=run.scenario.clock.start)
    assert_frame_equal(parts.statistics.totals(), whole.statistics.totals())
    assert [*parts.coverage.warnings()] == [*whole.coverage.warnings()]
    assert parts.persons.browsers.equals(whole.persons.browsers)


def foreign(seed: int) -> pl.DataFrame:
    """300 visitors: a tenth came three years before; in a visit two events have one time, and identifiers no order."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for visitor in range(300):
        begin = BEGIN - timedelta(days=1000) if visitor % 10 == 0 else BEGIN
        for number in range(int(rng.integers(1, 6))):
            time = begin + timedelta(hours=float(rng.random() * 200))
            event = {"type": "page", "event": None, "anonymous_id": f"a{visitor}", "timestamp": time}
            for again, country in enumerate(("DE", "FR")):
                identifier = f"m{visitor}-{number}-{1 - again}"
                page = {"context_page_path": f"/{again}", "context_location_country": country}
                rows.append(event | page | {"message_id": identifier, "context_group_id": f"{country}{visitor % 40}"})
            if rng.random() < 0.25:
                demo = {"type": "track", "event": "Demo Requested", "timestamp": time + timedelta(minutes=1)}
                rows.append(event | demo | {"message_id": f"r{visitor}-{number}"})
    return pl.DataFrame(rows)


@pytest.mark.parametrize("n_parts", [1, 16, 64])
def test_a_table_of_ones_own_is_the_same_in_parts(n_parts: int):
    """Events of one time count in the order given, and impossible clocks are judged by all events, once."""
    table, settings = foreign(n_parts), AnalyticsSettings()
    tables = [table[:700].lazy(), table[700:].lazy()]
    whole, parts = (
        Analysis(lambda: table, settings),
        Analysis(EventsInParts(lambda: tables, n_parts), settings),
    )
    assert parts.n_impossible_times == whole.n_impossible_times
    assert_frame_equal(parts.visits, whole.visits)
    assert_frame_equal(parts.statistics.segments("country"), whole.statistics.segments("country"))
    results = whole.side_by_side.results
    assert len(results) == 3
    for name, found in parts.side_by_side.results.items():
        assert (found.n_visits, found.n_requests) == (results[name].n_visits, results[name].n_requests), name


def test_a_table_a_day_may_have_other_columns():
    """What one lacks is null there; their order, and texts that are categories, do not matter."""
    table, settings = foreign(1), AnalyticsSettings()
    first = table[:700].drop("context_page_path").with_columns(pl.col("context_location_country").cast(pl.Categorical))
    later = table[700:].select(sorted(table.columns))
    whole = Analysis(lambda: pl.concat([first, later], how="diagonal_relaxed"), settings)
    parts = Analysis(EventsInParts(lambda: [first.lazy(), later.lazy()], 3), settings)
    assert_frame_equal(parts.visits, whole.visits)
    assert_frame_equal(parts.statistics.segments("country"), whole.statistics.segments("country"))


def test_planned_shares_are_those_of_the_analysis():
    """Shares and settings are given once, to the analysis."""
    table, settings = foreign(1), AnalyticsSettings()
    arm = pl.when(pl.col("anonymous_id").str.ends_with("1")).then(pl.lit("e=a")).otherwise(pl.lit("e=b"))
    events, shares = table.with_columns(context_experiments=arm), {"e": {"a": 0.9, "b": 0.1}}
    whole = Analysis(lambda: events, settings, arm_shares=shares).experiments.sample_ratios
    parts = Analysis(EventsInParts(lambda: events, 3), settings, arm_shares=shares).experiments.sample_ratios
    assert_frame_equal(parts, whole)
    assert whole["expected_share"].to_list() == [0.9, 0.1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EventsInParts([foreign(1)], 2), "must be a function that returns tables"),
        (lambda: EventsInParts(lambda: foreign(1), 2.5), "must be a whole number of at least 1"),
        (lambda: EventsInParts(lambda: foreign(1), 0), "must be a whole number of at least 1"),
        (lambda: EventsInParts(lambda: foreign(1), 2, folder="/no/such/folder"), "/no/such/folder: is no folder"),
        (lambda: EventsInParts(list, 2).read(), "there is no table of events"),
        (lambda: EventsInParts(lambda: pl.scan_parquet("/no/such"), 2).read(), "cannot be read as one: .*/no/such"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], EventsInParts], message: str):
    """At once, or when the tables are read."""
    with pytest.raises(AnalyticsError, match=message):
        make()


def test_what_are_no_events_is_refused_each_time():
    """As a table in memory is; a reader that failed once can be tried again, and nothing is counted twice."""
    settings, table = AnalyticsSettings(), foreign(1)
    for wrong in (table.drop("type"), table.with_columns(type=pl.lit(5)), table.with_columns(name=pl.lit([1]))):
        parts = Analysis(EventsInParts(lambda wrong=wrong: [wrong.lazy()], 2), settings)
        for _ in range(2):
            with pytest.raises(EventFrameError) as refused:
                _ = parts.n_events
        with pytest.raises(EventFrameError) as expected:
            _ = Analysis(lambda wrong=wrong: wrong, settings).n_events
        assert str(refused.value) == str(expected.value)
    calls = []

    def disturbed() -> list[pl.LazyFrame]:
        def fail_once(batch: pl.DataFrame) -> pl.DataFrame:
            calls.append(batch.height)
            if len(calls) == 3:
                raise OSError("the disk is gone")
            return batch

        return [table.lazy().map_batches(fail_once), table.clear().lazy()]

    again = Analysis(EventsInParts(disturbed, 2), settings)
    with pytest.raises((OSError, pl.exceptions.ComputeError), match="the disk is gone"):
        _ = again.n_events
    assert again.n_events == table.height


def test_a_file_that_is_read_in_short_is_an_error(monkeypatch: pytest.MonkeyPatch):
    """Polars loses the failure of a thread that reads a damaged file."""
    table, settings = foreign(1), AnalyticsSettings()
    batches = [table[:300], table[300:-1]]
    monkeypatch.setattr(pl.LazyFrame, "collect_batches", lambda *_, **__: iter(batches))
    with pytest.raises(AnalyticsError, match=rf"only {table.height - 1:,} of {table.height:,} rows can be read"):
        _ = Analysis(EventsInParts(lambda: [table.lazy()], 2), settings).n_events
