"""The README says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenarios import Scenario

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_readme_runs_and_prints(
    code: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each Python block runs by itself, and every `print` in it prints something."""
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own code, from our own README
    assert len(capsys.readouterr().out.splitlines()) >= code.count("print(")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_scenarios_of_the_readme_are_valid(text: str) -> None:
    """Each YAML block is a scenario, and says what it seems to say."""
    assert Scenario.parse(text).name == re.search(r"^name: (.+)$", text, flags=re.MULTILINE)[1]


def test_the_readme_opens_with_the_two_commands() -> None:
    """The first code block is `make run` and `make test`."""
    assert re.findall(r"^make (\w+)", blocks("sh")[0], flags=re.MULTILINE) == ["run", "test"]


def test_every_make_target_of_the_readme_exists() -> None:
    """What the README says can be made can be made."""
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", README)) <= targets


def test_the_readme_is_finished() -> None:
    """No placeholder such as `@@` is left to be filled in."""
    assert "@@" not in README
