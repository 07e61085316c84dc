"""Claims about damage to what runs, studies and replays keep: none is silent, and what can be is salvaged."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from run_folders import without_checksums

from scenarios import InputError, SavedRun, Scenario, Study, load_run, recover, verify
from scenarios.errors import FunnelsimError, OutputError
from scenarios.replays.export import export
from scenarios.replays.sending import replay
from scenarios.replays.state import ReplayState, StateFile
from scenarios.run.folder import run_to_folder
from scenarios.studies.folder import lock_journal

SMALL = {
    "clock.hours": 2,
    "traffic.visitors_per_day": 3000,
    "intent.target_conversion": 0.3,
    "tracking.malformed_rate": 0.05,
}
STUDY = """
name: s
scenario: baseline
overrides: {clock.hours: 1, traffic.visitors_per_day: 100}
factors: {tracking.ad_blocker_rate: [0.0, 0.4]}
replications: 3
responses: {page views: page_views()}
"""
MANY = [6, pytest.param(60, marks=pytest.mark.validation)]
"""Flips of each file."""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with events as Parquet, and its analysis."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_to_folder(Scenario(name="small").replace(SMALL), folder)
    return folder


@pytest.fixture(scope="module")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that has been run."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    Study.parse(STUDY).run(jobs=1, folder=folder)
    return folder


@pytest.fixture
def plain_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports take most of the time of a study that has been run, and have claims of their own."""
    monkeypatch.setattr("scenarios.study_report.study_report", lambda _: "a page")


def files(folder: Path) -> list[str]:
    """All files of a folder and those below, by name."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def told(action: Callable[[], object]) -> str:
    """The message of the error that an action ends with; empty where it ends well."""
    try:
        action()
    except FunnelsimError as error:
        return str(error)
    return ""


def flip(file: Path, chance: np.random.Generator) -> None:
    """Flip one bit of a file."""
    content = bytearray(file.read_bytes())
    content[chance.integers(len(content))] ^= 1 << int(chance.integers(8))
    file.write_bytes(content)


def outcome(folder: Path, name: str, beside: Path) -> object:
    """What a user gets of the file of a run folder."""
    saved = load_run(folder)
    reads: dict[str, Callable[[SavedRun], object]] = {
        "manifest.json": lambda run: run.manifest,
        "SHA256SUMS": lambda run: run.truth,
        "scenario.yaml": lambda run: run.scenario,
        "events.parquet": lambda run: run.events.to_dicts(),
        "truth.json": lambda run: run.truth,
        "model.json": lambda run: run.coefficients.to_dicts(),
        "dead_letters.ndjson": lambda run: run.dead_letters,
        "report.html": lambda run: [str(damage) for damage in verify(run.folder).damages],
        **{
            f"{table}.parquet": lambda run, table=table: getattr(run, table).to_dicts()
            for table in ("labels", "people", "accounts")
        },
    }
    found = reads.get(name, lambda run: {name: table.to_dicts() for name, table in run.tables.items()})(saved)
    if name == "events.parquet":
        replay(folder, to=f"file:{beside / 'sent'}", speed="max")
        export(folder, to=beside / "tables")
    return found


@pytest.mark.parametrize("n", MANY)
def test_no_flipped_bit_of_a_run_is_silent(run_folder: Path, tmp_path: Path, n: int) -> None:
    """Of every file: whoever reads it gets what was written, or one error that names the folder; so does `verify`."""
    chance, damaged = np.random.default_rng(n), tmp_path / "run"
    shutil.copytree(run_folder, damaged)
    (tmp_path / "first").mkdir()
    n_flips = 0
    for name in (name for name in files(run_folder) if (run_folder / name).stat().st_size):
        as_written = outcome(run_folder, name, tmp_path / "first") if name != "report.html" else None
        for _ in range(n):
            flip(damaged / name, chance)
            n_flips += 1
            beside = tmp_path / f"of-{n_flips}"
            beside.mkdir()
            if name == "report.html":
                assert outcome(damaged, name, beside)
            elif name != "SHA256SUMS":
                with pytest.raises(FunnelsimError, match=name):
                    outcome(damaged, name, beside)
            else:
                message = told(partial(outcome, damaged, name, beside))
                assert str(damaged) in message or outcome(damaged, name, beside) == as_written
            assert verify(damaged).damages
            assert not any(beside.iterdir())
            shutil.copy(run_folder / name, damaged / name)
        shutil.rmtree(tmp_path / "first")
        (tmp_path / "first").mkdir()
    assert n_flips > 15 * n
    assert verify(damaged).damages == ()


@pytest.mark.usefixtures("plain_reports")
@pytest.mark.parametrize("n", [2, pytest.param(40, marks=pytest.mark.validation)])
def test_no_flipped_bit_of_a_study_is_silent(study_folder: Path, tmp_path: Path, n: int) -> None:
    """Resumed, the study has the results that it had, or says which file is damaged; after `recover` it has them.

    A damaged study file is put back by the study that was given.
    """
    chance, damaged, study = np.random.default_rng(n), tmp_path / "study", Study.parse(STUDY)
    timed = {"manifest.json", "SHA256SUMS", "report.html", "journal.ndjson", "journal.damaged.ndjson"}
    written = {name: (study_folder / name).read_bytes() for name in set(files(study_folder)) - timed}
    for name in (name for name in files(study_folder) if (study_folder / name).stat().st_size):
        for _ in range(n):
            shutil.copytree(study_folder, damaged)
            flip(damaged / name, chance)
            if name != "journal.ndjson":  # of which the last newline may be missing
                assert verify(damaged).damages
            if message := told(partial(study.run, jobs=1, folder=damaged)):
                assert str(damaged) in message
                recover(damaged)
                study.run(jobs=1, folder=damaged)
            assert {kept: (damaged / kept).read_bytes() for kept in written} == written
            assert set(files(damaged)) - timed == set(written)
            assert verify(damaged).damages == ()
            shutil.rmtree(damaged)


@pytest.mark.parametrize("n", [60, pytest.param(600, marks=pytest.mark.validation)])
def test_no_flipped_bit_of_a_replay_s_state_is_silent(run_folder: Path, tmp_path: Path, n: int) -> None:
    """The state is as it was, or is refused in one message that names it."""
    state, chance = tmp_path / "state.json", np.random.default_rng(n)
    options = {"speed": "max", "resume": state}
    replay(run_folder, to=f"file:{tmp_path / 'sent'}", **options)
    content, beginning = state.read_bytes(), ReplayState(**{**_state(state), "acknowledged": 0, "n_bytes": None})
    kept = StateFile(state).resumed(beginning)
    assert verify(state).damages == ()
    for _ in range(n):
        flip(state, chance)
        if message := told(partial(StateFile(state).resumed, beginning)):
            assert str(state) in message
            assert verify(state).damages
        else:
            assert StateFile(state).resumed(beginning) == kept
        state.write_bytes(content)


def _state(path: Path) -> dict[str, object]:
    return {key: value for key, value in json.loads(path.read_bytes()).items() if key != "crc32"}


def test_a_replay_begins_anew_after_its_state_is_recovered(run_folder: Path, tmp_path: Path) -> None:
    """The damaged state is moved aside, not deleted; a file that is not what was sent is told."""
    state, sent = tmp_path / "state.json", tmp_path / "sent"
    replay(run_folder, to=f"file:{sent}", speed="max", resume=state)
    lines = sent.read_bytes()
    sent.write_bytes(lines[:-1])
    assert [damage.path for damage in verify(state).damages] == [sent]
    sent.write_bytes(lines)
    damaged = state.read_text().replace('"acknowledged": ', '"acknowledged": 1')
    (tmp_path / "state.json.damaged").write_text("one that was moved aside before")
    state.write_text(damaged)
    assert [damage.path for damage in verify(state).damages] == [state]
    assert recover(state).left == ()
    assert (tmp_path / "state.json.damaged.2").read_text() == damaged
    sent.unlink()
    replay(run_folder, to=f"file:{sent}", speed="max", resume=state)
    assert sent.read_bytes() == lines


def test_folders_of_earlier_versions_are_not_damaged(run_folder: Path, tmp_path: Path) -> None:
    """They have no checksums: nothing can be checked, which is said, and they open."""
    folder = without_checksums(shutil.copytree(run_folder, tmp_path / "old"))
    found = verify(folder)
    assert (found.kind, found.damages) == ("run", ())
    assert "earlier version" in found.checked[0]
    assert load_run(folder).events.height > 0


def test_a_journal_of_an_earlier_version_is_resumed(study_folder: Path, tmp_path: Path) -> None:
    """Its lines have no checksums; one with other keys is damaged all the same."""
    folder = shutil.copytree(study_folder, tmp_path / "old")
    journal = folder / "journal.ndjson"
    entries = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for entry in entries:
        del entry["crc32"]
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    (folder / "SHA256SUMS").unlink()
    reported: list[tuple[int, int]] = []
    Study.parse(STUDY).run(jobs=1, folder=folder, progress=lambda *numbers: reported.append(numbers))
    assert reported == []
    journal.write_text("".join(json.dumps({**entry, "crc33": "0"}) + "\n" for entry in entries))
    assert len(verify(folder).damages) == len(entries)


def test_damaged_lines_are_kept_and_only_they_are_made_again(study_folder: Path, tmp_path: Path) -> None:
    """The good points stay; the bad lines are in a file beside the journal; the results are those of before."""
    folder = shutil.copytree(study_folder, tmp_path / "study")
    journal = folder / "journal.ndjson"
    lines = journal.read_bytes().splitlines(keepends=True)
    bad = [lines[1].replace(b"[", b"[1", 1), b"\xff\x00\n"]
    journal.write_bytes(b"".join([lines[0], *bad, *lines[2:]]))
    with pytest.raises(OutputError, match=r"journal\.ndjson: line 2 is damaged.*funnelsim recover"):
        Study.parse(STUDY).run(jobs=1, folder=folder)
    assert len(verify(folder).damages) == 2
    assert recover(folder).left == ()
    assert journal.read_bytes() == b"".join([lines[0], *lines[2:]])
    assert (folder / "journal.damaged.ndjson").read_bytes() == b"".join(bad)
    reported: list[tuple[int, int]] = []
    Study.parse(STUDY).run(jobs=1, folder=folder, progress=lambda *numbers: reported.append(numbers))
    assert reported == [(len(lines) - 1, len(lines)), (len(lines), len(lines))]
    for name in ("summary.csv", "replications.parquet"):
        assert (folder / name).read_bytes() == (study_folder / name).read_bytes()


def test_a_study_that_runs_is_not_recovered(study_folder: Path, tmp_path: Path) -> None:
    """Its lock is respected; a check needs none."""
    folder = shutil.copytree(study_folder, tmp_path / "study")
    with (folder / "journal.ndjson").open("ab") as journal:
        lock_journal(journal, folder)
        with pytest.raises(OutputError, match="another process is running this study"):
            recover(folder)
        assert verify(folder).damages == ()


def test_an_unfinished_study_is_not_damaged(study_folder: Path, tmp_path: Path) -> None:
    """After a kill at any step of its writing it says that results are missing; an incomplete line is no damage."""
    written = {name: (study_folder / name).read_bytes() for name in files(study_folder)}
    sums = written.pop("SHA256SUMS").splitlines(keepends=True)
    begun = b"".join(line for line in sums if b"study.yaml" in line)
    order = ["study.yaml", "SHA256SUMS", "journal.ndjson", "design.csv", "manifest.json"]
    for n in range(2, len(order) + 1):
        folder = tmp_path / str(n)
        folder.mkdir()
        for name in order[:n]:
            (folder / name).write_bytes({**written, "SHA256SUMS": begun}[name])
        (folder / "journal.ndjson").write_bytes(written["journal.ndjson"][:-7])
        found = verify(folder)
        assert found.damages == ()
        assert {text.partition(":")[0] for text in found.checked} >= {"results", "its last line is not complete"}


def test_what_is_none_of_these_is_refused(tmp_path: Path) -> None:
    """One message says what can be given."""
    for path, message in [
        (tmp_path / "none", "there is no such folder"),
        (tmp_path.parent, "is not the folder of a run, an analysis, an export, a study or a store, or the file of"),
    ]:
        for function in (verify, recover):
            with pytest.raises(InputError, match=message):
                function(path)


def test_an_exchange_that_was_interrupted_is_finished(run_folder: Path, tmp_path: Path) -> None:
    """Killed where the system cannot exchange two names in one step, the run is back under its name."""
    out = tmp_path / "out"
    for ending in ("partial", "replaced"):
        shutil.copytree(run_folder, tmp_path / f".out.89abcdef.{ending}")
    with pytest.raises(InputError, match="there is no such folder"):
        verify(out)
    found = recover(out)
    assert (len(found.done), found.left) == (2, ())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    # Nothing of a run is removed: it can only be made anew, or put back.
    (out / "truth.json").write_text("{}")
    assert [damage.path for damage in recover(out).left] == [out / "truth.json"]
    assert (out / "truth.json").exists()


def test_every_kind_of_folder_is_known(run_folder: Path, study_folder: Path, tmp_path: Path) -> None:
    """Also an export and an analysis; and a folder of which the manifest is gone."""
    export(run_folder, to=tmp_path / "export")
    folder = shutil.copytree(run_folder, tmp_path / "lost")
    (folder / "manifest.json").unlink()
    kinds = [verify(path).kind for path in (run_folder, study_folder, tmp_path / "export", folder)]
    assert kinds == ["run", "study", "export", "folder"]
    assert [damage.what for damage in verify(folder).damages] == ["is missing"]
    assert len(list(itertools.chain(verify(tmp_path / "export").damages))) == 0
