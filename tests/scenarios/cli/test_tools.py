"""Claims about the ease of the command line: help, completion, quiet, tables, the first scenario, the doctor."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console
from ruamel.yaml import YAML

from scenarios.cli import tools as doctor
from scenarios.cli.app import EXAMPLES, app as cli, main
from scenarios.cli.output import Page, aligned, show_page
from scenarios.cli.tools import new_scenario, new_study
from scenarios.config.library import library_names, study_names
from scenarios.errors import OutputError
from scenarios.scenario import Scenario
from scenarios.study import Study

COMMAND = [sys.executable, "-c", "from scenarios.cli.app import main; main()"]
COMMANDS = [command.name or command.callback.__name__.replace("_", "-") for command in cli.registered_commands]
SCHEMA = "funnelsim-scenario.schema.json"
SMALL = "name: small\nclock: {hours: 1}\ntraffic: {visitors_per_day: 1000}\n"


class Ended:
    """How a command ended: status, what it printed, and what it complained of."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        self.status = caught.value.code
        self.out, self.err = capsys.readouterr()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Each command says what it does, and then shows calls of itself that use options that it has."""
    ended = Ended(capsys, name, "--help")
    assert ended.status == 0
    before, _, examples = ended.out.partition("Examples:")
    assert [line.strip() for line in examples.strip().splitlines()] == list(EXAMPLES[name])
    for line in EXAMPLES[name]:
        words = shlex.split(line)[shlex.split(line).index("funnelsim") + 1 :]
        assert words[0] == name
        assert {word for word in words if word.startswith("--")} <= set(before.replace(",", " ").split())


def test_help_loads_nothing_heavy() -> None:
    """Help for all commands and for one needs neither Polars nor Rich; pydantic is loaded by Typer itself."""
    heavy = {"polars", "numpy", "scipy", "statsmodels", "altair", "rich", "simpy", "http.client", "ssl"}
    script = "import sys\nfrom scenarios.cli.app import main\ntry: main({!r})\nexcept SystemExit: print(*sys.modules)"
    for arguments in (["--help"], ["replay", "--help"]):
        command = [sys.executable, "-c", script.format(arguments)]
        loaded = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        assert not heavy & set(loaded)


def test_a_misspelt_command_or_option_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    """What was meant is named, in one line, with status 2."""
    wrong = Ended(capsys, "rplay", "x")
    assert wrong.status == 2
    assert "No such command 'rplay'. Did you mean 'replay'" in wrong.err
    assert "--speed" in Ended(capsys, "replay", "x", "--to", "stdout", "--sped", "3").err
    assert "did you mean 'baseline'?" in Ended(capsys, "new", "x.yaml", "--extends", "baselin").err
    assert "mine: must end in .yaml" in Ended(capsys, "new", "mine").err


def completed(*words: str) -> list[str]:
    """What bash would be offered after these words."""
    environment = {"_FUNNELSIM_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words) - 1)}
    environment |= {"COMP_WORDS": " ".join(words)}
    ended = subprocess.run(COMMAND, capture_output=True, check=True, text=True, env=os.environ | environment)
    return ended.stdout.split()


def test_the_shell_completes_commands_options_and_names() -> None:
    """Commands, options, and the names of scenarios and studies where each may stand."""
    assert completed("funnelsim", "re") == ["replay"]
    assert "--resume" in completed("funnelsim", "replay", "--re")
    assert completed("funnelsim", "run", "") == library_names()
    assert completed("funnelsim", "compare", "baseline", "bo") == ["bot-storm"]
    assert completed("funnelsim", "study", "") == study_names()
    assert set(completed("funnelsim", "validate", "")) == {*library_names(), *study_names()}
    assert completed("funnelsim", "new", "x.yaml", "--extends", "la") == ["launch-spike"]


def test_completion_can_be_shown_and_installed(tmp_path: Path) -> None:
    """The script for bash asks funnelsim itself, and is put where a new shell finds it."""
    bash = ["bash", "-c", f"{shlex.join(COMMAND)} $0; true"]
    environment = os.environ | {"HOME": str(tmp_path)}
    shown = subprocess.run([*bash, "--show-completion"], capture_output=True, check=True, text=True, env=environment)
    assert "_FUNNELSIM_COMPLETE=complete_bash" in shown.stdout
    subprocess.run([*bash, "--install-completion"], capture_output=True, check=True, env=environment)
    assert "funnelsim.sh" in (tmp_path / ".bashrc").read_text()
    assert "complete -o default -F" in (tmp_path / ".bash_completions/funnelsim.sh").read_text()


@pytest.mark.parametrize("place", ["before", "after"])
def test_quiet_leaves_the_summary_unsaid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """With --quiet a run says nothing, but --json, what was asked for and errors are said; the next command talks."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)

    def quietly(*words: str) -> Ended:
        return Ended(capsys, *(["-q", *words] if place == "before" else [*words, "--quiet"]))

    ran = quietly("run", "small.yaml", "--out", "o", "--no-analysis")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert json.loads(quietly("run", "small.yaml", "--out", "o", "--no-analysis", "--json").out)["scenario"] == "small"
    assert quietly("validate", "small.yaml").out == ""
    assert quietly("show", "small.yaml").out.startswith("name: small")
    assert "did you mean" in quietly("validate", "basline").err
    assert Ended(capsys, "validate", "small.yaml").out == "small.yaml: scenario 'small' is valid\n"


PAGE_OF_ALL = Page.of(
    ["[bold]a[/] <b>", "", *aligned([("name", "n"), ("[red]x", "1,000")], header=True), "  WARNING: w"]
)


def test_a_page_is_the_same_text_without_a_terminal() -> None:
    """Tables are set in columns, and the whole is a text like any other."""
    assert PAGE_OF_ALL == "[bold]a[/] <b>\n\n  name        n\n  [red]x  1,000\n  WARNING: w"


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_is_shown_tables(monkeypatch: pytest.MonkeyPatch, *, colours: bool) -> None:
    """A header is set off by a line and a warning by colour, unless NO_COLOR is set; markup in a name is text."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    shown = io.StringIO()
    show_page(PAGE_OF_ALL, Console(file=shown, force_terminal=True, width=60, color_system="standard"))
    assert "━" in shown.getvalue() or "─" in shown.getvalue()
    assert "[bold]a[/] <b>" in shown.getvalue()
    assert "[red]x" in shown.getvalue()
    assert ("\x1b[1;33m" in shown.getvalue()) == colours


def test_only_a_terminal_is_shown_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a pipe the summary of a run goes as plain text, on a terminal with the same words and numbers."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    plain = Ended(capsys, "run", "small.yaml", "--no-analysis").out
    assert "\x1b" not in plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = Ended(capsys, "run", "small.yaml", "--no-analysis").out
    assert plain.split()[plain.split().index("visitors") :] == drawn.split()[drawn.split().index("visitors") :]


def test_the_starter_is_valid_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`new` leaves a file that `validate` accepts, named after its file, with the schema that its first line names."""
    monkeypatch.chdir(tmp_path)
    assert Ended(capsys, "new", "My First.yaml", "--extends", "launch-spike").status == 0
    assert Ended(capsys, "validate", "My First.yaml").out.endswith("scenario 'my-first' is valid\n")
    assert Scenario.load("My First.yaml").description.startswith("What this world is about")
    text = Path("My First.yaml").read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema=./{SCHEMA}"
    schema = json.loads(Path(SCHEMA).read_text())
    plain = json.loads(json.dumps(YAML(typ="safe").load(text), default=lambda time: time.isoformat()))
    jsonschema.validate(plain, schema)
    again = Ended(capsys, "new", "My First.yaml")
    assert (again.status, Path("My First.yaml").read_text()) == (2, text)
    assert "is there already" in again.err


def test_every_suggestion_of_the_starter_is_valid(tmp_path: Path) -> None:
    """With '# ' taken from all lines the file is a valid scenario still."""
    path = tmp_path / "mine.yaml"
    new_scenario(path)
    bold = re.sub(r"(?m)^( *)# ", r"\1", path.read_text())
    path.write_text(bold.partition("\n")[2])  # the first line is for editors
    scenario = Scenario.load(path)
    assert "spring" in scenario.traffic.campaigns
    assert scenario.tracking.bots_per_day == 50
    assert scenario.intent.account_sd == 0.5
    assert list(scenario.experiments) == ["pricing-page"]
    assert len(scenario.claims) == 1


def test_the_starter_of_a_study_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`new --study` leaves a study that `validate` accepts, as it is and with '# ' taken from all lines."""
    monkeypatch.chdir(tmp_path)
    assert "next: funnelsim study s.yaml" in Ended(capsys, "new", "s.yaml", "--study", "--extends", "enterprise").out
    assert Ended(capsys, "validate", "s.yaml").out == "s.yaml: study 's' is valid: 2 design points\n"
    text = Path("s.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./funnelsim-study.schema.json\n")
    schema = json.loads(Path("funnelsim-study.schema.json").read_text())
    jsonschema.validate(YAML(typ="safe").load(text), schema)
    Path("s.yaml").write_text(
        re.sub(r"(?m)^( *)# ", r"\1", text).partition("\n")[2].replace("  traffic.visitors_per_day: 5000\n", "")
    )
    bold = Study.load("s.yaml")
    assert (len(bold.points), bold.settings.scenario) == (4, "enterprise")
    assert "surest signal" in bold.settings.responses
    with pytest.raises(OutputError, match="is there already"):
        new_study("s.yaml")


def test_the_doctor_knows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Versions as installed, every extra of the project but that of its developers, cores, memory, temporary files."""
    told = json.loads(Ended(capsys, "doctor", "--json").out)
    assert told["versions"]["polars"] == metadata.version("polars")
    assert set(told["extras"]) == set(metadata.metadata("funnelsim").get_all("Provides-Extra")) - {"dev"}
    assert told["cores"] >= 1
    assert told["is_well"] is True
    assert "all is well" in Ended(capsys, "doctor").out


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A library that is not there, and a folder that cannot be written to, are told with what to do; status 1."""
    known = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in {"simpy", "ray"} else known(name))
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: "/nowhere")
    ended = Ended(capsys, "doctor")
    assert ended.status == 1
    assert "pip install simpy" in ended.out
    assert "pip install 'funnelsim[ray]'" in ended.out
    assert "CANNOT BE WRITTEN TO: set TMPDIR" in ended.out
