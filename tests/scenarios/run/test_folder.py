"""Claims about runs and the folders they leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.ndjson import decode
from scenarios.cli.run_text import run_summary
from scenarios.errors import OutputError
from scenarios.files import versions as memory
from scenarios.files.atomic_folder import new_folder
from scenarios.files.digest import digest_of
from scenarios.files.event_files import EventsFormat
from scenarios.run.folder import default_folder, run_to_folder
from scenarios.run.run import Run
from scenarios.scenario import Scenario

MANIFEST = {"kind": "run", "versions": {}}
SMALL = {"clock.hours": 3, "traffic.visitors_per_day": 2000}

TINY = {"clock.hours": 1, "traffic.visitors_per_day": 200}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Three hours of a small site."""
    return Scenario(name="small").replace(SMALL)


@pytest.fixture(scope="module")
def run(scenario: Scenario) -> Run:
    """The small scenario, run in memory."""
    return scenario.run()


def files(folder: Path) -> list[str]:
    """All files beneath a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_run_answers_for_itself(run: Run) -> None:
    """Events, store, statistics, truth, sales and manifest agree on what happened."""
    counts = run.manifest["counts"]
    assert run.events.schema == EVENT_SCHEMA
    assert counts["events"] == run.events.height == run.store.counts.received == run.store.counts.accepted
    assert counts["page_views"] == run.statistics.totals()["page_views"].item() == run.store.counts_by_type["page"]
    assert counts["demo_requests"] == run.sales.requests.height
    assert run.truth.coefficients["security_page_view"] > 0
    assert run.manifest["digest"] == digest_of(run.events)


def test_a_seed_decides_everything(scenario: Scenario, run: Run) -> None:
    """Equal seeds have equal digests, other seeds and replications others, and 0 is a seed."""
    digests = [scenario.run(seed=7).digest, scenario.run(seed=0).digest, scenario.run(seed=7, replication=1).digest]
    assert digests[0] == run.digest
    assert len(set(digests)) == 3


def test_a_run_folder_holds_all_it_takes(scenario: Scenario, run: Run, tmp_path: Path) -> None:
    """The folder has the promised files, and they agree with the run in memory."""
    folder = tmp_path / "deep" / "out"
    _, manifest = run_to_folder(scenario, folder)
    wanted = {"manifest.json", "scenario.yaml", "events.parquet", "dead_letters.ndjson", "truth.json", "model.json"}
    assert wanted <= set(files(folder))
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert pl.read_parquet(folder / "events.parquet").equals(run.events)
    assert Scenario.load(folder / "scenario.yaml") == scenario
    assert pl.read_csv(folder / "statistics" / "totals.csv")["page_views"].item() == manifest["counts"]["page_views"]
    without_timings = {key: value for key, value in run.manifest.items() if key != "timings"}
    assert {key: value for key, value in manifest.items() if key != "timings"} == without_timings
    assert files(tmp_path / "deep") == sorted(["out", *(f"out/{name}" for name in files(folder))])


def test_two_runs_leave_the_same_bytes(scenario: Scenario, tmp_path: Path) -> None:
    """But for the manifest's timings and the report, equal runs leave equal files."""
    for name in ("a", "b"):
        run_to_folder(scenario, tmp_path / name)
    for name in files(tmp_path / "a"):
        first, second = tmp_path / "a" / name, tmp_path / "b" / name
        if first.is_file() and name not in {"manifest.json", "report.html"}:
            assert first.read_bytes() == second.read_bytes(), name


@pytest.mark.parametrize(("form", "there"), [("ndjson", ["events.ndjson"]), ("none", [])])
def test_events_are_kept_in_the_form_that_was_asked_for(
    scenario: Scenario, run: Run, tmp_path: Path, form: EventsFormat, there: list[str]
) -> None:
    """NDJSON reads back as the events of the run; `none` leaves results only."""
    run_to_folder(scenario, tmp_path / "out", events=form, analyse=False)
    assert [name for name in files(tmp_path / "out") if name.startswith("events")] == there
    for name in there:
        assert digest_of(decode(tmp_path / "out" / name).frame) == run.digest


def test_a_model_that_cannot_be_fitted_says_why(scenario: Scenario, tmp_path: Path) -> None:
    """With hardly any visitors there is a folder all the same, with the reason in place of coefficients."""
    run_to_folder(scenario.replace({"traffic.visitors_per_day": 5}), tmp_path / "out")
    model = json.loads((tmp_path / "out" / "model.json").read_text())
    assert model["coefficients"] == []
    assert model["error"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_nothing_half_written_stays(scenario: Scenario, tmp_path: Path, interruption: type[BaseException]) -> None:
    """Whatever stops a run, its folder is not there, nor are hidden remains or new folders above it."""

    def stop(_share: float) -> None:
        raise interruption

    with pytest.raises(interruption):
        run_to_folder(scenario, tmp_path / "new" / "out", events="ndjson", progress=stop)
    assert files(tmp_path) == []


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[Path]:
    """A folder of an earlier run."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "model.json").write_text("old")
    return folder


def test_an_earlier_run_is_replaced_whole(earlier: Path) -> None:
    """The new folder takes the place of the old one, of which nothing stays."""
    with new_folder(earlier) as working:
        (working / "manifest.json").write_text("new")
        assert files(earlier) == ["manifest.json", "model.json"]
    assert files(earlier.parent) == ["out", "out/manifest.json"]


def test_an_earlier_run_outlives_a_failure(earlier: Path) -> None:
    """When the new run fails the old one still stands."""
    with pytest.raises(RuntimeError), new_folder(earlier):
        raise RuntimeError
    assert files(earlier.parent) == ["out", "out/manifest.json", "out/model.json"]


def test_what_funnelsim_did_not_make_is_not_replaced(tmp_path: Path) -> None:
    """A folder of other things and a file are refused and left as they are; an empty folder is taken."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OutputError, match="is a folder that funnelsim did not make"), new_folder(tmp_path / "thesis"):
        pass
    with pytest.raises(OutputError, match="is a file"), new_folder(tmp_path / "file"):
        pass
    with new_folder(tmp_path / "empty") as working:
        (working / "x").write_text("x")
    assert files(tmp_path) == ["empty", "empty/x", "file", "thesis", "thesis/chapter.txt"]


@pytest.mark.parametrize(
    ("manifest", "other"),
    [
        ({"manifest_version": 3, "name": "a browser extension"}, "model.json"),
        ({"kind": "run"}, "model.json"),
        ({"kind": "study", "versions": {}}, "model.json"),
        ([MANIFEST], "model.json"),
        (MANIFEST, "thesis.txt"),
        (MANIFEST, ".git"),
    ],
)
def test_a_manifest_does_not_make_a_folder_ours(tmp_path: Path, manifest: object, other: str) -> None:
    """Other tools write a manifest.json too, and people put their work into our folders: both are left as they are."""
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / other).write_text("years of work")
    with pytest.raises(OutputError, match="funnelsim did not"), new_folder(tmp_path):
        pass
    assert files(tmp_path) == sorted(["manifest.json", other])


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_events_of_a_run_folder_can_still_be_asked_for(scenario: Scenario, tmp_path: Path, form: EventsFormat) -> None:
    """The events have moved into the folder; the run reads them there."""
    tiny, _ = run_to_folder(scenario.replace(TINY), str(tmp_path / "out"), events=form, analyse=False)
    assert digest_of(tiny.events) == tiny.digest


def test_events_that_were_not_kept_are_missed_with_a_reason(scenario: Scenario, tmp_path: Path) -> None:
    """A run that was told to keep no events says so when asked for them."""
    tiny, _ = run_to_folder(scenario.replace(TINY), tmp_path / "out", events="none", analyse=False)
    with pytest.raises(OutputError, match="were not kept"):
        _ = tiny.events


def test_a_run_in_memory_can_be_saved(scenario: Scenario, tmp_path: Path) -> None:
    """A notebook's run leaves the folder that the command line would have left; a second time replaces the first."""
    tiny = scenario.replace(TINY).run()
    run_to_folder(tiny.scenario, tmp_path / "streamed")
    for _ in range(2):
        tiny.save(str(tmp_path / "saved"))
    assert files(tmp_path / "saved") == files(tmp_path / "streamed")
    assert pl.read_parquet(tmp_path / "saved" / "events.parquet").equals(tiny.events)


def test_what_goes_on_after_the_simulation_is_announced(scenario: Scenario, tmp_path: Path) -> None:
    """The wait after the simulation is not silent: each step says its name."""
    said: list[str] = []
    run_to_folder(scenario.replace(TINY), tmp_path / "out", announce=said.append)
    assert said == ["Writing events and results", "Analysing", "Writing the report"]


def test_events_that_do_not_fit_into_memory_are_kept_and_not_analysed(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the analysis would take more memory than is free it is not begun: the events are there, and why is told."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 1024)
    run, manifest = run_to_folder(scenario.replace(TINY), tmp_path / "out")
    assert "takes about 0.0 GB" in manifest["not_analysed"]
    assert "claims" not in manifest
    assert pl.read_parquet(tmp_path / "out" / "events.parquet").equals(run.events)
    assert not (tmp_path / "out" / "report.html").exists()
    summary = run_summary(run, tmp_path / "out", analysed=False, not_analysed=manifest["not_analysed"])
    assert "not analysed: the analysis of" in str(summary)
    monkeypatch.undo()
    assert "not_analysed" not in run_to_folder(scenario.replace(TINY), tmp_path / "out")[1]


def test_a_place_that_cannot_be_written_is_told_before_the_work_begins(tmp_path: Path) -> None:
    """A folder beneath a file cannot be: one message, and no folder on the way stays."""
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(OutputError, match="cannot be written: Not a directory"),
        new_folder(tmp_path / "file" / "a" / "b"),
    ):
        pass
    assert files(tmp_path) == ["file"]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    """Written through a link, the folder it points to is replaced and the link stays."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    with new_folder(tmp_path / "link") as working:
        (working / "x").write_text("x")
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "disk") == ["x"]


def test_a_run_that_is_not_told_where_goes_to_a_folder_of_its_name(scenario: Scenario) -> None:
    """The default folder names scenario and seed."""
    assert default_folder(scenario, 0) == Path("runs/small-seed0")
