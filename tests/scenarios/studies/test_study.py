"""Claims about running studies: the same results however they are run, and whatever happens on the way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import numpy as np
import polars as pl
import pytest
from process_sessions import session

from scenarios.errors import InputError, OutputError
from scenarios.output_analysis.results import StudyResults
from scenarios.run.run import Run
from scenarios.scenario import Scenario
from scenarios.studies.execution import Progress
from scenarios.studies.replication import Replicated, light_run, replicate
from scenarios.study import Study, run_study

cloudpickle.register_pickle_by_value(sys.modules[__name__])

WORLD = "{name: tiny, clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}}"
TEXT = f"""name: tiny
scenario: {WORLD}
factors: {{tracking.duplicate_rate: [0.0, 0.2]}}
replications: 4
responses: {{visitors: counts.visitors, conversion: conversion()}}
"""
COMMAND = [sys.executable, "-c", "from scenarios.cli.app import main; main()", "study"]


@pytest.fixture(scope="module")
def study() -> Study:
    """Two points of four replications, each a fraction of a second."""
    return Study.parse(TEXT)


@pytest.fixture(scope="module")
def results(study: Study) -> StudyResults:
    """Its results."""
    return study.run(jobs=1)


def files(folder: Path) -> dict[str, bytes]:
    """The files of a study, except those that hold the time."""
    names = ("study.yaml", "design.csv", "replications.parquet", "summary.csv", "differences.csv")
    return {name: (folder / name).read_bytes() for name in names}


def test_a_replication_is_the_run_of_the_same_seed_and_number(study: Study, results: StudyResults):
    """A study has the values of `Scenario.run` of the point's scenario, replication by replication."""
    expected = [
        {"point": point.number, "replication": number, "response": name, "value": run.measure(expression)}
        for point in study.points
        for number in range(4)
        for run in [study.scenario_of(point).run(seed=7, replication=number)]
        for name, expression in study.settings.responses.items()
    ]
    assert results.replications.to_dicts() == expected


@pytest.mark.parametrize("name", ["baseline", "ad-blocker-heavy", "sales-bottleneck"])
def test_a_light_run_has_the_same_events_as_any_other(name: str):
    """What a replication leaves out (who lives on the clock, the digest) changes nothing that was accepted."""
    scenario = Scenario.load(name, ["traffic.visitors_per_day=1500", "clock.hours=6"])
    study = Study.from_dict({"name": "s", "scenario": scenario.to_data(), "responses": {"n": "store.accepted"}})
    light = light_run(study.replication(study.points[0], 2))
    whole = scenario.replace(active_agents="all").run(seed=7, replication=2)
    assert light.analysis.events.equals(whole.analysis.events)
    assert light.outcome.counts == whole.outcome.counts
    assert light.store.counts == whole.store.counts


def test_the_store_takes_events_in_only_when_they_are_asked_about():
    """Where no response is about the events, none are taken in; the numbers are the same."""
    plain = {"name": "s", "scenario": Scenario.parse(WORLD).to_data()}
    world = {"visitors": "counts.visitors", "people": "people.persons"}
    counts = Scenario.parse(WORLD).run().outcome.counts
    for responses, is_taken_in in ((world, False), ({**world, "seen": "visitors()"}, True)):
        study = Study.from_dict({**plain, "responses": responses})
        run = light_run(study.replication(study.points[0], 0))
        assert (run.store.counts.received > 0) == is_taken_in
        assert run.outcome.counts == counts


@pytest.mark.slow
def test_workers_import_the_policies_that_a_study_compares():
    """A policy is a factor as any setting, and the waits behind it are the same on one worker and on two."""
    teams = "{europe: {sdrs: {headcount: 1}}, default: {sdrs: {headcount: 1}}}"
    world = WORLD.replace("intent", f"sales: {{routing: {{use: by_region}}, teams: {teams}}}, intent")
    text = f"""name: s
scenario: {world.replace("hours: 1", "hours: 24")}
factors: {{sales.routing.use: [by_region, round_robin, least_loaded]}}
overrides: {{traffic.visitors_per_day: 400}}
replications: 2
responses: {{wait: sales.response_minutes_mean}}
"""
    one, two = (Study.parse(text).run(jobs=jobs).replications for jobs in (1, 2))
    assert one.equals(two)
    assert one.group_by("replication").agg(pl.col("value").n_unique())["value"].to_list() == [3, 3]


def test_results_are_the_same_bytes_however_they_are_run(study: Study, tmp_path: Path):
    """In this process, on two workers and on an executor of the caller every file but the manifest is the same."""
    run_study(study, jobs=1, folder=tmp_path / "one")
    run_study(study, jobs=2, folder=tmp_path / "two")
    with ThreadPoolExecutor(2) as executor:
        study.run(executor=executor, folder=tmp_path / "threads")
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "threads")
    manifest = json.loads((tmp_path / "two" / "manifest.json").read_text())
    assert manifest["counts"] == {"points": 2, "replications": 8, "failures": 0}


def test_points_share_random_numbers(results: StudyResults):
    """With common random numbers what a factor does not touch is the same at every point; without, it is not."""
    by_point = results.wide.select("point", "replication", "visitors").pivot("point", index="replication")
    assert by_point["0"].to_list() == by_point["1"].to_list()
    apart = Study.parse(TEXT + "common_random_numbers: false\n").run(jobs=1).wide
    by_point = apart.select("point", "replication", "visitors").pivot("point", index="replication")
    assert by_point["0"].to_list() != by_point["1"].to_list()
    assert len(set(by_point["0"])) > 1


def test_the_difference_of_two_equal_scenarios_is_exactly_zero():
    """Two names of one world have the same numbers, with all of the variance saved; they are run once."""
    one, totals = Scenario.parse(WORLD), []
    data = {"name": "s", "replications": 5, "responses": {"visitors": "counts.visitors"}}
    study = Study.from_dict({**data, "scenarios": [one.to_data(), one.replace(name="other", seed=9).to_data()]})
    (row,) = study.run(jobs=1, progress=lambda _, total: totals.append(total)).differences.to_dicts()
    assert (row["difference"], row["se"], row["ci_low"], row["ci_high"]) == (0.0, 0.0, None, None)
    assert row["variance_saved"] == 1.0
    assert max(totals) == 5


class Stopped(Exception):  # noqa: N818 - not an error: the study is stopped
    """The study is stopped from outside."""


def stop_after(n: int) -> Progress:
    """Stops a study when so many replications are done."""

    def report(done: int, total: int) -> None:
        if done >= n:
            raise Stopped

    return report


def test_a_stopped_study_is_resumed(study: Study, tmp_path: Path):
    """What is finished is not run again, an incomplete line is, and the results are the same.

    Numbers in the journal keep all their digits.
    """
    study.run(jobs=1, folder=tmp_path / "whole")
    for n in (1, 3, 6):
        with pytest.raises(Stopped):
            study.run(jobs=1, folder=tmp_path / "parts", progress=stop_after(n))
    journal = tmp_path / "parts" / "journal.ndjson"
    lines = journal.read_bytes()
    assert lines.count(b"\n") == 6
    first = json.loads(lines.splitlines()[0])
    made = replicate(study.replication(study.points[0], 0))
    assert Replicated(first["key"], first["number"], tuple(first["values"])) == made
    journal.write_bytes(lines[:-20])
    reported: list[tuple[int, int]] = []
    study.run(jobs=1, folder=tmp_path / "parts", progress=lambda done, total: reported.append((done, total)))
    assert reported == [(5, 8), (6, 8), (7, 8), (8, 8)]
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("n_kills", "n_replications"), [(2, 40), pytest.param(20, 250, marks=pytest.mark.validation)])
def test_a_killed_study_ends_with_the_same_bytes(tmp_path: Path, n_kills: int, n_replications: int):
    """Killed with its workers by kill -9 at random moments, a study resumes and ends with the same bytes."""
    file, journal, moments = tmp_path / "study.yaml", tmp_path / "killed/journal.ndjson", np.random.default_rng(1)
    file.write_text(TEXT.replace("replications: 4", f"replications: {n_replications}"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for number in range(n_kills):
        command = [*COMMAND, str(file), "--out", str(tmp_path / "killed"), "--jobs", str(1 + number % 2), "--quiet"]
        before = journal.read_bytes() if journal.exists() else b""
        process = subprocess.Popen(command, start_new_session=True, env=environment)
        deadline = time.monotonic() + 60
        # Killed some time after it has begun to write, so that it gets on a little.
        while (not journal.exists() or journal.read_bytes() == before) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.15))
        assert process.poll() is None, f"it ended after {number} kills; give it more to do"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    study = Study.load(file)
    study.run(jobs=2, folder=tmp_path / "killed")
    study.run(jobs=2, folder=tmp_path / "whole")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_a_changed_study_is_refused_with_the_difference(study: Study, tmp_path: Path):
    """Nothing is written into the folder of another study, whose difference is shown, nor into a foreign folder."""
    study.run(jobs=1, folder=tmp_path / "s")
    before = files(tmp_path / "s")
    for change, shown in [("replications: 5", "+replications: 5"), ("seed: 8", "+seed: 8")]:
        changed = TEXT.replace("replications: 4", change)
        with pytest.raises(OutputError) as caught:
            Study.parse(changed).run(jobs=1, folder=tmp_path / "s")
        assert shown in str(caught.value)
        assert len(str(caught.value).splitlines()) < 15
    assert files(tmp_path / "s") == before
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "letter.txt").write_text("Dear Sir or Madam")
    with pytest.raises(OutputError, match="not a study"):
        study.run(jobs=1, folder=tmp_path / "foreign")


def test_two_processes_do_not_share_a_folder(study: Study, tmp_path: Path):
    """While a study runs in a folder, another is turned away."""

    def once_more(done: int, total: int) -> None:
        with pytest.raises(OutputError, match="another process"):
            study.run(jobs=1, folder=tmp_path)
        raise Stopped

    with pytest.raises(Stopped):
        study.run(jobs=1, folder=tmp_path, progress=once_more)


def test_failures_are_data(tmp_path: Path):
    """A response without a value is reported with the reason, and with a command that shows it again."""
    text = f"""name: faulty
scenario: {WORLD}
overrides: {{intent.intercept: -50.0}}
factors: {{clock.hours: [1, 2], population.accounts: [50, 60]}}
replications: 2
responses: {{visitors: counts.visitors, effect: coefficient("pricing_page_view"), p: p_value("pricing_page_view")}}
"""
    results = Study.parse(text).run(jobs=1, folder=tmp_path / "s s")
    assert len(results.failures) == 4 * 2
    failures = [json.loads(line) for line in (tmp_path / "s s" / "failures.ndjson").read_text().splitlines()]
    assert failures == results.failures
    last = failures[-1]
    assert (last["point"], last["replication"], last["stage"]) == (3, 1, "read")
    assert last["responses"] == ["effect", "p"]
    assert "no visit" in last["message"]
    assert last["replay"] == f"funnelsim study '{tmp_path / 's s' / 'study.yaml'}' --rerun 3:1"
    summary = results.summary.filter(pl.col("point") == 3, pl.col("response") == "effect").row(0, named=True)
    assert (summary["n"], summary["n_missing"], summary["mean"]) == (0, 2, None)


def test_a_point_without_a_valid_scenario_does_not_end_the_study():
    """A point whose values are each valid, but not together, has no replications but a reason; the others run."""
    factors = "factors: {intent.intercept: [-2.0, -3.0], visits.gap_hours: [1.0, 2.0]}"
    text = TEXT.replace("factors: {tracking.duplicate_rate: [0.0, 0.2]}", factors)
    study = Study.parse(text.replace("replications: 4", "replications: 1"))
    point = study.points[2]
    object.__setattr__(point, "values", {**point.values, "visits.gap_hours": -1.0})
    results = study.run(jobs=1)
    assert results.wide["point"].to_list() == [0, 1, 3]
    (failure,) = results.failures
    assert (failure["point"], failure["replication"], failure["stage"]) == (2, None, "settings")
    assert "visits.gap_hours: must be" in failure["message"]


def seen_visitors(run: Run) -> float:
    """A response as a function; of some replications there is none, and one ends its process."""
    if run.replication == 1:
        raise ValueError("never on a Sunday")
    if run.replication == 2:
        return float("nan")
    if run.replication == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return float(run.outcome.counts["visitors"])


@pytest.mark.slow
def test_functions_are_responses_too_and_what_they_break_is_data(tmp_path: Path):
    """A function that raises, gives no number or kills its worker costs its own replication and no other.

    A folder takes none, because a resumed study could not check that the function is still the same.
    """
    study = Study.parse(TEXT, functions={"seen": seen_visitors})
    results = study.run(jobs=2)
    seen = results.replications.filter(pl.col("response") == "seen")
    visitors = results.replications.filter(pl.col("response") == "visitors")
    assert seen["value"].to_list() == [visitors["value"][0], None, None, None, visitors["value"][4], None, None, None]
    stages = [(failure["stage"], failure["replication"]) for failure in results.failures]
    assert stages == [("read", 1), ("read", 2), ("worker", 3)] * 2
    messages = "\n".join(failure["message"] for failure in results.failures)
    assert "ValueError: never on a Sunday" in messages
    assert "is not a finite number" in messages
    assert "TerminatedWorkerError" in messages
    with pytest.raises(InputError, match="functions"):
        study.run(folder=tmp_path / "s")


def test_an_interruption_is_no_failure(study: Study):
    """Ctrl-C within a replication stops the study; it is not taken for something the replication did."""

    def interrupt(_: Run) -> float:
        raise KeyboardInterrupt

    interrupted = Study.parse(TEXT, functions={"seen": interrupt})
    with pytest.raises(KeyboardInterrupt):
        replicate(interrupted.replication(study.points[0], 0))


PRECISE = TEXT.replace("replications: 4", "replications: {min: 10, max: 60, precision: {visitors: {relative: 0.07}}}")


@pytest.mark.slow
def test_replications_end_when_they_are_enough(tmp_path: Path):
    """However it is stopped and run, each point has the replications of the rule, and no more."""
    study = Study.parse(PRECISE)
    whole = study.run(jobs=1, folder=tmp_path / "whole")
    n = whole.summary.filter(pl.col("response") == "visitors")["n"].to_list()
    assert all(10 < each < 60 for each in n)
    for row in whole.summary.filter(pl.col("response") == "visitors").iter_rows(named=True):
        half = (row["ci_high"] - row["ci_low"]) / 2
        assert half <= 0.07 * (row["mean"] - half) + 1e-9
    with pytest.raises(Stopped):
        study.run(jobs=1, folder=tmp_path / "parts", progress=stop_after(7))
    study.run(jobs=2, folder=tmp_path / "parts")
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_results_show_their_estimates_and_calibration(results: StudyResults):
    """A study of estimates has a panel per term and shows its table in a notebook; without estimates it is an error."""
    world = "{name: tiny, clock: {hours: 4}, traffic: {visitors_per_day: 20000}, intent: {intercept: -2.0}}"
    estimated = Study.parse(f"{{name: t, scenario: {world}, replications: 3, estimates: all}}").run(jobs=1)
    table = estimated.calibration
    assert set(table["term"]) == set(estimated.estimates.drop_nulls("true_coefficient")["term"])
    assert set(table["point"]) == {0}
    assert len(estimated.calibration_chart().concat) == table["term"].n_unique()
    shown = estimated._repr_html_()
    assert "&lt;Results of t: 1 points, 3 replications&gt;" in shown
    assert "security_page_view" in shown
    assert results.calibration.is_empty()
    assert "visitors" in results._repr_html_()
    with pytest.raises(InputError, match="estimates: all"):
        results.calibration_chart()


def test_a_disk_that_is_full_at_the_first_write_leaves_a_usable_folder(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is left of the study; what a killed process has left of its first write does not matter either."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left on device"):
            study.run(jobs=1, folder=tmp_path / "s")
    assert list((tmp_path / "s").iterdir()) == []
    (tmp_path / "s/.study.yaml.partial").write_text("name: s")
    study.run(jobs=1, folder=tmp_path / "s")
    assert not (tmp_path / "s/.study.yaml.partial").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_when_their_study_is_killed(tmp_path: Path):
    """After kill -9 of the study alone no process of it is left within some seconds."""
    file, journal = tmp_path / "study.yaml", tmp_path / "s/journal.ndjson"
    file.write_text(TEXT.replace("replications: 4", "replications: 500"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*COMMAND, str(file), "--out", str(tmp_path / "s"), "--jobs", "2", "--quiet"]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    deadline = time.monotonic() + 100
    while not (journal.exists() and journal.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(session(process.pid)) >= 3
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while (left := session(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
