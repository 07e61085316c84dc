"""Claims about the command line as a whole: help, completion, options, warnings, errors, exit statuses."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, Ended

from scenarios import cli
from scenarios.cli.commands import COMMANDS
from scenarios.config.library import library_names, study_names

SMALL = "name: small\nclock: {hours: 1}\ntraffic: {visitors_per_day: 1000}\n"


@pytest.fixture
def small() -> Path:
    """A small scenario file."""
    path = Path("small.yaml")
    path.write_text(SMALL)
    return path


def _loaded_by(arguments: list[str]) -> set[str]:
    """Names of the modules that a command has imported when it is done."""
    script = f"import sys\nfrom scenarios.cli.app import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    done = [sys.executable, "-c", f"{script}print(*sys.modules)"]
    return set(subprocess.run(done, capture_output=True, check=True, text=True).stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []], ids=str)
def test_help_and_version_import_no_command(arguments: list[str]) -> None:
    """Neither needs Polars, Rich or any other heavy library, nor any module that defines commands."""
    loaded = _loaded_by(arguments)
    assert not loaded & {"polars", "numpy", "scipy", "statsmodels", "altair", "pydantic", "rich", "simpy", "ssl"}
    assert not loaded & {f"scenarios.cli.{name}" for name in ("runs", "studies", "stores", "replays", "scenario_files")}


@pytest.mark.parametrize("command", ["validate baseline", "show baseline", "scenarios"])
def test_scenario_files_are_read_without_what_runs_them(command: str) -> None:
    """A file is checked without the event store, the simulated clock, the analysis, and the libraries of these."""
    loaded = _loaded_by(command.split())
    assert not loaded & {"scipy", "statsmodels", "altair", "rich", "loky"}
    assert not loaded & {"analytics.store.event_store", "analytics.analysis", "simulator.model", "scenarios.run.run"}
    assert not any(name.startswith("simulator.replication") for name in loaded)


def test_the_version_is_that_of_the_package() -> None:
    """`--version` prints one line, in any of the two ways to call funnelsim."""
    assert Ended("--version").out == "funnelsim 0.1.0\n"
    assert subprocess.run([*COMMAND, "--version"], capture_output=True, check=True).stdout == b"funnelsim 0.1.0\n"


def test_the_table_of_commands_agrees_with_their_docstrings() -> None:
    """Each function of the package is in the table, with the first line of its docstring, which fits in the help."""
    functions = {name for name in cli.__all__ if name != "main"}
    assert {command.function or name for name, command in COMMANDS.items()} == functions
    help_lines = " ".join(Ended("--help").out.split())
    for name, command in COMMANDS.items():
        assert (getattr(cli, command.function or name).__doc__ or "").splitlines()[0] == command.summary
        assert f" {name} {command.summary} " in help_lines


@pytest.mark.parametrize("on_terminal", [False, True])
def test_the_help_of_every_command_has_valid_examples(monkeypatch: pytest.MonkeyPatch, *, on_terminal: bool) -> None:
    """Each command states what it does, and shows calls of itself with options that it has; a terminal gets panels."""
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("NO_COLOR", "1")
    for name, command in COMMANDS.items():
        ended = Ended(name, "--help", on_terminal=on_terminal)
        assert (ended.status, "╭" in ended.out) == (0, on_terminal)
        before, _, examples = ended.out.partition("Examples:")
        assert command.summary in before
        shown = [line.strip().replace("\x1b[0m", "").replace("\x1b[1m", "") for line in examples.splitlines()]
        for line in command.examples:
            assert on_terminal or line in shown
            words = shlex.split(line)[shlex.split(line).index("funnelsim") + 1 :]
            assert words[0] == name
            assert on_terminal or {w for w in words if w.startswith("--")} <= set(before.replace(",", " ").split())


def test_the_shell_completes_commands_options_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands, options, and the names of scenarios and studies are completed where each may stand."""

    def completed(*words: str) -> list[str]:
        monkeypatch.setenv("_FUNNELSIM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        return Ended().out.split()

    assert completed("funnelsim", "re") == ["reprocess", "rewind", "replay", "recover"]
    assert "--resume" in completed("funnelsim", "replay", "--re")
    assert completed("funnelsim", "run", "") == library_names()
    assert completed("funnelsim", "compare", "baseline", "bo") == ["bot-storm"]
    assert completed("funnelsim", "study", "") == study_names()
    assert set(completed("funnelsim", "validate", "")) == {*library_names(), *study_names()}
    assert completed("funnelsim", "new", "x.yaml", "--extends", "la") == ["launch-spike"]


def test_completion_can_be_shown_and_installed(tmp_path: Path) -> None:
    """The script for bash calls funnelsim itself, and is installed where a new shell finds it."""
    program = [sys.executable, "-c", "from scenarios.cli.app import main; main()"]
    bash = ["bash", "-c", f"{shlex.join(program)} $0; true"]
    environment = os.environ | {"HOME": str(tmp_path)}
    shown = subprocess.run([*bash, "--show-completion"], capture_output=True, check=True, text=True, env=environment)
    assert "_FUNNELSIM_COMPLETE=complete_bash" in shown.stdout
    subprocess.run([*bash, "--install-completion"], capture_output=True, check=True, env=environment)
    assert "funnelsim.sh" in (tmp_path / ".bashrc").read_text()
    assert "complete -o default -F" in (tmp_path / ".bash_completions/funnelsim.sh").read_text()


@pytest.mark.parametrize("before", [True, False])
def test_quiet_leaves_out_the_summary(small: Path, *, before: bool) -> None:
    """With --quiet a command prints only JSON, requested output and errors; the next command is not quiet."""

    def quiet(*words: str) -> Ended:
        return Ended(*(["-q", *words] if before else [*words, "--quiet"]))

    assert quiet("validate", "small.yaml").out == ""
    assert quiet("show", "small.yaml").out.startswith("name: small")
    assert "did you mean" in quiet("validate", "basline").err
    assert Ended("validate", "small.yaml").out == "small.yaml: scenario 'small' is valid\n"
    ran = quiet("run", "small.yaml", "--out", "o", "--no-analysis")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert quiet("run", "small.yaml", "--out", "o", "--no-analysis", "--json").json["scenario"] == "small"


def test_an_old_name_of_a_setting_is_one_warning_for_the_user(small: Path) -> None:
    """A renamed setting is accepted; standard error names the new one, once, and not as a Python warning."""
    small.write_text(SMALL + "wake: all\n")
    for _ in range(2):
        ended = Ended("validate", "small.yaml", "--set", "clock.hours=2")
        assert ended.status == 0
        assert ended.err.startswith("funnelsim: warning: small.yaml:4:1: wake is now called 'active_agents'; ")
        assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "old", "new"),
    [
        (["analyze", "none", "--settings", "baseline"], "--settings", "--config"),
        (["analyze", "none", "--map=a=Demo Requested"], "--map", "--rename-event"),
        (["analyze", "none", "--demo-per", "visitor"], "--demo-per", "--conversion-unit"),
        (["study", "coverage", "--replay", "x"], "--replay", "--rerun"),
    ],
)
def test_an_old_option_is_accepted_with_a_warning(arguments: list[str], old: str, new: str) -> None:
    """The command gets past the option; the warning names the new one."""
    warning, error = Ended(*arguments).err.splitlines()
    assert warning == f"funnelsim: warning: {old} is now called {new}; the next version will not accept the old name"
    assert error.startswith(
        ("funnelsim: none: cannot be read: No such file", "funnelsim: --rerun: must be a design point")
    )


def test_an_unexpected_failure_is_one_message_and_status_1(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails for an unexpected reason reports it without a traceback, and leaves nothing."""

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scenarios.run.folder.simulate", full_disk)
    ended = Ended("run", "small.yaml")
    assert (ended.status, ended.out) == (1, "")
    assert "No space left on device" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("command", "status", "error"),
    [
        ("doctor >&-", 0, ""),
        ("analyze - <&-", 2, "funnelsim: standard input: is closed\n"),
        pytest.param(
            "doctor > /dev/full",
            1,
            "funnelsim: standard output cannot be written: No space left on device\n",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full"),
        ),
    ],
)
def test_a_closed_or_full_stream_is_no_crash(command: str, status: int, error: str) -> None:
    """A closed standard output is a quiet success, a closed standard input is wrong input, a full disk a failure."""
    ended = subprocess.run(
        ["sh", "-c", f"{shlex.join(COMMAND)} {command}"], capture_output=True, check=False, text=True
    )
    assert (ended.returncode, ended.stderr) == (status, error)
