"""What every command of the command line has in common: examples in its help, and ``--quiet``."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from scenarios.run.progress import QUIET

__all__ = ["EXAMPLES", "HelpfulGroup"]

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "run": (
        "funnelsim run baseline",
        "funnelsim run my.yaml --seed 8 --set traffic.visitors_per_day=50000 --out runs/busy",
        "funnelsim run baseline --events ndjson --json",
        "funnelsim run month --jobs 4 --no-analysis",
    ),
    "analyze": (
        "funnelsim analyze runs/baseline-seed7/events.parquet",
        "funnelsim analyze pages.ndjson tracks.gz --out results",
        "zcat events.gz | funnelsim analyze - --json",
    ),
    "scenarios": ("funnelsim scenarios",),
    "show": ("funnelsim show enterprise", "funnelsim show my.yaml --set clock.hours=48"),
    "validate": ("funnelsim validate my.yaml",),
    "schema": ("funnelsim schema scenario > scenario.schema.json",),
    "study": (
        "funnelsim study coverage --jobs 4",
        "funnelsim study my-study.yaml --executor dask:tcp://scheduler:8786 --out studies/mine",
        "funnelsim study coverage --replay 0:17",
    ),
    "power": (
        "funnelsim power baseline --signal security_page_view",
        "funnelsim power my.yaml --signal webinar_registration --power 0.9 --vary hours",
    ),
    "warm-up": (
        "funnelsim warm-up baseline --set traffic.visitors_per_day=2000",
        "funnelsim warm-up my.yaml --series demo_requests --out plot.svg",
    ),
    "compare": (
        "funnelsim compare baseline ad-blocker-heavy",
        "funnelsim compare baseline my.yaml --response 'conversion()' --replications 50",
    ),
    "replay": (
        "funnelsim replay runs/baseline-seed7 --to stdout --speed max | head",
        "funnelsim replay runs/baseline-seed7 --to http://localhost:8080 --speed 600 --resume sent.json",
        "funnelsim replay runs/baseline-seed7 --to kafka:localhost:9092/events --from 2026-03-03T09:00:00Z",
    ),
    "export": (
        "funnelsim export runs/baseline-seed7 --to seeds/segment",
        "funnelsim export runs/baseline-seed7 --to tables --format parquet",
    ),
    "ingest": (
        "funnelsim ingest events.ndjson --store store",
        "funnelsim ingest kafka://localhost:9092/events --store store --follow",
    ),
    "stats": ("funnelsim stats --store store", "funnelsim stats --store store --by region --watch"),
    "new": (
        "funnelsim new my.yaml",
        "funnelsim new launch.yaml --extends launch-spike",
        "funnelsim new blockers.yaml --study",
    ),
    "doctor": ("funnelsim doctor",),
}
"""How one would call each command."""

_OVERVIEW: Final = (
    "funnelsim run baseline",
    "funnelsim new my.yaml",
    "funnelsim study coverage",
    "funnelsim COMMAND --help",
)


def _set_quiet(value: bool) -> bool:  # noqa: FBT001 - Typer calls it so
    if value:
        QUIET.set(True)
    return value


def _asked_quiet(
    *,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_set_quiet,
            expose_value=False,
            show_default=False,
            help="No progress and no summary; only what was asked for, and errors.",
        ),
    ] = False,
) -> None:
    """Bear the option that every command gets."""


class HelpfulGroup(TyperGroup):
    """The commands, each with examples under its help and the option ``--quiet``."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(**attributes)
        bearer = typer.Typer(add_completion=False)
        bearer.command()(_asked_quiet)
        (quiet,) = get_command(bearer).params
        self.epilog = _examples(_OVERVIEW)
        self.params.append(quiet)
        for name, command in self.commands.items():
            command.params.append(quiet)
            command.epilog = _examples(EXAMPLES.get(name, ()))


def _examples(lines: tuple[str, ...]) -> str | None:
    # The backspace keeps the help's formatter from filling the lines as a paragraph.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else None
