"""Arguments and options that several commands share, and what the shell completes for them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError

from scenarios.config.library import library_names, study_names


def complete_scenario(incomplete: str) -> list[str]:
    """Library scenarios whose names begin with this; if there are none, the shell completes files.

    Args:
        incomplete: What the user has typed of the argument so far.

    >>> complete_scenario("base")
    ['baseline']
    """
    return [name for name in library_names() if name.startswith(incomplete)]


def complete_study(incomplete: str) -> list[str]:
    """Library studies whose names begin with this.

    Args:
        incomplete: What the user has typed of the argument so far.

    >>> complete_study("coverage-")
    ['coverage-heterogeneous']
    """
    return [name for name in study_names() if name.startswith(incomplete)]


def complete_scenario_or_study(incomplete: str) -> list[str]:
    """Library scenarios and studies whose names begin with this, sorted.

    Args:
        incomplete: What the user has typed of the argument so far.

    >>> complete_scenario_or_study("e")
    ['enterprise', 'european-privacy']
    """
    return sorted({*complete_scenario(incomplete), *complete_study(incomplete)})


def complete_kind(incomplete: str) -> list[str]:
    """Kinds of files that have a schema and whose names begin with this.

    Args:
        incomplete: What the user has typed of the argument so far.

    >>> complete_kind("s")
    ['scenario', 'study']
    """
    return [kind for kind in ("scenario", "study") if kind.startswith(incomplete)]


# Aliases of annotations rather than functions that make options: Typer reads them, and so do type checkers.
ScenarioName = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
    ),
]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as clock.hours=48; may be repeated."),
]

AnalysisOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting of the analysis, such as analytics.moving_average_hours=6; may be repeated.",
    ),
]

AnalysisConfig = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="SCENARIO",
        help="Scenario (file or name) whose section 'analytics' is used.",
        autocompletion=complete_scenario,
    ),
]


_SIZE: Final = re.compile(r"\d+(\.\d+)?\s*([kmgtp]?i?b?)", re.ASCII | re.IGNORECASE)


def bytes_of(size: str) -> int:
    """The number of bytes of a size of memory.

    Args:
        size: Such as ``4GB``, ``500 MiB`` or a number of bytes.

    Raises:
        typer.BadParameter: It is no size.

    >>> bytes_of("4GB"), bytes_of("2 KiB")
    (4000000000, 2048)
    """
    found = None
    # Pydantic reads what begins like a size: of 1,5GB the 1.
    if _SIZE.fullmatch(size.strip()):
        with suppress(ValidationError):
            found = int(TypeAdapter(ByteSize).validate_python(size))
    if not found:
        raise typer.BadParameter(f"{size!r} is no size such as 4GB or 1.5GB")
    return found


Analysed = Annotated[
    bool, typer.Option(help="Analyse the events and write the report, in parts if they do not fit into memory.")
]

Memory = Annotated[
    int | None,
    typer.Option(parser=bytes_of, metavar="SIZE", help="Memory of the analysis beside some 300 MB, as 4GB; else all."),
]

Seed = Annotated[int | None, typer.Option(min=0, metavar="N", help="Seed; by default the scenario's own.")]

OutputFolder = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")]

# "and nothing else" is a promise: progress and notices go to standard error, so that the output can be piped.
JsonOutput = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

Workers = Annotated[int | None, typer.Option("--jobs", min=1, metavar="N", help="Workers; by default one per core.")]

Executor = Annotated[
    str | None, typer.Option(metavar="KIND", help="Where the workers run: loky, dask:ADDRESS, ray or ray:ADDRESS.")
]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/baseline-seed7.")]

StoreFolder = Annotated[Path, typer.Option("--store", metavar="DIR", help="Folder of the store.")]

Stitch = Annotated[
    bool | None,
    typer.Option(
        "--stitch/--no-stitch",
        help="Count persons, joining browsers and user ids that events name together, or browsers as they are.",
        show_default=False,
    ),
]

InputFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Tool that exported the events: segment, amplitude, ga4, matomo, mixpanel, posthog, rudderstack or "
        "snowplow; recognised by default.",
    ),
]

TableType = Annotated[
    str | None,
    typer.Option(
        "--type", metavar="CALL", help="Call of all rows of a warehouse table, such as page; else by its name."
    ),
]

PagesFile = Annotated[
    str | None,
    typer.Option(
        "--pages",
        metavar="FILE",
        help="YAML file with a mapping of pages, a funnel and names of events, as funnelsim map proposes it.",
    ),
]
