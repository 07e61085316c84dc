"""The commands new and map: a first scenario or study file, or a first mapping of somebody's pages and events."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from string import Template
from typing import Annotated, Any, Final, Literal

import typer

from analytics.io.reading import EventFormat
from scenarios.cli.options import InputFormat, TableType, complete_scenario
from scenarios.cli.output import Output
from scenarios.config.library import find_scenario
from scenarios.errors import InputError, OutputError
from scenarios.files.plain_data import write_json
from scenarios.run.events_analysis import analyze
from scenarios.scenario import scenario_schema
from scenarios.study import study_schema

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
    return Output(f"written: {file}\nschema:  {schema}\n\nnext: funnelsim {command} {file}", is_summary=True)


def map_pages(
    events: Annotated[
        list[str], typer.Argument(metavar="EVENTS...", help="Files or folders of events; '-' is standard input.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; by default the mapping is printed.")
    ] = None,
    format_: InputFormat = None,
    type_: TableType = None,
) -> Output:
    """Propose a mapping of the pages and events of your site."""
    if output is not None and output.exists():
        raise OutputError(f"{output}: exists already, and is left unchanged; give another name")
    found = analyze(events, form=EventFormat(format_, type_))
    given = [*events, *(("--format", format_) if format_ else ()), *(("--type", type_) if type_ else ())]
    command = shlex.join(["funnelsim", "analyze", *given, "--pages", str(output or "mapping.yaml")])
    proposal = found.propose_mapping(command)
    if output is None:
        return Output(proposal.text.rstrip("\n"))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(proposal.text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror or error}") from None
    summary = (
        f"written: {output}\nrules with a guess: {proposal.n_rules:,}; pages without one: {proposal.n_unknown:,}; "
        f"names of events: {proposal.n_names:,}\n\nnext: edit it, then {command}"
    )
    return Output(summary, is_summary=True)


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
    return _write(Path(path), "scenario", extends, scenario_schema())


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
    return _write(Path(path), "study", scenario, study_schema())


def _write(path: Path, kind: Literal["scenario", "study"], base: str, schema: dict[str, Any]) -> Path:
    """Fill in the template of a kind of file, and write its schema beside it.

    Args:
        path: The file to write.
        kind: What the file is.
        base: The scenario that it extends or runs.
        schema: JSON Schema of such files.

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
    text = template.safe_substitute(file=path.name, name=name, base=base)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x" refuses a file that exists, also one that was made a moment ago.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        write_json(schema_path, schema)
    except FileExistsError:
        raise OutputError(f"{path}: exists already, and is left unchanged; give another name") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return schema_path
