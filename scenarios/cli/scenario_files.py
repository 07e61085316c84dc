"""Commands about scenario and study files: new, scenarios, show, validate, schema."""

from __future__ import annotations

import re
from pathlib import Path
from shutil import get_terminal_size
from string import Template
from textwrap import fill
from typing import Annotated, Any, Final, Literal

import typer

from analytics.html.escaping import Rendered, as_line, as_lines, as_text
from scenarios.cli.options import Overrides, ScenarioName, complete_kind, complete_scenario, complete_scenario_or_study
from scenarios.cli.output import Output
from scenarios.config.description import resolved_intercept
from scenarios.config.library import find_scenario, library_names, read_text, study_names
from scenarios.config.loading import load
from scenarios.config.settings import ScenarioSettings
from scenarios.config.yaml_source import read_yaml
from scenarios.errors import InputError, OutputError, ScenarioError, advice
from scenarios.files.plain_data import to_json, write_json

_TEMPLATES: Final = Path(__file__).parent / "templates"


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as my.yaml.")],
    *,
    extends: Annotated[
        str, typer.Option(metavar="SCENARIO", help="The scenario to start from.", autocompletion=complete_scenario)
    ] = "baseline",
    study: Annotated[bool, typer.Option("--study", help="Write a study of that scenario instead.")] = False,
) -> Output:
    """Write a commented scenario or study file to start from."""
    schema = new_study(file, scenario=extends) if study else new_scenario(file, extends=extends)
    command = "study" if study else "run"
    lines = (f"written: {file}", f"schema:  {schema}", "", f"next: funnelsim {command} {file}")
    return Output(as_lines(lines), is_summary=True)


def list_scenarios() -> Output:
    """List the scenarios of the library."""
    described = ((name, load(ScenarioSettings, name).description) for name in library_names())
    # From the library, so nothing of it is from outside.
    return Output(Rendered("\n\n".join(f"{name}\n{_paragraph(text)}".rstrip() for name, text in described)))


def _paragraph(text: str) -> str:
    """Indent a text and fill it to the width of the terminal, or to 100 columns, which are easier to read.

    Args:
        text: The text; its own line breaks are not kept.

    >>> _paragraph("A month of traffic.")
    '  A month of traffic.'
    """
    width = max(40, min(get_terminal_size().columns, 100))
    return fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  ")


def show(name: ScenarioName, set_: Overrides = None) -> Output:
    """Print every setting of a scenario as YAML."""
    return Output(as_text(load(ScenarioSettings, name, set_ or ()).to_yaml().rstrip("\n")))


def validate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A scenario or study file, or a name of the library.",
            autocompletion=complete_scenario_or_study,
        ),
    ],
    set_: Overrides = None,
) -> Output:
    """Check a scenario or study file, and locate every error."""
    if not _is_study(file):
        scenario = load(ScenarioSettings, file, set_ or ())
        note = resolved_intercept(scenario)
        return Output(f"{file}: scenario {scenario.name!r} is valid{note and f'; {note}'}", is_summary=True)
    if set_:
        raise InputError("--set changes scenarios; a study states its changes under 'overrides'")
    from scenarios.study import Study  # noqa: PLC0415 - loads what runs a study; few files are one

    study = Study.load(file)
    n_points = len(study.points)
    notes = "".join(f"; {remark}" for remark in study.remarks)
    return Output(f"{file}: study {study.settings.name!r} is valid: {n_points:,} design points{notes}", is_summary=True)


def _is_study(file: str) -> bool:
    """Whether a name or a file is that of a study rather than of a scenario.

    Args:
        file: Name of the library, or path of a file, which need not exist.

    >>> _is_study("coverage"), _is_study("baseline")
    (True, False)
    """
    # A name that is in both libraries is read as the scenario's.
    if file in study_names() and file not in library_names():
        return True
    try:
        data = read_yaml(read_text(find_scenario(file)), file).data
    except ScenarioError:
        return False  # reading it as a scenario will report what is wrong
    study_keys = {"responses", "estimates", "replications", "factors", "design"}
    return isinstance(data, dict) and not study_keys.isdisjoint(data)


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="Kind of file: scenario or study.", autocompletion=complete_kind)
    ],
) -> Output:
    """Print the JSON Schema of scenario or study files."""
    kinds = ("scenario", "study")
    if kind not in kinds:
        raise InputError(f"there is no schema {kind!r}{advice(kind, kinds)}")
    return Output(to_json(_schema(kind)))


def _schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file, scenario or study."""
    # Loads what runs it too, which only files to be checked can do without.
    from scenarios.scenario import scenario_schema  # noqa: PLC0415
    from scenarios.study import study_schema  # noqa: PLC0415

    return scenario_schema() if kind == "scenario" else study_schema()


def new_scenario(path: str | Path, *, extends: str = "baseline") -> Path:
    """Write a commented scenario file, and beside it the JSON Schema that editors read.

    Args:
        path: The file to write, which must not exist; the scenario is named after it.
        extends: Scenario of the library, or file, to start from.

    Returns:
        The path of the schema.

    Raises:
        InputError: The name of the file does not end in .yaml or .yml.
        OutputError: The file exists, or cannot be written.
        ScenarioError: There is no such scenario to extend.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     new_scenario(Path(folder) / "mine.yaml", extends="enterprise").name
    'funnelsim-scenario.schema.json'
    """
    return _write(Path(path), "scenario", extends)


def new_study(path: str | Path, *, scenario: str = "baseline") -> Path:
    """Write a commented study file, and beside it the JSON Schema that editors read.

    Args:
        path: The file to write, which must not exist; the study is named after it.
        scenario: Scenario of the library, or file, to run.

    Returns:
        The path of the schema.

    Raises:
        InputError: The name of the file does not end in .yaml or .yml.
        OutputError: The file exists, or cannot be written.
        ScenarioError: There is no such scenario.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     new_study(Path(folder) / "mine.yaml").name
    'funnelsim-study.schema.json'
    """
    return _write(Path(path), "study", scenario)


def _write(path: Path, kind: Literal["scenario", "study"], base: str) -> Path:
    """Fill in the template of a kind of file, and write its schema beside it.

    Args:
        path: The file to write.
        kind: What the file is.
        base: The scenario that it extends or runs.

    Returns:
        The path of the schema.
    """
    find_scenario(base)
    if path.suffix not in {".yaml", ".yml"}:
        raise InputError(f"{path}: must end in .yaml, which distinguishes a file from a name of the library")
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or f"my-{kind}"
    schema_path = path.parent / f"funnelsim-{kind}.schema.json"
    template = Template((_TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8"))
    # "Safe" leaves $schema in the first line alone, which is for editors.
    text = template.safe_substitute(file=as_line(path.name), name=name, base=base)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x" refuses a file that exists, also one that was made a moment ago.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        write_json(schema_path, _schema(kind))
    except FileExistsError:
        raise OutputError(f"{path}: exists already, and is left unchanged; give another name") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return schema_path
