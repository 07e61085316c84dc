"""The README is short and correct."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenarios.cli.app import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MOST_LINES = 150


def blocks(language: str) -> list[str]:
    """Code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def without_duration(text: str) -> str:
    """A printed text without how long the run took and without spaces at the ends of lines."""
    return re.sub(r"simulated in [\d.]+ s", "simulated", re.sub(r" +$", "", text.strip(), flags=re.MULTILINE))


def test_the_readme_shows_what_make_run_prints(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed run of the README is that of `funnelsim run baseline`; only its duration differs."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["run", "baseline"])
    assert without_duration(blocks("text")[0]) == without_duration(capsys.readouterr().out)


def test_the_readme_opens_with_the_two_commands() -> None:
    """The first code block is `make run` and `make test`."""
    assert re.findall(r"^make (\w+)", blocks("sh")[0], flags=re.MULTILINE) == ["run", "test"]


def test_every_make_target_of_the_readme_exists() -> None:
    """Every `make` target that the README mentions is in the Makefile."""
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", README)) <= targets


def test_the_readme_is_finished_and_short() -> None:
    """No placeholder such as `@@` is left to be filled in, and the rest is in the documentation."""
    assert "@@" not in README
    assert len(README.splitlines()) <= MOST_LINES
