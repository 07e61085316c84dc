"""Claims about runs that workers share, from Python and in folders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from scenarios.errors import InputError
from scenarios.files.event_files import EventsFormat
from scenarios.run.folder import run_to_folder
from scenarios.run.pools import pool_of
from scenarios.run.run import Run
from scenarios.scenario import Scenario

SETTINGS = {
    "active_agents": "interacting",
    "clock.hours": 26,
    "traffic.visitors_per_day": 1000,
    "tracking.late_rate": 0.05,
    "tracking.malformed_rate": 0.05,
    "tracking.duplicate_rate": 0.05,
    "tracking.bots_per_day": 40,
    # A policy with a memory, which one process has.
    "sales.routing": {"use": "round_robin"},
    # Strategies that every worker has to know, and a budget that the world spends.
    "traffic.sources": {"post": {"use": "burst", "visitors": 300.0, "cost_per_click": 1.0, "budget": 150.0}},
    "site.navigation": {"use": "toward_page"},
}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A lossy day and two hours, of which most agents sleep through most."""
    return Scenario(name="shared").replace(SETTINGS)


@pytest.fixture(scope="module")
def alone(scenario: Scenario) -> Run:
    """The same in one process."""
    return scenario.run()


def check_same(run: Run, alone: Run) -> None:
    """Digest, events, labels, store and analysis are equal."""
    assert run.digest == alone.digest
    assert_frame_equal(run.events, alone.events)
    assert_frame_equal(run.labels, alone.labels)
    assert run.store.counts == alone.store.counts
    assert list(run.store.dead_letters) == list(alone.store.dead_letters)
    assert_frame_equal(run.statistics.hourly(), alone.statistics.hourly())
    for part in ("counts", "labels", "store", "digest", "active_agents"):
        assert run.manifest[part] == alone.manifest[part]


def test_processes_that_share_a_run_make_the_same(scenario: Scenario, alone: Run) -> None:
    """Two worker processes, with their own codes of categories, leave the events of one."""
    check_same(scenario.run(jobs=2), alone)


@pytest.mark.slow
def test_components_act_the_same_on_shared_runs(scenario: Scenario) -> None:
    """Whoever shares a run, visitors chat, come back after an e-mail and see a banner; probes measure the same."""
    parts = {"chat": {"use": "live_chat"}, "mail": {"use": "nurture_email", "delay_hours": 2.0}}
    late = {"banner": {"use": "discount_banner", "shown_below": 1000}}
    lively = scenario.replace({"components": parts | late, "probes": {"inbox": {"use": "queue_length"}}})
    alone, shared = lively.run(), lively.run(jobs=2)
    check_same(shared, alone)
    assert {"Live Chat Started", "Discount Shown"} <= set(alone.events["event"])
    assert_frame_equal(shared.outcome.probes["inbox"], alone.outcome.probes["inbox"])
    assert_frame_equal(shared.outcome.visits, alone.outcome.visits)
    assert shared.manifest["classes"] == alone.manifest["classes"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_a_shared_run_leaves_the_same_folder(
    scenario: Scenario, alone: Run, tmp_path: Path, form: EventsFormat
) -> None:
    """Every file but the manifest, which holds the time, and its checksum has the bytes of a folder of one process.

    The executor is one of the standard library, and is left running.
    The results of an analysis depend on these events alone.
    """
    one, other = tmp_path / "one", tmp_path / "other"
    run_to_folder(scenario, one, events=form, analyse=False)
    with ThreadPoolExecutor(1) as executor:
        run, manifest = run_to_folder(scenario, other, events=form, analyse=False, pool=pool_of(executor))
        assert executor.submit(int, "1").result() == 1
    assert manifest["digest"] == alone.digest
    check_same(run, alone)
    names = sorted(path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file())
    for name in set(names) - {"manifest.json", "SHA256SUMS"}:
        if name.endswith(".parquet"):
            assert_frame_equal(pl.read_parquet(one / name), pl.read_parquet(other / name))
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_small_run_is_not_shared(tmp_path: Path) -> None:
    """Where everybody lives on the clock there is nothing to share, and the run is as ever."""
    scenario = Scenario(name="small").replace({"clock.hours": 2, "traffic.visitors_per_day": 500})
    with ThreadPoolExecutor(1) as executor:
        run = scenario.run(executor=executor)
    assert run.active_agents == "all"
    assert run.digest == scenario.run().digest


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2"])
def test_a_number_of_workers_that_is_none_is_wrong_input(jobs: Any) -> None:
    """A number of jobs must be a whole number from 1 on."""
    with pytest.raises(InputError, match="1 or more"):
        Scenario.load("baseline").run(jobs=jobs)
