"""The commands of the command line that help one to begin: new and doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli_output import Output
from scenarios.completion import complete_scenario

if TYPE_CHECKING:
    from scenarios.doctor import Diagnosis

__all__ = ["doctor", "new", "register"]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(new)
    app.command()(doctor)


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as my.yaml.")],
    *,
    extends: Annotated[
        str, typer.Option(metavar="SCENARIO", help="The scenario to begin from.", autocompletion=complete_scenario)
    ] = "baseline",
    study: Annotated[bool, typer.Option("--study", help="Write a study of that scenario instead.")] = False,
) -> Output:
    """Write a commented scenario to begin with, and a schema by which editors complete and check it."""
    from scenarios.starter import new_scenario, new_study  # noqa: PLC0415

    schema = new_study(file, scenario=extends) if study else new_scenario(file, extends=extends)
    following = "study" if study else "run"
    return Output(f"written: {file}\nschema:  {schema}\n\nnext: funnelsim {following} {file}", is_summary=True)


def doctor(
    *, json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False
) -> Output:
    """Say what is installed, what this machine has, and what is missing."""
    from json import dumps  # noqa: PLC0415 - what writes JSON elsewhere needs libraries that may be what is missing

    from scenarios.doctor import diagnose  # noqa: PLC0415

    found = diagnose()
    return Output(dumps(found.to_dict(), indent=2) if json else _doctor_text(found), status=0 if found.is_well else 1)


def _doctor_text(found: Diagnosis) -> str:
    def extra(name: str, version: str | None) -> tuple[str, str]:
        return f"[{name}]", version or f"not installed: pip install 'funnelsim[{name}]'"

    memory = "unknown" if found.memory_bytes is None else f"{found.memory_bytes / 1e9:.1f} GB free"
    writable = "writable" if found.temp_writable else "CANNOT BE WRITTEN TO: set TMPDIR to another folder"
    rows = [
        *found.versions.items(),
        *(extra(name, version) for name, version in found.extras.items()),
        ("cores", str(found.cores)),
        ("memory", memory),
        ("temporary files", f"{found.temp_folder}: {writable}"),
        *((f"{library} is missing", f"pip install {library}") for library in found.missing),
    ]
    verdict = "all is well" if found.is_well else "funnelsim cannot work like this"
    width = max(len(name) for name, _ in rows)
    return "\n".join([*(f"  {name:<{width}}  {value}" for name, value in rows), "", verdict])
