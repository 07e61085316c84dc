"""A run that is read back from its folder equals the run that was made."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from run_folders import without_checksums

from scenarios import InputError, SavedRun, Scenario, load_run
from scenarios.files import versions
from scenarios.files.checksums import CHECKSUMS
from scenarios.files.event_files import EventsFormat
from scenarios.run.events_analysis import analyze
from scenarios.run.folder import run_to_folder
from scenarios.run.run import Run
from scenarios.saved_run import _release

# Enough requests to fit the model; late, repeated and broken lines, so that the store has something to decide.
CHANGES = {
    "clock.hours": 48,
    "traffic.visitors_per_day": 500,
    "intent.target_conversion": 0.15,
    "intent.conversion_unit": "visitor",
    "tracking.late_rate": 0.1,
    "tracking.late_minutes": 1800,
    "tracking.duplicate_rate": 0.03,
    "tracking.malformed_rate": 0.02,
}
FORMATS: tuple[EventsFormat, ...] = ("parquet", "ndjson", "none")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A run, and the folder that holds a run folder of it for each format of events."""
    folder = tmp_path_factory.mktemp("runs")
    run = Scenario(name="dirty").replace(CHANGES).run()
    with pytest.MonkeyPatch.context() as patch:
        # The report takes most of the time, and is not read back.
        patch.setattr("scenarios.run.run._write_report", lambda *_: None)
        for form in FORMATS:
            run.save(folder / form, form)
    # Only a run that is streamed into its folder keeps broken lines beside the events.
    run_to_folder(run.scenario, folder / "streamed", events="ndjson", analyse=False)
    return folder, run


@pytest.fixture(scope="module")
def run(made: tuple[Path, Run]) -> Run:
    """The run in memory."""
    return made[1]


@pytest.fixture(scope="module", params=[*FORMATS, "streamed"])
def saved(made: tuple[Path, Run], request: pytest.FixtureRequest) -> SavedRun:
    """The run from each folder."""
    return load_run(made[0] / request.param)


def test_what_was_run_is_read_back(run: Run, saved: SavedRun) -> None:
    """Scenario, seed, truth, labels, people, companies and dead letters are those of the run."""
    assert saved.scenario == run.scenario
    assert (saved.seed, saved.replication, saved.truth) == (run.seed, run.replication, run.truth)
    assert saved.manifest["digest"] == run.digest
    assert saved.manifest["labels"] == run.manifest["labels"]
    assert saved.manifest["store"]["late"] > 0
    assert saved.dead_letters == tuple(run.store.dead_letters)
    for frame, of_run in ((saved.labels, run.labels), (saved.people, run.people), (saved.accounts, run.accounts)):
        assert_frame_equal(frame, of_run)
    assert f"{run.outcome.counts['events']:,} events" in repr(saved)
    assert saved._repr_html_() == run._repr_html_()


def test_results_are_read_back_to_the_last_digit(run: Run, saved: SavedRun) -> None:
    """Tables and coefficients in the files are those of the analysis; without an analysis there are none."""
    assert saved.tables["sales_by_region"].equals(run.sales.by_region, null_equal=True)
    if "claims" not in saved.manifest:
        assert "totals" not in saved.tables
        with pytest.raises(InputError, match=r"model.json: is missing; the run was saved without an analysis"):
            _ = saved.coefficients
        return
    for name, table in run.analysis.tables().items():
        assert_frame_equal(saved.tables[name], table, check_dtypes=False, check_exact=True)
    common = run.intent.coefficients.columns
    assert_frame_equal(saved.coefficients.select(common), run.intent.coefficients, check_dtypes=False, check_exact=True)


def test_the_analysis_is_made_again_from_the_events(run: Run, saved: SavedRun) -> None:
    """Events, store, statistics, model and its truth are those of the run; without events that is an error.

    Broken lines are only in a file of lines: there the whole store is the same, and dead letters have line numbers.
    """
    if "none" in str(saved.folder):
        with pytest.raises(InputError, match="holds no events"):
            _ = saved.intent
        return
    assert saved.events.equals(run.events)
    assert_frame_equal(saved.statistics.totals(), run.statistics.totals())
    assert_frame_equal(saved.intent.coefficients, run.intent.coefficients, check_exact=True)
    assert_frame_equal(saved.intent.comparison, run.intent.comparison, check_exact=True)
    if "streamed" in str(saved.folder):
        lines = (saved.folder / "events.ndjson").read_bytes().splitlines()
        assert [letter.raw for letter in saved.dead_letters] == [
            lines[(letter.position or 0) - 1] for letter in saved.dead_letters
        ]
        assert (saved.store.counts, saved.store.dead_letters) == (run.store.counts, run.store.dead_letters)
        assert saved.store.events().equals(run.store.events())
    assert saved.store.counts.late == run.store.counts.late


@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_a_run_that_does_not_fit_into_memory_is_analysed_in_parts(
    made: tuple[Path, Run], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results are those of the run; where not even the visits fit, an error says so."""
    folder, run = made
    n_events = run.outcome.counts["events"]
    monkeypatch.setattr(versions, "available_bytes", lambda: n_events * 400)
    saved = load_run(folder / form)
    assert_frame_equal(saved.statistics.totals(), run.statistics.totals())
    assert_frame_equal(saved.intent.coefficients, run.intent.coefficients, rel_tol=1e-10, abs_tol=1e-12)
    assert saved.analysis.notes == run.analysis.notes
    assert saved._n_parts > 1
    monkeypatch.setattr(versions, "available_bytes", lambda: n_events)
    with pytest.raises(InputError, match=r"the analysis of [\d,]+ events takes more than [\d.]+ MB"):
        _ = load_run(folder / form).intent


def test_what_is_no_run_folder_is_refused(made: tuple[Path, Run], tmp_path: Path) -> None:
    """A folder without a run, with something else in it, or of a newer version is one clear error each."""
    with pytest.raises(InputError, match=r"parquett: is not a run folder.*did you mean '.*parquet'"):
        load_run(made[0] / "parquett")
    manifest = json.loads((made[0] / "none" / "manifest.json").read_text())
    del manifest["checksums"]
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "kind": "analysis"}))
    with pytest.raises(InputError, match="is not a run folder"):
        load_run(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "versions": {"funnelsim": "99.1rc1"}}))
    with pytest.raises(InputError, match=r"written by funnelsim 99\.1rc1, which is newer than this one"):
        load_run(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"scenario.yaml: is missing"):
        _ = load_run(str(tmp_path)).scenario


@pytest.mark.parametrize(
    ("file", "content", "read"),
    [
        ("manifest.json", '{"kind": "run"}', "seed"),
        (
            "manifest.json",
            '{"kind": "run", "seed": 7, "replication": 0, "scenario": "s", "counts": {"events": 1}}',
            "seed",
        ),
        ("truth.json", "{}", "truth"),
        ("labels.parquet", "PAR1", "labels"),
        ("dead_letters.ndjson", '{"raw": 1}', "dead_letters"),
        ("model.json", "{}", "coefficients"),
        ("statistics/totals.csv", "", "tables"),
        ("events.parquet", "PAR1", "events"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(
    made: tuple[Path, Run], tmp_path: Path, file: str, content: str, read: str
) -> None:
    """The manifest is checked as the folder is opened, every other file when it is first asked for.

    So it is in a folder of an earlier version, which has no checksums.
    """
    folder = without_checksums(shutil.copytree(made[0] / "parquet", tmp_path / "damaged"))
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=rf"{re.escape(file)}: is damaged"):
        getattr(load_run(folder), read)


def test_a_folder_of_an_earlier_version_is_read(made: tuple[Path, Run], tmp_path: Path) -> None:
    """Its manifest has the name `wake` for the active agents."""
    folder = without_checksums(shutil.copytree(made[0] / "parquet", tmp_path / "old"))
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"active_agents"', '"wake"'))
    assert load_run(folder)._repr_html_() == load_run(made[0] / "parquet")._repr_html_()


def test_a_file_that_is_not_what_was_written_is_told(made: tuple[Path, Run], tmp_path: Path) -> None:
    """Any other byte in any file is an error that names it, even where its reader would see nothing; so is its loss."""
    reads = {
        "manifest.json": "seed",
        "scenario.yaml": "scenario",
        "truth.json": "truth",
        "labels.parquet": "labels",
        "people.parquet": "people",
        "accounts.parquet": "accounts",
        "dead_letters.ndjson": "dead_letters",
        "statistics/totals.csv": "tables",
        "model.json": "coefficients",
        "events.parquet": "events",
    }
    folder = shutil.copytree(made[0] / "parquet", tmp_path / "run")
    for name, read in reads.items():
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{re.escape(name)}: is not what was written"):
            getattr(load_run(folder), read)
        (folder / name).unlink()
        with pytest.raises(InputError, match=rf"{re.escape(name)}: is missing"):
            getattr(load_run(folder), read)
        shutil.copy(made[0] / "parquet" / name, folder / name)
    (folder / CHECKSUMS).unlink()
    with pytest.raises(InputError, match=r"SHA256SUMS: is missing"):
        load_run(folder)


def test_what_others_put_into_a_run_folder_does_not_matter_until_it_is_read(
    made: tuple[Path, Run], tmp_path: Path
) -> None:
    """Notes are left alone; a table among ours that the run did not write is refused."""
    folder = shutil.copytree(made[0] / "none", tmp_path / "run")
    (folder / "notes.txt").write_text("mine")
    assert load_run(folder).tables.keys() == load_run(made[0] / "none").tables.keys()
    (folder / "statistics/mine.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match=r"mine\.csv: has no checksum in SHA256SUMS"):
        _ = load_run(folder).tables


def test_an_analysis_of_a_damaged_event_file_is_refused(made: tuple[Path, Run], tmp_path: Path) -> None:
    """Its events are compared with the checksum, though the file is given by its own name."""
    folder = shutil.copytree(made[0] / "ndjson", tmp_path / "run")
    file = folder / "events.ndjson"
    file.write_bytes(file.read_bytes().replace(b'"type":"page"', b'"type":"pagf"', 1))
    with pytest.raises(InputError, match=r"events\.ndjson: is not what was written"):
        analyze(file)
    shutil.copy(file, tmp_path / "events.ndjson")  # elsewhere it is any file
    assert analyze(tmp_path / "events.ndjson").store.counts.received > 0


def test_coreutils_can_check_a_run_folder(made: tuple[Path, Run], tmp_path: Path) -> None:
    """The checksums are in the form of `sha256sum`, and cover every other file."""
    folder = made[0] / "parquet"
    done = subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=folder, capture_output=True, check=True)
    n_files = sum(path.is_file() for path in folder.rglob("*"))
    assert done.stdout.count(b": OK\n") == n_files - 1


def test_versions_are_compared_as_numbers() -> None:
    """0.10 is newer than 0.9, and a local build is its release."""
    assert _release("0.10.0") > _release("0.9.9")
    assert _release("1.2.0+local") == _release("1.2.0")
