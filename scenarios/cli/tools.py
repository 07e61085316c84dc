"""Commands for beginners: new (a first scenario or study) and doctor (what is installed, and what is missing)."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from scenarios.cli.options import complete_scenario
from scenarios.cli.output import Output
from scenarios.config.library import find_scenario
from scenarios.errors import InputError, OutputError
from scenarios.files.plain_data import write_json
from scenarios.files.versions import available_bytes
from scenarios.scenario import scenario_schema

__all__ = ["Diagnosis", "diagnose", "doctor", "new", "new_scenario", "new_study", "register"]


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
    schema = new_study(file, scenario=extends) if study else new_scenario(file, extends=extends)
    following = "study" if study else "run"
    return Output(f"written: {file}\nschema:  {schema}\n\nnext: funnelsim {following} {file}", is_summary=True)


def doctor(
    *, json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False
) -> Output:
    """Say what is installed, what this machine has, and what is missing."""
    from json import dumps  # noqa: PLC0415 - what writes JSON elsewhere needs libraries that may be what is missing

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


_SCENARIO: Final = """\
# yaml-language-server: $schema=./{schema}
##
## A scenario of your own. It says only in what it differs from the one that it extends: mappings are merged key by
## key, and null removes an entry. Take '# ' from the lines you want, and then:
##
##   funnelsim validate {file}    every fault at once, with line and column
##   funnelsim run {file}         simulate it, and write a report
##   funnelsim show {file}        all settings that there are, with their values
##
name: {name}
extends: {base}
description: >-
  What this world is about, in a few sentences.
seed: 7

## When it begins (UTC), and for how many hours it goes on.
clock: {{start: 2026-03-03T00:00:00Z, hours: 24}}

traffic:
  visitors_per_day: 20000 # on a weekday, on average
  # growth_per_week: 0.02 # 0.02 is 2 % more each week
  # campaigns:
  #   spring: {{start: 2026-03-03T08:00:00Z, end: 2026-03-03T16:00:00Z, channel: paid_search, visitors: 800}}

## Who asks for a demo: at the end of each visit, by a logit on what the visitor has done so far.
intent:
  target_conversion: 0.02 # share of visitors who ask sooner or later; sets the intercept
  coefficients: # effect on the log-odds; 0 is a decoy that an analyst should not find
    security_page_view: 0.9
    careers_page_view: 0.0
  # interactions: {{"device_mobile:pricing_page_view": -0.5}}
  # account_sd: 0.5 # companies differ in what no event tells: standard deviation of the log-odds

## Who comes: shares of devices sum to 1.
# population:
#   devices: {{desktop: 0.5, mobile: 0.45, tablet: 0.05}}
#   second_device_rate: 0.2 # share of visitors with a second browser

## What tracking loses and spoils between the truth and the store. All rates are 0 unless set.
# tracking:
#   ad_blocker_rate: {{desktop: 0.35, mobile: 0.1, tablet: 0.1}}
#   consent_refusal_rate: {{europe: 0.3}}
#   late_rate: 0.02
#   duplicate_rate: 0.01
#   bots_per_day: 50

## An experiment with a known effect on the log-odds of a request.
# experiments:
#   pricing-page: {{arms: {{a: {{share: 0.5}}, b: {{share: 0.5, log_odds: 0.3}}}}}}

## What this world is meant to show. Every run is held against it.
# claims:
#   "the security page foretells a demo": z("security_page_view") > 2
"""

_STUDY: Final = """\
# yaml-language-server: $schema=./{schema}
##
## A study of your own: a scenario run many times as its factors vary. Take '# ' from the lines you want, and then:
##
##   funnelsim validate {file}    every fault at once, with line and column
##   funnelsim study {file}       run it, or go on with it where it was stopped
##
name: {name}
description: >-
  What you want to know, in a few sentences.
scenario: {base}
seed: 7

## Settings that are the same in all runs.
overrides:
  traffic.visitors_per_day: 5000
#   intent.account_sd: 0.5

## Settings that vary: every combination of these values is a design point.
factors:
  tracking.ad_blocker_rate: [0.0, 0.3]
#   traffic.visitors_per_day: [5000, 10000]

## Runs of each point; with more of them the intervals are narrower.
replications: 20

## What to read off each run.
responses:
  conversion: conversion()
  demo requests: counts.demo_requests
#   surest signal: z("white_paper_download")

## Coefficients of which to tell bias and coverage; all, or some of them.
# estimates: [security_page_view, careers_page_view]
"""


def new_scenario(path: str | Path, *, extends: str = "baseline") -> Path:
    """Write a commented scenario to begin with, and beside it the JSON Schema that editors read.

    Args:
        path: The file to write, which must not be there; the scenario is named after it.
        extends: Scenario of the library, or file, to begin from.

    Returns:
        The schema's file.

    Raises:
        InputError: The file's name is none of a YAML file.
        OutputError: The file is there already, or cannot be written.
        ScenarioError: There is no such scenario to extend.
    """
    find_scenario(extends)
    return _begun(Path(path), _SCENARIO, extends, "scenario", scenario_schema())


def new_study(path: str | Path, *, scenario: str = "baseline") -> Path:
    """Write a commented study to begin with, and beside it the JSON Schema that editors read.

    Args:
        path: The file to write, which must not be there; the study is named after it.
        scenario: Scenario of the library, or file, to run.

    Returns:
        The schema's file.

    Raises:
        InputError: The file's name is none of a YAML file.
        OutputError: The file is there already, or cannot be written.
        ScenarioError: There is no such scenario.
    """
    from scenarios.study import study_schema  # noqa: PLC0415 - studies bring much with them

    find_scenario(scenario)
    return _begun(Path(path), _STUDY, scenario, "study", study_schema())


def _begun(path: Path, starter: str, base: str, kind: str, schema: dict[str, Any]) -> Path:
    if path.suffix not in {".yaml", ".yml"}:
        raise InputError(f"{path}: must end in .yaml, by which a file is told from a name of the library")
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or f"my-{kind}"
    beside = path.parent / f"funnelsim-{kind}.schema.json"
    text = starter.format(schema=beside.name, file=path.name, name=name, base=base)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        write_json(beside, schema)
    except FileExistsError:
        raise OutputError(f"{path}: is there already; it is left as it is. Give another name") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return beside


_DEVELOPERS: Final = "dev"

_REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9._-]+)[^;]*(?:;.*extra\s*==\s*['\"]([^'\"]+)['\"])?")


@dataclass(frozen=True)
class Diagnosis:
    """What there is.

    Args:
        versions: Versions of Python, of funnelsim and of the libraries that it needs; ``missing`` where there is none.
        extras: Of each extra, the version that is installed, or None.
        cores: Cores that this process may use.
        memory_bytes: Memory that is free; None where the system does not say.
        temp_folder: Folder for temporary files.
        temp_writable: Whether it can be written to.
        missing: Libraries that funnelsim cannot do without and that are not there.
    """

    versions: dict[str, str]
    extras: dict[str, str | None]
    cores: int
    memory_bytes: int | None
    temp_folder: str
    temp_writable: bool
    missing: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether funnelsim can work here."""
        return self.temp_writable and not self.missing

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**vars(self), "is_well": self.is_well}


def diagnose() -> Diagnosis:
    """Look at this machine."""
    needed: list[str] = ["funnelsim"]
    extras: dict[str, str | None] = {}
    for requirement in metadata.requires("funnelsim") or ():
        found = _REQUIREMENT.match(requirement)
        if found is None:
            continue
        library, extra = found.groups()
        if extra is None:
            needed.append(library)
        elif extra != _DEVELOPERS:
            extras[extra] = extras.get(extra) or _version(library)
    folder = tempfile.gettempdir()
    return Diagnosis(
        versions={"python": platform.python_version(), **{name: _version(name) or "missing" for name in needed}},
        extras=extras,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=available_bytes(),
        temp_folder=folder,
        temp_writable=_is_writable(folder),
        missing=tuple(library for library in needed if _version(library) is None),
    )


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _is_writable(folder: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=Path(folder)) as file:
            file.write(b"x")
    except OSError:
        return False
    return True
