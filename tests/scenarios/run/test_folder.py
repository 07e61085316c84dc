"""Claims about runs and the folders they leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.events.tracking_plan import EVENT_SCHEMA
from scenarios.cli.text.runs import run_summary
from scenarios.errors import OutputError
from scenarios.files import versions as memory
from scenarios.files.atomic_folder import new_folder
from scenarios.files.checksums import CHECKSUMS
from scenarios.files.digest import digest_of
from scenarios.files.event_files import EventsFormat
from scenarios.files.run_folder import read_events
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
    """Events, store, statistics, truth, sales and manifest agree; the folder is named after scenario and seed."""
    counts = run.manifest["counts"]
    assert run.events.schema == EVENT_SCHEMA
    assert counts["events"] == run.events.height == run.store.counts.received == run.store.counts.accepted
    assert counts["page_views"] == run.statistics.totals()["page_views"].item() == run.store.counts_by_type["page"]
    assert counts["demo_requests"] == run.sales.requests.height
    assert run.truth.coefficients["security_page_view"] > 0
    assert run.manifest["digest"] == digest_of(run.events)
    assert default_folder(run.scenario, 0) == Path("runs/small-seed0")


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


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a run folder that depend on nothing but the scenario and the seed."""
    names = [name for name in files(folder) if (folder / name).is_file()]
    timed = {"manifest.json", "report.html", CHECKSUMS}
    return {name: (folder / name).read_bytes() for name in names if name not in timed}


def test_two_runs_leave_the_same_bytes(scenario: Scenario, tmp_path: Path) -> None:
    """Equal runs that are streamed into folders leave equal files; saved ones too, as another test shows."""
    for name in ("a", "b"):
        run_to_folder(scenario.replace(TINY), tmp_path / name, analyse=False)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("form", ["parquet", "ndjson", "none"])
def test_events_are_kept_in_the_chosen_form(scenario: Scenario, tmp_path: Path, form: EventsFormat) -> None:
    """The file reads back as the events of the run, which reads them there; `none` keeps results only."""
    tiny, _ = run_to_folder(scenario.replace(TINY), str(tmp_path / "out"), events=form, analyse=False)
    there = [name for name in files(tmp_path / "out") if name.startswith("events")]
    if form == "none":
        assert there == []
        with pytest.raises(OutputError, match="were not kept"):
            _ = tiny.events
    else:
        assert there == [f"events.{form}"]
        assert digest_of(read_events(tmp_path / "out" / there[0])) == digest_of(tiny.events) == tiny.digest


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


def test_an_earlier_run_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """When the new run fails the old folder stays; when it is written, nothing of the old one does."""
    earlier = tmp_path / "out"
    earlier.mkdir()
    (earlier / "manifest.json").write_text(json.dumps(MANIFEST))
    (earlier / "model.json").write_text("old")
    with pytest.raises(RuntimeError), new_folder(earlier):
        raise RuntimeError
    assert files(tmp_path) == ["out", "out/manifest.json", "out/model.json"]
    with new_folder(earlier) as working:
        (working / "manifest.json").write_text("new")
        assert files(earlier) == ["manifest.json", "model.json"]
    assert files(tmp_path) == ["out", "out/SHA256SUMS", "out/manifest.json"]


def test_what_funnelsim_did_not_make_is_not_replaced(tmp_path: Path) -> None:
    """A folder of other things, a file and a path beneath one are refused and left; an empty folder is replaced."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OutputError, match="is a folder that funnelsim did not make"), new_folder(tmp_path / "thesis"):
        pass
    with pytest.raises(OutputError, match="is a file"), new_folder(tmp_path / "file"):
        pass
    beneath = tmp_path / "file" / "a" / "b"
    with pytest.raises(OutputError, match="cannot be written: Not a directory"), new_folder(beneath):
        pass
    with new_folder(tmp_path / "empty") as working:
        (working / "x").write_text("x")
    assert files(tmp_path) == ["empty", "empty/SHA256SUMS", "empty/x", "file", "thesis", "thesis/chapter.txt"]


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


@pytest.mark.slow
def test_a_run_in_memory_can_be_saved(scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the files of a streamed run, which announces each step; an equal run there leaves the same bytes."""
    announced: list[str] = []
    streamed, _ = run_to_folder(scenario.replace(TINY), tmp_path / "streamed", announce=announced.append)
    assert announced == ["Writing events and results", "Analysing", "Writing the report"]
    # The report takes most of the time, and has claims of its own.
    monkeypatch.setattr("scenarios.run.run._write_report", lambda path, _: path.touch())
    tiny = streamed.scenario.run()
    tiny.save(str(tmp_path / "saved"))
    first = contents(tmp_path / "saved")
    tiny.scenario.run().save(tmp_path / "saved")
    assert contents(tmp_path / "saved") == first
    assert files(tmp_path / "saved") == files(tmp_path / "streamed")
    assert pl.read_parquet(tmp_path / "saved" / "events.parquet").equals(tiny.events)


def test_events_that_do_not_fit_into_memory_are_kept_and_not_analysed(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the analysis would take more memory than is free, the events are kept and the manifest has the reason."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 1024)
    run, manifest = run_to_folder(scenario.replace(TINY), tmp_path / "out")
    assert "takes more than 0.0 MB of memory, and 0.0 MB are free" in manifest["not_analysed"]
    assert "claims" not in manifest
    assert pl.read_parquet(tmp_path / "out" / "events.parquet").equals(run.events)
    assert not (tmp_path / "out" / "report.html").exists()
    summary = run_summary(run, tmp_path / "out", analysed=False, not_analysed=manifest["not_analysed"])
    assert "not analysed: the analysis of" in str(summary)
    monkeypatch.undo()
    assert "not_analysed" not in run_to_folder(scenario.replace(TINY), tmp_path / "out")[1]


def test_events_that_do_not_fit_into_memory_are_analysed_in_parts(scenario: Scenario, tmp_path: Path) -> None:
    """With little memory the results are the same, and nothing that was made on the way is left."""
    small = scenario.replace({"clock.hours": 30, "traffic.visitors_per_day": 3000})
    whole, manifest = run_to_folder(small, tmp_path / "whole")
    n = whole.store.counts.accepted
    steps: list[str] = []
    parts, of_parts = run_to_folder(small, tmp_path / "parts", memory=n * 400, announce=steps.append)
    assert "Analysing in 4 parts" in steps
    assert (whole.n_parts, parts.n_parts) == (1, 4)
    assert of_parts["claims"] == manifest["claims"]
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    for table in (tmp_path / "whole" / "statistics").iterdir():
        assert (tmp_path / "parts" / "statistics" / table.name).read_bytes() == table.read_bytes(), table.name
    fits = [parts.analysis.intent.coefficients, whole.analysis.intent.coefficients]
    assert_frame_equal(*fits, rel_tol=1e-10, abs_tol=1e-12)


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    """Written through a link, the folder it points to is replaced and the link stays."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    with new_folder(tmp_path / "link") as working:
        (working / "x").write_text("x")
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "disk") == ["SHA256SUMS", "x"]
