"""Claims about scenario files of somebody else: no other files are shown, memory is bounded, messages are short."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from scenarios import Scenario, ScenarioError, Study
from scenarios.config.pages_file import with_mapping

TEXT = "api_token: hunter2\nanalytics: {secret_list: [17]}\ntraffic: geheim\n"


def message(text: str, folder: Path) -> str:
    """The message of a scenario file that cannot be used."""
    (folder / "s.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(folder / "s.yaml")
    return str(caught.value)


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "pipe.yaml", "folder.yaml", "."])
def test_a_scenario_extends_files_only(tmp_path: Path, target: str) -> None:
    """A device without an end, a pipe without a writer and a folder are refused at once."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    began = time.monotonic()
    told = message(f"name: s\nextends: {target if target != '.' else './'}\n", tmp_path)
    assert time.monotonic() - began < 5
    assert any(reason in told for reason in ("is not a file", "Is a directory", "is not shown"))


def test_a_study_takes_its_scenario_from_files_only(tmp_path: Path) -> None:
    """It too may be somebody else's."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "s.yaml").write_text("name: s\nscenario: pipe.yaml\nreplications: 2\nresponses: {n: visitors()}\n")
    with pytest.raises(ScenarioError, match="is not a file, but a pipe or a device"):
        Study.load(tmp_path / "s.yaml")


def test_the_user_may_name_a_pipe_but_nothing_without_an_end(tmp_path: Path) -> None:
    """As the shell does for `<(sed … my.yaml)`; of a device as much is read as of the largest file."""
    os.mkfifo(tmp_path / "pipe.yaml")
    writer = threading.Thread(target=(tmp_path / "pipe.yaml").write_text, args=("name: piped\n",))
    writer.start()
    assert Scenario.load(tmp_path / "pipe.yaml").name == "piped"
    writer.join()
    with pytest.raises(ScenarioError, match="is larger than 1,048,576 bytes"):
        Scenario.load(Path("/dev/zero"))


@pytest.mark.parametrize(
    "secret",
    [TEXT, "password", "- hunter2\n", "a: [hunter2\n", "b: *hunter2\n", "extends: hunter2.yaml\n", "\x00\xff"],
)
def test_what_stands_in_a_file_outside_is_not_shown(tmp_path: Path, secret: str) -> None:
    """Of a file that is not below the folder of the scenario no key and no value is shown, whatever is wrong in it.

    The message says how its owner can see more.
    """
    (tmp_path / "mine").mkdir()
    (tmp_path / "outside.yaml").write_text(secret)
    told = message("name: s\nextends: ../outside.yaml\n", tmp_path / "mine")
    assert told.count("\n") == 0
    assert "s.yaml:2:1: extends: what is wrong in '../outside.yaml' is not shown" in told
    assert "`funnelsim validate" in told
    for word in ("hunter2", "token", "secret", "17", "geheim", "password"):
        assert word not in told.replace(str(tmp_path), "")


def test_a_study_does_not_show_a_file_outside(tmp_path: Path) -> None:
    """Its scenario may be there, and is read; what is wrong in it is not shown."""
    (tmp_path / "mine").mkdir()
    file, outside = tmp_path / "mine/s.yaml", tmp_path / "outside.yaml"
    file.write_text("name: s\nscenario: ../outside.yaml\nreplications: 2\nresponses: {n: visitors()}\n")
    outside.write_text(TEXT)
    with pytest.raises(ScenarioError, match=r"s\.yaml:2:1: scenario: what is wrong in .* is not shown") as caught:
        Study.load(file)
    assert "token" not in str(caught.value)
    outside.write_text("name: fine\n")
    assert Study.load(file).points


def test_a_file_of_ones_own_is_shown_as_before(tmp_path: Path) -> None:
    """Below the folder of the scenario every fault has its key and its place; a valid file outside is extended."""
    (tmp_path / "base.yaml").write_text("name: base\nclock: {hourz: 3}\n")
    assert "base.yaml:2:9: clock.hourz: unknown key 'hourz'" in message("name: s\nextends: base.yaml\n", tmp_path)
    (tmp_path / "base.yaml").write_text("name: base\nclock: {hours: 3}\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/s.yaml").write_text("name: s\nextends: ../base.yaml\n")
    assert Scenario.load(tmp_path / "mine/s.yaml").clock.hours == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: s\n" + "".join(f"k{n}: 1\n" for n in range(60_000)), "has 60,001 lines; at most 20,000 are read"),
        ("name: s\nclaims:\n" + "  a: b\n" * 90_000, "has 90,002 lines"),
        ("name: s\n" + "".join(f"k{n}: 1\n" for n in range(5_000)), "4,950 more"),
        ("name: s\n" + "clock: 1\n" * 5_000, "and 4,948 more"),
        ("name: s\nlist: [" + "1, " * 60_000 + "1]\n", "more than 40,000 keys and values"),
        ("name: s\nseed: 0x" + "f" * 500_000, "is too large a number"),
        ("name: s\nseed: " + "9" * 500_000, "is not a value of type int"),
        ("name: s\n" + "k" * 500_000 + ": 1\n", "not valid YAML"),
        ("name: s\n? " + "k" * 500_000 + "\n: 1\n", "…"),
        ("name: s\ndescription: [" + "x" * 500_000 + "]\n", "must be text"),
        ("#" * 1_100_000, "is larger than 1,048,576 bytes"),
    ],
)
def test_an_absurd_file_is_answered_soon_and_shortly(tmp_path: Path, text: str, expected: str) -> None:
    """However much there is of it, and however much is wrong in it."""
    began = time.monotonic()
    told = message(text, tmp_path)
    assert time.monotonic() - began < 20
    assert expected in told
    assert len(told) < 60_000
    assert told.count("\n") <= 51


def test_an_unknown_key_without_a_value_is_refused(tmp_path: Path) -> None:
    """It is a typing error like any other; a known section whose lines are all commented out states nothing."""
    assert "unknown key 'trafic'; did you mean 'traffic'?" in message("name: s\ntrafic:\n", tmp_path)
    (tmp_path / "s.yaml").write_text("name: s\ntraffic:\n#  visitors_per_day: 5\n")
    assert Scenario.load(tmp_path / "s.yaml").traffic == Scenario(name="s").traffic


def test_a_pages_file_has_the_same_limits(tmp_path: Path) -> None:
    """It is read in the same way."""
    with pytest.raises(ScenarioError, match="is larger than"):
        with_mapping(Scenario(name="s").analytics, Path("/dev/zero"))
