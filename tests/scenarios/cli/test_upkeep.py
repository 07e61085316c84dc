"""Claims about the commands that check what is kept on the disk, and salvage it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Ended

from scenarios import Study

STUDY = """
name: s
scenario: baseline
overrides: {clock.hours: 1, traffic.visitors_per_day: 100}
replications: 3
responses: {page views: page_views()}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    Study.parse(STUDY).run(jobs=1, folder=folder)
    return folder


@pytest.fixture
def damaged(finished: Path, tmp_path: Path) -> Path:
    """The folder with a damaged line in its journal, and a damaged table."""
    folder = shutil.copytree(finished, tmp_path / "study")
    journal = folder / "journal.ndjson"
    journal.write_bytes(journal.read_bytes().replace(b"[", b"[9", 1))
    (folder / "summary.csv").write_text("mean\n1\n")
    return folder


def test_an_undamaged_folder_is_status_0_and_says_what_was_checked(finished: Path) -> None:
    """With --quiet nothing is printed, as suits a job that runs each night; with --json it is data."""
    ended = Ended("verify", finished)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == f"{finished} (study)"
    assert "  replications in the journal: 3" in ended.out.splitlines()
    assert ended.out.endswith("\nno damage\n")
    assert (Ended("verify", finished, "--quiet").out, Ended("verify", finished, "--quiet").status) == ("", 0)
    printed = Ended("verify", finished, "--json").json
    assert (printed["kind"], printed["damages"]) == ("study", [])


def test_damage_is_status_1_and_each_is_a_line(damaged: Path) -> None:
    """It is printed with --quiet too."""
    for options in ([], ["--quiet"]):
        ended = Ended("verify", damaged, *options)
        assert (ended.status, ended.err) == (1, "")
        lines = [line for line in ended.out.splitlines() if line.startswith("damage: ")]
        assert len(lines) == 2
        assert f"damage: {damaged / 'journal.ndjson'}: line 1 is damaged: its checksum differs" in lines
    printed = Ended("verify", damaged, "--json")
    assert printed.status == 1
    assert {Path(each["path"]).name for each in printed.json["damages"]} == {"summary.csv", "journal.ndjson"}


def test_what_can_be_salvaged_is(damaged: Path, finished: Path) -> None:
    """Status 0 where no damage is left; the study then ends as if nothing had been."""
    ended = Ended("recover", damaged)
    assert ended.status == 0
    assert "1 damaged line moved to journal.damaged.ndjson" in ended.out
    assert Ended("recover", damaged).out == "nothing to do: no damage\n"
    Study.parse(STUDY).run(jobs=1, folder=damaged)
    assert (damaged / "summary.csv").read_bytes() == (finished / "summary.csv").read_bytes()
    assert Ended("recover", damaged, "--json").json == {"path": str(damaged), "done": [], "damages": []}


def test_what_cannot_be_salvaged_is_status_1(damaged: Path) -> None:
    """A study that is gone is told; a folder of something else is wrong input."""
    (damaged / "study.yaml").write_text("name: other\n")
    ended = Ended("recover", damaged)
    assert ended.status == 1
    assert f"damage: {damaged / 'study.yaml'}: is not what was written" in ended.out
    assert (damaged / "study.yaml").read_text() == "name: other\n"
    assert Ended("verify", damaged.parent).status == 2
